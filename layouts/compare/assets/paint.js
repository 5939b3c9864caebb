/* Puts figures into the cells of the compare page.
 *
 * Mosaics and bars are painted straight from their numbers, a pixel for a value, and the browser enlarges them: with
 * four networks there are eighty of them for every stroke. Whatever else a view may be, Plotly draws once the pen rests.
 */
(function () {
  "use strict";
  const REST = 220, BARS_LEFT = 34;
  const scope = (window.layerscope = window.layerscope || {});
  const paint = (scope.paint = {});

  /* The stops of a figure's scale, or of its legend where the scale is only named. */
  const stopsOf = (figure) => {
    const { colorscale } = figure.data[0], { colours } = legendOf(figure);
    return Array.isArray(colorscale) ? colorscale : colours.map((colour, i) => [i / (colours.length - 1), colour]);
  };
  const legendOf = (figure) => (figure.layout.meta || {}).legend;
  const isMosaic = (figure) => figure.data.length === 1 && figure.data[0].type === "heatmap" && legendOf(figure) && figure.data[0].zmin !== undefined && (figure.layout.shapes || []).every((shape) => shape.type === "rect");
  const isBars = (figure) => figure.data.length === 1 && figure.data[0].type === "bar" && !!(figure.layout.meta || {}).bars && ((figure.layout.yaxis || {}).range || []).length === 2;

  function canvasIn(body) {
    let canvas = body.querySelector(":scope > canvas");
    if (!canvas) {
      clear(body);
      canvas = document.createElement("canvas");
      body.append(canvas);
    }
    return canvas;
  }
  function clear(body) {
    const plot = body.querySelector(".js-plotly-plot");
    if (plot && window.Plotly) window.Plotly.purge(plot);
    body.replaceChildren();
  }

  function mosaic(body, figure) {
    const canvas = canvasIn(body);
    scope.arrays.heatmap(canvas, figure.data[0], stopsOf(figure));
    canvas.className = "mosaic";
    canvas.style.aspectRatio = canvas.width + " / " + canvas.height;
    frames(body, figure, canvas);
  }

  /* Frames around a tile or a pixel, in a picture that is enlarged exactly as the mosaic below it. */
  function frames(body, figure, { width, height }) {
    const shapes = figure.layout.shapes || [], svg = (name, values) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
      return made;
    };
    body.querySelector("svg")?.remove();
    if (!shapes.length) return;
    const place = svg("svg", { class: "mosaic frames", viewBox: "-0.5 -0.5 " + width + " " + height, style: "aspect-ratio: " + width + " / " + height });
    place.append(...shapes.map(({ x0, x1, y0, y1, line }) => svg("rect", { x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0), stroke: line.color, "stroke-width": line.width })));
    body.append(place);
  }

  function bars(body, figure) {
    const canvas = canvasIn(body), ratio = window.devicePixelRatio || 1, height = 120;
    canvas.className = "bars-picture"; // before it is measured: a new canvas is wider than its place
    const width = body.clientWidth || 240;
    canvas.width = Math.round(width * ratio);
    canvas.height = height * ratio;
    const context = canvas.getContext("2d"), { values } = scope.arrays.numbers(figure.data[0].y), [low, high] = figure.layout.yaxis.range;
    context.scale(ratio, ratio);
    const names = (figure.layout.xaxis || {}).ticktext, left = BARS_LEFT, below = names ? 16 : 4, tall = height - below - 8;
    const at = (value) => 8 + tall * (1 - (value - low) / (high - low || 1)), thick = (width - left) / (values.length || 1);
    const chosen = (figure.layout.shapes || []).map((shape) => Math.round((shape.x0 + shape.x1) / 2));
    body.querySelector("svg")?.remove();
    for (let i = 0; i < values.length; i++) {
      context.fillStyle = chosen.includes(i) ? "#ffb000" : "#0072B2";
      const from = at(0), to = at(values[i]);
      context.fillRect(left + i * thick + thick * 0.08, Math.min(from, to), Math.max(thick * 0.84, 0.5), Math.abs(to - from));
    }
    context.fillStyle = getComputedStyle(body).color;
    context.font = "10px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    const { tickvals, ticktext } = figure.layout.yaxis;
    (tickvals || []).forEach((value, i) => context.fillText(ticktext[i], left - 4, Math.min(at(value), height - below)));
    context.textAlign = "center";
    (names || []).forEach((name, i) => context.fillText(name, left + (i + 0.5) * thick, height - 7));
  }

  /* Plotly's turn, when the pen rests. */
  const waiting = new Map();
  let resting = null;
  function later(body, figure, height) {
    waiting.set(body, { figure, height });
    clearTimeout(resting);
    resting = setTimeout(catchUp, REST);
  }
  function catchUp() {
    if (scope.ink.drawing || scope.ink.busy || scope.compare.line.going || !window.Plotly) return void (resting = setTimeout(catchUp, REST));
    const [next] = waiting;
    if (!next) return;
    waiting.delete(next[0]);
    if (next[0].isConnected) plot(next[0], next[1].figure, next[1].height);
    requestAnimationFrame(() => setTimeout(catchUp, 0));
  }
  function plot(body, figure, height) {
    let place = body.querySelector(".plot");
    if (!place) {
      clear(body);
      place = document.createElement("div");
      place.className = "plot";
      body.append(place);
    }
    place.style.height = Math.min(height || 240, 640) + "px";
    window.Plotly.react(place, figure.data, { ...figure.layout, autosize: true }, { displayModeBar: false, responsive: true });
  }

  paint.figure = function (cell, part) {
    const body = cell.querySelector(".cell-body"), figure = part.figure;
    waiting.delete(body);
    cell.figure = figure;
    if (isMosaic(figure)) mosaic(body, figure);
    else if (isBars(figure)) bars(body, figure);
    else later(body, figure, part.height);
    scope.arrays.legend(cell.querySelector(".panel-legend"), legendOf(figure));
  };
  /* The unit under the pointer, where the figure tells of one. */
  paint.unitAt = function (event, figure) {
    const { left, top, width, height } = event.target.getBoundingClientRect(), { tiles, bars } = figure.layout.meta || {};
    if (bars) return Math.floor(((event.clientX - left - BARS_LEFT) / (width - BARS_LEFT)) * scope.arrays.numbers(figure.data[0].y).values.length);
    if (!tiles) return -1;
    const canvas = event.target, scale = Math.min(width / canvas.width, height / canvas.height);
    const [x, y] = [event.clientX - left - (width - scale * canvas.width) / 2, event.clientY - top - (height - scale * canvas.height) / 2].map((each) => each / scale);
    const unit = Math.floor(y / (tiles.height + tiles.gap)) * tiles.columns + Math.floor(x / (tiles.width + tiles.gap));
    return x < 0 || x >= canvas.width || unit >= tiles.units ? -1 : unit;
  };
  paint.message = function (cell, words, button) {
    const body = cell.querySelector(".cell-body"), place = document.createElement("p");
    waiting.delete(body);
    clear(body);
    place.className = "cell-message";
    place.textContent = words;
    body.append(place, ...(button ? [button] : []));
    scope.arrays.legend(cell.querySelector(".panel-legend"), null);
  };
  paint.waits = () => waiting.size;
})();
