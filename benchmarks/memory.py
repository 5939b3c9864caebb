"""The server's memory, from a fresh start through every view of every layer on both backends, and all of it again.

The requests are those that the page sends. A second round, with another digit and another unit, shows whether it grows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from layerscope.layouts.wire import unpacked
from measure import save
from tables import memory_table

NETWORK, BESIDE, BACKENDS = "cnn-compact", "cnn", ("pytorch", "keras")
ROUNDS = 2
QUICK_SETTINGS = {
    "feature_visualisation": {"steps": 10},
    "dead_units": {"images": 500},
    "accuracy": {"images": 500},
    "trust": {"portions": 8},
    "occlusion": {"stride": 2},
}

Panel = dict[str, Any]


def measured(rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Megabytes of the server after each step; views that failed stop the measurement."""
    from layerscope.models.bundled import BUNDLED
    from layerscope.visualizers import registered

    panels = [panel for entry in registered().values() for panel in _panels(entry, BUNDLED[NETWORK].infos)]
    with _server() as (address, process):
        steps = [_step("just started", process)]
        for number in range(1, rounds + 1):
            for backend in BACKENDS:
                asked = _everything(address, backend, panels, number)
                steps.append({**_step(f"round {number}, {backend}", process), "views": asked})
    return steps


def growth(steps: Sequence[dict[str, Any]]) -> float:
    """How much more the last round left than the one before it, as a share."""
    return steps[-1]["now"] / steps[-1 - len(BACKENDS)]["now"] - 1


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """Its address and its process, ended afterwards."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "layerscope", "serve", "--port", "0", "--home", home, "--model", NETWORK]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                assert process.stdout
                yield process.stdout.readline().split("is ready: ")[1].split()[0], process.pid
            finally:
                process.terminate()


def _step(name: str, process: int) -> dict[str, Any]:
    """What the process holds now, and the most it has held so far, in megabytes."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    now, most = (int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return {"step": name, "now": now, "most": most}


def _panels(entry: Any, layers: Sequence[Any]) -> Iterator[Panel]:
    """The view on every layer that it fits, or once where it shows no layer; none that needs a training."""
    from layerscope.visualizers.contract import Need

    if Need.RUN in entry.needs:
        return
    fitting = [layer.name for layer in layers if entry.applies_to(layer)] if Need.LAYER in entry.needs else [None]
    settings = QUICK_SETTINGS.get(entry.name, {})
    for layer in fitting:
        name = f"{entry.name} {layer}"
        yield {
            "id": name, "visualizer": entry.name, "layer": layer, "settings": settings, "on_request": entry.on_request
        }  # fmt: skip


def _everything(address: str, backend: str, panels: Sequence[Panel], number: int) -> int:
    """Asks for every panel as the page does; gives how many there were. A view without a figure ends everything."""
    drawn: set[str] = set()
    for layer, group in _by_layer(panels).items():
        unit = 0 if layer == "input" else number
        stores = {
            "ink": {"ink": None, "sample": [number, 0], "label": number, "shown": {}, "serial": number},
            "subject": {"model": NETWORK, "backend": backend, "off": []},
            "selection": {"layer": layer, "unit": unit, "position": [0, 0], "target": None},
            "edits": [],
            "beside": {"image": {"sample": [number + 1, 0]}, "model": BESIDE, "backend": backend, "run": None},
        }
        prompt = [panel for panel in group if not panel["on_request"]]
        data = _asked(address, "answer", stores | _store(prompt) | {"shown": {}})
        if data["fault"]:
            raise SystemExit(data["fault"])
        drawn |= {id for id, part in data["panels"].items() if "figure" in part}
        for panel in group:
            if panel["on_request"] and _followed(address, stores | _store([panel]), panel["id"]):
                drawn.add(panel["id"])
    if lacking := {panel["id"] for panel in panels} - drawn:
        raise SystemExit(f"These views gave no figure: {', '.join(sorted(lacking))}.")
    return len(drawn)


def _by_layer(panels: Sequence[Panel]) -> dict[str, list[Panel]]:
    """Panels together that can be shown with one selection, as a unit is one of the selected layer."""
    groups: dict[str, list[Panel]] = {}
    for panel in panels:
        groups.setdefault(panel["layer"] or "input", []).append(panel)
    return groups


def _store(panels: Sequence[Panel]) -> dict[str, Any]:
    return {"panels": {"model": NETWORK, "custom": True, "panels": list(panels)}}


def _followed(address: str, stores: dict[str, Any], panel: str) -> bool:
    """Runs one panel's job to its end; whether it gave a figure."""
    job = _asked(address, "run", stores | {"names": [panel]})[0]
    while job["status"] in ("waiting", "running"):
        time.sleep(0.02)
        job = _fetched(f"{address}jobs/{job['id']}?have={job['frames']}")
    if job["status"] == "failed" and job["id"]:
        raise SystemExit(f"{panel}: {job['message']}")
    return job["status"] == "done"


def _asked(address: str, path: str, question: dict[str, Any]) -> Any:
    """What the server answers, asked as the page asks it."""
    headers = {"Content-Type": "application/json"}
    return _fetched(Request(f"{address}{path}", json.dumps(question).encode(), headers))


def _fetched(wanted: str | Request) -> Any:
    with urlopen(wanted, timeout=120) as reply:
        return unpacked(reply.read())


def main() -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    steps = measured(parser.parse_args().rounds)
    save("memory", steps)
    print(memory_table(steps))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
