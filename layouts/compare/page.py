"""The compare page's frame: the drawing, and empty places that `assets/` fills with columns, rows and experiments."""

from typing import Any

from dash import dcc, html

from ...visualizers.contract import Need, Visualizer
from .. import ids
from ..frame import empty_graph, framed, header, loading, notice
from ..page import drawing_card
from ..services import Services

CURVES = "compare-curves"

SECTIONS = {
    "said": "What they say",
    "rows": "Layer by layer",
    "table": "What they cost",
    "parity": "Do they compute the same?",
    "shift": "Move the digit",
    "permutation": "Shuffle its pixels",
}
"""The parts of the page that one can go to, in their order."""

LEAD = (
    "One drawing, two to four networks. Draw, and watch where they answer alike, where they part, and which layer is "
    "the first that does."
)
DENSE_AND_CNN = (
    "A dense net gives every pixel a weight of its own: it learns where ink lies. A convolutional net slides small "
    "filters over the picture: it learns what ink looks like, wherever it lies. Draw a digit, then move it and put its "
    "pixels in another order below, and see what each of them has learnt."
)


def compare_page(services: Services) -> Any:
    """The whole page, without columns."""
    return framed(
        "compare",
        "Skip to the networks",
        [
            html.Div([drawing_card(), _presets()], className="column"),
            html.Div(
                [_networks(), _said(), _rows(), _table(), _parity(), _shift(), _permutation(), _curves()],
                className="compare panels",
                tabIndex="-1",
            ),
        ],
        look="page compare-page",
        stores=[dcc.Location(id=ids.ADDRESS, refresh=False), dcc.Store(id=ids.PICTURE)],
        top=header("compare", tools=[loading()]),
        fault=notice(),
        choices=choices(services),
    )


def choices(services: Services) -> dict[str, Any]:
    """What the page may choose from."""
    return {
        "models": [{"value": name, "label": title} for name, title in services.models.items()],
        "backends": [{"value": each.name, "label": each.title, "missing": each.missing} for each in services.backends],
        "subjects": _first(services),
        "backend": services.default_backend,
        "views": [_view(each) for each in services.visualizers.values()],
    }


def _first(services: Services) -> list[dict[str, str]]:
    """What a page without an address shows: the server's model in two frameworks, or the dense net beside it."""
    usable = [each.name for each in services.backends if each.missing is None]
    if len(usable) > 1:
        return [{"model": services.model, "backend": each} for each in usable[:2]]
    here = services.default_backend
    return [{"model": services.model, "backend": here}, {"model": "dense", "backend": here}]


def _view(visualizer: Visualizer) -> dict[str, Any]:
    return {
        "name": visualizer.name,
        "title": visualizer.title,
        "words": visualizer.explanation.partition("\n")[0],
        "layer": Need.LAYER in visualizer.needs,
        "unit": Need.UNIT in visualizer.needs,
        "target": Need.TARGET in visualizer.needs,
        "controls": [
            {
                "name": control.name,
                "label": control.label,
                "help": control.help,
                "kind": control.kind,
                "default": control.default,
                "options": list(control.options),
                "low": control.range.low if control.range else None,
                "high": control.range.high if control.range else None,
                "step": 1 if control.type is int else "any",
            }
            for control in visualizer.controls
        ],
    }


def _section(name: str, title: str, *parts: Any, words: str = "", tools: Any = None) -> Any:
    head = html.Div(
        [html.H2(title), *([] if tools is None else [html.Div(tools, className="section-tools")])],
        className="section-header",
    )
    note = [html.P(words, className="note section-words")] if words else []
    return html.Section([head, *note, *parts], className=f"card compare-{name}", **{"aria-label": title})


def _button(label: str, action: str, **options: Any) -> Any:
    return html.Button(label, className="text-button", **{"data-action": action, **options})


