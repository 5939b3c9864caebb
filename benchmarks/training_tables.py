"""What was measured about training as Markdown tables, with every target beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from measure import Timing, brief, mark, table
from race import PATIENCE, SHARE

MOST_COST, BESIDE_RATIO, APART = 1.05, 2.0, 0.003
TITLES = {"pytorch": "PyTorch", "keras": "Keras"}

RACE = """\
Seconds of training, the making of the batches included and every look at the test images left out, until the network
reads 99 % of the 10,000 MNIST test images rightly: with the quick recipe (`--recipe quick`), and with that of the
program it comes from. Both train in turns in one process, so that they meet the same neighbours on the machine; every
25 steps they stop and are tested. The original is given up where the quick one is known to need less than a third of
its time, or where its epochs are over: its time then stands after `>`."""
COST = """\
A run as a trainer makes it, with batches, metrics, status and snapshots, beside the loop that one would write in the
framework, with the same network, batches, optimiser and measurements; it is checked that both lose alike. In turns of
40 steps: milliseconds for one step, and medians of the ratios of two neighbouring turns, on the clock and in time of
all cores together."""
BESIDE = """\
Each digit is drawn twice on the page: while a training of the same server runs, and while its process is held still."""
AGREEMENT = "Where the quick recipe ends: right on the MNIST test images."

Found = Mapping[str, Any]


def training_tables(found: Found) -> str:
    """The parts that were measured, each with its words."""
    texts = [f"{words}\n\n{write(found[part])}" for part, words, write in _PARTS if found.get(part)]
    return "\n\n".join(texts)


def _race(entries: Sequence[Found]) -> str:
    rows = []
    for entry in entries:
        reached, ratio = entry["original"], entry["ratio"]
        original = f"> {entry['given up after']:.1f}" if reached is None else f"{reached:.1f}"
        quick = "not reached" if entry["fast"] is None else f"{entry['fast']:.1f}"
        share = "" if ratio is None else f"{'' if reached else '< '}{ratio:.2f}"
        met = ratio is not None and (ratio <= SHARE or (reached is None and ratio <= 1.02 / PATIENCE))
        rows.append((entry["network"], TITLES[entry["backend"]], quick, original, share, mark(met)))
    return table(("network", "backend", "quick, s", "original, s", "ratio", "≤ a third"), rows)


def _agreement(entries: Sequence[Found]) -> str:
    rows = [
        (
            entry["network"],
            *(f"{entry['accuracies'][backend]:.2%}" for backend in TITLES),
            f"{100 * entry['apart']:.2f}",
            mark(entry["apart"] <= APART),
        )
        for entry in entries
    ]
    return table(("network", *TITLES.values(), "points apart", "≤ 0.3"), rows)


def _cost(entries: Sequence[Found]) -> str:
    rows = [
        (
            entry["network"],
            TITLES[entry["backend"]],
            *(brief(entry["milliseconds"][name]) for name in ("run", "plain")),
            *(text for which in ("wall", "cpu") for text in (f"{entry[which]:.3f}", mark(entry[which] <= MOST_COST))),
        )
        for entry in entries
    ]
    return table(("network", "backend", "run, ms", "plain, ms", "clock", "≤ 1.05", "all cores", "≤ 1.05"), rows)


def _beside(entries: Sequence[Found]) -> str:
    rows = []
    for entry in entries:
        times = {
            name: each if isinstance(each, Timing) else Timing(**each) for name, each in entry["milliseconds"].items()
        }
        held = mark(entry["ratio"] <= BESIDE_RATIO)
        rows.append((TITLES[entry["backend"]], times["training"], times["idle"], f"{entry['ratio']:.2f}", held))
    return table(("backend", "while a training runs", "idle", "ratio", "≤ 2"), rows)


_PARTS = (
    ("race", RACE, _race),
    ("agreement", AGREEMENT, _agreement),
    ("cost", COST, _cost),
    ("beside", BESIDE, _beside),
)
