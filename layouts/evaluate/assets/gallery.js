/* The images behind a number: a page of small ones, all from one picture, each a link to itself. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), make = scope.element;
  const { find, post } = scope.page;
  const whole = new Intl.NumberFormat("en"), SHOWS = { all: "right and wrong", right: "right answers", wrong: "mistakes" };
  const ORDERS = { sure: "surest first", unsure: "least sure first", images: "as they come" };
  const SHORT = 3; // letters of a name that fits beside another under a small image
  let wanted = null;

  const filtered = ({ true: truth, predicted, low, high }) => [truth, predicted, low, high].some((each) => each !== undefined);
  /* Without a choice, the mistakes: that is where there is something to learn. */
  page.selection = function (place) {
    const { true: truth, predicted, low, high, order = "sure", page: number = 1 } = place;
    return { id: page.id, true: truth, predicted, low, high, order, page: number, show: place.show || (filtered(place) ? "all" : "wrong") };
  };
  page.toGallery = function () {
    const card = find(".gallery-card"), { top } = card.getBoundingClientRect();
    if (top < 0 || top > window.innerHeight * 0.6) card.scrollIntoView({ behavior: "smooth", block: "start" });
  };

  page.showGallery = async function (place) {
    if (!page.id) return;
    const list = find(".gallery-list"), detail = find(".image-detail"), open = place.image !== undefined;
    list.hidden = open;
    detail.hidden = !open;
    if (open) page.showImage(place);
    else page.hideImage();
    const sent = page.selection(place), key = JSON.stringify([sent, place.normalise]);
    if (key === wanted) return;
    wanted = key;
    try {
      const told = await post("gallery", sent);
      if (key !== wanted) return;
      if (sent.id === page.id) draw(list, place, sent, told);
      else wanted = null; // another snapshot is being evaluated
    } catch (error) {
      wanted = null;
      if (error.message === "404") page.forget();
      else scope.page.fault("The images cannot be fetched; choose again.");
    }
  };

  /* What is shown is another evaluation's. */
  page.clearGallery = function () {
    wanted = null;
    find(".gallery-list").replaceChildren(make("p", { className: "empty-state" }, "Images can be looked at as soon as all of them have been evaluated."));
    find(".gallery-list").hidden = false;
    find(".image-detail").hidden = true;
    page.hideImage();
  };

  /* Words around names, each of which is written in its own direction. */
  page.named = (place) => make("bdi", {}, page.classes[place] ?? String(place));
  function title(sent) {
    const name = page.named, { true: truth, predicted, show } = sent;
    const both = truth !== undefined && predicted !== undefined;
    if (both && truth === predicted) return ["Images of ", name(truth), ", rightly called so"];
    if (both) return ["Images of ", name(truth), ", called ", name(predicted)];
    const kind = { all: "Images", right: "Right answers", wrong: "Mistakes" }[show];
    if (truth !== undefined) return [kind + (show === "all" ? " of " : " on images of "), name(truth)];
    if (predicted !== undefined) return [kind + " called ", name(predicted)];
    return [kind === "Mistakes" && sent.order === "sure" && sent.low === undefined ? "Most confident mistakes" : kind];
  }

  function draw(list, place, sent, told) {
    const choose = (name, label, options, value) => make("label", { className: "field" }, make("span", {}, label),
      make("select", { id: "filter-" + name, onchange: (event) => page.go({ ...page.nothingOpened, show: sent.show, [name]: event.target.value === "" ? null : event.target.value }) },
        ...options.map(([key, words]) => make("option", { value: key, selected: String(key) === String(value ?? "") }, words))));
    const classes = [["", "any"], ...page.classes.map((name, at) => [at, name])];
    const bounded = sent.low !== undefined || sent.high !== undefined;
    const filters = make("div", { className: "filters" },
      choose("true", "Really", classes, sent.true), choose("predicted", "Called", classes, sent.predicted),
      choose("show", "Show", Object.entries(SHOWS), sent.show), choose("order", "Order", Object.entries(ORDERS), sent.order),
      bounded ? make("a", { className: "text-button", href: page.link({ ...page.nothingOpened, low: null, high: null, show: sent.show }), title: "Show every confidence" }, "confidence " + Math.round(100 * (sent.low || 0)) + "–" + Math.round(100 * (sent.high ?? 1)) + "% ×") : null);
    const head = make("div", { className: "section-header" }, make("h2", {}, ...title(sent)), make("span", { className: "note gallery-count" }, whole.format(told.count) + (told.count === 1 ? " image" : " images")));
    const chosenByNobody = page.link({}) === page.link(page.nothingChosen);
    const all = chosenByNobody ? null : make("a", { className: "note back", href: page.link(page.nothingChosen) }, "← Most confident mistakes");
    list.replaceChildren(...[all, head, filters, told.count ? thumbs(told) : nothing(sent), pages(told)].filter(Boolean));
  }
  function nothing(sent) {
    return make("p", { className: "empty-state" }, sent.show === "wrong" && !filtered(sent) ? "Not a single mistake." : "There is no such image.");
  }
  function thumbs(told) {
    const source = "of/" + page.id + "/sprite.png?images=" + told.items.map((item) => item.image).join(",");
    const across = (at, of) => (of > 1 ? (100 * at) / (of - 1) : 0) + "%";
    const long = page.classes.some((name) => name.length > SHORT);
    return make("div", { className: long ? "thumbs has-long-names" : "thumbs" }, ...told.items.map((item, at) => {
      const picture = make("span", { className: "thumb-picture" });
      picture.style.backgroundImage = 'url("' + source + '")';
      picture.style.backgroundSize = 100 * told.columns + "% " + 100 * told.rows + "%";
      picture.style.backgroundPosition = across(at % told.columns, told.columns) + " " + across(Math.floor(at / told.columns), told.rows);
      const words = item.right ? "really " + item.true + ", called so" : "really " + item.true + ", called " + item.predicted;
      return make("a", { className: "thumb " + (item.right ? "is-right" : "is-wrong"), href: page.link({ image: item.image, layer: null }), "aria-label": words + ", " + page.percent(item.confidence) + " sure", title: words },
        picture, make("span", { className: "thumb-words" }, make("bdi", {}, item.true), ...(item.right ? [] : [" → ", make("bdi", {}, item.predicted)])), make("span", { className: "thumb-confidence" }, page.percent(item.confidence)));
    }));
  }
  function pages(told) {
    if (told.pages < 2) return null;
    const step = (to, words) => make("a", { className: "text-button", href: page.link({ page: to === 1 ? null : to }) }, words);
    return make("nav", { className: "pages", "aria-label": "Pages of images" },
      told.page > 1 ? step(told.page - 1, "← Before") : null, make("span", { className: "note" }, "page " + whole.format(told.page) + " of " + whole.format(told.pages)), told.page < told.pages ? step(told.page + 1, "More →") : null);
  }
})();
