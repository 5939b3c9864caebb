/* The images that a model is most confidently wrong about at one point; each leads to the page one draws on. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), whole = "worst";
  let place = null, shown = "", wanted = "";

  function frame(close) {
    const make = scope.element;
    const title = make("h3", { tabIndex: -1 }), words = make("p", { className: "note" }), list = make("div", { className: "worst-list" });
    const button = make("button", { type: "button", className: "tool icon icon-remove", "aria-label": "Close the worst images", title: "Close", onclick: close });
    return { whole: make("section", { className: "card worst", "aria-label": "Worst images" }, make("div", { className: "section-header" }, title, button), words, list), title, words, list };
  }
  function entry(told, mistake, i, point) {
    const make = scope.element, numbers = told.worst.map((each) => each.number).join(","), count = told.worst.length;
    const base = "/" + point.data + "/" + point.disturbance + "/" + point.strength, tile = make("span", { className: "tile" });
    tile.style.aspectRatio = told.tile.width + " / " + told.tile.height;
    tile.style.backgroundImage = "url(pictures" + base + ".png?numbers=" + numbers + ")";
    tile.style.backgroundSize = 100 * count + "% 100%";
    tile.style.backgroundPosition = (count > 1 ? (100 * i) / (count - 1) : 0) + "% 0";
    const words = "Image " + mistake.index + ": a " + mistake.label + " taken for " + mistake.predicted + " with " + (100 * mistake.confidence).toFixed(0) + " %";
    return make("a", { className: "worst-image", href: "look" + base + "/" + mistake.number + "?" + new URLSearchParams({ network: point.network }), title: words, "aria-label": words },
      tile, make("span", { className: "worst-words" }, make("b", { dir: "auto" }, mistake.label), " → ", make("b", { className: "is-wrong", dir: "auto" }, mistake.predicted)), make("span", { className: "note" }, (100 * mistake.confidence).toFixed(0) + " %"));
  }

  scope.worst = {
    /* `point`: data, network, disturbance, strength; `after` is the chart that was clicked. Gives whether it was shown. */
    async show({ point, sent, titles, after, close, focus, count }) {
      if (!point) { place?.whole.remove(); shown = wanted = ""; return; }
      place = place || frame(() => place.close());
      place.close = close;
      if (place.whole.previousSibling !== after) after.after(place.whole);
      const key = JSON.stringify([point, sent, count]);
      if (key === wanted && !focus) return; // nothing more is known of this point
      wanted = key;
      let told;
      try { told = await scope.page.post("worst", { ...sent, ...point, strength: String(point.strength) }); } catch (error) { wanted = ""; return; }
      if (key !== wanted || told.fault) return;
      place.title.textContent = titles.disturbance + " " + point.strength + " " + titles.unit + " · " + titles.network;
      const wrong = told.count - told.right, percent = scope.chart.percent;
      place.words.textContent = !told.count ? "Not measured yet." : "Right about " + percent(told.accuracy) + " of " + scope.page.count(told.count, "image") + ", which makes between " + percent(told.interval[0]) + " and " + percent(told.interval[1]) + " likely. " + (wrong ? "Its most confident mistakes of " + scope.page.whole(wrong) + "; a click opens one as the model got it." : "It makes no mistake here.");
      const state = JSON.stringify([point, told.worst]);
      if (state !== shown) {
        shown = state;
        place.list.replaceChildren(...(told.worst || []).map((mistake, i) => entry(told, mistake, i, point)));
      }
      if (focus) { place.title.focus({ preventScroll: true }); place.whole.scrollIntoView({ block: "nearest", behavior: "smooth" }); }
    },
  };
})();
