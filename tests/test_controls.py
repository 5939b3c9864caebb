"""Settings become controls by their type, and values from the browser become settings again."""

from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any, Literal

import pytest
from layerscope.visualizers import Help, Range, SettingError, build_settings, controls_of, registered


@dataclass(frozen=True)
class Everything:
    on: bool = True
    shape: Annotated[Literal["bars", "image"], Help("What to draw.")] = "bars"
    columns: Annotated[int, Range(1, 16), Help("Tiles in a row.")] = 8
    strength: Annotated[float, Range(0, 1, 0.1)] = 0.5
    seed: int = 0
    share: float = 0.1
    name: str = ""


def test_each_type_becomes_its_control() -> None:
    kinds = {control.name: control.kind for control in controls_of(Everything)}
    assert kinds == {
        "on": "switch", "shape": "dropdown", "columns": "slider", "strength": "slider", "seed": "number",
        "share": "number", "name": "text",
    }  # fmt: skip


def test_a_control_carries_label_help_bounds_options_and_default() -> None:
    controls = {control.name: control for control in controls_of(Everything)}
    assert (controls["columns"].label, controls["columns"].help) == ("Columns", "Tiles in a row.")
    assert (controls["columns"].range, controls["columns"].default) == (Range(1, 16), 8)
    assert controls["shape"].options == ("bars", "image")


def test_what_is_not_given_keeps_its_default() -> None:
    assert build_settings(Everything, {}) == Everything()
    assert build_settings(Everything, {"columns": 3}) == Everything(columns=3)


def test_numbers_from_json_take_the_type_of_the_setting() -> None:
    built = build_settings(Everything, {"columns": 3.0, "strength": 1, "share": 2})
    assert (built.columns, built.strength, built.share) == (3, 1.0, 2.0)
    assert [type(value) for value in (built.columns, built.strength, built.share)] == [int, float, float]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colums": 3}, "There is no setting 'colums'; there are on, shape, columns, strength, seed, share, name."),
        ({"columns": "3"}, "Setting 'columns' takes a value of type int. Received: '3'"),
        ({"columns": 3.5}, "Setting 'columns' takes a value of type int. Received: 3.5"),
        ({"columns": True}, "Setting 'columns' takes a value of type int. Received: True"),
        ({"columns": None}, "Setting 'columns' takes a value of type int. Received: None"),
        ({"columns": 0}, "Setting 'columns' lies between 1 and 16. Received: 0"),
        ({"columns": 17}, "Setting 'columns' lies between 1 and 16. Received: 17"),
        ({"strength": float("nan")}, "Setting 'strength' takes a value of type float. Received: nan"),
        ({"share": float("inf")}, "Setting 'share' takes a value of type float. Received: inf"),
        ({"on": 1}, "Setting 'on' takes a value of type bool. Received: 1"),
        ({"shape": "cake"}, "Setting 'shape' takes one of bars, image. Received: 'cake'"),
        ({"shape": ["bars"]}, "Setting 'shape' takes a value of type str. Received: ['bars']"),
        ({"name": 5}, "Setting 'name' takes a value of type str. Received: 5"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as raised:
        build_settings(Everything, values)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("hint", "default", "message"),
    [
        (list, field(default_factory=list), "setting 'value' needs a default"),
        (complex, 1j, "setting 'value' must be bool, int, float, str or Literal. Received: <class 'complex'>"),
        (Annotated[str, Range(0, 1)], "", "setting 'value' has a Range, which belongs to int or float"),
        (Annotated[int, Range(1, 3)], 4, "breaks its own rule: Setting 'value' lies between 1 and 3. Received: 4"),
        (Literal["a", "b"], "c", "breaks its own rule: Setting 'value' takes one of a, b. Received: 'c'"),
        (int, "1", "breaks its own rule: Setting 'value' takes a value of type int. Received: '1'"),
    ],
)
def test_a_setting_that_cannot_become_a_control_says_why(hint: Any, default: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        controls_of(make_dataclass("Settings", [("value", hint, default)], frozen=True))
    assert message in str(raised.value)


def test_settings_must_be_frozen() -> None:
    with pytest.raises(TypeError, match="Loose must be a frozen dataclass"):
        controls_of(make_dataclass("Loose", [("value", int, 0)]))


EVERY_CONTROL = [
    pytest.param(visualizer, control, id=f"{visualizer.name}-{control.name}")
    for visualizer in registered().values()
    for control in visualizer.controls
]


@pytest.mark.parametrize(("visualizer", "control"), EVERY_CONTROL)
def test_every_control_explains_itself_and_keeps_its_bounds(visualizer: Any, control: Any) -> None:
    assert control.help
    assert build_settings(visualizer.settings, {control.name: control.default}) == visualizer.settings()
    if control.range:
        for allowed in (control.range.low, control.range.high):
            assert getattr(build_settings(visualizer.settings, {control.name: allowed}), control.name) == allowed
        for outside in (control.range.low - 1, control.range.high + 1):
            with pytest.raises(SettingError, match="lies between"):
                build_settings(visualizer.settings, {control.name: outside})
    for option in control.options:
        assert getattr(build_settings(visualizer.settings, {control.name: option}), control.name) == option
