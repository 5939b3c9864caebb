"""What the page knows of the chosen images before anything is learnt from them: their classes, and what is unreadable.

To look through a folder of many thousand pictures takes a while, so a thread does it, and the page asks for it again.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import Any

import numpy as np
from cachetools import LRUCache

from ...datasets.base import DIGITS, DatasetError
from ...datasets.own import OwnDataset, UnreadableError, load_own
from ..panels import digest
from .classes import fit, words_of
from .form import OWN, own_path
from .layers import draft_in

log = logging.getLogger(__name__)

MOST_NAMED = 200
"""Unreadable pictures that the page names one by one."""
HURRY = 2.0
"""Seconds for finding out whether anything has changed."""
FORGOTTEN = 15.0
"""Seconds after which a look that nobody asks for is given up."""
Shape = tuple[int, int, int]


@dataclass
class Look:
    """One look through images of the user's own, still going on or finished.

    Attributes:
        token: what the page asks for it by.
        path: what is looked through.
        done: pictures read.
        total: pictures in all; 0 while that is not known.
        found: what there is, once it is finished.
        asked: when somebody last asked, on the monotonic clock.
    """

    token: str
    path: Path
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
        token = digest(os.fsencode(path), repr(shape), _fingerprint(path))
        with self._lock:
            known = self._known.get(token)
            if known:
                return known
            look = self._known[token] = Look(token, path)
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
            files = [[_sayable(name), reason] for name, reason in error.files.items()][:MOST_NAMED]
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


def _sayable(name: str) -> str:
    """The name of a file, whatever bytes it is made of."""
    return name.encode("utf-8", "replace").decode()


def _fingerprint(path: Path) -> str:
    """Changes whenever a file in a folder is added, removed or written to; of a very large one the beginning counts."""
    found, until = [], time.monotonic() + HURRY
    try:
        for file in _files(path):
            stat = file.stat()
            found.append(f"{file} {stat.st_size} {stat.st_mtime_ns}")
            if time.monotonic() > until:
                break
    except OSError as error:
        found.append(str(error))
    return digest(*(os.fsencode(each) for each in sorted(found)))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for root, _, names in os.walk(path):
        yield from (Path(root, name) for name in names)


def images_of(looks: Looks, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What the page knows of the images that are chosen.

    Args:
        looks: at images of the users' own.
        sent: the form's `network` and `draft`, `source` and `path`; and `token` of a look that has begun.

    Returns:
        `words` about the classes; `fit` of the network to them (see `classes.fit`), None where it is not known; for
        images of the user's own `look` (see `Look.data`) as well.

    Raises:
        RunError: there are no such images.
    """
    draft = draft_in(sent)
    if sent.get("source") != OWN:
        return {"words": words_of(DIGITS), "classes": DIGITS, "fit": fit(draft.classes, DIGITS)}
    look = looks.of(str(sent.get("token") or ""))
    if look is None:
        shape = draft.rows[0].settings.get("shape", ())
        usable = isinstance(shape, tuple) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)
        look = looks.begin(Path(own_path(sent)), shape if usable else (28, 28, 1))
    found = look.found
    if not found or found["fault"]:
        return {"words": "", "classes": [], "fit": None, "look": look.data}
    return {
        "words": f"{words_of(found['classes'], found['counts'])}, {sum(found['counts']):,} images.",
        "classes": found["classes"],
        "fit": fit(draft.classes, found["classes"]),
        "look": look.data,
    }
