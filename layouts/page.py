"""The page's frame: header, drawing column, grid of panels. Everything in it is filled by the first answer."""

from typing import Any

import dash_canvas
import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html

from ..backends.base import Backend
from ..drawing.strokes import BRUSH
from ..drawing.uploads import LARGEST_FILE
from ..visualizers.registry import problems
from . import ids
from .frame import framed, header, loading, notice, tool_button
from .pictures import data_url
from .services import Services
from .state import STEPS

CANVAS_SIDE = 320
"""Pixels; fits a phone of 360. The brush is measured in shares of it."""

STAGES = {
    "ink": ("Ink", "What you drew."),
    "invert": ("Light on dark", "The network learnt light digits on black."),
    "crop": ("Cropped", "The empty paper around is cut off."),
    "scale": ("Scaled", "The longer side is brought to one size; nothing is stretched."),
    "centre": ("Centred", "The centre of mass moves to the middle."),
    "input": ("Input", "Exactly the numbers the network gets."),
}


def page(services: Services) -> Any:
    """The whole page, without content."""
    return framed(
        "",
        "Skip to the panels",
        [
            html.Div([drawing_card(), _answer(), _pipeline()], className="column"),
            html.Div(
                [
                    _grid_header(services),
                    _selection(services),
                    html.Div(id=ids.GRID, className="grid"),
                    _plugins_left_out(),
                ],
                className="panels",
                tabIndex="-1",  # where skipping leads
            ),
        ],
        look="page",
        stores=[dcc.Location(id=ids.ADDRESS, refresh=False), *(dcc.Store(id=name) for name in _STORES)],
        top=_header(services),
        fault=notice(
            html.A("Train a network", id=ids.NOTICE_TRAIN, href="train/", className="text-button", hidden=True)
        ),
        after=[
            html.Div(className="tooltip", role="status", hidden=True),
            html.Div(id=ids.POPOVER, className="popover", role="dialog", hidden=True),
        ],
    )


_STORES = (
    ids.SUBJECT,
    ids.NETWORK,
    ids.SELECTION,
    ids.EDITS,
    ids.BESIDE,
    ids.ARRANGEMENT,
    ids.PANELS,
    ids.PICTURE,
)


def _header(services: Services) -> Any:
    return header(
        "",
        html.Div(
            [
                dmc.Select(
                    id=ids.MODEL,
                    data=model_options(services),
                    value=services.model,
                    allowDeselect=False,
                    size="sm",
                    **{"aria-label": "Model"},
                ),
                dmc.SegmentedControl(
                    id=ids.BACKEND,
                    data=[backend_option(backend) for backend in services.backends],
                    value=services.default_backend,
                    size="sm",
                    **{"aria-label": "Backend"},
                ),
            ],
            className="subject-pickers",
        ),
        tools=(
            loading(),
            tool_button("link", "Copy a link to exactly this view", ids.COPY_LINK),
        ),
        below=html.Div(
            [html.Div(backend.missing) for backend in services.backends if backend.missing],
            id=ids.BACKEND_MISSING,
            className="backend-missing",
        ),
    )


def backend_option(backend: Backend) -> dict[str, Any]:
    """A backend as an option to choose; not one whose framework is missing."""
    missing = backend.missing is not None
    return {
        "value": backend.name,
        "label": f"{backend.title} (not installed)" if missing else backend.title,
        "disabled": missing,
    }


