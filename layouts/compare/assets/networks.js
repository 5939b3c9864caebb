/* The columns of the compare page: heads with their pickers, the answers, and a row for each layer. */
(function () {
  "use strict";
  const scope = window.layerscope, page = scope.compare, { state, find, make } = page, { run, network, snapshot } = scope.training;
  const PAGE = Math.random().toString(36).slice(2, 10); // so that two windows do not take one another's jobs
  const cells = new Map();

  function select(label, options, value, choose) {
    const box = make("select", "compare-select");
    box.setAttribute("aria-label", label);
    box.title = label;
    for (const each of options) {
      const option = new Option(each.label, each.value, false, each.value === value);
      option.disabled = !!each.disabled;
      box.append(option);
    }
    if (!options.some((each) => each.value === value)) box.prepend(new Option(value || "–", value || "", true, true));
    box.addEventListener("change", () => choose(box.value));
    return box;
  }
  page.select = select;

  /* Heads: rebuilt only where other networks are compared. */
  let headsOf = "";
  page.showHeads = function (told) {
    const config = page.config(), key = JSON.stringify(state.subjects.map((each) => [network(each.model), each.backend]));
    const place = find(".heads");
    document.querySelector(".compare").style.setProperty("--columns", state.subjects.length);
    if (key !== headsOf) {
      headsOf = key;
      place.replaceChildren(...state.subjects.map((subject, at) => head(config, subject, at)));
      if (state.subjects.length < page.limits.MOST) {
        const add = make("button", "text-button add-network", "+ Add a network");
        add.addEventListener("click", page.add);
        place.append(add);
      }
    }
    told.columns.forEach((column, at) => {
      const words = place.children[at].querySelector(".head-state"), text = column.fault || column.opening;
      const picker = place.children[at].querySelector(".snapshot-picker");
      if (picker) picker.value = snapshot(state.subjects[at].model) || "";
      place.children[at].classList.toggle("is-fault", !!column.fault);
      if (words.textContent !== text) words.textContent = text;
    });
    find(".incomparable").textContent = told.incomparable.join(" ");
    const dense = state.subjects.some((each) => each.model.startsWith("dense")) && state.subjects.some((each) => each.model.startsWith("cnn"));
    find(".dense-words").hidden = !dense;
  };
  function head(config, subject, at) {
    const card = make("div", "head"), model = network(subject.model), number = at + 1;
    card.append(select("Network " + number, config.models, model, (value) => page.choose(at, { model: value })));
    const tools = make("div", "head-tools");
    const backends = config.backends.map((each) => ({ ...each, label: each.label + (each.missing ? " (not installed)" : ""), disabled: !!each.missing }));
    tools.append(select("Framework of network " + number, backends, subject.backend, (value) => page.choose(at, { backend: value })));
    if (run(model)) snapshots(tools, model, at);
    if (state.subjects.length > page.limits.FEWEST) {
      const remove = make("button", "tool icon icon-remove");
      remove.setAttribute("aria-label", "Remove network " + number);
      remove.title = "Remove this network";
      remove.addEventListener("click", () => page.remove(at));
      tools.append(remove);
    }
    card.append(tools, make("p", "head-state note"));
    return card;
  }
  async function snapshots(tools, model, at) {
    const options = (await page.momentsOf(run(model))).map(({ name, title }) => ({ value: name, label: title }));
    const picker = select("Snapshot of network " + (at + 1), [{ value: "", label: "as it ended" }, ...options], snapshot(state.subjects[at].model) || "", (value) => page.choose(at, { model: value ? model + "@" + value : model }));
    picker.classList.add("snapshot-picker");
    tools.insertBefore(picker, tools.children[1] || null);
  }
  page.renewHeads = function () { headsOf = ""; };

  /* Answers: a row for each class, a column for each network. */
  const percent = (value) => (value > 0.9995 && value < 1 ? ">99.9" : (100 * value).toFixed(1)) + " %";
  page.percent = percent;
  page.showAnswers = function (told) {
    find(".agreement").textContent = told.agreement || (told.empty ? "Draw a digit, or choose a sample." : "");
    find(".disagreement").textContent = told.disagreement;
    const place = find(".answers"), names = [...new Set(told.columns.flatMap((column) => column.classes))].slice(0, 40);
    if (place.children.length !== told.columns.length || place.dataset.names !== names.join("\u0000")) {
      place.dataset.names = names.join("\u0000");
      place.replaceChildren(...told.columns.map(() => {
        const column = make("div", "answer-column"), top = make("div", "answer-top");
        top.append(make("div", "digit", "–"), make("div", "confidence"));
        const bars = make("div", "bars");
        bars.append(...names.map((name) => {
          const row = make("div", "bar"), track = make("span", "bar-track");
          track.append(make("span", "bar-fill"));
          row.append(make("span", "bar-name", name), track, make("span", "bar-value"));
          return row;
        }));
        column.append(top, bars);
        return column;
      }));
    }
    told.columns.forEach((column, at) => {
      const card = place.children[at], values = column.probabilities, best = values ? values.indexOf(Math.max(...values)) : -1;
      const name = best < 0 ? "–" : column.classes[best], label = column.label;
      card.classList.add("answer");
      card.classList.toggle("is-gone", !!(column.fault || column.opening));
      card.dataset.verdict = !values ? "none" : label == null ? "open" : best === label ? "right" : "wrong";
      card.querySelector(".digit").textContent = name;
      card.querySelector(".confidence").textContent = column.fault ? "This network is not there; why stands above." : column.opening ? "is being opened…" : !values ? "waits for a drawing" : percent(values[best]) + " confident" + (label == null ? "" : best === label ? " · ✓ right" : " · ✗ wrong: a " + column.classes[label]);
      names.forEach((each, i) => {
        const row = card.querySelector(".bars").children[i], place = column.classes.indexOf(each), there = place >= 0;
        row.classList.toggle("is-best", there && place === best);
        row.classList.toggle("is-label", !!values && there && place === label);
        row.classList.toggle("is-absent", !there && column.classes.length > 0);
        row.children[1].firstChild.style.transform = "scaleX(" + (values && there ? values[place] : 0) + ")";
        row.children[2].textContent = values && there ? percent(values[place]) : !there && column.classes.length ? "not a class" : "";
      });
    });
  };

  /* Rows */
  const AT_REST = 700, offered = new Set();
  let rowsOf = "", resting = null;
  const viewOf = () => page.config().views.find((each) => each.name === state.view.visualizer);
  page.reset = function () { rowsOf = headsOf = ""; page.forget(); };
  page.showRows = function (told) {
    const whole = Object.keys(told.panels).some((id) => id.startsWith("whole.")), rows = whole ? [null] : told.rows;
    const name = (number) => (whole ? "whole" : String(number)), shown = rows.map((_, number) => told.columns.some((_, at) => told.panels[name(number) + "." + at]));
    const key = JSON.stringify([rows, shown, told.columns.map((column) => [network(column.model), column.backend, column.layers.length, column.fault])]);
    if (key !== rowsOf) {
      rowsOf = key;
      cells.clear();
      offered.clear();
      page.keys.forget();
      const lines = rows.map((row, number) => (shown[number] ? rowOf(told, row, name(number), number) : null)).filter(Boolean);
      find(".rows").replaceChildren(...(lines.length ? lines : [make("p", "cell-message", told.columns.some((column) => column.layers.length) ? "No layer of these networks suits this view." : "")]));
      showRange(told);
    }
    let again = false;
    for (const [id, part] of Object.entries(told.panels)) {
      const cell = cells.get(id);
      if (!cell) continue;
      if (part.figure || part.withheld !== undefined) offered.delete(id);
      if (part.figure) scope.paint.figure(cell, part);
      else if (part.withheld !== undefined) scope.paint.message(cell, part.withheld);
      else if (part.on_request) { offered.add(id); offer(cell, id); }
      else if (page.keys.get(id) !== part.key) again = true; // an answer that was overtaken took this figure with it
      page.keys.set(id, part.key);
    }
    page.keys.keep(new Set(Object.keys(told.panels)));
    if (again) { page.keys.forget(); scope.ink.again(); }
    find(".run-all")?.toggleAttribute("hidden", offered.size < 2);
    clearTimeout(resting);
    if (offered.size && viewOf()?.rest) resting = setTimeout(whenAtRest, AT_REST);
  };
  function rowOf(told, row, name, number) {
    const line = make("div", "row columns");
    told.columns.forEach((column, at) => {
      const cell = make("div", "cell"), id = name + "." + at;
      cell.dataset.panel = id;
      if (row) cell.append(layerPicker(column, row, number, at));
      cell.append(make("div", "cell-body"), make("div", "panel-legend"));
      if (row && row[at] === null) cell.classList.add("is-missing");
      if (!row || row[at] !== null) cells.set(id, cell);
      if (column.fault || column.opening) scope.paint.message(cell, number ? "" : column.fault ? "not there" : "is being opened…");
      else if (row && row[at] === null) scope.paint.message(cell, "no counterpart");
      line.append(cell);
    });
    return line;
  }
  function layerPicker(column, row, number, at) {
    const options = [{ value: "", label: "– none –" }, ...column.layers.map(([name, , words]) => ({ value: name, label: name + (name.includes(words) ? "" : " · " + words) }))];
    return select("Layer of network " + (at + 1) + " in row " + (number + 1), options, row[at] || "", (value) => {
      state.rows = page.answer.rows.map((each) => [...each]);
      state.rows[number][at] = value || null;
      page.changed({ step: true });
    });
  }

  /* On a small screen columns that are scrolled sideways stay below one another. */
  document.addEventListener("scroll", ({ target }) => {
    if (!target.matches?.(".compare .columns")) return;
    for (const each of document.querySelectorAll(".compare .columns")) if (each.scrollLeft !== target.scrollLeft) each.scrollLeft = target.scrollLeft;
  }, { capture: true, passive: true });

  /* Views that take their time: they begin when they are asked to, or by themselves when the pen rests. */
  function offer(cell, id) {
    const button = make("button", "text-button", "Run");
    button.addEventListener("click", () => runs([id]));
    scope.paint.message(cell, "This view takes a moment; it runs when you ask for it.", button);
  }
  function whenAtRest() {
    if (scope.ink.drawing || scope.ink.busy || document.hidden) resting = setTimeout(whenAtRest, AT_REST);
    else runs([...offered]);
  }
  /* One after the other as they stand on the page; then all figures of a row come once more, on one scale. */
  async function runs(ids) {
    for (const id of ids) offered.delete(id);
    const ended = await Promise.all(ids.map((id) => runOne(cells.get(id), id)));
    if (ended.some(Boolean) && state.view.shared) { for (const id of ids) page.keys.set(id, undefined); scope.ink.again(); }
  }
  async function runOne(cell, id) {
    const key = page.keys.get(id), stop = make("button", "text-button", "Stop"), going = make("p", "cell-going");
    const mine = () => cell.isConnected && page.keys.get(id) === key; // else another question has been asked in this cell
    let told = await page.post("run", { ...page.question(), panel: id, page: PAGE }), have = 0;
    scope.paint.message(cell, "Working…");
    stop.addEventListener("click", () => fetch("../jobs/" + told.id + "/stop", { method: "POST" }));
    const said = make("span", "", "");
    going.append(said, " ", stop);
    while (told && told.id && mine()) {
      const reply = await fetch("../jobs/" + told.id + "?have=" + have);
      if (!reply.ok || !mine()) break;
      told = scope.wire.unpack(await reply.arrayBuffer());
      if (!told || !mine()) break;
      if (told.figure) { scope.paint.figure(cell, told); have = told.frames; }
      if (told.status !== "running" && told.status !== "waiting") break;
      said.textContent = told.status === "waiting" ? "Waits for the others" : "Working… " + Math.round(100 * (told.share || 0)) + " %";
      if (!have) cell.querySelector(".cell-body").replaceChildren();
      if (!going.isConnected) cell.append(going);
      await new Promise((done) => setTimeout(done, 250));
    }
    going.remove();
    if (mine() && told && !have && !told.figure) scope.paint.message(cell, told.message || told.fault || (told.status === "stopped" ? "Stopped." : "This view has ended without a figure."));
    return mine() && told?.status === "done" && !!have;
  }

  /* The view of all rows, its settings and its selection */
  page.showTools = function () {
    const config = page.config(), place = find(".view-tools"), view = viewOf();
    const options = [{ value: "", label: "What every layer answers" }, ...config.views.map((each) => ({ value: each.name, label: each.title }))];
    const parts = [labelled("View", select("View", options, state.view.visualizer, (value) => {
      Object.assign(state.view, { visualizer: value, settings: {}, unit: null, target: null });
      page.changed({ step: true });
    }))];
    if (!view || view.unit || view.layer) {
      const unit = number("Unit", state.view.unit, { low: 0, step: 1 }, (value) => { state.view.unit = value; page.changed(); });
      unit.append(make("span", "unit-range"));
      parts.push(unit);
    }
    if (view && view.target) parts.push(labelled("Class", make("select", "compare-select target-choice")));
    if (view && view.second) parts.push(...secondImage());
    for (const control of view ? view.controls : []) parts.push(setting(control));
    parts.push(toggle("One scale for a row", state.view.shared, (value) => { state.view.shared = value; page.changed(); }));
    if (state.rows) {
      const back = make("button", "text-button", "Align again");
      back.addEventListener("click", () => { state.rows = null; page.changed({ step: true }); });
      parts.push(back);
    }
    const all = make("button", "text-button run-all", "Run all");
    all.hidden = true;
    all.addEventListener("click", () => runs([...offered]));
    place.replaceChildren(...parts, all);
    if (page.answer) showRange(page.answer);
    find(".view-words").textContent = view ? view.words : "The feature maps of layers with height and width, and the units of the others. A click on one marks it in every network.";
    page.showExperiments();
    page.showStandChoice();
  };
  /* What there is to choose from depends on the networks that are there. */
  function showRange(told) {
    const unit = find(".unit-range"), target = find(".target-choice"), there = told.columns.filter((column) => column.layers.length);
    if (unit) {
      const most = Math.max(0, ...there.flatMap((column) => column.layers.map(([, , , units]) => units)));
      unit.previousElementSibling.max = most - 1;
      unit.textContent = "of 0 to " + (most - 1).toLocaleString("en");
    }
    if (target) {
      const names = there.length ? there[0].classes : [];
      target.replaceChildren(new Option("what each says", ""), ...names.map((each, i) => new Option(each, i)));
      target.value = state.view.target ?? "";
      target.setAttribute("aria-label", "Class");
      target.onchange = () => { state.view.target = target.value === "" ? null : Number(target.value); page.changed(); };
    }
  }
  /* A click on a tile or a bar chooses its unit for all columns; another one lets go of it. */
  window.addEventListener("click", (event) => {
    const cell = event.target.matches?.(".cell-body canvas") && event.target.closest(".cell"), view = viewOf();
    if (!cell?.figure || (view && !view.unit && !view.layer)) return;
    const unit = scope.paint.unitAt(event, cell.figure);
    if (unit < 0) return;
    state.view.unit = unit === state.view.unit ? null : unit;
    page.changed();
  });
  /* Another image for all columns: a sample, or the drawing as it is now. */
  function secondImage() {
    const now = state.view.second, [digit, index] = now?.sample || [null, 0], all = Array.from({ length: 10 }, (_, i) => ({ value: String(i), label: String(i) }));
    const take = (second) => { state.view.second = second; page.changed(); };
    const sample = (digit, index) => take({ sample: [Number(digit), Math.max(0, index || 0)], ink: null, label: null });
    const keep = make("button", "text-button", now?.ink ? "Keep this drawing instead" : "Keep this drawing");
    keep.addEventListener("click", async () => { if (scope.ink.published?.ink || scope.ink.published?.sample) take((await scope.ink.kept()).source); });
    return [labelled("Second image: a", select("Digit of the second image", [{ value: "", label: now?.ink ? "drawing" : "–" }, ...all], digit == null ? "" : String(digit), (value) => { if (value !== "") sample(value, index); })),
      ...(digit == null ? [] : [number("number", index, { low: 0, step: 1 }, (value) => sample(digit, value))]), keep];
  }
  function labelled(words, control) {
    const label = make("label", "inline-label", words + " ");
    label.append(control);
    return label;
  }
  function number(words, value, { low, high, step }, choose) {
    const box = make("input", "compare-number");
    Object.assign(box, { type: "number", value: value ?? "" });
    if (low != null) box.min = low;
    if (high != null) box.max = high;
    if (step) box.step = step;
    box.addEventListener("change", () => choose(box.value === "" ? null : Number(box.value)));
    return labelled(words, box);
  }
  function toggle(words, value, choose) {
    const box = make("input");
    Object.assign(box, { type: "checkbox", checked: value });
    box.addEventListener("change", () => choose(box.checked));
    const label = make("label", "inline-label");
    label.append(box, " " + words);
    return label;
  }
  function setting(control) {
    const value = state.view.settings[control.name] ?? control.default;
    const choose = (given) => {
      if (given === null || given === control.default) delete state.view.settings[control.name];
      else state.view.settings[control.name] = given;
      page.changed();
    };
    let made;
    if (control.kind === "switch") made = toggle(control.label, value, choose);
    else if (control.kind === "dropdown") made = labelled(control.label, select(control.label, control.options.map((each) => ({ value: each, label: each })), value, choose));
    else if (control.kind === "text") {
      const box = make("input", "compare-text");
      box.value = value;
      box.addEventListener("change", () => choose(box.value));
      made = labelled(control.label, box);
    } else made = number(control.label, value, control, choose);
    made.title = control.help;
    return made;
  }
})();
