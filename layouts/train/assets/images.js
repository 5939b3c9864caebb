/* What is known of the chosen images: their classes, whether the network fits them, and what cannot be read. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), make = scope.element;
  const { post } = scope.page;
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const POLL = 300, NO_ANSWER = "The server does not answer; try again.";
  const form = {}, place = () => document.getElementById("images-words");
  let serial = 0, looked = 0, starting = null;
  scope.images = { classes: [] };

  /* Asks until everything is known; null where something else has been chosen meanwhile. */
  async function examine(progress) {
    const mine = ++serial;
    for (let token = null; ; ) {
      const told = await post("images", { ...form, token });
      if (mine !== serial) return null;
      if (told.fault || !told.look || told.look.found) return told;
      token = told.look.token;
      progress("Looking through the images…" + (told.look.total ? " " + scope.words.whole(told.look.done) + " of " + scope.words.whole(told.look.total) : ""));
      await new Promise((done) => setTimeout(done, POLL));
    }
  }

  function unreadable(found) {
    const files = found.files.map(([name, reason]) => make("li", {}, make("strong", {}, name), " – " + reason));
    const more = found.count - files.length;
    if (more > 0) files.push(make("li", {}, "and " + scope.words.whole(more) + " more"));
    return make("ul", { className: "unreadable" }, ...files);
  }
  const counted = (found) => scope.words.whole(found.count) + " of " + scope.words.whole(found.total) + (found.total === 1 ? " picture" : " pictures") + " cannot be read";

  async function giveClasses(classes, button) {
    button.disabled = true;
    const told = await post("layers", { network: form.network, draft: form.draft, edit: { action: "classes", classes } }).catch(() => ({ fault: NO_ANSWER }));
    button.disabled = false;
    if (told.draft) window.dash_clientside.set_props("field-architecture", { data: told.draft });
    else button.after(make("span", { className: "form-fault" }, told.fault));
  }
  function show(told) {
    const found = told.look && told.look.found, parts = [], fault = told.fault || (found && found.fault);
    if (fault) parts.push(make("p", { className: "form-fault" }, fault));
    if (told.words) parts.push(make("p", {}, told.words));
    if (told.fit && told.fit.words) {
      const text = make("p", { className: told.fit.wrong ? "form-fault" : "note" }, told.fit.words);
      const button = make("button", { type: "button", className: "text-button", onclick: (event) => giveClasses(told.classes, event.target) }, told.fit.offer);
      parts.push(text, button);
    }
    for (const note of found ? found.notes || [] : []) parts.push(make("p", { className: "note" }, note));
    if (found && found.unreadable.count) parts.push(make("details", {}, make("summary", {}, counted(found.unreadable) + "."), unreadable(found.unreadable)));
    place().replaceChildren(...parts);
    document.getElementById("skip-field").hidden = !(found && found.unreadable.count);
  }

  clientside.trainImages = async function (network, draft, source, path) {
    Object.assign(form, { network, draft, source, path });
    document.getElementById("skip-field").hidden = true;
    if (source === "own" && !(path || "").trim()) { serial += 1; scope.images.classes = []; place().replaceChildren(); return; }
    try {
      await starting; // what the button asked for goes first
      const told = await examine((words) => place().replaceChildren(make("p", { className: "note" }, words)));
      if (!told) return;
      scope.images.classes = told.classes || [];
      show(told);
    } catch (error) {
      place().replaceChildren(make("p", { className: "form-fault" }, NO_ANSWER));
    }
  };

  /* The button was pressed: everything is looked at before the run begins, and what cannot be read is asked about. */
  clientside.trainLook = async function (asked) {
    if (!asked) return;
    const start = (children, disabled) => window.dash_clientside.set_props("start", { children, disabled });
    const say = (children) => window.dash_clientside.set_props("form-fault", { children });
    let told;
    try {
      starting = examine((words) => start(words, true)).catch(() => ({ fault: NO_ANSWER }));
      told = await starting;
    } finally {
      starting = null;
    }
    start("Start training", false);
    if (!told) return;
    show(told);
    const found = told.look && told.look.found, fault = told.fault || (found && found.fault);
    if (fault) return void say(fault);
    if (told.fit.wrong) return void say(told.fit.words + " The button “" + told.fit.offer + "” above mends that.");
    const go = (skip) => { looked += 1; window.dash_clientside.set_props("looked", { data: { token: told.look.token, skip, looked } }); };
    if (!found.unreadable.count || asked.skip) return void go(asked.skip);
    scope.ask({ title: "Train without them?", text: counted(found.unreadable) + ":", more: unreadable(found.unreadable), button: "Train without them", act: async () => go(true) });
  };
})();
