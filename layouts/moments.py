"""The moments of a training at which its network was kept: which there are, and what each is called."""

from typing import Any

import numpy as np

from ..models.run import EpochMetrics, Run, Snapshot
from ..training.runs import SOURCE, RunStore

RECENT = 30
"""Steps that loss and accuracy within an epoch are the mean of; single steps jump about."""
FRACTIONS = {1 / 8: "⅛", 1 / 4: "¼", 1 / 2: "½"}


def network_of(model: str) -> str:
    """What a model has in common with all snapshots of its training: `run:ID` for `run:ID@SNAPSHOT`."""
    return model.partition("@")[0] if model.startswith(SOURCE) else model


def time_line(store: RunStore, id: str) -> dict[str, Any]:
    """The snapshots of a run in the order of time, in words; a page draws its time line from this.

    Returns:
        `id`, `title`, `active` (whether there will be more) and `moments`, each with the `name` of the snapshot, its
        `epoch`, its `tick` (epochs, as short as can be), its `title`, and `words` for how good the network was.

    Raises:
        RunError: there is no such run.
    """
    run, snapshots = store.read(id), store.snapshots(id)
    return {
        "id": id,
        "title": run.title,
        "active": run.active,
        "moments": [
            {
                "name": each.name,
                "epoch": each.epoch,
                "tick": tick(each),
                "title": moment(each, run.epochs_in_all),
                "words": _words(run, each),
            }
            for each in snapshots
        ],
    }


def tick(snapshot: Snapshot) -> str:
    """How many epochs there had been: `0`, `⅛`, `12`, `2.4`."""
    near = next((words for share, words in FRACTIONS.items() if abs(snapshot.epoch - share) < 0.01), None)
    return near or f"{snapshot.epoch:.2g}"


def moment(snapshot: Snapshot, epochs: int = 0) -> str:
    """When that was: `before the first step`, `⅛ of the first epoch`, `epoch 3 of 20`."""
    if not snapshot.step:
        return "before the first step"
    if snapshot.epoch < 1:
        return f"{tick(snapshot)} of the first epoch"
    return f"epoch {tick(snapshot)} of {epochs}" if epochs else f"epoch {tick(snapshot)}"


def _words(run: Run, snapshot: Snapshot) -> str:
    if not snapshot.step:
        return "It begins from weights learnt before." if run.config.get("start") else "Its weights are random."
    epoch = next((each for each in run.epochs if each.step == snapshot.step), None)
    return _epoch_words(epoch) if epoch else _step_words(run, snapshot.step)


def _epoch_words(epoch: EpochMetrics) -> str:
    words = f"Loss {_loss(epoch.loss)}, {_percent(epoch.accuracy)} right"
    if epoch.validation_loss is None or epoch.validation_accuracy is None:
        return words
    return f"{words}; on images kept out {_loss(epoch.validation_loss)}, {_percent(epoch.validation_accuracy)}"


def _step_words(run: Run, step: int) -> str:
    """Of the steps just before."""
    end = int(np.searchsorted(run.steps, step, side="right"))
    recent = slice(max(0, end - RECENT), end)
    if not len(run.losses[recent]):
        return "Nothing was measured."
    loss, accuracy = float(run.losses[recent].mean()), float(run.accuracies[recent].mean())
    return f"Loss {_loss(loss)}, {_percent(accuracy)} right in the last {len(run.losses[recent])} steps"


def _loss(value: float) -> str:
    return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
