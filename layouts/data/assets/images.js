/* The page of data sets: facts, classes, and pages of images, as the address says. Loaded after form.js, as Dash goes by the alphabet. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = scope.page, find = page.find, make = (...given) => scope.element(...given);
  const NOBODY = "The server does not answer. Start it again, and reload this page.";
  let choices = null, chosen = null, label = "all", number = 0, network = null, facts = null, shown = "", reopened = false;

  /* The address: data set, class, page from 1, and the network of the way. */
  function read() {
    const query = new URLSearchParams(location.hash.slice(1)), known = (list, value, other) => (list.some((each) => each.value === value) ? value : other);
    chosen = page.dataOf(query, choices.data);
    label = /^\d+$/.test(query.get("class") || "") ? query.get("class") : "all";
    number = Math.max(0, (parseInt(query.get("page"), 10) || 1) - 1);
    network = { model: known(choices.models, query.get("model"), choices.model), backend: known(choices.backends, query.get("backend"), choices.backend) };
  }
  function write(add) {
    const own = network.model === choices.model ? {} : { model: network.model };
    page.write({ ...page.dataAddress(chosen), class: label === "all" ? "" : label, page: number ? number + 1 : "", ...own }, add);
  }
  function follow() {
    read();
    form();
    open();
  }

  function form() {
    page.dataForm(find(".data-form"), choices.data, chosen, { colour: true, changed(next) { chosen = next; label = "all"; number = 0; write(true); open(); } });
    find(".way-form").replaceChildren(page.select("way-model", "Network", choices.models, network.model, (value) => { network.model = value; write(false); links(); scope.way.show(facts, null, network); }));
  }

  async function open() {
    if (chosen.data === "own" && !chosen.path) return nothing("Name your own images on the left, and open them.");
    find(".images").classList.add("is-waiting");
    let told;
    try {
      told = await page.openData("open", chosen, (opening) => { find(".data-facts").replaceChildren(make("p", { className: "note" }, page.openingWords(opening))); });
      page.fault("");
    } catch (error) {
      return page.fault(NOBODY);
    }
    if (!told) return;
    if (told.fault) return nothing("", told.fault);
    facts = told;
    if (label !== "all" && Number(label) >= facts.classes.length) label = "all";
    showFacts();
    showClasses();
    showPage();
  }
  function nothing(sentence, fault) {
    facts = null;
    shown = "";
    find(".images").classList.remove("is-waiting");
    find(".data-facts").replaceChildren(...(fault ? [make("p", { className: "form-fault", role: "alert" }, fault)] : []));
    find(".classes").hidden = true;
    find(".thumbs").replaceChildren();
    find(".pager").replaceChildren();
    find(".images-title").textContent = "Images";
    find(".images-empty").hidden = false;
    find(".images-empty").textContent = sentence || "No images: what is wrong stands on the left.";
    scope.way.show(null, null, network);
  }

  function showFacts() {
    const [height, width, channels] = facts.shape, size = facts.bytes / 2 ** 20;
    const rows = [["Images", page.whole(facts.count)], ["Size", height + "×" + width + " pixels, " + (channels === 1 ? "grey" : "in colour")], ["Classes", page.whole(facts.classes.length)], ["Memory", (size < 10 ? size.toFixed(1) : Math.round(size)) + " MB"], ["Checksum", facts.checksum]];
    find(".data-facts").replaceChildren(
      make("h3", { dir: "auto" }, facts.title), make("p", { className: "note" }, facts.source),
      make("dl", {}, ...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", { title: value }, value)))),
      ...facts.notes.map((note) => make("p", { className: "note data-note" }, note)));
  }

  /* Every class with its mean image, its bar and its count; also the picker of a class. */
  function showClasses() {
    const most = Math.max(...facts.classes.map((each) => each.count)), rows = Math.ceil(facts.classes.length / facts.meansColumns);
    const row = (value, name, count, picture, bar) => make("button", { type: "button", className: "class-row", "data-class": value, disabled: !count, "aria-label": name + ", " + page.count(count, "image"), onclick: () => choose(value) },
      picture, make("span", { className: "class-name", dir: "auto", title: name }, name), bar, make("span", { className: "class-number" }, page.whole(count)));
    const all = row("all", "All classes", facts.count, make("span", { className: "mean" }), make("span", { className: "class-bar" }));
    const list = facts.classes.map(({ name, count }, i) => {
      const bar = make("span", { className: "class-bar" }, make("span", {}));
      bar.firstChild.style.transform = "scaleX(" + count / most + ")";
      const picture = tile("means/" + facts.id + ".png", i, facts.meansColumns, rows);
      picture.classList.add("mean");
      return row(String(i), name, count, picture, bar);
    });
    find(".class-count").textContent = page.whole(list.length);
    find(".class-list").replaceChildren(all, ...list);
    find(".classes").hidden = false;
    mark();
  }
  function mark() {
    for (const each of document.querySelectorAll(".class-row")) each.setAttribute("aria-pressed", each.dataset.class === label);
  }
  function tile(sheet, place, columns, rows) {
    const share = (index, count) => (count > 1 ? (100 * index) / (count - 1) : 0) + "%", made = make("span", { className: "tile" });
    made.style.aspectRatio = facts.tile.width + " / " + facts.tile.height;
    made.style.backgroundImage = "url(" + sheet + ")";
    made.style.backgroundSize = 100 * columns + "% " + 100 * rows + "%";
    made.style.backgroundPosition = share(place % columns, columns) + " " + share(Math.floor(place / columns), rows);
    return made;
  }

  /* One page of images. */
  const size = () => (label === "all" ? facts.count : facts.classes[Number(label)].count);
  const pages = () => Math.max(1, Math.ceil(size() / facts.page));
  const sheetOf = (which) => "sheets/" + facts.id + "/" + label + "/" + which + ".png";
  function choose(value) {
    label = value;
    number = 0;
    write(true);
    mark();
    showPage();
  }
  function turn(to, focus) {
    const next = Math.min(pages() - 1, Math.max(0, to));
    if (next === number) return;
    number = next;
    write(true);
    showPage(focus);
  }
  function link(index) {
    return "look/" + facts.id + "/" + index + "?" + new URLSearchParams({ model: network.model, backend: network.backend });
  }
  function links() {
    for (const each of document.querySelectorAll(".thumb")) each.href = link(each.dataset.index);
  }
  async function showPage(focus) {
    number = Math.min(number, pages() - 1);
    const key = [facts.id, label, number].join("/");
    showPager();
    find(".images").classList.add("is-waiting");
    shown = key;
    try {
      const picture = new Image(), sheet = sheetOf(number);
      picture.src = sheet;
      const reply = await fetch("items/" + facts.id + "/" + label + "/" + number);
      if (reply.status === 404 && shown === key && !reopened) { reopened = true; return void open(); } // the server keeps the latest data sets only
      const items = await reply.json();
      await picture.decode();
      if (shown !== key) return;
      reopened = false;
      fill(items, sheet);
      if (focus) document.querySelectorAll(".thumb")[focus === "last" ? items.length - 1 : 0]?.focus();
      if (number + 1 < pages()) new Image().src = sheetOf(number + 1);
    } catch (error) {
      if (shown === key) page.fault(NOBODY);
    }
  }
  function fill(items, sheet) {
    page.fault("");
    find(".images").classList.remove("is-waiting");
    find(".images-empty").hidden = items.length > 0;
    find(".images-empty").textContent = "This class has no images.";
    const rows = Math.max(1, Math.ceil(items.length / facts.columns)), few = facts.classes.length <= 20;
    find(".thumbs").replaceChildren(...items.map(([index, of], place) => {
      const name = facts.classes[of].name;
      return make("a", { className: "thumb", href: link(index), "data-index": index, tabIndex: place ? -1 : 0, title: name + " · image " + page.whole(index), "aria-label": "Image " + index + ", " + name },
        tile(sheet, place, facts.columns, rows), ...(label === "all" || !few ? [make("span", { className: "thumb-name", dir: "auto" }, name)] : []));
    }));
    scope.way.show(facts, items.length ? items[0][0] : null, network);
  }
  function showPager() {
    const last = pages(), total = size(), from = number * facts.page;
    find(".images-title").textContent = label === "all" ? "All classes" : "Class " + facts.classes[Number(label)].name;
    const button = (name, words, to, off) => make("button", { type: "button", className: "text-button", disabled: off, "aria-label": words, title: words, onclick: () => { turn(to); find(".pager [aria-label='" + words + "']")?.focus(); } }, name);
    const field = make("input", { type: "number", min: 1, max: last, value: number + 1, "aria-label": "Page", onchange: () => turn((parseInt(field.value, 10) || 1) - 1) });
    find(".pager").replaceChildren(
      make("span", { className: "note pager-words" }, total ? page.whole(from + 1) + " to " + page.whole(Math.min(total, from + facts.page)) + " of " + page.whole(total) : "none"),
      button("«", "First page", 0, number === 0), button("‹", "Previous page", number - 1, number === 0),
      field, make("span", { className: "note" }, "of " + page.whole(last)),
      button("›", "Next page", number + 1, number >= last - 1), button("»", "Last page", last - 1, number >= last - 1));
  }

  /* Keys among the images. */
  function move(event) {
    const thumbs = [...document.querySelectorAll(".thumb")], here = thumbs.indexOf(document.activeElement);
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const top = thumbs[0].offsetTop, across = thumbs.findIndex((each) => each.offsetTop > top), columns = across < 0 ? thumbs.length : across;
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - columns, ArrowDown: here + columns, Home: 0, End: thumbs.length - 1 }[event.key];
    if (event.key === "PageDown" || event.key === "PageUp") { event.preventDefault(); return turn(number + (event.key === "PageDown" ? 1 : -1), "first"); }
    if (to === undefined) return;
    event.preventDefault();
    if (to >= thumbs.length && number + 1 < pages()) turn(number + 1, "first");
    else if (to < 0 && number > 0) turn(number - 1, "last");
    else if (thumbs[to]) { thumbs[here].tabIndex = -1; thumbs[to].tabIndex = 0; thumbs[to].focus(); }
  }

  page.ready(".data-page", () => {
    choices = page.choices();
    find(".thumbs").addEventListener("keydown", move);
    for (const name of ["pointerover", "focusin"])
      find(".thumbs").addEventListener(name, (event) => { const thumb = event.target.closest(".thumb"); if (thumb) scope.way.show(facts, Number(thumb.dataset.index), network); });
    find("#skip-link").addEventListener("click", () => find(".images-title").focus());
    window.addEventListener("hashchange", follow);
    follow();
  });
})();
