"""The commands of those who train: `train` begins a run and follows it, `runs` lists all of them.

They import what they need when they run, so that `--help` answers at once.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .models.bundled import BUNDLED, DEFAULT
from .terminal import home_folder, print_table, sentences_for, set_up_logging

if TYPE_CHECKING:
    from rich.progress import Progress

    from .models.architecture import Architecture
    from .models.run import EpochMetrics, Run
    from .training.config import DataChoice, RunConfig
    from .training.executor import Executor
    from .training.recipes import Recipe

POLL = 0.2
"""Seconds between two looks at a run."""


def add_commands(commands: Any) -> None:
    """Adds the commands to the parser's."""
    words = "train a network; the run appears on the page as well"
    train = commands.add_parser("train", help=words, description=f"{words.capitalize()}. Ctrl+C stops it and keeps it.")
    train.add_argument(
        "--model",
        default=DEFAULT,
        metavar="NAME",
        help="a bundled network, or a JSON file with an architecture (default: %(default)s)",
    )
    train.add_argument("--backend", metavar="NAME", help="keras or pytorch (default: the first that is installed)")
    train.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("LAYERSCOPE_DATA"),
        metavar="DIR",
        help="folder with MNIST and pen digits (default: LAYERSCOPE_DATA, then your cache)",
    )
    train.add_argument(
        "--images",
        default="mnist",
        metavar="WHICH",
        help="mnist, mnist+pens, digits, or your own: a folder of pictures per class, .npz or .json "
        "(default: %(default)s)",
    )
    train.add_argument("--share", type=float, default=1.0, metavar="SHARE", help="how much of the images, such as 0.1")
    train.add_argument(
        "--skip-unreadable", action="store_true", help="leave pictures of your own out that cannot be read"
    )
    _add_recipe(train)
    train.add_argument("--from", dest="start", default="", metavar="FILE", help="weights to begin from, or run:ID")
    train.add_argument("--title", default="", help="what to call the run")
    train.add_argument("--resume", metavar="ID", help="go on with a run that was stopped, instead of beginning one")
    _add_home(train)
    train.set_defaults(run=_train)
    words = "list the training runs"
    runs = commands.add_parser("runs", help=words, description=f"{words.capitalize()}, newest first.")
    _add_home(runs)
    runs.set_defaults(run=_runs)


def _add_recipe(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "--recipe",
        choices=("quick", "fast", "original"),
        default="fast",
        help="what holds where nothing is given: the shortest way to 99 %%, what the bundled networks were made by, or "
        "what the programs did that they come from (default: %(default)s)",
    )
    train.add_argument("--epochs", type=int, metavar="N")
    train.add_argument("--batch", type=int, metavar="N", help="images in one step")
    train.add_argument("--learning-rate", type=float, metavar="RATE", help="the rate, or the peak of the cycle")
    train.add_argument("--schedule", metavar="NAME", help="constant or one-cycle")
    train.add_argument("--optimiser", metavar="NAME", help="adam, rmsprop or sgd")
    train.add_argument("--validation", type=float, metavar="SHARE", help="images kept out to watch the training by")
    train.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same run on the same machine")


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", type=Path, metavar="DIR", help="where runs are kept (default: your data folder)")


def _train(arguments: argparse.Namespace) -> int:
    from .backends.base import BackendError
    from .datasets.base import DatasetError
    from .models.architecture import ArchitectureError
    from .training.config import RunError
    from .training.executor import LocalProcesses
    from .training.runs import RunStore

    set_up_logging()
    with sentences_for(RunError, BackendError, ArchitectureError, DatasetError):
        # Others in the queue are none of this command's business: it begins its own run and no other.
        executor = LocalProcesses(RunStore(home_folder(arguments.home)), at_once=0, niceness=0)
        if arguments.resume:
            id = arguments.resume
            executor.store.resume(id)
        else:
            id = executor.store.create(_config(arguments))
        executor.start(id)
        run, interrupted = _follow(executor, id)
        if run.status not in ("done", "stopped"):
            raise RunError(run.message)
    print(f"{run.status.capitalize()}. {run.message} Open it as run:{id}".replace("  ", " "))
    return 130 if interrupted else 0


def _config(arguments: argparse.Namespace) -> "RunConfig":
    from .backends.registry import default_backend
    from .training.config import SOURCES, DataChoice, RunConfig

    data = DataChoice(
        source=arguments.images if arguments.images in SOURCES else str(Path(arguments.images).absolute()),
        folder=str(Path(arguments.data).absolute()) if arguments.data else "",
        share=arguments.share,
        skip_unreadable=arguments.skip_unreadable,
    )
    own = _network(arguments.model, data)
    return RunConfig(
        model=own.name if own else arguments.model,
        architecture=own,
        backend=arguments.backend or default_backend().name,
        recipe=_recipe(arguments),
        data=data,
        start=arguments.start,
        title=arguments.title,
    )


