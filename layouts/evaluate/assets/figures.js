/* The figures, and what a click in them means: a cell of the matrix, or a bin of confidence. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), make = scope.element;
  const { find } = scope.page;
  const REST = 250;
  const WAYS = { counts: "images", rows: "% of row", columns: "% of column" };

  const shown = {};
  let marked = null;

  const clicked = {
    matrix: ([, , truth, answer]) => page.go({ ...page.nothingChosen, true: truth, predicted: answer }),
    confidence: ([low, high, show]) => page.go({ ...page.nothingChosen, low, high, show }),
    reliability: ([low, high]) => page.go({ ...page.nothingChosen, low, high, show: "all" }),
  };

  /* While one moves through a training, figures out of sight wait for rest. */
  const waiting = new Map();
  let resting = null;
  page.undrawn = new Set(); // what Plotly is drawing
  page.draw = function (figures) {
    for (const [id, figure] of Object.entries(figures)) waiting.set(id, figure);
    catchUp();
  };
  /* A frame around the chosen cell, row or column of the matrix, and the same cell in the lists beside it. */
  page.mark = function ({ true: truth, predicted }) {
    const key = truth + " " + predicted;
    if (!shown.matrix || key === marked) return;
    marked = key;
    const { classes } = shown.matrix.layout.meta, all = [-0.5, classes.length - 0.5];
    const side = (place) => (place === undefined ? all : classes.includes(place) ? [classes.indexOf(place) - 0.5, classes.indexOf(place) + 0.5] : null);
    const across = side(predicted), down = side(truth), none = !across || !down || (across === all && down === all);
    const shapes = none ? [] : [{ type: "rect", x0: across[0], x1: across[1], y0: down[0], y1: down[1], fillcolor: "rgba(0,0,0,0)", line: { width: 3 } }];
    page.undrawn.add("matrix");
    window.dash_clientside.set_props("matrix", { figure: { ...shown.matrix, layout: { ...shown.matrix.layout, shapes } } });
    for (const link of document.querySelectorAll("[data-cell]")) link.setAttribute("aria-current", link.dataset.cell === key);
  };
  function catchUp() {
    clearTimeout(resting);
    for (const [id, figure] of waiting) {
      if (page.line.moving && !inView(id)) continue;
      waiting.delete(id);
      plot(id, figure);
    }
    if (waiting.size) resting = setTimeout(catchUp, REST);
  }
  function inView(id) {
    const { top, bottom } = find("#" + id).getBoundingClientRect();
    return bottom > 0 && top < window.innerHeight;
  }
  function plot(id, figure) {
    // The place decides how high a figure is.
    const { height, ...layout } = figure.layout;
    if (id === "matrix" && window.innerWidth < 560) for (const trace of figure.data) if (trace.textfont) trace.textfont.size = 8;
    shown[id] = { ...figure, layout: { ...layout, autosize: true } };
    if (clicked[id]) page.undrawn.add(id);
    if (id === "matrix") { marked = null; page.mark(page.place()); }
    else window.dash_clientside.set_props(id, { figure: shown[id] });
    listen(id);
  }
  /* Dash tells of a click only if it is another one than before; Plotly tells of every one. */
  function listen(id) {
    if (!clicked[id]) return;
    const plot = find("#" + id + " .js-plotly-plot");
    if (!plot || !plot.on) return void setTimeout(() => listen(id), 50);
    if (plot.dataset.listens) return;
    plot.dataset.listens = "yes";
    page.undrawn.delete(id);
    plot.on("plotly_afterplot", () => page.undrawn.delete(id));
    plot.on("plotly_click", (event) => {
      const told = event.points[0] && event.points[0].customdata;
      if (!told || !page.id) return;
      clicked[id]([...told]);
      page.toGallery();
    });
  }

  page.showNormalise = function (now) {
    const place = find(".normalise");
    if (!place.childElementCount) {
      place.append(...Object.entries(WAYS).map(([way, words]) => make("button", { type: "button", className: "text-button", "data-way": way, onclick: () => page.go({ normalise: way === "counts" ? null : way }) }, words)));
    }
    for (const each of place.children) each.setAttribute("aria-pressed", each.dataset.way === now);
  };
})();
