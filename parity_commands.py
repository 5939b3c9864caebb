"""The commands of those who examine a network: `parity` holds it against itself elsewhere.

They import what they need when they run, so that `--help` answers at once.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .terminal import add_data, add_home, home_folder, print_table, sentences_for, set_up_logging

if TYPE_CHECKING:
    from .backends.base import Array, Model
    from .evaluation.parity import LayerParity, Parity

SIGNS = {
    "same": "[green]✓ same[/]",
    "differs first": "[bold red]✗ differs first[/]",
    "missing": "[bold red]✗ missing[/]",
    "other shape": "[red]✗ other shape[/]",
    "differs": "[red]✗ differs[/]",
}
"""Verdict → what stands in the table; another one has neither sign nor colour."""


def add_commands(commands: Any) -> None:
    """Adds the commands to the parser's."""
    words = "whether a model computes the same in two frameworks, or in a port of it, layer by layer"
    parity = commands.add_parser(
        "parity",
        help="compare a model in two frameworks, or with a port of it",
        description=f"{words[0].upper()}{words[1:]}. Status 0: it does; 1: it does not; 2: it cannot be compared.",
    )
    parity.add_argument("model", metavar="MODEL", help="a bundled network, a file, package.module:attribute, or run:ID")
    parity.add_argument(
        "--backends",
        type=_pair,
        metavar="ONE,OTHER",
        help="what runs the first and the second of them (default: keras,pytorch; with --against, what opens each)",
    )
    parity.add_argument(
        "--against", metavar="MODEL", help="another file, run:ID or package.module:attribute to compare with"
    )
    parity.add_argument(
        "--images", type=_count, default=256, metavar="N", help="test images to compare (default: %(default)s)"
    )
    parity.add_argument(
        "--tolerance",
        type=_above_zero,
        default=1e-4,
        metavar="SHARE",
        help="largest difference that counts as the same, of a layer's largest value (default: %(default)s)",
    )
    add_data(parity, "folder with MNIST (default: LAYERSCOPE_DATA, then your cache, then the bundled digits)")
    add_home(parity)
    parity.add_argument("--json", type=Path, metavar="FILE", help="write all of it there, too")
    parity.set_defaults(run=_parity)


def _parity(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from .backends.base import BackendError
    from .datasets.base import DatasetError
    from .evaluation.parity import ParityError, parity
    from .training.config import RunError

    set_up_logging()
    with sentences_for(BackendError, DatasetError, ParityError, RunError, OSError):
        with Console(stderr=True).status("Starting…") as status:
            first, second = _models(arguments, status.update)
            status.update("Comparing…")
            found = parity(first, second, _images(arguments, first), arguments.tolerance)
        if arguments.json:
            arguments.json.write_text(json.dumps(found.data, indent=2), encoding="utf-8")
    _show(found)
    return 0 if found.passed else 1


def _models(arguments: argparse.Namespace, report: Any) -> "tuple[Model, Model]":
    """The two networks; those of a user's own are opened by whichever framework can, unless it was named."""
    from .backends.opening import open_model
    from .training.runs import located

    home = home_folder(arguments.home)
    sources = arguments.model, arguments.against or arguments.model
    names = arguments.backends or ((None, None) if arguments.against else ("keras", "pytorch"))
    first, second = (
        open_model(located(source, home), name, report) for source, name in zip(sources, names, strict=True)
    )
    return first, second


def _images(arguments: argparse.Namespace, model: "Model") -> "Array":
    from .datasets.samples import samples
    from .drawing.fit import fit_images

    return fit_images(samples(arguments.data).images[: arguments.images], model.input_shape)


def _show(found: "Parity") -> None:
    from rich.console import Console
    from rich.text import Text

    print(f"{found.first} against {found.second}, {found.images:,} test images, tolerance {found.tolerance:g}")
    print_table(("layer", "in the other", "kind", ">largest", ">mean", "verdict"), [_row(row) for row in found.layers])
    if found.only_second:
        print(f"Only in the other: {', '.join(found.only_second)}.")
    if found.disagreements is not None:
        print(f"Predictions that disagree: {found.disagreements:,} of {found.images:,} images.")
    Console(soft_wrap=True).print(Text(found.conclusion, "bold green" if found.passed else "bold red"))


def _row(layer: "LayerParity") -> tuple[str, ...]:
    from rich.markup import escape

    numbers = ("" if value is None else f"{value:.1e}" for value in (layer.largest, layer.mean))
    names = map(escape, (layer.name, layer.counterpart, layer.kind))
    return *names, *numbers, SIGNS.get(layer.verdict, layer.verdict)


def _pair(text: str) -> tuple[str, str]:
    one, _, other = text.partition(",")
    if one.strip() and other.strip() and "," not in other:
        return one.strip(), other.strip()
    raise argparse.ArgumentTypeError(f"name two backends, such as keras,pytorch. Received: {text}")


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"a number of images is a whole number above 0. Received: {text}")


def _above_zero(text: str) -> float:
    try:
        if 0 < float(text) < float("inf"):
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"a tolerance is a number above 0, such as 1e-4. Received: {text}")
