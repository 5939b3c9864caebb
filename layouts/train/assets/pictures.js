/* Curves and the first layer's pictures, and the slider that goes back through the snapshots. */
(function () {
  "use strict";
  const scope = window.layerscope = window.layerscope || {}, make = scope.element;
  const page = () => scope.train, known = new Map(), MOST_KNOWN = 200;
  let snapshots = [], following = true, shown = null, wanted = null, slider = null;

  function draw(id, figure) {
    // The place decides how high a figure is.
    const { height, ...layout } = figure.layout;
    window.dash_clientside.set_props(id, { figure: { ...figure, layout: { ...layout, autosize: true } } });
  }
  function words({ step, epoch }) {
    if (step === 0) return "before the first step";
    return Number.isInteger(epoch) ? "after " + epoch + (epoch === 1 ? " epoch" : " epochs") : "after step " + step;
  }

  async function pictures(run, name) {
    const key = run + " " + name;
    if (!known.has(key)) {
      const told = await (await fetch("runs/" + encodeURIComponent(run) + "/first-layer?snapshot=" + encodeURIComponent(name))).json();
      if (told.fault) return null;
      known.set(key, told);
      if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
    }
    return known.get(key);
  }
  /* The latest wish wins; what comes late is not shown. */
  async function show(snapshot) {
    const run = page().chosen.run, key = run + " " + snapshot.name, place = page().find(".first-layer");
    page().find(".snapshot-words").textContent = words(snapshot);
    slider.setAttribute("aria-valuetext", words(snapshot));
    if (key === wanted) return;
    wanted = key;
    const told = await pictures(run, snapshot.name).catch(() => null);
    if (wanted !== key) return;
    if (!told) { wanted = null; return; }
    place.hidden = !told.filters;
    if (told.filters && shown !== key) { draw("filters", told.filters); draw("answers", told.answers); }
    shown = key;
  }

  scope.train = Object.assign(scope.train || {}, {
    showCurves(figure) { draw("curves", figure); },
    forgetPictures() { snapshots = []; following = true; wanted = null; },
    showSnapshots(found) {
      const place = page().find(".snapshot-slider");
      if (!slider) {
        slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Snapshot" });
        slider.addEventListener("input", () => {
          following = Number(slider.value) === snapshots.length - 1;
          show(snapshots[Number(slider.value)]);
        });
        place.append(slider);
      }
      page().find(".first-layer").hidden = !found.length;
      place.hidden = found.length < 2;
      snapshots = found;
      if (!found.length) return;
      slider.max = found.length - 1;
      if (following) slider.value = found.length - 1;
      show(found[Number(slider.value)]);
    },
  });
})();
