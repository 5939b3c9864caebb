"""What the page knows of the chosen images before anything is learnt from them: their classes, and what is unreadable.

To look through a folder of many thousand pictures takes a while, so a thread does it, and the page asks for it again.
"""

import logging
import os
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import Any

import numpy as np
from cachetools import LRUCache

from ...datasets.base import DIGITS, DatasetError
from ...datasets.own import OwnDataset, UnreadableError, load_own
from ...datasets.own_content import counted, listed
from ...training.config import RunConfig, RunError, check_data
from ..panels import digest

log = logging.getLogger(__name__)

COUNTS: Mapping[str, int] = {"mnist": 60_000, "digits": 1_797}
"""How many images there are to learn from, where that is known beforehand."""
MOST_NAMED = 200
"""Unreadable pictures that the page names one by one."""
MOST_CLASSES_NAMED = 12
FORGOTTEN = 15.0
"""Seconds after which a look that nobody asks for is given up."""
Shape = tuple[int, int, int]


@dataclass
class Look:
    """One look through images of the user's own, still going on or finished.

    Attributes:
        token: what the page asks for it by.
        done: pictures read.
        total: pictures in all; 0 while that is not known.
        found: what there is, once it is finished.
        asked: when somebody last asked, on the monotonic clock.
    """

    token: str
    done: int = 0
    total: int = 0
    found: dict[str, Any] | None = None
    asked: float = field(default_factory=time.monotonic)

    @property
    def data(self) -> dict[str, Any]:
        """For the page."""
        return {"token": self.token, "done": self.done, "total": self.total, "found": self.found}


class _ForgottenError(Exception):
    """Nobody asks for this look any more."""


class Looks:
    """Looks through folders and files, one at a time, and remembers what it found until something in them changes."""

    def __init__(self) -> None:
        self._known: MutableMapping[str, Look] = LRUCache(32)
        self._lock = Lock()
        self._one = Semaphore(1)

    def begin(self, path: Path, shape: Shape) -> Look:
        """The look at images of that path for a network's input shape, begun now where there is none."""
        token = digest(str(path), repr(shape), _fingerprint(path))
        with self._lock:
            known = self._known.get(token)
            if known:
                return known
            look = self._known[token] = Look(token)
        Thread(target=self._run, args=(look, path, shape), daemon=True, name=f"look {path.name}").start()
        return look

    def of(self, token: str) -> Look | None:
        """The look of that token; None where it has been forgotten."""
        with self._lock:
            look = self._known.get(token)
        if look:
            look.asked = time.monotonic()
        return look

    def _run(self, look: Look, path: Path, shape: Shape) -> None:
        def progress(done: int, total: int) -> None:
            look.done, look.total = done, total
            if time.monotonic() - look.asked > FORGOTTEN:
                raise _ForgottenError

        with self._one:
            try:
                look.found = found_in(path, shape, progress)
            except _ForgottenError:
                with self._lock:
                    self._known.pop(look.token, None)
            except Exception as error:
                log.exception("%s could not be looked through", path)
                look.found = _fault(f"{type(error).__name__}: {error}; the log says more.")


def found_in(path: Path, shape: Shape, progress: Any = lambda done, total: None) -> dict[str, Any]:
    """What is in a folder or file of the user's own.

    Returns:
        `fault` (why nothing can be learnt from it, or None), `classes`, `counts` of their images, `notes` about what
        was done with them, and `unreadable`: how many pictures cannot be read, of how many, and the first ones' names
        with the reason.
    """
    height, width, channels = shape
    unreadable: dict[str, Any] = {"count": 0, "total": 0, "files": []}

    def load(skip: bool) -> OwnDataset:
        return load_own(path, size=(height, width), colour=channels == 3, skip_unreadable=skip, progress=progress)

    try:
        try:
            dataset = load(skip=False)
        except UnreadableError as error:
            files = [list(pair) for pair in error.files.items()][:MOST_NAMED]
            unreadable = {"count": len(error.files), "total": error.total, "files": files}
            dataset = load(skip=True)
    except DatasetError as error:
        return {**_fault(str(error)), "unreadable": unreadable}
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes)).tolist()
    notes = [note for note in dataset.notes if "unreadable" not in note]  # they are named one by one beside this
    return {
        **_fault(None),
        "classes": list(dataset.classes),
        "counts": counts,
        "notes": notes,
        "unreadable": unreadable,
    }


def _fault(sentence: str | None) -> dict[str, Any]:
    nothing = {"count": 0, "total": 0, "files": []}
    return {"fault": sentence, "classes": [], "counts": [], "notes": [], "unreadable": nothing}


def _fingerprint(path: Path) -> str:
    """Changes whenever a file in a folder is added, removed or written to."""
    found = []
    try:
        files = [path] if path.is_file() else [Path(root, name) for root, _, names in os.walk(path) for name in names]
        for file in files:
            stat = file.stat()
            found.append(f"{file} {stat.st_size} {stat.st_mtime_ns}")
    except OSError as error:
        found.append(str(error))
    return digest(*sorted(found))


def words_of(classes: Sequence[str], counts: Sequence[int] = ()) -> str:
    """`4 classes: a (101), b (99), c (102), d (97)`."""
    pairs = [f"{name} ({count:,})" for name, count in zip(classes, counts, strict=True)] if counts else list(classes)
    return f"{counted(len(classes), 'class')}: {_named(pairs)}"


def _named(names: Sequence[str]) -> str:
    return listed(names) if len(names) > MOST_CLASSES_NAMED else ", ".join(names)


def fit(known: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    """Whether a network can learn from images of these classes, in words, with what to do about it.

    Args:
        known: the network's classes.
        classes: of the images.

    Returns:
        `words`, empty where all is well; `wrong`: whether nothing can be learnt so; `offer`: the words on a button that
        gives the network the classes of the images, None where it has them.
    """
    count = len(classes)
    if set(known) == set(classes):
        return {"words": "", "wrong": False, "offer": None}
    if set(classes) <= set(known):
        words = f"The network tells {len(known)} classes apart; these images are of {count} of them."
        return {"words": words, "wrong": False, "offer": f"Only these {count}"}
    if len(known) == count:
        words = f"The network calls its classes {_named(known)}; those of the images are taken for them one by one."
        return {"words": words, "wrong": False, "offer": "Call them as the images do"}
    words = f"The network tells the {len(known)} classes {_named(known)} apart, and these images have others."
    return {"words": words, "wrong": True, "offer": f"Give it these {count} classes"}


def check_images(config: RunConfig, found: Mapping[str, Any] | None) -> None:
    """Whether a run can learn from its images, as far as that is known before they are read.

    Args:
        config: of the run.
        found: what was found in images of the user's own; None for those that are known by name.

    Raises:
        RunError: it cannot; one sentence says why.
    """
    classes = DIGITS if found is None else found["classes"]
    fault = found["fault"] if found else None
    told = fit(config.network.classes, classes)
    if fault or told["wrong"]:
        raise RunError(fault or f"{told['words']} Received: {words_of(classes)}")
    total = sum(found["counts"]) if found else COUNTS.get(config.data.source)
    if total is not None:
        # As `Material.split` counts, first the share and then what is kept out of it.
        taken = total - round((1 - config.data.share) * total)
        kept_out = round(config.recipe.validation * taken)
        check_data(config, taken - kept_out, kept_out)
