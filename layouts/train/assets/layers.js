/* The layers of a network in a table. What is typed is sent at once; shapes, parameters and faults follow. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), make = scope.element;
  const { post } = scope.page;
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const form = { network: null, draft: null };
  clientside.trainNetwork = function (network, draft) { Object.assign(form, { network, draft }); };
  scope.network = () => ({ network: form.network, title: document.getElementById("field-network").value });
  clientside.trainForget = function (network, draft) { return draft && draft.network === network ? window.dash_clientside.no_update : null; };

  const ask = (sent) => post("layers", { ...sent, classes: scope.images.classes });
  const written = (field) => (Array.isArray(field.value) ? field.value.join("×") : field.value);
  function read(field, text) {
    if (field.form === "choice") return text;
    if (field.form === "pair" || field.form === "shape") return text.split(/[^0-9.]+/).filter(Boolean).map(Number);
    return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
  }

  async function open() {
    const table = make("tbody"), words = make("span", { className: "note", role: "status" }), fault = make("p", { className: "form-fault", role: "alert" });
    const classes = make("div", { className: "layers-classes" });
    const use = make("button", { className: "primary-button", type: "button" }, "Use this network");
    const kind = make("select", { "aria-label": "Kind of the new layer" }), add = make("button", { type: "button", className: "text-button" }, "Add layer");
    const dialog = make("dialog", { className: "ask layers", "aria-labelledby": "layers-title" },
      make("div", { className: "section-header" }, make("h2", { id: "layers-title" }, "Layers"), words),
      make("div", { className: "layers-table" }, make("table", {}, make("thead", {}, make("tr", {}, ...["Layer", "Settings", "Output", "Parameters", ""].map((name) => make("th", { scope: "col" }, name)))), table)),
      classes,
      fault,
      make("div", { className: "ask-buttons" }, kind, add, make("span", { className: "spacer" }), make("button", { className: "text-button", type: "button", onclick: begin }, "Start over"), make("button", { className: "text-button", type: "button", onclick: () => dialog.close() }, "Cancel"), use));
    let draft = null, sending = Promise.resolve(), chosen = 1;

    /* One after the other: each edit is of the draft that the one before left. */
    function edit(change, focus) {
      sending = sending.then(async () => {
        const told = await ask({ draft, edit: change });
        if (told.draft) show(told, change.action !== "change", focus);
        else fault.textContent = told.fault;
      }).catch(() => { fault.textContent = "The server does not answer; try again."; });
    }
    function input(field, place) {
      const id = "layer-" + place + "-" + field.name;
      const changed = (event) => edit({ action: "change", place, field: field.name, value: read(field, event.target.value) });
      const control = field.form === "choice"
        ? make("select", { id, onchange: changed }, ...field.options.map((option) => make("option", { value: option, selected: option === field.value }, option)))
        : make("input", { id, value: written(field), size: field.form === "whole" || field.form === "number" ? 5 : 7, inputMode: "decimal", autocomplete: "off", oninput: changed });
      control.title = field.help;
      return make("label", { title: field.help }, field.title, control);
    }
    function row(told, place, count) {
      const button = (action, sign, label, change, disabled) => make("button", { type: "button", className: "tool layer-tool", title: label, "aria-label": label + " " + told.name, "data-action": action, disabled, onclick: () => edit({ action: action === "up" || action === "down" ? "move" : action, place, ...change }, [change.to ?? place, action]) }, sign);
      const tools = place === 0 ? [] : [
        button("up", "↑", "Move up", { to: place - 1 }, place === 1), button("down", "↓", "Move down", { to: place + 1 }, place === count - 1),
        button("duplicate", "+", "Duplicate", {}, false), button("remove", "×", "Remove", {}, false)];
      return make("tr", { onfocusin: () => { chosen = place + 1; } }, make("td", {}, make("strong", {}, told.name), make("span", {}, told.kind)), make("td", {}, make("div", { className: "layer-fields" }, ...told.fields.map((field) => input(field, place))), make("p", { className: "layer-fault" })), make("td"), make("td"), make("td", {}, make("div", { className: "layer-tools" }, ...tools)));
    }
    function show(told, anew, focus) {
      draft = told.draft;
      if (anew) table.replaceChildren(...told.rows.map((each, place) => row(each, place, told.rows.length)));
      told.rows.forEach((each, place) => {
        const line = table.children[place];
        line.classList.toggle("is-impossible", !!each.error);
        line.querySelector(".layer-fault").textContent = each.error || "";
        line.children[2].textContent = each.shape || "–";
        line.children[3].textContent = each.parameters ? scope.words.whole(each.parameters) : "";
      });
      if (focus) (table.children[Math.min(focus[0], told.rows.length - 1)].querySelector('[data-action="' + focus[1] + '"]:not(:disabled)') || add).focus();
      if (!kind.length) kind.append(...told.kinds.map((each) => make("option", { value: each.value }, each.label)));
      words.textContent = told.words;
      const offers = told.offers.map((offer) => make("p", {}, offer.words + " ", make("button", { type: "button", className: "text-button", onclick: () => edit(offer.edit) }, offer.label)));
      classes.replaceChildren(make("p", { className: "note" }, told.classes), ...offers);
      fault.textContent = "";
      use.disabled = !!told.fault;
    }

    add.addEventListener("click", () => { edit({ action: "add", kind: kind.value, place: Math.min(chosen, table.children.length) }); chosen += 1; });
    use.addEventListener("click", async () => {
      await sending;
      if (use.disabled) return;
      window.dash_clientside.set_props("field-architecture", { data: draft });
      dialog.close();
    });
    dialog.addEventListener("close", () => { dialog.remove(); document.getElementById("edit-layers").focus(); });
    document.querySelector(".train-page").append(dialog);
    dialog.showModal();
    function begin(_event, from) {
      sending = sending.then(async () => show(await ask(from || { network: form.network }), true)).catch(() => { fault.textContent = "The server does not answer; try again."; use.disabled = true; });
    }
    begin(null, form.draft && { draft: form.draft });
  }
  window.addEventListener("click", (event) => { if (event.target.id === "edit-layers") open(); });
})();
