"""Settings become controls by their type, and values from the browser become settings again.

| annotation                              | control  |
|-----------------------------------------|----------|
| `bool`                                  | switch   |
| `Literal["a", "b"]`                     | dropdown |
| `Annotated[int, Range(low, high)]`      | slider   |
| `Annotated[float, Range(low, high)]`    | slider   |
| `int`, `float`                          | number   |
| `str`                                   | text     |

Every field needs a default; `Help("…")` in the annotation is its explanation.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from math import inf
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

Kind = Literal["switch", "dropdown", "slider", "number", "text"]
KINDS: Mapping[Any, Kind] = {bool: "switch", str: "text", int: "number", float: "number"}


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included."""

    low: float
    high: float
    step: float | None = None


@dataclass(frozen=True)
class Help:
    """One line that says what a setting does."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Control:
    """How one setting appears on the page.

    Attributes:
        name: the field's name.
        label: the name in words.
        kind: `switch`, `dropdown`, `slider`, `number` or `text`.
        type: the Python type of its values.
        default: the value before anyone touches it.
        help: one line of explanation; may be empty.
        options: values of a dropdown.
        range: bounds of a slider.
    """

    name: str
    label: str
    kind: Kind
    type: type
    default: Any
    help: str = ""
    options: tuple[Any, ...] = ()
    range: Range | None = None


class SettingError(ValueError):
    """A value that a setting cannot take; the message names the setting, what it takes and what was received."""


def controls_of(settings: type[Any]) -> tuple[Control, ...]:
    """The controls of a settings dataclass, in the order of its fields.

    Raises:
        TypeError: the dataclass is not frozen, a field has no default or one that breaks its own bounds, or its type
            cannot become a control.
    """
    if not settings.__dataclass_params__.frozen:
        raise TypeError(f"{settings.__name__} must be a frozen dataclass.")
    hints = get_type_hints(settings, include_extras=True)
    return tuple(_control(entry.name, hints[entry.name], entry.default) for entry in fields(settings))


def build_settings(settings: type[Any], values: Mapping[str, Any]) -> Any:
    """Settings from values as the browser or the address gives them; what is not given keeps its default.

    Raises:
        SettingError: an unknown name, a wrong type, or a value out of bounds.
    """
    controls = {control.name: control for control in controls_of(settings)}
    unknown = [name for name in values if name not in controls]
    if unknown:
        raise SettingError(f"There is no setting {unknown[0]!r}; there are {', '.join(controls) or 'none'}.")
    return settings(**{name: _checked(controls[name], value) for name, value in values.items()})


def _control(name: str, hint: Any, default: Any) -> Control:
    if default is MISSING:
        raise TypeError(f"setting {name!r} needs a default.")
    extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    base = get_args(hint)[0] if extras else hint
    options = get_args(base) if get_origin(base) is Literal else ()
    bounds = next((extra for extra in extras if isinstance(extra, Range)), None)
    control = Control(
        name=name,
        label=name.replace("_", " ").capitalize(),
        kind=_kind(name, base, bounds),
        type=type(options[0]) if options else base,
        default=default,
        help=next((extra.text for extra in extras if isinstance(extra, Help)), ""),
        options=options,
        range=bounds,
    )
    try:
        _checked(control, default)
    except SettingError as error:
        raise TypeError(f"the default of setting {name!r} breaks its own rule: {error}") from error
    return control


def _kind(name: str, base: Any, bounds: Range | None) -> Kind:
    if bounds and base not in (int, float):
        raise TypeError(f"setting {name!r} has a Range, which belongs to int or float. Received: {base!r}")
    if get_origin(base) is Literal:
        return "dropdown"
    if base not in KINDS:
        raise TypeError(f"setting {name!r} must be bool, int, float, str or Literal. Received: {base!r}")
    return "slider" if bounds else KINDS[base]


def _checked(control: Control, value: Any) -> Any:
    """The value in the control's type."""
    result = _converted(control.type, value)
    if type(result) is not control.type or result in (inf, -inf) or result != result:
        raise SettingError(
            f"Setting {control.name!r} takes a value of type {control.type.__name__}. Received: {value!r}"
        )
    if control.options and result not in control.options:
        raise SettingError(
            f"Setting {control.name!r} takes one of {', '.join(map(str, control.options))}. Received: {value!r}"
        )
    bounds = control.range
    if bounds and not bounds.low <= value <= bounds.high:
        raise SettingError(f"Setting {control.name!r} lies between {bounds.low} and {bounds.high}. Received: {value!r}")
    return result


def _converted(wanted: type, value: Any) -> Any:
    """JSON knows one kind of number only, so 3 and 3.0 both stand for either."""
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
