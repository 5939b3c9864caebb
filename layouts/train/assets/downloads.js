/* A network as a file for another program. Writing one may start a framework, which takes seconds: that is said. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), make = scope.element;

  function save(blob, name) {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
  async function fetched(path, snapshot, words) {
    const slow = setTimeout(() => { words.textContent = "Writing it; where a framework has to start, this takes some seconds…"; }, 400);
    try {
      const reply = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ snapshot }) });
      if ((reply.headers.get("Content-Type") || "").includes("json")) return (await reply.json()).fault;
      if (!reply.ok) throw new Error(reply.status);
      save(await reply.blob(), /filename="?([^";]+)/.exec(reply.headers.get("Content-Disposition"))[1]);
      return "";
    } catch (error) {
      return "The server does not answer; try again.";
    } finally {
      clearTimeout(slow);
    }
  }

  /* `path` is that of the run or of the bundled network; `snapshot` empty for the last one. */
  scope.download = async function ({ title, text, path, snapshot }) {
    const list = make("ul", { className: "formats" }), fault = make("p", { className: "form-fault", role: "alert" }), words = make("p", { className: "note", role: "status" });
    const close = make("button", { className: "text-button", type: "button", onclick: () => dialog.close() }, "Close");
    const dialog = make("dialog", { className: "ask downloads", "aria-labelledby": "download-title" }, make("h2", { id: "download-title" }, title), make("p", {}, text), list, words, fault, make("div", { className: "ask-buttons" }, close));
    scope.showDialog(dialog);
    async function take(format, button) {
      const all = list.querySelectorAll("button"), before = button.textContent;
      for (const each of all) each.disabled = true;
      button.textContent = "Writing…";
      button.setAttribute("aria-busy", "true");
      words.textContent = fault.textContent = "";
      const sentence = await fetched(path + "/download/" + format, snapshot, words);
      button.textContent = before;
      button.removeAttribute("aria-busy");
      for (const each of all) each.disabled = false;
      words.textContent = sentence ? "" : "Done; it is where your browser puts downloads.";
      fault.textContent = sentence;
    }
    try {
      const { formats } = await (await fetch("formats")).json();
      for (const { value, title, words, missing } of formats) {
        const button = make("button", { type: "button", className: "text-button", "aria-label": "Download as " + title, onclick: () => take(value, button) }, "Download");
        list.append(make("li", {}, make("div", {}, make("strong", {}, title), make("span", { className: "note" }, missing || words)), ...(missing ? [] : [button])));
      }
      list.querySelector("button").focus();
    } catch (error) {
      fault.textContent = "The server does not answer; try again.";
    }
  };

  window.addEventListener("click", (event) => {
    if (event.target.id !== "download-bundled") return;
    const { network, title } = scope.network();
    scope.download({ title: "Download " + title, text: "The bundled network with the weights that come with Layerscope.", path: "models/" + encodeURIComponent(network), snapshot: "" });
  });
})();
