/* Time travel on the page one draws on: a step is another subject, and what every snapshot answers to the drawing stands
 * above the slider.
 */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const nothing = () => window.dash_clientside.no_update;
  const PEN_RESTS = 350, LOOK = 150, RETRY = 5000;
  const NOTABLE = 0.2; // probability from which on a class gets a colour and its name
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00", "#7b61c9", "#a0522d", "#7f8c9b"];
  let subject = null, edits = [], expected = null, seen = 0, line = null;

  const network = (model) => scope.training.network(model);
  scope.snapshots = {
    /* What stands in a picker of models names no snapshot: the one that is looked at stays while its run does. */
    kept: (model, current) => (current && model && network(current) === model ? current : model),
    isStep: (before, now) => !!before && before.backend === now.backend && !!scope.training.run(now.model) && network(before.model) === network(now.model),
    get index() { return line.index; },
    get going() { return !!line && line.going; },
    get moving() { return !!line && line.moving; },
  };
  clientside.collectNetwork = function (now, before) {
    return now && network(now.model) !== before ? network(now.model) : nothing();
  };
  clientside.followTraining = function (now, changes) {
    if (!now) return;
    subject = now;
    if (expected === now.model) { expected = null; seen = scope.live.painted; }
    edits = changes || [];
    line = line || begin();
    if (scope.training.run(now.model) !== line.run) asked = null;
    line.follow(scope.training.run(now.model));
    line.show();
  };
  function begin() {
    return scope.timeline({
      at: () => scope.training.snapshot(subject.model),
      go({ name }, newest) {
        expected = "run:" + line.run + (newest ? "" : "@" + name);
        window.dash_clientside.set_props("subject", { data: { ...subject, model: expected } });
      },
      painted: () => expected === null && scope.live.painted > seen,
      slow: () => scope.loading.begins(),
      // Who stands at the newest moment goes along with the training; a stroke under way does so by itself.
      grown: (before) => { if (before && !scope.training.snapshot(subject.model) && !scope.ink.drawing && !scope.ink.busy) scope.ink.again(); },
      curves: "The probability of each class for this drawing; click to go there",
    });
  }

  /* Prediction curves: what every snapshot answers to the drawing. Asked once the pen rests. */
  let asked = null, published = null, since = 0;
  setInterval(() => {
    const { ink } = scope, now = performance.now();
    if (!line || !line.shown || document.hidden || !ink.published) return;
    if (ink.published !== published || ink.drawing || ink.busy || line.going) { published = ink.published; since = now; }
    if (now - since < PEN_RESTS) return;
    const question = { model: network(subject.model), backend: subject.backend, off: subject.off, edits, ink: published.ink, sample: published.sample, image: published.image };
    const key = JSON.stringify([question, line.moments.map((each) => each.name)]);
    if (key !== asked) ask(question, (asked = key));
  }, LOOK);
  async function ask(question, key) {
    let told = null;
    try { told = await scope.page.post("snapshots/curves", question); } catch (error) { setTimeout(() => { if (asked === key) asked = null; }, RETRY); }
    if (asked === key && told) show(told);
  }
  function show({ fault, classes, probabilities: found }) {
    if (!found) return void line.draw([], fault || "Draw a digit: its answer at every moment appears here.");
    line.draw(classes.map((name, i) => {
      const values = found.map((each) => each && each[i]), notable = values.some((value) => value >= NOTABLE);
      return { name, values, colour: notable && COLOURS[i % COLOURS.length], labels: notable ? [{ index: highest(values), words: name }] : [] };
    }));
  }
  /* A class's name stands where it is highest for the last time. */
  const highest = (values) => values.reduce((best, value, k) => (value !== null && value >= (values[best] ?? -1) - 0.02 ? k : best), 0);
})();
