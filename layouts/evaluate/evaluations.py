"""Evaluations of one server: models by name, images by name, results by content, so that browsers share them."""

import threading
import time
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

from cachetools import LRUCache

from ...backends.base import BackendError, Model
from ...datasets.base import DatasetError
from ...evaluation.evaluate import answers
from ...evaluation.metrics import Answers, Metrics, joined, metrics_of
from ...evaluation.nearest import nearest
from ...evaluation.sets import SETS, Labelled, labelled
from ..moments import network_of
from ..panels import digest
from ..services import Services
from .pictures import Data, neighbours
from .work import Desk, Work

MOST_BYTES = 512 * 2**20
"""Of images that are kept for galleries; what is larger is kept alone."""
SHARED_BY = 8
"""Evaluations that images with a name are reckoned to be shared by."""
FIRST, LARGEST = 100, 1000
"""Images of the first batch, so that there is something to see soon, and of the largest."""


class Subject(NamedTuple):
    """What is evaluated: a model's source, a backend, and the name or path of the images."""

    model: str
    backend: str
    data: str


@dataclass(frozen=True, eq=False)
class Found:
    """A finished evaluation.

    Attributes:
        id: digest of what it depends on: the model's version, the backend, and the images.
        subject: what was asked for.
        model: the opened model.
        images: what it was measured on.
        answers: to every image.
        metrics: what they come to.
        seconds: how long the model took.
    """

    id: str
    subject: Subject
    model: Model
    images: Labelled
    answers: Answers
    metrics: Metrics
    seconds: float


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to see of an evaluation.

    Attributes:
        title: of the images.
        notes: on them.
        metrics: of all of them, or of those answered so far.
    """

    title: str
    notes: tuple[str, ...]
    metrics: Metrics


@dataclass(frozen=True, eq=False)
class Partial:
    """An evaluation under way; it holds no images, so that it may be kept when it has been stopped."""

    title: str
    notes: tuple[str, ...]
    classes: tuple[str, ...]
    parts: list[Answers]


class Evaluations:
    """All evaluations of one server. Safe to use from many threads at once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = Desk()
        self._searches = Desk()
        self._found: LRUCache[str, Found] = LRUCache(MOST_BYTES, getsizeof=_size)
        self._neighbours: LRUCache[str, Data] = LRUCache(64)
        self._sets: LRUCache[Hashable, Labelled] = LRUCache(MOST_BYTES, getsizeof=lambda kept: kept.images.nbytes)
        self._lock = threading.Lock()

    def found(self, id: str) -> Found | None:
        """The finished evaluation of that id, as long as it is kept."""
        with self._lock:
            return self._found.get(id)

    def prepare(self, subject: Subject) -> None:
        """Begins whatever takes long before the first number: whoever has chosen a model is about to evaluate it."""
        threading.Thread(target=self._prepare, args=(subject,), daemon=True, name=f"open {subject.model}").start()

    def opening(self, subject: Subject) -> str | None:
        """What is happening while the model is being opened; None when it is not."""
        return self._services.pool.stage(subject.model, subject.backend)

    def of(self, subject: Subject, start: bool) -> Work | None:
        """How an evaluation stands; `start` begins it where it is neither kept nor under way."""
        key = digest(*subject)
        work = self._desk.known(key)
        if not start or (work and self._holds(work, subject)):
            return work
        return self._desk.begin(key, lambda work: self._evaluate(work, subject))

    def accuracies(self, subject: Subject) -> dict[str, float]:
        """Name of a snapshot → share of the images that it is right about, for those that have been evaluated."""
        network = network_of(subject.model)
        names = [each.name for each in self._services.snapshots(network)]
        ids = {name: self._desk.result(digest(*subject._replace(model=f"{network}@{name}"))) for name in names}
        return {name: found.metrics.accuracy for name, id in ids.items() if id and (found := self.found(id))}

    def _holds(self, work: Work, subject: Subject) -> bool:
        """Whether what came of it is kept and would come of it again; a user's own images may have changed."""
        found = self.finished(work)
        if found is None or subject.data not in SETS:
            return False
        try:
            return self._services.open(subject.model, subject.backend).version == found.model.version
        except BackendError:
            return False  # beginning it again says why

    def shown(self, work: Work) -> Shown | None:
        """What there is to see of it by now."""
        found = self.finished(work)
        if found:
            return Shown(found.images.title, found.images.notes, found.metrics)
        partial: Partial | None = work.partial
        if partial is None or not partial.parts:
            return None
        return Shown(partial.title, partial.notes, metrics_of(joined(list(partial.parts)), partial.classes))

    def finished(self, work: Work) -> Found | None:
        """What came of it, as long as that is kept."""
        return self.found(work.result) if work.result else None

    def neighbours(self, found: Found, image: int, layer: str, start: bool) -> Work | None:
        """How the search for the nearest training images stands; `start` begins it.

        Raises:
            UnknownLayer: the model has no such layer.
        """
        found.model.layer(layer)
        key = digest(found.id, str(image), layer)
        if not start:
            return self._searches.known(key)
        return self._searches.begin(key, lambda work: self._search(work, key, found, image, layer))

    def _prepare(self, subject: Subject) -> None:
        with suppress(BackendError):  # which the evaluation says as soon as somebody asks for it
            self._services.open(subject.model, subject.backend)
        import_module("sklearn.metrics")  # after the framework: some modules are imported by both

    def _evaluate(self, work: Work, subject: Subject) -> str:
        """The id of what was found: the work itself holds no images, since there may be many works."""
        work.step(0, 0, "Opening the model…")
        model = self._services.open(subject.model, subject.backend)
        images = self._images(work, subject.data, model)
        id = digest(model.version, subject.backend, repr(model.classes), images.checksum)
        known = self.found(id)
        if known is None or known.subject != subject:
            known = self._measured(work, id, subject, model, images, known)
            with self._lock:
                self._found[id] = known
        work.partial = None
        return id

    def _measured(
        self, work: Work, id: str, subject: Subject, model: Model, images: Labelled, known: Found | None
    ) -> Found:
        if known:  # the same weights under another name
            return Found(id, subject, known.model, images, known.answers, known.metrics, known.seconds)
        parts: list[Answers] = []
        work.partial = Partial(images.title, images.notes, model.classes, parts)
        work.step(0, len(images), "Evaluating…")
        started = time.perf_counter()
        for stretch, batch in ((slice(FIRST), FIRST), (slice(FIRST, None), LARGEST)):
            if not len(images.labels[stretch]):
                break
            for part in answers(model, images.images[stretch], images.labels[stretch], batch):
                parts.append(part)
                work.step(sum(map(len, parts)), len(images))
        seconds = time.perf_counter() - started
        whole = joined(parts)
        return Found(id, subject, model, images, whole, metrics_of(whole, model.classes), seconds)

    def _images(self, work: Work, name: str, model: Model, part: Any = "test") -> Labelled:
        """Images by name; a user's own are read anew, because they may have changed."""
        key = name, model.input_shape, model.classes
        with self._lock:
            known = self._sets.get(key)
        if known:
            return known
        work.step(0, 0, f"Reading {SETS.get(name, name)}…")
        read = labelled(
            name, self._services.data, model.input_shape, model.classes, part=part, progress=lambda *at: work.step(*at)
        )
        if name in SETS:
            with self._lock, suppress(ValueError):  # larger than whatever is kept
                self._sets[key] = read
        return read

    def _search(self, work: Work, key: str, found: Found, image: int, layer: str) -> Data:
        with self._lock:
            known = self._neighbours.get(key)
        if known:
            return known
        among = self._training_images(work, found)
        own = image if among.checksum == found.images.checksum else None
        work.step(0, len(among), "Looking…")
        for last in nearest(found.model, layer, found.images.images[image], among.images, leave_out=own):
            work.partial = neighbours(among, last, found.model.classes)
            work.step(last.done, len(among))
        result: Data = work.partial
        with self._lock:
            self._neighbours[key] = result
        return result

    def _training_images(self, work: Work, found: Found) -> Labelled:
        """What a model of these images may have learnt from: MNIST, or the training part of the user's own images."""
        if found.subject.data not in SETS:
            return self._images(work, found.subject.data, found.model, "train")
        try:
            return self._images(work, "train", found.model)
        except DatasetError:
            return self._images(work, "digits", found.model)


def _size(found: Found) -> int:
    """Bytes. Named images are kept once for all evaluations of them, such as those of the snapshots of a training."""
    images = found.images.images.nbytes // (SHARED_BY if found.subject.data in SETS else 1)
    return min(MOST_BYTES, images + found.answers.labels.nbytes * 3 + 4 * found.model.parameters)


def subject_of(sent: Mapping[str, Any], services: Services) -> Subject:
    """What the page asks to evaluate; of a training its last snapshot by name, which it may not be for long.

    Raises:
        BackendError: there is no such backend.
    """
    model, backend = str(sent.get("model") or services.model), str(sent.get("backend") or services.default_backend)
    if backend not in [entry.name for entry in services.backends]:
        there = ", ".join(entry.name for entry in services.backends)
        raise BackendError(f"There is no backend {backend!r}; there are {there}.")
    if snapshots := services.snapshots(model):
        model = model if "@" in model else f"{model}@{snapshots[-1].name}"
    return Subject(model, backend, str(sent.get("data") or "test"))
