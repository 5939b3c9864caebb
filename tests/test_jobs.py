"""Views that take their time: frames as they come, one for each panel, stopped at once, kept by content."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from layerscope.layouts.jobs import Job, Jobs
from layerscope.visualizers.contract import Frame
from layerscope.visualizers.figures import figure


def drawn(value: float) -> Any:
    return figure([{"type": "heatmap", "z": np.full((2, 2), value, np.float32)}], height=100)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def counting(frames: int) -> Iterator[Frame]:
    for number in range(1, frames + 1):
        yield Frame(drawn(number), number / frames)


class Gate:
    """A visualizer that stands still after its first frame until it is told to go on."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> Iterator[Frame]:
        try:
            yield Frame(drawn(1), 0.25)
            while not self.opened.is_set():
                time.sleep(0.001)
            yield Frame(drawn(2), 1.0)
        finally:
            self.ended.set()


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(at_once=2)


def over(job: Job) -> Callable[[], bool]:
    return lambda: job.over


def test_frames_come_one_after_the_other_and_the_last_one_stays(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.start("panel", "key", gate)
    until(lambda: job.frames == 1)
    told = job.data
    assert (told["status"], told["share"], told["panel"], told["key"]) == ("running", 0.25, "panel", "key")
    assert told["left"] == pytest.approx(3 * told["seconds"], rel=0.2)
    gate.opened.set()
    until(over(job))
    assert (job.status, job.share, job.frames) == ("done", 1.0, 2)
    assert job.figure
    assert job.figure["data"][0]["z"] == drawn(2).to_dict()["data"][0]["z"]
    assert jobs.job(job.id) is job
    assert jobs.job("another") is None


def test_a_stopped_job_ends_and_keeps_its_figure(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.start("panel", "key", gate)
    until(lambda: job.frames == 1)
    jobs.stop(job)
    assert gate.ended.wait(20)
    assert (job.status, job.frames) == ("stopped", 1)
    assert jobs.result("key") is None


def test_a_job_that_never_gives_a_frame_is_stopped_as_well(jobs: Jobs) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless() -> Iterator[Frame]:
        try:
            begun.set()
            while True:
                pass
        finally:
            ended.set()
        yield Frame(None, 1)

    job = jobs.start("panel", "key", endless)
    assert begun.wait(20)
    jobs.stop(job)
    assert ended.wait(20)
    assert job.status == "stopped"


def test_a_panel_has_one_job_and_a_new_one_ends_it(jobs: Jobs) -> None:
    first, gate = Gate(), Gate()
    old = jobs.start("panel", "one", first)
    other = jobs.start("another", "two", gate)
    until(lambda: old.frames == 1 and other.frames == 1)
    new = jobs.start("panel", "three", lambda: counting(3))
    assert first.ended.wait(20)
    assert old.status == "stopped"
    until(over(new))
    assert other.status == "running"
    jobs.stop(other)


def test_a_bounded_number_runs_at_once(jobs: Jobs) -> None:
    gates = [Gate() for _ in range(3)]
    running = [jobs.start(f"panel {index}", f"key {index}", gate) for index, gate in enumerate(gates)]
    until(lambda: [job.status for job in running].count("running") == 2)
    time.sleep(0.1)
    waiting = next(job for job in running if job.status != "running")
    assert (waiting.status, waiting.frames, waiting.data["left"]) == ("waiting", 0, None)
    for gate in gates:
        gate.opened.set()
    until(lambda: all(job.status == "done" for job in running))


def test_a_job_that_waits_can_be_stopped(jobs: Jobs) -> None:
    gates = [Gate() for _ in range(3)]
    running = [jobs.start(f"panel {index}", f"key {index}", gate) for index, gate in enumerate(gates)]
    until(lambda: [job.status for job in running].count("running") == 2)
    waiting = next(job for job in running if job.status == "waiting")
    jobs.stop(waiting)
    for gate in gates:
        gate.opened.set()
    until(lambda: all(job.over for job in running))
    assert (waiting.status, waiting.frames) == ("stopped", 0)


def test_what_has_been_computed_is_there_at_once(jobs: Jobs) -> None:
    job = jobs.start("panel", "key", lambda: counting(4))
    until(over(job))

    def never() -> Iterator[Frame]:
        raise AssertionError("computed twice")

    again = jobs.start("another", "key", never)
    assert (again.status, again.figure) == ("done", job.figure)
    assert jobs.result("key") is job


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([Frame(None, 0.5), 7], "a visualizer yields Frames. Received: int"),
        ([Frame("figure", 0.5)], "a visualizer returns a plotly Figure. Received: str"),
    ],
    ids=["no frame", "no figure"],
)
def test_what_is_no_frame_is_said(jobs: Jobs, frames: list[Any], words: str) -> None:
    job = jobs.start("panel", "key", lambda: iter(frames))
    until(over(job))
    assert job.status == "failed"
    assert words in job.message


def test_a_job_that_fails_says_why_and_makes_room(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Iterator[Frame]:
        yield Frame(drawn(1), 0.5)
        raise ValueError("out of paper")

    broken = [jobs.start(f"panel {index}", f"key {index}", failing) for index in range(5)]
    until(lambda: all(job.over for job in broken))
    assert {(job.status, job.message) for job in broken} == {("failed", "This view failed: ValueError: out of paper")}
    assert "out of paper" in caplog.text
    done = jobs.start("panel", "key", lambda: counting(2))
    until(over(done))
    assert done.status == "done"


def test_a_job_that_nobody_watches_is_stopped(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerscope.layouts.jobs.UNWATCHED", 0.05)

    def slow() -> Iterator[Frame]:
        for number in range(1000):
            time.sleep(0.01)
            yield Frame(None, number / 1000)

    job = jobs.start("panel", "key", slow)
    until(over(job))
    assert (job.status, job.message) == ("stopped", "Stopped, because nobody was looking.")
