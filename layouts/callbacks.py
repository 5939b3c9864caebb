"""The fixed set of callbacks. Each parses, calls a pure function and returns; a new visualizer adds none."""

import logging
import secrets
from dataclasses import replace
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from ..backends.base import BackendError
from ..datasets.base import DatasetError
from ..datasets.samples import choose
from ..drawing.ink import InkError, decode_ink
from ..visualizers.contract import Need, Visualizer
from . import ids
from .arrangements import every_layer
from .data.choice import Named
from .data.sources import Opening
from .frame import clientside, register_scheme
from .moments import network_of
from .page import CANVAS_SIDE
from .panel import explanation, panel_component, settings
from .pictures import Source, Stored, data_url
from .services import Services
from .state import STEPS, Address, Beside, Known, Panel, parse_address
from .uploads import uploaded

log = logging.getLogger(__name__)

THUMBNAIL = 28
"""Pixels of a second image's picture, at least."""


def register(app: Dash, services: Services) -> None:
    """Registers every callback of the page with this app."""
    _register_address(app, services)
    _register_panels(app, services)
    register_drawing(app, services)
    _register_second_image(app, services)
    register_scheme(app)
    _register_browser(app)


def _register_address(app: Dash, services: Services) -> None:
    @app.callback(
        Output(ids.MODEL, "value"),
        Output(ids.BACKEND, "value"),
        *[Output(ids.step(name), "checked") for name in STEPS],
        Output(ids.SUBJECT, "data"),
        Output(ids.SELECTION, "data"),
        Output(ids.EDITS, "data"),
        Output(ids.BESIDE, "data"),
        Output(ids.SECOND_PICTURE, "src"),
        Output(ids.SECOND_DIGIT, "value"),
        Output(ids.SECOND_INDEX, "value"),
        Output(ids.SECOND_MODEL, "value"),
        Output(ids.SELECTED_RUN, "value"),
        Output(ids.ARRANGEMENT, "data"),
        Output(ids.PICTURE, "data"),
        Output(ids.DIGIT, "value"),
        Output(ids.SAMPLE_INDEX, "value"),
        Output(ids.NOTICE_TEXT, "children"),
        Output(ids.NOTICE, "hide"),
        Input(ids.ADDRESS, "hash"),
    )
    def restored(fragment: str | None) -> Any:
        wanted = parse_address(fragment or "", known(services))
        picture, notices = picture_of(services, wanted)
        beside, second, faults = _beside_of(services, wanted.beside)
        notices += faults
        subject = {"model": wanted.model, "backend": wanted.backend, "off": list(wanted.off)}
        panels = None if wanted.panels is None else [panel.data for panel in wanted.panels]
        for notice in notices:
            log.warning("%s", notice)
        return (
            network_of(wanted.model),
            wanted.backend,
            *[name not in wanted.off for name in STEPS],
            subject,
            wanted.selected.data,
            [list(edit) for edit in wanted.edits],
            beside.data,
            second,
            *picked(beside.image.sample if beside.image else None),
            f"{beside.backend}:{network_of(beside.model)}" if beside.model else None,
            beside.run,
            {"panels": panels},
            picture,
            *picked(picture["sample"]),
            " ".join(notices),
            not notices,
        )


def known(services: Services) -> Known:
    """What an address may name, as of now."""
    return Known(
        model=services.model,
        models=list(services.models),
        backend=services.default_backend,
        backends=[backend.name for backend in services.backends],
        visualizers=list(services.visualizers),
        layers=lambda model: [layer.name for layer in services.layers(model)],
        runs=list(services.runs),
        snapshots=lambda model: [snapshot.name for snapshot in services.snapshots(model)],
    )


def picked(sample: tuple[int, int] | None) -> tuple[str | None, int | str]:
    """What the two pickers of a sample show."""
    return (str(sample[0]), sample[1]) if sample else (None, "")


def _beside_of(services: Services, wanted: Beside) -> tuple[Beside, str | None, list[str]]:
    """What stands beside for an address, the second image as a small picture, and what is wrong with it."""
    try:
        return wanted, _small(services, wanted.image) if wanted.image else None, []
    except (DatasetError, InkError) as error:
        return replace(wanted, image=None), None, [f"The second image cannot be had. {error}"]