def _presets() -> Any:
    return html.Section(
        [
            html.H2("Compare"),
            html.P(LEAD, className="note"),
            html.Div(
                [
                    _button("Two frameworks", "frameworks", title="The same weights in Keras and in PyTorch"),
                    _button("Dense against CNN", "dense-cnn", title="A dense net and a convolutional one"),
                    _button("Four networks", "four", title="Four bundled networks side by side"),
                    _button("Copy a link", "link", title="Copy a link to exactly this view"),
                ],
                className="preset-list",
                role="group",
                **{"aria-label": "What to compare"},
            ),
            html.Div(
                [
                    html.P(DENSE_AND_CNN, className="note"),
                    html.Div(
                        [
                            _button("Their first weights", "first-weights", title="What each unit of theirs looks for"),
                            _button("Where they look", "where", title="Which pixels the answer depends on"),
                            _button("All layers", "layers", title="Back to what every layer answers"),
                        ],
                        className="preset-list",
                    ),
                ],
                className="dense-words",
                hidden=True,
            ),
            html.Div(
                [
                    html.Button(title, className="jump", **{"data-jump": f"compare-{name}"})
                    for name, title in SECTIONS.items()
                ],
                className="jumps",
                role="navigation",
                **{"aria-label": "Parts of this page"},
            ),
        ],
        className="card compare-presets",
    )


def _networks() -> Any:
    return html.Section(
        [html.Div(className="heads columns"), html.Div(className="incomparable note", role="status")],
        className="card compare-networks",
        **{"aria-label": "Networks"},
    )


def _said() -> Any:
    return _section(
        "said",
        "What they say",
        html.P("Draw a digit, or choose a sample.", className="agreement", role="status"),
        html.P(className="disagreement note"),
        html.Div(className="answers columns"),
    )


def _rows() -> Any:
    return _section(
        "rows",
        "Layer by layer",
        html.Div(className="view-tools"),
        html.P(className="note view-words"),
        html.Div(className="rows"),
    )


def _table() -> Any:
    return _section(
        "table",
        "What they cost, and how good they are",
        html.Div(html.Table(className="facts"), className="table-scroll"),
        words="Latency is the median of 50 passes of one image on this computer, measured when you ask for it.",
        tools=[
            html.A("How they stand disturbance", href="../robustness/", className="text-button robust-link"),
            _button("Measure now", "measure"),
        ],
    )


def _parity() -> Any:
    return _section(
        "parity",
        "Do they compute the same?",
        html.P(className="verdict-line", role="status"),
        html.Div(html.Table(className="parity-table"), className="table-scroll"),
        words="The first network against another one, layer by layer: how far their numbers lie apart, as a share of "
        "the layer's largest one. With the same weights, what is left is rounding.",
        tools=[
            html.Label(["against ", html.Select(className="parity-other")], className="inline-label"),
            html.Label(
                [
                    "tolerance ",
                    dcc.Input(id="parity-tolerance", type="text", value="1e-4", className="parity-tolerance"),
                ],
                className="inline-label",
            ),
            _button("On 256 test images", "parity"),
        ],
    )


def _shift() -> Any:
    return _section(
        "shift",
        "Move the digit",
        html.P("Draw a digit, then press “Move it”.", className="shift-words", role="status"),
        html.Div(className="shift-fields"),
        words="Each network is asked about the drawing at 21 × 21 places. Drag in a map, or use the arrow keys: the "
        "digit moves, and both answers with it. Blue: right; orange: wrong.",
        tools=[_button("Move it", "shift"), _button("Move 20 test digits", "digits")],
    )


def _permutation() -> Any:
    return _section(
        "permutation",
        "Put the pixels in another order",
        html.Div(className="permutation-fields"),
        words="The same pixels, shuffled, always in the same way. To a dense net the order of pixels means nothing: "
        "with its first weights in that order, too, it answers exactly as before. No such order helps a "
        "convolution, which looks at neighbours.",
        tools=_button("Shuffle the pixels", "permute"),
    )


def _curves() -> Any:
    return html.Section(
        [html.H2("How they were trained"), empty_graph(CURVES, "graph-curves")],
        className="card compare-curves is-empty",
        **{"aria-label": "How they were trained"},
    )
