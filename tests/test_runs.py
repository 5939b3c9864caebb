"""Runs as they are trained: real processes, real MNIST, real kills. Each process costs seconds, so runs are shared."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend
from layerscope.backends.base import BackendError, Optimiser
from layerscope.datasets.base import Dataset
from layerscope.layouts.services import Services
from layerscope.models.architecture import Activation, Architecture, Dense, Dropout, Flatten, Input
from layerscope.models.run import Run
from layerscope.models.weights import load_weights
from layerscope.training.config import DataChoice, RunConfig, RunError
from layerscope.training.executor import LocalProcesses, spawn
from layerscope.training.recipes import Recipe
from layerscope.training.runs import RunStore

NETWORK = Architecture(
    name="small",
    title="Small",
    layers=(
        Input(name="image", shape=(28, 28, 1)),
        Flatten(name="flatten"),
        Dense(name="hidden", units=24),
        Activation(name="hidden_relu", function="relu"),
        Dropout(name="dropout", rate=0.1),
        Dense(name="logits", units=10),
        Activation(name="softmax", function="softmax"),
    ),
)
RECIPE = Recipe(epochs=3, batch=50, learning_rate=2e-2, schedule="one-cycle", validation=0.2, seed=3)
LONG = replace(RECIPE, epochs=5000, batch=10, schedule="constant", validation=0.0)
"""Never ends by itself within a test."""


@pytest.fixture(scope="session")
def config(data_dir: Path) -> Callable[..., RunConfig]:
    """Makes configs of runs on 1,800 MNIST images."""

    def made(**values: Any) -> RunConfig:
        data = DataChoice(folder=str(data_dir), share=0.03)
        return RunConfig(
            **{
                "model": "small",
                "architecture": NETWORK,
                "backend": "pytorch",
                "recipe": RECIPE,
                "data": data,
                **values,
            }
        )

    return made


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return RunStore(tmp_path_factory.mktemp("home"))


@pytest.fixture
def own_store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for one another would make these tests slow on a busy machine; `twins` goes without this."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def until(store: RunStore, id: str, reached: Callable[[Run], bool], executor: LocalProcesses | None = None) -> Run:
    """Polls as a page does until the run has got there."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if executor:
            executor.advance()
        run = store.read(id)
        if reached(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run.status} {run.message} {run.step} {store.folder(id).log_file.read_text()}")


def ended(store: RunStore, id: str, executor: LocalProcesses | None = None) -> Run:
    return until(store, id, lambda run: not run.active, executor)


@pytest.fixture(scope="session")
def twins(store: RunStore, config: Callable[..., RunConfig], backend: Backend) -> tuple[Run, Run]:
    """Two runs of one config, one after the other in the queue, on each backend."""
    executor = LocalProcesses(store, niceness=0)
    first, second = (executor.submit(config(backend=backend.name, title=f"Twin {name}")) for name in "ab")
    until(store, first, lambda run: run.status == "training", executor)
    assert store.read(second).status == "queued"
    return ended(store, first, executor), ended(store, second, executor)


def test_a_run_measures_every_step_and_epoch(twins: tuple[Run, Run], store: RunStore) -> None:
    run, _ = twins
    assert (run.status, run.message) == ("done", "")
    assert run.steps.tolist() == list(range(1, 3 * 28 + 1))
    assert [(epoch.number, epoch.step) for epoch in run.epochs] == [(1, 28), (2, 56), (3, 84)]
    for epoch in run.epochs:
        part = slice(epoch.step - 28, epoch.step)
        assert epoch.loss == pytest.approx(run.losses[part].mean(), abs=1e-5)
        assert epoch.accuracy == pytest.approx(run.accuracies[part].mean(), abs=1e-5)
    assert run.epochs[-1].loss < run.epochs[0].loss
    assert run.epochs[-1].validation_accuracy > 0.75
    assert [snapshot.step for snapshot in store.snapshots(run.id)] == [0, 4, 7, 14, 28, 56, 84]


