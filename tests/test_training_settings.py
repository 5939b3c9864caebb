"""How many runs are trained at the same time: kept in the home folder, and changed while they train."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input
from layerscope.training.config import DataChoice, RunConfig, RunError
from layerscope.training.executor import LocalProcesses
from layerscope.training.folder import UNEXPECTED
from layerscope.training.recipes import FAST, ORIGINAL, QUICK, Recipe
from layerscope.training.runs import RunStore
from layerscope.training.settings import runs_at_once

NETWORK = Architecture(
    name="small",
    title="Small",
    layers=(
        Input(name="image", shape=(8, 8, 1)),
        Flatten(name="flatten"),
        Dense(name="logits", units=10),
        Activation(name="softmax", function="softmax"),
    ),
)
ENDLESS = RunConfig(
    model="small",
    architecture=NETWORK,
    backend="pytorch",
    recipe=Recipe(epochs=100_000, batch=10),
    data=DataChoice(source="digits"),
)


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalProcesses:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return LocalProcesses(RunStore(tmp_path), niceness=0)


def test_one_run_at_a_time_unless_told_otherwise_and_the_next_server_knows(executor: LocalProcesses) -> None:
    assert executor.at_once == 1
    executor.at_once = 3
    assert LocalProcesses(RunStore(executor.store.home)).at_once == 3


def test_a_number_of_ones_own_holds_until_it_is_set(executor: LocalProcesses) -> None:
    own = LocalProcesses(executor.store, at_once=0)
    executor.at_once = 2
    assert own.at_once == 0
    own.at_once = 4
    assert (own.at_once, executor.at_once) == (4, 4)


@pytest.mark.parametrize("number", [0, -1, 33, True, 1.5, "2"])
def test_what_is_no_number_of_runs_is_refused_and_nothing_changes(executor: LocalProcesses, number: int) -> None:
    executor.at_once = 2
    with pytest.raises(RunError, match=r"From 1 to 32 runs can be trained at once\. Received: "):
        executor.at_once = number
    assert executor.at_once == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"runs_at_once": 0}', '{"runs_at_once": "many"}'])
def test_a_damaged_setting_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    assert runs_at_once(tmp_path) == 1


def test_a_home_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="A setting cannot be kept in"):
        LocalProcesses(RunStore(tmp_path / "file")).at_once = 2


def test_the_command_that_serves_refuses_what_is_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from layerscope.cli import main

    with pytest.raises(SystemExit):
        main(["serve", "--home", str(tmp_path), "--runs-at-once", "0"])
    assert "From 1 to 32 runs can be trained at once. Received: 0" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "recipes"), [("quick", QUICK), ("fast", FAST), ("original", ORIGINAL)])
def test_the_command_that_trains_takes_the_recipe_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, recipes: Mapping[str, Recipe]
) -> None:
    from layerscope.cli import main

    # The run is queued, and nobody trains it.
    monkeypatch.setattr("layerscope.training.executor.spawn", _no_process)
    with pytest.raises(SystemExit):
        main(
            [
                "train",
                "--model",
                "cnn",
                "--backend",
                "pytorch",
                "--recipe",
                name,
                "--seed",
                "4",
                "--home",
                str(tmp_path),
            ]
        )
    store = RunStore(tmp_path)
    assert store.folder(store.ids()[0]).config().recipe == replace(recipes["cnn"], seed=4)


def _no_process(*arguments: object) -> None:
    raise OSError("no process today")


def test_a_waiting_run_begins_as_soon_as_more_may_train(executor: LocalProcesses) -> None:
    first, second = executor.submit(ENDLESS), executor.submit(ENDLESS)
    try:
        _wait(executor, first, "training")
        assert executor.store.status(second).state == "queued"
        executor.at_once = 2
        _wait(executor, second, "training")
        assert executor.store.status(first).state == "training"
        # Fewer at once ends none that trains already, and begins none before there is room.
        executor.at_once = 1
        third = executor.submit(ENDLESS)
        _kill(executor, second)
        executor.advance()
        assert [executor.store.status(id).state for id in (first, third)] == ["training", "queued"]
    finally:
        executor.at_once = 1
        for id in executor.store.ids():
            executor.store.stop(id)
            _kill(executor, id)


def _wait(executor: LocalProcesses, id: str, state: str) -> None:
    end = time.monotonic() + 60
    while executor.store.status(id).state != state:
        assert time.monotonic() < end, executor.store.status(id)
        executor.advance()
        time.sleep(0.05)


def _kill(executor: LocalProcesses, id: str) -> None:
    """Without waiting until it has imported a framework only to be stopped."""
    if executor.store.status(id).state == "training":
        os.kill(executor.store.status(id).pid, signal.SIGKILL)
        _wait(executor, id, UNEXPECTED)
