/* The image that a network answers to while it learns: a sample of a digit, or a drawing of one's own. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), make = scope.element;
  const SIDE = 280, PEN = 0.1, DRAWN = "drawn";
  let parts = null, paper = null, drawn = null, shown = { sample: null };
  const see = (sample, ink) => { scope.train.see({ sample, ink }); };

  function sheet() {
    const canvas = make("canvas", { width: SIDE, height: SIDE, className: "pad" }), pen = canvas.getContext("2d");
    const made = { canvas, empty: true, changed() {}, clear };
    function clear() { pen.fillStyle = "#fff"; pen.fillRect(0, 0, SIDE, SIDE); mark(true); }
    function mark(empty) { made.empty = empty; made.changed(); }
    const place = (event) => [event.offsetX * (SIDE / canvas.clientWidth), event.offsetY * (SIDE / canvas.clientHeight)];
    const line = (event) => { pen.lineTo(...place(event)); pen.stroke(); };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      mark(false);
      Object.assign(pen, { lineWidth: PEN * SIDE, lineCap: "round", lineJoin: "round" });
      pen.beginPath();
      pen.moveTo(...place(event));
      line(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) line(event); });
    clear();
    return made;
  }
  function ink() {
    const size = scope.greys.SIZE, small = make("canvas", { width: size, height: size }), pen = small.getContext("2d");
    pen.drawImage(paper.canvas, 0, 0, size, size);
    return scope.greys.compact(scope.greys.stored(scope.greys.of(pen)));
  }
  function draw() {
    paper = paper || sheet();
    const button = (text, onclick, className) => make("button", { type: "button", className: className || "text-button", onclick }, text);
    const use = button("Use it", async () => { see(null, await ink()); dialog.close(); }, "primary-button");
    paper.changed = () => { use.disabled = paper.empty; };
    paper.changed();
    const dialog = make("dialog", { className: "ask drawing-pad", "aria-labelledby": "pad-title" }, make("h2", { id: "pad-title" }, "Draw an image"), make("p", { className: "note" }, "It is centred and scaled as on the first page; every snapshot answers to it."), paper.canvas,
      make("div", { className: "ask-buttons" }, button("Clear", paper.clear), make("span", { className: "spacer" }), button("Cancel", () => dialog.close()), use));
    scope.showDialog(dialog);
  }

  scope.testImage = {
    make(place) {
      const picture = make("img", { className: "test-picture", alt: "The image as the network gets it" });
      const digits = make("select", { "aria-label": "Test image", onchange: () => (digits.value === DRAWN ? see(null, drawn) : see(digits.value + ".0", null)) });
      const another = make("button", { type: "button", className: "text-button", onclick: () => see(shown.sample[0] + "." + (shown.sample[1] + 1), null) }, "Another one");
      const own = make("button", { type: "button", className: "text-button", onclick: draw }, "Draw one…");
      parts = { picture, digits, another };
      place.append(picture, digits, another, own);
    },
    /* What the server answered to. */
    show(told) {
      shown = told;
      if (scope.train.chosen.ink) drawn = scope.train.chosen.ink;
      const offered = told.digits.map((name, value) => [String(value), "a " + name]);
      if (drawn) offered.push([DRAWN, "my drawing"]);
      if (offered.length !== parts.digits.length) parts.digits.replaceChildren(...offered.map(([value, label]) => make("option", { value }, label)));
      parts.digits.value = told.sample ? String(told.sample[0]) : DRAWN;
      parts.picture.src = told.image;
      parts.another.hidden = !told.sample;
    },
  };
})();
