/* The time line of a training: its snapshots as a slider with a player, at the foot of the window of every page that
 * can look at a snapshot.
 *
 * `run:ID@SNAPSHOT` is a snapshot, `run:ID` the newest one, also while there come newer ones. A page says at which it
 * looks and how it goes to another. The next step is made only when the one before has been painted: nothing queues up,
 * and the moment that was wished last wins.
 */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), make = scope.element;
  const GROWING = 2000, RESTING = 20000, OVERDUE = 5000, SLOW = 400, UNFINISHED = 100;
  const PACES = { Slow: 1000, Steady: 400, Fast: 0 };
  const RUN = /^run:([^@]+)(?:@(.+))?$/;

  const runOf = (model) => (RUN.exec(model || "") || [])[1] || null;
  scope.training = {
    run: runOf,
    /* What a model has in common with all snapshots of its training. */
    network: (model) => (runOf(model) ? "run:" + runOf(model) : model),
    /* The snapshot's name, null for the newest. */
    snapshot: (model) => (RUN.exec(model || "") || [])[2] || null,
    moments: async (id, base) => (await fetch((base || "") + "snapshots/" + encodeURIComponent(id))).json(),
  };

  const button = (label, icon, onclick) => make("button", { className: "tool-button icon icon-" + icon, title: label, type: "button", onclick, "aria-label": label });
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  /* What a page gives:
   *   base       way to the server's root, "../" on a page below it
   *   at()       name of the snapshot that is looked at, null for the newest
   *   go(moment, newest)  begins to look at another
   *   painted()  whether that has been painted
   *   whole()    whether all of it has; playing waits for that
   *   slow()     called when a step takes long
   *   grown(before)    called when there are more moments than before, first when there were none
   *   curves     what is said about the curves above the slider; without it there are none
   */
  scope.timeline = function ({ base = "", at, go, painted, whole = () => true, slow = () => {}, grown = () => {}, curves = "" }) {
    let run = null, told = null, asking = null, place = null, timer = null;
    let wish = null, going = false, playing = false, begun = 0, late = false;
    const moments = () => (told ? told.moments : []), last = () => moments().length - 1;
    const share = (index) => (last() ? index / last() : 0);
    const line = {
      follow, show, goto, play, draw,
      get run() { return run; },
      get moments() { return moments(); },
      get index() { return wish === null ? here() : wish; },
      get going() { return going; },
      get moving() { return going || playing; },
      get shown() { return !!place && !place.section.hidden; },
    };

    /* Which snapshots there are: asked again while the run goes on. */
    function follow(id) {
      if (id === run) return;
      run = id;
      told = wish = null;
      stop();
      draw([]);
      clearTimeout(asking);
      if (run) look();
    }
    async function look() {
      clearTimeout(asking);
      const id = run;
      let found;
      if (!document.hidden) try { found = await scope.training.moments(id, base); } catch (error) { /* asked again below */ }
      if (id !== run) return;
      asking = setTimeout(look, told && !told.active ? RESTING : GROWING);
      if (found === undefined) return;
      const before = moments().length;
      told = found;
      show();
      if (moments().length > before) grown(before);
    }
    document.addEventListener("visibilitychange", () => { if (!document.hidden && run) look(); });

    function here() {
      const name = at(), found = moments().findIndex((each) => each.name === name);
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
      if (wish === here()) { wish = null; return; }
      going = true;
      late = false;
      begun = performance.now();
      go(moments()[wish], wish === last());
      requestAnimationFrame(wait);
    }
    /* Until it has been painted: the second frame after that. Opening a network anew takes its time. */
    function wait() {
      const passed = performance.now() - begun;
      if (painted() || passed > OVERDUE) return requestAnimationFrame(stepped);
      if (passed > SLOW && !late) { late = true; slow(); }
      requestAnimationFrame(wait);
    }
    function stepped() {
      going = false;
      if (wish !== null && wish === here()) wish = null;
      if (wish !== null) advance();
      else if (playing) next();
    }

    /* Playing: one step after the other, no quicker than they are painted. */
    function play() {
      if (playing) return stop();
      playing = true;
      show();
      if (line.index === last()) goto(0);
      else if (!going) next(true);
    }
    function stop() {
      playing = false;
      clearTimeout(timer);
      show();
    }
    function next(now) {
      clearTimeout(timer);
      const pace = PACES[place.pace.value], resting = told && told.active && here() === last();
      timer = setTimeout(() => {
        if (!playing) return;
        if (!whole()) timer = setTimeout(next, UNFINISHED, true);
        else if (here() < last()) goto(here() + 1);
        else if (told && told.active) next();
        else stop();
      }, now ? 0 : Math.max(resting ? pace || SLOW : 0, begun + pace - performance.now()));
    }
    /* Whoever moves by hand wants to look: playing ends. */
    function leapt(index) { stop(); goto(index); }
    const by = (steps) => leapt(line.index + steps);
    window.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !line.shown || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.defaultPrevented || event.target.closest("input, textarea, select, [contenteditable], [role=slider], [role=option], [role=listbox]")) return;
      event.preventDefault();
      by(step);
    });

    /* How it looks */
    function build() {
      const plot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      plot.setAttribute("preserveAspectRatio", "none");
      place = {
        plot,
        play: button("Play", "play", play),
        pace: make("select", { title: "How fast it plays", "aria-label": "How fast it plays" }, ...Object.keys(PACES).map((name) => make("option", { value: name }, name))),
        curves: make("div", { className: "time-curves", title: curves, hidden: !curves }),
        names: make("div", { className: "time-names", "aria-hidden": "true" }),
        mark: make("div", { className: "time-mark" }),
        hint: make("div", { className: "time-hint" }),
        slider: make("input", { type: "range", min: 0, step: 1, "aria-label": "Moment of the training" }),
        ticks: make("div", { className: "time-ticks", "aria-hidden": "true" }),
        title: make("strong", {}), words: make("span", {}),
      };
      place.pace.value = "Steady";
      place.slider.addEventListener("input", () => leapt(Number(place.slider.value)));
      place.curves.append(plot, place.names, place.mark, place.hint);
      place.curves.addEventListener("pointerdown", (event) => { place.curves.setPointerCapture(event.pointerId); pointed(event); });
      place.curves.addEventListener("pointermove", (event) => { if (event.buttons) pointed(event); });
      const tools = make("div", { className: "time-tools" },
        button("One snapshot back (←)", "back", () => by(-1)), place.play, button("One snapshot on (→)", "forward", () => by(1)), place.pace);
      place.section = make("section", { className: "time-line", "aria-label": "Time line of the training" },
        tools, make("div", { className: "time-track" }, place.curves, place.slider, place.ticks), make("div", { className: "time-words" }, place.title, place.words));
      document.body.append(place.section);
      new ResizeObserver(() => {
        document.documentElement.style.setProperty("--time-line", place.section.offsetHeight + "px");
        showTicks();
      }).observe(place.section);
    }
    function pointed(event) {
      const box = place.plot.getBoundingClientRect();
      leapt(Math.round((last() * (event.clientX - box.left)) / box.width));
    }
    function show() {
      const there = last() > 0;
      if (!there && !place) return;
      if (!place) build();
      place.section.hidden = !there;
      document.body.classList.toggle("has-time-line", there);
      if (!there) return;
      const index = line.index, now = moments()[index], label = playing ? "Pause" : "Play";
      place.slider.max = last();
      place.slider.value = index;
      place.slider.style.setProperty("--done", "calc(8px + (100% - 16px) * " + share(index) + ")");
      place.slider.setAttribute("aria-valuetext", now.title + ". " + now.words);
      set(place.title, now.title[0].toUpperCase() + now.title.slice(1));
      set(place.words, now.words);
      place.mark.style.left = 100 * share(index) + "%";
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

    /* Curves over the moments: each with `values` from 0 to 1, null where there is none, a `name`, a `colour` where it
     * is notable, and `labels`, each the place of a moment and words. Of two words that would cover one another stays
     * the higher. */
    function draw(drawn, hint = "") {
      if (!place) return;
      set(place.hint, hint);
      place.plot.replaceChildren();
      place.names.replaceChildren();
      if (last() < 1) return;
      place.plot.setAttribute("viewBox", "0 -4 " + last() + " 108");
      for (const each of [...drawn].sort((one, other) => !!one.colour - !!other.colour)) place.plot.append(path(each));
      const box = place.curves.getBoundingClientRect(), placed = [];
      const labels = drawn.flatMap((each) => (each.labels || []).map(({ index, words }) => ({ words, colour: each.colour, x: share(index), y: 1 - each.values[index] })));
      for (const each of labels.sort((one, other) => one.y - other.y)) {
        if (placed.some((other) => Math.abs(other.x - each.x) * box.width < Math.max(15, 3.5 * (each.words.length + other.words.length)) && Math.abs(other.y - each.y) * box.height < 13)) continue;
        placed.push(each);
        const label = make("span", {}, each.words);
        Object.assign(label.style, { left: 100 * each.x + "%", top: 100 * each.y + "%", color: each.colour });
        place.names.append(label);
      }
    }
    /* A moment without a value leaves a gap; one between two gaps is a dot. */
    function path({ name, values, colour }) {
      const made = document.createElementNS("http://www.w3.org/2000/svg", "path"), there = (k) => (values[k] ?? null) !== null;
      const steps = values.map((value, k) => {
        if (!there(k)) return "";
        const place = k + " " + (100 - 100 * value);
        return (there(k - 1) ? "L" : "M") + place + (there(k - 1) || there(k + 1) ? "" : "h0");
      });
      made.setAttribute("d", steps.join(""));
      made.setAttribute("vector-effect", "non-scaling-stroke");
      made.dataset.class = name;
      if (colour) made.style.stroke = colour;
      made.classList.toggle("is-notable", !!colour);
      return made;
    }
    return line;
  };
})();
