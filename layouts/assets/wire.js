/* The way to the server and back for everything that follows the pen: one question at a time, the latest wins.
 *
 * A question is what the page shows: the ink and the stores. The answer is one frame of bytes (layouts/wire.py), whose
 * arrays are cut out as buffers that the painter and Plotly read as they are. Dash's own callbacks do the rest of the
 * page; through them a stroke took two and a half hundredths of a second more in the browser alone.
 */
(function () {
  "use strict";
  const STEP = 8;
  const scope = (window.layerscope = window.layerscope || {});
  const clientside = ((window.dash_clientside = window.dash_clientside || {}).layerscope = window.dash_clientside.layerscope || {});
  const decoder = new TextDecoder();
  const UNREACHABLE = "The Layerscope server does not answer. Start it again; your drawing stays here.";
  let stores = {}, asking = null;

  const wire = (scope.wire = {});

  wire.unpack = function (frame) {
    const length = new DataView(frame).getUint32(0, true), begin = STEP * Math.ceil((4 + length) / STEP);
    return JSON.parse(decoder.decode(new Uint8Array(frame, 4, length)), (key, value) =>
      key === "bdata" && Array.isArray(value) ? frame.slice(begin + value[0], begin + value[0] + value[1]) : value);
  };

  /* Null where the server cannot be reached. */
  async function reply(path, question, signal) {
    const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question), signal });
    if (!response.ok) throw new Error("The Layerscope server answered with error " + response.status + "; its log says more.");
    return wire.unpack(await response.arrayBuffer());
  }
  const question = () => ({ ...stores, ink: scope.ink.published });

  /* Asks for everything that the page shows; an earlier question that has no answer yet is given up. */
  wire.ask = async function () {
    if (!stores.subject || !stores.panels || !scope.ink.published) return;
    if (asking) asking.abort();
    const mine = (asking = new AbortController());
    let answer;
    try {
      answer = await reply("answer", { ...question(), shown: scope.live.shown() }, mine.signal);
    } catch (error) {
      if (asking !== mine) return;
      asking = null;
      return scope.live.paint({ fault: error instanceof TypeError ? UNREACHABLE : error.message });
    }
    if (asking !== mine) return;
    asking = null;
    scope.live.paint(answer);
  };

  /* Begins views that run on request; how each stands, or why it cannot. */
  wire.run = async function (names) {
    try {
      return await reply("run", { ...question(), names });
    } catch (error) {
      return names.map((panel) => ({ id: null, panel, status: "failed", message: UNREACHABLE, frames: 0, share: 0 }));
    }
  };

  wire.job = async (id, have) => wire.unpack(await (await fetch("jobs/" + id + "?have=" + have)).arrayBuffer());

  /* The stores have changed: the address, what depends on them in the page, and the next question. */
  clientside.changed = function (subject, selection, edits, beside, panels) {
    stores = { subject, selection, edits, beside, panels };
    scope.address.changed(stores);
    wire.ask();
  };
})();
