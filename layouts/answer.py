"""One request, one forward pass, one answer: everything the page shows for a drawing, as plain data.

The browser says which figures it has (`shown`: panel → key); a figure whose key has not changed is not sent again. So
one function serves a stroke, a change of model, a click and a moved slider alike, and each redraws what it changes.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.base import BackendError, Capability, Edit, Model
from ..datasets.base import DatasetError
from ..drawing.ink import InkError
from ..drawing.pipeline import Prepared, Steps
from ..models.layers import LayerInfo
from ..models.run import ACTIVE
from ..visualizers.contract import Need, Pass, Subject
from ..visualizers.controls import SettingError
from .arrangements import first_with_weights
from .beside import Found, with_beside
from .panels import aside_of, digest, panel_part, start_job
from .pictures import Source, prepared
from .services import Services
from .state import NOTHING_BESIDE, STEPS, Beside, EditData, Panel, Selected

log = logging.getLogger(__name__)

Data = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What the browser asks to see."""

    model: str
    backend: str
    source: Source
    steps: Steps
    selected: Selected
    panels: Sequence[Panel]
    shown: Mapping[str, str]
    serial: int = 0
    edits: Sequence[EditData] = ()
    beside: Beside = NOTHING_BESIDE

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Request":
        """The page's question: its ink, its stores, and the figures it has."""
        ink, subject = data["ink"], data["subject"]
        return cls(
            model=subject["model"],
            backend=subject["backend"],
            source=Source.of(ink),
            steps=Steps(**{name: name not in subject["off"] for name in STEPS}),
            selected=Selected.of(data.get("selection")),
            panels=[Panel.of(entry) for entry in data["panels"]["panels"]],
            shown=data.get("shown") or {},
            serial=ink.get("serial", 0),
            edits=[(layer, unit, scale) for layer, unit, scale in data.get("edits") or []],
            beside=Beside.of(data.get("beside")),
        )


def answer(services: Services, request: Request) -> Data:
    """Everything that changes on the page; a fault that concerns all of it is one sentence under `fault`."""
    try:
        return _answered(services, request, *_opened(services, request))
    except (BackendError, DatasetError, InkError) as error:
        log.error("%s", error)
        return {"serial": request.serial, "fault": str(error)}
    except Exception as error:
        log.exception("No answer for %s on %s", request.model, request.backend)
        return {
            "serial": request.serial,
            "fault": f"Layerscope failed ({type(error).__name__}: {error}); its log says more.",
        }


def run(services: Services, request: Request, name: str) -> Data:
    """Begins what one panel shows on request, and says how it stands; a fault is the message of a failed job.

    Args:
        services: what the server has.
        request: what the page shows.
        name: of the panel, or `aside_of` it for the words beside its figure.
    """
    asked = next((each for each in request.panels if name in (each.id, aside_of(each.id))), None)
    if asked is None:
        return _not_begun(name, "This panel is gone.")
    try:
        model, ready = _opened(services, request)
        found = _found(services, request, model, ready)
        return start_job(services, asked, found, _image_key(found.subject), name != asked.id).data
    except (BackendError, DatasetError, InkError, SettingError, LookupError) as error:
        log.warning("Panel %s cannot run: %s", asked.visualizer, error)
        return _not_begun(name, str(error))


def _not_begun(name: str, message: str) -> Data:
    return {"id": None, "panel": name, "status": "failed", "message": message, "frames": 0, "share": 0}


def _opened(services: Services, request: Request) -> tuple[Model, Prepared]:
    model = services.open(request.model, request.backend)
    return model, prepared(request.source, services.stored(request.source), model.input_shape, request.steps)


def _answered(services: Services, request: Request, model: Model, ready: Prepared) -> Data:
    found = _found(services, request, model, ready)
    subject = found.subject
    image_key = _image_key(subject)
    selected = Selected(subject.chosen.name, subject.unit, subject.position, subject.target)
    return {
        "serial": request.serial,
        "fault": None,
        "subject": _described(services, request, model),
        "selected": selected.data,
        "edited": [_applies(model, edit) for edit in request.edits],
        "beside": _offers(services, request, found),
        "empty": ready.empty,
        "stages": [_stage(stage.name, stage.image, stage.title, stage.note, stage.active) for stage in ready.stages],
        "prediction": _prediction(subject),
        "panels": {panel.id: panel_part(services, panel, found, image_key, request.shown) for panel in request.panels},
    }


