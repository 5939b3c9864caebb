"""The results as Markdown tables, with every target beside what was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from measure import Timing, brief, mark, table

TRACE_RATIO = 1.2
MEDIAN, P95, ECHO_RATIO, LAST_ANSWER = 100, 150, 3, 300
STOPPED, MOST_MB = 200, 2500
EVALUATION_RATIO = 1.3
SCRUBBED = 150
EXPLAINED_MEDIAN = 150
COMPARE_MEDIANS = {2: 180, 4: 350}
"""Networks side by side → milliseconds from pen to paint at most."""
"""For the pages with gradient × input and Grad-CAM."""
TITLES = {
    "pytorch": "PyTorch",
    "keras": "Keras",
    "pytorch, explained": "PyTorch, explained",
    "keras, explained": "Keras, explained",
    "echo": "bare Dash callback",
}

Found = Mapping[str, Any]


def trace_tables(entries: Sequence[Found]) -> str:
    """One row for each network and backend."""
    rows = []
    for entry in entries:
        times, quickest = entry["milliseconds"], entry["quickest"]
        share = entry["ratios"][quickest]
        [(other, factor)] = entry["slower"].items()
        rows.append(
            (
                entry["network"],
                TITLES[entry["backend"]],
                entry["layers"],
                _timing(times["trace"]),
                f"{_timing(times[quickest])} on {quickest}",
                f"{share:.2f}",
                mark(share <= TRACE_RATIO),
                f"{other} {_timing(times[other])}",
                f"{brief(factor)} ×",
            )
        )
    heads = ("network", "backend", "layers", "trace", "plain", "ratio", f"≤ {TRACE_RATIO}", "beside it", "is slower by")
    return table(heads, rows)


def views_tables(entries: Sequence[Found]) -> str:
    """One row for each view, backend and way."""
    rows = []
    for entry in entries:
        for way, found in entry["milliseconds"].items():
            share = entry["ratios"].get(way)
            line = None if share is None else _line(entry["view"], way)
            told = ("", "") if line is None else (f"≤ {line:.2g}", mark(share <= line))
            ratio = "" if share is None else f"{share:.2f}"
            rows.append((entry["view"], TITLES[entry["backend"]], way, _timing(found), ratio, *told))
    return table(("view", "backend", "way", "milliseconds", "the view takes, of this", "line", ""), rows)


def _line(view: str, way: str) -> float | None:
    """What the view may take of a peer's time."""
    if way == "tf-keras-vis":
        return 1 / 3
    return 1.0 if view == "Top images" else None


def attributions_table(entries: Sequence[Found]) -> str:
    """One row for each attribution and backend, held against the quickest way of the library beside it."""
    rows = []
    for entry in entries:
        times = {way: _timing(each) for way, each in entry["milliseconds"].items()}
        row = (entry["attribution"], TITLES[entry["backend"]], times["ours"])
        peers = {way: each for way, each in times.items() if way != "ours"}
        if not peers:
            rows.append((*row, "", "", "", ""))
            continue
        quickest = min(peers, key=lambda way: peers[way].median)
        share, line = entry["ratios"][quickest], entry["line"]
        rows.append((*row, f"{quickest} {peers[quickest]}", f"{share:.2f}", f"≤ {line:.2g}", mark(share <= line)))
    heads = ("attribution", "backend", "Layerscope", "the library's quickest way", "ratio", "line", "")
    return table(heads, rows)


def evaluation_table(entries: Sequence[Found]) -> str:
    """One row for each network and backend, held against the framework's quickest way."""
    rows = []
    for entry in entries:
        times, share = {way: _timing(each) for way, each in entry["milliseconds"].items()}, entry["ratio"]
        row = entry["network"], TITLES[entry["backend"]], f"{entry['accuracy']:.2%}", times["evaluated"]
        rows.append((*row, f"{times[entry['way']]}, {entry['way']}", f"{share:.2f}", mark(share <= EVALUATION_RATIO)))
    heads = ("network", "backend", "accuracy", "evaluated", "the framework alone", "ratio", f"≤ {EVALUATION_RATIO}")
    return table(heads, rows)


def cancel_table(entries: Sequence[Found]) -> str:
    """One row for each view and backend."""
    rows = [
        (entry["view"], TITLES[entry["backend"]], times.count, brief(times.median), brief(entry["worst"]), held)
        for entry in entries
        for times in [_timing(entry["milliseconds"])]
        for held in [mark(entry["worst"] <= STOPPED)]
    ]
    return table(("view", "backend", "stopped", "median", "worst", f"≤ {STOPPED}"), rows)


