"""One panel: a visualizer with its layer picker, generated settings, explanation, full screen and remove."""

from collections.abc import Callable, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from ..models.layers import LayerInfo
from ..visualizers.contract import Need, Visualizer
from ..visualizers.controls import Control
from . import ids
from .state import Panel

FOLLOW = "*"
"""Value of a layer picker that follows the selection."""


def panel_component(panel: Panel, visualizer: Visualizer, layers: Sequence[LayerInfo]) -> Any:
    """The panel with an empty figure; the next answer fills it.

    It has as few components as it can: Dash asks every one of them at every change of any store. So explanation and
    settings are made when they are opened (`explanation`, `settings`).
    """
    picker = [_layer_picker(panel, visualizer, layers)] if Need.LAYER in visualizer.needs else []
    graph = dcc.Graph(
        id=ids.panel("figure", panel.id),
        className="panel-figure",
        config={"displaylogo": False, "displayModeBar": False, "responsive": True},
    )
    return html.Section(
        [
            html.H3(visualizer.title, className="panel-title", title=f"{visualizer.title} {panel.layer or ''}".strip()),
            html.Div(_tools(panel, visualizer), className="panel-tools"),
            *picker,
            html.Div([graph, html.Div(className="panel-message", role="status")], className="panel-body"),
            html.Div([html.Div(className="panel-legend"), html.Div(className="panel-cost")], className="panel-footer"),
            *([html.Div(className="panel-aside", role="status")] if visualizer.aside else []),
        ],
        className="panel panel-wide" if visualizer.wide else "panel",
        **{
            "data-panel": panel.id,
            "data-visualizer": panel.visualizer,
            "aria-label": visualizer.title,
            "data-at-rest": "yes" if visualizer.at_rest else "no",
        },
    )


def explanation(visualizer: Visualizer) -> Any:
    """What the panel shows, in the words of the visualizer's docstring."""
    return [html.H4("What does this show?"), dcc.Markdown(visualizer.explanation, className="explanation")]


def settings(panel: Panel, visualizer: Visualizer) -> Any:
    """The controls of the panel's settings."""
    controls = [_control(panel, control) for control in visualizer.controls]
    return [html.H4("Settings"), dmc.Stack(controls, gap="sm")]


def _layer_picker(panel: Panel, visualizer: Visualizer, layers: Sequence[LayerInfo]) -> Any:
    fitting = [{"value": layer.name, "label": layer.name} for layer in layers if visualizer.applies_to(layer)]
    chosen = panel.layer or FOLLOW
    if chosen not in [FOLLOW, *[entry["value"] for entry in fitting]]:
        why = "does not fit" if chosen in [layer.name for layer in layers] else "not in this model"
        fitting.insert(0, {"value": chosen, "label": f"{chosen} ({why})"})
    return dmc.Select(
        id=ids.panel("layer", panel.id),
        data=[{"value": FOLLOW, "label": "selected layer"}, *fitting],
        value=chosen,
        size="xs",
        variant="filled",
        allowDeselect=False,
        comboboxProps={"width": "max-content", "position": "bottom-start"},
        className="panel-layer",
        **{"aria-label": f"Layer of {visualizer.title}"},
    )


def _tools(panel: Panel, visualizer: Visualizer) -> list[Any]:
    parts: list[tuple[ids.PanelPart, str]] = [("help", "What does this show?")]
    if visualizer.controls:
        parts.append(("settings", "Settings"))
    parts += [("fullscreen", "Full screen"), ("remove", "Remove this panel")]
    return [
        html.Button(
            id=ids.panel(part, panel.id), title=label, className=f"tool icon icon-{part}", **{"aria-label": label}
        )
        for part, label in parts
    ]


def _control(panel: Panel, control: Control) -> Any:
    value = panel.settings.get(control.name, control.default)
    return _CONTROLS[control.kind](control, {"id": ids.setting(panel.id, control.name), "value": value})


def _switch(control: Control, common: dict[str, Any]) -> Any:
    checked = common.pop("value")
    return dmc.Switch(**common, checked=checked, label=control.label, description=control.help, size="sm")


def _dropdown(control: Control, common: dict[str, Any]) -> Any:
    return dmc.Select(
        **common,
        data=list(control.options),
        label=control.label,
        description=control.help,
        allowDeselect=False,
        size="xs",
        comboboxProps={"withinPortal": False},
    )


def _slider(control: Control, common: dict[str, Any]) -> Any:
    assert control.range is not None
    step = control.range.step or (1 if control.type is int else (control.range.high - control.range.low) / 100)
    return dmc.NumberInput(
        **common,
        min=control.range.low,
        max=control.range.high,
        step=step,
        clampBehavior="strict",
        label=control.label,
        description=control.help,
        size="xs",
    )


def _number(control: Control, common: dict[str, Any]) -> Any:
    return dmc.NumberInput(**common, label=control.label, description=control.help, size="xs")


def _text(control: Control, common: dict[str, Any]) -> Any:
    return dmc.TextInput(**common, label=control.label, description=control.help, size="xs", debounce=300)


_CONTROLS: dict[str, Callable[[Control, dict[str, Any]], Any]] = {
    "switch": _switch,
    "dropdown": _dropdown,
    "slider": _slider,
    "number": _number,
    "text": _text,
}
