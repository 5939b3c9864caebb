"""What all benchmarks share: timing in turns, medians, tables, and the machine in words."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "torch", "tensorflow", "keras", "torchlens", "captum", "tf-keras-vis", "dash", "plotly")

BLOCK_SECONDS = 0.03
"""How long one contender is timed before it is the next one's turn: short, so that all meet the same neighbours."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds."""

    median: float
    p95: float
    count: int

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Timing":
        """Median and 95th percentile.

        Raises:
            ValueError: nothing was measured.
        """
        if not milliseconds:
            raise ValueError("There is nothing to take the median of.")
        return cls(statistics.median(milliseconds), percentile(milliseconds, 0.95), len(milliseconds))

    def __str__(self) -> str:
        return f"{brief(self.median)} ({brief(self.p95)})"


@dataclass(frozen=True)
class Contender:
    """One of several ways to the same result.

    Attributes:
        call: what is timed.
        around: entered before each block and left after it, without being timed.
    """

    call: Callable[[], object]
    around: Callable[[], AbstractContextManager[object]] = nullcontext


def in_turns(contenders: Mapping[str, Contender], blocks: int) -> dict[str, list[list[float]]]:
    """Times every contender in each of many short blocks, one after the other, the order reversed every time.

    Returns:
        Name → milliseconds of each call, block by block.
    """
    calls = {name: _calls_per_block(each) for name, each in contenders.items()}
    times: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for number in range(blocks):
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            times[name].append(_block(contenders[name], calls[name]))
    return times


def _block(contender: Contender, calls: int) -> list[float]:
    times = []
    with contender.around():
        contender.call()
        for _ in range(calls):
            begin = time.perf_counter()
            contender.call()
            times.append(1e3 * (time.perf_counter() - begin))
    return times


def _calls_per_block(contender: Contender) -> int:
    """Warms the contender up, too."""
    usual = min(_block(contender, 2)) / 1e3
    return max(1, min(200, round(BLOCK_SECONDS / usual)))


def ratio(times: Mapping[str, Sequence[Sequence[float]]], above: str, below: str) -> float:
    """How many times longer one takes than the other: the median over blocks that were timed side by side."""
    pairs = zip(times[above], times[below], strict=True)
    return statistics.median(statistics.median(one) / statistics.median(other) for one, other in pairs)


def timing(blocks: Sequence[Sequence[float]]) -> Timing:
    """Over every call of every block."""
    return Timing.of([each for block in blocks for each in block])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-round(1000 * share * len(ordered)) // 1000) - 1))]


def brief(number: float) -> str:
    """Three digits."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def machine() -> dict[str, str]:
    """The machine and what runs on it, without names of hosts or paths."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": str(cores),
        "processor": _processor(),
        "system": f"{platform.system()} on {platform.machine()}",
        "Python": platform.python_version(),
        **found,
        "busy with other work when the run began": _load(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} programs in the mean of a minute" if hasattr(os, "getloadavg") else "unknown"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, aligned so that it reads well as plain text, too."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def plain(value: Any) -> Any:
    """For JSON."""
    return asdict(value) if isinstance(value, Timing) else str(value)


def save(name: str, content: Any) -> None:
    """Writes `results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, default=plain, indent=1, ensure_ascii=False) + "\n")


def mark(holds: bool) -> str:
    """Whether a target is met."""
    return "met" if holds else "MISSED"
