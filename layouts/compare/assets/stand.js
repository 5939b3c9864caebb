/* How all networks stand a disturbance: one chart for each, a curve for each column, measured by the server's sweeps.
 *
 * The page that is for nothing else asks for the very same ones: what one of them has measured, the other has at once.
 */
(function () {
  "use strict";
  const COUNT = 1000, RUNNING = 250, AFTER_FAULT = 3000, EVERY = "all";
  const scope = window.layerscope, page = scope.compare, { state, find, make } = page;
  const charts = new Map(), viewer = sessionStorage.getItem("layerscope-viewer") || crypto.getRandomValues(new Uint32Array(3)).join("");
  sessionStorage.setItem("layerscope-viewer", viewer);
  let facts = null, told = null, timer = null, asked = 0, shownOf = "";

  const key = ({ backend, model }) => backend + ":" + model;
  const wanted = () => page.config().disturbances.filter(({ name }) => state.stand === EVERY || name === state.stand);
  const going = () => !!told?.job && ["waiting", "running"].includes(told.job.status);
  const sent = () => ({ viewer, data: facts.id, networks: state.subjects.map(key), disturbances: wanted().map(({ name }) => name), count: COUNT });
  const address = (more) => "../robustness/#" + new URLSearchParams([...state.subjects.map((each) => ["with", key(each)]), ["data", page.config().samples], ["disturbances", wanted().map(({ name }) => name).join()], ...Object.entries(more || {})]);

  /* The latest question counts; while something is measured it is asked again and again. */
  async function ask(what) {
    const mine = (asked += 1);
    clearTimeout(timer);
    try {
      if (!facts) {
        const found = await scope.page.openData("../data/open", { data: page.config().samples }, (opening) => words(scope.page.openingWords(opening)));
        if (!found) return;
        if (found.fault) return words(found.fault);
        facts = found;
      }
      const found = await scope.page.post("../robustness/" + what, sent());
      if (mine !== asked) return;
      if (found.gone) { facts = null; return void ask(what); }
      if (found.fault) return words(found.fault);
      told = found;
      if (going()) timer = setTimeout(ask, RUNNING, "state");
    } catch (error) {
      words("The server does not answer; this page tries again.");
      timer = setTimeout(ask, AFTER_FAULT, "state");
      return;
    }
    show();
  }

  function show() {
    const all = wanted(), place = find(".compare-stand .charts"), columns = page.answer?.columns || [];
    const styles = Object.fromEntries(state.subjects.map((each, at) => [key(each), { ...scope.chart.look(at), title: columns[at]?.name || each.model }]));
    for (const [name, chart] of charts) if (!all.some((each) => each.name === name)) { chart.whole.remove(); charts.delete(name); }
    for (const disturbance of all) {
      if (!charts.has(disturbance.name)) charts.set(disturbance.name, scope.chart(disturbance, (network, strength) => { location.href = address({ at: network, by: disturbance.name, strength }); }));
      const chart = charts.get(disturbance.name), curves = (told?.networks || []).map((each) => [each.network, each.curves[disturbance.name] || []]);
      place.append(chart.whole);
      chart.show({ curves: Object.fromEntries(curves), styles, chosen: null, words: told?.words[disturbance.name] });
      chart.picture(facts ? "../robustness/strip/" + facts.id + "/" + disturbance.name + "/0.png" : "");
    }
    place.classList.toggle("is-single", all.length === 1);
    scope.chart.legend(find(".compare-stand .legend-line"), styles);
    find(".worst-link").href = address();
    const button = find("[data-action='stand']"), bar = find(".sweep-progress"), share = told?.share || 0, faults = (told?.networks || []).filter((each) => each.fault);
    button.textContent = going() ? "Stop" : faults.length ? "Measure again" : share >= 1 ? "Measured" : share > 0 ? "Go on measuring" : "Measure";
    button.disabled = !going() && !faults.length && share >= 1;
    bar.hidden = !going();
    bar.setAttribute("aria-valuenow", Math.round(100 * share));
    bar.firstChild.style.transform = "scaleX(" + share + ")";
    const left = going() && told.job.left ? ", about " + Math.ceil(told.job.left) + " s left" : "";
    words([
      going() ? (told.job.status === "waiting" ? "Waits until another sweep is done." : Math.floor(100 * share) + " %" + left) : told?.job?.message || (share > 0 && share < 1 ? "Stopped at " + Math.floor(100 * share) + " %; what was measured stays." : ""),
      ...faults.map((each) => styles[each.network].title + ": " + each.fault),
    ].filter(Boolean).join(" "));
  }
  function words(sentence) {
    const place = find(".stand-words");
    if (place.textContent !== sentence) place.textContent = sentence;
  }

  page.actions.stand = () => ask(going() ? "stop" : "start");
  /* After an answer, where it tells of other networks than the last one did. */
  page.showStand = function (answer) {
    const of = JSON.stringify([state.stand, answer.columns.map((column) => [key(column), column.title])]);
    if (of === shownOf) return;
    shownOf = of;
    told = null;
    show();
    ask("state");
  };
  page.showStandChoice = function () {
    const choice = find(".stand-choice"), options = [...page.config().disturbances.map(({ name, title }) => ({ value: name, label: title })), { value: EVERY, label: "All of them" }];
    if (!choice.options.length) choice.append(...options.map(({ value, label }) => new Option(label, value)));
    if (!options.some(({ value }) => value === state.stand)) state.stand = options[0].value;
    choice.value = state.stand;
  };
  window.addEventListener("change", (event) => {
    if (!event.target.matches(".stand-choice")) return;
    state.stand = event.target.value;
    page.changed();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && facts) ask("state"); });
})();
