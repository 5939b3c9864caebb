"""One panel: a visualizer with its layer picker, generated settings, explanation, full screen and remove."""

from collections.abc import Callable, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from ..models.layers import LayerInfo
from ..visualizers.contract import Need, Visualizer
from ..visualizers.controls import Control
from . import ids
from .icons import icon
from .state import Panel

FOLLOW = "*"
"""Value of a layer picker that follows the selection."""
WIDE = {"architecture_graph", "network_view", "layer_table"}


def panel_component(panel: Panel, visualizer: Visualizer, layers: Sequence[LayerInfo]) -> Any:
    """The panel with an empty figure; the next answer fills it."""
    return html.Section(
        [
            html.Header([_title(panel, visualizer), _tools(panel, visualizer)], className="panel-header"),
            _layer_picker(panel, visualizer, layers),
            html.Div(
                [
                    dcc.Graph(
                        id=ids.panel("figure", panel.id),
                        className="panel-figure",
                        config={"displaylogo": False, "displayModeBar": False, "responsive": True},
                    ),
                    html.Div(className="panel-message", role="status"),
                ],
                className="panel-body",
            ),
            html.Div(className="panel-legend"),
        ],
        className="panel panel-wide" if panel.visualizer in WIDE else "panel",
        **{"data-panel": panel.id, "data-visualizer": panel.visualizer, "aria-label": visualizer.title},
    )


def _title(panel: Panel, visualizer: Visualizer) -> Any:
    return html.H3(visualizer.title, className="panel-title", title=f"{visualizer.title} {panel.layer or ''}".strip())


def _layer_picker(panel: Panel, visualizer: Visualizer, layers: Sequence[LayerInfo]) -> Any:
    fitting = [{"value": layer.name, "label": layer.name} for layer in layers if visualizer.applies_to(layer)]
    chosen = panel.layer or FOLLOW
    if chosen not in [FOLLOW, *[entry["value"] for entry in fitting]]:
        fitting.insert(0, {"value": chosen, "label": f"{chosen} (not in this model)"})
    options = [{"value": FOLLOW, "label": "selected layer"}, *fitting]
    return html.Div(
        dmc.Select(
            id=ids.panel("layer", panel.id),
            data=options,
            value=chosen,
            size="xs",
            variant="filled",
            allowDeselect=False,
            comboboxProps={"width": "max-content", "position": "bottom-start"},
            **{"aria-label": f"Layer of {visualizer.title}"},
        ),
        className="panel-layer",
        hidden=Need.LAYER not in visualizer.needs,
    )


def _tools(panel: Panel, visualizer: Visualizer) -> Any:
    tools = [_popover("help", "What does this show?", dcc.Markdown(visualizer.explanation, className="explanation"))]
    if visualizer.controls:
        controls = [_control(panel, control) for control in visualizer.controls]
        tools.append(_popover("settings", "Settings", dmc.Stack(controls, gap="sm")))
    tools.append(_button("fullscreen", "Full screen", id=ids.panel("fullscreen", panel.id)))
    tools.append(_button("remove", "Remove this panel", id=ids.panel("remove", panel.id)))
    return html.Div(tools, className="panel-tools")


def _button(name: str, label: str, **properties: Any) -> Any:
    return dmc.ActionIcon(icon(name), variant="subtle", color="gray", size="sm", **{"aria-label": label, **properties})


def _popover(name: str, label: str, content: Any) -> Any:
    return dmc.Popover(
        [
            dmc.PopoverTarget(_button(name, label)),
            dmc.PopoverDropdown(html.Div([dmc.Text(label, fw=600, size="sm"), content])),
        ],
        width=300,
        position="bottom-end",
        shadow="md",
        withArrow=True,
        trapFocus=True,
        returnFocus=True,
    )


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
