/* What the page shows stands in the address: links lead to places, and the browser's back button leads back. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {});
  const NUMBERS = ["true", "predicted", "page", "image"], SHARES = ["low", "high"];
  const NAMES = ["model", "backend", "data", "normalise", ...NUMBERS, ...SHARES, "show", "order", "layer"];
  const KEPT = "layerscope-evaluate";

  page.percent = (share) => (100 * share).toFixed(2) + "%";

  /* The place, with numbers as numbers; what cannot be one counts as not said. */
  page.place = function () {
    const query = new URLSearchParams(location.hash.slice(1)), found = {};
    for (const name of NAMES) {
      const text = query.get(name);
      if (text === null || text === "") continue;
      if (NUMBERS.includes(name)) { if (/^\d{1,9}$/.test(text)) found[name] = Number(text); }
      else if (SHARES.includes(name)) { if (Number(text) >= 0 && Number(text) <= 1) found[name] = Number(text); }
      else found[name] = text;
    }
    return found;
  };
  page.link = function (changes) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...page.place(), ...changes })) if (value !== null && value !== undefined) query.set(name, value);
    return "#" + query;
  };
  page.go = (changes) => { location.hash = page.link(changes); };
  /* Another set of images to look at begins on its first page, with none of them opened. */
  page.nothingOpened = { page: null, image: null, layer: null };
  page.nothingChosen = { true: null, predicted: null, low: null, high: null, show: null, order: null, ...page.nothingOpened };

  /* Whoever comes back by a link without a place comes to where they were. */
  page.recall = function () {
    try {
      if (location.hash.length > 1) sessionStorage.setItem(KEPT, location.hash);
      else if (sessionStorage.getItem(KEPT)) history.replaceState(history.state, "", sessionStorage.getItem(KEPT));
    } catch (error) { /* private windows */ }
  };
})();
