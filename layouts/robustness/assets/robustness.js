/* What is measured, as the address says it, and curves that grow while the server measures. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = scope.page, find = page.find, make = (...given) => scope.element(...given);
  const RUNNING = 250, IDLE = 3000, AFTER_FAULT = 3000;
  const charts = new Map(), { run, network, snapshot } = scope.training;
  let choices = null, chosen = null, facts = null, told = null, timer = null, asking = null, again = false, dataFault = "", viewer = "", starting = false, wanting = false;

  /* The address. */
  function read() {
    const query = new URLSearchParams(location.hash.slice(1)), names = choices.disturbances.map((each) => each.name);
    const networks = query.getAll("with").filter((key) => offered().includes(bare(key))).slice(0, choices.mostNetworks);
    const disturbances = (query.get("disturbances") || "").split(",").filter((name) => names.includes(name));
    const [at, disturbance, strength] = [query.get("at"), query.get("by"), Number(query.get("strength"))];
    chosen = {
      ...page.dataOf(query, choices.data),
      part: query.get("part") === "train" ? "train" : "test",
      networks: networks.length ? networks : [choices.backend + ":" + choices.model],
      disturbances: disturbances.length ? disturbances : names,
      count: choices.counts.includes(Number(query.get("images"))) ? Number(query.get("images")) : 1000,
      digit: /^\d{1,4}$/.test(query.get("picture") || "") ? Number(query.get("picture")) : 0,
      point: query.has("strength") && names.includes(disturbance) && networks.includes(at) ? { network: at, disturbance, strength } : null,
    };
  }
  function write(add) {
    const every = chosen.disturbances.length === choices.disturbances.length, point = chosen.point;
    page.write({
      ...page.dataAddress(chosen), with: chosen.networks, disturbances: every ? "" : chosen.disturbances.join(","), images: chosen.count,
      picture: chosen.digit || "", ...(point ? { at: point.network, by: point.disturbance, strength: String(point.strength) } : {}),
    }, add);
  }
  const sent = () => ({ viewer, data: facts ? facts.id : "", networks: chosen.networks, disturbances: chosen.disturbances, count: chosen.count });
  const going = () => !!told?.job && ["waiting", "running", "pausing", "paused"].includes(told.job.status);

  /* What can be chosen. A change while something is measured measures what is asked for now. */
  function changed(next, add = true) {
    const running = going();
    Object.assign(chosen, next);
    if (chosen.point && !(chosen.networks.includes(chosen.point.network) && chosen.disturbances.includes(chosen.point.disturbance))) chosen.point = null;
    write(add);
    show();
    ask(running ? "start" : "state");
  }
  function form() {
    page.dataForm(find(".data-form"), choices.data, chosen, { colour: false, changed(next) { Object.assign(chosen, next, { point: null }); write(true); openData(); } });
    const toggled = (list, name, on) => (on ? [...list, name] : list.filter((each) => bare(each) !== name));
    const tick = (key, words) => page.tick("", place(key) >= 0, (on) => changed({ networks: toggled(chosen.networks, key, on).slice(-choices.mostNetworks) }), { "data-network": key, "aria-label": words });
    const models = make("fieldset", {}, make("legend", {}, "Models"), make("div", { className: "model-ticks" },
      make("div", { className: "model-row", "aria-hidden": "true" }, make("span"), ...usable().map(({ label }) => make("span", { className: "note" }, label))),
      ...choices.models.map((model) => make("div", { className: "model-row" }, make("span", { className: "model-name" }, model.label), ...usable().map((backend) => tick(backend.value + ":" + model.value, model.label + " on " + backend.label)), make("span", { className: "form-fault", "data-model": model.value })))));
    models.style.setProperty("--backends", usable().length);
    const disturbances = make("fieldset", {}, make("legend", {}, "Disturbances"), make("div", { className: "ticks disturbance-ticks" }, ...choices.disturbances.map(({ name, title }) =>
      page.tick(title, chosen.disturbances.includes(name), (on) => changed({ disturbances: choices.disturbances.map((each) => each.name).filter((each) => (each === name ? on : chosen.disturbances.includes(each))) }), { "data-disturbance": name }))));
    const counts = choices.counts.map((count) => ({ value: String(count), label: page.whole(count) }));
    find(".sweep-form").replaceChildren(models, disturbances,
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
  const usable = () => choices.backends.filter((each) => !each.disabled);
  const offered = () => choices.models.flatMap((model) => usable().map((backend) => backend.value + ":" + model.value));
  /* A network's key is `backend:model`; it is ticked whichever of its snapshots is measured. */
  const backendOf = (key) => key.slice(0, key.indexOf(":")), modelOf = (key) => key.slice(key.indexOf(":") + 1);
  const bare = (key) => backendOf(key) + ":" + network(modelOf(key)), place = (key) => chosen.networks.findIndex((each) => bare(each) === key);
  /* The framework belongs to a title where there is more than one. */
  function titleOf(key) {
    const backend = backendOf(key), model = modelOf(key), title = choices.models.find((each) => each.value === network(model)).label + (snapshot(model) ? " · " + momentOf(model) : "");
    return chosen.networks.every((each) => backendOf(each) === backend) ? title : title + " · " + usable().find((each) => each.value === backend).label;
  }
  function styles() {
    return Object.fromEntries(chosen.networks.map((key, i) => [key, { ...scope.chart.look(i), title: titleOf(key) }]));
  }
  function show() {
    const places = find(".charts"), wanted = choices.disturbances.filter((each) => chosen.disturbances.includes(each.name));
    for (const [name, chart] of charts) if (!chosen.disturbances.includes(name)) { chart.whole.remove(); charts.delete(name); }
    let before = null;
    for (const disturbance of wanted) {
      if (!charts.has(disturbance.name)) {
        charts.set(disturbance.name, scope.chart(disturbance, (network, strength) => choose({ network, disturbance: disturbance.name, strength })));
        pictures();
      }
      const chart = charts.get(disturbance.name), next = before ? before.nextElementSibling : places.firstElementChild;
      if (next !== chart.whole && !(next?.matches(".worst") && next.nextElementSibling === chart.whole)) places.insertBefore(chart.whole, next);
      before = chart.whole;
      const curves = Object.fromEntries((told?.networks || []).map((each) => [each.network, each.curves[disturbance.name] || []]));
      const point = chosen.point && chosen.point.disturbance === disturbance.name ? chosen.point : null;
      chart.show({ curves, styles: styles(), chosen: point, words: told?.words[disturbance.name] });
    }
    for (const place of document.querySelectorAll(".model-ticks .form-fault")) {
      const faults = (told?.networks || []).filter((each) => each.fault && network(modelOf(each.network)) === place.dataset.model);
      place.textContent = [...new Set(faults.map((each) => each.fault))].join(" ");
    }
    for (const box of document.querySelectorAll(".model-ticks input")) {
      const i = place(box.dataset.network);
      box.checked = i >= 0;
      box.closest(".tick").style.setProperty("--tick", i >= 0 ? scope.chart.look(i).colour : "");
      box.closest(".tick").classList.toggle("is-drawn", i >= 0);
    }
    for (const box of document.querySelectorAll(".disturbance-ticks input")) box.checked = chosen.disturbances.includes(box.dataset.disturbance);
    line.follow(run(modelOf(traveller() || "")));
    line.show();
    scope.chart.legend(find(".legend-line"), styles());
    showState();
    showWorst(false);
  }

  /* Time travel: the slider chooses the snapshot of the first training. What has been measured is there at once. */
  const traveller = () => chosen.networks.find((key) => run(modelOf(key)));
  const momentOf = (model) => line.moments.find((each) => run(model) === line.run && each.name === snapshot(model))?.title || snapshot(model);
  const line = scope.timeline({
    base: "../",
    at: () => snapshot(modelOf(traveller())),
    go({ name }, newest) {
      const before = traveller(), now = bare(before) + (newest ? "" : "@" + name), point = chosen.point;
      changed({ networks: chosen.networks.map((each) => (each === before ? now : each)), point: point && point.network === before ? { ...point, network: now } : point }, false);
    },
    painted: () => !facts || (!!told && told.networks.map((each) => each.network).join() === chosen.networks.join()),
    whole: () => !going() && !starting,
    grown() { scope.chart.legend(find(".legend-line"), styles()); },
  });
  function showState() {
    const button = find("#measure"), bar = find(".sweep-progress"), share = told?.share || 0, job = told?.job, active = going() || starting;
    const none = !chosen.networks.length ? "Choose at least one model." : !chosen.disturbances.length ? "Choose at least one disturbance." : "";
    const broken = !active && !!told?.networks.length && told.networks.every((each) => each.fault);
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
      point: { ...point, data: facts.id }, sent: sent(), titles: { disturbance: disturbance.title, unit: disturbance.unit, network: titleOf(point.network) },
      after: charts.get(point.disturbance).whole, close() { choose(null); }, focus,
      count: told?.networks.find((each) => each.network === point.network)?.curves[point.disturbance]?.find((each) => each[0] === point.strength)?.[4] || 0,
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
