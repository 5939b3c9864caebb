"""What a home folder says about how its runs are trained, whoever trains them."""

import json
from pathlib import Path

import orjson

from ..models.files import write_whole
from .config import RunError

AT_ONCE = 1
"""Runs trained at the same time where nothing else is said: a second one makes the first as much slower."""
MOST_AT_ONCE = 32


def runs_at_once(home: Path) -> int:
    """How many runs of a home folder are trained at the same time; a file that cannot be read says nothing."""
    try:
        number = orjson.loads(_file(home).read_bytes())["runs_at_once"]
    except (OSError, ValueError, KeyError, TypeError):
        return AT_ONCE
    return number if _is_possible(number) else AT_ONCE


def keep_runs_at_once(home: Path, number: int) -> None:
    """Remembers how many runs are to be trained at the same time.

    Raises:
        RunError: it is no such number, or the folder cannot be written.
    """
    if not _is_possible(number):
        raise RunError(f"From 1 to {MOST_AT_ONCE} runs can be trained at once. Received: {number!r}")
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_whole(_file(home), json.dumps({"runs_at_once": number}).encode())
    except OSError as error:
        raise RunError(f"A setting cannot be kept in {home}: {error.strerror or error}.") from error


def _file(home: Path) -> Path:
    return home / "settings.json"


def _is_possible(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_AT_ONCE
