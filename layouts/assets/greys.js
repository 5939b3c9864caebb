/* Ink as text, as `drawing/ink.py` reads it: 140 × 140 grey values, raw-deflated, in base64url. */
(function () {
  "use strict";
  const SIZE = 140;
  const scope = (window.layerscope = window.layerscope || {});

  function base64url(bytes) {
    let text = "";
    for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
    return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  scope.greys = {
    SIZE,
    of(context) {
      const pixels = context.getImageData(0, 0, SIZE, SIZE).data, grey = new Uint8Array(SIZE * SIZE);
      for (let i = 0, k = 0; i < grey.length; i++, k += 4)
        grey[i] = Math.round(0.299 * pixels[k] + 0.587 * pixels[k + 1] + 0.114 * pixels[k + 2]);
      return grey;
    },
    /* Deflated without compressing (RFC 1951, 3.2.4): under the pen, time counts more than a few kilobytes. */
    stored(grey) {
      const bytes = new Uint8Array(grey.length + 5), length = grey.length;
      bytes.set([1, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255]);
      bytes.set(grey, 5);
      return base64url(bytes);
    },
    /* Such text, small enough for an address. */
    async compact(text) {
      const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
      if (bytes.length !== SIZE * SIZE + 5 || bytes[0] !== 1) return text;
      const stream = new Blob([bytes.subarray(5)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
      return base64url(new Uint8Array(await new Response(stream).arrayBuffer()));
    },
  };
})();
