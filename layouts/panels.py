"""One panel's share of an answer: its figure, why there is none, or that it waits to be asked."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..backends.base import Array, Model
from ..visualizers.contract import Need, Pass, Subject, Visualizer
from ..visualizers.controls import SettingError, build_settings
from .beside import Found
from .jobs import Job
from .limits import SECONDS, Stopped, checked_figure
from .services import Services
from .state import Panel

log = logging.getLogger(__name__)

Data = dict[str, Any]


def panel_part(services: Services, panel: Panel, found: Found, image_key: str, shown: Mapping[str, str]) -> Data:
    """What the page needs for a panel; only the key where it has the figure already.

    `figure` is the figure and `height` what it asks for; `withheld` says why there is none, and `remedy` which
    selection would help; `on_request` says that it runs when it is asked to.
    """
    part = _part(services, panel, found, image_key, shown)
    return {"key": part["key"]} if shown.get(panel.id) == part["key"] else part


def start_job(services: Services, panel: Panel, found: Found, image_key: str, aside: bool = False) -> Job:
    """Begins what a panel shows on request, or the words beside its figure.

    Raises:
        SettingError: a setting that cannot be.
        LookupError: the panel cannot be drawn for this subject; the message says why.
    """
    visualizer = services.visualizers[panel.visualizer]
    subject = _at_its_layer(panel, found.subject)
    if reason := _trouble(visualizer, found) or visualizer.unmet(subject):
        raise LookupError(reason)
    settings = build_settings(visualizer.settings, panel.settings)
    key = _key(visualizer, panel, subject, image_key)
    if not aside:
        return services.jobs.start(panel.id, key, lambda: visualizer.draw(subject, settings))
    beside = visualizer.aside
    if beside is None:
        raise LookupError(f"{visualizer.title} has nothing to say beside its figure.")
    return services.jobs.start(aside_of(panel.id), aside_of(key), lambda: beside(subject, settings))


def aside_of(name: str) -> str:
    """What the job of an aside is called, beside that of its panel; its key likewise."""
    return f"{name} aside"


def placed(figure: Data) -> Data:
    """The figure as a panel shows it: in the panel's size, with the legend below it instead of inside.

    Wide panels take the height that the figure asks for; the others are all of one height.
    """
    layout = dict(figure["layout"])
    height = layout.pop("height", None)
    if "legend" in layout.get("meta", {}):
        layout["xaxis"] = {name: value for name, value in layout["xaxis"].items() if name != "title"}
        layout["margin"] = {**layout["margin"], "b": 4}
    return {"figure": {**figure, "layout": layout}, "height": height}


def digest(*parts: str | bytes) -> str:
    """A short text that differs where the parts do."""
    whole = hashlib.blake2b(digest_size=9)
    for part in parts:
        whole.update(part if isinstance(part, bytes) else part.encode())
        whole.update(b"\0")
    return whole.hexdigest()


def _part(services: Services, panel: Panel, found: Found, image_key: str, shown: Mapping[str, str]) -> Data:
    subject, visualizer = found.subject, services.visualizers.get(panel.visualizer)
    if visualizer is None:
        return _withheld(f"There is no visualizer called {panel.visualizer!r}.")
    if panel.layer is not None and panel.layer not in [layer.name for layer in subject.model.layers]:
        return _withheld(f"{subject.model.name} has no layer {panel.layer!r}; choose another one above.")
    if trouble := _trouble(visualizer, found):
        return _withheld(trouble)
    subject = _at_its_layer(panel, subject)
    reason = visualizer.unmet(subject)
    if reason and Need.IMAGE in visualizer.needs and subject.forward is None and not visualizer.on_request:
        return _rehearsed(services, visualizer, panel, subject, reason, shown)
    if reason:
        return _withheld(reason, visualizer.remedy(subject))
    key = _key(visualizer, panel, subject, image_key)
    if shown.get(panel.id) == key:
        return {"key": key}
    if visualizer.on_request:
        return _on_request(services, key)
    return {"key": key, **_drawn(services, visualizer, panel, subject)}


def _trouble(visualizer: Visualizer, found: Found) -> str | None:
    """What is wrong with something that this visualizer needs."""
    return next((words for need, words in found.troubles.items() if need in visualizer.needs), None)


def _at_its_layer(panel: Panel, subject: Subject) -> Subject:
    """The subject at the panel's own layer; what is selected in another layer does not count there."""
    if panel.layer is None or (subject.layer and subject.layer.name == panel.layer):
        return subject
    return subject.at(panel.layer)


