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
    np.testing.assert_array_equal(job.figure["data"][0]["z"], drawn(2).plain["data"][0]["z"])
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


def test_words_are_told_as_they_come_and_kept(jobs: Jobs) -> None:
    opened = threading.Event()

    def aside() -> Iterator[Frame]:
        yield Frame(None, 0.5, "checking")
        while not opened.is_set():
            time.sleep(0.001)
        yield Frame(None, 1.0, "good\nbecause")

    job = jobs.start("panel aside", "key aside", aside)
    until(lambda: job.data["words"] == "checking")
    assert (job.data["status"], job.data["frames"]) == ("running", 0)
    beside = jobs.start("panel", "key", lambda: counting(1))
    until(over(beside))
    assert job.status == "running", "an aside and its panel do not end each other"
    opened.set()
    until(over(job))
    again = jobs.start("panel aside", "key aside", lambda: counting(1))
    for each in (job, again):
        assert (each.status, each.data["words"], each.frames, each.figure) == ("done", "good\nbecause", 0, None)


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


class Steps:
    """A visualizer of many short steps, which remembers how many it took."""

    def __init__(self, steps: int = 1000) -> None:
        self.steps, self.taken = steps, 0
        self.ended = threading.Event()

    def __call__(self) -> Iterator[Frame]:
        try:
            for step in range(1, self.steps + 1):
                time.sleep(0.002)
                self.taken = step
                yield Frame(drawn(step), step / self.steps)
        finally:
            self.ended.set()


def status(job: Job, wanted: str) -> Callable[[], bool]:
    return lambda: job.data["status"] == wanted


def test_a_paused_job_stands_still_with_its_figure_and_goes_on_where_it_was(jobs: Jobs) -> None:
    steps = Steps(60)
    job = jobs.start("panel", "key", steps)
    until(lambda: job.frames > 3)
    jobs.pause(job)
    until(status(job, "paused"))
    taken, told = steps.taken, job.data
    assert (job.frames, told["share"]) == (taken, taken / 60)
    assert job.figure
    np.testing.assert_array_equal(job.figure["data"][0]["z"], drawn(taken).plain["data"][0]["z"])
    time.sleep(0.3)
    later = job.data
    assert steps.taken == taken < 60
    assert {**later, "seconds": 0, "left": 0} == {**told, "seconds": 0, "left": 0}
    assert (later["seconds"], later["left"]) == (told["seconds"], told["left"]), "standing still costs nothing"
    jobs.resume(job)
    until(over(job))
    assert (job.status, job.frames, steps.taken) == ("done", 60, 60)
    assert jobs.result("key") is job


def test_only_the_time_that_it_runs_counts(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("layerscope.layouts.jobs.time.monotonic", lambda: now[0])
    job = Job("panel", "key", share=0.25)
    for status_then, seconds in [("running", 3.0), ("paused", 500.0), ("waiting", 50.0), ("running", 2.0)]:
        job.become(status_then)  # type: ignore[arg-type]
        now[0] += seconds
    assert (job.data["seconds"], job.data["left"]) == (5.0, 15.0)
    job.become("done")
    assert job.seconds == 5.0


def test_a_paused_job_leaves_its_place_to_others_and_waits_for_one_again() -> None:
    jobs, steps, gate = Jobs(at_once=1), Steps(), Gate()
    paused = jobs.start("panel", "one", steps)
    other = jobs.start("another", "two", gate)
    until(lambda: paused.frames > 0)
    assert other.status == "waiting"
    jobs.pause(paused)
    until(lambda: other.frames == 1)
    assert paused.status == "paused"
    jobs.resume(paused)
    until(status(paused, "waiting"))
    taken = steps.taken
    time.sleep(0.25)
    assert (steps.taken, paused.status) == (taken, "waiting")
    gate.opened.set()
    until(lambda: steps.taken > taken)
    assert other.status == "done"
    jobs.stop(paused)
    assert steps.ended.wait(20)
    third = jobs.start("third", "three", lambda: counting(2))
    until(over(third))
    assert third.status == "done"


def test_a_job_that_is_to_stand_still_says_so_until_its_next_frame(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.start("panel", "key", gate)
    until(lambda: job.frames == 1)
    time.sleep(0.05)  # so that it is on its way to the next one
    jobs.pause(job)
    assert job.data["status"] == "pausing"
    jobs.resume(job)
    assert job.data["status"] == "running"
    gate.opened.set()
    until(over(job))
    assert job.status == "done"


@pytest.mark.parametrize("waiting", [False, True], ids=["paused", "waiting to go on"])
def test_a_paused_job_is_stopped_at_once(waiting: bool) -> None:
    jobs, steps, gate = Jobs(at_once=1), Steps(), Gate()
    job = jobs.start("panel", "one", steps)
    until(lambda: job.frames > 0)
    jobs.pause(job)
    until(status(job, "paused"))
    if waiting:
        other = jobs.start("another", "two", gate)
        until(lambda: other.frames == 1)
        jobs.resume(job)
        until(status(job, "waiting"))
    begun = time.monotonic()
    jobs.stop(job)
    assert steps.ended.wait(20)
    assert time.monotonic() - begun < (1.0 if waiting else 0.2)
    assert (job.status, jobs.result("one")) == ("stopped", None)
    gate.opened.set()


def test_pausing_again_and_again_loses_no_place_and_no_step() -> None:
    jobs, each = Jobs(at_once=2), [Steps(120) for _ in range(4)]
    running = [jobs.start(f"panel {index}", f"key {index}", steps) for index, steps in enumerate(each)]
    for turn in range(60):
        (jobs.pause if turn % 2 else jobs.resume)(running[turn % 4])
        time.sleep(0.003)
    jobs.stop(running[0])
    for job in running:
        jobs.resume(job)
    until(lambda: all(job.over for job in running))
    assert [job.status for job in running] == ["stopped", "done", "done", "done"]
    assert [steps.taken for steps in each[1:]] == [120, 120, 120]
    gates = [Gate(), Gate()]
    last = [jobs.start(f"last {index}", f"last {index}", gate) for index, gate in enumerate(gates)]
    until(lambda: [job.status for job in last] == ["running", "running"])
    for gate in gates:
        gate.opened.set()


def test_a_paused_job_that_nobody_watches_is_stopped_later_than_a_running_one(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()
    job = jobs.start("panel", "key", steps)
    until(lambda: job.frames > 0)
    jobs.pause(job)
    until(status(job, "paused"))
    monkeypatch.setattr("layerscope.layouts.jobs.UNWATCHED", 0.01)
    monkeypatch.setattr("layerscope.layouts.jobs.UNWATCHED_PAUSED", time.monotonic() - job.asked + 0.5)
    time.sleep(0.3)
    assert job.status == "paused"
    assert steps.ended.wait(20)
    assert (job.status, job.message) == ("stopped", "Stopped, because nobody was looking.")
