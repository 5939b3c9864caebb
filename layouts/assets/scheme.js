/* Light and dark, for every page: what was chosen once holds for all of them. */
(function () {
  "use strict";
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  clientside.switchScheme = function () {
    const dark = document.documentElement.getAttribute("data-mantine-color-scheme") === "dark";
    dash_clientside.set_props("provider", { forceColorScheme: dark ? "light" : "dark" });
    try { localStorage.setItem("layerscope-scheme", dark ? "light" : "dark"); } catch (error) { /* private windows */ }
  };
  window.addEventListener("DOMContentLoaded", function restore() {
    let scheme = null;
    try { scheme = localStorage.getItem("layerscope-scheme"); } catch (error) { /* private windows */ }
    if (!scheme) return;
    const ready = () => (window.dash_clientside.set_props && document.getElementById("scheme") ? dash_clientside.set_props("provider", { forceColorScheme: scheme }) : setTimeout(ready, 20));
    ready();
  });
})();
