/* Time travel: the snapshots of a training as a time line that moves the whole page through it.
 *
 * The page looks at one snapshot because its subject's model is `run:ID@SNAPSHOT`; `run:ID` is the newest, also while
 * there come newer ones. So a step is nothing but another subject. The next one is made only when the answer to the one
 * before has been painted: nothing queues up, and the moment that was wished last wins.
 */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const nothing = () => window.dash_clientside.no_update;
  const GROWING = 2000, RESTING = 20000, OVERDUE = 5000, SLOW = 400, PEN_RESTS = 350, LOOK = 150;
  const PACES = { Slow: 1000, Steady: 400, Fast: 0 };
  const RUN = /^run:([^@]+)(?:@(.+))?$/;
  const NOTABLE = 0.2; // probability from which on a class gets a colour and its name
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00", "#7b61c9", "#a0522d", "#7f8c9b"];

  let subject = null, edits = [], run = null, line = null, asking = null, place = null;
  let wish = null, going = false, playing = false, begun = 0, expected = null, seen = 0;

  const runOf = (model) => (RUN.exec(model || "") || [])[1] || null;
  const network = (model) => (runOf(model) ? "run:" + runOf(model) : model);
  const moments = () => (line ? line.moments : []);
  const last = () => moments().length - 1;

  scope.snapshots = {
    /* What stands in the picker of models names no snapshot: the one that is looked at stays while its run does. */
    kept: (model, current) => (current && runOf(model) && network(current.model) === model ? current.model : model),
    isStep: (before, now) => !!before && before.backend === now.backend && !!runOf(now.model) && network(before.model) === network(now.model),
    get index() { return wish === null ? at() : wish; },
    get going() { return going; },
    get moving() { return going || playing; },
    goto, play,
  };
  clientside.collectNetwork = function (now, before) {
    return now && network(now.model) !== before ? network(now.model) : nothing();
  };
  clientside.followTraining = function (now, changes) {
    if (!now) return;
    subject = now;
    if (expected === now.model) { expected = null; seen = scope.live.painted; }
    edits = changes || [];
    if (runOf(now.model) !== run) begin(runOf(now.model));
    show();
  };

  /* Which snapshots there are: asked again while the run goes on. */
  function begin(id) {
    run = id;
    line = wish = null;
    stop();
    forgetCurves();
    if (run) look();
  }
  async function look() {
    clearTimeout(asking);
    const id = run;
    let told;
    if (!document.hidden) try { told = await (await fetch("snapshots/" + encodeURIComponent(id))).json(); } catch (error) { /* asked again below */ }
    if (id !== run) return;
    asking = setTimeout(look, line && !line.active ? RESTING : GROWING);
    if (told === undefined) return;
    const before = moments().length, newest = !RUN.exec(subject.model)[2];
    line = told;
    // Who stands at the newest moment goes along with the training; a stroke under way does so by itself.
    if (before && last() >= before && newest && !scope.ink.drawing && !scope.ink.busy) scope.ink.again();
    show();
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && run) look(); });

  function at() {
    const name = RUN.exec(subject.model)[2], found = moments().findIndex((each) => each.name === name);
    return found < 0 ? last() : found;
  }

  /* Steps */
  function goto(index) {
    if (!moments().length) return;
    wish = Math.max(0, Math.min(last(), index));
    show();
    advance();
  }
  function advance() {
    if (going || wish === null) return;
    const model = "run:" + run + (wish === last() ? "" : "@" + moments()[wish].name);
    if (wish === at()) { wish = null; return; }
    going = true;
    begun = performance.now();
    expected = model;
    window.dash_clientside.set_props("subject", { data: { ...subject, model } });
    requestAnimationFrame(wait);
  }
  /* Until the answer to it has been painted: the second frame after that. Opening a network anew takes its time. */
  function wait() {
    const passed = performance.now() - begun;
    if ((expected === null && scope.live.painted > seen) || passed > OVERDUE) return requestAnimationFrame(stepped);
    if (passed > SLOW && !document.body.classList.contains("is-loading")) scope.loading.begins();
    requestAnimationFrame(wait);
  }
  function stepped() {
    going = false;
    if (wish !== null && wish === at()) wish = null;
    if (wish !== null) advance();
    else if (playing) next();
  }

  /* Playing: one step after the other, no quicker than they are painted. */
  let timer = null;
  function play() {
    if (playing) return stop();
    playing = true;
    show();
    if (scope.snapshots.index === last()) goto(0);
    else if (!going) next(true);
  }
  function stop() {
    playing = false;
    clearTimeout(timer);
    show();
  }
  function next(now) {
    clearTimeout(timer);
    const pace = PACES[place.pace.value];
    timer = setTimeout(() => {
      if (!playing) return;
      if (at() < last()) goto(at() + 1);
      else if (line && line.active) next();
      else stop();
    }, now ? 0 : Math.max(line && line.active && at() === last() ? pace || SLOW : 0, begun + pace - performance.now()));
  }

  /* The time line on the page */
  function make(tag, properties, ...children) {
    const { aria, ...rest } = properties, made = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(aria || {})) made.setAttribute("aria-" + name, value);
    made.append(...children);
    return made;
  }
  function button(label, icon, onclick) {
    return make("button", { className: "tool-button icon icon-" + icon, title: label, type: "button", onclick, aria: { label } });
  }
  function build(section) {
    const plot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    plot.setAttribute("preserveAspectRatio", "none");
    place = {
      section, plot,
      play: button("Play", "play", play),
      pace: make("select", { title: "How fast it plays", aria: { label: "How fast it plays" } }, ...Object.keys(PACES).map((name) => make("option", { value: name }, name))),
      curves: make("div", { className: "time-curves", title: "The probability of each class for this drawing; click to go there" }),
      names: make("div", { className: "time-names", aria: { hidden: "true" } }),
      mark: make("div", { className: "time-mark" }),
      hint: make("div", { className: "time-hint" }),
      slider: make("input", { type: "range", min: 0, step: 1, aria: { label: "Moment of the training" } }),
      ticks: make("div", { className: "time-ticks", aria: { hidden: "true" } }),
      title: make("strong", {}), words: make("span", {}),
    };
    place.pace.value = "Steady";
    place.slider.addEventListener("input", () => leapt(Number(place.slider.value)));
    place.curves.append(plot, place.names, place.mark, place.hint);
    place.curves.addEventListener("pointerdown", (event) => { place.curves.setPointerCapture(event.pointerId); pointed(event); });
    place.curves.addEventListener("pointermove", (event) => { if (event.buttons) pointed(event); });
    const tools = make("div", { className: "time-tools" },
      button("One snapshot back (←)", "back", () => by(-1)), place.play, button("One snapshot on (→)", "forward", () => by(1)), place.pace);
    const told = make("div", { className: "time-words" }, place.title, place.words);
    section.append(tools, make("div", { className: "time-track" }, place.curves, place.slider, place.ticks), told);
    new ResizeObserver(() => {
      document.documentElement.style.setProperty("--time-line", section.offsetHeight + "px");
      showTicks();
    }).observe(section);
  }
  /* Whoever moves by hand wants to look: playing ends. */
  function leapt(index) { stop(); goto(index); }
  function by(steps) { leapt(scope.snapshots.index + steps); }
  function pointed(event) {
    const box = place.plot.getBoundingClientRect();
    leapt(Math.round((last() * (event.clientX - box.left)) / box.width));
  }
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const share = (index) => (last() ? index / last() : 0);
  function show() {
    const section = document.getElementById("time-line"), there = last() > 0;
    if (!section || (!there && !place)) return;
    if (!place) build(section);
    section.hidden = !there;
    document.body.classList.toggle("has-time-line", there);
    if (!there) return;
    const index = scope.snapshots.index, now = moments()[index];
    place.slider.max = last();
    place.slider.value = index;
    place.slider.style.setProperty("--done", "calc(8px + (100% - 16px) * " + share(index) + ")");
    place.slider.setAttribute("aria-valuetext", now.title + ". " + now.words);
    set(place.title, now.title[0].toUpperCase() + now.title.slice(1));
    set(place.words, now.words);
    place.mark.style.left = 100 * share(index) + "%";
    const label = playing ? "Pause" : "Play";
    place.play.classList.toggle("icon-pause", playing);
    place.play.classList.toggle("icon-play", !playing);
    place.play.title = label;
    place.play.setAttribute("aria-label", label);
    showTicks();
  }
  /* As many numbers of epochs as there is room for: always the ends. */
  let ticked = "";
  function showTicks() {
    const state = [place.ticks.clientWidth, ...moments().map((each) => each.tick)].join();
    if (state === ticked) return;
    ticked = state;
    const room = 22 / Math.max(1, place.ticks.clientWidth), taken = [];
    const order = [0, last(), ...moments().keys()];
    for (const index of order) if (taken.every((other) => other === index || Math.abs(share(other) - share(index)) >= room) && !taken.includes(index)) taken.push(index);
    place.ticks.replaceChildren(...moments().map((each, index) => {
      const tick = make("span", { className: taken.includes(index) ? "" : "is-short" }, taken.includes(index) ? each.tick : "");
      tick.style.left = 100 * share(index) + "%";
      return tick;
    }));
  }

  /* Prediction curves: what every snapshot answers to the drawing. Asked once the pen rests. */
  let asked = null, published = null, since = 0, curves = null;
  function forgetCurves() { asked = curves = null; if (place) showCurves(); }
  setInterval(() => {
    const { ink } = scope, now = performance.now();
    if (!place || place.section.hidden || document.hidden || !ink.published) return;
    if (ink.published !== published || ink.drawing || ink.busy || going) { published = ink.published; since = now; }
    if (now - since < PEN_RESTS) return;
    const question = { model: network(subject.model), backend: subject.backend, off: subject.off, edits, ink: published.ink, sample: published.sample, image: published.image };
    const key = JSON.stringify([question, moments().map((each) => each.name)]);
    if (key !== asked) ask(question, (asked = key));
  }, LOOK);
  async function ask(question, key) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
    let told = null;
    try { told = await (await fetch("snapshots/curves", options)).json(); } catch (error) { setTimeout(() => { if (asked === key) asked = null; }, OVERDUE); }
    if (asked !== key) return;
    curves = told;
    showCurves();
  }
  function showCurves() {
    const { plot, names, hint } = place, found = curves && curves.probabilities;
    set(hint, !curves ? "" : curves.fault || (found ? "" : "Draw a digit: its answer at every moment appears here."));
    plot.replaceChildren();
    names.replaceChildren();
    if (!found || found.length < 2) return;
    const end = found.length - 1;
    plot.setAttribute("viewBox", "0 -4 " + end + " 108");
    const notable = curves.classes.map((_, i) => found.some((each) => each && each[i] >= NOTABLE));
    const drawn = curves.classes.map((name, i) => ({ name, i, values: found.map((each) => each && each[i]) }));
    for (const each of [...drawn].sort((one, other) => notable[one.i] - notable[other.i])) plot.append(curve(each, notable[each.i]));
    const box = place.curves.getBoundingClientRect(), placed = [];
    for (const each of drawn.filter(({ i }) => notable[i]).map((each) => ({ ...each, ...highest(each.values, end) })).sort((one, other) => one.y - other.y)) {
      if (placed.some((other) => Math.abs(other.x - each.x) * box.width < 15 && Math.abs(other.y - each.y) * box.height < 13)) continue;
      placed.push(each);
      names.append(nameOf(each));
    }
  }
  /* A snapshot that cannot be read leaves a gap. */
  function curve({ name, i, values }, notable) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const steps = values.map((value, k) => (value === null ? "" : (k && values[k - 1] !== null ? "L" : "M") + k + " " + (100 - 100 * value)));
    path.setAttribute("d", steps.join(""));
    path.setAttribute("vector-effect", "non-scaling-stroke");
    path.dataset.class = name;
    if (notable) path.style.stroke = COLOURS[i % COLOURS.length];
    path.classList.toggle("is-notable", notable);
    return path;
  }
  /* A class's name stands where it is highest for the last time; of two that would cover one another, the higher. */
  function highest(values, end) {
    const top = values.reduce((best, value, k) => (value !== null && value >= (values[best] ?? -1) - 0.02 ? k : best), 0);
    return { x: top / end, y: 1 - values[top] };
  }
  function nameOf({ name, i, x, y }) {
    const label = make("span", {}, name);
    label.style.left = 100 * x + "%";
    label.style.top = 100 * y + "%";
    label.style.color = COLOURS[i % COLOURS.length];
    return label;
  }

  window.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !place || place.section.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [role=slider], [role=option], [role=listbox]")) return;
    event.preventDefault();
    by(step);
  });
})();
