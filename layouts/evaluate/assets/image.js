/* One image: what it is, what was answered, the way to its inside, and what the network takes for similar. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), make = scope.element;
  const { find, post } = scope.page;
  const whole = new Intl.NumberFormat("en"), SOON = 250;
  let shown = null, searched = null, timer = null, layers = null;

  page.hideImage = function () { clearTimeout(timer); shown = searched = null; };

  page.showImage = async function (place) {
    const key = page.id + " " + place.image;
    if (key !== shown) {
      shown = key;
      searched = null;
      let told;
      try {
        told = await post("image", { id: page.id, image: place.image });
      } catch (error) {
        if (error.message === "404") page.forget();
        else told = { fault: "This image cannot be fetched; open it again." };
      }
      if (key !== shown || !told) return;
      if (key !== page.id + " " + place.image) return void (shown = null); // another snapshot is being evaluated
      draw(told);
    }
    search(page.place());
  };

  function draw(told) {
    const back = make("a", { className: "note back", href: page.link({ image: null, layer: null }) }, "← Back to the images");
    const place = find(".image-detail");
    if (told.fault) return void place.replaceChildren(back, make("p", { className: "empty-state" }, told.fault));
    const verdict = ["It is ", make("bdi", {}, told.true), ...(told.right ? [", and the model says so."] : [", and the model says ", make("bdi", {}, told.predicted), "."])];
    const bars = told.probabilities.map((each) => {
      const bar = make("span", { className: "bar-fill" });
      bar.style.transform = "scaleX(" + each.share + ")";
      return make("div", { className: "bar" + (each.class === told.true ? " is-label" : "") + (each.class === told.predicted ? " is-best" : "") },
        make("span", { className: "bar-name" }, each.class), make("span", { className: "bar-track" }, bar), make("span", { className: "bar-value" }, page.percent(each.share)));
    });
    layers = make("select", { id: "field-layer" }, ...told.layers.map((name) => make("option", { value: name, selected: name === (page.place().layer || told.layer) }, name)));
    const again = make("button", { type: "button", className: "text-button find-nearest", onclick: () => (page.place().layer === layers.value ? search(page.place(), true) : page.go({ layer: layers.value })) }, "Find them");
    place.replaceChildren(back,
      make("div", { className: "detail-top " + (told.right ? "is-right" : "is-wrong") },
        make("img", { className: "detail-picture", src: "of/" + page.id + "/" + told.image + ".png", alt: "Image " + told.image + " of " + told.title }),
        make("div", { className: "detail-words" }, make("h2", {}, ...verdict), make("p", { className: "note" }, "Image " + whole.format(told.image) + " of " + told.title), make("div", { className: "detail-bars" }, ...bars))),
      make("a", { className: "primary-button look-inside", href: told.link }, "Look inside: what every layer answers, and why"),
      make("section", { className: "nearest", "aria-label": "Nearest training images" },
        make("h3", {}, "Which training images does the network take for similar?"),
        make("p", { className: "note" }, "All training images are passed through the network, and those to which a layer answers most alike are shown. Early layers go by strokes and places, late ones by what it takes the image for."),
        make("div", { className: "nearest-form" }, make("label", { className: "field" }, make("span", {}, "Layer"), layers), again),
        make("div", { className: "evaluation-bar nearest-bar", role: "progressbar", "aria-label": "Progress", hidden: true }, make("div")),
        make("p", { className: "note nearest-words", role: "status" }), make("div", { className: "thumbs nearest-images" })));
  }

  function search(place, anew) {
    const key = shown + " " + place.layer;
    if (!place.layer) { clearTimeout(timer); searched = null; tellNone(); return; }
    if (layers) layers.value = place.layer;
    if (key === searched && !anew) return;
    searched = key;
    ask(key, place, true);
  }
  function tellNone() {
    if (!find(".nearest-words")) return;
    find(".nearest-words").textContent = "";
    find(".nearest-bar").hidden = true;
    find(".nearest-images").replaceChildren();
  }
  async function ask(key, place, start, stop) {
    clearTimeout(timer);
    let told;
    try {
      told = await post("nearest", { id: page.id, image: place.image, layer: place.layer, start, stop: !!stop });
    } catch (error) {
      if (key === searched && error.message === "404") page.forget();
      if (key === searched && error.message !== "404") timer = setTimeout(() => ask(key, place, start), 2000);
      return;
    }
    if (key !== searched) return;
    tell(key, place, told);
    if (!["done", "failed", "stopped", "none"].includes(told.status)) timer = setTimeout(() => ask(key, place, false), SOON);
  }
  function tell(key, place, { status, message, done, total, items = [], title }) {
    const bar = find(".nearest-bar"), words = find(".nearest-words"), going = status === "waiting" || status === "running";
    bar.hidden = !going;
    bar.classList.toggle("is-unknown", !total);
    bar.firstChild.style.transform = "scaleX(" + (total ? done / total : 0) + ")";
    const counted = total ? whole.format(done) + " of " + whole.format(total) : "";
    words.classList.toggle("is-fault", status === "failed");
    words.replaceChildren(going ? [message, counted].filter(Boolean).join(" ") + " " : status === "done" ? summary(items, title) : message,
      ...(going ? [make("button", { type: "button", className: "text-button", onclick: () => ask(key, place, false, true) }, "Stop")] : []));
    find(".nearest-images").replaceChildren(...items.map((item) => make("figure", { className: "thumb" },
      make("img", { className: "thumb-picture", src: item.picture, alt: "A training image of " + item.true }), make("figcaption", {}, make("span", { className: "thumb-words" }, item.true), make("span", { className: "thumb-confidence", title: "how far its activations are away" }, "distance " + Number(item.distance.toPrecision(3)))))));
  }
  function summary(items, title) {
    const counts = new Map();
    for (const { true: name } of items) counts.set(name, (counts.get(name) || 0) + 1);
    const parts = [...counts].sort((one, other) => other[1] - one[1]).map(([name, count]) => count + " of " + name);
    return "The " + items.length + " nearest of " + title + ": " + parts.join(", ") + ".";
  }
})();
