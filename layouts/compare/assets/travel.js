/* Time travel on the compare page: one time line moves all networks that stand at a snapshot of a training.
 *
 * It has the moments of the first of these trainings; the others go to their own snapshot that is nearest by epochs. A
 * network "as it ended" stays, so that a training can be watched beside its own end; where all are, all move.
 */
(function () {
  "use strict";
  const scope = window.layerscope, page = scope.compare, { state } = page, { run, network, snapshot } = scope.training;
  const BASE = "../", known = new Map();
  let seen = 0;

  function travellers() {
    const runs = state.subjects.filter((each) => run(each.model)), standing = runs.filter((each) => snapshot(each.model));
    return standing.length ? standing : runs;
  }
  function nearest(model, { epoch }) {
    const away = (each) => Math.abs(each.epoch - epoch), moments = (run(model) === line.run ? line.moments : known.get(run(model))) || [];
    return moments.length ? network(model) + "@" + moments.reduce((best, each) => (away(each) < away(best) ? each : best)).name : model;
  }
  const line = (page.line = scope.timeline({
    base: BASE,
    at: () => snapshot(travellers()[0]?.model),
    go(moment) {
      const moving = new Set(travellers());
      seen = page.painted;
      page.step(state.subjects.map((each) => (moving.has(each) ? { ...each, model: nearest(each.model, moment) } : each)));
    },
    painted: () => page.painted > seen && page.answer.columns.every((column, at) => !column.opening && column.model === state.subjects[at].model),
    grown(before) {
      if (!before) return;
      known.clear();
      page.renewHeads();
      if (travellers().some((each) => !snapshot(each.model)) && !scope.ink.drawing && !scope.ink.busy) scope.ink.again();
    },
  }));
  /* The moments of a training; none where there is no such training any more. */
  page.momentsOf = async function (id) {
    let told = null;
    try { told = await scope.training.moments(id, BASE); } catch (error) { /* the next answer says that the server is gone */ }
    known.set(id, told ? told.moments : []);
    return known.get(id);
  };
  page.travel = function () {
    line.follow(run(travellers()[0]?.model));
    line.show();
  };
  page.ready = true;
})();
