/* Asks for the evaluation that the address names, follows it, and shows what has come of it by now. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = (scope.evaluate = scope.evaluate || {}), make = scope.element;
  const { find, post } = scope.page;
  const SOON = 200, AFTER_FAULT = 2000;
  const whole = new Intl.NumberFormat("en");
  let subject = null, key = null, timer = null, turn = 0, forgotten = 0;
  page.id = null;
  page.classes = [];

  const subjectOf = ({ model, backend, data }) => (model ? { model, backend, data } : null);
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  function show() {
    page.recall();
    const place = page.place(), wanted = subjectOf(place);
    page.showForm(place);
    page.travel(place);
    find(".nothing-yet").hidden = !!wanted;
    if (!same(wanted, subject)) return void page.begin(wanted, isStep(subject, wanted));
    page.showNormalise(place.normalise || "counts");
    if (wanted && page.id && page.normalised !== (place.normalise || "counts")) ask(false);
    page.mark(place);
    page.showGallery(place);
  }

  /* Another snapshot of the same training: what is shown stays until there is more. */
  const isStep = (before, now) => !!before && !!now && !!scope.training.run(now.model) && same({ ...before, model: scope.training.network(before.model) }, { ...now, model: scope.training.network(now.model) });
  page.show = show;
  page.begin = function (wanted, step) {
    subject = wanted;
    key = page.id = null;
    turn += 1;
    clearTimeout(timer);
    if (step) return void ask(true);
    clear();
    page.showNormalise(page.place().normalise || "counts");
    tell({ status: wanted ? "waiting" : "none", message: "", done: 0, total: 0 });
    if (wanted) ask(true);
  };
  function clear() {
    find(".found").hidden = true;
    page.clearGallery();
  }
  page.stop = () => ask(false, true);
  page.forget = function () { if (forgotten < 2) { forgotten += 1; page.begin(subject); } };

  async function ask(start, stop) {
    const mine = ++turn, normalise = page.place().normalise || "counts";
    clearTimeout(timer);
    let told;
    try {
      told = await post("state", { ...subject, start, stop: !!stop, have: key, normalise });
      scope.page.fault("");
    } catch (error) {
      if (mine !== turn) return;
      scope.page.fault("The server does not answer; this page tries again.");
      timer = setTimeout(() => ask(start), AFTER_FAULT);
      return;
    }
    if (mine !== turn) return;
    if (told.status === "none") return void ask(true);
    if (told.key) { key = told.key; page.normalised = normalise; take(told); }
    tell(told);
    const before = page.id;
    page.id = told.id || null;
    if (page.id && page.id !== before) arrived(told);
    const over = ["done", "failed", "stopped"].includes(told.status);
    if (over && !key) clear(); // what another snapshot has left
    page.travelled(subject, !!key || over, over);
    if (!over) timer = setTimeout(() => ask(false), SOON);
  }
  function arrived(told) {
    forgotten = 0;
    scope.page.announce("Evaluated.");
    const links = ["json", "csv"].map((kind) => make("a", { href: "of/" + page.id + "/metrics." + kind, className: "text-button", title: "Everything that was measured" }, kind.toUpperCase()));
    find(".downloads").replaceChildren(...links);
    page.showGallery(page.place());
  }

  /* How it stands. */
  function tell({ status, message, done, total, seconds }) {
    const bar = find(".evaluation-bar"), words = find(".evaluation-words"), share = total ? done / total : 0;
    const going = status === "waiting" || status === "running";
    page.going(going);
    bar.hidden = !going;
    bar.classList.toggle("is-unknown", !total);
    bar.firstChild.style.transform = "scaleX(" + share + ")";
    if (total) bar.setAttribute("aria-valuenow", Math.round(100 * share));
    else bar.removeAttribute("aria-valuenow");
    words.classList.toggle("is-fault", status === "failed");
    const counted = total ? whole.format(done) + " of " + whole.format(total) : "";
    if (status === "stopped") words.textContent = message + (counted ? " The numbers are those of " + counted + " images." : "");
    else if (status === "done") words.textContent = "";
    else words.textContent = [message, counted].filter(Boolean).join(" ");
  }

  /* What there is to see. */
  function take(told) {
    find(".found").hidden = false;
    find(".numbers-title").textContent = told.title + ", " + whole.format(told.count) + (told.count === 1 ? " image" : " images") + (told.seconds ? " in " + told.seconds.toFixed(1) + " s" : "");
    const numbers = find(".measured");
    if (numbers.childElementCount !== told.numbers.length) {
      numbers.replaceChildren(...told.numbers.map((each) => make("div", { "data-number": each.name }, make("dt", {}, each.title), make("dd", { className: "value" }), make("dd", { className: "help" }, each.help))));
    }
    told.numbers.forEach((each, place) => { numbers.children[place].querySelector(".value").textContent = each.words; });
    find(".notes").replaceChildren(...told.notes.map((note) => make("li", {}, note)));
    page.classes = told.classes.map((each) => each.name);
    const rows = told.classes.map((each, place) => make("tr", {},
      make("th", { scope: "row" }, make("a", { href: page.link({ ...page.nothingChosen, true: place }), title: "See the images of " + each.name, "data-cell": place + " undefined", dir: "auto" }, each.name)),
      ...[whole.format(each.images), each.precision, each.recall, each.f1].map((text) => make("td", {}, text))));
    find(".class-rows").replaceChildren(...rows);
    const pairs = told.mistakes.map((each) => make("li", {}, make("a", { href: page.link({ ...page.nothingChosen, true: each.true, predicted: each.predicted }), className: "text-button", "data-cell": each.true + " " + each.predicted }, page.named(each.true), " called ", page.named(each.predicted), " · " + whole.format(each.count))));
    find(".mistakes").replaceChildren(...(pairs.length ? pairs : [make("li", { className: "note" }, "None at all.")]));
    find(".matrix-note").textContent = told.matrix_note;
    page.draw(told.figures);
  }

  window.addEventListener("hashchange", show);
  window.addEventListener("click", (event) => { if (event.target.closest && event.target.closest(".skip-link")) find(".numbers-card").focus(); });
  window.addEventListener("DOMContentLoaded", async function begin() {
    if (!find(".evaluate-page") || !window.dash_clientside.set_props) return void setTimeout(begin, 20);
    try {
      page.choices = await (await fetch("choices")).json();
    } catch (error) {
      scope.page.fault("The server does not answer; this page tries again.");
      return void setTimeout(begin, AFTER_FAULT);
    }
    scope.page.fault("");
    page.makeForm();
    show();
  });
})();