def drawing_card() -> Any:
    """The paper with its tools and samples; `callbacks.register_drawing` and assets/ink.js make it work."""
    return html.Section(
        [
            html.Div(
                [
                    dash_canvas.DashCanvas(
                        id=ids.CANVAS,
                        width=CANVAS_SIDE + 2,  # its canvas is two pixels narrower
                        height=CANVAS_SIDE + 2,
                        lineWidth=round(BRUSH * CANVAS_SIDE),
                        lineColor="#000000",
                        image_content=data_url(np.full((1, 1), 255, np.uint8), CANVAS_SIDE),
                        hide_buttons=["zoom", "pan", "line", "pencil", "rectangle", "undo", "select"],
                    ),
                    html.Div("Draw a digit here", className="invitation"),
                ],
                className="paper",
                id="paper",
                tabIndex="0",
                **{"aria-label": "Drawing area. Draw a digit with mouse, finger or pen."},
            ),
            html.Div(
                [
                    tool_button("undo", "Undo (Ctrl+Z)", ids.UNDO),
                    tool_button("redo", "Redo (Ctrl+Y)", ids.REDO),
                    tool_button("clear", "Clear (Delete)", ids.CLEAR),
                    html.Label(
                        [
                            "Brush",
                            dmc.Slider(
                                id=ids.BRUSH,
                                min=2,
                                max=16,
                                step=1,
                                value=round(100 * BRUSH),
                                size="sm",
                                label=None,
                                className="brush",
                                updatemode="drag",
                                **{"aria-label": "Brush width, percent"},
                            ),
                        ],
                        className="brush-label",
                    ),
                ],
                className="tools",
            ),
            html.Div(
                [
                    dmc.Select(
                        id=ids.DIGIT,
                        data=[str(digit) for digit in range(10)],
                        placeholder="Sample digit",
                        clearable=False,
                        size="sm",
                        w=136,
                        **{"aria-label": "Sample digit"},
                    ),
                    dmc.NumberInput(
                        id=ids.SAMPLE_INDEX,
                        min=0,
                        step=1,
                        size="sm",
                        w=88,
                        debounce=250,
                        placeholder="No.",
                        allowDecimal=False,
                        **{"aria-label": "Number of the sample"},
                    ),
                    tool_button("random", "A random sample of this digit", ids.SAMPLE_RANDOM),
                    dcc.Upload(
                        tool_button("upload", "Open an image: PNG, JPEG, WebP or GIF", "upload-button"),
                        id=ids.UPLOAD,
                        max_size=LARGEST_FILE,
                        multiple=False,
                        className="upload",
                        className_active="upload upload-active",
                    ),
                ],
                className="samples",
            ),
            html.P(id="sample-note", className="note"),
        ],
        className="card drawing",
        **{"aria-label": "Drawing"},
    )


def _answer() -> Any:
    return html.Section(
        [
            html.Div(
                [
                    html.Div("–", className="digit"),
                    html.Div(
                        [
                            html.Div("Draw a digit", className="verdict"),
                            html.Div("The network answers while you draw.", className="confidence"),
                        ]
                    ),
                ],
                className="answer-top",
                role="status",
            ),
            html.Div(className="bars"),
            html.P(className="subject-note note"),
            html.A(
                "Dense net against CNN, on this drawing", href="compare/#preset=dense-cnn", className="compare-link"
            ),
        ],
        className="card answer",
        **{"aria-label": "Answer"},
    )


def _pipeline() -> Any:
    return html.Section(
        [
            html.H2("From ink to input"),
            html.Ol([_stage(name, *words) for name, words in STAGES.items()], className="stages"),
        ],
        className="card pipeline",
        **{"aria-label": "From ink to input"},
    )


def _stage(name: str, title: str, explanation: str) -> Any:
    switch = dmc.Switch(id=ids.step(name), label=title, checked=True, size="xs", className="stage-switch")
    return html.Li(
        [
            html.Canvas(width=28, height=28, className="stage-picture", **{"aria-hidden": "true"}),
            html.Div(
                [
                    switch if name in STEPS else html.Div(title, className="stage-title"),
                    html.Div(explanation, className="stage-explanation"),
                    html.Div(className="stage-note"),
                ]
            ),
        ],
        **{"data-stage": name},
    )


def _selection(services: Services) -> Any:
    """What is selected for all panels that need it: one picker for each need. Units are muted here, too.

    The pickers of a second image, a second model and a run appear where a panel needs them, or where they are set.
    """
    return html.Div(
        [
            dmc.Select(id=ids.SELECTED_LAYER, data=[], label="Layer", allowDeselect=False, size="xs", w=150),
            dmc.NumberInput(
                id=ids.SELECTED_UNIT,
                label="Unit",
                placeholder="none",
                min=0,
                step=1,
                allowDecimal=False,
                size="xs",
                w=84,
                debounce=250,
            ),
            dmc.TextInput(
                id=ids.SELECTED_POSITION,
                label="Position",
                placeholder="row, column",
                size="xs",
                w=104,
                debounce=400,
            ),
            dmc.Select(
                id=ids.SELECTED_TARGET,
                data=[],
                label="Class to explain",
                placeholder="predicted",
                clearable=True,
                size="xs",
                w=128,
            ),
            _picker("second_image", "Second image", *_second_image()),
            _picker("second_model", "Compare with", _second_model(services)),
            _picker("run", "Training run", _run(services), empty=not services.runs),
            html.Div(
                [
                    html.Button("Mute unit", id="mute", className="text-button", disabled=True),
                    html.Button("Double unit", id="double", className="text-button", disabled=True),
                    dmc.NumberInput(
                        id=ids.FACTOR,
                        prefix="× ",
                        placeholder="× factor",
                        min=-2,
                        max=4,
                        step=0.25,
                        size="xs",
                        w=84,
                        disabled=True,
                        **{"aria-label": "Scale the unit by a factor, from −2 to 4"},
                    ),
                    html.Div(className="edit-list", role="list"),
                    html.Button("Undo", id="undo-edit", className="text-button", hidden=True),
                    html.Button("Reset", id="reset-edits", className="text-button", hidden=True),
                ],
                className="interventions",
                role="group",
                **{"aria-label": "Intervene"},
            ),
        ],
        className="selection",
        role="group",
        **{"aria-label": "Selected for all panels"},
    )