def test_the_same_seed_gives_the_same_metrics(twins: tuple[Run, Run], store: RunStore) -> None:
    first, second = twins
    assert first.steps.tolist() == second.steps.tolist()
    assert first.losses.tolist() == second.losses.tolist()
    assert [replace(epoch, seconds=0) for epoch in first.epochs] == [
        replace(epoch, seconds=0) for epoch in second.epochs
    ]


def test_the_other_backend_opens_what_was_learnt(
    twins: tuple[Run, Run], store: RunStore, keras: Backend, pytorch: Backend, mnist_test: Dataset
) -> None:
    run, _ = twins
    services = Services(model="cnn", home=store.home)
    assert services.models[f"run:{run.id}"] == "Twin a · run"
    assert next(iter(services.models)) != f"run:{run.id}"
    assert [layer.name for layer in services.layers(f"run:{run.id}")] == [info.name for info in NETWORK.infos]
    images, labels = mnist_test.floats(slice(500)), mnist_test.labels[:500]
    answers = [services.open(f"run:{run.id}", name).probabilities(images) for name in ("keras", "pytorch")]
    np.testing.assert_allclose(*answers, atol=1e-5)
    assert (answers[0].argmax(axis=1) == labels).mean() > 0.75
    before = services.open(f"run:{run.id}@epoch-000", "pytorch").probabilities(images)
    assert (before.argmax(axis=1) == labels).mean() < 0.4
    assert services.open(f"run:{run.id}@epoch-003", "pytorch") is services.open(f"run:{run.id}", "pytorch")


def test_the_page_knows_runs_and_what_is_no_run(twins: tuple[Run, Run], store: RunStore) -> None:
    services = Services(model="cnn", home=store.home)
    assert next(iter(services.runs.values())).startswith("Twin")
    assert services.run(twins[0].id).title == "Twin a"
    assert services.run("nothing") is None
    for source, words in (("run:nothing", "no run 'nothing'"), (f"run:{twins[0].id}@x", "no snapshot 'x'")):
        with pytest.raises(BackendError, match=words):
            services.open(source, "pytorch")
        assert services.pool.stage(source, "pytorch") is None
    alone = Services(model="cnn")
    assert (alone.runs, alone.run("x"), alone.store, alone.executor) == ({}, None, None, None)
    with pytest.raises(BackendError, match="There is no model"):
        alone.open(f"run:{twins[0].id}", "pytorch")


def test_a_killed_trainer_is_noticed_and_its_run_goes_on_without_losing_or_doubling_a_line(
    own_store: RunStore, config: Callable[..., RunConfig], pytorch: Backend
) -> None:
    executor = LocalProcesses(own_store, niceness=0)
    id = executor.submit(config(recipe=replace(LONG, epochs=12, batch=20)))
    run = until(own_store, id, lambda run: run.step > 150, executor)
    os.kill(own_store.status(id).pid, signal.SIGKILL)
    run = ended(own_store, id)
    assert run.status == "stopped unexpectedly"
    assert "resume" in run.message
    assert f"run:{id}" in Services(model="cnn", home=own_store.home).models
    killed_at = int(run.steps[-1])
    # Another server on the same folder, which never heard of the process that was killed.
    other = LocalProcesses(RunStore(own_store.home), niceness=0)
    other.resume(id)
    with pytest.raises(RunError):
        executor.resume(id)
    run = ended(own_store, id, other)
    assert (run.status, run.message) == ("done", "")
    assert run.steps.tolist() == list(range(1, 12 * 90 + 1))
    assert [epoch.number for epoch in run.epochs] == list(range(1, 13))
    assert 150 < killed_at < 12 * 90
    assert run.seconds > run.epochs[0].seconds


