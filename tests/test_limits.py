"""A view that takes too long, gives too much, or gives something else harms itself only."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend
from layerscope.drawing.pipeline import Steps
from layerscope.layouts.answer import Request, answer
from layerscope.layouts.limits import Cost, Costs, Stopped, Watchdog, checked_figure, size_of
from layerscope.layouts.pictures import Source
from layerscope.layouts.services import Services
from layerscope.layouts.state import Panel, Selected
from layerscope.visualizers.contract import NoSettings, Subject, visualizer
from layerscope.visualizers.figures import figure
from layerscope.visualizers.registry import register
from plotly.graph_objects import Figure


def busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_what_takes_too_long_is_stopped() -> None:
    with pytest.raises(Stopped), Watchdog().deadline(0.1):
        busy(20)


def test_what_is_quick_is_left_alone_even_later() -> None:
    watchdog = Watchdog()
    for _ in range(200):
        with watchdog.deadline(0.1):
            pass
    busy(0.3)


def test_only_the_thread_that_takes_too_long_is_stopped() -> None:
    watchdog, ended = Watchdog(), []

    def quick() -> None:
        with watchdog.deadline(30):
            busy(0.4)
        ended.append("quick")

    other = threading.Thread(target=quick)
    other.start()
    with pytest.raises(Stopped), watchdog.deadline(0.1):
        busy(20)
    other.join()
    assert ended == ["quick"]


def stubborn() -> None:
    while True:
        try:
            busy(0.01)
        except Exception:
            continue


def test_what_swallows_every_exception_is_stopped_all_the_same() -> None:
    with pytest.raises(Stopped), Watchdog().deadline(0.1):
        stubborn()


def test_memory_is_measured_at_the_second_drawing_and_time_at_each() -> None:
    costs = Costs()
    made = [costs.measured("a", lambda: np.ones(2**20, np.float64))[1] for _ in range(3)]
    assert [cost.peak > 2**23 for cost in made] == [False, True, True]
    assert all(cost.seconds > 0 for cost in made)
    assert made[1].peak < 2**24


def test_a_drawing_that_fails_leaves_memory_unwatched() -> None:
    import tracemalloc

    costs = Costs()
    costs.measured("a", lambda: 1)
    with pytest.raises(ZeroDivisionError):
        costs.measured("a", lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Cost(0.00123, 0), "1.2 ms"),
        (Cost(0.0456, 2**20), "46 ms · 1.0 MB"),
        (Cost(1.26, 3 * 2**19), "1.3 s · 1.5 MB"),
    ],
)
def test_costs_in_words(cost: Cost, words: str) -> None:
    assert cost.words == words


def test_the_size_of_a_figure_counts_arrays_text_and_lists() -> None:
    assert size_of({"a": np.zeros(10, np.float32), "b": ["xyz", 1.0], "c": {"d": "12"}}) == 40 + 3 + 8 + 2


@pytest.mark.parametrize("wrong", [None, "figure", {"data": []}], ids=str)
def test_what_is_no_figure_is_said(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"a visualizer returns a plotly Figure\. Received: "):
        checked_figure(wrong)


CALLS: list[str] = []


def _raises(subject: Subject, settings: NoSettings) -> Figure:
    """Raises."""
    raise RuntimeError("no such thing")


def _never_ends(subject: Subject, settings: NoSettings) -> Figure:
    """Never ends."""
    CALLS.append("never ends")
    while True:
        pass


def _hiccups(subject: Subject, settings: NoSettings) -> Figure:
    """Takes too long every other time."""
    CALLS.append("hiccups")
    busy(20 if len(CALLS) % 2 else 0)
    return figure([], height=100)


def _huge(subject: Subject, settings: NoSettings) -> Figure:
    """Gives 50 MB."""
    return figure([{"type": "heatmap", "z": np.zeros((2500, 5000), np.float32)}], height=100)


def _else(subject: Subject, settings: NoSettings) -> Any:
    """Gives something else."""
    return "a picture"


HARMFUL = {
    "_raises": "This view failed: RuntimeError: no such thing",
    "_never_ends": "This view was interrupted after 2 seconds",
    "_huge": "the figure holds 48 MB, and a panel takes 8 MB; show fewer units",
    "_else": "a visualizer returns a plotly Figure. Received: str",
}


@pytest.fixture
def services(pytorch: Backend, data_dir: Path) -> Iterator[Services]:
    with ExitStack() as undone:
        for each in (_raises, _never_ends, _hiccups, _huge, _else):
            undone.callback(register(visualizer(title="Harmful")(each)))
        yield Services(model="dense", backend="pytorch", data=data_dir)


def withheld(services: Services, panel: Panel) -> str:
    """Why a panel shows no figure; empty where it does."""
    return str(ask(services, panel)["panels"][panel.id].get("withheld", ""))


def ask(services: Services, *panels: Panel, shown: Mapping[str, str] | None = None) -> dict[str, Any]:
    request = Request(
        model="dense", backend="pytorch", source=Source(sample=(7, 0)), steps=Steps(), selected=Selected(),
        panels=panels, shown=shown or {},
    )  # fmt: skip
    return answer(services, request)


@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_view_says_so_in_its_own_panel(services: Services, name: str) -> None:
    given = ask(services, Panel("a", name), Panel("b", "layer_table"))
    assert given["fault"] is None
    assert HARMFUL[name] in given["panels"]["a"]["withheld"]
    assert given["panels"]["b"]["figure"]["data"]
    assert given["prediction"]["probabilities"]


def test_a_view_that_was_too_slow_twice_does_not_hold_up_the_next_stroke(services: Services) -> None:
    CALLS.clear()
    first, *later = [withheld(services, Panel("a", "_never_ends")) for _ in range(3)]
    assert "It is tried again at the next stroke" in first
    assert all("took longer than 2 seconds and was stopped" in words for words in later)
    assert CALLS == ["never ends"] * 2


def test_a_view_that_is_slow_now_and_then_is_always_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.watchdog, "deadline", partial(services.watchdog.deadline, 0.1))
    CALLS.clear()
    found = [withheld(services, Panel("a", "_hiccups")) for _ in range(4)]
    assert ["interrupted" in words for words in found] == [True, False, True, False]
    assert len(CALLS) == 4


def test_an_interrupted_view_is_drawn_again_for_the_same_image(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.watchdog, "deadline", partial(services.watchdog.deadline, 0.1))
    CALLS.clear()
    panel = Panel("a", "_hiccups")
    key = ask(services, panel)["panels"]["a"]["key"]
    assert "figure" in ask(services, panel, shown={"a": key})["panels"]["a"]


def test_every_figure_comes_with_its_cost(services: Services) -> None:
    assert ask(services, Panel("a", "layer_table"))["panels"]["a"]["cost"].endswith("ms")
    assert ask(services, Panel("a", "layer_table"))["panels"]["a"]["cost"].endswith("MB")
