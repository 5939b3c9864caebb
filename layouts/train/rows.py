"""A run as the page's list shows it: plain data, small, and worked out again only when there is something new."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from cachetools import LRUCache
from numpy.typing import NDArray

from ...backends.base import Backend
from ...models.bundled import BUNDLED
from ...models.run import Run
from ...training.config import RunError
from ...training.folder import UNEXPECTED
from ...training.runs import SOURCE, RunStore
from ...visualizers.words import joined
from ..panels import digest
from .form import OPTIMISERS, SCHEDULES, SOURCES

Row = dict[str, Any]

STATES: Mapping[str, str] = {
    "queued": "Waiting",
    "training": "Training",
    "done": "Done",
    "stopped": "Stopped",
    "failed": "Failed",
    UNEXPECTED: "Stopped unexpectedly",
}
SPARKLINE = 48
"""Points of the small curve in a row."""
RECENT = 30
"""Steps that the last loss and accuracy are the mean of; single steps jump about."""


class Rows:
    """The rows of all runs of a store; those that rest are kept until a file of theirs changes."""

    def __init__(self, store: RunStore, backends: Sequence[Backend]) -> None:
        self._store = store
        self._titles = {backend.name: backend.title for backend in backends}
        self._resting: LRUCache[str, tuple[tuple[int, ...], Row]] = LRUCache(2048)

    def all(self) -> list[Row]:
        """Every run's row, newest first; what cannot be read is left out."""
        found = [row for id in self._store.ids() if (row := self._row(id))]
        return sorted(found, key=lambda row: float(row["created"]), reverse=True)

    def _row(self, id: str) -> Row | None:
        try:
            changed = self._changed(id)
            known = self._resting.get(id)
            if known and known[0] == changed:
                return known[1]
            run = self._store.read(id)
        except (RunError, OSError):
            return None
        row = row_of(run, self._titles)
        if not run.active:
            self._resting[id] = changed, row
        return row

    def _changed(self, id: str) -> tuple[int, ...]:
        folder = self._store.folder(id)
        return tuple(path.stat().st_mtime_ns for path in (folder.config_file, folder.status_file))


def row_of(run: Run, backends: Mapping[str, str]) -> Row:
    """A run's row.

    Args:
        run: the run.
        backends: name → title.
    """
    row: Row = {
        "id": run.id,
        "title": run.title,
        "network": _network(run),
        "facts": _facts(run, backends),
        "state": run.status,
        "words": STATES.get(run.status, run.status),
        "message": run.message,
        "active": run.active,
        "share": round(run.share_done, 4),
        "step": run.step,
        "steps": run.steps_in_all,
        "epoch": len(run.epochs),
        "epochs": run.epochs_in_all,
        "pace": run.images_per_second if run.active else 0,
        "left": _seconds_left(run),
        "seconds": run.seconds,
        **_last(run),
        "sparkline": sparkline(run.losses),
        "created": run.created,
        "notes": run.notes,
        "can": _can(run),
        "look": {"model": f"{SOURCE}{run.id}", "backend": run.backend},
    }
    return {**row, "version": digest(orjson.dumps(row))}


def _network(run: Run) -> str:
    own = run.config.get("architecture")
    return str(own["title"]) if own else BUNDLED[run.model].title if run.model in BUNDLED else run.model


def _seconds_left(run: Run) -> float | None:
    """At the pace of now, where it is known: the first step of a framework takes as long as hundreds of others."""
    batch = run.config.get("recipe", {}).get("batch")
    if run.status == "training" and batch and run.images_per_second:
        return round((run.steps_in_all - run.step) * int(batch) / run.images_per_second, 1)
    return None if run.seconds_left is None else round(run.seconds_left, 1)


def _facts(run: Run, backends: Mapping[str, str]) -> str:
    """Backend, data and recipe in a few words."""
    recipe, data = run.config.get("recipe", {}), run.config.get("data", {})
    source = str(data.get("source", ""))
    share = "" if data.get("share", 1) == 1 else f"{100 * data['share']:.3g} % of "
    source = SOURCES.get(source, Path(source).name)
    start = str(run.config.get("start", ""))
    return joined(
        backends.get(run.backend, run.backend),
        f"{share}{source}",
        f"{OPTIMISERS.get(recipe.get('optimiser', {}).get('name'), '')} {written(recipe.get('learning_rate', 0))}",
        SCHEDULES.get(str(recipe.get("schedule")), "").lower(),
        f"batches of {recipe['batch']}" if recipe.get("batch") else "all images at once",
        "augmented" if recipe.get("augmentation") else "",
        "" if recipe.get("dropout", True) else "without dropout",
        f"seed {recipe.get('seed', 0)}",
        f"begun from {start}" if start else "",
        "unreadable pictures left out" if data.get("skip_unreadable") else "",
    )


def written(number: float) -> str:
    """A number as one would type it: `0.003`, `1e-5`, `1e9`."""
    return f"{number:g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def _last(run: Run) -> Row:
    """The newest numbers: of the last steps, and of the last epoch on images kept out."""
    epoch = run.epochs[-1] if run.epochs else None
    steps = {
        "loss": float(run.losses[-RECENT:].mean()) if len(run.losses) else None,
        "accuracy": float(run.accuracies[-RECENT:].mean()) if len(run.accuracies) else None,
    }
    kept_out = {
        "validation_loss": epoch.validation_loss if epoch else None,
        "validation_accuracy": epoch.validation_accuracy if epoch else None,
    }
    return {**steps, **kept_out}


def _can(run: Run) -> list[str]:
    """What can be done with a run as it stands."""
    learnt = run.step > 0
    possible = {
        "stop": run.active,
        "resume": run.status in ("stopped", "failed", UNEXPECTED),
        "further": not run.active and learnt,
        "look": learnt and run.status != "failed",
        "download": learnt,
        "delete": not run.active,
    }
    return [name for name, holds in possible.items() if holds]


def sparkline(losses: NDArray[np.float32]) -> list[float]:
    """The losses as at most `SPARKLINE` heights from 0 to 1, on a logarithmic scale; empty for fewer than two."""
    values = thinned(losses, SPARKLINE)[1]
    values = np.log10(np.maximum(values[np.isfinite(values)], 1e-6))
    if len(values) < 2:
        return []
    low, high = float(values.min()), float(values.max())
    heights = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    return [round(float(height), 3) for height in heights]


def thinned(values: NDArray[np.float32], most: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A long curve as at most that many means.

    How many values go into each is a power of two, so that points stay where they are while the curve grows.

    Args:
        values: `(n,)`.
        most: points at most.

    Returns:
        The middle of each group's positions, counted from 1, and its mean, both `(points,)`.
    """
    count, size = len(values), 1
    while -(-count // size) > most:
        size *= 2
    starts = np.arange(0, count, size)
    if not count:
        return np.empty(0, np.float32), np.empty(0, np.float32)
    ends = np.minimum(starts + size, count)
    means = np.add.reduceat(values.astype(np.float64), starts) / (ends - starts)
    return ((starts + 1 + ends) / 2).astype(np.float32), means.astype(np.float32)
