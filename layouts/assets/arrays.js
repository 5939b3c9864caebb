/* Arrays of numbers as pictures, for every page that paints the answers to a drawing by itself. */
(function () {
  "use strict";
  const scope = (window.layerscope = window.layerscope || {});
  const TYPES = { f4: Float32Array, f8: Float64Array, i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array };
  const BLACK = 0xff000000, GREY = 0x010101;

  /* An array of a figure: bytes of the wire, base64 where Plotly itself has written it (a plugin's), or a list. */
  function numbers(array) {
    if (!array || !array.bdata) return { values: array || [], shape: [(array || []).length] };
    const buffer = array.bdata instanceof ArrayBuffer ? array.bdata : Uint8Array.from(atob(array.bdata), (letter) => letter.charCodeAt(0)).buffer;
    const values = new (TYPES[array.dtype] || Float32Array)(buffer);
    return { values, shape: array.shape ? String(array.shape).split(",").map(Number) : [values.length] };
  }

  /* 256 colours between the stops of a scale. */
  const tables = new Map();
  function table(stops) {
    const key = JSON.stringify(stops);
    if (!tables.has(key)) {
      const ramp = Object.assign(document.createElement("canvas"), { width: 256, height: 1 });
      const context = ramp.getContext("2d", { willReadFrequently: true }), gradient = context.createLinearGradient(0, 0, 256, 0);
      for (const [at, colour] of stops) gradient.addColorStop(Math.min(1, Math.max(0, at)), colour);
      context.fillStyle = gradient;
      context.fillRect(0, 0, 256, 1);
      tables.set(key, new Uint32Array(context.getImageData(0, 0, 256, 1).data.buffer.slice(0)));
    }
    return tables.get(key);
  }

  scope.arrays = {
    numbers,
    size(canvas, width, height) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    },
    /* A heat map's trace, a pixel for a value; nothing where there is no number. */
    heatmap(canvas, trace, stops) {
      const { values, shape: [rows, columns] } = numbers(trace.z);
      scope.arrays.size(canvas, columns, rows);
      const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
      const pixels = new Uint32Array(image.data.buffer), colours = table(stops);
      const low = trace.zmin, factor = 255 / (trace.zmax - trace.zmin || 1);
      for (let i = 0; i < pixels.length; i++) {
        const value = values[i];
        if (value === value) pixels[i] = colours[Math.max(0, Math.min(255, Math.round((value - low) * factor)))];
      }
      context.putImageData(image, 0, 0);
    },
    /* A grey picture, a pixel for a value of 0 to 255, moved by so many pixels; black comes in from outside. */
    grey(canvas, array, [down, right] = [0, 0]) {
      const { values, shape: [height, width] } = array.values ? array : numbers(array);
      scope.arrays.size(canvas, width, height);
      const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer).fill(BLACK);
      for (let y = Math.max(0, down); y < Math.min(height, height + down); y++)
        for (let x = Math.max(0, right); x < Math.min(width, width + right); x++) pixels[y * width + x] = BLACK | (values[(y - down) * width + x - right] * GREY);
      canvas.getContext("2d").putImageData(image, 0, 0);
    },
    /* What the colours of a figure stand for. */
    legend(target, words) {
      if (!words) return target.replaceChildren();
      if (!target.firstChild) for (const name of ["low", "scale", "high", "words"]) target.append(Object.assign(document.createElement("span"), { className: "legend-" + name }));
      const [low, scale, high, rest] = target.children;
      low.textContent = words.low;
      high.textContent = words.high;
      rest.textContent = rest.title = words.words;
      scale.style.background = "linear-gradient(to right," + words.colours.join(",") + ")";
      scale.hidden = !words.colours.length;
    },
  };
})();
