"""What the time line of a training asks for: which snapshots there are, and what each answers to the drawing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends.base import Array, BackendError, Capability, Edit, Model
from ..drawing.pipeline import Steps
from ..models.run import Snapshot
from .moments import network_of
from .panels import digest
from .pictures import Source, prepared
from .services import Services
from .state import MOST_EDITS, STEPS, EditData

Probabilities = tuple[float, ...]


@dataclass(frozen=True)
class Question:
    """A drawing that all snapshots of a training are to be asked for.

    Attributes:
        model: of the run, whichever snapshot it is.
        backend: which runs it.
        source: where the image comes from.
        steps: what is done to ink.
        edits: units that are muted or scaled.
    """

    model: str
    backend: str
    source: Source
    steps: Steps
    edits: tuple[EditData, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Question":
        """The question as a page asks it.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        off = list(data.get("off") or [])
        edits = [(str(layer), int(unit), float(scale)) for layer, unit, scale in data.get("edits") or []]
        return cls(
            model=str(data["model"]),
            backend=str(data["backend"]),
            source=Source.of(data),
            steps=Steps(**{name: name not in off for name in STEPS}),
            edits=tuple(edits[:MOST_EDITS]),
        )


def prediction_curves(services: Services, question: Question) -> dict[str, Any]:
    """The class probabilities of one drawing at every snapshot of a training.

    Returns:
        `names` of the snapshots in the order of time, `classes`, and `probabilities`: for each snapshot one number in
        [0, 1] for each class, or None where the snapshot cannot be read; None for all of them on empty paper.

    Raises:
        BackendError: there is no such run, or its network cannot be opened.
        DatasetError: a stored image that does not exist.
        InkError: ink that cannot be read.
    """
    network = network_of(question.model)
    snapshots = services.snapshots(network)
    if not snapshots:
        raise BackendError(f"{network} has no snapshots.")
    model = services.open(network, question.backend)
    ready = prepared(question.source, services.stored(question.source), model.input_shape, question.steps)
    edits = tuple(Edit(*edit) for edit in question.edits if _applies(model, edit))
    found = None if ready.empty else [_at(services, network, each, model, ready.image, edits) for each in snapshots]
    return {"names": [each.name for each in snapshots], "classes": list(model.classes), "probabilities": found}


def _at(
    services: Services, network: str, snapshot: Snapshot, newest: Model, image: Array, edits: tuple[Edit, ...]
) -> Probabilities | None:
    """What one snapshot answers; kept, so that a run that grows is asked for what is new only."""

    def asked() -> Probabilities:
        model = services.open(f"{network}@{snapshot.name}", newest.backend)
        return tuple(round(float(value), 5) for value in model.probabilities(image[None], edits)[0])

    try:
        changed = snapshot.path.stat().st_mtime_ns
        key = (str(snapshot.path), changed, newest.backend, digest(np.ascontiguousarray(image).tobytes()), edits)
        return services.kept_answer(key, asked)
    except (BackendError, OSError):
        return None


def _applies(model: Model, edit: EditData) -> bool:
    """Whether this network has the unit and lets it be scaled."""
    units = {layer.name: layer.units for layer in model.layers}
    return Capability.EDITS in model.capabilities and 0 <= edit[1] < units.get(edit[0], 0)
