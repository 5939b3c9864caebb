"""Writes a page for every built-in view and takes its picture: `make views`, or for one of them `make views ARGS=NAME`.

The words are those of the view itself: its docstring, its needs, and the help of its settings.
`tests/test_view_pages.py` holds the pages against them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from layerscope.visualizers.contract import Need, Visualizer
from layerscope.visualizers.controls import Control
from layerscope.visualizers.registry import BUILT_IN
from view_pictures import take

FOLDER = Path(__file__).parents[1] / "docs" / "views"
INDEX = "README.md"

WAYS = {
    "IMAGE": "draw one, or choose a sample",
    "UNIT": "click a tile, a bar or a dot",
    "POSITION": "click a pixel of a feature map",
    "TARGET": "the predicted one, unless you choose another one above the panels",
    "DATASET": "the MNIST test images, once `layerscope download` has fetched them, else the bundled digits",
    "SECOND_IMAGE": "keep a drawing, or choose a sample, above the panels",
    "SECOND_MODEL": "choose one above the panels",
    "RUN": "choose one above the panels",
}
"""Need → how one meets it; that of a layer depends on the view."""


def main() -> int:
    """Writes the pages and the index, and takes the pictures of the views that are named, or of all."""
    named, known = sys.argv[1:], [view.name for view in BUILT_IN]
    unknown = [name for name in named if name not in known]
    if unknown:
        print(f"There is no built-in view {unknown[0]!r}; there are {', '.join(known)}.")
        return 2
    for view in BUILT_IN:
        (FOLDER / f"{view.name}.md").write_text(page(view), "utf-8")
    (FOLDER / INDEX).write_text(index(), "utf-8")
    take([view for view in BUILT_IN if view.name in named or not named], FOLDER / "pictures")
    return 0


def page(view: Visualizer) -> str:
    """One view's page, in Markdown."""
    blocks = [f"# {view.title}", f"![{view.title}](pictures/{view.name}.png)", view.explanation]
    blocks += ["## What it needs", _list(_needs(view)) or "Nothing but a model.", f"It is drawn {_when(view)}."]
    blocks += ["## Settings", _settings(view)]
    blocks.append(f"`{view.name}` is defined in [{_file(view)}](../../{_file(view)}). [All views](README.md)")
    return "\n\n".join(blocks) + "\n"


def index() -> str:
    """The page that leads to all others, in Markdown."""
    rows = [
        f'| [<img src="pictures/{view.name}.png" alt="" width="170">]({view.name}.md) '
        f"| [{view.title}]({view.name}.md) | {_cell(first_sentence(view))} | {_when(view).partition(':')[0]} |"
        for view in BUILT_IN
    ]
    head = [
        "# Views",
        "",
        "Every view that Layerscope brings along. `make views` writes these pages and takes their pictures;",
    ]
    head += ["[your first visualizer](../first-visualizer.md) adds one of your own.", ""]
    return "\n".join([*head, "| | view | what it shows | drawn |", "|---|---|---|---|", *rows]) + "\n"


def first_sentence(view: Visualizer) -> str:
    """What a view says of itself before anything else."""
    return " ".join(view.explanation.split("\n\n")[0].split())


def _needs(view: Visualizer) -> Iterator[str]:
    for need in Need:
        if need in view.needs:
            way = view.applies_to.reason if need is Need.LAYER else WAYS[need.name]
            yield f"{need.value}: {way}" if way != need.value else f"{need.value}: any"
    if view.capabilities:
        yield f"of the model: {' and '.join(sorted(each.value for each in view.capabilities))}"


def _when(view: Visualizer) -> str:
    if view.at_rest:
        return "by itself when the pen rests, frame by frame, and it can be paused and stopped"
    if view.on_request:
        return "on request: frame by frame, and it can be paused and stopped"
    return (
        "anew with every stroke"
        if view.follows_pen and Need.IMAGE in view.needs
        else "at once: strokes leave it as it is"
    )


def _settings(view: Visualizer) -> str:
    if not view.controls:
        return "There is nothing to set."
    rows = [
        [control.label, f"`{control.name}`", _cell(control.help), _values(control), _value(control.default)]
        for control in view.controls
    ]
    head = ["| setting | in a link | what it does | values | default |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def _values(control: Control) -> str:
    if control.options:
        return ", ".join(map(_value, control.options))
    if control.range:
        step = f" in steps of {_value(control.range.step)}" if control.range.step else ""
        return f"{_value(control.range.low)} to {_value(control.range.high)}{step}"
    return {"switch": "on, off", "number": "a number", "text": "text"}[control.kind]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else _cell(str(value)) or "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _list(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _file(view: Visualizer) -> str:
    return f"{view.defined_in.removeprefix('layerscope.').replace('.', '/')}.py"


if __name__ == "__main__":
    raise SystemExit(main())
