"""The command `layerscope`: serve the page, and look at networks, backends and data from a terminal.

A command imports what it needs when it runs, so that `--help` answers at once.
"""

import argparse
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import __version__, authoring, evaluation_commands, parity_commands, training_commands
from .models.bundled import BUNDLED, DEFAULT
from .terminal import add_backend, add_data, add_home, home_folder, print_table, sentences_for, set_up_logging

log = logging.getLogger(__name__)

DESCRIPTION = "Draw a digit and watch every layer of your image classifier answer, in Keras and in PyTorch."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the arguments; those of the process when None.

    Returns:
        Exit status: 0 done, 1 a check failed, 2 a fault that one sentence explained.
    """
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="layerscope", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"layerscope {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND [OPTIONS]", title="commands")
    _add_serve(commands)
    _add_export(commands)
    evaluation_commands.add_commands(commands)
    parity_commands.add_commands(commands)
    training_commands.add_commands(commands)
    _add_download(commands)
    _add_visualizers(commands)
    authoring.add_commands(commands)
    for name, run, words in (
        ("models", _models, "list the bundled networks"),
        ("backends", _backends, "list the frameworks, and how to install what is missing"),
    ):
        commands.add_parser(name, help=words, description=f"{words.capitalize()}.").set_defaults(run=run)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="open the page")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8050, help="port; 0 takes a free one (default: %(default)s)")
    serve.add_argument(
        "--model",
        default=DEFAULT,
        metavar="NAME",
        help="what to look at first: a bundled network, a file, or package.module:attribute (default: %(default)s)",
    )
    add_backend(serve)
    add_data(serve)
    _add_plugins(serve)
    add_home(serve, "where runs and the log go")
    serve.add_argument(
        "--runs-at-once",
        type=int,
        metavar="N",
        help="how many runs are trained at the same time, from now on (default: as it was, 1 at first)",
    )
    serve.add_argument(
        "--debug", action="store_true", help="log more, show where a fault came from, and follow changes of plugins"
    )
    serve.set_defaults(run=_serve)


def _add_export(commands: Any) -> None:
    words = "write a model for Keras, PyTorch or ONNX"
    export = commands.add_parser("export", help=words, description=f"{words[0].upper()}{words[1:]}.")
    export.add_argument("model", metavar="MODEL", help="a bundled network, a .safetensors file, or run:ID")
    export.add_argument(
        "file", type=Path, metavar="FILE", help="what to write, by its ending: .keras, .pt, .pth, .onnx or .safetensors"
    )
    add_home(export)
    export.set_defaults(run=_export)


def _add_download(commands: Any) -> None:
    download = commands.add_parser("download", help="fetch MNIST, 12 MB, into your cache")
    download.add_argument("--to", type=Path, metavar="DIR", help="folder to put it into (default: your cache)")
    download.add_argument("--mirror", action="append", metavar="URL", help="where to fetch it from; may be repeated")
    download.set_defaults(run=_download)


def _add_visualizers(commands: Any) -> None:
    words = "list the views, and plugins that could not be taken"
    visualizers = commands.add_parser("visualizers", help=words, description=f"{words.capitalize()}.")
    _add_plugins(visualizers)
    visualizers.set_defaults(run=_visualizers)


def _add_plugins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plugins",
        type=Path,
        default=os.environ.get("LAYERSCOPE_PLUGINS") or None,
        metavar="FOLDER",
        help="folder of Python files with views of your own (default: LAYERSCOPE_PLUGINS)",
    )


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535. Received: {text}")


def _serve(arguments: argparse.Namespace) -> int:
    home = home_folder(arguments.home)
    set_up_logging(arguments.debug, home)

    from .backends.base import BackendError
    from .backends.opening import unknown
    from .backends.registry import backend
    from .server import ServeError, serve
    from .training.config import RunError
    from .training.settings import keep_runs_at_once
    from .visualizers.contract import VisualizerError
    from .visualizers.registry import use_folder

    with sentences_for(BackendError, ServeError, VisualizerError, RunError):
        use_folder(arguments.plugins, watch=arguments.debug)
        if arguments.runs_at_once is not None:
            keep_runs_at_once(home, arguments.runs_at_once)
        if arguments.backend:
            backend(arguments.backend)
        if not (arguments.model in BUNDLED or ":" in arguments.model or Path(arguments.model).is_file()):
            raise unknown(arguments.model)
        serve(
            host=arguments.host,
            port=arguments.port,
            model=arguments.model,
            backend=arguments.backend,
            data=arguments.data,
            home=home,
            debug=arguments.debug,
        )
    return 0


def _models(arguments: argparse.Namespace) -> int:
    rows = [
        (name, net.title, "×".join(map(str, net.input_shape)), str(len(net.layers)), f"{net.parameters:,}")
        for name, net in BUNDLED.items()
    ]
    print_table(("name", "title", "input", ">layers", ">parameters"), rows)
    return 0


def _backends(arguments: argparse.Namespace) -> int:
    from .backends.base import BackendError
    from .backends.registry import backends

    set_up_logging()
    with sentences_for(BackendError):
        found = backends()
    rows = [(entry.name, entry.title, "not usable" if entry.missing else "installed") for entry in found]
    print_table(("name", "title", "state"), rows)
    print("".join(f"{entry.missing}\n" for entry in found if entry.missing), end="")
    return 0


def _visualizers(arguments: argparse.Namespace) -> int:
    from .visualizers.contract import VisualizerError
    from .visualizers.registry import problems, registered, use_folder

    set_up_logging()
    with sentences_for(VisualizerError):
        use_folder(arguments.plugins)
    rows = [
        (name, entry.title, ", ".join(sorted(need.value for need in entry.needs)))
        for name, entry in registered().items()
    ]
    print_table(("name", "title", "needs"), rows)
    for problem in problems():
        log.warning("Visualizer %r was left out. %s", problem.name, problem.reason)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from .backends.base import BackendError
    from .backends.exporting import export
    from .training.config import RunError
    from .training.runs import located

    set_up_logging()
    with sentences_for(BackendError, RunError):
        written = export(located(arguments.model, home_folder(arguments.home)), arguments.file)
    print("\n".join(f"{path} was written." for path in written))
    return 0


def _download(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from .datasets.base import DatasetError, cache_folder
    from .datasets.download import MIRRORS, download_mnist

    set_up_logging()
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with sentences_for(DatasetError), Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=total or None)

        folder = download_mnist(arguments.to or cache_folder() / "mnist", arguments.mirror or MIRRORS, show)
    print(f"MNIST is in {folder}")
    return 0
