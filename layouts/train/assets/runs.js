/* The list of runs and the chosen one: elements are made once and changed in place, so that nothing flickers. */
(function () {
  "use strict";
  const scope = window.layerscope = window.layerscope || {}, make = scope.element, words = scope.words;
  const { find, post } = scope.page;
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#882255"];
  const page = () => scope.train, places = new Map();
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);

  function progress() {
    return make("div", { className: "run-progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "Progress" }, make("div"));
  }
  function showProgress(bar, row) {
    bar.hidden = !row.active && (row.share >= 1 || !row.step);
    bar.setAttribute("aria-valuenow", Math.round(100 * row.share));
    bar.firstChild.style.transform = "scaleX(" + row.share + ")";
  }

  function entry(id) {
    const tick = make("input", { type: "checkbox", className: "run-tick", onclick: (event) => event.stopPropagation(), onchange: (event) => page().compare(id, event.target.checked) });
    const title = make("button", { className: "run-title", type: "button" });
    const state = make("span", { className: "run-state" }), rest = document.createTextNode("");
    const spark = svg("svg"), line = svg("polyline"), bar = progress();
    spark.setAttribute("class", "run-spark");
    spark.setAttribute("viewBox", "0 0 100 30");
    spark.setAttribute("preserveAspectRatio", "none");
    spark.setAttribute("aria-hidden", "true");
    spark.append(line);
    const whole = make("div", { className: "run", role: "listitem", onclick: () => page().select(id) }, tick, title, make("div", { className: "run-words" }, state, rest), spark, bar);
    return { whole, tick, title, state, rest, line, bar };
  }
  function showEntry(place, row, chosen) {
    const selected = row.id === chosen.run, compared = chosen.compare.indexOf(row.id);
    place.whole.dataset.state = row.state;
    place.whole.dataset.run = row.id;
    place.whole.classList.toggle("is-selected", selected);
    place.whole.classList.toggle("is-plain", !row.sparkline.length);
    place.title.setAttribute("aria-current", selected);
    set(place.title, row.title);
    place.title.title = row.title + " · " + row.facts;
    set(place.state, row.words);
    const more = " · " + words.line(row);
    if (place.rest.data !== more) place.rest.data = more;
    place.tick.checked = selected || compared >= 0;
    place.tick.disabled = selected;
    place.tick.setAttribute("aria-label", "Compare " + row.title);
    place.tick.title = selected ? "Its curves are shown" : "Lay its curves over the chosen run's";
    place.tick.style.setProperty("--tick", chosen.compare.length ? COLOURS[(compared + 1) % COLOURS.length] : "");
    const points = row.sparkline.map((height, i) => (100 * i) / (row.sparkline.length - 1) + "," + (28 - 26 * height)).join(" ");
    if (place.line.getAttribute("points") !== points) place.line.setAttribute("points", points);
    showProgress(place.bar, row);
  }

  scope.train = Object.assign(scope.train || {}, {
    showList() {
      const { rows, chosen } = page(), list = find(".run-list"), order = page().order();
      find(".runs .empty-state").hidden = order.length > 0;
      set(find(".run-count"), order.length > 1 ? order.length + " runs" : "");
      for (const [id, place] of places) if (!rows.has(id)) { place.whole.remove(); places.delete(id); }
      order.forEach((id, index) => {
        if (!rows.has(id)) return;
        if (!places.has(id)) places.set(id, entry(id));
        const place = places.get(id);
        if (list.children[index] !== place.whole) list.insertBefore(place.whole, list.children[index] || null);
        showEntry(place, rows.get(id), chosen);
      });
    },

    /* How many runs are trained at once. */
    showAtOnce(runs) {
      const place = find(".at-once");
      if (!place.firstChild) {
        const select = make("select", { "aria-label": "Runs at once", onchange: (event) => setAtOnce(event.target) });
        select.append(...[1, 2, 3, 4, 6, 8].map(choice));
        place.append(select, " at once", make("span", { className: "form-fault", role: "alert" }));
      }
      const select = place.firstChild;
      if (![...select.options].some((option) => Number(option.value) === runs)) select.append(choice(runs)); // set elsewhere
      if (document.activeElement !== select) select.value = runs;
    },

    showRun() {
      const { rows, chosen } = page(), row = rows.get(chosen.run);
      find(".no-run").hidden = !!row;
      find(".run-details").hidden = !row;
      if (!row) return;
      find(".run-curves").hidden = !row.active && !row.step && !chosen.compare.length;
      showHeader(find(".run-header"), row);
    },
  });

  const choice = (runs) => make("option", { value: runs }, runs);
  async function setAtOnce(select) {
    const told = await post("at-once", { runs: Number(select.value) }).catch(() => ({ fault: "The server does not answer; try again." }));
    select.blur();
    set(select.parentNode.lastChild, told.fault || "");
    page().refresh();
  }

  /* The chosen run's header. */
  let header = null;
  const NUMBERS = [
    ["Loss", (row) => words.loss(row.loss)],
    ["Accuracy", (row) => words.percent(row.accuracy)],
    ["Validation loss", (row) => words.loss(row.validation_loss), (row) => row.validation_loss !== null],
    ["Validation accuracy", (row) => words.percent(row.validation_accuracy), (row) => row.validation_accuracy !== null],
    ["Epoch", (row) => row.epoch + " of " + row.epochs],
    ["Step", (row) => words.whole(row.step) + (row.steps ? " of " + words.whole(row.steps) : "")],
    ["Images per second", (row) => (row.pace ? words.whole(Math.round(row.pace)) : "–"), (row) => row.active],
    ["Remaining", (row) => (row.left === null ? "–" : words.duration(row.left)), (row) => row.active],
    ["Trained for", (row) => words.duration(row.seconds)],
  ];
  const now = () => page().rows.get(page().chosen.run);
  const does = (action, sent) => page().act(page().chosen.run, action, sent);
  async function direct(event, action) {
    event.target.disabled = true;
    const id = page().chosen.run, sentence = await does(action);
    event.target.disabled = false;
    if (action === "stop" && !sentence) header.stopping = id;
    set(header.fault, sentence || "");
  }
  const QUESTIONS = {
    further: () => ({ title: "Train further", text: "Goes on from what was learnt; the learning rate makes a course of its own in the new epochs.", label: "Epochs to add", field: "number", value: "5", button: "Train further", act: (epochs) => does("further", { epochs }) }),
    rename: () => ({ title: "Rename", label: "Title", field: "text", value: now().title, button: "Rename", act: (title) => does("rename", { title }) }),
    note: () => ({ title: "Note", label: "What you want to remember about this run", field: "notes", value: now().notes, button: "Keep", act: (notes) => does("note", { notes }) }),
    delete: () => ({ title: "Delete this run?", text: "“" + now().title + "” is removed with its curves and all it has learnt. This cannot be undone.", button: "Delete", dangerous: true, act: () => does("delete") }),
  };
  let asked = 0;
  function again() {
    window.dash_clientside.set_props("again", { data: { run: now().id, asked: (asked += 1) } });
    find(".train-form").scrollIntoView({ behavior: "smooth", block: "start" });
    scope.page.announce("The form has the settings of " + now().title);
  }
  function download() {
    const { name, words: when } = page().shownSnapshot();
    scope.download({ title: "Download “" + now().title + "”", text: "The network as it was " + when + "; the slider of snapshots chooses another moment.", path: "runs/" + encodeURIComponent(now().id), snapshot: name });
  }
  function headerParts() {
    const button = (name, text, onclick, first) => make("button", { type: "button", className: "text-button" + (first ? " is-first" : ""), "data-action": name, onclick }, text);
    const question = (name, text) => button(name, text, () => scope.ask(QUESTIONS[name]()));
    const link = (name, text) => make("a", { className: "text-button", "data-action": name }, text);
    const look = link("look", "Look at it");
    look.classList.add("is-first");
    const buttons = make("div", { className: "run-buttons" },
      button("stop", "Stop", (event) => direct(event, "stop"), true), button("resume", "Resume", (event) => direct(event, "resume"), true), look,
      link("watch", "Watch it learn"), question("further", "Train further…"), button("again", "Use its settings", again), question("rename", "Rename…"), question("note", "Note…"), button("model", "Download model…", download), link("metrics", "Metrics as CSV"), question("delete", "Delete…"));
    const numbers = NUMBERS.map(([name]) => make("div", {}, make("dt", {}, name), make("dd", {}, "–")));
    return {
      title: make("h2", { tabIndex: -1 }), facts: make("p", { className: "run-facts" }), state: make("span", { className: "run-state" }), message: make("span"), bar: progress(),
      numbers, buttons, fault: make("p", { className: "form-fault", role: "alert" }), notes: make("p", { className: "run-notes" }),
    };
  }
  function showHeader(place, row) {
    if (!header) {
      header = headerParts();
      const sentence = make("p", { className: "run-message" }, header.state, header.message);
      place.append(header.title, header.facts, sentence, header.bar, make("dl", { className: "numbers" }, ...header.numbers), header.buttons, header.fault, header.notes);
    }
    if (place.dataset.run !== row.id) set(header.fault, "");
    place.dataset.run = row.id;
    place.dataset.state = row.state;
    set(header.title, row.title);
    set(header.facts, [row.network, row.facts, words.moment(row.created)].join(" · "));
    set(header.state, row.words);
    const own = row.message.startsWith(row.words) ? row.message.slice(row.words.length) : row.message && ". " + row.message;
    set(header.message, own);
    set(header.notes, row.notes);
    showProgress(header.bar, row);
    NUMBERS.forEach(([, value, shown], i) => {
      header.numbers[i].hidden = shown ? !shown(row) : false;
      set(header.numbers[i].lastChild, value(row));
    });
    showButtons(row);
  }
  function showButtons(row) {
    const can = new Set(row.can), base = "runs/" + encodeURIComponent(row.id) + "/";
    const shown = { stop: can.has("stop"), resume: can.has("resume"), look: can.has("look"), watch: can.has("look"), further: can.has("further"), again: true, rename: true, note: true, model: can.has("download"), metrics: row.step > 0, delete: can.has("delete") };
    const { sample, ink } = page().chosen, image = ink ? { ink } : { sample: sample || "5.0" };
    const first = { ...row.look, ...image, model: row.look.model + "@epoch-000" };
    const to = { look: "../#" + new URLSearchParams({ ...row.look, ...(sample || ink ? image : {}) }), watch: "../#" + new URLSearchParams(first), metrics: base + "metrics.csv" };
    if (header.stopping === row.id && !row.active) header.stopping = null;
    const stopping = header.stopping === row.id, stop = header.buttons.firstChild;
    set(stop, stopping ? "Stopping…" : "Stop");
    if (stopping !== stop.disabled) stop.disabled = stopping;
    for (const element of header.buttons.children) {
      const name = element.dataset.action;
      if (element.hidden === shown[name]) element.hidden = !shown[name];
      if (to[name] && element.getAttribute("href") !== to[name]) element.setAttribute("href", to[name]);
    }
  }
})();
