/* The pickers of a data set, and waiting until the server has it. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), page = scope.page, AGAIN = 300;
  const HELP = "On the computer that serves this page: a folder with a folder of pictures for each class, a .npz file of arrays, or a .json file of pixels and labels.";
  const PARTS = [{ value: "train", label: "Training part" }, { value: "test", label: "Test part" }];
  let asked = 0;

  /* What is read from an address, and what goes to the server. */
  page.dataOf = function (query, options) {
    const first = options.find((option) => !option.disabled).value, named = query.get("data");
    return {
      data: options.some((option) => option.value === named) ? named : first,
      path: query.get("path") || "", part: query.get("part") === "test" ? "test" : "train", colour: query.has("colour"), skip: query.has("skip"),
    };
  };
  page.dataAddress = (chosen) => (chosen.data === "own" ? { data: "own", path: chosen.path, part: chosen.part, colour: chosen.colour, skip: chosen.skip } : { data: chosen.data });

  /* Asks until the data set is there. Gives null where something else was asked for meanwhile. */
  page.openData = async function (path, chosen, progress) {
    const mine = (asked += 1);
    for (;;) {
      const told = await page.post(path, chosen);
      if (mine !== asked) return null;
      if (!told.opening) return told;
      progress(told.opening);
      await new Promise((done) => setTimeout(done, AGAIN));
      if (mine !== asked) return null;
    }
  };
  page.openingWords = ({ done, total }) => (total ? "Reading " + page.whole(done) + " of " + page.count(total, "image") + "…" : "Reading the data…");

  /* Fills `place`; `changed` gets another choice. Own data is opened by its button or Enter, not at every letter. */
  page.dataForm = function (place, options, chosen, { colour, changed }) {
    const make = scope.element, own = { ...chosen };
    const path = make("input", { id: "own-path", type: "text", value: chosen.path, placeholder: "/home/me/letters", spellcheck: false, autocomplete: "off", "aria-describedby": "own-path-help" });
    const form = make("form", { className: "own-data", hidden: chosen.data !== "own" },
      make("div", { className: "field" }, make("label", { htmlFor: "own-path", className: "field-label" }, "Path"), path, make("div", { id: "own-path-help", className: "field-help" }, HELP)),
      page.select("own-part", "Where it has two parts", PARTS, chosen.part, (value) => { own.part = value; }),
      ...(colour ? [page.tick("Keep colours", chosen.colour, (value) => { own.colour = value; }, { id: "own-colour" })] : []),
      page.tick("Leave out what cannot be read", chosen.skip, (value) => { own.skip = value; }, { id: "own-skip" }),
      make("button", { type: "submit", className: "primary-button", id: "open-own" }, "Open"));
    form.addEventListener("submit", (event) => { event.preventDefault(); changed({ ...own, data: "own", path: path.value.trim() }); });
    const pick = page.select("data-choice", "Images", options, chosen.data, (value) => {
      form.hidden = value !== "own";
      if (value === "own" && !path.value.trim()) path.focus();
      else changed({ ...own, data: value, path: path.value.trim() });
    });
    place.replaceChildren(pick, form);
  };
})();
