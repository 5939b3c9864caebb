/* What is measured, as the address says it, and curves that grow while the server measures. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = scope.page, find = page.find, make = (...given) => scope.element(...given);
  const RUNNING = 250, IDLE = 3000, AFTER_FAULT = 3000;
  /* Okabe and Ito 2008: distinct for every common form of colour vision; the dashes tell more than four apart. */
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c8c8c", "#882255"], DASHES = ["", "", "", "", "7 4", "7 4", "2 3", "2 3"];
  const charts = new Map(), { run, network, snapshot } = scope.training;
  let choices = null, chosen = null, facts = null, told = null, timer = null, asking = null, again = false, dataFault = "", viewer = "", starting = false, wanting = false;

  /* The address. */
  function read() {
    const query = new URLSearchParams(location.hash.slice(1)), names = choices.disturbances.map((each) => each.name);
    const models = query.getAll("model").filter((name) => choices.models.some((each) => each.value === network(name))).slice(0, choices.mostModels);
    const disturbances = (query.get("disturbances") || "").split(",").filter((name) => names.includes(name));
    const [model, disturbance, strength] = [query.get("at"), query.get("by"), Number(query.get("strength"))];
    chosen = {
      ...page.dataOf(query, choices.data),
      part: query.get("part") === "train" ? "train" : "test",
      models: models.length ? models : [choices.model],
      backend: choices.backends.some((each) => each.value === query.get("backend")) ? query.get("backend") : choices.backend,
      disturbances: disturbances.length ? disturbances : names,
      count: choices.counts.includes(Number(query.get("images"))) ? Number(query.get("images")) : 1000,
      digit: /^\d{1,4}$/.test(query.get("picture") || "") ? Number(query.get("picture")) : 0,
      point: query.has("strength") && names.includes(disturbance) && models.includes(model) ? { model, disturbance, strength } : null,
    };
  }
  function write(add) {
    const every = chosen.disturbances.length === choices.disturbances.length, point = chosen.point;
    page.write({
      ...page.dataAddress(chosen), model: chosen.models, backend: chosen.backend, disturbances: every ? "" : chosen.disturbances.join(","), images: chosen.count,
      picture: chosen.digit || "", ...(point ? { at: point.model, by: point.disturbance, strength: String(point.strength) } : {}),
    }, add);
  }
  const sent = () => ({ viewer, data: facts ? facts.id : "", models: chosen.models, backend: chosen.backend, disturbances: chosen.disturbances, count: chosen.count });
  const going = () => !!told?.job && ["waiting", "running", "pausing", "paused"].includes(told.job.status);

  /* What can be chosen. A change while something is measured measures what is asked for now. */
  function changed(next, add = true) {
    const running = going();
    Object.assign(chosen, next);
    if (chosen.point && !(chosen.models.includes(chosen.point.model) && chosen.disturbances.includes(chosen.point.disturbance))) chosen.point = null;
    write(add);
    show();
    ask(running ? "start" : "state");
  }
  function form() {
    page.dataForm(find(".data-form"), choices.data, chosen, { colour: false, changed(next) { Object.assign(chosen, next, { point: null }); write(true); openData(); } });
    const toggled = (list, name, on) => (on ? [...list, name] : list.filter((each) => network(each) !== name));
    const models = make("fieldset", {}, make("legend", {}, "Models"), make("div", { className: "ticks model-ticks" }, ...choices.models.map(({ value, label }) =>
      page.tick(label, place(value) >= 0, (on) => changed({ models: toggled(chosen.models, value, on).slice(-choices.mostModels) }), { "data-model": value }))));
    const disturbances = make("fieldset", {}, make("legend", {}, "Disturbances"), make("div", { className: "ticks disturbance-ticks" }, ...choices.disturbances.map(({ name, title }) =>
      page.tick(title, chosen.disturbances.includes(name), (on) => changed({ disturbances: choices.disturbances.map((each) => each.name).filter((each) => (each === name ? on : chosen.disturbances.includes(each))) }), { "data-disturbance": name }))));
    const counts = choices.counts.map((count) => ({ value: String(count), label: page.whole(count) }));
    find(".sweep-form").replaceChildren(models,
      page.select("backend", "Backend", choices.backends, chosen.backend, (value) => changed({ backend: value })), disturbances,
      page.select("count", "Test images", counts, String(chosen.count), (value) => changed({ count: Number(value) })),
      make("button", { type: "button", className: "text-button", id: "other-picture", onclick: () => { chosen.digit = (chosen.digit + 1) % Math.min(1000, facts ? facts.count : 1000); write(false); pictures(); } }, "Another image below the curves"));
    find(".sweep-state").replaceChildren(
      make("button", { type: "button", className: "primary-button", id: "measure", onclick: () => { wanting = !going(); ask(wanting ? "start" : "stop"); } }, "Measure"),
      make("div", { className: "sweep-progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "Progress", hidden: true }, make("div")),
      make("p", { className: "note sweep-words", role: "status" }));
  }

  /* The data set has to be there before anything can be measured on it. */
  async function openData() {
    facts = told = null;
    dataFault = "";
    show();
    if (chosen.data === "own" && !chosen.path) return void words("Name your own images, and open them.");
    try {
      const found = await page.openData("../data/open", { ...chosen, colour: false }, (opening) => words(page.openingWords(opening)));
      if (!found) return;
      page.fault("");
      dataFault = found.fault || "";
      facts = found.fault ? null : found;
    } catch (error) {
      return page.fault("The server does not answer. Start it again, and reload this page.");
    }
    words(dataFault || facts.title + ": " + page.count(facts.count, "image") + ", " + page.count(facts.classes.length, "class") + (facts.count < chosen.count ? "; all of them are measured." : "."));
    show();
    pictures();
    if (facts) ask("state");
  }
  function words(sentence) {
    find(".data-words").textContent = sentence;
    find(".data-words").classList.toggle("form-fault", !!dataFault);
  }

  /* The server. */
  function ask(what) {
    clearTimeout(timer);
    if (!facts) return;
    if (what !== "state") { starting = what === "start"; showState(); }
    if (asking) { again = again && again !== "state" ? again : what; if (what !== "state") again = what; return; }
    asking = post(what).finally(() => {
      asking = null;
      const next = again;
      again = false;
      if (next) ask(next);
    });
  }
  async function post(what) {
    const asked = sent(), key = JSON.stringify(asked);
    let wait = AFTER_FAULT;
    try {
      const found = await page.post(what, asked);
      page.fault(found.fault || "");
      if (key !== JSON.stringify(sent())) { again = again || "state"; return; }
      if (found.fault) return;
      if (found.gone) return void openData();
      const before = going();
      told = found;
      if (what !== "state") starting = false;
      if (before && !going()) page.announce(told.job?.status === "done" ? "Measured." : "Stopped.");
      wanting = going() || (wanting && told.job?.status === "stopped" && told.job.message !== "");
      show();
      wait = going() ? RUNNING : IDLE;
      if (wanting && !going() && !document.hidden) again = "start"; // the server had ended it, because nobody looked or it took long
    } catch (error) {
      page.fault("The server does not answer; this page tries again.");
    }
    if (!document.hidden || going()) timer = setTimeout(ask, wait, "state");
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && facts) ask("state"); });

  /* What has come. */
  const place = (value) => chosen.models.findIndex((each) => network(each) === value);
  const titleOf = (model) => choices.models.find((each) => each.value === network(model)).label + (snapshot(model) ? " · " + momentOf(model) : "");
  function styles() {
    return Object.fromEntries(chosen.models.map((model) => { const i = chosen.models.indexOf(model); return [model, { colour: COLOURS[i], dash: DASHES[i], title: titleOf(model) }]; }));
  }
  function show() {
    const places = find(".charts"), wanted = choices.disturbances.filter((each) => chosen.disturbances.includes(each.name));
    for (const [name, chart] of charts) if (!chosen.disturbances.includes(name)) { chart.whole.remove(); charts.delete(name); }
    let before = null;
    for (const disturbance of wanted) {
      if (!charts.has(disturbance.name)) {
        charts.set(disturbance.name, scope.chart(disturbance, (model, strength) => choose({ model, disturbance: disturbance.name, strength })));
        pictures();
      }
      const chart = charts.get(disturbance.name), next = before ? before.nextElementSibling : places.firstElementChild;
      if (next !== chart.whole && !(next?.matches(".worst") && next.nextElementSibling === chart.whole)) places.insertBefore(chart.whole, next);
      before = chart.whole;
      const curves = Object.fromEntries((told?.models || []).map((each) => [each.model, each.curves[disturbance.name] || []]));
      const point = chosen.point && chosen.point.disturbance === disturbance.name ? chosen.point : null;
      chart.show({ curves, styles: styles(), chosen: point });
    }
    for (const box of document.querySelectorAll(".model-ticks input")) {
      const i = place(box.dataset.model), fault = told?.models.find((each) => each.model === chosen.models[i])?.fault || "";
      box.checked = i >= 0;
      box.closest(".tick").style.setProperty("--tick", i >= 0 ? COLOURS[i] : "");
      box.closest(".tick").classList.toggle("is-drawn", i >= 0);
      const said = box.closest(".tick").querySelector(".form-fault");
      if (fault && i >= 0) { if (said) said.textContent = fault; else box.nextSibling.append(make("span", { className: "form-fault" }, fault)); } else said?.remove();
    }
    for (const box of document.querySelectorAll(".disturbance-ticks input")) box.checked = chosen.disturbances.includes(box.dataset.disturbance);
    line.follow(run(traveller()));
    line.show();
    showLegend();
    showState();
    showWorst(false);
  }

  /* Time travel: the slider chooses the snapshot of the first training. What has been measured is there at once. */
  const traveller = () => chosen.models.find(run);
  const momentOf = (model) => line.moments.find((each) => run(model) === line.run && each.name === snapshot(model))?.title || snapshot(model);
  const line = scope.timeline({
    base: "../",
    at: () => snapshot(traveller()),
    go({ name }, newest) {
      const before = traveller(), now = network(before) + (newest ? "" : "@" + name), point = chosen.point;
      changed({ models: chosen.models.map((each) => (each === before ? now : each)), point: point && point.model === before ? { ...point, model: now } : point }, false);
    },
    painted: () => !facts || (!!told && told.models.map((each) => each.model).join() === chosen.models.join()),
    whole: () => !going() && !starting,
    grown() { showLegend(); },
  });
  function showLegend() {
    const known = styles(), place = find(".legend-line"), key = JSON.stringify(known);
    if (place.dataset.key === key) return;
    place.dataset.key = key;
    place.replaceChildren(...Object.values(known).map(({ colour, dash, title }) => {
      const line = make("span", {}, title);
      line.insertAdjacentHTML("afterbegin", '<svg viewBox="0 0 26 8"><line x1="0" x2="26" y1="4" y2="4" stroke="' + colour + '" stroke-width="3" stroke-dasharray="' + dash + '"/></svg>');
      return line;
    }));
  }
  function showState() {
    const button = find("#measure"), bar = find(".sweep-progress"), share = told?.share || 0, job = told?.job, active = going() || starting;
    const none = !chosen.models.length ? "Choose at least one model." : !chosen.disturbances.length ? "Choose at least one disturbance." : "";
    const broken = !active && !!told?.models.length && told.models.every((each) => each.fault);
    button.textContent = active ? "Stop" : broken ? "Measure again" : share >= 1 ? "Measured" : share > 0 ? "Go on measuring" : "Measure";
    button.disabled = !facts || (!active && !broken && (!!none || share >= 1));
    bar.hidden = broken || (!active && (share === 0 || share >= 1));
    bar.setAttribute("aria-valuenow", Math.round(100 * share));
    bar.firstChild.style.transform = "scaleX(" + share + ")";
    const left = going() && job.left !== null && job.left > 0 ? ", about " + (job.left < 90 ? Math.ceil(job.left) + " s" : Math.ceil(job.left / 60) + " min") + " left" : "";
    const state = none || (broken && "Nothing was measured: what is wrong stands beside each model.") || (!active && job?.message) || (job?.status === "waiting" ? "Waits until another sweep is done." : active ? Math.floor(100 * share) + " %" + left : share >= 1 ? "All images have been measured." : share > 0 ? "Stopped at " + Math.floor(100 * share) + " %; what was measured stays." : "");
    if (find(".sweep-words").textContent !== state) find(".sweep-words").textContent = state;
  }
  function pictures() {
    for (const [name, chart] of charts) chart.picture(facts ? "strip/" + facts.id + "/" + name + "/" + Math.min(chosen.digit, facts.count - 1) + ".png" : "");
  }
  function choose(point) {
    chosen.point = point;
    write(true);
    show();
    showWorst(true);
  }
  function showWorst(focus) {
    const point = chosen.point;
    if (!point || !facts || !charts.has(point.disturbance)) return void scope.worst.show({ point: null });
    const disturbance = choices.disturbances.find((each) => each.name === point.disturbance);
    scope.worst.show({
      point: { ...point, data: facts.id }, sent: sent(), titles: { disturbance: disturbance.title, unit: disturbance.unit, model: titleOf(point.model) },
      after: charts.get(point.disturbance).whole, close() { choose(null); }, focus,
      count: told?.models.find((each) => each.model === point.model)?.curves[point.disturbance]?.find((each) => each[0] === point.strength)?.[4] || 0,
    });
  }

  function follow() {
    const data = JSON.stringify(chosen && page.dataAddress(chosen));
    read();
    form();
    if (!facts || data !== JSON.stringify(page.dataAddress(chosen))) return void openData();
    show();
    pictures();
    ask("state");
  }
  page.ready(".robustness-page", () => {
    choices = page.choices();
    viewer = sessionStorage.getItem("layerscope-viewer") || crypto.getRandomValues(new Uint32Array(3)).join("");
    sessionStorage.setItem("layerscope-viewer", viewer);
    find("#skip-link").addEventListener("click", () => find(".curves-title").focus());
    window.addEventListener("hashchange", follow);
    follow();
  });
})();