def _rehearsed(
    services: Services,
    visualizer: Visualizer,
    panel: Panel,
    subject: Subject,
    reason: str,
    shown: Mapping[str, str],
) -> Data:
    """The figure for an empty image, which the browser draws behind the reason, so that the first stroke finds it."""
    empty = Pass(subject.model, _empty(subject.model), subject.edits)
    second = Pass(subject.second_model, _empty(subject.second_model)) if subject.second_model else None
    blank = replace(subject, forward=empty, second_forward=second)
    if visualizer.unmet(blank):
        return _withheld(visualizer.unmet(blank) or reason, visualizer.remedy(subject))
    key = _key(visualizer, panel, subject, reason)
    if shown.get(panel.id) == key:
        return {"key": key}
    return {"key": key, "withheld": reason, **_drawn(services, visualizer, panel, blank)}


def _empty(model: Model) -> Array:
    return np.zeros(model.input_shape, np.float32)


def _withheld(reason: str, remedy: Data | None = None) -> Data:
    return {"key": digest(reason, repr(remedy)), "withheld": reason, "remedy": remedy}


def _on_request(services: Services, key: str) -> Data:
    """What has been computed before, or an offer to compute it."""
    known = services.jobs.result(key)
    if known and known.figure:
        return {"key": key, **placed(known.figure), "cost": f"{known.seconds:.1f} s"}
    return {"key": key, "on_request": True}


def _key(visualizer: Visualizer, panel: Panel, subject: Subject, image_key: str) -> str:
    """Changes exactly when the figure does."""
    parts = [_kind(visualizer, panel, subject)]
    if Need.IMAGE in visualizer.needs:
        parts.append(image_key)
        if Need.SECOND_MODEL in visualizer.needs and subject.second_forward:
            parts.append(digest(subject.second_forward.image.tobytes()))
    return digest(*parts)


def _kind(visualizer: Visualizer, panel: Panel, subject: Subject) -> str:
    """Everything that decides about a figure, but the image."""
    module = visualizer.draw.__module__  # another one when a plugin's file changes
    parts: list[Any] = [visualizer.name, module, sorted(panel.settings.items())]
    parts += [subject.model.backend, subject.model.version, subject.edits]
    if Need.LAYER in visualizer.needs or not visualizer.on_request:  # what takes its time is not for a mark only
        parts += [subject.layer and subject.layer.name, subject.unit, subject.position]
    if Need.TARGET in visualizer.needs:
        parts.append(subject.target)
    if Need.DATASET in visualizer.needs and subject.dataset:
        parts.append(subject.dataset.checksum)
    if Need.SECOND_IMAGE in visualizer.needs and subject.second_image:
        parts.append(digest(subject.second_image.image.tobytes()))
    if Need.SECOND_MODEL in visualizer.needs and subject.second_model:
        parts += [subject.second_model.name, subject.second_model.backend, subject.second_model.version]
    if Need.RUN in visualizer.needs and subject.run:
        parts.append(subject.run.version)
    return repr(parts)


def _drawn(services: Services, visualizer: Visualizer, panel: Panel, subject: Subject) -> Data:
    """The figure, or what went wrong; a fault stays in its own panel."""
    kind = _kind(visualizer, panel, subject)
    if services.slow.get(kind):
        return {"withheld": _too_slow()}
    try:
        settings = build_settings(visualizer.settings, panel.settings)

        def draw() -> Any:
            with services.watchdog.deadline():
                return visualizer.draw(subject, settings)

        drawn, cost = services.costs.measured(kind, draw)
        services.slow.pop(kind, None)
        return {**placed(checked_figure(drawn)), "cost": cost.words}
    except SettingError as error:
        return {"withheld": str(error)}
    except Stopped:
        log.error("The visualizer %s was stopped after %s seconds", visualizer.name, SECONDS)
        return _stopped(services, kind)
    except Exception as error:
        log.exception("The visualizer %s failed", visualizer.name)
        return {"withheld": f"This view failed: {type(error).__name__}: {error}"}


def _stopped(services: Services, kind: str) -> Data:
    """Why a view was stopped; only the second time in a row counts, since a first one may have had to compile."""
    again = services.slow[kind] = kind in services.slow
    if again:
        return {"withheld": _too_slow()}
    words = (
        f"This view was interrupted after {SECONDS:.0f} seconds, so that drawing goes on. "
        "It is tried again at the next stroke."
    )
    return {"key": digest(kind, "interrupted"), "withheld": words}


def _too_slow() -> str:
    return (
        f"This view took longer than {SECONDS:.0f} seconds and was stopped, so that drawing goes on. Change one of its "
        "settings or its layer to try again."
    )
