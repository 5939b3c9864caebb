/* Everything else that needs no server: the pointer in figures, the address, light and dark, loading, full screen. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const nothing = () => window.dash_clientside.no_update;

  /* What lies under the pointer. The rule stands in visualizers/figures.py: tiles by geometry, bars by number, other
   * points by their customdata. */
  function under(plot, event) {
    const point = event.points && event.points[0], meta = (plot.layout && plot.layout.meta) || {};
    if (!point) return null;
    let custom = point.customdata;
    if (custom && custom.layer !== undefined) custom = [custom.layer, custom.unit];
    if (custom && custom.length) return { layer: custom[0], unit: custom.length > 1 ? custom[1] : null };
    if (meta.tiles) return tile(meta.tiles, point);
    if (meta.bars) return { layer: meta.bars.layer, unit: point.pointNumber, value: point.data.orientation === "h" ? point.x : point.y };
    return null;
  }
  function tile(tiles, point) {
    const x = Math.round(point.x), y = Math.round(point.y), across = tiles.width + tiles.gap, down = tiles.height + tiles.gap;
    const row = y % down, column = x % across, unit = Math.floor(y / down) * tiles.columns + Math.floor(x / across);
    if (row >= tiles.height || column >= tiles.width || unit >= tiles.units) return null;
    const value = tiles.scales ? point.z * tiles.scales[unit] : point.z;
    return { layer: tiles.layer, unit, position: [row, column], value, quantity: tiles.quantity, single: tiles.height * tiles.width === 1 };
  }

  const tooltip = () => document.querySelector(".tooltip");
  scope.pointer = {
    hovered(plot, event) {
      const meta = (plot.layout && plot.layout.meta) || {}, found = meta.tiles && under(plot, event), box = tooltip();
      if (!found) return scope.pointer.left();
      const where = found.single ? "" : ", row " + found.position[0] + ", column " + found.position[1];
      box.textContent = found.layer + " · unit " + found.unit + where + " · " + found.quantity + " " + scope.brief(found.value);
      box.hidden = false;
      const mouse = event.event, width = box.offsetWidth;
      box.style.left = Math.max(4, Math.min(window.innerWidth - width - 4, mouse.clientX - width / 2)) + "px";
      box.style.top = Math.max(4, mouse.clientY - box.offsetHeight - 14) + "px";
    },
    left() { tooltip().hidden = true; },
    clicked(plot, event) {
      const found = under(plot, event);
      if (!found) return;
      scope.selection.clicked({ layer: found.layer, unit: found.unit ?? null, position: found.single ? null : found.position || null });
    },
  };

  /* From controls to stores */
  clientside.collectSubject = function (model, backend, invert, crop, scale, centre, current) {
    const off = ["invert", "crop", "scale", "centre"].filter((name, i) => ![invert, crop, scale, centre][i]);
    const subject = { model: scope.snapshots.kept(model, current && current.model), backend, off };
    if (JSON.stringify(subject) === JSON.stringify(current)) return nothing();
    return subject;
  };
  clientside.collectPanels = function (_layers, _values, _checked, current) {
    if (!current) return nothing();
    const panels = current.panels.map((panel) => ({ ...panel, settings: { ...panel.settings } }));
    let changed = false;
    for (const { prop_id, value } of window.dash_clientside.callback_context.triggered) {
      const id = JSON.parse(prop_id.slice(0, prop_id.lastIndexOf("."))), panel = panels.find((entry) => entry.id === id.panel);
      if (!panel || value === undefined || value === null || value === "") continue;
      if (id.type === "layer") {
        const layer = value === "*" ? null : value;
        if (panel.layer !== layer) { panel.layer = layer; changed = true; }
      } else {
        const set = id.name in panel.settings ? panel.settings[id.name] : current.defaults[panel.visualizer][id.name];
        if (set === value) continue;
        panel.settings[id.name] = value;
        changed = true;
      }
    }
    return changed ? { ...current, custom: true, panels } : nothing();
  };

  /* The address */
  let described = [];
  function changed({ subject, selection, edits, beside, panels }) {
    described = [subject, selection, edits, beside || {}, panels];
    scope.jobs.interrupt();
    scope.edits.show(edits || []);
    scope.beside.show(beside || {}, panels);
    if (subject && (subject.model !== scope.asked?.model || subject.backend !== scope.asked?.backend)) {
      const step = scope.snapshots.isStep(scope.asked, subject);
      scope.asked = subject;
      if (!step) scope.loading.begins();
    }
    scope.address.write();
  }
  scope.address = { changed, write() { clearTimeout(scope.addressing); scope.addressing = setTimeout(write, 150); } };
  async function write() {
    const [subject, selection, edits, beside, panels] = described, ink = scope.ink.published;
    if (!ink || !subject || !panels) return;
    const query = new URLSearchParams();
    query.set("model", subject.model);
    query.set("backend", subject.backend);
    if (subject.off.length) query.set("off", subject.off.join(","));
    for (const [name, value] of Object.entries(await scope.ink.address())) query.set(name, value);
    if (ink !== scope.ink.published) return;
    if (selection && selection.layer) query.set("layer", selection.layer);
    if (selection && selection.unit != null) query.set("unit", selection.unit);
    if (selection && selection.position) query.set("position", selection.position.join("."));
    if (selection && selection.target != null) query.set("target", selection.target);
    if (edits && edits.length) query.set("edits", JSON.stringify(edits));
    if (beside.image) query.set("second", beside.image.sample ? beside.image.sample.join(".") : beside.image.image || beside.image.ink);
    if (beside.model) query.set("second_model", beside.model);
    if (beside.model) query.set("second_backend", beside.backend);
    if (beside.run) query.set("run", beside.run);
    if (panels.custom) query.set("panels", JSON.stringify(panels.panels.map(({ id, ...rest }) => rest)));
    history.replaceState(history.state, "", "#" + query);
    scope.addressing = null;
  }
  /* The compare page and the training page begin with the drawing of this one. */
  window.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest(".compare-link, .page-link[href^=train]"), here = new URLSearchParams(location.hash.slice(1));
    if (!link) return;
    const [path, preset] = link.getAttribute("href").split("#"), query = new URLSearchParams(preset);
    for (const name of ["sample", "image", "ink", "label", "off"]) if (here.has(name)) query.set(name, here.get(name));
    link.href = path + "#" + query;
  });
  clientside.copyLink = function () {
    const say = (text) => { const place = document.querySelector(".loading"); place.textContent = text; setTimeout(() => { if (place.textContent === text) place.textContent = ""; }, 2500); };
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(() => say("Link copied"), () => say("Copy the address from the address bar"));
    else say("Copy the address from the address bar");
  };

  /* A network that has been trained meanwhile is offered as soon as somebody looks for it. */
  let offered = "";
  async function offerModels() {
    try {
      const text = await (await fetch("models")).text(), { model, second } = JSON.parse(text);
      if (text === offered) return;
      offered = text;
      window.dash_clientside.set_props("model", { data: model });
      window.dash_clientside.set_props("second-model", { data: second });
    } catch (error) { /* the next stroke says that the server is gone */ }
  }
  window.addEventListener("focus", offerModels);
  window.addEventListener("focusin", (event) => { if (event.target.closest("#model, #second-model")) offerModels(); });

  /* What the server does while a framework starts */
  let polling = null;
  scope.loading = {
    /* What the server is doing, null for nothing, undefined when it does not answer. */
    async stage() {
      if (!scope.asked) return null; // a busy browser is still making the page
      const query = new URLSearchParams({ model: scope.asked.model, backend: scope.asked.backend });
      try { return await (await fetch("loading?" + query)).json(); } catch (error) { return undefined; }
    },
    begins() {
      scope.loading.done();
      document.body.classList.add("is-loading");
      polling = setInterval(async () => {
        const stage = await scope.loading.stage();
        if (polling) document.querySelector(".loading").textContent = stage || "";
      }, 250);
    },
    done() {
      clearInterval(polling);
      if (polling) document.querySelector(".loading").textContent = "";
      polling = null;
      document.body.classList.remove("is-loading");
    },
  };

  /* Explanation and settings unfold below their button; anything else clicked, or Escape, folds them. */
  let unfolded = null;
  function fold() {
    const popover = document.getElementById("popover");
    if (!unfolded || popover.hidden) return false;
    popover.hidden = true;
    unfolded.focus({ preventScroll: true });
    unfolded = null;
    return true;
  }
  window.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest(".icon-help.tool, .icon-settings.tool");
    const popover = document.getElementById("popover");
    if (button && button !== unfolded) {
      unfolded = button;
      const place = button.getBoundingClientRect(), width = Math.min(300, window.innerWidth - 16);
      popover.style.left = window.scrollX + Math.max(8, Math.min(window.innerWidth - width - 8, place.right - width)) + "px";
      popover.style.top = window.scrollY + Math.min(place.bottom + 6, window.innerHeight * 0.4) + "px";
      popover.style.visibility = "hidden";
      popover.hidden = false;
    } else if (button || !event.target.closest || !event.target.closest(".popover, [role=option], [role=listbox]")) fold();
  });
  clientside.offerTraining = function (text) { return !/There is no (model|run) |unknown (second )?model|unknown training run/.test(text || ""); };
  clientside.unfold = function () { document.getElementById("popover").style.visibility = "visible"; };
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && fold()) event.stopImmediatePropagation();
  }, { capture: true });

  /* dcc.Upload drops files over its max_size without a word; the server has the words. */
  async function sayTooLarge(files) {
    for (const file of files || []) {
      if (file.size <= 10 * 2 ** 20) continue;
      const query = new URLSearchParams({ name: file.name, size: file.size });
      scope.live.fault(await (await fetch("too-large?" + query)).json());
    }
  }
  window.addEventListener("change", (event) => { if (event.target.type === "file") sayTooLarge(event.target.files); }, { capture: true });
  window.addEventListener("drop", (event) => { if (event.target.closest("#upload")) sayTooLarge(event.dataTransfer.files); }, { capture: true });

  window.addEventListener("click", (event) => {
    if (event.target.closest && event.target.closest(".skip-link")) document.querySelector(".panels").focus();
  });

  /* Full screen */
  clientside.fullscreen = function () {
    const id = JSON.parse(window.dash_clientside.callback_context.triggered[0].prop_id.split(".")[0]).panel;
    if (!window.dash_clientside.callback_context.triggered[0].value) return;
    toggle(document.querySelector('[data-panel="' + id + '"]'));
  };
  function toggle(panel) {
    const large = panel.classList.toggle("is-fullscreen");
    document.body.classList.toggle("has-fullscreen", large);
    window.dispatchEvent(new Event("resize"));
  }
  window.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector(".panel.is-fullscreen");
    if (open) toggle(open);
  });
})();
