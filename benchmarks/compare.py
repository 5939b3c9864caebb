"""From the pen to the paint on the page that compares: two and four networks, every layer of each."""

import argparse
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from live import DIGITS, ECHO, beside_an_echo, in_turns, paired, summary
from measure import save
from playwright.sync_api import Page
from tables import compare_table

NETWORKS = {
    "one network on Keras and PyTorch": ("keras:cnn-compact", "pytorch:cnn-compact"),
    "dense net and CNN": ("pytorch:dense", "pytorch:cnn"),
    "four networks": ("pytorch:dense", "pytorch:cnn", "pytorch:cnn-compact", "pytorch:cnn-batchnorm"),
}


def measured(count: int = DIGITS) -> dict[str, Any]:
    """Name → its columns, pen to paint, and how many times longer than the echo."""
    addresses = {name: f"compare/#{urlencode({'with': columns}, doseq=True)}" for name, columns in NETWORKS.items()}
    with beside_an_echo(addresses, ".rows .cell") as pages:
        found = in_turns(pages, count)
        expected = {name: painted_cells(page) for name, page in pages.items()} | {ECHO: {ECHO}}
    return {
        "pages": {name: summary(found[name], expected[name]) for name in found},
        "ratios": {name: paired(found[name], found[ECHO]) for name in NETWORKS},
        "columns": {name: len(columns) for name, columns in NETWORKS.items()},
    }


def painted_cells(page: Page) -> set[str]:
    """Every layer of every network with its picture, as the page names them."""
    cells = page.locator(".cell[data-panel]:has(canvas)")
    return set(cells.evaluate_all("(cells) => cells.map((cell) => cell.dataset.panel)"))


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=DIGITS)
    found = measured(parser.parse_args(argv).digits)
    save("compare", found)
    print(compare_table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
