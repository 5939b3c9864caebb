/* The figures, and what a click in them means: a cell of the matrix, or a bin of confidence. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), make = scope.element;
  const { find } = scope.page;
  const WAYS = { counts: "images", rows: "% of row", columns: "% of column" };

  const clicked = {
    matrix: ([, , truth, answer]) => page.go({ ...page.nothingChosen, true: truth, predicted: answer }),
    confidence: ([low, high, show]) => page.go({ ...page.nothingChosen, low, high, show }),
    reliability: ([low, high]) => page.go({ ...page.nothingChosen, low, high, show: "all" }),
  };

  page.draw = function (figures) {
    for (const [id, figure] of Object.entries(figures)) {
      // The place decides how high a figure is.
      const { height, ...layout } = figure.layout;
      if (id === "matrix" && window.innerWidth < 560) for (const trace of figure.data) if (trace.textfont) trace.textfont.size = 8;
      window.dash_clientside.set_props(id, { figure: { ...figure, layout: { ...layout, autosize: true } } });
      listen(id);
    }
  };
  /* Dash tells of a click only if it is another one than before; Plotly tells of every one. */
  function listen(id) {
    if (!clicked[id]) return;
    const plot = find("#" + id + " .js-plotly-plot");
    if (!plot || !plot.on) return void setTimeout(() => listen(id), 50);
    if (plot.dataset.listens) return;
    plot.dataset.listens = "yes";
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
