/* Numbers as people read them. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const whole = new Intl.NumberFormat("en"), known = (value) => value !== null && value !== undefined;
  const rounded = (seconds) => (seconds >= 10 ? Math.round(seconds) : Math.round(seconds * 10) / 10);
  function duration(seconds) {
    if (seconds < 60) return rounded(seconds) + " s";
    const minutes = Math.floor(seconds / 60);
    return minutes < 60 ? minutes + " min " + Math.floor(seconds % 60) + " s" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
  }
  scope.words = {
    whole: (value) => whole.format(value),
    duration,
    percent: (share) => (known(share) ? (100 * share).toFixed(share > 0.9 ? 2 : 1) + " %" : "–"),
    loss: (value) => (known(value) ? (value < 0.1 ? value.toFixed(4) : value < 1e5 ? value.toFixed(3) : value.toExponential(2).replace("+", "")) : "–"),
    moment: (seconds) => new Date(1000 * seconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    epochs: (row) => "epoch " + Math.min(row.active ? row.epoch + 1 : row.epoch, row.epochs) + " of " + row.epochs,
    /* One line for the list. */
    line(row) {
      if (row.state === "queued") return "waits for its turn";
      if (row.state === "training" && !row.steps) return row.message || "getting ready";
      if (!row.active && !row.step) return "nothing was learnt";
      const reached = known(row.validation_accuracy) ? row.validation_accuracy : row.accuracy;
      const parts = known(reached) ? [scope.words.percent(reached)] : [];
      parts.push(row.active || row.epoch < row.epochs ? scope.words.epochs(row) : row.epochs + (row.epochs === 1 ? " epoch" : " epochs"));
      if (known(row.left)) parts.push(duration(row.left) + " left");
      return parts.join(" · ");
    },
  };
})();