def test_stopping_keeps_what_was_learnt_and_two_stores_train_it_once(
    own_store: RunStore, config: Callable[..., RunConfig], pytorch: Backend
) -> None:
    id = own_store.create(config(recipe=LONG))
    servers = [LocalProcesses(RunStore(own_store.home), niceness=0) for _ in range(2)]
    # Both believe that nobody has begun it yet.
    processes = [spawn(own_store, id) for _ in servers]
    run = until(own_store, id, lambda run: run.step > 100)
    with pytest.raises(RunError, match="is being trained; stop it first"):
        own_store.delete(id)
    waits = servers[0].submit(config(recipe=LONG))
    servers[1].advance()
    assert own_store.read(waits).status == "queued"
    servers[0].stop(waits)
    servers[1].stop(id)
    run = ended(own_store, id)
    assert run.status == "stopped"
    assert run.message.startswith("Stopped after step ")
    assert run.steps.tolist() == list(range(1, len(run.steps) + 1))
    last = own_store.snapshots(id)[-1]
    assert last.step == run.step == run.steps[-1]
    assert not own_store.folder(id).stop_file.exists()
    assert load_weights(last.path, NETWORK)
    assert [process.wait(30) for process in processes] == [0, 0]
    # The second process waited for the first, and found that there was nothing to do.
    assert own_store.folder(id).log_file.read_text().count("images, small in pytorch") == 1
    assert own_store.read(waits).status == "stopped"
    assert own_store.snapshots(waits) == []


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_snapshot(
    own_store: RunStore, config: Callable[..., RunConfig], pytorch: Backend
) -> None:
    executor = LocalProcesses(own_store, niceness=0)
    id = executor.submit(config(recipe=replace(RECIPE, learning_rate=1e30)))
    run = ended(own_store, id, executor)
    assert run.status == "failed"
    assert "became infinite or no number at step" in run.message
    assert "Try a smaller learning rate than 1e+30." in run.message
    assert np.isfinite(run.losses).all()
    last = own_store.snapshots(id)[-1]
    assert f"{last.name} is kept" in run.message
    assert load_weights(last.path, NETWORK)
    assert f"run:{id}" not in Services(model="cnn", home=own_store.home).models


LIMITED = """
import resource, sys
from layerscope.training.trainer import main
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(sys.argv[1:2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_a_disk_without_room_stops_the_run_with_nothing_half_written(
    own_store: RunStore, config: Callable[..., RunConfig], pytorch: Backend
) -> None:
    """No file may grow beyond what a snapshot takes: the operating system then cuts a write of metrics short."""
    # An optimiser that gathers nothing: what Adam does is twice as large as a snapshot.
    id = own_store.create(config(recipe=replace(LONG, optimiser=Optimiser(name="sgd"))))
    folder = own_store.folder(id)
    trainer = [sys.executable, "-c", LIMITED, str(folder.path), str(90_000)]
    result = subprocess.run(trainer, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1, result.stderr
    assert own_store.read(id).message == "The disk is full; make room and resume from the last snapshot."
    content = folder.metrics_file.read_bytes()
    assert content.endswith(b"}\n")
    assert 75_000 < len(content) <= 90_000
    assert own_store.read(id).steps.tolist() == list(range(1, len(own_store.read(id).steps) + 1))
    assert not [path for path in folder.path.rglob(".*") if path.name != ".ballast"]
    for snapshot in own_store.snapshots(id):
        assert load_weights(snapshot.path, NETWORK)


def test_a_batch_larger_than_the_data_and_data_that_is_missing_are_said(
    own_store: RunStore, config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAYERSCOPE_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    executor = LocalProcesses(own_store, at_once=2, niceness=0)
    large = executor.submit(config(recipe=replace(RECIPE, batch=2000)))
    missing = executor.submit(config(data=DataChoice(folder=str(tmp_path / "nowhere"))))
    assert "A batch cannot be larger than the 1,440 images" in ended(own_store, large, executor).message
    assert "Training needs the MNIST training images" in ended(own_store, missing, executor).message
    assert own_store.read(large).status == own_store.read(missing).status == "failed"


def test_a_trainer_that_cannot_even_begin_is_said_and_not_tried_for_ever(
    own_store: RunStore, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "numpy.py").write_text("raise ImportError('no numbers today')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'broken'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    executor = LocalProcesses(own_store, niceness=0)
    run = ended(own_store, executor.submit(config()), executor)
    assert (run.status, run.message) == (
        "failed",
        "The trainer ended before it began: ImportError: no numbers today",
    )


def test_a_server_trains_though_nobody_looks_and_its_runs_outlive_it(
    own_store: RunStore, config: Callable[..., RunConfig], layerscope: Callable[..., subprocess.Popen[str]]
) -> None:
    id = own_store.create(config(recipe=LONG))
    server = layerscope("serve", "--port", "0", "--model", f"run:{id}", "--backend", "pytorch")
    run = until(own_store, id, lambda run: run.step > 50)
    server.kill()
    server.communicate(timeout=60)
    # A second server finds the run as the first left it, and asks it to end as an operating system does.
    assert Services(model="cnn", home=own_store.home).run(id).status == "training"
    until(own_store, id, lambda later: later.step > run.step + 50, LocalProcesses(own_store, niceness=0))
    os.kill(own_store.status(id).pid, signal.SIGTERM)
    run = ended(own_store, id)
    assert run.status == "stopped"
    assert own_store.snapshots(id)[-1].step == run.step


@pytest.fixture
def layerscope(own_store: RunStore, data_dir: Path) -> Callable[..., subprocess.Popen[str]]:
    """Begins `layerscope …` in the home of the test's runs."""

    def begin(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "layerscope", *arguments, "--home", str(own_store.home)]
        # A shell that starts the tests in the background has them ignore the signal, and whatever they start.
        listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listening
        )

    return begin


