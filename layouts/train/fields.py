"""The fields of the training form, as Dash components; what they mean is in `form.py`."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from ...models.bundled import BUNDLED
from ..page import backend_option
from ..services import Services
from . import ids
from .form import OPTIMISERS, SCHEDULES, begins, defaults, sources
from .presets import RECIPE_WORDS, RECIPES, Values

ORDER = ("label", "input", "description", "error")
"""Of the parts of a field: so inputs that stand side by side are in one line, however long their explanations are."""

KEPT = {"persistence": True, "persistence_type": "session"}
"""Of a field: what it holds is still there when its window loads the page again."""

FETCH = "MNIST is fetched with the command `layerscope download`; load this page again then."


def form(services: Services) -> Any:
    """The whole form, filled with what a training begins with."""
    values = defaults(services)
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Start a training"),
                    html.Button(
                        "Start over",
                        id=ids.START_OVER,
                        className="text-button",
                        title="Everything below as it was before anybody changed it",
                    ),
                ],
                className="section-header",
            ),
            _group("What", _what(services, values, begins(values["network"], "", services.store))),
            _group("From which images", _data(services, values)),
            _group("How", _how(values)),
            html.Details(
                [html.Summary("More"), html.Div(_more(values), className="fields")],
                className="more-fields",
            ),
            html.Div(
                [
                    html.Div(id=ids.FAULT, className="form-fault", role="alert"),
                    html.Button("Start training", id=ids.START, className="primary-button"),
                ],
                className="form-end",
            ),
        ],
        className="card train-form",
        **{"aria-label": "Start a training"},
    )


def _group(title: str, fields: Sequence[Any]) -> Any:
    return html.Fieldset([html.Legend(title), html.Div(fields, className="fields")])


def _what(services: Services, values: Values, beginnings: Sequence[Any]) -> list[Any]:
    networks = [{"value": name, "label": network.title} for name, network in BUNDLED.items()]
    return [
        _select("network", "Network", values, networks, html.Span(id=ids.NETWORK_WORDS), className="wide"),
        html.Div(
            [
                html.Button("Edit layers…", id=ids.EDIT_LAYERS, className="text-button"),
                html.Button(
                    "Download…",
                    id=ids.DOWNLOAD_BUNDLED,
                    className="text-button",
                    title="The bundled weights, for Keras, PyTorch or ONNX",
                ),
            ],
            className="wide network-tools",
        ),
        html.Div(
            [
                html.Div("Backend", className="field-label", id="backend-label"),
                dmc.SegmentedControl(
                    id=ids.field("backend"),
                    data=[backend_option(backend) for backend in services.backends],
                    value=values["backend"],
                    size="xs",
                    fullWidth=True,
                    **KEPT,
                    **{"aria-labelledby": "backend-label"},
                ),
                *[html.Div(entry.missing, className="field-help") for entry in services.backends if entry.missing],
            ],
            className="wide",
        ),
        _select("begin", "Begin with", values, beginnings, "Trained weights are fine-tuned.", className="wide"),
        html.Div(
            _text(
                "weights",
                "Weights file",
                values,
                "On the computer that serves this page. Layers of the same name and shape are taken over.",
                placeholder="/home/me/mine.safetensors",
                debounce=True,
            ),
            id=ids.OWN_WEIGHTS,
            className="wide own-data",
            hidden=True,
        ),
        _text(
            "title",
            "Title",
            values,
            "What the run is called in the list.",
            placeholder="the network's",
            className="wide",
        ),
    ]


def _data(services: Services, values: Values) -> list[Any]:
    offered = sources(services.data)
    return [
        _select("source", "Images", values, offered, FETCH if offered[0]["disabled"] else None, className="wide"),
        html.Div(
            _text(
                "path",
                "Path",
                values,
                "On the computer that serves this page: a folder with a folder of pictures for each class, a .npz file "
                "of arrays, or a .json file of pixels and labels.",
                placeholder="/home/me/letters",
                debounce=True,
            ),
            id=ids.OWN_DATA,
            className="wide own-data",
            hidden=True,
        ),
        html.Div(id=ids.IMAGES_WORDS, className="wide images-words", role="status"),
        html.Div(
            _switch("skip", "Leave out what cannot be read", values),
            id=ids.SKIP,
            className="wide",
            hidden=True,
        ),
        _number("share", "Share of the images", values, "For a quick try, take less.", min=0, max=100, suffix=" %"),
        _number(
            "validation",
            "Validation split",
            values,
            "Kept out, to see what it cannot know.",
            min=0,
            max=99,
            suffix=" %",
        ),
    ]


def _how(values: Values) -> list[Any]:
    presets = [
        html.Button(
            name.capitalize(),
            id=_preset(name),
            className="text-button preset",
            title=f"{RECIPE_WORDS[name]}.",
            **{"aria-label": f"{name.capitalize()} recipe"},
        )
        for name in RECIPES
    ]
    return [
        html.Div("Recipe", className="field-label wide"),
        html.Div(presets, className="presets wide", role="group", id=ids.PRESETS, **{"aria-label": "Recipes"}),
        _number("epochs", "Epochs", values, "How often each image is seen.", min=1, allowDecimal=False),
        _number("batch", "Batch size", values, "Images a step; empty: all.", min=1, allowDecimal=False),
        _select("optimiser", "Optimiser", values, _options(OPTIMISERS), "How weights move."),
        _text_number("rate", "Learning rate", values, "How far; the peak of a cycle."),
        _select("schedule", "Schedule", values, _options(SCHEDULES), "How the rate changes."),
        html.Div(
            _switch("augmentation", "Augment", values, description="Shift, turn and bend images at random."),
            className="switch-field",
        ),
    ]


def _more(values: Values) -> list[Any]:
    return [
        _number("seed", "Seed", values, "The same one, the same run.", min=0, allowDecimal=False),
        _text_number("weight-decay", "Weight decay", values, "Pulls weights to zero."),
        _number("momentum", "Momentum", values, "Of SGD only.", min=0, max=0.999, step=0.1),
        _number("beta2", "Memory β₂", values, "Of Adam, for squares.", min=0, max=0.9999, step=0.001),
        _number("label-smoothing", "Label smoothing", values, "Aims a little below certain.", min=0, step=0.05),
        html.Div(
            _switch("dropout", "Dropout", values, description="Mute units at random, where the network says so."),
            className="switch-field",
        ),
    ]


def _select(name: str, label: str, values: Values, options: Sequence[Any], description: Any = None, **more: Any) -> Any:
    return _field(dmc.Select, name, label, values, description, data=list(options), allowDeselect=False, **more)


def _number(name: str, label: str, values: Values, description: str, **options: Any) -> Any:
    # What is out of bounds stays as it was typed, and is refused in words.
    return _field(dmc.NumberInput, name, label, values, description, clampBehavior="none", **options)


def _text_number(name: str, label: str, values: Values, description: str) -> Any:
    # A number field would take the e out of 1e-4 and leave 14.
    props = {"inputMode": "decimal", "autoComplete": "off"}
    return _field(dmc.TextInput, name, label, values, description, inputProps=props)


def _text(name: str, label: str, values: Values, description: str, **options: Any) -> Any:
    return _field(dmc.TextInput, name, label, values, description, **options)


def _switch(name: str, label: str, values: Values, **options: Any) -> Any:
    return dmc.Switch(id=ids.field(name), checked=values[name], label=label, size="xs", **KEPT, **options)


def _field(kind: Any, name: str, label: str, values: Values, description: Any, **options: Any) -> Any:
    return kind(
        id=ids.field(name),
        label=label,
        value=values[name],
        description=description,
        size="xs",
        inputWrapperOrder=ORDER,
        **KEPT,
        **options,
    )


def _options(titles: Any) -> list[dict[str, str]]:
    return [{"value": name, "label": title} for name, title in titles.items()]


def _preset(name: str) -> dict[str, str]:
    return {"type": ids.PRESET, "recipe": name}
