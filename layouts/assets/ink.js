/* The drawing canvas: captures ink, keeps its history, and sends one picture at a time.
 *
 * A stroke in progress is on dash-canvas's upper canvas, finished ones on the lower; both together, scaled to SIZE, are
 * the ink. It leaves as the text that the address carries, too (greys.js). The next picture is sent only when the
 * previous answer has been painted, so nothing queues up and the latest ink always wins.
 */
(function () {
  "use strict";
  const SIDE = 320;
  const FRAME = SIDE + 2; // dash-canvas makes its canvas two pixels narrower than it is told, but not less high
  const OVERDUE = 3000, READING = 300;
  const scope = (window.layerscope = window.layerscope || {}), SIZE = scope.greys.SIZE;
  const blank = { picture: null, ink: null, sample: null, image: null, label: null, note: "" };
  const ink = (scope.ink = { drawing: false, busy: false, serial: 0 });

  let restored = false, dirty = false, sentAt = 0, current = blank, shows = 0, past = [], future = [];
  const small = document.createElement("canvas");
  small.width = small.height = SIZE;
  const pen = small.getContext("2d", { willReadFrequently: true });

  const paper = () => document.getElementById("paper");
  const layer = (name) => document.querySelector("#paper ." + name + "-canvas");

  function composite(context, side) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    for (const name of ["lower", "upper"]) {
      const canvas = layer(name);
      if (canvas && canvas.width) context.drawImage(canvas, 0, 0, canvas.width, canvas.width, 0, 0, side, side);
    }
  }

  function encoded() {
    composite(pen, SIZE);
    const grey = scope.greys.of(pen);
    return !current.picture && grey.every((value) => value === 255) ? null : scope.greys.stored(grey);
  }

  function publish(source) {
    ink.busy = true;
    ink.serial += 1;
    sentAt = performance.now();
    const { sample = null, image = null } = source;
    ink.published = { serial: ink.serial, ink: source.ink, sample, image, label: source.label };
    scope.wire.ask();
    scope.address.write();
  }

  function send() {
    if (!dirty || ink.busy || !restored) return;
    dirty = false;
    ink.busy = true;
    sentAt = performance.now();
    current = { ...current, ink: encoded(), sample: null, image: null };
    publish(current);
  }

  /* An answer may take long while a framework starts, or never come: then drawing goes on. */
  setInterval(async () => {
    if (!ink.busy || performance.now() - sentAt < OVERDUE) return;
    sentAt = performance.now();
    const stage = await scope.loading.stage();
    if (stage) return;
    ink.busy = false;
    if (stage === null) send();
    else scope.live.fault("The Layerscope server does not answer. Start it again; your drawing stays here.");
  }, 1000);

  /* Called by live.js when the answer to `serial` is on the screen. */
  ink.painted = function (serial) {
    if (serial === undefined || serial >= ink.serial) ink.busy = false;
    send();
  };

  /* Asks for the same picture once more. */
  ink.again = () => setTimeout(() => publish(current), 0);

  function snapshot() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = layer("lower").width;
    composite(canvas.getContext("2d"), canvas.width);
    return canvas.toDataURL("image/png");
  }

  /* What an address says of the drawing. */
  ink.address = async function () {
    const { sample, image, ink: text, label } = ink.published, of = label == null ? {} : { label };
    if (sample) return { sample: sample.join(".") };
    if (image) return { image, ...of };
    return text ? { ink: await scope.greys.compact(text), ...of } : {};
  };

  /* What a second image is kept as: its name, or ink small enough for an address; and a picture of it. */
  ink.kept = async function () {
    const { sample, image, ink: text } = ink.published, canvas = document.createElement("canvas");
    canvas.width = canvas.height = 56;
    composite(canvas.getContext("2d"), 56);
    const source = { sample, image, ink: sample || image ? null : await scope.greys.compact(text), label: null };
    return { source, picture: canvas.toDataURL("image/png") };
  };

  /* A picture for dash-canvas; the counter makes equal pictures differ, so that it always starts afresh. */
  const numbered = (url) => url.replace(/^data:image\/(\w+)/, "data:image/$1;show=" + ++shows);

  /* Puts a picture, or white paper, on the canvas, with a pen that shows on it. */
  function present(image) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = FRAME;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, FRAME, FRAME);
    if (image) context.drawImage(image, 0, 0, SIDE, SIDE);
    pen.drawImage(canvas, 0, 0, SIZE, SIZE);
    const edge = pen.getImageData(0, 0, SIZE, 3).data;
    let sum = 0;
    for (let k = 0; k < edge.length; k += 4) sum += edge[k];
    const lineColor = sum / (edge.length / 4) < 128 ? "#ffffff" : "#000000";
    dash_clientside.set_props("canvas", { image_content: numbered(canvas.toDataURL("image/png")), lineColor });
  }

  function show(source) {
    if (source.image && !source.picture) return void read(source);
    current = source;
    dirty = false;
    if (source.picture) {
      const image = new Image();
      image.onload = () => { if (current === source) present(image); };
      image.src = source.picture;
    } else present(null);
    describe();
    publish(source);
  }

  /* The picture of an image of a data set comes as soon as the server has read that. */
  const STORED = new URL("../stored", document.currentScript.src);
  async function read(source) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ image: source.image }) };
    for (current = source; current === source; ) {
      let told;
      try { told = await (await fetch(STORED, options)).json(); } catch (error) { told = { fault: "The Layerscope server does not answer. Start it again, and reload this page." }; }
      if (current !== source) return;
      if (told.picture) return show({ ...source, picture: told.picture, note: told.note });
      if (told.fault) { show(blank); return scope.live.fault(told.fault); }
      const { done, total } = told.reading, note = document.getElementById("sample-note");
      if (note) note.textContent = total ? "Reading " + done.toLocaleString("en") + " of " + total.toLocaleString("en") + " images…" : "Reading the images…";
      await new Promise((go) => setTimeout(go, READING));
    }
  }

  function describe() {
    const note = document.getElementById("sample-note");
    if (note) note.textContent = current.note ? current.note + (current.sample || current.image ? "" : current.label == null ? "" : " Drawn upon.") : "";
    const empty = !current.picture && !current.ink;
    paper().classList.toggle("is-empty", empty);
    for (const [id, stack] of [["undo", past], ["redo", future]]) {
      const button = document.getElementById(id);
      if (button) button.classList.toggle("is-idle", !stack.length);
    }
  }

  function replace(source) {
    past.push(current);
    if (past.length > 50) past.shift();
    future = [];
    show(source);
  }

  function back(from, to) {
    if (!from.length) return;
    to.push(current);
    show(from.pop());
  }

  function strokeBegins(event) {
    if (!event.target.closest("#paper .canvas-container")) return;
    ink.drawing = true;
    scope.jobs.interrupt();
    past.push(current);
    if (past.length > 50) past.shift();
    future = [];
    current = { ...current };
    paper().classList.remove("is-empty");
    dirty = true;
  }

  function strokeEnds() {
    if (!ink.drawing) return;
    ink.drawing = false;
    // dash-canvas moves the stroke to its lower canvas after this event.
    setTimeout(() => {
      current = { ...current, picture: snapshot() };
      dirty = true;
      describe();
      send();
    }, 30);
  }

  for (const name of ["mousedown", "touchstart"]) window.addEventListener(name, strokeBegins, { capture: true, passive: true });
  for (const name of ["mousemove", "touchmove"])
    window.addEventListener(name, () => { if (ink.drawing) { dirty = true; send(); } }, { passive: true });
  for (const name of ["mouseup", "touchend", "touchcancel"]) window.addEventListener(name, strokeEnds, { capture: true });
  window.addEventListener("blur", strokeEnds); // not captured: a button that loses the focus to the paper blurs, too

  window.addEventListener("keydown", (event) => {
    if (event.target.closest("input:not([type=radio], [type=checkbox], [readonly]), textarea, select, [contenteditable]")) return;
    const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    const action =
      command && key === "z" ? (event.shiftKey ? ink.redo : ink.undo) : command && key === "y" ? ink.redo :
      !command && (key === "delete" || key === "backspace") ? ink.clear : null;
    if (action) { event.preventDefault(); action(); }
  });

  ink.undo = () => back(past, future);
  ink.redo = () => back(future, past);
  ink.clear = () => { if (current.picture || current.ink) replace(blank); };

  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  clientside.showPicture = function (source) {
    if (!source) return;
    whenReady(() => {
      if (restored) replace(source);
      else { restored = true; show(source); }
    });
  };
  clientside.undo = ink.undo;
  clientside.redo = ink.redo;
  clientside.clear = ink.clear;
  clientside.brush = (percent) => Math.max(1, Math.round((percent / 100) * SIDE));

  /* dash-canvas arrives in a chunk of its own, after the first callbacks. */
  function whenReady(then) {
    if (layer("lower") && layer("lower").width) then();
    else setTimeout(() => whenReady(then), 30);
  }
})();