def _network(model: str, data: "DataChoice") -> "Architecture | None":
    """The architecture of a file, or the bundled one with the classes of the user's own images; else None."""
    from .datasets.own import UnreadableError
    from .models.architecture import Architecture
    from .training.config import SOURCES, RunError
    from .training.material import for_classes, own_images

    if model.endswith(".json"):
        try:
            return Architecture.from_json(Path(model).read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{model} cannot be read: {error.strerror}.") from error
    if data.source in SOURCES or model not in BUNDLED:
        return None
    try:
        classes = own_images(data, BUNDLED[model]).classes
    except UnreadableError as error:
        raise RunError(f"{error}; --skip-unreadable leaves them out.") from error
    fitting = for_classes(BUNDLED[model], classes)
    if fitting is BUNDLED[model]:
        return None
    print(f"{model} is given the {len(classes)} classes of the images.")
    return fitting


def _recipe(arguments: argparse.Namespace) -> "Recipe":
    from .training.recipes import FAST, ORIGINAL, QUICK

    known = {"quick": QUICK, "fast": FAST, "original": ORIGINAL}[arguments.recipe]
    recipe = known.get(arguments.model, known[DEFAULT])
    given = {
        name: getattr(arguments, name)
        for name in ("epochs", "batch", "learning_rate", "schedule", "validation", "seed")
        if getattr(arguments, name) is not None
    }
    if arguments.optimiser:
        given["optimiser"] = replace(recipe.optimiser, name=arguments.optimiser)
    return replace(recipe, **given)


def _follow(executor: "Executor", id: str) -> tuple["Run", bool]:
    """Shows a run until it has ended, and asks it to stop on Ctrl+C. Gives the run and whether that happened."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(soft_wrap=True, highlight=False)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    console.print(f"Run {id} in {executor.store.folder(id).path}")
    shown, interrupted = len(executor.store.read(id).epochs), False
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task("Waiting…", total=None)
        while True:
            try:
                executor.advance()
                run = executor.store.read(id)
                for epoch in run.epochs[shown:]:
                    console.print(_said(epoch, run))
                shown = len(run.epochs)
                _show(progress, run)
                if not run.active:
                    return run, interrupted
                time.sleep(POLL)
            except KeyboardInterrupt:
                if interrupted:
                    raise  # It stops by itself; who presses twice does not want to wait for it.
                interrupted = True
                executor.stop(id)


def _show(progress: "Progress", run: "Run") -> None:
    task = progress.task_ids[0]
    if run.message or not run.steps_in_all:
        progress.update(task, description=run.message or "Waiting…")
        return
    words = f"Epoch {min(len(run.epochs) + 1, run.epochs_in_all)} of {run.epochs_in_all}"
    measured = f", loss {_loss(run.losses[-50:].mean())}" if len(run.losses) else ""
    pace = f", {run.images_per_second:,.0f} images/s" if run.images_per_second else ""
    progress.update(task, description=words + measured + pace, total=run.steps_in_all, completed=run.step)


def _loss(value: float) -> str:
    return f"{value:.4f}" if value < 1e5 else f"{value:.2e}"


def _said(epoch: "EpochMetrics", run: "Run") -> str:
    said = f"Epoch {epoch.number} of {run.epochs_in_all}: loss {_loss(epoch.loss)}, accuracy {epoch.accuracy:.2%}"
    kept_out = "" if epoch.validation_accuracy is None else f", on images kept out {epoch.validation_accuracy:.2%}"
    return f"{said}{kept_out}, {epoch.seconds:.1f} s"


def _runs(arguments: argparse.Namespace) -> int:
    from .training.runs import RunStore

    set_up_logging()
    rows = [
        (run.id, run.title, run.model, run.backend, run.status, f"{len(run.epochs)}/{run.epochs_in_all}", *_last(run))
        for run in RunStore(home_folder(arguments.home)).runs()
    ]
    print_table(("id", "title", "model", "backend", "status", ">epochs", ">loss", ">accuracy", ">kept out"), rows)
    return 0


def _last(run: "Run") -> tuple[str, str, str]:
    """Loss, accuracy, and accuracy on images kept out, of the last epoch."""
    if not run.epochs:
        return "", "", ""
    last = run.epochs[-1]
    kept_out = "" if last.validation_accuracy is None else f"{last.validation_accuracy:.2%}"
    return _loss(last.loss), f"{last.accuracy:.2%}", kept_out
