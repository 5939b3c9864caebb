/* One question at a time, in the browser's own dialog: it keeps the focus, and Escape closes it. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  /* Shows a dialog; when it is closed it is gone, and the focus is where it was. */
  scope.showDialog = function (dialog) {
    const before = document.activeElement;
    dialog.addEventListener("close", () => { dialog.remove(); if (before && before.isConnected) before.focus(); });
    document.querySelector(".train-page").append(dialog);
    dialog.showModal();
  };

  /* `act` does what was asked with the field's value and gives a sentence where that failed; the dialog stays then. */
  scope.ask = function ({ title, text, more, label, field, value, button, dangerous, act }) {
    const make = scope.element, fault = make("p", { className: "form-fault", role: "alert" });
    const input = field && make(field === "text" ? "input" : field === "notes" ? "textarea" : "input", field === "number" ? { type: "number", min: 1, step: 1, value } : { value });
    const go = make("button", { className: "primary-button" + (dangerous ? " is-dangerous" : ""), type: "submit" }, button);
    const form = make("form", { method: "dialog" },
      make("h2", { id: "ask-title" }, title), ...(text ? [make("p", {}, text)] : []), ...(more ? [more] : []), ...(input ? [make("label", {}, label, input)] : []), fault,
      make("div", { className: "ask-buttons" }, make("button", { className: "text-button", type: "button", onclick: () => dialog.close() }, "Cancel"), go));
    const dialog = make("dialog", { className: "ask", "aria-labelledby": "ask-title" }, form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      const sentence = await act(input ? input.value : null);
      go.disabled = false;
      if (sentence) fault.textContent = sentence;
      else dialog.close();
    });
    scope.showDialog(dialog);
    if (input) { input.focus(); if (input.select) input.select(); }
  };
})();
