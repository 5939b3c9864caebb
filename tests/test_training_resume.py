"""A run that was stopped, killed or trained further goes on as if it had not been; TensorBoard sees each step once.

The trainer is the real one, on both frameworks, within this process; it is stopped and killed at exact steps.
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Optimiser
from layerscope.models.architecture import (
    Activation,
    Architecture,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPool2D,
)
from layerscope.models.weights import load_weights
from layerscope.training import optimiser_state
from layerscope.training.config import DataChoice, RunConfig
from layerscope.training.events import MOST_STEPS, Events
from layerscope.training.folder import RunFolder
from layerscope.training.optimiser_state import keep_state, state_of
from layerscope.training.recipes import Recipe
from layerscope.training.recorder import AppendedFile
from layerscope.training.runs import RunStore
from layerscope.training.trainer import train

NETWORK = Architecture(
    name="small",
    title="Small",
    layers=(
        Input(name="image", shape=(8, 8, 1)),
        Conv2D(name="conv", filters=4, window=(3, 2), padding="same"),
        Activation(name="relu", function="relu"),
        BatchNorm(name="norm"),
        MaxPool2D(name="pool", window=(2, 2)),
        Flatten(name="flatten"),
        Dropout(name="dropout", rate=0.3),
        Dense(name="logits", units=10),
        Activation(name="softmax", function="softmax"),
    ),
)
OPTIMISERS = (
    Optimiser(name="adam", weight_decay=0.01),
    Optimiser(name="rmsprop", momentum=0.5),
    Optimiser(name="sgd", momentum=0.9),
)
RECIPE = Recipe(
    epochs=4,
    batch=48,
    learning_rate=1e-2,
    schedule="one-cycle",
    optimiser=OPTIMISERS[0],
    validation=0.2,
    seed=5,
)
STEPS_PER_EPOCH = 8


class KilledError(BaseException):
    """Ends a training as SIGKILL would: nothing that the trainer has in store for errors sees it."""


class At(Event):
    """Asks to stop, or kills, once so many steps have been made."""

    def __init__(self, steps: int, killed: bool = False) -> None:
        super().__init__()
        self._left = steps
        self._killed = killed

    def is_set(self) -> bool:
        self._left -= 1
        if not self._left and self._killed:
            raise KilledError
        return self._left <= 0


@pytest.fixture(autouse=True)
def one_core(pytorch: Backend) -> Iterator[None]:
    """Threads that wait for one another would take most of the time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def new_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunFolder]:
    # Every line is written at once, so that a killed trainer leaves lines that its last snapshot does not know.
    monkeypatch.setattr("layerscope.training.recorder.LATEST", 0)
    store = RunStore(tmp_path)

    def made(backend: Backend, **values: Any) -> RunFolder:
        data = DataChoice(source="digits", share=0.3)
        config = RunConfig(
            **{"model": "small", "architecture": NETWORK, "backend": backend.name, "recipe": RECIPE, "data": data}
            | values
        )
        return store.folder(store.create(config))

    return made


def trained(folder: RunFolder, asked: Event | None = None) -> None:
    with folder.held():
        assert train(folder, folder.written_status(), asked or Event()) == 0, folder.written_status().message


def resumed(folder: RunFolder, asked: Event | None = None) -> None:
    RunStore(folder.path.parents[1]).resume(folder.id)
    trained(folder, asked)


def killed(folder: RunFolder, steps: int) -> None:
    with pytest.raises(KilledError):
        trained(folder, At(steps, killed=True))


def measured(folder: RunFolder) -> list[tuple[float, ...]]:
    names = ("step", "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")
    return [tuple(line.get(name, 0) for name in names) for line in folder.metrics()]


def assert_equal(folder: RunFolder, other: RunFolder) -> None:
    np.testing.assert_allclose(measured(folder), measured(other), rtol=1e-4, atol=2e-6)
    first, second = (load_weights(each.snapshots()[-1].path, NETWORK) for each in (folder, other))
    for layer, named in first.items():
        for name, array in named.items():
            np.testing.assert_allclose(array, second[layer][name], rtol=1e-4, atol=1e-6, err_msg=f"{layer} {name}")


def test_an_interrupted_run_ends_where_another_does(backend: Backend, new_run: Callable[..., RunFolder]) -> None:
    whole, parts = new_run(backend), new_run(backend)
    trained(whole)
    trained(parts, At(2 * STEPS_PER_EPOCH))
    assert parts.written_status().state == "stopped"
    # Once more within an epoch, and then killed some steps after the last snapshot.
    resumed(parts, At(4))
    RunStore(parts.path.parents[1]).resume(parts.id)
    killed(parts, STEPS_PER_EPOCH)
    assert len(parts.metrics()) > parts.snapshots()[-1].step + 3
    resumed(parts)
    assert_equal(parts, whole)


