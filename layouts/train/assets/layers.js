/* The layers of a network in a table. What is typed is sent at once; shapes, parameters and faults follow. What is
 * typed of one value or name is one step back. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), make = scope.element;
  const { post } = scope.page;
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const form = { network: null, draft: null }, NO_ANSWER = "The server does not answer; try again.";
  /* Layers that were edited are let go when another network is chosen. */
  clientside.trainNetwork = function (network, draft) {
    const other = draft && draft.network !== network;
    if (other) window.dash_clientside.set_props("field-architecture", { data: null });
    Object.assign(form, { network, draft: other ? null : draft });
  };
  scope.network = () => ({ network: form.network, title: document.getElementById("field-network").value });

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
    const undo = make("button", { className: "text-button", type: "button", disabled: true }, "Undo");
    const kind = make("select", { "aria-label": "Kind of the new layer" }), add = make("button", { type: "button", className: "text-button" }, "Add layer");
    const dialog = make("dialog", { className: "ask layers", "aria-labelledby": "layers-title" },
      make("div", { className: "section-header" }, make("h2", { id: "layers-title" }, "Layers"), words),
      make("div", { className: "layers-table" }, make("table", {}, make("thead", {}, make("tr", {}, ...["Layer", "Settings", "Output", "Parameters", ""].map((name) => make("th", { scope: "col" }, name)))), table)),
      classes,
      fault,
      make("div", { className: "ask-buttons" }, kind, add, make("span", { className: "spacer" }), undo, make("button", { className: "text-button", type: "button", onclick: startOver }, "Start over"), make("button", { className: "text-button", type: "button", onclick: () => dialog.close() }, "Cancel"), use));
    let known = null, sending = Promise.resolve(), chosen = 1, past = [], last = null;

    /* One after the other: each edit is of the draft that the one before left. */
    function send(request, anew, focus) {
      sending = sending.then(async () => {
        const sent = request();
        if (!sent) return;
        const told = await ask(sent);
        if (past.length && JSON.stringify(past[past.length - 1]) === JSON.stringify(told.draft)) { past.pop(); last = null; }
        if (told.draft) show(told, anew, focus);
        else fault.textContent = told.fault;
      }).catch(() => { fault.textContent = NO_ANSWER; use.disabled = !known; });
    }
    /* The draft before a change is kept, unless the change goes on with the one before. */
    function keep(of) {
      if (of === null || of !== last) past.push(known.draft);
      last = of;
    }
    function edit(change, focus) {
      const typed = change.action === "change" || change.action === "rename";
      send(() => { keep(typed ? [change.action, change.place, change.field].join() : null); return { draft: known.draft, edit: change }; }, !typed, focus);
    }
    function startOver() {
      send(() => { keep(null); return { network: known.draft.network }; }, true);
    }
    undo.addEventListener("click", () => send(() => { last = null; return past.length ? { draft: past.pop() } : null; }, true));
    function input(field, place) {
      const id = "layer-" + place + "-" + field.name;
      const changed = (event) => edit({ action: "change", place, field: field.name, value: read(field, event.target.value) });
      const control = field.form === "choice"
        ? make("select", { id, onchange: changed }, ...field.options.map((option) => make("option", { value: option, selected: option === field.value }, option)))
        : make("input", { id, value: written(field), size: field.form === "whole" || field.form === "number" ? 5 : 7, inputMode: "decimal", autocomplete: "off", oninput: changed });
      control.title = field.help;
      return make("label", { title: field.help }, field.title, control);
    }
    /* A name that is refused is said while it is typed; who leaves the field has the old one again. */
    function nameOf(told, place) {
      if (place === 0) return make("strong", {}, told.name);
      const settle = () => { sending = sending.then(() => { name.value = known.draft.rows[place].name; if (known.refused) show({ ...known, refused: null }, false); }); };
      const name = make("input", { className: "layer-name", value: told.name, title: "A layer's name in pictures, links and files; trained weights to begin with are taken over by it.", "aria-label": "Name of layer " + place, autocomplete: "off", spellcheck: false, oninput: () => edit({ action: "rename", place, name: name.value.trim() }), onchange: settle });
      return name;
    }
    function row(told, place, count) {
      const button = (action, sign, label, change, disabled) => make("button", { type: "button", className: "tool layer-tool", title: label, "data-action": action, disabled, onclick: () => edit({ action: action === "up" || action === "down" ? "move" : action, place, ...change }, [change.to ?? place, action]) }, sign);
      const tools = place === 0 ? [] : [
        button("up", "↑", "Move up", { to: place - 1 }, place === 1), button("down", "↓", "Move down", { to: place + 1 }, place === count - 1),
        button("duplicate", "+", "Duplicate", {}, false), button("remove", "×", "Remove", {}, false)];
      return make("tr", { onfocusin: () => { chosen = place + 1; } }, make("td", {}, nameOf(told, place), make("span", {}, told.kind)), make("td", {}, make("div", { className: "layer-fields" }, ...told.fields.map((field) => input(field, place))), make("p", { className: "layer-fault" })), make("td"), make("td"), make("td", {}, make("div", { className: "layer-tools" }, ...tools)));
    }
    function show(told, anew, focus) {
      known = told;
      if (anew) table.replaceChildren(...told.rows.map((each, place) => row(each, place, told.rows.length)));
      told.rows.forEach((each, place) => {
        const line = table.children[place], wrong = told.refused && told.refused.place === place ? told.refused.words : each.error;
        line.classList.toggle("is-impossible", !!wrong);
        line.querySelector(".layer-fault").textContent = wrong || "";
        line.children[2].textContent = each.shape || "–";
        line.children[3].textContent = each.parameters ? scope.words.whole(each.parameters) : "";
        for (const tool of line.querySelectorAll(".layer-tool")) tool.setAttribute("aria-label", tool.title + " " + each.name);
      });
      if (focus) (table.children[Math.min(focus[0], told.rows.length - 1)].querySelector('[data-action="' + focus[1] + '"]:not(:disabled)') || add).focus();
      if (!kind.length) kind.append(...told.kinds.map((each) => make("option", { value: each.value }, each.label)));
      words.textContent = told.words;
      const offers = told.offers.map((offer) => make("p", {}, offer.words + " ", make("button", { type: "button", className: "text-button", onclick: () => edit(offer.edit) }, offer.label)));
      classes.replaceChildren(make("p", { className: "note" }, told.classes), ...offers);
      fault.textContent = "";
      use.disabled = !!(told.fault || told.refused);
      undo.disabled = !past.length;
    }

    add.addEventListener("click", () => { edit({ action: "add", kind: kind.value, place: Math.min(chosen, table.children.length) }); chosen += 1; });
    use.addEventListener("click", async () => {
      await sending;
      if (use.disabled) return;
      window.dash_clientside.set_props("field-architecture", { data: known.draft });
      dialog.close();
    });
    dialog.addEventListener("close", () => { dialog.remove(); document.getElementById("edit-layers").focus(); });
    document.querySelector(".train-page").append(dialog);
    dialog.showModal();
    use.disabled = true;
    send(() => (form.draft ? { draft: form.draft } : { network: form.network }), true);
  }
  window.addEventListener("click", (event) => { if (event.target.id === "edit-layers") open(); });
})();
