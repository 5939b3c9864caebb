/* The compare page: which networks stand side by side, the way to the server, and what it answers.
 *
 * ink.js watches the paper and asks `scope.wire.ask` for an answer; the next drawing leaves when the last answer is on
 * the screen. What is compared stands in the address after `#`: `with` (backend:model, once for each column), `view`,
 * `set` (its settings), `unit`, `target`, `second` (an image), `apart` (each column its own scale), `rows` where layers were chosen by hand,
 * `against` and `tolerance` of the parity table, `stand` (a disturbance, or all), and the drawing as on the page one draws on. `preset` stands for the
 * networks of a button.
 */
(function () {
  "use strict";
  const MOST = 4, FEWEST = 2, RETRY = 400, UNREACHABLE = "The Layerscope server does not answer. Start it again; your drawing stays here.";
  const scope = (window.layerscope = window.layerscope || {});
  const find = (selector) => document.querySelector(selector);
  const make = (tag, className, text) => Object.assign(document.createElement(tag), { className: className || "", textContent: text ?? "" });
  const state = { subjects: [], view: { visualizer: "", settings: {}, unit: null, target: null, second: null, shared: true }, rows: null, against: 1, tolerance: "1e-4", stand: "", off: [] };
  const page = (scope.compare = { state, find, make, post, question, changed, painted: 0, answer: null });
  let config = null, keys = {}, asking = null, retry = null, faulted = false;

  /* What ink.js expects of a page. */
  scope.jobs = { interrupt() {} };
  scope.loading = { stage: async () => (asking || retry ? "Working…" : null) };
  scope.live = { shown: () => keys, fault };
  scope.address = { write() { clearTimeout(scope.addressing); scope.addressing = setTimeout(write, 150); } };
  scope.wire.ask = ask;

  function fault(text) {
    dash_clientside.set_props("notice-text", { children: text });
    dash_clientside.set_props("notice", { hide: !text });
    faulted = !!text;
  }

  /* The server */
  async function post(task, sent, signal) {
    let reply;
    try {
      reply = await fetch(task, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return { fault: UNREACHABLE };
    }
    if (!reply.ok) return { fault: "The Layerscope server answered with error " + reply.status + "; its log says more." };
    return scope.wire.unpack(await reply.arrayBuffer());
  }
  function question() {
    return { subjects: state.subjects, ink: scope.ink.published, view: state.view, rows: state.rows, off: state.off };
  }
  async function ask() {
    clearTimeout(retry);
    retry = null;
    if (!state.subjects.length || !scope.ink.published) return;
    if (asking) asking.abort();
    const mine = (asking = new AbortController());
    let told;
    try {
      told = await post("answer", { ...question(), shown: keys }, mine.signal);
    } catch (error) { return; }
    if (asking !== mine) return;
    asking = null;
    take(told);
  }

  function take(told) {
    if (told.fault) fault(told.fault);
    else {
      if (faulted) fault("");
      page.answer = told;
      page.showHeads(told);
      page.showAnswers(told);
      page.showRows(told);
      if (told.columns.some((column) => column.opening)) retry = setTimeout(ask, RETRY);
      page.after(told);
      page.travel();
    }
    document.body.classList.toggle("is-loading", !!retry);
    find(".loading").textContent = retry ? told.columns.find((column) => column.opening).opening : "";
    page.painted += 1;
    requestAnimationFrame(() => requestAnimationFrame(() => { page.visibleAt = performance.now(); scope.ink.painted(told.serial); }));
  }
  page.keys = { get: (id) => keys[id], set(id, key) { keys[id] = key; }, keep(ids) { keys = Object.fromEntries(Object.entries(keys).filter(([id]) => ids.has(id))); }, forget() { keys = {}; } };

  /* A change of what is compared: the address, with a step back where other networks are chosen, and a new answer. */
  function changed({ step = false, networks = false } = {}) {
    if (networks) { state.rows = null; page.keys.forget(); page.reset(); }
    if (state.against >= state.subjects.length) state.against = 1;
    page.showTools();
    clearTimeout(scope.addressing);
    write(step);
    ask();
  }

  /* Other snapshots of the same trainings: heads and rows stay. */
  page.step = function (subjects, step = false) {
    state.subjects = subjects;
    page.forgetExperiments();
    clearTimeout(scope.addressing);
    write(step);
    ask();
  };

  /* The address */
  async function write(step) {
    const ink = scope.ink.published, query = new URLSearchParams();
    for (const { model, backend } of state.subjects) query.append("with", backend + ":" + model);
    const { visualizer, settings, unit, target, second, shared } = state.view;
    if (visualizer) query.set("view", visualizer);
    if (Object.keys(settings).length) query.set("set", JSON.stringify(settings));
    if (unit != null) query.set("unit", unit);
    if (target != null) query.set("target", target);
    if (second) query.set("second", second.sample ? second.sample.join(".") : second.ink);
    if (!shared) query.set("apart", "yes");
    if (state.rows) query.set("rows", JSON.stringify(state.rows));
    if (state.against !== 1) query.set("against", state.against);
    if (state.tolerance !== "1e-4") query.set("tolerance", state.tolerance);
    if (state.stand && state.stand !== config.disturbances[0].name) query.set("stand", state.stand);
    if (state.off.length) query.set("off", state.off.join(","));
    for (const [name, value] of Object.entries(ink ? await scope.ink.address() : {})) query.set(name, value);
    if (ink && ink !== scope.ink.published) return;
    history[step === true ? "pushState" : "replaceState"](history.state, "", "#" + query);
    scope.addressing = null;
  }
  function read() {
    const query = new URLSearchParams(location.hash.slice(1));
    const parsed = (name, other) => { try { return query.has(name) ? JSON.parse(query.get(name)) : other; } catch (error) { return other; } };
    const whole = (name) => (/^\d{1,6}$/.test(query.get(name) || "") ? Number(query.get(name)) : null);
    const subjects = query.getAll("with").map((text) => ({ backend: text.slice(0, text.indexOf(":")), model: text.slice(text.indexOf(":") + 1) }));
    const preset = page.presets[query.get("preset")];
    state.subjects = subjects.length ? subjects.slice(0, MOST) : preset ? preset() : config.subjects.map((each) => ({ ...each }));
    state.off = (query.get("off") || "").split(",").filter(Boolean);
    const known = config.views.some((view) => view.name === query.get("view"));
    const settings = parsed("set", {}), rows = parsed("rows", null);
    state.view = { visualizer: known ? query.get("view") : "", settings: settings && !Array.isArray(settings) && typeof settings === "object" ? settings : {}, unit: whole("unit"), target: whole("target"), second: secondOf(query.get("second")), shared: !query.has("apart") };
    state.rows = Array.isArray(rows) && rows.every(Array.isArray) ? rows : null;
    state.against = whole("against") || 1;
    state.tolerance = query.get("tolerance") || "1e-4";
    state.stand = query.get("stand") || "";
  }
  /* A sample where there is a dot, which ink has none of. */
  function secondOf(text) {
    if (!text) return null;
    const sample = /^(\d{1,4})\.(\d{1,6})$/.exec(text);
    return sample ? { sample: sample.slice(1).map(Number), ink: null, label: null } : { sample: null, ink: text, label: null };
  }
  window.addEventListener("popstate", () => {
    if (!config) return;
    read();
    page.keys.forget();
    page.reset();
    page.showTools();
    ask(); // the drawing follows by itself where it is another one
  });

  /* What may be compared */
  const other = (backend) => (config.backends.find((each) => each.value !== backend && !each.missing) || { value: backend }).value;
  page.presets = {
    frameworks() { const model = (state.subjects[0] || config.subjects[0]).model; return [{ model, backend: config.backend }, { model, backend: other(config.backend) }]; },
    "dense-cnn": () => ["dense", "cnn-compact"].map((model) => ({ model, backend: config.backend })),
    four: () => ["dense", "cnn", "cnn-compact", "cnn-batchnorm"].map((model) => ({ model, backend: config.backend })),
  };
  /* Dense against CNN: the first weights of each side by side, and the pixels that each answer hangs on. */
  const views = {
    layers: () => ({ visualizer: "", rows: null }),
    where: () => ({ visualizer: "gradient_map", rows: null }),
    "first-weights": () => ({ visualizer: "filters", rows: [page.answer.columns.map((column) => (column.layers.find(([, kind]) => kind === "conv2d" || kind === "dense") || [null])[0])] }),
  };
  function view(name) {
    const { visualizer, rows } = views[name]();
    Object.assign(state.view, { visualizer, settings: {}, unit: null, target: null });
    state.rows = rows;
    changed({ step: true });
    find(".compare-rows").scrollIntoView({ block: "start" });
  }
  page.add = function () {
    if (state.subjects.length >= MOST) return;
    const there = new Set(state.subjects.map((each) => each.backend + each.model));
    const options = config.models.flatMap(({ value: model }) => [config.backend, other(config.backend)].map((backend) => ({ model, backend })));
    state.subjects.push(options.find((each) => !there.has(each.backend + each.model)) || options[0]);
    changed({ step: true, networks: true });
  };
  page.remove = function (at) {
    if (state.subjects.length <= FEWEST) return;
    state.subjects.splice(at, 1);
    changed({ step: true, networks: true });
  };
  page.choose = function (at, subject) {
    const before = state.subjects[at], now = { ...before, ...subject }, { network } = scope.training;
    const subjects = state.subjects.map((each, place) => (place === at ? now : each));
    if (now.backend === before.backend && network(now.model) === network(before.model)) return page.step(subjects, true);
    state.subjects = subjects;
    changed({ step: true, networks: true });
  };
  page.limits = { MOST, FEWEST };
  page.config = () => config;

  window.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-action]");
    if (!button || !config) return;
    const action = button.dataset.action;
    if (page.presets[action]) {
      state.subjects = page.presets[action]();
      if (!scope.ink.published?.ink && !scope.ink.published?.sample) dash_clientside.set_props("compare-first", { data: Date.now() });
      changed({ step: true, networks: true });
    } else if (views[action] && page.answer) view(action);
    else if (action === "link") copyLink(button);
    else if (page.actions[action]) page.actions[action](button);
  });
  function copyLink(button) {
    const say = (text) => { button.textContent = text; setTimeout(() => { button.textContent = "Copy a link"; }, 2500); };
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(() => say("Link copied"), () => say("See the address bar"));
    else say("See the address bar");
  }
  page.actions = {};
  window.addEventListener("click", (event) => {
    const jump = event.target.closest && event.target.closest("[data-jump]");
    if (!jump) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    find("." + jump.dataset.jump).scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  });
  window.addEventListener("click", (event) => {
    if (event.target.closest && event.target.closest(".skip-link")) find(".compare").focus();
  });

  function begin() {
    if (!find("#choices") || !window.dash_clientside.set_props || !page.ready) return void setTimeout(begin, 20);
    config = scope.page.choices();
    page.find = find;
    read();
    page.showTools();
    ask();
  }
  page.ready = false;
  begin();
})();
