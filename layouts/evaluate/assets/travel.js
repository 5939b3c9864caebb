/* Time travel on the page that evaluates: a step is another snapshot in the address. What is shown stays until there are
 * other numbers, and the accuracy of every snapshot that has been evaluated stands above the slider.
 */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), { post } = scope.page;
  const { run, network, snapshot } = scope.training;
  const COLOUR = "#0072b2", FEWEST = 1e-4, LATER = 200;
  let shown = null, whole = true, of = "", known = {}, timer = null;

  const subject = () => { const { model, backend, data } = page.place(); return { model, backend, data }; };
  const line = (page.line = scope.timeline({
    base: "../",
    at: () => snapshot(page.place().model),
    go({ name }, newest) {
      const left = subject();
      if (!whole) post("state", { ...left, leave: true }).catch(() => {});
      shown = null;
      history.replaceState(history.state, "", page.link({ model: network(left.model) + (newest ? "" : "@" + name), layer: null }));
      page.show();
    },
    painted: () => shown === page.place().model && !page.undrawn.size,
    whole: () => whole,
    grown(before) {
      if (before && !snapshot(page.place().model)) page.begin(subject(), true);
      draw();
    },
    curves: "How often each moment that was evaluated is right about these images: every step up leaves fewer mistakes; click to go there",
  }));
  page.travel = function (place) {
    line.follow(run(place.model));
    line.show();
  };
  /* How the evaluation stands: whether there is something to see of it, and whether that is all. */
  page.travelled = function ({ model }, seen, over) {
    if (seen) shown = model;
    whole = over;
    clearTimeout(timer);
    if (over && line.run) timer = setTimeout(ask, LATER);
    draw();
  };
  async function ask() {
    const sent = subject(), key = JSON.stringify({ ...sent, model: network(sent.model) });
    try { known = await post("accuracies", sent); } catch (error) { return; }
    of = key;
    draw();
  }

  /* Errors are drawn in orders of magnitude: from 98 % to 99 % is as far as from 80 % to 90 %. */
  function draw() {
    if (!line.shown) return;
    const sent = subject(), here = of === JSON.stringify({ ...sent, model: network(sent.model) }) ? known : {};
    const shares = line.moments.map(({ name }) => here[name] ?? null), errors = shares.map((share) => (share === null ? null : -Math.log(Math.max(FEWEST, 1 - share))));
    const there = errors.filter((each) => each !== null), low = Math.min(...there), high = Math.max(...there);
    if (!there.length) return void line.draw([], "The accuracy of every moment that you go to appears here.");
    const values = errors.map((each) => (each === null ? null : high > low ? (each - low) / (high - low) : 0.5));
    const labels = [...new Set([line.index, errors.indexOf(high)])].filter((index) => shares[index] !== null).map((index) => ({ index, words: page.percent(shares[index]) }));
    line.draw([{ name: "accuracy", values, colour: COLOUR, labels }]);
  }
})();
