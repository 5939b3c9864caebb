"""The data sets one can look at: MNIST, the bundled digits, pen strokes, and the user's own; opened when asked for.

Opening may take long, so it happens in a thread of its own, and whoever asks meanwhile is told how far it has come.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np
from cachetools import LRUCache

from ...datasets.base import DIGITS, Dataset, DatasetError
from ...datasets.digits import load_digits
from ...datasets.mnist import Split, find_mnist, load_mnist
from ...datasets.own import load_own
from ...datasets.own_content import LARGEST, Part
from ...datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from ...drawing.pipeline import prepare
from ...drawing.strokes import render_strokes
from ..services import Services

OWN, PENS = "own", "pens"
MNIST: dict[str, Split] = {"mnist-test": "test", "mnist-train": "train"}
PATIENCE = 0.5
"""Seconds that an answer waits for a data set, which is enough for most."""
ROOM = LARGEST + 2**28
"""Bytes of all data sets that are kept."""
PEN_SHAPE = (28, 28, 1)
MOST_FILES = 200_000
"""Files looked at to see whether the user's own images have changed."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Choice:
    """Which data is wanted.

    Attributes:
        name: one of those offered.
        path: of the user's own.
        part: which, where the user's own has two.
        colour: whether the user's own is read in colour.
        skip: whether pictures are left out that cannot be read.
    """

    name: str
    path: str = ""
    part: Part = "train"
    colour: bool = False
    skip: bool = False


@dataclass(frozen=True, eq=False)
class Opened:
    """A data set that is there.

    Attributes:
        id: names it in addresses; another content has another one.
        choice: what was asked for.
        dataset: images and labels.
        notes: what is to be said of it, a sentence each.
        pens: the strokes of each image, where it was drawn from strokes.
        samples: whether the page one draws on knows it, so that `sample=class.number` names an image of it.
    """

    id: str
    choice: Choice
    dataset: Dataset
    notes: tuple[str, ...] = ()
    pens: tuple[PenDigit, ...] = ()
    samples: bool = False


@dataclass(frozen=True)
class Opening:
    """A data set that is being read: images read, and images in all, 0 as long as that is not known."""

    done: int = 0
    total: int = 0


