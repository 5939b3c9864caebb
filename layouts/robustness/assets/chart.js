/* One disturbance: curves over its strengths, each with its band, and one image at each strength below the axis. */
(function () {
  "use strict";
  /* Okabe and Ito 2008: distinct for every common form of colour vision; the dashes tell more than four apart. */
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c8c8c", "#882255"], DASHES = ["", "", "", "", "7 4", "7 4", "2 3", "2 3"];
  const scope = (window.layerscope = window.layerscope || {}), LEFT = 44, RIGHT = 10, TOP = 8, BOTTOM = 6, HEIGHT = 190;
  const svg = (tag, properties, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(properties || {})) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const percent = (share) => (100 * share).toFixed(1) + " %";
  const strengthWords = ({ unit }, strength) => strength + " " + unit;

  /* `clicked(network, strength)`; `styles`: network → { colour, dash, title }. */
  scope.chart = function (disturbance, clicked) {
    const make = scope.element, { strengths } = disturbance;
    let curves = {}, styles = {}, chosen = null, words = "", drawn = "", key = "";
    const title = make("h3", {}, disturbance.title), said = make("p", { className: "chart-said note" }, disturbance.explanation);
    const plot = svg("svg", { class: "plot", role: "group", "aria-label": disturbance.title + ": accuracy at each strength", height: HEIGHT });
    const strip = make("div", { className: "strip", "aria-hidden": "true" });
    const whole = make("section", { className: "card chart", "aria-label": disturbance.title }, title, said, plot, strip, make("p", { className: "note unit" }, disturbance.unit));
    strip.style.gridTemplateColumns = "repeat(" + strengths.length + ", minmax(0, 1fr))";
    whole.dataset.disturbance = disturbance.name;

    const width = () => plot.clientWidth || 320;
    const x = (place) => LEFT + ((place + 0.5) * (width() - LEFT - RIGHT)) / strengths.length;
    const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);

    function axes() {
      const lines = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
        svg("line", { class: "gridline", x1: LEFT, x2: width() - RIGHT, y1: y(share), y2: y(share) }),
        svg("text", { class: "tick-text", x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, 100 * share + (share === 1 ? " %" : "")),
      ]);
      const neutral = x(strengths.indexOf(disturbance.neutral));
      return [...lines, svg("line", { class: "neutral", x1: neutral, x2: neutral, y1: TOP, y2: HEIGHT - BOTTOM }), svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" })];
    }
    function line(network, points) {
      const { colour, dash } = styles[network], at = points.map((point) => x(strengths.indexOf(point[0])));
      const path = (values) => values.map(([a, b]) => a.toFixed(1) + "," + b.toFixed(1)).join(" ");
      const band = [...points.map((point, i) => [at[i], y(point[3])]), ...points.map((point, i) => [at[i], y(point[2])]).reverse()];
      return [
        svg("polygon", { class: "band", points: path(band), fill: colour }),
        svg("polyline", { class: "curve", points: path(points.map((point, i) => [at[i], y(point[1])])), stroke: colour, "stroke-dasharray": dash }),
      ];
    }
    function marks(network, points) {
      return points.map(([strength, accuracy, low, high, count]) => {
        const place = strengths.indexOf(strength), is = chosen && chosen.network === network && chosen.strength === strength;
        const words = styles[network].title + ", " + strengthWords(disturbance, strength) + ": " + percent(accuracy) + " of " + scope.page.count(count, "image") + ", between " + percent(low) + " and " + percent(high);
        const mark = svg("g", { class: "mark" + (is ? " is-chosen" : ""), role: "button", tabindex: -1, "aria-label": words, "data-network": network, "data-strength": strength },
          svg("circle", { class: "dot", cx: x(place), cy: y(accuracy), r: 4, fill: styles[network].colour }));
        return mark;
      });
    }
    function draw() {
      const state = JSON.stringify([width(), curves, styles, chosen]);
      if (state === drawn) return;
      drawn = state;
      const focused = plot.contains(document.activeElement) ? { ...document.activeElement.dataset } : null;
      const shown = Object.keys(styles).filter((network) => (curves[network] || []).length);
      plot.setAttribute("viewBox", "0 0 " + width() + " " + HEIGHT);
      plot.replaceChildren(...axes(), ...shown.flatMap((network) => line(network, curves[network])), ...shown.flatMap((network) => marks(network, curves[network])));
      const first = plot.querySelector(".mark.is-chosen") || plot.querySelector(".mark");
      if (first) first.setAttribute("tabindex", 0);
      if (focused) mark(focused.network, focused.strength)?.focus();
      whole.classList.toggle("is-empty", !shown.length);
    }
    const mark = (network, strength) => [...plot.querySelectorAll(".mark")].find((each) => each.dataset.network === network && Number(each.dataset.strength) === Number(strength));

    /* The strength under the pointer, said for every network; a click takes the nearest curve. */
    function under(event) {
      const box = plot.getBoundingClientRect(), place = Math.floor(((event.clientX - box.left - LEFT) * strengths.length) / (width() - LEFT - RIGHT));
      if (place < 0 || place >= strengths.length) return null;
      const found = Object.keys(styles).flatMap((network) => (curves[network] || []).filter((point) => point[0] === strengths[place]).map((point) => ({ network, point })));
      const away = ({ point }) => Math.abs(y(point[1]) - (event.clientY - box.top));
      return { place, found, nearest: found.sort((a, b) => away(a) - away(b))[0] };
    }
    function say(place) {
      const cursor = plot.querySelector(".cursor");
      if (place === null) { said.textContent = words || disturbance.explanation; cursor?.setAttribute("visibility", "hidden"); return; }
      const parts = Object.keys(styles).map((network) => [network, (curves[network] || []).find((point) => point[0] === strengths[place])]).filter(([, point]) => point);
      said.textContent = strengthWords(disturbance, strengths[place]) + (parts.length ? ": " + parts.map(([network, point]) => styles[network].title + " " + percent(point[1])).join(" · ") : "");
      for (const [name, value] of Object.entries({ x1: x(place), x2: x(place), visibility: "visible" })) cursor?.setAttribute(name, value);
    }
    plot.addEventListener("pointermove", (event) => { const found = under(event); say(found ? found.place : null); });
    plot.addEventListener("pointerleave", () => say(null));
    plot.addEventListener("click", (event) => { const found = under(event); if (found?.nearest) clicked(found.nearest.network, found.nearest.point[0]); });
    plot.addEventListener("keydown", (event) => {
      const here = event.target.closest(".mark");
      if (!here) return;
      const networks = Object.keys(styles).filter((network) => (curves[network] || []).length), row = networks.indexOf(here.dataset.network), place = strengths.indexOf(Number(here.dataset.strength));
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); return clicked(here.dataset.network, Number(here.dataset.strength)); }
      const to = { ArrowLeft: [row, place - 1], ArrowRight: [row, place + 1], ArrowUp: [row - 1, place], ArrowDown: [row + 1, place] }[event.key];
      const next = to && mark(networks[to[0]], strengths[to[1]]);
      if (to) event.preventDefault();
      if (next) { here.setAttribute("tabindex", -1); next.setAttribute("tabindex", 0); next.focus(); }
    });
    plot.addEventListener("focusin", (event) => { const here = event.target.closest(".mark"); if (here) say(strengths.indexOf(Number(here.dataset.strength))); });
    plot.addEventListener("focusout", () => say(null));
    new ResizeObserver(() => requestAnimationFrame(draw)).observe(plot);

    return {
      whole,
      show(next) {
        ({ curves, styles, chosen } = next);
        if (words !== (next.words || "")) { words = next.words || ""; say(null); }
        draw();
      },
      /* The picture of one image at all strengths, `tile` being its size. */
      picture(url) {
        if (url === key) return;
        key = url;
        strip.replaceChildren(...strengths.map((strength, place) => {
          const tile = make("span", { className: "tile" });
          tile.style.aspectRatio = "1";
          if (url) tile.style.backgroundImage = "url(" + url + ")";
          tile.style.backgroundSize = 100 * strengths.length + "% 100%";
          tile.style.backgroundPosition = (strengths.length > 1 ? (100 * place) / (strengths.length - 1) : 0) + "% 0";
          return make("span", { className: "strength" + (strength === disturbance.neutral ? " is-neutral" : "") }, tile, make("span", {}, strength));
        }));
      },
    };
  };
  scope.chart.percent = percent;
  /* Which curve is whose. */
  scope.chart.legend = function (place, styles) {
    const key = JSON.stringify(styles);
    if (place.dataset.key === key) return;
    place.dataset.key = key;
    place.replaceChildren(...Object.values(styles).map(({ colour, dash, title }) => {
      const line = scope.element("span", {}, title);
      line.insertAdjacentHTML("afterbegin", '<svg viewBox="0 0 26 8"><line x1="0" x2="26" y1="4" y2="4" stroke="' + colour + '" stroke-width="3" stroke-dasharray="' + dash + '"/></svg>');
      return line;
    }));
  };
  scope.chart.look = (place) => ({ colour: COLOURS[place], dash: DASHES[place] });
})();
