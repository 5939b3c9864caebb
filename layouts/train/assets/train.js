/* Keeps the training page as the runs are: asks the server, and changes only what has changed. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const ACTIVE = 1000, IDLE = 5000, AFTER_FAULT = 3000, SEEN = ["layer", "sample", "ink"];
  const rows = new Map();
  const chosen = { run: null, compare: [], layer: null, sample: null, ink: null };
  let order = [], curvesKey = null, learnt = "", timer = null, asking = null, again = false;
  const { find, post, fault, announce } = scope.page;
  const page = (scope.train = Object.assign(scope.train || {}, { rows, chosen, order: () => order, refresh, select, compare, see, act, post, find }));

  /* The server. */
  function refresh() {
    clearTimeout(timer);
    if (asking) { again = true; return asking; }
    asking = ask().finally(() => { asking = null; if (again) { again = false; refresh(); } });
    return asking;
  }
  async function ask() {
    const have = Object.fromEntries([...rows].map(([id, row]) => [id, row.version]));
    const sent = { have, run: chosen.run, compare: chosen.compare, curves: curvesKey };
    let wait = AFTER_FAULT;
    try {
      const told = await post("state", sent);
      fault("");
      take(told, sent);
      wait = told.active ? ACTIVE : IDLE;
    } catch (error) {
      fault("The server does not answer. The trainings go on without it; this page tries again.");
    }
    // A page that nobody sees asks nothing; the server looks after the queue by itself.
    if (!document.hidden) timer = setTimeout(refresh, wait);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && find(".run-list")) refresh(); });
  window.addEventListener("focus", () => { if (find(".run-list")) refresh(); });

  /* What has come. */
  function take(told, sent) {
    for (const row of told.runs) {
      if (!("state" in row)) continue;
      const before = rows.get(row.id);
      if (before && before.state !== row.state) announce(row.title + ": " + row.words);
      rows.set(row.id, row);
    }
    order = told.runs.map((row) => row.id);
    const there = new Set(order);
    for (const id of [...rows.keys()]) if (!there.has(id)) rows.delete(id);
    const found = order.filter((id) => rows.get(id).can.includes("look")).map((id) => id + rows.get(id).title).join();
    if (found !== learnt) window.dash_clientside.set_props("learnt", { data: (learnt = found) });
    if (!there.has(chosen.run)) choose({ run: order[0] || null, compare: [] });
    page.showList();
    page.showRun();
    page.showAtOnce(told.at_once);
    showTitle();
    if (sent.run !== chosen.run || sent.compare !== chosen.compare) again = true; // something else was chosen meanwhile
    else if (told.selected) {
      if (told.selected.curves) page.showCurves(told.selected.curves);
      curvesKey = told.selected.key;
      page.showSnapshots(told.selected.snapshots);
    }
  }

  /* How far the training is can be seen from another tab. */
  const title = document.title;
  function showTitle() {
    const training = order.map((id) => rows.get(id)).filter((row) => row && row.state === "training" && row.steps);
    const first = training[training.length - 1];
    document.title = (first ? Math.floor(100 * first.share) + " % · " : "") + title;
  }

  /* What is chosen stands in the address. */
  function choose(next) {
    if (next.run !== chosen.run) page.forgetPictures();
    Object.assign(chosen, next);
    curvesKey = null;
    write();
  }
  function write() {
    const query = new URLSearchParams();
    if (chosen.run) query.set("run", chosen.run);
    if (chosen.compare.length) query.set("compare", chosen.compare.join(","));
    for (const name of SEEN) if (chosen[name]) query.set(name, chosen[name]);
    history.replaceState(history.state, "", "#" + query);
  }
  /* What is looked at in the pictures: a layer, and an image. */
  function see(next) {
    Object.assign(chosen, next);
    write();
    page.showPictures();
    page.showRun(); // its links lead to the same image
  }
  function select(id) {
    if (id === chosen.run) return;
    history.pushState(null, "", location.hash); // the way back is to the run before
    choose({ run: id, compare: chosen.compare.filter((other) => other !== id) });
    page.showList();
    page.showRun();
    refresh();
  }
  function compare(id, ticked) {
    const others = chosen.compare.filter((other) => other !== id);
    choose({ run: chosen.run, compare: ticked && id !== chosen.run ? [...others, id] : others });
    page.showList();
    refresh();
  }
  function read() {
    const query = new URLSearchParams(location.hash.slice(1));
    Object.assign(chosen, { run: query.get("run"), compare: (query.get("compare") || "").split(",").filter(Boolean) });
    for (const name of SEEN) chosen[name] = query.get(name);
    curvesKey = null;
  }
  window.addEventListener("hashchange", () => { page.forgetPictures(); read(); refresh(); });

  /* Gives the sentence that says why something could not be done. */
  async function act(id, action, sent) {
    try {
      const told = await post("runs/" + encodeURIComponent(id) + "/" + action, sent || {});
      refresh();
      return told.fault;
    } catch (error) {
      return "The server does not answer; try again.";
    }
  }

  clientside.trainStarted = function (id) {
    if (!id) return;
    choose({ run: id, compare: [] });
    refresh();
    if (window.innerWidth <= 900) find(".runs").scrollIntoView({ behavior: "smooth" });
  };
  clientside.trainOwnData = (source) => source !== "own";
  clientside.trainOwnWeights = (begin) => begin !== "file";
  clientside.trainPreset = function (filled, ...values) {
    const names = ["validation", "epochs", "batch", "optimiser", "rate", "schedule", "augmentation", "dropout", "weight-decay", "momentum", "beta2", "label-smoothing"];
    const number = (value) => (typeof value === "string" && value.trim() ? Number(value.replace(",", ".")) : NaN);
    const same = (given, wanted) => given === wanted || (!given && !wanted) || number(given) === number(wanted);
    const holds = (recipe) => names.every((name, i) => same(values[i], recipe[name]));
    return Object.values(filled.recipes).map((recipe) => "text-button preset" + (holds(recipe) ? " is-filled" : ""));
  };

  window.addEventListener("click", (event) => { if (event.target.closest && event.target.closest(".skip-link")) find(".runs").focus(); });
  window.addEventListener("DOMContentLoaded", function begin() {
    if (!find(".train-page") || !window.dash_clientside.set_props) return void setTimeout(begin, 20);
    if (!find(".run-list")) return; // nothing can be trained here
    read();
    refresh();
  });
})();