def test_a_run_that_is_trained_further_goes_on_with_what_the_optimiser_gathered(
    backend: Backend, new_run: Callable[..., RunFolder]
) -> None:
    short = replace(RECIPE, schedule="constant", epochs=2)
    whole, parts = (new_run(backend, recipe=short.with_epochs(epochs)) for epochs in (3, 2))
    trained(whole)
    trained(parts)
    RunStore(parts.path.parents[1]).train_further(parts.id, 1)
    trained(parts)
    assert_equal(parts, whole)


def test_with_a_damaged_optimiser_a_run_goes_on_all_the_same_and_says_so(
    pytorch: Backend, new_run: Callable[..., RunFolder], caplog: pytest.LogCaptureFixture
) -> None:
    parts, harmed = new_run(pytorch), new_run(pytorch)
    for folder in (parts, harmed):
        trained(folder, At(2 * STEPS_PER_EPOCH))
    (kept,) = harmed.snapshots_folder.glob("*.optimiser")
    assert kept.stem == harmed.snapshots()[-1].name == "epoch-002"
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    resumed(parts)
    assert "begins anew" not in caplog.text
    resumed(harmed)
    assert "The optimiser begins anew: epoch-002.optimiser is damaged." in caplog.text
    losses, others = (np.array(measured(folder))[:, 2] for folder in (harmed, parts))
    assert len(losses) == len(others)
    assert np.abs(losses - others).max() > 1e-3


def test_an_optimiser_that_is_missing_cut_short_or_anothers_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot, state = tmp_path / "epoch-001.safetensors", {"a/kernel/mean": np.ones(3, np.float32)}
    keep_state(snapshot, {}, Optimiser())
    assert state_of(snapshot, Optimiser()) == {}
    keep_state(snapshot, state, Optimiser())
    np.testing.assert_array_equal(state_of(snapshot, Optimiser())["a/kernel/mean"], np.ones(3))
    assert state_of(snapshot, Optimiser(momentum=0.5)) == {}
    kept = tmp_path / "epoch-001.optimiser"
    kept.write_bytes(kept.read_bytes()[:-5])
    assert state_of(snapshot, Optimiser()) == {}
    assert [record.message.split("optimiser ")[2].split(":")[0] for record in caplog.records] == [
        "cannot be read",
        "is another optimiser's.",
        "cannot be read",
    ]


def test_only_the_last_snapshot_keeps_an_optimiser_and_none_is_taken_for_a_snapshot(
    pytorch: Backend, new_run: Callable[..., RunFolder]
) -> None:
    folder = new_run(pytorch)
    trained(folder)
    assert [path.name for path in folder.snapshots_folder.glob("*.optimiser")] == ["epoch-004.optimiser"]
    assert [snapshot.step for snapshot in folder.snapshots()] == [0, 1, 2, 4, 8, 16, 24, 32]


def batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.random((16, 8, 8, 1), dtype=np.float32), random.integers(0, 10, 16)


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=lambda optimiser: optimiser.name)
def test_what_one_framework_gathered_the_other_goes_on_with(
    pytorch: Backend, keras: Backend, optimiser: Optimiser
) -> None:
    layers = (replace(layer, rate=0.0) if isinstance(layer, Dropout) else layer for layer in NETWORK.layers)
    calm = replace(NETWORK, layers=tuple(layers))
    for one, other in ((pytorch, keras), (keras, pytorch)):
        first = one.build(calm, seed=1)
        assert first.optimiser_state() == {}
        list(first.fit([batch(0), batch(1), batch(2)], [1e-3] * 3, optimiser))
        second = other.build(calm, {info.name: first.weights(info.name) for info in first.layers})
        state = first.optimiser_state()
        alike, anew = (
            [*model.fit([batch(3), batch(4)], [1e-3] * 2, optimiser, state=state)] for model in (first, second)
        )
        np.testing.assert_allclose([step.loss for step in alike], [step.loss for step in anew], rtol=1e-4)
        slots = {name: array for name, array in first.optimiser_state().items() if not name.startswith("chance")}
        assert slots
        for name, array in slots.items():
            np.testing.assert_allclose(array, second.optimiser_state()[name], rtol=1e-2, atol=1e-5, err_msg=name)


