/* What is to be evaluated: model, snapshot, backend, images. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), make = scope.element;
  const { find, post } = scope.page;
  const OWN = "own", LAST = "";
  const fields = {};
  const prepared = new Set();
  let button = null, going = false;

  function select(name, label, options, changed) {
    fields[name] = make("select", { id: "field-" + name, onchange: changed || (() => {}) }, ...options.map(({ value, label: words, missing }) => make("option", { value, disabled: !!missing, title: missing || "" }, words + (missing ? " (not installed)" : ""))));
    return make("label", { className: "field field-" + name }, make("span", {}, label), fields[name]);
  }

  page.makeForm = function () {
    const { models, backends, sets } = page.choices;
    button = make("button", { className: "primary-button", type: "submit" }, "Evaluate");
    fields.path = make("input", { id: "field-path", placeholder: "/home/me/letters", autocomplete: "off" });
    find(".subject-form").replaceChildren(
      select("model", "Model", models, () => { showSnapshots(); ready(); }),
      select("snapshot", "Snapshot", [], () => ready()),
      select("backend", "Backend", backends, () => ready()),
      select("data", "Images", [...sets, { value: OWN, label: "Images of your own…" }], showPath),
      make("label", { className: "field field-path" }, make("span", {}, "Path on the computer that serves this page"), fields.path,
        make("span", { className: "note" }, "A folder with a folder of pictures for each class, a .npz file of arrays, or a .json file of pixels and labels.")),
      button);
    fields.backend.addEventListener("pointerdown", readyOthers);
    const missing = backends.filter((each) => each.missing).map((each) => make("p", { className: "note" }, each.missing));
    find(".subject-form").append(...missing);
    find(".subject-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (going) return void page.stop();
      const data = fields.data.value === OWN ? fields.path.value.trim() : fields.data.value;
      if (!data) return void fields.path.focus();
      const subject = { ...network(), data }, place = page.place();
      const again = Object.keys(subject).every((name) => place[name] === subject[name]);
      if (again) page.begin(subject);
      else page.go({ ...subject, ...page.nothingChosen });
    });
  };

  const network = () => ({ model: fields.model.value + (fields.snapshot.value && "@" + fields.snapshot.value), backend: fields.backend.value });
  /* The server begins to open what is chosen, so that the first numbers need not wait for a framework to start. */
  function ready(given = network()) {
    const key = JSON.stringify(given);
    if (prepared.has(key)) return;
    prepared.add(key);
    post("ready", given).catch(() => prepared.delete(key)); // the page says so when something is evaluated
  }
  /* Whoever opens the list of backends is about to choose another one. */
  function readyOthers() {
    for (const { value, missing } of page.choices.backends) if (!missing) ready({ ...network(), backend: value });
  }

  function showSnapshots() {
    const found = page.choices.snapshots[fields.model.value] || [];
    fields.snapshot.replaceChildren(make("option", { value: LAST }, "the last one"), ...found.map(({ value, label }) => make("option", { value }, label)));
    fields.snapshot.closest(".field").hidden = !found.length;
  }
  function showPath() { fields.path.closest(".field").hidden = fields.data.value !== OWN; }
  function choose(name, value) {
    if (![...fields[name].options].some((option) => option.value === value)) fields[name].append(make("option", { value }, value));
    fields[name].value = value;
  }

  page.showForm = function (place) {
    const { model = page.choices.model, backend = page.choices.backend, data = page.choices.data } = place;
    const [source, snapshot = ""] = model.startsWith("run:") ? model.split("@") : [model];
    choose("model", source);
    showSnapshots();
    choose("snapshot", snapshot);
    choose("backend", backend);
    const known = page.choices.sets.some((set) => set.value === data);
    fields.data.value = known ? data : OWN;
    if (!known) fields.path.value = data;
    showPath();
    ready();
  };
  page.going = function (now) {
    going = now;
    if (button) button.textContent = now ? "Stop" : "Evaluate";
    if (button) button.classList.toggle("is-stop", now);
  };
})();
