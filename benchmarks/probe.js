/* Watches a page from outside, before any of its own code runs: what the pen does, what the page asks the server, and
 * when something on the screen has changed. Times are `performance.now()`.
 *
 * A change counts as painted in the second animation frame after it. What Plotly redraws beneath a picture that covers
 * it changes nothing on the screen and is left out.
 */
(function () {
  "use strict";
  const probe = (window.probe = { events: [], asking: 0, active: 0 });
  const now = () => performance.now();
  const note = (kind, more) => { probe.active = now(); probe.events.push({ kind, at: probe.active, ...more }); };
  performance.setResourceTimingBufferSize(100000);

  let pressed = false;
  const onPaper = (event) => event.target.closest && event.target.closest("#paper");
  window.addEventListener("mousedown", (event) => { if (onPaper(event)) { pressed = true; note("down"); } }, true);
  window.addEventListener("mousemove", (event) => { if (pressed) note("move"); }, true);
  window.addEventListener("mouseup", () => { if (pressed) note("up"); pressed = false; }, true);

  /* The moment at which the page looks at its paper: what the pen does later is not in this ink. */
  probe.taken = () => note("taken");
  const look = CanvasRenderingContext2D.prototype.getImageData;
  CanvasRenderingContext2D.prototype.getImageData = function (x, y, width, height, ...rest) {
    if (width === 140 && height === 140) probe.taken();
    return look.call(this, x, y, width, height, ...rest);
  };

  const ask = window.fetch;
  window.fetch = function (address, options) {
    const answer = ask.apply(this, arguments);
    const body = options && typeof options.body === "string" ? options.body : "";
    if (address === "answer" || body.includes('"output":"echo.children"')) {
      note("sent", { bytes: body.length });
      probe.asking += 1;
      const done = () => { probe.asking -= 1; probe.active = now(); };
      answer.then(done, done);
    }
    return answer;
  };

  let batch = null;
  function changed(what) {
    if (!batch) {
      const mine = (batch = { places: new Set(), at: 0 });
      requestAnimationFrame(() => {
        batch = null;
        requestAnimationFrame(() => note("painted", { changed: mine.at, shown: now(), places: [...mine.places] }));
      });
    }
    batch.places.add(what);
    batch.at = probe.active = now();
  }

  const PLACES = "[data-panel], .answer, [data-stage]";
  const nameOf = (place) => place.dataset.panel || (place.dataset.stage ? "stage " + place.dataset.stage : "answer");
  for (const name of ["drawImage", "putImageData", "fillRect", "clearRect"]) {
    const paint = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function () {
      const place = this.canvas.closest && this.canvas.closest(PLACES);
      if (place) changed(nameOf(place));
      return paint.apply(this, arguments);
    };
  }

  const covered = (place) => place.querySelector("canvas.overlay:not([hidden])");
  new MutationObserver((mutations) => {
    const places = new Set();
    for (const { target } of mutations) {
      const element = target.nodeType === 1 ? target : target.parentElement;
      const place = element && element.closest(PLACES);
      if (place && !element.matches("canvas.overlay")) places.add(place);
    }
    for (const place of places) {
      if (covered(place)) probe.active = now();
      else changed(nameOf(place));
    }
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });

  probe.quiet = (milliseconds) => !probe.asking && now() - probe.active > milliseconds;
  /* What has been noted since the last time, with what the browser itself knows of each request. */
  probe.collect = () => {
    const requests = performance.getEntriesByType("resource").filter((entry) => /\/answer$|_dash-update-component/.test(entry.name));
    const found = { events: probe.events, requests: requests.map((entry) => ({
      begin: entry.startTime, first: entry.responseStart, end: entry.responseEnd, bytes: entry.transferSize })) };
    probe.events = [];
    performance.clearResourceTimings();
    return found;
  };
})();