def test_another_networks_state_is_refused(backend: Backend) -> None:
    model = backend.build(NETWORK)
    list(model.fit([batch(0)], [1e-3], Optimiser()))
    state = dict(model.optimiser_state())
    for changed in ({**state, "conv/kernel/mean": np.zeros((2, 2, 1, 4))}, {"steps": state["steps"]}):
        with pytest.raises(BackendError, match=r"does not fit: 'conv/(kernel|bias)/mean' should have shape"):
            next(model.fit([batch(0)], [1e-3], Optimiser(), state=changed))


def scalars(folder: RunFolder) -> Mapping[str, list[tuple[int, float]]]:
    """What TensorBoard reads, by its own means."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder.path), size_guidance={"scalars": 0}).Reload()
    return {tag: [(each.step, each.value) for each in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_what_was_measured_and_no_step_twice(
    backend: Backend, new_run: Callable[..., RunFolder]
) -> None:
    folder = new_run(backend)
    killed(folder, STEPS_PER_EPOCH + 5)
    resumed(folder, At(4))
    resumed(folder)
    found, lines = scalars(folder), folder.metrics()
    steps, epochs = ([line for line in lines if ("epoch" in line) == wanted] for wanted in (False, True))
    for tag, name, measured_lines in (
        ("loss/batch", "loss", steps),
        ("accuracy/batch", "accuracy", steps),
        ("loss/epoch", "loss", epochs),
        ("accuracy/epoch", "accuracy", epochs),
        ("loss/validation", "validation_loss", epochs),
        ("accuracy/validation", "validation_accuracy", epochs),
    ):
        wanted = [(line["step"], line[name]) for line in measured_lines]
        np.testing.assert_allclose(found[tag], wanted, rtol=1e-6, err_msg=tag)
    rates = folder.config().learning_rates(431)
    np.testing.assert_allclose(found["learning_rate"], [*enumerate(rates, 1)], rtol=1e-6)
    assert [step for step, _ in found["images_per_second"]] == [8, 16, 24, 32]
    assert all(pace > 0 for _, pace in found["images_per_second"])


def test_a_long_run_leaves_steps_out_but_no_epoch(tmp_path: Path) -> None:
    events = Events(0)
    for step in range(1, 5001):
        events.add({"step": step, "loss": 1 / step, "accuracy": 0.5, "learning_rate": 1e-3}, steps=5000)
        if step % 7 == 0:
            events.add({"step": step, "epoch": step // 7, "loss": 0.1, "accuracy": 0.9}, steps=5000)
    (tmp_path / "events.out.tfevents.000000").write_bytes(events.taken())
    found = scalars(RunFolder(tmp_path))
    assert len(found["loss/batch"]) == MOST_STEPS
    assert found["loss/batch"][0] == (5, pytest.approx(0.2))
    assert len(found["loss/epoch"]) == 5000 // 7
    assert events.taken() == b""


@pytest.mark.parametrize("what", ["what TensorBoard reads", "the optimiser"])
def test_a_disk_without_room_for_what_lies_beside_is_said_and_nothing_is_lost(
    pytorch: Backend, new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    whole, folder = new_run(pytorch), new_run(pytorch)
    trained(whole)
    left = [12 if what == "what TensorBoard reads" else 3]

    def runs_full(real: Callable[..., Any], concerned: Callable[..., bool]) -> Callable[..., Any]:
        def writing(*given: Any) -> Any:
            if concerned(*given):
                left[0] -= 1
                if not left[0]:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return real(*given)

        return writing

    append = runs_full(AppendedFile.append, lambda file, content: "tfevents" in file.path.name)
    write = runs_full(optimiser_state.write_whole, lambda path, content: True)
    with monkeypatch.context() as patch:
        if what == "what TensorBoard reads":
            patch.setattr(AppendedFile, "append", append)
        else:
            patch.setattr(optimiser_state, "write_whole", write)
        with folder.held():
            assert train(folder, folder.written_status(), Event()) == 1
    assert folder.written_status().message == "The disk is full; make room and resume from the last snapshot."
    resumed(folder)
    assert_equal(folder, whole)
    assert [step for step, _ in scalars(folder)["loss/batch"]] == list(range(1, 4 * STEPS_PER_EPOCH + 1))


def test_a_learning_rate_of_a_thousand_million_ends_in_a_sentence(
    backend: Backend, new_run: Callable[..., RunFolder]
) -> None:
    folder = new_run(backend, recipe=replace(RECIPE, learning_rate=1e9, optimiser=Optimiser(name="sgd")))
    with folder.held():
        assert train(folder, folder.written_status(), Event()) == 1
    assert "Try a smaller learning rate than 1e+09." in folder.written_status().message
    assert folder.written_status().state == "failed"
    assert load_weights(folder.snapshots()[-1].path, NETWORK)
