"""One request, one forward pass, one answer: everything the page shows for a drawing, as plain data.

The browser says which figures it has (`shown`: panel → key); a figure whose key has not changed is not sent again. So
one function serves a stroke, a change of model, a click and a moved slider alike, and each redraws what it changes.
"""

import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.base import BackendError, Model
from ..datasets.base import DatasetError
from ..drawing.ink import InkError
from ..drawing.pipeline import Prepared, Steps
from ..models.layers import LayerInfo
from ..visualizers.contract import Need, Pass, Subject, Visualizer
from ..visualizers.controls import SettingError, build_settings
from .arrangements import first_with_weights
from .pictures import Source, prepared
from .services import Services
from .state import Panel, Selected

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


def answer(services: Services, request: Request) -> Data:
    """Everything that changes on the page; a fault that concerns all of it is one sentence under `fault`."""
    try:
        model = services.open(request.model, request.backend)
        dataset = services.samples[0] if request.source.sample else None
        ready = prepared(request.source, dataset, model.input_shape, request.steps)
        return _answered(services, request, model, ready)
    except (BackendError, DatasetError, InkError) as error:
        log.error("%s", error)
        return {"serial": request.serial, "fault": str(error)}
    except Exception as error:
        log.exception("No answer for %s on %s", request.model, request.backend)
        return {
            "serial": request.serial,
            "fault": f"Layerscope failed ({type(error).__name__}: {error}); its log says more.",
        }


def _answered(services: Services, request: Request, model: Model, ready: Prepared) -> Data:
    forward = None if ready.empty else Pass(model, ready.image)
    layer = _selected_layer(model, request.selected)
    unit = (
        request.selected.unit if layer.name == request.selected.layer and _has(layer, request.selected.unit) else None
    )
    label = request.source.label if request.source.label in range(len(model.classes)) else None
    subject = Subject(model=model, forward=forward, layer=layer, unit=unit, label=label)
    image_key = _digest(ready.image.tobytes(), repr(label)) if forward else "none"
    return {
        "serial": request.serial,
        "fault": None,
        "subject": _described(model, services),
        "selected": {"layer": layer.name, "unit": unit},
        "empty": ready.empty,
        "stages": [_stage(stage.name, stage.image, stage.title, stage.note, stage.active) for stage in ready.stages],
        "prediction": _prediction(subject),
        "panels": {
            panel.id: _panel(services.visualizers, panel, subject, image_key, request.shown) for panel in request.panels
        },
    }


def _selected_layer(model: Model, selected: Selected) -> LayerInfo:
    """The selected layer, or the default one where this model does not have it."""
    names = [layer.name for layer in model.layers]
    return model.layer(selected.layer if selected.layer in names else first_with_weights(model.layers))


def _has(layer: LayerInfo, unit: int | None) -> bool:
    return unit is not None and 0 <= unit < layer.units


def _described(model: Model, services: Services) -> Data:
    title = next(backend.title for backend in services.backends if backend.name == model.backend)
    return {
        "model": model.name,
        "backend": model.backend,
        "title": f"{services.models.get(model.name, model.name)} · {title}",
        "version": model.version,
        "parameters": model.parameters,
        "classes": list(model.classes),
    }


def _stage(name: str, image: NDArray[np.float32], title: str, note: str, active: bool) -> Data:
    pixels = np.rint(image * 255).astype(np.uint8)
    picture = base64.b64encode(pixels.tobytes()).decode()
    return {
        "name": name, "title": title, "note": note, "active": active, "shape": list(pixels.shape), "pixels": picture,
    }  # fmt: skip


def _prediction(subject: Subject) -> Data | None:
    if subject.forward is None:
        return None
    probabilities = subject.probabilities
    return {"probabilities": [float(value) for value in probabilities], "label": subject.label}


def _panel(
    visualizers: Mapping[str, Visualizer], panel: Panel, subject: Subject, image_key: str, shown: Mapping[str, str]
) -> Data:
    """One panel's share of the answer: `figure`, or why there is none; nothing new when the browser has it already."""
    if panel.visualizer not in visualizers:
        return _without_figure(f"There is no visualizer called {panel.visualizer!r}.", shown, panel.id)
    visualizer = visualizers[panel.visualizer]
    names = [layer.name for layer in subject.model.layers]
    if panel.layer is not None and panel.layer not in names:
        return _without_figure(
            f"{subject.model.name} has no layer {panel.layer!r}; choose another one above.", shown, panel.id
        )
    if panel.layer is not None:
        subject = subject.at(panel.layer, subject.unit if subject.layer and subject.layer.name == panel.layer else None)
    reason = visualizer.unmet(subject)
    if reason and Need.IMAGE in visualizer.needs and subject.forward is None:
        return _rehearsed(visualizer, panel, subject, reason, shown)
    if reason:
        return _without_figure(reason, shown, panel.id)
    key = _key(visualizer, panel, subject, image_key)
    if shown.get(panel.id) == key:
        return {"key": key}
    return {"key": key, **_drawn(visualizer, panel, subject)}


def _rehearsed(visualizer: Visualizer, panel: Panel, subject: Subject, reason: str, shown: Mapping[str, str]) -> Data:
    """The figure for an empty image, which the browser draws behind the reason, so that the first stroke finds it."""
    blank = replace(subject, forward=Pass(subject.model, np.zeros(subject.model.input_shape, np.float32)))
    if visualizer.unmet(blank):
        return _without_figure(reason, shown, panel.id)
    key = _key(visualizer, panel, subject, reason)
    return (
        {"key": key}
        if shown.get(panel.id) == key
        else {"key": key, "withheld": reason, **_drawn(visualizer, panel, blank)}
    )


def _without_figure(reason: str, shown: Mapping[str, str], panel: str) -> Data:
    key = _digest(reason)
    return {"key": key} if shown.get(panel) == key else {"key": key, "withheld": reason}


def _key(visualizer: Visualizer, panel: Panel, subject: Subject, image_key: str) -> str:
    """Changes exactly when the figure does."""
    model, layer = subject.model, subject.layer and subject.layer.name
    parts = (visualizer.name, sorted(panel.settings.items()), model.backend, model.version, layer, subject.unit)
    return _digest(repr(parts), image_key if Need.IMAGE in visualizer.needs else "")


def _drawn(visualizer: Visualizer, panel: Panel, subject: Subject) -> Data:
    """The figure, or what went wrong; a fault stays in its own panel."""
    try:
        settings = build_settings(visualizer.settings, panel.settings)
        drawn: Any = visualizer.draw(subject, settings)
        figure = drawn.to_dict()
    except SettingError as error:
        return {"withheld": str(error)}
    except Exception as error:
        log.exception("The visualizer %s failed", visualizer.name)
        return {"withheld": f"This view failed: {type(error).__name__}: {error}"}
    return _placed(figure)


def _placed(figure: Data) -> Data:
    """The figure as a panel shows it: in the panel's size, with the legend below it instead of inside.

    Wide panels take the height that the figure asks for; the others are all of one height.
    """
    layout = figure["layout"]
    height = layout.pop("height", None)
    if "legend" in layout.get("meta", {}):
        layout["xaxis"].pop("title", None)
        layout["margin"] = {**layout["margin"], "b": 4}
    return {"figure": figure, "height": height}


def _digest(*parts: str | bytes) -> str:
    whole = hashlib.blake2b(digest_size=9)
    for part in parts:
        whole.update(part if isinstance(part, bytes) else part.encode())
        whole.update(b"\0")
    return whole.hexdigest()
