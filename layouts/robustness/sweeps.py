"""Sweeps of one server: measured one after the other, each point kept, so that browsers share what is known."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ...backends.base import BackendError, Model
from ...evaluation.disturbances import chosen
from ...evaluation.robustness import Material, Point, UnlikeError, curve, in_words, share_of, sweep
from ...training.config import RunError
from ...training.runs import SOURCE
from ...visualizers.contract import Frame
from ..data.sources import Opened
from ..jobs import Job, Jobs
from ..moments import network_of
from ..naming import Asked, names_of
from ..panels import digest
from ..services import Services

log = logging.getLogger(__name__)

MOST_IMAGES = 10_000
MOST_NETWORKS = 8
KEPT = 64
"""Models on data sets whose points are remembered; each holds at most a few thousand small objects."""

Points = dict[tuple[str, float], Point]


@dataclass(frozen=True)
class Wanted:
    """What a page asks for.

    Attributes:
        data: the id of an opened data set.
        networks: each in the framework that runs it.
        disturbances: names.
        count: images.
    """

    data: str
    networks: tuple[Asked, ...]
    disturbances: tuple[str, ...]
    count: int

    @classmethod
    def of(cls, sent: Mapping[str, Any], services: Services) -> "Wanted":
        """What a page has sent, within bounds.

        Raises:
            ValueError: an unknown disturbance, or no number of images.
        """
        backends = {each.name for each in services.backends}
        networks = [Asked.of(str(each)) for each in sent.get("networks") or []]
        networks = [each for each in networks if each.backend in backends and _offered(each.model, services)]
        names = [str(name) for name in sent.get("disturbances") or []]
        count = sent.get("count")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_IMAGES:
            raise ValueError(f"A sweep takes 1 to {MOST_IMAGES:,} images. Received: {count!r}")
        disturbances = tuple(each.name for each in chosen(names))
        return cls(str(sent.get("data")), tuple(dict.fromkeys(networks))[:MOST_NETWORKS], disturbances, count)


class Sweeps:
    """What has been measured, and who measures: one sweep at a time, so that two that ask for the same share it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._jobs = Jobs(at_once=1)
        self._watched: LRUCache[str, str] = LRUCache(256)
        self._points: LRUCache[tuple[str, ...], Points] = LRUCache(KEPT)
        self._versions: LRUCache[tuple[str, str], str] = LRUCache(KEPT)
        self._faults: LRUCache[tuple[Asked, str], str] = LRUCache(KEPT)
        self._lock = Lock()

    def start(self, viewer: str, wanted: Wanted) -> None:
        """Begins a sweep for a browser; its last one ends."""
        opened = self._services.sources.opened(wanted.data)
        if opened is None or not wanted.networks or not wanted.disturbances:
            return
        key = digest(wanted.data, *map(str, wanted.networks), *wanted.disturbances, str(wanted.count))
        with self._lock:
            for network in wanted.networks:
                self._faults.pop((network, wanted.data), None)
        job = self._jobs.start(viewer, key, lambda: self._measured(wanted, opened))
        with self._lock:
            self._watched[viewer] = job.id

    def stop(self, viewer: str) -> None:
        """Ends a browser's sweep at the next line of Python that it runs; what was measured stays."""
        if job := self._job(viewer):
            self._jobs.stop(job)

    def state(self, viewer: str, wanted: Wanted) -> dict[str, Any]:
        """How a browser's sweep stands, and all curves that it asks for as far as they are known."""
        job, opened = self._job(viewer), self._services.sources.opened(wanted.data)
        told = [self._told(network, wanted, opened) for network in wanted.networks] if opened else []
        share = sum(each["share"] for each in told) / len(told) if told else 0.0
        words = self._words(wanted, opened) if opened else {}
        return {
            "job": job.data if job else None, "share": share, "networks": told, "words": words, "gone": opened is None,
        }  # fmt: skip

    def point(self, network: Asked, wanted: Wanted, disturbance: str, strength: float) -> Point | None:
        """One point with its worst images; None before it has been measured."""
        opened = self._services.sources.opened(wanted.data)
        points = self._known(network, wanted, opened) if opened else {}
        return points.get((disturbance, strength))

    def _job(self, viewer: str) -> Job | None:
        with self._lock:
            id = self._watched.get(viewer)
        return self._jobs.job(id) if id else None

    def _words(self, wanted: Wanted, opened: Opened) -> dict[str, str]:
        """Disturbance → what its curves say, in a sentence; empty before there are any."""
        names = [name for _, name in names_of(self._services, wanted.networks)]
        known = [self._known(network, wanted, opened) for network in wanted.networks]
        return {each.name: in_words(each, dict(zip(names, known, strict=True))) for each in chosen(wanted.disturbances)}

    def _told(self, network: Asked, wanted: Wanted, opened: Opened) -> dict[str, Any]:
        points = self._known(network, wanted, opened)
        disturbances = chosen(wanted.disturbances)
        count = min(wanted.count, len(opened.dataset))
        with self._lock:
            fault = self._faults.get((network, wanted.data))
        curves = {
            each.name: [
                [point.strength, point.accuracy, *point.interval, point.count] for point in curve(points, each.name)
            ]
            for each in disturbances
        }
        share = 1.0 if fault else share_of(points, count, disturbances)
        return {"network": str(network), "fault": fault, "curves": curves, "share": share}

    def _measured(self, wanted: Wanted, opened: Opened) -> Iterator[Frame]:
        """Measures all networks in turn, a point each, so that their curves grow side by side."""
        material = Material.of(opened.dataset, wanted.count)
        disturbances = chosen(wanted.disturbances)
        going: dict[Asked, Iterator[Point]] = {}
        known: list[Points] = []
        for network in wanted.networks:
            yield Frame(None, 0.0)
            try:
                model = self._services.open(network.model, network.backend)
                points = self._kept(network, model, wanted, opened)
                known.append(points)
                going[network] = sweep(model, material, disturbances, points)
            except BackendError as error:
                self._fail(network, wanted, error)

        def share() -> float:
            return sum(share_of(points, len(material), disturbances) for points in known) / len(known)

        before = share() if known else 0.0
        while going:
            for network, points_of in list(going.items()):
                try:
                    if next(points_of, None) is None:
                        del going[network]
                except (BackendError, UnlikeError) as error:
                    self._fail(network, wanted, error)
                    del going[network]
                yield Frame(None, (share() - before) / (1 - before) if before < 1 else 1.0)

    def _fail(self, network: Asked, wanted: Wanted, error: Exception) -> None:
        log.warning("%s is not measured: %s", network, error)
        with self._lock:
            self._faults[network, wanted.data] = str(error)

    def _kept(self, network: Asked, model: Model, wanted: Wanted, opened: Opened) -> Points:
        """The points of an opened model, old ones or none yet; remembers which version of it they are of."""
        with self._lock:
            self._versions[self._place(network.model), network.backend] = model.version
            return self._points.setdefault(_key(model.version, network, wanted, opened), {})

    def _known(self, network: Asked, wanted: Wanted, opened: Opened) -> Points:
        """The points of a model that was opened before; none where it was not."""
        with self._lock:
            version = self._versions.get((self._place(network.model), network.backend))
            points = self._points.get(_key(version, network, wanted, opened)) if version else None
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


def _key(version: str, network: Asked, wanted: Wanted, opened: Opened) -> tuple[str, ...]:
    return version, network.backend, opened.id, str(wanted.count)