def _small(services: Services, source: Source) -> str:
    """A second image's picture for its picker."""
    stored = services.stored(source)
    return data_url(stored.picture if stored else decode_ink(source.ink or ""), THUMBNAIL)


def picture_of(services: Services, wanted: Address) -> tuple[dict[str, Any], list[str]]:
    """What the canvas shows for an address, and every notice of the address and of the data."""
    notices = list(wanted.notices)
    try:
        if wanted.sample:
            return _sample_picture(services, *wanted.sample), notices
        if wanted.image:  # its picture comes when its data set has been read, see assets/ink.js
            return {"picture": None, **Source(label=wanted.label, image=wanted.image).data}, notices
        if wanted.ink:
            picture = data_url(decode_ink(wanted.ink), CANVAS_SIDE)
            return {"picture": picture, **Source(wanted.ink, label=wanted.label).data}, notices
    except (DatasetError, InkError) as error:
        notices.append(str(error))
    return {"picture": None, **Source().data}, notices


def _sample_picture(services: Services, digit: int, index: int) -> dict[str, Any]:
    dataset, problem = services.samples
    stored = Stored.sample(dataset, (digit, index))
    return {
        "picture": data_url(stored.picture, CANVAS_SIDE),
        "note": f"{stored.note} {problem}" if problem else stored.note,
        **Source(sample=(digit, index), label=digit).data,
    }


def picture_of_stored(services: Services, image: str) -> dict[str, Any]:
    """The picture of an image of a data set and what is said of it, or in `reading` how far its data set has come.

    Raises:
        DatasetError: there is no such image, or its data set cannot be used.
    """
    opening = services.sources.open(Named.of(image).choice)
    if isinstance(opening, Opening):
        return {"reading": {"done": opening.done, "total": opening.total}}
    stored = services.sources.image(Named.of(image))
    return {"picture": data_url(stored.picture, CANVAS_SIDE), "note": stored.note}


def _register_panels(app: Dash, services: Services) -> None:
    @app.callback(
        Output(ids.GRID, "children"),
        Output(ids.PANELS, "data"),
        Input(ids.NETWORK, "data"),
        Input(ids.ARRANGEMENT, "data"),
        State(ids.SUBJECT, "data"),
        State(ids.PANELS, "data"),
    )
    def arranged(network: Any, arrangement: Any, subject: Any, current: Any) -> Any:
        """Panels stay where they are from one snapshot of a training to the next: `network` is then the same."""
        if not (network and subject and arrangement):
            raise PreventUpdate
        rearranged = any(entry["prop_id"].startswith(ids.ARRANGEMENT) for entry in ctx.triggered)
        if not rearranged and current and current["model"] == network:
            raise PreventUpdate
        asked = arrangement["panels"]
        if not rearranged and current and current["custom"]:
            asked = current["panels"]
        try:
            layers = services.layers(subject["model"], subject["backend"])
        except BackendError as error:  # the answer says the same on the page
            log.error("%s", error)
            return [], {"model": network, "custom": False, "panels": []}
        placed = every_layer(layers) if asked is None else [Panel.of(entry) for entry in asked]
        fresh = secrets.token_hex(2)  # new ids, so that the browser mounts new figures instead of blanking old ones
        panels = [replace(panel, id=f"{fresh}-{index}") for index, panel in enumerate(placed)]
        children = [
            panel_component(panel, services.visualizers[panel.visualizer], layers)
            for panel in panels
            if panel.visualizer in services.visualizers
        ]
        data = {
            "model": network,
            "custom": asked is not None,
            "panels": [panel.data for panel in panels],
            "needs": {name: sorted(_shown_when_needed(each)) for name, each in services.visualizers.items()},
            "defaults": {
                name: {control.name: control.default for control in visualizer.controls}
                for name, visualizer in services.visualizers.items()
            },
        }
        return children, data

    @app.callback(
        Output(ids.POPOVER, "children"),
        Input({"type": "help", "panel": ALL}, "n_clicks"),
        Input({"type": "settings", "panel": ALL}, "n_clicks"),
        State(ids.PANELS, "data"),
        prevent_initial_call=True,
    )
    def unfolded(_help: Any, _settings: Any, current: Any) -> Any:
        if not (ctx.triggered_id and any(entry["value"] for entry in ctx.triggered)):
            raise PreventUpdate
        panel = next(Panel.of(entry) for entry in current["panels"] if entry["id"] == ctx.triggered_id["panel"])
        visualizer = services.visualizers.get(panel.visualizer)
        if visualizer is None:  # its plugin has just been removed, which the panel says
            raise PreventUpdate
        return explanation(visualizer) if ctx.triggered_id["type"] == "help" else settings(panel, visualizer)

    @app.callback(
        Output(ids.ARRANGEMENT, "data", allow_duplicate=True),
        Output(ids.ADD_PANEL, "value"),
        Input(ids.ADD_PANEL, "value"),
        Input(ids.EVERY_LAYER, "n_clicks"),
        Input({"type": "remove", "panel": ALL}, "n_clicks"),
        State(ids.PANELS, "data"),
        prevent_initial_call=True,
    )
    def edited(added: str | None, _every: int | None, removed: list[int | None], current: Any) -> Any:
        if ctx.triggered_id == ids.EVERY_LAYER:
            return {"panels": None}, None
        panels = current["panels"]
        if ctx.triggered_id == ids.ADD_PANEL and added:
            new = Panel(f"p{secrets.token_hex(3)}", added)
            return {"panels": [new.data, *panels]}, None
        if isinstance(ctx.triggered_id, dict) and any(removed):
            return {"panels": [entry for entry in panels if entry["id"] != ctx.triggered_id["panel"]]}, no_update
        raise PreventUpdate