def test_training_from_the_command_line_is_stopped_by_the_keyboard_and_resumed(
    own_store: RunStore,
    layerscope: Callable[..., subprocess.Popen[str]],
    data_dir: Path,
    pytorch: Backend,
    tmp_path: Path,
) -> None:
    (tmp_path / "small.json").write_text(NETWORK.to_json())
    given = ["--model", str(tmp_path / "small.json"), "--backend", "pytorch", "--data", str(data_dir)]
    given += ["--share", "0.03", "--validation", "0.2", "--batch", "50", "--epochs", "4000", "--title", "By hand"]
    command = layerscope("train", *given, "--optimiser", "sgd", "--learning-rate", "0.05", "--seed", "7")
    while not own_store.ids():
        assert command.poll() is None, command.communicate()
        time.sleep(0.05)
    (id,) = own_store.ids()
    until(own_store, id, lambda run: len(run.epochs) > 1)
    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=60)
    assert (command.returncode, errors) == (130, "")
    assert f"Run {id} in {own_store.path / id}" in output
    assert "Epoch 1 of 4000: loss " in output
    assert ", on images kept out " in output
    assert "Stopped. Stopped after step " in output
    run = own_store.read(id)
    assert (run.title, run.status, run.model) == ("By hand", "stopped", "small")
    assert run.config["recipe"]["optimiser"]["name"] == "sgd"
    assert (run.config["recipe"]["seed"], run.config["recipe"]["batch"]) == (7, 50)
    listed = layerscope("runs").communicate(timeout=60)[0]
    assert all(word in listed for word in (id, "By hand", "small", "pytorch", "stopped", f"{len(run.epochs)}/4000"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "at least 1 epoch. Received: 0"),
        (["--model", "lenet"], "no bundled network 'lenet'"),
        (["--optimiser", "lion"], "no optimiser 'lion'"),
        (["--resume", "nothing"], "no run 'nothing'"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence_on_the_terminal(
    arguments: list[str], words: str, own_store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    from layerscope.cli import main

    with pytest.raises(SystemExit) as ending:
        main(["train", "--home", str(own_store.home), *arguments])
    assert ending.value.code == 2
    assert words in capsys.readouterr().err
    assert own_store.ids() == []
