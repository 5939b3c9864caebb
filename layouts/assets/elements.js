/* What the pages share whose scripts make their elements: elements, fields, requests, and one line for faults. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {}), whole = new Intl.NumberFormat("en");
  const make = (scope.element = function (tag, properties, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name in made && !name.includes("-") && name !== "list") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  });
  const find = (selector) => document.querySelector(selector);
  scope.page = {
    find,
    count: (value, thing) => whole.format(value) + " " + thing + (value === 1 ? "" : thing.endsWith("s") ? "es" : "s"),
    whole: (value) => whole.format(value),
    choices: () => JSON.parse(find("#choices").dataset.choices),
    fault(sentence) {
      const place = find("#page-fault");
      place.hidden = !sentence;
      if (place.textContent !== sentence) place.textContent = sentence;
    },
    announce(sentence) { find(".announcer").textContent = sentence; },
    async post(path, sent) {
      const reply = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) });
      if (!reply.ok) throw new Error(reply.status);
      return reply.json();
    },
    select(id, label, options, value, changed) {
      const chosen = make("select", { id, onchange: () => changed(chosen.value) });
      for (const option of options) chosen.append(make("option", { value: option.value, disabled: !!option.disabled, selected: option.value === value }, option.label));
      return make("div", { className: "field" }, make("label", { htmlFor: id, className: "field-label" }, label), chosen);
    },
    tick(label, checked, changed, properties) {
      const box = make("input", { type: "checkbox", checked, onchange: () => changed(box.checked), ...properties });
      return make("label", { className: "tick" }, box, make("span", {}, label));
    },
    /* Calls `begin` once the page stands and Dash has finished with it. */
    ready(selector, begin) {
      window.addEventListener("DOMContentLoaded", function wait() {
        if (!find(selector) || !window.dash_clientside?.set_props) return void setTimeout(wait, 20);
        begin();
      });
    },
    /* What stands in the address; what is empty is left out. `add` makes a step that the back button takes back. */
    write(values, add) {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(values))
        for (const each of Array.isArray(value) ? value : [value]) if (each !== "" && each !== null && each !== undefined && each !== false) query.append(name, each === true ? 1 : each);
      if ("#" + query === location.hash) return;
      history[add ? "pushState" : "replaceState"](null, "", "#" + query);
    },
  };
})();