def _found(services: Services, request: Request, model: Model, ready: Prepared) -> Found:
    """What is looked at, with all that the panels need; a selection that this model does not have is left out."""
    needs = _needs(services, request)
    subject = _subject(services, request, model, ready, needs)
    return with_beside(services, subject, request.beside, needs, request.source, request.steps)


def _needs(services: Services, request: Request) -> frozenset[Need]:
    """Of all panels together."""
    wanted = (services.visualizers[panel.visualizer] for panel in request.panels if _known(services, panel))
    return frozenset(need for each in wanted for need in each.needs)


def _offers(services: Services, request: Request, found: Found) -> Data:
    """What the pickers of a second model and of a run are to know; runs only where a panel asks for one."""
    others = [each for each in services.backends if each.missing is None and each.name != request.backend]
    return {
        "opening": found.opening,
        "elsewhere": {"backend": others[0].name, "title": others[0].title} if others else None,
        "runs": list(services.recent("runs").items()) if Need.RUN in _needs(services, request) else None,
        "going": found.subject.run is not None and found.subject.run.status in ACTIVE,
    }


def _subject(services: Services, request: Request, model: Model, ready: Prepared, needs: frozenset[Need]) -> Subject:
    edits = tuple(Edit(*edit) for edit in request.edits if _applies(model, edit))
    layer, selected = _selected_layer(model, request.selected), request.selected
    here = layer.name == selected.layer
    return Subject(
        model=model,
        forward=None if ready.empty else Pass(model, ready.image, edits),
        layer=layer,
        unit=selected.unit if here and _has(layer, selected.unit) else None,
        label=_label(services, request.source, model),
        position=selected.position if here and _holds(layer, selected.position) else None,
        target=selected.target if selected.target in range(len(model.classes)) else None,
        dataset=services.samples[0] if Need.DATASET in needs else None,
        edits=edits,
    )


def _label(services: Services, source: Source, model: Model) -> int | None:
    """The true class of the image; ink keeps the position that it has been given."""
    stored = services.stored(source)
    label = stored.label_in(model.classes) if stored else source.label
    return label if label in range(len(model.classes)) else None


def _known(services: Services, panel: Panel) -> bool:
    return panel.visualizer in services.visualizers


def _image_key(subject: Subject) -> str:
    return "none" if subject.forward is None else digest(subject.image.tobytes(), repr(subject.label))


def _applies(model: Model, edit: EditData) -> bool:
    """Whether this model has the unit and lets it be muted."""
    units = {layer.name: layer.units for layer in model.layers}
    return Capability.EDITS in model.capabilities and 0 <= edit[1] < units.get(edit[0], 0)


def _holds(layer: LayerInfo, position: tuple[int, int] | None) -> bool:
    return (
        position is not None
        and layer.is_spatial
        and all(0 <= place < size for place, size in zip(position, layer.output_shape, strict=False))
    )


def _selected_layer(model: Model, selected: Selected) -> LayerInfo:
    """The selected layer, or the default one where this model does not have it."""
    names = [layer.name for layer in model.layers]
    return model.layer(selected.layer if selected.layer in names else first_with_weights(model.layers))


def _has(layer: LayerInfo, unit: int | None) -> bool:
    return unit is not None and 0 <= unit < layer.units


def _described(services: Services, request: Request, model: Model) -> Data:
    title = next(backend.title for backend in services.backends if backend.name == model.backend)
    return {
        "model": model.name,
        "backend": model.backend,
        "title": f"{services.title(request.model)} · {title}",
        "version": model.version,
        "parameters": model.parameters,
        "classes": list(model.classes),
        "layers": [layer.name for layer in model.layers],
        "edits": Capability.EDITS in model.capabilities,
    }


def _stage(name: str, image: NDArray[np.float32], title: str, note: str, active: bool) -> Data:
    pixels = np.rint(image * 255).astype(np.uint8)
    return {"name": name, "title": title, "note": note, "active": active, "pixels": pixels}


def _prediction(subject: Subject) -> Data | None:
    if subject.forward is None:
        return None
    probabilities = subject.probabilities
    return {"probabilities": [float(value) for value in probabilities], "label": subject.label}
