"""Sweeps of one server: measured one after the other, each point kept, so that browsers share what is known."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ...backends.base import BackendError, Model
from ...evaluation.disturbances import chosen
from ...evaluation.robustness import Material, Point, UnlikeError, curve, share_of, sweep
from ...training.config import RunError
from ...training.runs import SOURCE
from ...visualizers.contract import Frame
from ..data.sources import Opened, Sources
from ..jobs import Job, Jobs
from ..moments import network_of
from ..panels import digest
from ..services import Services

log = logging.getLogger(__name__)

MOST_IMAGES = 10_000
MOST_MODELS = 8
KEPT = 64
"""Models on data sets whose points are remembered; each holds at most a few thousand small objects."""

Points = dict[tuple[str, float], Point]


@dataclass(frozen=True)
class Wanted:
    """What a page asks for.

    Attributes:
        data: the id of an opened data set.
        models: what the user calls each.
        backend: runs them all.
        disturbances: names.
        count: images.
    """

    data: str
    models: tuple[str, ...]
    backend: str
    disturbances: tuple[str, ...]
    count: int

    @classmethod
    def of(cls, sent: Mapping[str, Any], services: Services) -> "Wanted":
        """What a page has sent, within bounds.

        Raises:
            ValueError: an unknown disturbance, no model, or no number of images.
        """
        models = [str(name) for name in sent.get("models") or [] if _offered(str(name), services)]
        names = [str(name) for name in sent.get("disturbances") or []]
        count = sent.get("count")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_IMAGES:
            raise ValueError(f"A sweep takes 1 to {MOST_IMAGES:,} images. Received: {count!r}")
        disturbances = tuple(each.name for each in chosen(names))
        backend = str(sent.get("backend") or services.default_backend)
        return cls(str(sent.get("data")), tuple(dict.fromkeys(models))[:MOST_MODELS], backend, disturbances, count)


class Sweeps:
    """What has been measured, and who measures: one sweep at a time, so that two that ask for the same share it."""

    def __init__(self, services: Services, sources: Sources) -> None:
        self._services, self._sources = services, sources
        self._jobs = Jobs(at_once=1)
        self._watched: LRUCache[str, str] = LRUCache(256)
        self._points: LRUCache[tuple[str, ...], Points] = LRUCache(KEPT)
        self._versions: LRUCache[tuple[str, str], str] = LRUCache(KEPT)
        self._faults: LRUCache[tuple[str, str, str], str] = LRUCache(KEPT)
        self._lock = Lock()

    def start(self, viewer: str, wanted: Wanted) -> None:
        """Begins a sweep for a browser; its last one ends."""
        opened = self._sources.opened(wanted.data)
        if opened is None or not wanted.models or not wanted.disturbances:
            return
        key = digest(wanted.data, *wanted.models, wanted.backend, *wanted.disturbances, str(wanted.count))
        with self._lock:
            for model in wanted.models:
                self._faults.pop((model, wanted.backend, wanted.data), None)
        job = self._jobs.start(viewer, key, lambda: self._measured(wanted, opened))
        with self._lock:
            self._watched[viewer] = job.id

    def stop(self, viewer: str) -> None:
        """Ends a browser's sweep at the next line of Python that it runs; what was measured stays."""
        if job := self._job(viewer):
            self._jobs.stop(job)

    def state(self, viewer: str, wanted: Wanted) -> dict[str, Any]:
        """How a browser's sweep stands, and all curves that it asks for as far as they are known."""
        job, opened = self._job(viewer), self._sources.opened(wanted.data)
        told = [self._told(model, wanted, opened) for model in wanted.models] if opened else []
        share = sum(each["share"] for each in told) / len(told) if told else 0.0
        return {"job": job.data if job else None, "share": share, "models": told, "gone": opened is None}

    def point(self, model: str, wanted: Wanted, disturbance: str, strength: float) -> Point | None:
        """One point with its worst images; None before it has been measured."""
        opened = self._sources.opened(wanted.data)
        points = self._known(model, wanted, opened) if opened else {}
        return points.get((disturbance, strength))

    def _job(self, viewer: str) -> Job | None:
        with self._lock:
            id = self._watched.get(viewer)
        return self._jobs.job(id) if id else None

    def _told(self, model: str, wanted: Wanted, opened: Opened) -> dict[str, Any]:
        points = self._known(model, wanted, opened)
        disturbances = chosen(wanted.disturbances)
        count = min(wanted.count, len(opened.dataset))
        with self._lock:
            fault = self._faults.get((model, wanted.backend, wanted.data))
        curves = {
            each.name: [
                [point.strength, point.accuracy, *point.interval, point.count] for point in curve(points, each.name)
            ]
            for each in disturbances
        }
        share = 1.0 if fault else share_of(points, count, disturbances)
        return {"model": model, "fault": fault, "curves": curves, "share": share}

    def _measured(self, wanted: Wanted, opened: Opened) -> Iterator[Frame]:
        """Measures all models in turn, a point each, so that their curves grow side by side."""
        material = Material.of(opened.dataset, wanted.count)
        disturbances = chosen(wanted.disturbances)
        going: dict[str, Iterator[Point]] = {}
        known: list[Points] = []
        for name in wanted.models:
            yield Frame(None, 0.0)
            try:
                model = self._services.open(name, wanted.backend)
                points = self._kept(name, model, wanted, opened)
                known.append(points)
                going[name] = sweep(model, material, disturbances, points)
            except BackendError as error:
                self._fail(name, wanted, error)

        def share() -> float:
            return sum(share_of(points, len(material), disturbances) for points in known) / len(known)

        before = share() if known else 0.0
        while going:
            for name, points_of in list(going.items()):
                try:
                    if next(points_of, None) is None:
                        del going[name]
                except (BackendError, UnlikeError) as error:
                    self._fail(name, wanted, error)
                    del going[name]
                yield Frame(None, (share() - before) / (1 - before) if before < 1 else 1.0)

    def _fail(self, model: str, wanted: Wanted, error: Exception) -> None:
        log.warning("%s on %s is not measured: %s", model, wanted.backend, error)
        with self._lock:
            self._faults[model, wanted.backend, wanted.data] = str(error)

    def _kept(self, name: str, model: Model, wanted: Wanted, opened: Opened) -> Points:
        """The points of an opened model, old ones or none yet; remembers which version of it they are of."""
        with self._lock:
            self._versions[self._place(name), wanted.backend] = model.version
            return self._points.setdefault(_key(model.version, wanted, opened), {})

    def _known(self, name: str, wanted: Wanted, opened: Opened) -> Points:
        """The points of a model that was opened before; none where it was not."""
        with self._lock:
            version = self._versions.get((self._place(name), wanted.backend))
            points = self._points.get(_key(version, wanted, opened)) if version else None
        return dict(points or {})

    def _place(self, model: str) -> str:
        """Where a model's weights are, so that a run that has learnt more is another one."""
        store = self._services.store
        if store is None or not model.startswith(SOURCE):
            return model
        try:
            return str(store.weights_path(model))
        except RunError:
            return model


def _offered(model: str, services: Services) -> bool:
    """Whether a page may measure it: a model that can be chosen, or a snapshot of one."""
    network = network_of(model)
    names = [network, *(f"{network}@{each.name}" for each in services.snapshots(network))]
    return network in services.recent("models") and model in names


def _key(version: str, wanted: Wanted, opened: Opened) -> tuple[str, ...]:
    return version, wanted.backend, opened.id, str(wanted.count)