def scrub_table(entries: Sequence[Found]) -> str:
    """One row for each backend."""
    rows = [
        (
            TITLES.get(entry["backend"], entry["backend"]),
            times.count,
            entry["panels"],
            brief(times.median),
            mark(times.median <= SCRUBBED),
            brief(times.p95),
            brief(entry["played"]),
        )
        for entry in entries
        for times in [_timing(entry["step"])]
    ]
    heads = ("backend", "steps", "panels repainted", "median", f"≤ {SCRUBBED}", "p95", "a snapshot when played")
    return table(heads, rows)


def memory_table(steps: Sequence[Found]) -> str:
    """One row for each step."""
    rows = [
        (step["step"], step.get("views", ""), f"{step['now']:.0f}", f"{step['most']:.0f}", mark(step["most"] < MOST_MB))
        for step in steps
    ]
    return table(("after", "figures", "MB", "most so far", f"< {MOST_MB}"), rows)


def live_tables(found: Found) -> tuple[str, str, str, str]:
    """Pen to paint, where its time goes, scribbling, and what pictures of the screen say."""
    return _paint(found), _parts(found), _scribbles(found), _screens(found)


def _paint(found: Found) -> str:
    rows = []
    for name, page in found["pages"].items():
        paint, factor = page["pen to paint"], found["ratios"].get(name)
        explained = name.endswith("explained")
        rows.append(
            (
                TITLES[name],
                paint.count,
                brief(paint.median),
                "" if factor is None or explained else mark(paint.median <= MEDIAN),
                mark(paint.median <= EXPLAINED_MEDIAN) if explained else "",
                brief(paint.p95),
                "" if factor is None or explained else mark(paint.p95 <= P95),
                "" if factor is None else f"{factor:.2f}",
                "" if factor is None or explained else mark(factor <= ECHO_RATIO),
                page["every movement"],
                f"{page['answers with every panel']:.1%} of {page['panels']}",
            )
        )
    heads = ("page", "inks", "median", f"≤ {MEDIAN}", f"≤ {EXPLAINED_MEDIAN}", "p95", f"≤ {P95}", "ratio")
    return table((*heads, f"≤ {ECHO_RATIO}", "from every movement", "panels repainted"), rows)


def compare_table(found: Found) -> str:
    """Pen to paint on the page that compares."""
    rows = []
    for name, page in found["pages"].items():
        paint, columns = page["pen to paint"], found["columns"].get(name)
        bars = [mark(paint.median <= bar) if columns == many else "" for many, bar in COMPARE_MEDIANS.items()]
        ratio = f"{found['ratios'][name]:.2f}" if columns else ""
        figures = (TITLES.get(name, name), paint.count, brief(paint.median), *bars, brief(paint.p95), ratio)
        repainted = f"{page['answers with every panel']:.1%} of {page['panels']}"
        rows.append((*figures, page["every movement"], repainted))
    heads = ("page", "inks", "median", *(f"≤ {bar} for {many}" for many, bar in COMPARE_MEDIANS.items()), "p95")
    return table((*heads, "ratio", "from every movement", "layers repainted"), rows)


def _parts(found: Found) -> str:
    names = list(next(iter(found["pages"].values()))["parts"])
    rows = [
        (TITLES[name], *(page["parts"][part] for part in names), f"{page['bytes'] / 1024:.1f}")
        for name, page in found["pages"].items()
    ]
    return table(("page", *names, "answer, KiB"), rows)


def _scribbles(found: Found) -> str:
    rows = [
        (
            TITLES[name],
            end["answers"],
            end["most requests at once"],
            end["pen to paint"],
            brief(end["last answer"]),
            mark(end["last answer"] <= LAST_ANSWER),
            brief(end["last graph"]),
            f"{end['off by']:.1e}",
            mark(end["off by"] < 1e-4),
        )
        for name, end in found["scribbles"].items()
    ]
    heads = ("page", "answers", "requests at once", "pen to paint", "last answer", f"≤ {LAST_ANSWER}", "last graph")
    return table((*heads, "off by", "same"), rows)


def _screens(found: Found) -> str:
    rows = [
        (TITLES[name], visualizer, f"{seen['changed']} of {seen['of']}")
        for name, panels in found["screens"].items()
        for visualizer, seen in panels.items()
    ]
    return table(("page", "visualizer", "pictures on the screen that changed"), rows)


def _timing(entry: Any) -> Timing:
    return entry if isinstance(entry, Timing) else Timing(**entry)


def start_tables(found: Found) -> str:
    """Waiting times, and what was imported."""
    times = [(name, _timing(each)) for name, each in found["milliseconds"].items()]
    imports = [
        (name, ", ".join(each["frameworks"]) or "none", mark(not each["frameworks"]), each["modules"])
        for name, each in found["imports"].items()
    ]
    return "\n\n".join(
        [
            table(("started", "milliseconds"), times),
            table(("after", "frameworks loaded", "none", "modules in all"), imports),
        ]
    )