def _shown_when_needed(visualizer: Visualizer) -> set[str]:
    """Those of its needs whose picker appears only when a panel on the page has them."""
    rare = {Need.SECOND_IMAGE, Need.SECOND_MODEL, Need.RUN}
    return {need.name.lower() for need in rare & visualizer.needs}


def register_drawing(app: Dash, services: Services) -> None:
    """The callbacks of the paper, its tools and its samples, for every page that one draws on."""

    @app.callback(
        Output(ids.PICTURE, "data", allow_duplicate=True),
        Output(ids.SAMPLE_INDEX, "value", allow_duplicate=True),
        Output(ids.DIGIT, "value", allow_duplicate=True),
        Output(ids.NOTICE_TEXT, "children", allow_duplicate=True),
        Output(ids.NOTICE, "hide", allow_duplicate=True),
        Input(ids.DIGIT, "value"),
        Input(ids.SAMPLE_INDEX, "value"),
        Input(ids.SAMPLE_RANDOM, "n_clicks"),
        State(ids.PICTURE, "data"),
        prevent_initial_call=True,
    )
    def sampled(digit: str | None, index: Any, _clicks: int | None, picture: Any) -> Any:
        by_index = any(entry["prop_id"].startswith(ids.SAMPLE_INDEX) for entry in ctx.triggered)
        if by_index and (digit is None or not isinstance(index, int)):
            raise PreventUpdate
        if by_index and picture and picture["sample"] == [int(digit or 0), index]:
            raise PreventUpdate  # the address has chosen it, and it is there already
        try:
            dataset, _problem = services.samples
            chosen = int(digit) if digit is not None else secrets.randbelow(len(dataset.classes))
            if not by_index:
                index = secrets.randbelow(len(dataset.indices_of(chosen)))
            choose(dataset, chosen, index)
            return _sample_picture(services, chosen, index), index, str(chosen), "", True
        except DatasetError as error:
            log.warning("%s", error)
            return no_update, no_update, no_update, str(error), False

    @app.callback(
        Output(ids.PICTURE, "data", allow_duplicate=True),
        Output(ids.NOTICE_TEXT, "children", allow_duplicate=True),
        Output(ids.NOTICE, "hide", allow_duplicate=True),
        Output(ids.UPLOAD, "contents"),  # emptied, or the same file could not be opened again
        Input(ids.UPLOAD, "contents"),
        State(ids.UPLOAD, "filename"),
        prevent_initial_call=True,
    )
    def opened(contents: str | None, name: str | None) -> Any:
        if contents is None:
            raise PreventUpdate
        picture, fault = uploaded(contents, name or "", CANVAS_SIDE)
        return picture or no_update, fault, not fault, None

    clientside(app, "showPicture", Input(ids.PICTURE, "data"), State(ids.PICTURE, "data"))
    clientside(app, "brush", Output(ids.CANVAS, "lineWidth"), Input(ids.BRUSH, "value"))
    clientside(app, "undo", Input(ids.UNDO, "n_clicks"), prevent_initial_call=True)
    clientside(app, "redo", Input(ids.REDO, "n_clicks"), prevent_initial_call=True)
    clientside(app, "clear", Input(ids.CLEAR, "n_clicks"), prevent_initial_call=True)


