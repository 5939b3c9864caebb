/* What a training has learnt since this page was loaded is in the lists of models as soon as somebody comes back to it. */
(function () {
  "use strict";
  let known = "";

  async function look() {
    if (document.hidden || !document.getElementById("model")) return;
    try {
      const text = await (await fetch("models")).text();
      if (known && text !== known) {
        const { first, second } = JSON.parse(text);
        window.dash_clientside.set_props("model", { data: first });
        window.dash_clientside.set_props("second-model", { data: second });
      }
      known = text;
    } catch (error) {
      // Whether the server answers is said where something is drawn.
    }
  }
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("load", () => setTimeout(look, 1000));
})();
