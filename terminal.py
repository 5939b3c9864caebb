"""How the command line speaks: tables, one sentence for a fault, and the log."""

import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

log = logging.getLogger("layerscope")

LOG_FILE = "layerscope.log"


def add_data(
    parser: ArgumentParser,
    what: str = "folder with MNIST and pen digits (default: LAYERSCOPE_DATA, then your cache)",
    metavar: str = "DIR",
) -> None:
    """Adds the option `--data`: where images are, by default what `LAYERSCOPE_DATA` says."""
    given = os.environ.get("LAYERSCOPE_DATA")
    parser.add_argument("--data", type=Path, default=given, metavar=metavar, help=what)


def add_home(parser: ArgumentParser, what: str = "where runs are") -> None:
    """Adds the option `--home`, of which `home_folder` makes a folder."""
    parser.add_argument("--home", type=Path, metavar="DIR", help=f"{what} (default: your data folder)")


def add_backend(parser: ArgumentParser) -> None:
    """Adds the option `--backend`: the framework."""
    parser.add_argument("--backend", metavar="NAME", help="keras or pytorch (default: the first that is installed)")


def home_folder(given: Path | None) -> Path:
    """Where runs and the log are kept: the folder given, or the user's data folder."""
    import platformdirs

    return given or platformdirs.user_data_path("layerscope", appauthor=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
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
def sentences_for(*faults: type[Exception]) -> Iterator[None]:
    """Ends the program with status 2 and one sentence when a fault comes up; its traceback goes to the log."""
    try:
        yield
    except faults as error:
        log.error("%s", error, exc_info=True)
        sys.exit(2)