class Sources:
    """The data sets of one server; kept as far as there is room, and read again where they have changed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opened: LRUCache[str, Opened] = LRUCache(ROOM, getsizeof=lambda opened: opened.dataset.images.nbytes)
        self._ids: LRUCache[tuple[Choice, str], str] = LRUCache(64)
        self._opening: dict[tuple[Choice, str], Future[Opened]] = {}
        self._stages: dict[tuple[Choice, str], Opening] = {}
        self._lock = Lock()

    def offered(self) -> list[dict[str, Any]]:
        """Everything that can be chosen, with what is missing, as options of a dropdown."""
        data = self._services.data
        titles = {
            "mnist-test": ("MNIST test images", find_mnist(data, ("test",)) is not None),
            "mnist-train": ("MNIST training images", find_mnist(data, ("train",)) is not None),
            "digits": ("Bundled digits, 8×8", True),
            PENS: ("Pen strokes", find_pendigits(data) is not None),
            OWN: ("Your own…", True),
        }
        return [
            {"value": name, "label": title if there else f"{title} (not found)", "disabled": not there}
            for name, (title, there) in titles.items()
        ]

    def opened(self, id: str) -> Opened | None:
        """A data set that was opened before and is still kept."""
        with self._lock:
            return self._opened.get(id)

    def open(self, choice: Choice) -> Opened | Opening:
        """The data set, or how far it has come.

        Raises:
            DatasetError: it is not there or cannot be used; the message says why.
        """
        key = choice, _state_of(choice)
        with self._lock:
            known = self._opened.get(self._ids.get(key, ""))
            if known:
                return known
            opening = self._opening.get(key)
            fresh = opening is None
            if opening is None:
                opening = self._opening[key] = Future()
        if fresh:
            Thread(target=self._read, args=(key, opening), daemon=True, name=f"read {choice.name}").start()
        wait([opening], timeout=PATIENCE)
        if not opening.done():
            return self._stages.get(key, Opening())
        with self._lock:
            self._opening.pop(key, None)
        return opening.result()

    def _read(self, key: tuple[Choice, str], opening: Future[Opened]) -> None:
        choice = key[0]

        def progress(done: int, total: int) -> None:
            self._stages[key] = Opening(done, total)

        try:
            found = self._found(choice, progress)
            with self._lock:
                self._opened[found.id] = found
                self._ids[key] = found.id
            opening.set_result(found)
        except DatasetError as error:
            opening.set_exception(error)
        except Exception as error:
            opening.set_exception(DatasetError(f"The data cannot be read: {type(error).__name__}: {error}"))
        finally:
            self._stages.pop(key, None)

    def _found(self, choice: Choice, progress: Progress) -> Opened:
        if choice.name == OWN:
            return self._own(choice, progress)
        samples = self._services.samples[0]
        if samples.name == choice.name:
            return Opened(_id(choice.name, samples.checksum), choice, samples, samples=True)
        if choice.name in MNIST:
            dataset = _mnist(self._services.data, MNIST[choice.name])
        elif choice.name == "digits":
            dataset = load_digits()
        elif choice.name == PENS:
            return _pens(choice, self._services.data, progress)
        else:
            names = ", ".join(option["value"] for option in self.offered())
            raise DatasetError(f"There is no data set called {choice.name!r}; there are {names}.")
        return Opened(_id(choice.name, dataset.checksum), choice, dataset)

    def _own(self, choice: Choice, progress: Progress) -> Opened:
        path = path_of(choice)
        own = load_own(path, colour=choice.colour, part=choice.part, skip_unreadable=choice.skip, progress=progress)
        return Opened(_id(own.name, own.checksum), choice, own, own.notes)


def path_of(choice: Choice) -> Path:
    """Where the user's own images are.

    Raises:
        DatasetError: no path was given.
    """
    given = choice.path.strip().strip("\"'")
    if not given:
        raise DatasetError("Name a folder of pictures per class, a .npz file or a .json file.")
    return Path(given).expanduser().absolute()


def _mnist(data: Path | None, split: Split) -> Dataset:
    folder = find_mnist(data, (split,))
    if folder is None:
        raise DatasetError(
            f"The MNIST {split} images are not there; `layerscope download` fetches them, or name their folder "
            "with --data."
        )
    return load_mnist(folder, split)


def _pens(choice: Choice, data: Path | None, progress: Progress) -> Opened:
    """Every digit as the page would draw and prepare it."""
    file = find_pendigits(data)
    if file is None:
        raise DatasetError("The pen strokes are not there; name the folder that holds pendigits/ with --data.")
    digits = load_pendigits(file)
    images = np.empty((len(digits), *PEN_SHAPE), np.uint8)
    for done, digit in enumerate(digits):
        images[done] = np.rint(prepare(render_strokes(digit.strokes), PEN_SHAPE).image * 255)
        if done % 100 == 0:
            progress(done, len(digits))
    labels = np.array([digit.label for digit in digits], np.int64)
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    writers = len({digit.writer for digit in digits})
    dataset = Dataset(
        name=PENS,
        title="Pen strokes",
        images=images,
        labels=labels,
        classes=DIGITS,
        source=f"Pendigits (Alpaydin and Alimoglu 1998), written by {writers} people with a pen, from {file.parent}.",
        checksum=f"sha256:{checksum}",
    )
    note = "Shown as the network gets them; each was drawn from its strokes, and is prepared as your own drawing is."
    return Opened(_id(PENS, checksum), choice, dataset, (note,), digits)


def _id(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=9).hexdigest()


def _state_of(choice: Choice) -> str:
    """Changes when the user's own files do, as far as their names, sizes and times tell."""
    if choice.name != OWN:
        return ""
    path, digest = path_of(choice), hashlib.blake2b(digest_size=9)
    for file in _files(path):
        try:
            state = file.stat()
            digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\0".encode("utf-8", "replace"))
        except OSError:
            continue
    return digest.hexdigest()


def _files(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    found = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(islice(found, MOST_FILES))
