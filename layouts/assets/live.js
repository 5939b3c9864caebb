/* Puts answers on the screen.
 *
 * Plotly takes about ten milliseconds to redraw even a small figure, too long for fifteen of them under a moving pen. So
 * while the pen moves, heat maps and bars are painted straight from the figure's numbers into a canvas over the plot, in
 * the place and the colours that Plotly gave them; once the pen rests, Plotly draws the very same figures and the
 * canvases go. Whatever this painter does not know, Plotly draws when there is time.
 */
(function () {
  "use strict";
  const REST = 220;
  const scope = (window.layerscope = window.layerscope || {});
  const live = (scope.live = { panels: {}, painted: 0 });

  live.shown = () => Object.fromEntries(Object.entries(live.panels).map(([id, panel]) => [id, panel.key]));

  const section = (id) => document.querySelector('[data-panel="' + id + '"]');
  const plotOf = (id) => section(id) && section(id).querySelector(".js-plotly-plot");
  const figureId = (id) => ({ panel: id, type: "figure" });

  /* The painter's canvas over a panel's plot */
  function overlay(panel, plot) {
    const body = plot.closest(".panel-body");
    let canvas = body.querySelector("canvas.overlay");
    if (!canvas) {
      canvas = document.createElement("canvas");
      canvas.className = "overlay";
      body.appendChild(canvas);
    }
    const width = plot.clientWidth, height = plot.clientHeight, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = width + "px";
      canvas.style.height = height + "px";
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = background;
    context.fillRect(0, 0, width, height);
    canvas.hidden = false;
    return context;
  }
  function uncover(id) {
    const canvas = section(id) && section(id).querySelector("canvas.overlay");
    if (canvas) canvas.hidden = true;
  }

  const sheets = new WeakMap();
  function paintHeatmap(plot, context, trace) {
    const full = plot._fullData[0], xaxis = plot._fullLayout.xaxis, yaxis = plot._fullLayout.yaxis;
    if (!sheets.has(plot)) sheets.set(plot, new OffscreenCanvas(1, 1));
    const sheet = sheets.get(plot);
    scope.arrays.heatmap(sheet, trace, full.colorscale);
    const left = xaxis._offset + xaxis.l2p(-0.5), right = xaxis._offset + xaxis.l2p(sheet.width - 0.5);
    const top = yaxis._offset + yaxis.l2p(-0.5), bottom = yaxis._offset + yaxis.l2p(sheet.height - 0.5);
    context.save();
    context.beginPath();
    context.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length);
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(sheet, left, top, right - left, bottom - top);
    outline(context, plot, xaxis, yaxis);
    context.restore();
  }

  function outline(context, plot, xaxis, yaxis) {
    for (const shape of plot._fullLayout.shapes || []) {
      if (shape.type !== "rect" || shape.xref !== "x" || shape.yref !== "y") continue;
      const x = xaxis._offset + xaxis.l2p(shape.x0), y = yaxis._offset + yaxis.l2p(shape.y0);
      context.strokeStyle = shape.line.color;
      context.lineWidth = shape.line.width;
      context.strokeRect(x, y, xaxis._offset + xaxis.l2p(shape.x1) - x, yaxis._offset + yaxis.l2p(shape.y1) - y);
    }
  }

  function paintBars(plot, context, trace, layout) {
    const xaxis = plot._fullLayout.xaxis, yaxis = plot._fullLayout.yaxis, across = trace.orientation === "h";
    const values = scope.arrays.numbers(across ? trace.x : trace.y).values, colour = (trace.marker || {}).color;
    const along = across ? xaxis : yaxis, other = across ? yaxis : xaxis;
    const [low, high] = (across ? layout.xaxis : layout.yaxis).range;
    const to = (value) => (across ? (value - low) / (high - low) : 1 - (value - low) / (high - low)) * along._length + along._offset;
    const zero = to(Math.max(low, Math.min(high, 0)));
    const thick = Math.abs(other.l2p(1) - other.l2p(0)) * (1 - (plot._fullLayout.bargap || 0.2));
    for (let i = 0; i < values.length; i++) {
      context.fillStyle = (Array.isArray(colour) ? colour[i] : colour) || "#0072B2";
      const middle = other._offset + other.l2p(i), end = to(values[i]);
      if (across) context.fillRect(Math.min(zero, end), middle - thick / 2, Math.abs(end - zero), thick);
      else context.fillRect(middle - thick / 2, Math.min(zero, end), thick, Math.abs(end - zero));
    }
    context.fillStyle = foreground;
    context.font = "11px system-ui, sans-serif";
    ticks(context, plot, other, across);
    if (!across) ends(context, layout, to, yaxis);
    return true;
  }

  function ticks(context, plot, axis, across) {
    for (const tick of axis._vals || []) {
      if (!tick.text || tick.minor) continue;
      const at = axis._offset + axis.l2p(tick.x);
      context.textAlign = across ? "right" : "center";
      context.textBaseline = across ? "middle" : "top";
      const area = plot._fullLayout._size;
      const words = String(tick.text).replace(/<[^>]*>/g, "");
      if (across) context.fillText(words, area.l - 4, at);
      else context.fillText(words, at, area.t + area.h + 4);
    }
  }

  function ends(context, layout, to, yaxis) {
    const area = yaxis._offset, { tickvals, ticktext } = layout.yaxis;
    context.textAlign = "right";
    context.textBaseline = "middle";
    (tickvals || []).forEach((value, i) => context.fillText(ticktext[i], 40, Math.max(area + 4, to(value))));
  }
  const brief = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");
  scope.brief = brief;

  /* Whether the painter can show this figure in the place of the one that Plotly drew last. */
  function paintable(plot, figure) {
    const trace = figure.data[0], old = plot && plot._fullData && plot._fullData[0];
    if (!old || figure.data.length !== 1 || old.type !== trace.type || !plot._fullLayout || !plot._fullLayout.xaxis) return false;
    if (plot._fullLayout.uirevision !== figure.layout.uirevision) return false;
    if (JSON.stringify(plot.layout.shapes || []) !== JSON.stringify(figure.layout.shapes || [])) return false;
    if (trace.type === "heatmap") return trace.zmin !== undefined && same(old._input.z, trace.z) && sameColours(old, trace);
    return trace.type === "bar" && !trace.text && Array.isArray((trace.orientation === "h" ? figure.layout.xaxis : figure.layout.yaxis || {}).range);
  }
  const same = (one, other) => one && other && String(one.shape) === String(other.shape);
  const sameColours = (old, trace) => JSON.stringify(old._input.colorscale) === JSON.stringify(trace.colorscale);

  function paintFast(id, figure) {
    const plot = plotOf(id);
    if (!plot || !paintable(plot, figure)) return false;
    const context = overlay(id, plot);
    if (figure.data[0].type === "heatmap") paintHeatmap(plot, context, figure.data[0]);
    else paintBars(plot, context, figure.data[0], figure.layout);
    return true;
  }

  /* Plotly's turn: at once where the painter cannot help, else when the pen rests. */
  let resting = null;
  const waiting = new Map();

  function plotLater(id, figure) {
    waiting.set(id, figure);
    clearTimeout(resting);
    resting = setTimeout(catchUp, REST);
  }
  function catchUp() {
    if (scope.ink.drawing || scope.ink.busy || scope.snapshots.going) {
      resting = setTimeout(catchUp, REST);
      return;
    }
    const [first] = waiting;
    if (!first) return;
    waiting.delete(first[0]);
    plotNow(first[0], first[1]);
    requestAnimationFrame(() => setTimeout(catchUp, 0));
  }
  live.plotNow = plotNow;
  live.legend = (place, figure) => scope.arrays.legend(place.querySelector(".panel-legend"), (figure.layout.meta || {}).legend);
  function plotNow(id, figure) {
    waiting.delete(id);
    if (!section(id)) return; // the panel has gone in the meantime
    const graph = plotOf(id);
    const done = () => {
      if (!section(id)) return;
      const plot = plotOf(id);
      if (!plot || !plot.on || !plot._fullLayout) return setTimeout(done, 50); // a busy browser may take seconds to begin
      if (!waiting.has(id)) uncover(id);
      section(id).classList.add("has-figure");
      listen(plot);
    };
    if (graph && graph.once) graph.once("plotly_afterplot", done);
    else setTimeout(done, 50);
    dash_clientside.set_props(figureId(id), { figure });
  }

  function listen(plot) {
    if (plot._layerscope) return;
    plot._layerscope = true;
    plot.on("plotly_hover", (event) => scope.pointer.hovered(plot, event));
    plot.on("plotly_unhover", () => scope.pointer.left());
    plot.on("plotly_click", (event) => scope.pointer.clicked(plot, event));
  }

  let background = "#fff", foreground = "#000";
  function readColours() {
    const panel = document.querySelector(".panel");
    if (panel) ({ backgroundColor: background, color: foreground } = getComputedStyle(panel));
  }

  function paintPanel(id, part, byPen) {
    const place = section(id);
    if (!place) return true;
    const panel = (live.panels[id] = live.panels[id] || {});
    const arrived = part.withheld !== undefined || part.on_request || part.figure;
    if (!arrived) return panel.key === part.key;
    panel.key = part.key;
    scope.jobs.forget(id);
    place.classList.toggle("is-withheld", part.withheld !== undefined);
    place.classList.toggle("is-on-request", !!part.on_request);
    if (part.withheld !== undefined) scope.say(place, part.withheld, scope.remedy(id, part.remedy));
    if (part.on_request) scope.jobs.offer(id);
    else if (part.withheld === undefined) scope.jobs.remark(id);
    if (!scope.ink.drawing) cost(place.querySelector(".panel-cost"), part.cost || "");
    if (!part.figure) {
      place.querySelector(".panel-legend").replaceChildren();
      waiting.delete(id);
      uncover(id);
      return true;
    }
    if (part.height && place.classList.contains("panel-wide")) place.style.setProperty("--natural", part.height + "px");
    const plot = plotOf(id), drawn = plot && plot._fullData && plot._fullData.length;
    if (paintFast(id, part.figure) || (byPen && drawn)) plotLater(id, part.figure);
    else plotNow(id, part.figure);
    return true;
  }

  /* Time and memory; a narrow panel has room for the time only. */
  function cost(place, words) {
    const [time, ...rest] = words.split(" · "), peak = document.createElement("span");
    peak.className = "peak";
    peak.textContent = rest.length ? " · " + rest.join(" · ") : "";
    place.replaceChildren(time, peak);
    place.title = words && "Drawing this took " + words;
  }

  /* The drawing column */
  function paintStage(stage) {
    const place = document.querySelector('[data-stage="' + stage.name + '"]');
    if (!place) return;
    scope.arrays.grey(place.querySelector("canvas"), stage.pixels);
    place.querySelector(".stage-note").textContent = stage.note;
  }

  function paintAnswer(data) {
    const card = document.querySelector(".answer"), prediction = data.prediction, subject = data.subject;
    const set = (name, text) => { const place = card.querySelector("." + name); if (place.textContent !== text) place.textContent = text; };
    set("subject-note", subject.title + ", " + subject.parameters.toLocaleString("en") + " parameters");
    const bars = card.querySelector(".bars");
    if (bars.children.length !== subject.classes.length) bars.replaceChildren(...subject.classes.map(bar));
    const probabilities = prediction ? prediction.probabilities : subject.classes.map(() => 0);
    const best = probabilities.indexOf(Math.max(...probabilities)), label = prediction ? prediction.label : null;
    card.dataset.verdict = !prediction ? "none" : label == null ? "open" : best === label ? "right" : "wrong";
    set("digit", prediction ? subject.classes[best] : "–");
    set("verdict", !prediction ? "Draw a digit" : label == null ? "is what the network sees" : best === label ? "✓ right" : "✗ wrong: this is a " + subject.classes[label]);
    set("confidence", prediction ? percent(probabilities[best]) + " confident" : "The network answers while you draw.");
    probabilities.forEach((value, i) => {
      const row = bars.children[i];
      row.classList.toggle("is-best", !!prediction && i === best);
      row.classList.toggle("is-label", prediction && i === label);
      row.children[1].firstChild.style.transform = "scaleX(" + value + ")";
      row.children[2].textContent = prediction ? percent(value) : "";
    });
  }
  const percent = (value) => (value > 0.9995 && value < 1 ? ">99.9" : (100 * value).toFixed(1)) + " %";
  function bar(name) {
    const row = document.createElement("div");
    row.className = "bar";
    row.innerHTML = "<span class='bar-name'></span><span class='bar-track'><span class='bar-fill'></span></span><span class='bar-value'></span>";
    row.firstChild.textContent = name;
    return row;
  }

  live.fault = function (text) {
    dash_clientside.set_props("notice-text", { children: text });
    dash_clientside.set_props("notice", { hide: false });
  };

  let previous = {}, faulted = false;
  live.paint = function (data) {
    if (data.fault) live.fault(data.fault);
    else if (faulted) dash_clientside.set_props("notice", { hide: true });
    faulted = !!data.fault;
    if (!data.panels)
      for (const message of document.querySelectorAll(".panel:not(.has-figure) .panel-message")) {
        scope.say(message.closest(".panel"), "Nothing to show; the message above says why.");
        message.closest(".panel").classList.add("is-withheld");
      }
    if (data.panels) {
      const byPen = previous.backend === data.subject.backend && previous.model === data.subject.model && (scope.ink.drawing || scope.snapshots.moving);
      readColours();
      scope.beside.told(data);
      // An answer that was overtaken may have taken a figure with it; then this one refers to what is not here.
      const parts = Object.entries(data.panels), missing = parts.filter(([id, part]) => !paintPanel(id, part, byPen));
      for (const [id, part] of parts) if (part.figure && section(id)) live.legend(section(id), part.figure);
      for (const id of Object.keys(live.panels)) if (!data.panels[id]) delete live.panels[id];
      for (const [id] of missing) delete live.panels[id];
      if (missing.length) scope.ink.again();
      for (const stage of data.stages) paintStage(stage);
      paintAnswer(data);
      const title = document.querySelector(".panels-title");
      if (title) title.textContent = data.subject.title;
      previous = data.subject;
      scope.selected = data.selected;
      if (!scope.ink.drawing) scope.selection.show(data);
    }
    live.painted += 1;
    live.paintedAt = performance.now();
    scope.loading.done();
    requestAnimationFrame(() => requestAnimationFrame(() => { live.visibleAt = performance.now(); scope.ink.painted(data.serial); }));
  };
})();
