"""The command `evaluate`: measures a model on labelled images, and says the same numbers as the page.

It imports what it needs when it runs, so that `--help` answers at once.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .terminal import add_backend, add_data, add_home, home_folder, print_table, sentences_for, set_up_logging

if TYPE_CHECKING:
    from .backends.base import Model
    from .evaluation.evaluate import Evaluation
    from .evaluation.predictions import Progress
    from .evaluation.sets import Labelled


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    words = "measure a model on images nobody trained on"
    evaluate = commands.add_parser("evaluate", help=words, description=f"{words.capitalize()}.")
    evaluate.add_argument(
        "model", metavar="MODEL", help="a bundled network, a file, package.module:attribute, run:ID or run:ID@SNAPSHOT"
    )
    add_backend(evaluate)
    add_data(
        evaluate,
        "folder with MNIST and pen digits, or your own images: a folder with a folder of pictures per class, a "
        ".npz or a .json file (default: LAYERSCOPE_DATA, then your cache)",
        metavar="PATH",
    )
    add_home(evaluate)
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured as JSON")
    evaluate.add_argument("--csv", type=Path, metavar="FILE", help="write a table of every set and class as CSV")
    evaluate.add_argument(
        "--fail-under",
        type=_share,
        metavar="SHARE",
        help="end with status 1 if the accuracy on any of the sets is below this, such as 0.99",
    )
    evaluate.set_defaults(run=_evaluate)


def _share(text: str) -> float:
    try:
        if 0 <= float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"a share is a number from 0 to 1. Received: {text}")


def _evaluate(arguments: argparse.Namespace) -> int:
    from .backends.base import BackendError
    from .backends.opening import open_model
    from .datasets.base import DatasetError
    from .evaluation.evaluate import evaluate
    from .training.config import RunError
    from .training.runs import located

    set_up_logging()
    with sentences_for(BackendError, DatasetError, RunError, ValueError, OSError):
        with _reporting() as (say, progress):
            source = located(arguments.model, home_folder(arguments.home))
            model = open_model(source, arguments.backend, say)
            measured: dict[str, Evaluation] = {}
            notes: list[str] = []
            for title, images in _sets(arguments.data, model, say, progress):
                say(f"{title}…")
                notes += images.notes
                measured[title] = evaluate(model, images.images, images.labels, progress=progress)
        print("".join(f"{note}\n" for note in notes), end="")
        _print(model, measured)
        _write(arguments, model, measured)
    least = min(found.metrics.accuracy for found in measured.values())
    return int(least < (arguments.fail_under or 0))


def _sets(data: Path | None, model: "Model", say: Any, progress: "Progress") -> "Iterator[tuple[str, Labelled]]":
    """What to measure on: the user's own images where the path is that of some, else what there is in the folder."""
    from .evaluation.sets import evaluation_sets, is_own, labelled

    if data is not None and is_own(data):
        say(f"Reading {data.name}…")
        own = labelled(str(data), None, model.input_shape, model.classes, progress=progress)
        yield own.title, own
        return
    for title, read in evaluation_sets(data, model.input_shape, model.classes).items():
        say(f"Reading {title}…")
        yield title, read()


@contextmanager
def _reporting() -> Iterator[tuple[Any, "Progress"]]:
    """A line on the terminal that says what is being done and how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Starting…", total=None)

        def say(words: str) -> None:
            shown.reset(task, description=words, total=None)

        yield say, lambda done, total: shown.update(task, completed=done, total=total)


def _print(model: "Model", measured: "Mapping[str, Evaluation]") -> None:
    from .evaluation.report import QUANTITIES, class_words

    print(f"{model.name} in {model.backend}, {model.parameters:,} parameters")
    print_table(
        ("set", ">images", *(f">{quantity.title.lower()}" for quantity in QUANTITIES), ">seconds"),
        [
            (
                title,
                f"{found.metrics.count:,}",
                *(quantity.words(found.metrics) for quantity in QUANTITIES),
                f"{found.seconds:.1f}",
            )
            for title, found in measured.items()
        ],
    )
    for title, found in measured.items():
        print(title)
        print_table(
            ("class", ">images", ">precision", ">recall", ">f1"),
            [(each.name, f"{each.count:,}", *class_words(each).values()) for each in found.metrics.per_class],
        )


def _write(arguments: argparse.Namespace, model: "Model", measured: "Mapping[str, Evaluation]") -> None:
    from .evaluation.report import as_csv, as_json

    if arguments.json:
        told = {
            "model": model.name,
            "backend": model.backend,
            "version": model.version,
            "sets": [
                {"set": title, **as_json(found.metrics), "seconds": found.seconds} for title, found in measured.items()
            ],
        }
        arguments.json.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if arguments.csv:
        text = as_csv({title: found.metrics for title, found in measured.items()})
        arguments.csv.write_text(text, encoding="utf-8")
