/* What is selected for all panels, units that are muted, and views that run when they are asked to. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const nothing = () => window.dash_clientside.no_update;
  const set = (id, props) => dash_clientside.set_props(id, props);
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  /* Selection: the pickers show what the server says is selected, and a change of one of them becomes a selection. */
  let shown = null, model = {};
  scope.selection = {
    show({ selected, subject, edited }) {
      model = subject;
      scope.edits.known(subject.edits, edited);
      const state = JSON.stringify([selected, subject.layers, subject.classes]);
      if (state === shown) return;
      shown = state;
      set("selected-layer", { data: subject.layers, value: selected.layer });
      set("selected-unit", { value: selected.unit ?? "" });
      set("selected-position", { value: selected.position ? selected.position.join(", ") : "" });
      set("selected-target", { data: subject.classes.map((label, i) => ({ value: String(i), label })), value: selected.target == null ? null : String(selected.target) });
    },
    /* A click on what is selected already lets go of unit and position. */
    clicked({ layer, unit, position }) {
      const now = scope.selected || {}, last = model.layers && model.layers[model.layers.length - 1] === layer;
      const again = now.layer === layer && now.unit === unit && same(now.position || null, position);
      const target = last && unit != null ? (again ? null : unit) : now.target ?? null;
      set("selection", { data: { layer, unit: again ? null : unit, position: again ? null : position, target } });
    },
    choose(change) { set("selection", { data: { ...scope.selected, ...change, ...(change.layer ? { unit: null, position: null } : {}) } }); },
  };
  clientside.collectSelection = function (layer, unit, position, target) {
    const now = scope.selected;
    if (!now || !layer) return nothing();
    const place = /^\s*(\d+)\D+(\d+)\s*$/.exec(position || ""), here = layer === now.layer;
    const wanted = {
      layer,
      unit: here && Number.isInteger(unit) ? unit : null,
      position: here && place ? [Number(place[1]), Number(place[2])] : null,
      target: target == null || target === "" ? null : Number(target),
    };
    return same(wanted, now) ? nothing() : wanted;
  };
  window.addEventListener("click", (event) => {
    const bar = event.target.closest && event.target.closest(".answer .bar");
    if (!bar || !scope.selected) return;
    const index = [...bar.parentElement.children].indexOf(bar);
    scope.selection.choose({ target: scope.selected.target === index ? null : index });
  });

  /* What stands beside: a second image, a second model, a training run. Their pickers show where a panel needs them, or
   * where they are set, so that the row stays calm. */
  const LOOK_AGAIN = 2000;
  let beside = {}, offers = {}, waiting = null, looking = null;
  scope.beside = {
    show(now, panels) {
      beside = now;
      const needed = panels ? panels.panels.flatMap((panel) => (panels.needs || {})[panel.visualizer] || []) : [];
      const isSet = { second_image: !!now.image, second_model: !!now.model, run: !!now.run };
      for (const picker of document.querySelectorAll(".picker"))
        picker.classList.toggle("is-wanted", isSet[picker.dataset.need] || needed.includes(picker.dataset.need));
      const clear = document.getElementById("clear-second");
      if (clear) clear.hidden = !now.image;
    },
    /* What an answer says of them; a second model that is still being opened is asked for again when it is there. */
    told({ beside: told, empty }) {
      offers = told;
      document.getElementById("keep-drawing").disabled = empty;
      if (told.runs && !same(told.runs, scope.beside.runs)) {
        scope.beside.runs = told.runs;
        document.querySelector('[data-need="run"]').dataset.empty = told.runs.length ? "no" : "yes";
        set("selected-run", { data: told.runs.map(([value, label]) => ({ value, label })) });
      }
      if (told.opening && !waiting) waiting = setInterval(opened, 300);
      clearTimeout(looking); // a training that goes on has more to show in a while
      if (told.going) looking = setTimeout(() => { if (!scope.ink.drawing && !scope.ink.busy) scope.ink.again(); }, LOOK_AGAIN);
    },
  };
  async function opened() {
    const place = document.querySelector(".loading"), query = new URLSearchParams({ model: beside.model, backend: beside.backend });
    let stage = null;
    if (beside.model) try { stage = await (await fetch("loading?" + query)).json(); } catch (error) { /* asked again below */ }
    document.body.classList.toggle("is-loading", !!stage);
    place.textContent = stage || "";
    if (stage || !waiting) return;
    clearInterval(waiting);
    waiting = null;
    scope.ink.again();
  }
  async function keep() {
    const { source, picture } = await scope.ink.kept();
    set("beside", { data: { ...beside, image: source } });
    set("second-picture", { src: picture });
    set("second-digit", { value: source.sample ? String(source.sample[0]) : null });
    set("second-index", { value: source.sample ? source.sample[1] : "" });
  }
  function compare(model, backend) {
    set("beside", { data: { ...beside, model, backend } });
    set("second-model", { value: backend + ":" + scope.training.network(model) });
  }
  clientside.collectBeside = function (second, run, now) {
    const [backend, ...named] = (second || "").split(":"), model = scope.snapshots.kept(named.join(":"), now && now.model);
    const wanted = { ...now, model: model || null, backend: second ? backend : null, run: run || null };
    return !now || same(wanted, now) ? nothing() : wanted;
  };
  window.addEventListener("click", (event) => {
    if (event.target.id === "keep-drawing") keep();
    if (event.target.id !== "clear-second") return;
    set("beside", { data: { ...beside, image: null } });
    set("second-picture", { src: null });
    set("second-digit", { value: null });
    set("second-index", { value: "" });
  });

  /* Interventions: each is [layer, unit, factor]; undo goes back one change, reset takes all away. */
  let edits = [], past = [], possible = false, applied = [], factorState = "";
  const button = (id) => document.getElementById(id);
  const at = () => edits.findIndex(([layer, unit]) => scope.selected && layer === scope.selected.layer && unit === scope.selected.unit);
  function change(next) {
    past.push(edits);
    set("edits", { data: next });
  }
  function scale(factor) {
    if (!scope.selected || scope.selected.unit == null) return;
    const { layer, unit } = scope.selected, place = at(), others = edits.filter((_, i) => i !== place);
    change(factor === 1 || (place >= 0 && edits[place][2] === factor) ? others : [...others, [layer, unit, factor]]);
  }
  /* Typed digit by digit, and a change only once typing has ceased. */
  let factorShown = "", typing = null;
  clientside.scaleUnit = function (factor) {
    clearTimeout(typing);
    if (typeof factor !== "number" || String(factor) === factorShown || button("factor").disabled) return;
    typing = setTimeout(() => {
      factorShown = String(factor);
      scale(Math.min(4, Math.max(-2, factor)));
    }, 350);
  };
  scope.edits = {
    known(can, which) { possible = can; applied = which || []; draw(); },
    show(now) { edits = now; draw(); },
  };
  function draw() {
    const list = document.querySelector(".edit-list");
    if (!list) return;
    const ready = possible && scope.selected && scope.selected.unit != null, factor = at() >= 0 ? edits[at()][2] : null;
    button("mute").disabled = button("double").disabled = !ready;
    const state = [ready, factor].join();
    if (state !== factorState) {
      factorState = state;
      clearTimeout(typing);
      factorShown = ready ? String(factor ?? 1) : "";
      set("factor", { disabled: !ready, value: ready ? factor ?? 1 : "" });
    }
    button("mute").textContent = factor === 0 ? "Unmute unit" : "Mute unit";
    button("double").textContent = factor === 2 ? "Undouble unit" : "Double unit";
    button("mute").title = ready ? "The unit gives zero everywhere" : "Select a unit first: click a tile, a bar or a dot";
    button("double").title = ready ? "The unit gives twice what it would" : button("mute").title;
    button("undo-edit").hidden = !past.length;
    button("reset-edits").hidden = !edits.length;
    list.replaceChildren(...edits.map(([layer, unit, by], i) => {
      const chip = document.createElement("button");
      chip.className = "edit" + (applied[i] === false ? " is-idle" : "");
      chip.setAttribute("role", "listitem");
      chip.textContent = layer + " · " + unit + (by === 0 ? " muted" : " × " + by) + "  ✕";
      chip.title = applied[i] === false ? "This model has no such unit. Click to take it away" : "Click to take it away";
      chip.onclick = () => change(edits.filter((_, k) => k !== i));
      return chip;
    }));
  }
  window.addEventListener("click", (event) => {
    const id = event.target.id;
    if (id === "mute") scale(0);
    else if (id === "double") scale(2);
    else if (id === "reset-edits") change([]);
    else if (id === "undo-edit" && past.length) set("edits", { data: past.pop() });
  });

  /* A sentence in the place of a figure, with the click that helps. */
  scope.say = function (place, words, help) {
    const box = place.querySelector(".panel-message"), text = document.createElement("div");
    text.textContent = words;
    box.replaceChildren(text, ...(help ? [link(help.label, help.act)] : []));
  };
  scope.remedy = function (panel, wanted) {
    if (!wanted) return null;
    if (wanted.second_image) return { label: "Keep this drawing as the second image", act: keep };
    if (wanted.second_model) {
      const { elsewhere } = offers;
      return elsewhere && { label: "Compare with " + elsewhere.title, act: () => compare(scope.asked.model, elsewhere.backend) };
    }
    if (wanted.run) {
      const first = (offers.runs || [])[0];
      return first ? { label: "Choose " + first[1], act: () => set("selected-run", { value: first[0] }) } : null;
    }
    if (wanted.layer === undefined) {
      const label = wanted.unit !== undefined ? "Choose unit " + wanted.unit : "Choose the middle";
      return { label, act: () => scope.selection.choose(wanted) };
    }
    const own = { panel, type: "layer" }, picker = document.getElementById(JSON.stringify(own));
    const follows = !picker || picker.value === "selected layer";
    return { label: "Choose " + wanted.layer, act: () => (follows ? scope.selection.choose(wanted) : set(own, { value: wanted.layer })) };
  };

  /* Jobs: one for each panel, and one for the words beside its figure, which is called `panel aside`. Each is followed
   * until it is over or its panel shows something else. */
  const PAUSE = 700;
  const running = new Map();
  const panelOf = (name) => name.split(" ")[0], isAside = (name) => name.includes(" ");
  const section = (name) => document.querySelector('[data-panel="' + panelOf(name) + '"]');
  const tell = (id, what) => fetch("jobs/" + id + "/" + what, { method: "POST" }).catch(() => {});
  scope.jobs = {
    run(panel) {
      due.delete(panel);
      automatic.delete(panel);
      scope.say(section(panel), "Starting…");
      ask([panel]);
    },
    forget(panel) {
      for (const name of [panel, panel + " aside"]) {
        due.delete(name);
        automatic.delete(name);
        wanted.delete(name);
        if (running.has(name)) tell(running.get(name), "stop");
        running.delete(name);
      }
      say(panel, "");
    },
    /* A view that takes its time: it waits for a click, or for the pen to rest. */
    offer(panel) {
      const run = { label: "Run", act: () => scope.jobs.run(panel) }, waits = section(panel).dataset.atRest === "yes";
      scope.say(section(panel), waits ? "This view begins when the pen rests." : "This view takes a while, so it runs when you ask for it.", run);
      if (waits) later(panel);
    },
    /* Words beside a figure that has just come. */
    remark(panel) { if (section(panel).querySelector(".panel-aside")) later(panel + " aside"); },
    /* Whatever began by itself makes way, and begins anew when there is rest again. */
    interrupt() {
      for (const name of automatic) {
        if (running.has(name)) tell(running.get(name), "stop");
        running.delete(name);
        wanted.delete(name);
        if (isAside(name)) say(name, "");
        else if (section(name)) {
          section(name).querySelector(".panel-cost").replaceChildren();
          if (section(name).classList.contains("is-on-request")) scope.jobs.offer(name);
        }
        due.add(name);
      }
      automatic.clear();
      if (due.size) later();
    },
  };

  /* What begins by itself: `due` waits for rest, `automatic` has begun. */
  const due = new Set(), automatic = new Set(), wanted = new Set();
  let resting = null;
  function later(name) {
    if (name) due.add(name);
    clearTimeout(resting);
    resting = setTimeout(begin, PAUSE);
  }
  function begin() {
    if (scope.ink.drawing || scope.ink.busy || document.hidden) return later();
    const gone = [...due].filter((name) => !section(name)), seen = [...due].filter((name) => section(name) && inView(name));
    for (const name of [...gone, ...seen]) due.delete(name);
    for (const name of seen) automatic.add(name);
    if (seen.length) ask(seen);
  }
  function inView(name) {
    const box = section(name).getBoundingClientRect();
    return box.bottom > 0 && box.top < window.innerHeight;
  }
  for (const event of ["scroll", "resize"]) window.addEventListener(event, () => { if (due.size) later(); }, { passive: true });

  async function ask(names) {
    for (const name of names) wanted.add(name);
    const jobs = await scope.wire.run(names);
    for (const job of jobs) if (wanted.delete(job.panel)) begun(job); else if (job.id) tell(job.id, "stop");
  }
  function begun(job) {
    const name = job.panel, place = section(name);
    if (!place || due.has(name)) return job.id && tell(job.id, "stop"); // it has been interrupted in the meantime
    if (job.id === null) {
      automatic.delete(name);
      if (isAside(name)) say(name, job.message);
      else scope.say(place, job.message, { label: "Try again", act: () => scope.jobs.run(name) });
      return;
    }
    if (isAside(name) && scope.live.panels[panelOf(name)]?.key !== panelOf(job.key)) return tell(job.id, "stop");
    running.set(name, job.id);
    follow(name, job.id, 0);
  }

  /* Words beside a figure: one line, coloured up to its first dot where it begins with a mark, and a tooltip. */
  function say(name, words) {
    const line = section(name) && section(name).querySelector(".panel-aside");
    if (!line || line.title === words) return;
    const [verdict, ...parts] = words.split("\n")[0].split(" · "), head = document.createElement("span");
    head.className = { "✓": "is-good", "✗": "is-bad" }[verdict[0]] || "";
    head.textContent = verdict;
    line.replaceChildren(head, ...parts.map((part) => " · " + part));
    line.title = words;
  }
  function remarked(name, job, over) {
    const share = job && Math.round(100 * job.share) + " %";
    if (!over) return say(name, (job.words || "…") + " " + share);
    say(name, job ? (job.status === "done" ? job.words : job.message) : "");
  }
  async function follow(panel, id, have) {
    let job = null;
    try { job = await scope.wire.job(id, have); } catch (error) { /* said below */ }
    const place = section(panel);
    if (running.get(panel) !== id) return;
    if (!place) return scope.jobs.forget(panel);
    if (job && job.figure) {
      place.classList.remove("is-on-request");
      if (job.height && place.classList.contains("panel-wide")) place.style.setProperty("--natural", job.height + "px");
      scope.live.plotNow(panel, job.figure);
      scope.live.legend(place, job.figure);
    }
    const over = !job || ["done", "failed", "stopped"].includes(job.status);
    if (isAside(panel)) remarked(panel, job, over);
    else progress(place, panel, id, job, over);
    if (over) {
      running.delete(panel);
      automatic.delete(panel);
      if (!isAside(panel) && job && job.status === "done") scope.jobs.remark(panel);
    } else setTimeout(() => follow(panel, id, job.frames), job.status === "paused" ? 300 : 120);
  }
  function progress(place, panel, id, job, over) {
    const cost = place.querySelector(".panel-cost"), again = { label: "Run again", act: () => scope.jobs.run(panel) };
    if (over) {
      const words = !job ? "The server has forgotten this run." : job.message || (job.status === "stopped" ? "Stopped." : "");
      cost.textContent = job && job.status === "done" ? "took " + seconds(job.seconds) : words;
      if (!job || !job.frames) {
        place.classList.add("is-on-request");
        scope.say(place, words || "Nothing came of it.", again);
      } else if (job.status !== "done") cost.append(" ", link("Run again", again.act));
      return;
    }
    const share = Math.round(100 * job.share) + " %", left = job.left == null ? "" : " · " + seconds(job.left) + " left";
    const words = { waiting: "Waiting for other views…", pausing: "Pausing…", paused: "Paused at " + share }[job.status] || share + left;
    const turn = { running: ["Pause"], pausing: ["Resume"], paused: ["Resume"] }[job.status] || [];
    cost.title = "";
    offer(cost, id, words, [...turn, "Stop"]);
    if (!job.frames) offer(place.querySelector(".panel-message"), id, words, [...turn, "Stop"]);
  }
  /* What somebody has stopped or paused does not begin again by itself. */
  function told(id, what) {
    for (const [name, job] of running) if (job === id) automatic.delete(name);
    tell(id, what);
  }
  /* Words and what can be done. Buttons stay while they are the same, or a slow click would miss them. */
  function offer(box, id, words, acts) {
    const name = [id, ...acts].join(), had = box.contains(document.activeElement);
    if (box.dataset.offer !== name || !box.querySelector(".text-button")) {
      box.dataset.offer = name;
      const row = Object.assign(document.createElement("span"), { className: "acts" });
      row.append(...acts.map((act) => link(act, () => told(id, act.toLowerCase()))));
      box.replaceChildren(document.createElement("span"), row);
      if (had) row.firstChild.focus();
    }
    box.firstChild.textContent = words;
  }
  function link(words, act) {
    const made = document.createElement("button");
    made.className = "text-button";
    made.textContent = words;
    made.onclick = act;
    return made;
  }
  const seconds = (value) => (value < 10 ? value.toFixed(1) : Math.round(value)) + " s";
})();
