"""The training page's app: its layout, its routes, and the few callbacks of its form."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update

from ...models.bundled import BUNDLED
from ...training.config import RunError, check
from ..frame import add_page, clientside
from ..services import Services
from . import ids
from .classes import check_images
from .form import FRESH, OWN, begins, config_of, defaults, values_of
from .images import Looks
from .layers import edited, words_of
from .page import train_page
from .presets import RECIPES, filled, preset_of, presets
from .routes import register_train_routes

log = logging.getLogger(__name__)

PREFIX = "/train"


def add_train_page(main: Dash, services: Services) -> Dash:
    """Adds the training page to the server of the main page, at `/train/`, in the same look."""
    assets = Path(__file__).parent / "assets"
    app = add_page(main, "train", partial(train_page, services), assets, scripts=[main.get_asset_url("greys.js")])
    looks = Looks()
    register_train_routes(app.server, services, looks, PREFIX)
    if services.executor:
        _register_form(app, services, looks)
    _register_browser(app)
    return app


def _value(kind: Any, name: str) -> Any:
    """The value of a field as `Input`, `State` or `Output`."""
    return kind(ids.field(name), ids.value_of(name))


def _register_form(app: Dash, services: Services, looks: Looks) -> None:
    executor = services.executor
    assert executor

    @app.callback(
        Output(ids.STARTED, "data"),
        Output(ids.FAULT, "children"),
        Output(ids.LOOK, "data"),
        Input(ids.START, "n_clicks"),
        Input(ids.LOOKED, "data"),
        *[_value(State, name) for name in ids.FIELDS],
        prevent_initial_call=True,
    )
    def started(clicks: int | None, looked: dict[str, Any] | None, *values: Any) -> Any:
        """Starts the run that the form asks for, or says why not; the user's own images are looked through before."""
        given = dict(zip(ids.FIELDS, values, strict=True))
        looked = looked if ctx.triggered_id == ids.LOOKED else None
        try:
            config = config_of({**given, "skip": looked["skip"]} if looked else given, services)
            check(config)
            own = given.get("source") == OWN
            if own and not looked:
                return no_update, "", {"asked": clicks, "skip": bool(given.get("skip"))}
            look = looks.of(str(looked["token"])) if own and looked else None
            if own and not (look and look.found and str(look.path) == config.data.source):
                raise RunError("The images have not been looked through; press “Start training” again.")
            check_images(config, look.found if look else None)
            return executor.submit(config), "", no_update
        except RunError as error:
            log.warning("Not started: %s", error)
            return no_update, str(error), no_update

    @app.callback(
        Output(ids.field("begin"), "data"),
        Output(ids.field("begin"), "value"),
        Output(ids.NETWORK_WORDS, "children"),
        Input(ids.field("network"), "value"),
        _value(Input, "architecture"),
        Input(ids.LEARNT, "data"),
        State(ids.field("begin"), "value"),
    )
    def beginnings(network: str, draft: Any, _learnt: str | None, chosen: str) -> Any:
        """What this network can begin from."""
        own = edited(draft)
        options = begins(network, own.name if own else "", services.store)
        known = chosen in [option["value"] for option in options]
        return options, chosen if known else FRESH, f"Edited: {words_of(own)}" if own else words_of(BUNDLED[network])

    @app.callback(
        *[_value(partial(Output, allow_duplicate=True), name) for name in ids.FIELDS],
        Output(ids.FILLED, "data", allow_duplicate=True),
        Output(ids.FAULT, "children", allow_duplicate=True),
        Input(ids.AGAIN, "data"),
        Input(ids.START_OVER, "n_clicks"),
        prevent_initial_call=True,
    )
    def again(asked: dict[str, Any], _clicks: int | None) -> Any:
        """Fills the form with what an earlier run was made with, or as it was at the beginning."""
        try:
            over = ctx.triggered_id == ids.START_OVER
            values = defaults(services) if over else values_of(executor.store.folder(str(asked["run"])).config())
        except RunError as error:
            return *[no_update] * (len(ids.FIELDS) + 1), str(error)
        return *[values[name] for name in ids.FIELDS], presets(values["network"]), ""

    @app.callback(
        *[_value(Output, name) for name in ids.RECIPE_FIELDS],
        Output(ids.FILLED, "data"),
        Input({"type": ids.PRESET, "recipe": ALL}, "n_clicks"),
        Input(ids.field("network"), "value"),
        State(ids.FILLED, "data"),
        *[_value(State, name) for name in ids.RECIPE_FIELDS],
        prevent_initial_call=True,
    )
    def filled_in(_clicks: Any, network: str, before: dict[str, Any], *values: Any) -> Any:
        """A recipe on a button; for another network the recipe of the same name, unless it has been changed by hand."""
        if isinstance(ctx.triggered_id, dict):
            recipe = str(ctx.triggered_id["recipe"])
        else:
            recipe = preset_of(before["network"], dict(zip(ids.RECIPE_FIELDS, values, strict=True)))
        if not recipe:
            return *[no_update] * len(ids.RECIPE_FIELDS), presets(network)
        fields = filled(RECIPES[recipe][network])
        return *[fields[name] for name in ids.RECIPE_FIELDS], presets(network)


def _register_browser(app: Dash) -> None:
    """What needs no server: see assets/."""

    clientside(app, "trainNetwork", _value(Input, "network"), _value(Input, "architecture"))
    clientside(app, "trainOwnData", Output(ids.OWN_DATA, "hidden"), _value(Input, "source"))
    clientside(app, "trainOwnWeights", Output(ids.OWN_WEIGHTS, "hidden"), _value(Input, "begin"))
    clientside(
        app,
        "trainImages",
        _value(Input, "network"),
        _value(Input, "architecture"),
        _value(Input, "source"),
        _value(Input, "path"),
    )
    clientside(app, "trainLook", Input(ids.LOOK, "data"), prevent_initial_call=True)
    clientside(app, "trainStarted", Input(ids.STARTED, "data"), prevent_initial_call=True)
    clientside(
        app,
        "trainPreset",
        Output({"type": ids.PRESET, "recipe": ALL}, "className"),
        Input(ids.FILLED, "data"),
        *[_value(Input, name) for name in ids.RECIPE_FIELDS],
    )
