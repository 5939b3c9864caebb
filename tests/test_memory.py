"""A server that has shown everything on both backends holds no more than it should, and hardly more the next time."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from layerscope.backends import Backend

MOST_MEGABYTES, MOST_GROWTH = 2500, 0.05
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads a process's memory from /proc")
def test_a_server_that_has_shown_every_view_on_both_backends_stays_small(
    pytorch: Backend, keras: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    memory: Any = importlib.import_module("memory")
    steps = memory.measured(rounds=2)
    assert [step["views"] for step in steps[1:]] == [steps[1]["views"]] * 4
    assert steps[-1]["most"] < MOST_MEGABYTES
    assert memory.growth(steps) < MOST_GROWTH
