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
from ...datasets.own_content import LARGEST
from ...datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from ...drawing.pipeline import prepare
from ...drawing.strokes import render_strokes
from ...evaluation.disturbances import disturbance_at
from ...evaluation.robustness import Material
from ...evaluation.sets import labelled
from ..pictures import Stored
from .choice import HELD_OUT, OWN, PENS, Choice, Named

MNIST: dict[str, Split] = {"mnist-test": "test", "mnist-train": "train"}
PATIENCE = 0.5
"""Seconds that an answer waits for a data set, which is enough for most."""
ROOM = LARGEST + 2**28
"""Bytes of all data sets that are kept."""
PEN_SHAPE = (28, 28, 1)
MOST_FILES = 200_000
"""Files looked at to see whether the user's own images have changed."""

Progress = Callable[[int, int], None]


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

    def __init__(self, data: Path | None, samples: Callable[[], Dataset]) -> None:
        """Looks for data in the user's folder; `samples` are the images that the page one draws on offers."""
        self._data, self._samples = data, samples
        self._opened: LRUCache[str, Opened] = LRUCache(ROOM, getsizeof=lambda opened: opened.dataset.images.nbytes)
        self._latest: LRUCache[Choice, tuple[str, str]] = LRUCache(64)
        self._images: LRUCache[tuple[str, Named], Stored] = LRUCache(64)
        self._opening: dict[tuple[Choice, str], Future[Opened]] = {}
        self._stages: dict[tuple[Choice, str], Opening] = {}
        self._lock = Lock()

    def offered(self) -> list[dict[str, Any]]:
        """Everything that can be chosen, with what is missing, as options of a dropdown."""
        data = self._data
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
            state, id = self._latest.get(choice, ("", ""))
            known = self._opened.get(id) if state == key[1] else None
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

    def image(self, named: Named) -> Stored:
        """One image, of the data set as it was opened last; where that is not kept, it is read first.

        Raises:
            DatasetError: there is no such image, or its data set cannot be used.
        """
        opened = self._last(named.choice)
        with self._lock:
            known = self._images.get((opened.id, named))
        if known is None:
            known = _stored(opened, named)
            with self._lock:
                self._images[opened.id, named] = known
        return known

    def _last(self, choice: Choice) -> Opened:
        with self._lock:
            known = self._opened.get(self._latest.get(choice, ("", ""))[1])
        while known is None:
            found = self.open(choice)
            known = found if isinstance(found, Opened) else None
        return known

    def _read(self, key: tuple[Choice, str], opening: Future[Opened]) -> None:
        choice = key[0]

        def progress(done: int, total: int) -> None:
            self._stages[key] = Opening(done, total)

        try:
            found = self._found(choice, progress)
            with self._lock:
                self._opened[found.id] = found
                self._latest[choice] = key[1], found.id
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
        samples = self._samples()
        if samples.name == choice.name:
            return Opened(_id(choice.name, samples.checksum), choice, samples, samples=True)
        if choice.name in MNIST:
            dataset = _mnist(self._data, MNIST[choice.name])
        elif choice.name == "digits":
            dataset = load_digits()
        elif choice.name == PENS:
            return _pens(choice, self._data, progress)
        elif choice.name == HELD_OUT:
            dataset = _held_out(choice, self._data)
        else:
            names = ", ".join(option["value"] for option in self.offered())
            raise DatasetError(f"There is no data set called {choice.name!r}; there are {names}.")
        return Opened(_id(choice.name, dataset.checksum), choice, dataset)

    def _own(self, choice: Choice, progress: Progress) -> Opened:
        path = path_of(choice)
        own = load_own(
            path,
            size=choice.size,
            colour=choice.colour,
            part=choice.part,
            skip_unreadable=choice.skip,
            fewest_classes=1,
            progress=progress,
        )
        return Opened(_id(own.name, own.checksum), choice, own, own.notes)


def _stored(opened: Opened, named: Named) -> Stored:
    dataset, index = opened.dataset, named.index
    if index >= len(dataset):
        raise DatasetError(f"{dataset.title} has {len(dataset):,} images, numbered from 0. Received: {index:,}")
    if not named.disturbance:
        return Stored.of(dataset, index)
    try:
        disturbance, strength = disturbance_at(named.disturbance, named.strength)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    material = Material.of(dataset, len(dataset))
    number = int(np.flatnonzero(material.order == index)[0])
    image = np.rint(material.disturbed(disturbance, strength, range(number, number + 1))[0] * 255).astype(np.uint8)
    return Stored.of(dataset, index, image, f"{disturbance.title}: {strength:g} {disturbance.unit}.")


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


def _held_out(choice: Choice, data: Path | None) -> Dataset:
    """The digits that networks are evaluated on, as they get them."""
    shape = (*(choice.size or PEN_SHAPE[:2]), 3 if choice.colour else 1)
    found = labelled(PENS, data, shape, DIGITS)
    return Dataset(
        name=HELD_OUT,
        title=found.title,
        images=found.images,
        labels=found.labels,
        classes=DIGITS,
        source="Pendigits, of the writers whom no bundled network has seen.",
        checksum=found.checksum,
    )


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
