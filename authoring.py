"""The commands of those who write views: `new-visualizer` begins one, `check` holds it against the contract.

They import what they need when they run, so that `--help` answers at once.
"""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .terminal import print_table, sentences_for, set_up_logging

if TYPE_CHECKING:
    from .visualizers.conformance import Measured, Report


def add_commands(commands: Any) -> None:
    """Adds the commands to the parser's."""
    words = "begin a view of your own: one file, and a test beside it"
    new = commands.add_parser("new-visualizer", help=words, description=f"{words.capitalize()}.")
    new.add_argument("name", metavar="NAME", help="the name of the function, such as quiet_units")
    new.add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="where to put them (default: here)")
    new.set_defaults(run=_new)
    words = "run views on small networks, and say what to change where they break the contract"
    check = commands.add_parser("check", help=words, description=f"{words.capitalize()}.")
    check.add_argument("source", metavar="FILE|PACKAGE", help="a Python file, a folder of them, or a package's name")
    check.add_argument("--backend", metavar="NAME", help="such as pytorch (default: each that is installed)")
    check.set_defaults(run=_check)


def _new(arguments: argparse.Namespace) -> int:
    from .visualizers.scaffold import ScaffoldError, write

    set_up_logging()
    with sentences_for(ScaffoldError):
        view, test = write(arguments.name, arguments.to)
    print(f"Wrote {view} and {test}.")
    print(f"See it:    layerscope serve --plugins {_quoted(arguments.to)} --debug")
    print(f"Check it:  layerscope check {_quoted(view)}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from .backends.base import BackendError
    from .visualizers.conformance import check
    from .visualizers.sources import SourceError, visualizers_in
    from .visualizers.specimens import models

    set_up_logging()
    with sentences_for(BackendError, SourceError):
        found = visualizers_in(arguments.source)
        models(arguments.backend)
        reports = [check(entry, arguments.backend) for entry in found]
    for report in reports:
        _print(report)
    return int(any(report.faults for report in reports))


def _print(report: "Report") -> None:
    print(f"{report.visualizer.name}: {'FAILED' if report.faults else 'passed'}")
    rows = [(each.backend, each.network, *_costs(each), each.note) for each in report.measured]
    print_table(("backend", "network", ">figures", ">slowest", ">memory", ">largest", ""), rows)
    print("".join(f"  {number}. {fault}\n" for number, fault in enumerate(report.faults, 1)), end="")


def _costs(each: "Measured") -> tuple[str, ...]:
    if not each.figures:
        return "0", "", "", ""
    return (
        f"{each.figures}",
        f"{1000 * each.seconds:.1f} ms",
        f"{each.memory / 1e6:.1f} MB",
        f"{each.size / 1e3:.0f} kB",
    )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
