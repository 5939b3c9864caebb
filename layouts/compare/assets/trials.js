/* The experiments of the compare page: what networks cost, whether they compute the same, and what they make of a digit
 * that moves or whose pixels are shuffled. */
(function () {
  "use strict";
  const AT_REST = 500;
  const scope = window.layerscope, page = scope.compare, { state, find, make } = page;
  const measured = new Map();
  const keyOf = (subject) => subject.backend + ":" + subject.model;
  const count = (value) => (value == null ? "" : value.toLocaleString("en"));
  const share = (value) => (value == null ? "" : (100 * value).toFixed(2) + " %");

  function table(place, head, rows) {
    const line = (cells, tag) => {
      const row = make("tr");
      row.append(...cells.map((cell, i) => {
        const made = make(i ? tag : "th");
        if (!i || tag === "th") made.scope = i ? "col" : "row";
        if (cell instanceof Node) made.append(cell); else made.textContent = cell;
        return made;
      }));
      return row;
    };
    place.replaceChildren(line(head, "th"), ...rows.map((row) => { const made = line(row.cells || row, "td"); if (row.kind) made.className = row.kind; return made; }));
  }
  async function busy(button, words, work) {
    const before = button.textContent;
    button.disabled = true;
    button.textContent = words;
    try { return await work(); } finally { button.disabled = false; button.textContent = before; }
  }

  /* What they cost */
  let factsOf = "", facts = [];
  async function showFacts(told) {
    const key = JSON.stringify(told.columns.map((column) => [column.title, !!column.opening, column.fault]));
    if (key !== factsOf) {
      factsOf = key;
      const found = await page.post("facts", page.question());
      if (key !== factsOf) return;
      facts = found.facts || [];
    }
    drawFacts(told);
  }
  function drawFacts(told) {
    const of = (at) => ({ ...facts[at], ...measured.get(keyOf(state.subjects[at])) });
    const row = (name, words) => [name, ...told.columns.map((_, at) => words(of(at)) || "–")];
    table(find(".facts"), ["", ...told.columns.map((column) => column.title)], [
      row("Layers", (each) => count(each.layers)),
      row("Parameters", (each) => count(each.parameters)),
      row("Multiply-adds of one image", (each) => count(each.multiply_adds)),
      row("File of its weights", (each) => each.bytes == null ? "" : (each.bytes / 2 ** 20).toFixed(2) + " MB"),
      row("Latency", (each) => each.latency == null ? "" : (1000 * each.latency).toFixed(2) + " ms"),
      row("Test accuracy", (each) => each.unlike || share(each.accuracy)),
      row("Test loss", (each) => each.loss == null ? "" : each.loss.toFixed(4)),
      row("Calibration error", (each) => share(each.calibration_error)),
    ]);
  }
  page.actions.measure = (button) => busy(button, "Measuring…", async () => {
    for (const subject of [...state.subjects]) {
      const told = await page.post("measure", subject);
      if (told.fault) scope.live.fault(told.fault);
      else measured.set(keyOf(subject), told);
      if (page.answer) drawFacts(page.answer);
    }
  });

  /* Parity */
  let parityTimer = null, parityAsked = 0;
  async function showParity(sample) {
    const mine = ++parityAsked, value = Number(state.tolerance.replace(",", "."));
    const told = await page.post("parity", { ...page.question(), other: state.against, tolerance: value, sample: !!sample });
    if (mine !== parityAsked) return;
    const line = find(".verdict-line"), found = told.sample || told.drawing;
    line.className = "verdict-line" + (found ? (found.passed ? " is-pass" : told.different ? "" : " is-fail") : "");
    line.textContent = told.fault || (found ? [told.different, found.conclusion].filter(Boolean).join(" ") : "Draw a digit, or ask for the test images.");
    if (!found) return void find(".parity-table").replaceChildren();
    const both = told.sample && told.drawing, head = ["Layer", "In the other", ...(both ? ["Drawing: largest", "mean"] : []), (told.sample ? found.images + " test images" : "Drawing") + ": largest", "mean", "Verdict"];
    const number = (value) => (value == null ? "" : typeof value === "string" ? value : value === 0 ? "0" : value.toExponential(1).replace("-", "−"));
    table(find(".parity-table"), head, found.layers.map((layer, i) => ({
      kind: layer.name === found.diverges ? "is-first" : layer.verdict === "same" ? "is-same" : layer.verdict === "differs" || layer.verdict === "other shape" ? "is-apart" : "",
      cells: [layer.name, layer.counterpart || "–", ...(both ? [number(told.drawing.layers[i].largest), number(told.drawing.layers[i].mean)] : []), number(layer.largest), number(layer.mean), (layer.verdict === "same" ? "✓ " : layer.largest == null && layer.verdict === "only here" ? "" : layer.verdict === "other order" ? "" : "✗ ") + layer.verdict],
    })));
    const more = [];
    if (found.only_second.length) more.push("Only in the other: " + found.only_second.join(", ") + ".");
    if (found.disagreements != null) more.push("Predictions that disagree: " + found.disagreements + " of " + found.images + ".");
    line.textContent += " " + more.join(" ");
  }
  page.actions.parity = (button) => busy(button, "Comparing…", () => showParity(true));

  /* Moving the digit */
  let moved = null, at = [0, 0];
  page.actions.shift = (button) => busy(button, "Moving…", async () => {
    const told = await page.post("shifts", page.question());
    if (told.fault) return scope.live.fault(told.fault);
    moved = told.columns.filter(Boolean);
    at = [10, 10];
    find(".shift-words").textContent = moved.length ? told.words : "There is nothing to move: draw a digit first.";
    find(".shift-fields").replaceChildren(...moved.map(field));
    showMoved();
  });
  page.actions.digits = (button) => busy(button, "Moving 20 digits…", async () => {
    const told = await page.post("digits", page.question());
    if (told.fault) return scope.live.fault(told.fault);
    moved = null;
    find(".shift-words").textContent = told.words;
    find(".shift-fields").replaceChildren(...told.columns.filter(Boolean).map((column) => {
      const place = make("div", "shift-field"), map = make("canvas", "shift-map is-still");
      place.append(make("h3", "", column.title));
      if (column.unlike) { place.append(make("p", "note", column.unlike)); return place; }
      const side = column.offsets.length, context = map.getContext("2d");
      map.width = map.height = side;
      map.setAttribute("role", "img");
      map.setAttribute("aria-label", "Share of the digits that " + column.title + " is right about at each place");
      column.shares.forEach((value, i) => { context.fillStyle = mixed(value); context.fillRect(i % side, Math.floor(i / side), 1, 1); });
      map.addEventListener("pointermove", (event) => {
        const box = map.getBoundingClientRect(), cell = (at, low, size) => Math.max(0, Math.min(side - 1, Math.floor(((at - low) / size) * side)));
        const row = cell(event.clientY, box.top, box.height), across = cell(event.clientX, box.left, box.width);
        words.textContent = placed(column.offsets[row], column.offsets[across]) + ": right about " + Math.round(100 * column.shares[row * side + across]) + " % of the digits";
      });
      const words = make("p", "shift-answer", "right at " + Math.round(100 * column.share) + " % of all places, on average");
      place.append(map, words);
      return place;
    }));
  });
  /* From orange, none is right, to blue, all are. */
  const mixed = (share) => "rgb(" + [[230, 0], [159, 114], [0, 178]].map(([none, all]) => Math.round(none + share * (all - none))).join() + ")";
  const way = (value, less, more) => (value ? Math.abs(value) + " " + (value < 0 ? less : more) : "");
  const placed = (down, right) => [way(down, "up", "down"), way(right, "left", "right")].filter(Boolean).join(", ") || "in the middle";

  function field(column) {
    const place = make("div", "shift-field"), map = make("canvas", "shift-map"), digit = make("canvas", "shift-digit");
    const side = column.offsets.length;
    map.width = map.height = side;
    map.tabIndex = 0;
    map.setAttribute("role", "application");
    map.setAttribute("aria-label", "Where " + column.title + " is right; arrow keys move the digit");
    const pictures = make("div", "shift-pictures");
    pictures.append(map, digit);
    place.append(make("h3", "", column.title), pictures, make("p", "shift-answer"));
    const go = (event) => {
      const box = map.getBoundingClientRect(), place = (value, low, size) => Math.max(0, Math.min(side - 1, Math.floor(((value - low) / size) * side)));
      at = [place(event.clientY, box.top, box.height), place(event.clientX, box.left, box.width)];
      showMoved();
    };
    map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); go(event); });
    map.addEventListener("pointermove", (event) => { if (event.buttons) go(event); });
    map.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      at = at.map((value, i) => Math.max(0, Math.min(side - 1, value + step[i])));
      showMoved();
    });
    return place;
  }
  function showMoved() {
    document.querySelectorAll(".shift-field").forEach((place, number) => {
      const column = moved[number], side = column.offsets.length, chosen = at[0] * side + at[1];
      const map = place.querySelector(".shift-map"), context = map.getContext("2d");
      column.predicted.forEach((predicted, i) => {
        context.globalAlpha = 1;
        context.fillStyle = "#fff";
        context.fillRect(i % side, Math.floor(i / side), 1, 1);
        context.globalAlpha = 0.35 + 0.65 * column.confidence[i];
        context.fillStyle = i === chosen ? "#111" : predicted === column.target ? "#0072B2" : "#E69F00";
        context.fillRect(i % side, Math.floor(i / side), 1, 1);
      });
      const [down, right] = at.map((value) => column.offsets[value]);
      scope.arrays.grey(place.querySelector(".shift-digit"), column.image, [down, right]);
      const says = column.predicted[chosen], words = place.querySelector(".shift-answer"), good = says === column.target;
      words.textContent = placed(down, right) + ": " + column.classes[says] + ", " + page.percent(column.confidence[chosen]) + (good ? " ✓" : " ✗") + " · right at " + Math.round(100 * column.share) + " % of the places";
      words.classList.toggle("is-wrong", !good);
    });
  }

  /* Shuffled pixels */
  page.actions.permute = (button) => busy(button, "Shuffling…", async () => {
    const told = await page.post("permutation", page.question());
    if (told.fault) return scope.live.fault(told.fault);
    find(".permutation-fields").replaceChildren(...told.columns.filter(Boolean).map((column) => {
      const place = make("div", "permutation-field"), list = make("table", "facts");
      place.append(make("h3", "", column.title));
      if (column.image) {
        const canvas = make("canvas", "shift-digit");
        scope.arrays.grey(canvas, column.image);
        place.append(canvas);
      }
      const ways = ["as it is", "pixels permuted", "weights permuted as well"];
      const said = (way) => { const each = (column.answers || {})[way]; return each ? each.best + ", " + page.percent(each.confidence) : column.answers ? "no order helps" : "–"; };
      const right = (way) => { const each = (column.accuracy || {})[way]; return each == null ? "–" : (100 * each).toFixed(1) + " %"; };
      table(list, ["", "the drawing", (column.images || 0).toLocaleString("en") + " test images"], ways.map((way) => [way[0].toUpperCase() + way.slice(1), said(way), right(way)]));
      place.append(list);
      return place;
    }));
  });

  /* Training curves of whatever is a run */
  let curvesOf = "";
  async function showCurves() {
    const runs = [...new Set(state.subjects.filter((each) => each.model.startsWith("run:")).map((each) => each.model.slice(4).split("@")[0]))];
    if (runs.join() === curvesOf) return;
    curvesOf = runs.join();
    find(".compare-curves").classList.toggle("is-empty", !runs.length);
    if (!runs.length) return;
    const told = await page.post("curves", { runs });
    if (told.figure && curvesOf === runs.join()) {
      const { height, ...layout } = told.figure.layout;
      window.dash_clientside.set_props("compare-curves", { figure: { ...told.figure, layout: { ...layout, autosize: true } } });
    }
  }

  /* After an answer: what depends on the drawing is asked for once the pen rests. */
  page.after = function (told) {
    told.columns.slice(1).forEach((column, i) => { const option = find(".parity-other").options[i]; if (option && option.text !== column.name) option.text = column.name; });
    const facts = () => { if (!told.columns.some((column) => column.opening)) showFacts(told); };
    if (!page.line.moving) facts();
    showCurves();
    page.showStand(told);
    clearTimeout(parityTimer);
    parityTimer = setTimeout(function rest() {
      if (scope.ink.drawing || scope.ink.busy || page.line.moving) return void (parityTimer = setTimeout(rest, AT_REST));
      facts();
      if (told.columns.filter((column) => column.layers.length).length > 1) showParity(false);
    }, AT_REST);
  };
  /* What belongs to other networks than those that are shown goes. */
  page.forget = function () {
    factsOf = "";
    facts = [];
    page.forgetExperiments();
  };
  page.forgetExperiments = function () {
    moved = null;
    find(".shift-fields").replaceChildren();
    find(".shift-words").textContent = "Draw a digit, then press “Move it”.";
    find(".permutation-fields").replaceChildren();
  };
  page.showExperiments = function () {
    const other = find(".parity-other"), wanted = state.subjects.slice(1).map((each, i) => String(i + 1));
    if (other.dataset.of !== JSON.stringify(state.subjects)) {
      other.dataset.of = JSON.stringify(state.subjects);
      other.replaceChildren(...wanted.map((value) => new Option("network " + (Number(value) + 1), value)));
    }
    other.value = String(state.against);
    other.parentElement.hidden = wanted.length < 2;
    const tolerance = find(".parity-tolerance");
    if (document.activeElement !== tolerance) tolerance.value = state.tolerance;
  };
  window.addEventListener("change", (event) => {
    if (event.target.matches(".parity-other")) { state.against = Number(event.target.value); page.changed({ step: true }); }
    if (event.target.matches(".parity-tolerance")) {
      const value = Number(event.target.value.replace(",", "."));
      if (value > 0 && value < 1) { state.tolerance = event.target.value; page.changed(); }
      else event.target.value = state.tolerance;
    }
  });
})();
