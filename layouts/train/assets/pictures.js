/* Curves and the pictures of a snapshot: the first filters, and what a layer answers to a test image. */
(function () {
  "use strict";
  const scope = window.layerscope = window.layerscope || {}, make = scope.element;
  const { find } = scope.page;
  const page = () => scope.train, known = new Map(), MOST_KNOWN = 200;
  let snapshots = [], following = true, shown = null, wanted = null, slider = null, layers = null;

  function draw(id, figure) {
    // The place decides how high a figure is.
    const { height, ...layout } = figure.layout;
    window.dash_clientside.set_props(id, { figure: { ...figure, layout: { ...layout, autosize: true } } });
  }
  function words({ step, epoch }) {
    if (step === 0) return "before the first step";
    return Number.isInteger(epoch) ? "after " + epoch + (epoch === 1 ? " epoch" : " epochs") : "after step " + step;
  }

  async function pictures(key, run, asked) {
    if (!known.has(key)) {
      const told = await (await fetch("runs/" + encodeURIComponent(run) + "/pictures?" + new URLSearchParams(asked))).json();
      if (told.fault) return null;
      known.set(key, told);
      if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
    }
    return known.get(key);
  }
  /* The latest wish wins; what comes late is not shown. */
  async function show(snapshot) {
    const run = page().chosen.run, { layer, sample, ink } = page().chosen, asked = { snapshot: snapshot.name, layer: layer || "", sample: sample || "", ink: ink || "" }, key = [run, ...Object.values(asked)].join(" ");
    find(".snapshot-words").textContent = words(snapshot);
    slider.setAttribute("aria-valuetext", words(snapshot));
    if (key === wanted) return;
    wanted = key;
    const told = await pictures(key, run, asked).catch(() => null);
    if (wanted !== key) return;
    if (!told) { wanted = null; return; }
    if (shown !== key) display(told);
    shown = key;
  }
  function display(told) {
    options(layers, told.layers, told.layer);
    scope.testImage.show(told);
    find(".answer-words").textContent = told.words;
    find("figure.filters").hidden = !told.filters;
    find("figure.answers .graph-picture").hidden = !told.answers;
    if (told.filters) draw("filters", told.filters);
    if (told.answers) draw("answers", told.answers);
  }
  function options(select, offered, value) {
    const same = select.length === offered.length && offered.every((each, i) => select.options[i].text === each.label);
    if (!same) select.replaceChildren(...offered.map((each) => make("option", { value: each.value }, each.label)));
    select.value = value;
  }
  const current = () => snapshots[Number(slider.value)];

  function begin() {
    slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Snapshot" });
    slider.addEventListener("input", () => {
      following = Number(slider.value) === snapshots.length - 1;
      show(current());
    });
    find(".snapshot-slider").append(slider);
    layers = make("select", { "aria-label": "Layer", onchange: () => page().see({ layer: layers.value }) });
    find(".answer-pickers").append(layers, " answers to ");
    scope.testImage.make(find(".answer-pickers"));
  }

  scope.train = Object.assign(scope.train || {}, {
    showCurves(figure) { draw("curves", figure); },
    showPictures() { if (snapshots.length) show(current()); },
    forgetPictures() { snapshots = []; following = true; wanted = null; },
    /* The snapshot that the slider stands at, which is the last one unless somebody has moved it. */
    shownSnapshot: () => (snapshots.length ? { name: current().name, words: words(current()) } : { name: "", words: "" }),
    showSnapshots(found) {
      if (!slider) begin();
      find(".snapshot-pictures").hidden = !found.length;
      find(".snapshot-slider").hidden = found.length < 2;
      snapshots = found;
      if (!found.length) return;
      slider.max = found.length - 1;
      if (following) slider.value = found.length - 1;
      show(current());
    },
  });
})();
