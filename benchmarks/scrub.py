"""Time travel: how long a step to another snapshot of a training takes, from the slider to the paint."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from compare import painted_cells
from measure import Timing, save
from pen import browsing, collected, live_panels, rest, serving, watched
from playwright.sync_api import Page
from tables import scrub_table

EPOCHS = 20
BACKENDS = ("pytorch", "keras")
NOTE_STEPS = """() => document.querySelector(".time-track input").addEventListener("input", () =>
    probe.events.push({ kind: "step", at: performance.now() }))"""
LINE = "(layerscope.snapshots ?? layerscope.compare.line)"
PAINTED = """() => (layerscope.live.visibleAt ?? layerscope.compare.visibleAt)
    > probe.events.find((each) => each.kind === 'step').at"""
BESIDE = "both, compared"
"""The page that compares: one snapshot on both backends."""


def measured(model: str) -> list[dict[str, Any]]:
    """One entry for each backend that shows a run of this network, and one for both beside one another."""
    with _pages(model) as pages:
        found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in pages}
        panels = {name: set(live_panels(page)) for name, page in pages.items() if name != BESIDE}
        panels[BESIDE] = painted_cells(pages[BESIDE])
        for number in range(_last(next(iter(pages.values())))):
            names = list(pages)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found[name].append(_step(pages[name], panels[name]))
        return [_summary(name, steps, _played(pages[name])) for name, steps in found.items()]


@contextmanager
def _pages(model: str) -> Iterator[dict[str, Page]]:
    """The page of a training's first snapshot on each backend, with every layer and a digit, at rest; and both."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        run = _trained(home, model)
        address = stack.enter_context(serving("-m", "layerscope", "serve", "--port", "0", "--home", str(home)))
        browser = stack.enter_context(browsing())
        pages = {}
        for name in BACKENDS:
            first = {"model": f"run:{run}@epoch-000", "backend": name, "sample": "5.0"}
            pages[name] = page = watched(browser, f"{address}#{urlencode(first)}")
            page.wait_for_selector(".panel.has-figure", timeout=90_000)
            page.wait_for_selector(".time-curves path", timeout=30_000)
        columns = [f"{name}:run:{run}@epoch-000" for name in BACKENDS]
        both = urlencode({"with": columns, "sample": "5.0"}, doseq=True)
        pages[BESIDE] = watched(browser, f"{address}compare/#{both}")
        pages[BESIDE].wait_for_selector(".cell:nth-child(2) canvas", timeout=90_000)
        for page in pages.values():
            page.wait_for_selector(".time-track input", timeout=30_000)
            page.evaluate(NOTE_STEPS)
            rest(page)
        yield pages


def _trained(home: Path, model: str) -> str:
    """The id of a run of twenty short epochs, which are as many snapshots as of long ones."""
    options = ["--model", model, "--backend", BACKENDS[0], "--epochs", str(EPOCHS), "--share", "0.01"]
    command = [sys.executable, "-m", "layerscope", "train", *options, "--home", str(home)]
    subprocess.run(command, check=True, capture_output=True)
    return next(path.name for path in (home / "runs").iterdir() if path.name[0].isdigit())


def _step(page: Page, panels: Set[str]) -> Mapping[str, Any]:
    """One snapshot on: from the slider's movement until every one of these panels that changes for it has changed."""
    page.bring_to_front()
    page.evaluate("probe.collect()")
    page.locator(".time-track input").press("ArrowRight")
    page.wait_for_function(PAINTED)
    rest(page)
    events = sorted(collected(page)["events"], key=lambda event: float(event["at"]))
    begin = next(event["at"] for event in events if event["kind"] == "step")
    first: dict[str, float] = {}
    for event in events:
        if event["kind"] == "painted" and event["changed"] > begin:
            for place in panels & set(event["places"]):
                first.setdefault(place, event["shown"])
    return {"milliseconds": max(first.values()) - begin, "panels": len(first)}


def _last(page: Page) -> int:
    """How many steps there are from the first snapshot to the last."""
    return int(page.locator(".time-track input").get_attribute("max") or 0)


def _played(page: Page) -> float:
    """Milliseconds for a snapshot when the whole training is played as quickly as it is painted."""
    page.bring_to_front()
    page.locator(".time-tools select").select_option("Fast")
    last = _last(page)
    begin = page.evaluate("performance.now()")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"() => {LINE}.index < 3", timeout=10_000)
    played = f"(last) => {LINE}.index === last && performance.now()"
    end = page.wait_for_function(played, arg=last, timeout=60_000).json_value()
    rest(page)
    return float(end - begin) / last


def _summary(backend: str, steps: Sequence[Mapping[str, Any]], played: float) -> dict[str, Any]:
    return {
        "backend": backend,
        "step": Timing.of([step["milliseconds"] for step in steps]),
        "panels": min(step["panels"] for step in steps),
        "played": played,
    }


def main() -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="cnn-compact", help="a bundled network")
    found = measured(parser.parse_args().model)
    save("scrub", found)
    print(scrub_table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
