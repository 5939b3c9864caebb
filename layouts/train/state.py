"""How the runs stand, as the page asks for it again and again: only what it does not have yet."""

from collections.abc import Mapping
from typing import Any

from ...training.config import RunError
from ...training.executor import Executor
from ..panels import digest
from .figures import curves
from .rows import Row, Rows

MOST_COMPARED = 8


def state_of(executor: Executor, rows: Rows, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What the page does not have yet.

    Args:
        executor: who trains.
        rows: of the runs.
        sent: `have` (id → version of the rows the page has), `run` (the selected run), `compare` (ids of others whose
            curves are laid over it), and `curves` (the key of the curves it has).

    Returns:
        `runs` (a row for each, or only id and version where the page has it), `active` (whether any run goes on by
        itself), `at_once` (how many are trained at the same time), and `selected`: `curves` (only if
        changed) with their `key`, and `snapshots`; None without a run.
    """
    have = sent.get("have")
    have = have if isinstance(have, dict) else {}
    found = rows.all()
    return {
        "runs": [
            {"id": row["id"], "version": row["version"]} if have.get(row["id"]) == row["version"] else row
            for row in found
        ],
        "active": any(row["active"] for row in found),
        "at_once": executor.at_once,
        "selected": _selected(executor, found, sent),
    }


def _selected(executor: Executor, rows: list[Row], sent: Mapping[str, Any]) -> dict[str, Any] | None:
    versions = {row["id"]: row["version"] for row in rows}
    compare = sent.get("compare")
    wanted = [sent.get("run"), *(compare if isinstance(compare, list) else [])]
    ids = [id for id in dict.fromkeys(str(id) for id in wanted) if id in versions][:MOST_COMPARED]
    if not ids or ids[0] != sent.get("run"):
        return None
    key = digest(*(part for id in ids for part in (id, versions[id])))
    try:
        snapshots = [
            {"name": snapshot.name, "epoch": snapshot.epoch, "step": snapshot.step}
            for snapshot in executor.store.snapshots(ids[0])
        ]
        told: dict[str, Any] = {"id": ids[0], "key": key, "snapshots": snapshots}
        if sent.get("curves") != key:
            told["curves"] = curves([executor.store.read(id) for id in ids]).to_dict()
    except RunError:
        return None  # it has been deleted meanwhile
    return told


def set_at_once(executor: Executor, runs: Any) -> dict[str, Any]:
    """Sets how many runs are trained at the same time, and begins more where there may be more.

    Raises:
        RunError: it is no such number.
    """
    executor.at_once = runs
    executor.advance()
    return {"fault": None, "at_once": executor.at_once}
