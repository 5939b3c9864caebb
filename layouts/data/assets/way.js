/* The way of one image into a network: the latest wish wins, and what has come once is kept. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), known = new Map(), KEPT = 200, REST = 60;
  let wanted = null, last = null, timer = null;
  const brief = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(3));

  function step({ title, words, changes, shape, type, low, high, mean, picture }, index) {
    const make = scope.element;
    return make("li", { className: changes || !index ? "" : "is-idle" },
      make("img", { src: picture, alt: "", className: "way-picture" }),
      make("div", {},
        make("div", { className: "way-title" }, title), make("div", { className: "way-said" }, words),
        make("div", { className: "way-numbers" }, shape.join("×") + " · " + type + " · " + brief(low) + " to " + brief(high) + ", mean " + brief(mean))));
  }
  function fill(told) {
    const place = document.querySelector(".way"), said = document.querySelector(".way-words");
    said.textContent = told ? told.fault || "Image " + scope.page.whole(told.index) + ", " + told.name + ". Point at another one to follow that." : "Point at an image to follow it into the network.";
    if (place) place.replaceChildren(...(told && told.steps ? told.steps.map(step) : []));
  }
  async function load(path, key) {
    try {
      if (!known.has(key)) known.set(key, await (await fetch(path)).json());
      if (known.size > KEPT) known.delete(known.keys().next().value);
      if (wanted === key) fill(known.get(key));
    } catch (error) { /* the page says that the server does not answer */ }
  }

  scope.way = {
    /* `index` null: the image that is shown already, in another network. */
    show(facts, index, network) {
      clearTimeout(timer);
      if (!facts) { wanted = last = null; return fill(null); }
      last = index ?? last;
      if (last === null) return fill(null);
      const path = "steps/" + facts.id + "/" + last + "?" + new URLSearchParams(network), key = path;
      if (key === wanted) return;
      wanted = key;
      timer = setTimeout(load, known.has(key) ? 0 : REST, path, key);
    },
  };
})();