def _picker(need: str, label: str, *parts: Any, empty: bool = False) -> Any:
    """A picker that assets/selection.js shows while it is wanted; an empty one stays hidden."""
    return html.Div(
        [html.Div(label, className="picker-label"), html.Div(parts, className="picker-parts")],
        className="picker",
        role="group",
        **{"data-need": need, "data-empty": "yes" if empty else "no", "aria-label": label},
    )


def _second_image() -> list[Any]:
    return [
        html.Img(id=ids.SECOND_PICTURE, alt="The second image", className="second-picture"),
        dmc.Select(
            id=ids.SECOND_DIGIT,
            data=[str(digit) for digit in range(10)],
            placeholder="digit",
            allowDeselect=False,
            size="xs",
            w=58,
            **{"aria-label": "Sample digit of the second image"},
        ),
        dmc.NumberInput(
            id=ids.SECOND_INDEX,
            min=0,
            step=1,
            placeholder="No.",
            allowDecimal=False,
            size="xs",
            w=62,
            debounce=250,
            **{"aria-label": "Number of the sample for the second image"},
        ),
        html.Button("Keep this drawing", id="keep-drawing", className="text-button", disabled=True),
        html.Button("✕", id="clear-second", className="text-button", title="No second image", hidden=True),
    ]


def model_options(services: Services) -> list[dict[str, Any]]:
    """What can be looked at."""
    return [{"value": name, "label": title} for name, title in services.models.items()]


def second_model_options(services: Services) -> list[dict[str, Any]]:
    """What can stand beside it."""
    return [
        {
            "value": f"{backend.name}:{name}",
            "label": f"{backend.title} · {title}" + (" (not installed)" if backend.missing else ""),
            "disabled": backend.missing is not None,
        }
        for backend in services.backends
        for name, title in services.models.items()
    ]


def _second_model(services: Services) -> Any:
    return dmc.Select(
        id=ids.SECOND_MODEL,
        data=second_model_options(services),
        placeholder="none",
        clearable=True,
        size="xs",
        w=240,
        comboboxProps={"width": "max-content", "position": "bottom-start"},
        **{"aria-label": "Compare with"},
    )


def _run(services: Services) -> Any:
    return dmc.Select(
        id=ids.SELECTED_RUN,
        data=[{"value": id, "label": title} for id, title in services.runs.items()],
        placeholder="none",
        clearable=True,
        size="xs",
        w=200,
        comboboxProps={"width": "max-content", "position": "bottom-start"},
        **{"aria-label": "Training run"},
    )


def _grid_header(services: Services) -> Any:
    choices = [{"value": name, "label": entry.title} for name, entry in services.visualizers.items()]
    return html.Div(
        [
            html.H2(className="panels-title"),
            dmc.Group(
                [
                    dmc.Select(
                        id=ids.ADD_PANEL,
                        data=choices,
                        placeholder="Add a panel…",
                        size="xs",
                        value=None,
                        clearable=False,
                        **{"aria-label": "Add a panel"},
                    ),
                    dmc.Button("Every layer", id=ids.EVERY_LAYER, variant="default", size="xs"),
                ],
                gap="xs",
            ),
        ],
        className="grid-header",
    )


def _plugins_left_out() -> Any:
    found = [(html.Dt(problem.name), html.Dd(problem.reason)) for problem in problems()]
    return html.Section(
        [html.H2("Plugins left out"), html.Dl([part for pair in found for part in pair])],
        className="plugins-left-out",
        hidden=not found,
        **{"aria-label": "Plugins left out"},
    )
