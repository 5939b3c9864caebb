"""The command `layerscope`: serve the page, and look at networks, backends and data from a terminal.

A command imports what it needs when it runs, so that `--help` answers at once.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import __version__
from .models.bundled import BUNDLED, DEFAULT

log = logging.getLogger("layerscope")

DESCRIPTION = "Draw a digit and watch every layer of your image classifier answer, in Keras and in PyTorch."
LOG_FILE = "layerscope.log"


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

    serve = commands.add_parser("serve", help="open the page")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8050, help="port; 0 takes a free one (default: %(default)s)")
    serve.add_argument(
        "--model",
        default=DEFAULT,
        metavar="NAME",
        help="what to look at first: a bundled network, a file, or package.module:attribute (default: %(default)s)",
    )
    serve.add_argument("--backend", metavar="NAME", help="keras or pytorch (default: the first that is installed)")
    _add_data(serve)
    serve.add_argument("--home", type=Path, metavar="DIR", help="where runs and the log go (default: your data folder)")
    serve.add_argument("--debug", action="store_true", help="log more, and show where a fault came from")
    serve.set_defaults(run=_serve)

    models = commands.add_parser("models", help="list the bundled networks")
    models.set_defaults(run=_models)
    backends = commands.add_parser("backends", help="list the frameworks, and how to install what is missing")
    backends.set_defaults(run=_backends)
    visualizers = commands.add_parser("visualizers", help="list the views, and plugins that could not be taken")
    visualizers.set_defaults(run=_visualizers)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("LAYERSCOPE_DATA"),
        metavar="DIR",
        help="folder with MNIST and pen digits (default: LAYERSCOPE_DATA, then your cache)",
    )


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535. Received: {text}")


def _serve(arguments: argparse.Namespace) -> int:
    import platformdirs

    home = arguments.home or platformdirs.user_data_path("layerscope", appauthor=False)
    set_up_logging(arguments.debug, home)

    from .backends.base import BackendError
    from .backends.opening import unknown
    from .backends.registry import backend
    from .server import ServeError, serve

    with _sentences_for(BackendError, ServeError):
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
    _print_table(("name", "title", "input", ">layers", ">parameters"), rows)
    return 0


def _backends(arguments: argparse.Namespace) -> int:
    from .backends.base import BackendError
    from .backends.registry import backends

    set_up_logging()
    with _sentences_for(BackendError):
        found = backends()
    rows = [(entry.name, entry.title, "not usable" if entry.missing else "installed") for entry in found]
    _print_table(("name", "title", "state"), rows)
    print("".join(f"{entry.missing}\n" for entry in found if entry.missing), end="")
    return 0


def _visualizers(arguments: argparse.Namespace) -> int:
    from .visualizers.registry import problems, registered

    set_up_logging()
    rows = [
        (name, entry.title, ", ".join(sorted(need.value for need in entry.needs)))
        for name, entry in registered().items()
    ]
    _print_table(("name", "title", "needs"), rows)
    for problem in problems():
        log.warning("Visualizer %r was left out. %s", problem.name, problem.reason)
    return 0


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; columns marked with `>` stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*row)
    # What is not a terminal counts as narrow, and words would be broken for nobody's eyes.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


class Sentence(logging.Formatter):
    """Log entries as the terminal shows them: one sentence, without a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return f"layerscope: {record.getMessage()}"


def set_up_logging(debug: bool = False, home: Path | None = None) -> None:
    """Sends warnings to the terminal in one sentence each, and everything with tracebacks to a file that rotates.

    Args:
        debug: show everything of Layerscope on the terminal, too, with tracebacks.
        home: folder of the log file; none is written when None or when the folder cannot be written to.
    """
    from logging.handlers import RotatingFileHandler

    whole = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.DEBUG if debug else logging.WARNING)
    terminal.setFormatter(whole if debug else Sentence())
    logging.basicConfig(level=logging.INFO, handlers=[terminal], force=True)
    log.setLevel(logging.DEBUG if debug else logging.INFO)
    if home is None:
        return
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(home / LOG_FILE, maxBytes=1_000_000, backupCount=3, encoding="utf-8")
    except OSError as error:
        log.warning("There will be no log file, because %s cannot be written: %s.", home, error.strerror)
        return
    file.setFormatter(whole)
    logging.getLogger().addHandler(file)


@contextmanager
def _sentences_for(*faults: type[Exception]) -> Iterator[None]:
    """Ends the program with status 2 and one sentence when a fault comes up; its traceback goes to the log."""
    try:
        yield
    except faults as error:
        log.error("%s", error, exc_info=True)
        sys.exit(2)