def _register_second_image(app: Dash, services: Services) -> None:
    @app.callback(
        Output(ids.BESIDE, "data", allow_duplicate=True),
        Output(ids.SECOND_PICTURE, "src", allow_duplicate=True),
        Output(ids.SECOND_INDEX, "value", allow_duplicate=True),
        Output(ids.NOTICE_TEXT, "children", allow_duplicate=True),
        Output(ids.NOTICE, "hide", allow_duplicate=True),
        Input(ids.SECOND_DIGIT, "value"),
        Input(ids.SECOND_INDEX, "value"),
        State(ids.BESIDE, "data"),
        prevent_initial_call=True,
    )
    def sampled_beside(digit: str | None, index: Any, beside: Any) -> Any:
        by_index = any(entry["prop_id"].startswith(ids.SECOND_INDEX) for entry in ctx.triggered)
        now = Beside.of(beside)
        if digit is None or (by_index and not isinstance(index, int)):
            raise PreventUpdate
        if now.image and now.image.sample == (int(digit), index):
            raise PreventUpdate  # it was kept from the canvas, or comes from the address
        try:
            if not by_index:
                index = secrets.randbelow(len(services.samples[0].indices_of(int(digit))))
            image = Source(sample=(int(digit), index))
            return replace(now, image=image).data, _small(services, image), index, "", True
        except DatasetError as error:
            log.warning("%s", error)
            return no_update, no_update, no_update, str(error), False


def _register_browser(app: Dash) -> None:
    """What needs no server."""

    clientside(
        app,
        "collectSubject",
        Output(ids.SUBJECT, "data", allow_duplicate=True),
        Input(ids.MODEL, "value"),
        Input(ids.BACKEND, "value"),
        *[Input(ids.step(name), "checked") for name in STEPS],
        State(ids.SUBJECT, "data"),
        prevent_initial_call=True,
    )
    clientside(
        app, "collectNetwork", Output(ids.NETWORK, "data"), Input(ids.SUBJECT, "data"), State(ids.NETWORK, "data")
    )
    clientside(app, "followTraining", Input(ids.SUBJECT, "data"), Input(ids.EDITS, "data"))
    clientside(
        app,
        "collectPanels",
        Output(ids.PANELS, "data", allow_duplicate=True),
        Input({"type": "layer", "panel": ALL}, "value"),
        Input({"type": "setting", "panel": ALL, "name": ALL}, "value"),
        Input({"type": "setting", "panel": ALL, "name": ALL}, "checked"),
        State(ids.PANELS, "data"),
        prevent_initial_call=True,
    )
    clientside(
        app,
        "changed",
        Input(ids.SUBJECT, "data"),
        Input(ids.SELECTION, "data"),
        Input(ids.EDITS, "data"),
        Input(ids.BESIDE, "data"),
        Input(ids.PANELS, "data"),
    )
    clientside(
        app,
        "collectBeside",
        Output(ids.BESIDE, "data", allow_duplicate=True),
        Input(ids.SECOND_MODEL, "value"),
        Input(ids.SELECTED_RUN, "value"),
        State(ids.BESIDE, "data"),
        prevent_initial_call=True,
    )
    clientside(app, "scaleUnit", Input(ids.FACTOR, "value"), prevent_initial_call=True)
    clientside(
        app,
        "collectSelection",
        Output(ids.SELECTION, "data", allow_duplicate=True),
        Input(ids.SELECTED_LAYER, "value"),
        Input(ids.SELECTED_UNIT, "value"),
        Input(ids.SELECTED_POSITION, "value"),
        Input(ids.SELECTED_TARGET, "value"),
        prevent_initial_call=True,
    )
    clientside(app, "offerTraining", Output(ids.NOTICE_TRAIN, "hidden"), Input(ids.NOTICE_TEXT, "children"))
    clientside(app, "unfold", Input(ids.POPOVER, "children"), prevent_initial_call=True)
    clientside(app, "copyLink", Input(ids.COPY_LINK, "n_clicks"), prevent_initial_call=True)
    clientside(app, "fullscreen", Input({"type": "fullscreen", "panel": ALL}, "n_clicks"), prevent_initial_call=True)
