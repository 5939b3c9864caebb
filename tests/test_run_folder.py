"""The folder of a run, whatever happens to it in whatever order; the training is the real one on a pretended model."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from layerscope.backends.base import Optimiser, Step
from layerscope.datasets.base import DatasetError
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input
from layerscope.models.weights import initial_weights, save_weights
from layerscope.training import course
from layerscope.training.batches import Position, positioned_batches
from layerscope.training.config import DataChoice, RunConfig, RunError, check, check_data
from layerscope.training.folder import RunFolder, Status, snapshot_name
from layerscope.training.material import Material, training_data
from layerscope.training.recipes import FAST, ORIGINAL, Recipe
from layerscope.training.recorder import AppendedFile
from layerscope.training.runs import RunStore
from layerscope.training.trainer import train

NETWORK = Architecture(
    name="tiny",
    title="Tiny",
    layers=(
        Input(name="image", shape=(3, 3, 1)),
        Flatten(name="flatten"),
        Dense(name="logits", units=10),
        Activation(name="softmax", function="softmax"),
    ),
)
IMAGES = np.random.default_rng(1).integers(0, 256, (23, 3, 3, 1), np.uint8)
LABELS = np.arange(23) % 10
RECIPE = Recipe(epochs=2, batch=5, validation=0.1)
CONFIG = RunConfig(model="tiny", architecture=NETWORK, backend="pytorch", recipe=RECIPE)
STEPS_PER_EPOCH = 4


class KilledError(BaseException):
    """Ends a training as SIGKILL would: nothing that the trainer has in store for errors sees it."""


class PretendedModel:
    """Measures every batch by what is in it, moves no weights, and does something unheard of at a step."""

    input_shape = NETWORK.input_shape
    layers = NETWORK.infos

    def __init__(self, weights: Mapping[str, Any], happens: Callable[[], None]) -> None:
        self._weights = weights
        self._happens = happens

    def weights(self, layer: str) -> Mapping[str, np.ndarray]:
        return self._weights[layer]

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.zeros((len(images), 10), np.float32)

    def optimiser_state(self) -> Mapping[str, np.ndarray]:
        return {}

    def fit(self, batches: Iterable[Any], rates: Iterable[float], optimiser: Optimiser) -> Iterator[Step]:
        for rate, (images, labels) in zip(rates, batches, strict=False):
            self._happens()
            yield Step(float(images.mean() + labels.mean() + rate), float(labels[0] / 10))


class PretendedBackend:
    """Builds pretended models; counts steps down to the moment at which something happens."""

    title = "Pretended"

    def __init__(self) -> None:
        self.steps_left = -1
        self.event: Callable[[], None] = lambda: None

    def seed(self, seed: int) -> None:
        pass

    def build(self, architecture: Architecture, weights: Mapping[str, Any]) -> PretendedModel:
        return PretendedModel(weights, self._step)

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            self.event()


def kill() -> None:
    raise KilledError


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> PretendedBackend:
    return pretend(monkeypatch)


def pretend(monkeypatch: pytest.MonkeyPatch) -> PretendedBackend:
    backend = PretendedBackend()
    monkeypatch.setattr(course, "backend_named", lambda name: backend)
    monkeypatch.setattr(course, "training_data", lambda config: Material(IMAGES, LABELS, {}))
    monkeypatch.setattr(course, "check", lambda config: None)
    monkeypatch.setattr("layerscope.training.runs.check", lambda config: None)
    return backend


def trained(folder: RunFolder, asked: Event | None = None) -> int:
    with folder.held():
        return train(folder, folder.written_status(), asked or Event())


def lines(folder: RunFolder) -> tuple[list[tuple[int, float]], list[int]]:
    """Steps with their losses, and the numbers of the epochs."""
    found = folder.metrics()
    return (
        [(line["step"], line["loss"]) for line in found if "epoch" not in line],
        [line["epoch"] for line in found if "epoch" in line],
    )


class Histories(RuleBasedStateMachine):
    """A run is trained, killed, stopped, resumed, trained further and renamed in any order."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.backend = pretend(self.patch)
        # Every line is written at once, so that a killed trainer leaves lines that its last snapshot does not know.
        self.patch.setattr("layerscope.training.recorder.LATEST", 0)
        self.home = TemporaryDirectory()
        self.store, self.other = RunStore(Path(self.home.name)), RunStore(Path(self.home.name))
        self.id = self.store.create(CONFIG)
        self.folder = self.store.folder(self.id)
        self.state, self.title, self.epochs = "queued", "Tiny", 2
        self.rates: list[int] = [2]

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.home.cleanup()
            self.patch.undo()

    @precondition(lambda self: self.state == "queued")
    @rule(steps=st.integers(1, 15), how=st.sampled_from(["kill", "stop", "error"]))
    def train(self, steps: int, how: str) -> None:
        asked = Event()

        def fail() -> None:
            raise RuntimeError("no luck")

        self.backend.steps_left = steps
        self.backend.event = {"kill": kill, "stop": asked.set, "error": fail}[how]
        left = self.epochs * STEPS_PER_EPOCH - self.last_snapshot
        happened = steps <= left
        try:
            trained(self.folder, asked)
        except KilledError:
            with self.folder.metrics_file.open("ab") as file:
                file.write(b'{"step": 1000, "lo')
        if not happened or (how == "stop" and steps == left):
            self.state = "done"
        else:
            self.state = {"kill": "stopped unexpectedly", "stop": "stopped", "error": "failed"}[how]

    @property
    def last_snapshot(self) -> int:
        snapshots = self.folder.snapshots()
        return snapshots[-1].step if snapshots else 0

    @precondition(lambda self: self.state == "queued")
    @rule()
    def stop_while_queued(self) -> None:
        self.other.stop(self.id)
        self.state = "stopped"

    @rule()
    def resume(self) -> None:
        if self.state in ("queued", "done"):
            with pytest.raises(RunError):
                self.other.resume(self.id)
        else:
            self.other.resume(self.id)
            self.state = "queued"

    @rule(epochs=st.integers(0, 2))
    def train_further(self, epochs: int) -> None:
        if self.state == "queued" or epochs == 0:
            # What is wrong with the number is left to `check`, which is not asked here.
            if self.state == "queued":
                with pytest.raises(RunError):
                    self.store.train_further(self.id, epochs)
            return
        self.store.train_further(self.id, epochs)
        self.epochs += epochs
        self.rates.append(epochs)
        self.state = "queued"

    @rule(title=st.text("abc é\n", min_size=1))
    def rename(self, title: str) -> None:
        if not title.strip():
            with pytest.raises(RunError):
                self.store.rename(self.id, title)
            return
        self.store.rename(self.id, title)
        self.other.note(self.id, title)
        self.title = title.strip()

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "home"):
            return
        run = self.other.read(self.id)
        assert (run.status, run.title, run.epochs_in_all) == (self.state, self.title, self.epochs)
        steps, epochs = lines(self.folder)
        assert [step for step, _ in steps] == list(range(1, len(steps) + 1))
        assert [loss for _, loss in steps] == self.expected()[: len(steps)]
        assert epochs == list(range(1, len(epochs) + 1))
        assert len(epochs) == len(steps) // STEPS_PER_EPOCH or self.state != "done"
        assert self.last_snapshot <= len(steps)
        moments = [snapshot.step for snapshot in self.folder.snapshots()]
        assert moments == sorted(set(moments))
        if self.state == "done":
            assert len(steps) == self.epochs * STEPS_PER_EPOCH == self.last_snapshot
        if self.state == "stopped" and run.message.startswith("Stopped after"):
            assert self.last_snapshot == len(steps) == run.step
        assert not list(self.folder.path.rglob(".*.safetensors.*"))

    def expected(self) -> list[float]:
        """Losses of a training that nothing happens to."""
        learnt, _ = Material(IMAGES, LABELS, {}).split(RECIPE.validation, RECIPE.seed)
        batches = positioned_batches(learnt.images, learnt.labels, RECIPE.with_epochs(self.epochs))
        rate = RECIPE.learning_rate
        return [round(float(images.mean() + labels.mean() + rate), 6) for (images, labels), _ in batches]


Histories.TestCase.settings = settings(
    max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = Histories.TestCase


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def test_a_config_is_read_as_it_was_written(store: RunStore) -> None:
    for config in (
        replace(CONFIG, title="Mine", notes="two\nlines", further=(3, 1), start="run:x@epoch-001"),
        RunConfig(model="cnn", backend="keras", recipe=FAST["cnn"], data=DataChoice(source="digits", share=0.5)),
        RunConfig(model="dense-84x96", backend="keras", recipe=ORIGINAL["dense-84x96"]),
    ):
        assert RunConfig.from_json(config.to_json()) == config
    with pytest.raises(RunError, match="cannot be read"):
        RunConfig.from_json("[]")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "at least 1 epoch. Received: 0"),
        ({"learning_rate": 0.0}, "above 0. Received: 0"),
        ({"learning_rate": -1e-3}, "above 0. Received: -0.001"),
        ({"learning_rate": float("nan")}, "above 0. Received: nan"),
        ({"batch": 0}, "at least 1 image. Received: 0"),
        ({"validation": 1.0}, "below 1. Received: 1"),
        ({"optimiser": Optimiser(name="lion")}, "no optimiser 'lion'; there are sgd, adam, rmsprop"),  # type: ignore[arg-type]
        ({"optimiser": Optimiser(momentum=1.0)}, "Momentum is from 0 to below 1"),
        ({"schedule": "whim"}, "no schedule 'whim'; there are constant, one-cycle"),
        ({"seed": -1}, "seed is a whole number from 0"),
    ],
)
def test_a_recipe_that_cannot_be_trained_by_is_said_in_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunError) as raised:
        check(replace(CONFIG, recipe=replace(RECIPE, **change)))
    assert words in str(raised.value)


def test_other_things_that_are_wrong_with_a_config(store: RunStore) -> None:
    for change, words in (
        ({"backend": "abacus"}, "no backend 'abacus'"),
        ({"architecture": None}, "no bundled network 'tiny'"),
        ({"data": DataChoice(share=0)}, "above 0 and at most 1"),
        ({"further": (0,)}, "at least 1 epoch"),
    ):
        with pytest.raises(RunError, match=words):
            check(replace(CONFIG, **change))
    for start in ("run:nothing", "missing.safetensors", "os:system", "../../etc/passwd"):
        with pytest.raises(RunError):
            store.create(replace(CONFIG, start=start))
    assert store.runs() == []


def test_an_absurd_learning_rate_is_allowed() -> None:
    check(replace(CONFIG, recipe=replace(RECIPE, learning_rate=1e9)))


def test_too_little_data_is_said_in_one_sentence() -> None:
    for recipe, counts, words in (
        (RECIPE, (0, 5), "Nothing is left to learn from"),
        (RECIPE, (20, 0), "keeps no image out"),
        (replace(RECIPE, batch=21), (20, 2), "larger than the 20 images to learn from; .* Received: batch=21"),
    ):
        with pytest.raises(RunError, match=words):
            check_data(replace(CONFIG, recipe=recipe), *counts)
    check_data(replace(CONFIG, recipe=replace(RECIPE, batch=None)), 20, 2)


@pytest.mark.parametrize("id", ["", "..", "../x", ".new-1", "a/b", "A", "x" * 90, "nothing"])
def test_what_is_no_run_is_not_read(store: RunStore, id: str) -> None:
    store.create(CONFIG)
    with pytest.raises(RunError, match="There is no run"):
        store.read(id)


def test_runs_are_listed_newest_first_and_named(store: RunStore) -> None:
    ids = [store.create(replace(CONFIG, title=title)) for title in ("a", "", "c")]
    assert len(set(ids)) == 3
    assert list(store.titles().values()) == ["c", "Tiny", "a"]
    assert [run.id for run in store.runs()] == ids[::-1]
    store.rename(ids[0], " first ")
    store.note(ids[0], "good")
    run = RunStore(store.home).read(ids[0])
    assert (run.title, run.notes, run.config["recipe"]["epochs"]) == ("first", "good", 2)


def test_a_run_is_deleted_unless_it_is_being_trained(store: RunStore) -> None:
    id = store.create(CONFIG)
    with store.folder(id).held(), pytest.raises(RunError, match="is being trained; stop it first"):
        store.delete(id)
    store.delete(id)
    assert store.ids() == []
    assert [path.name for path in store.path.iterdir()] in ([], [".editing"])


def test_damage_to_a_folder_is_said_and_the_other_runs_are_there(store: RunStore) -> None:
    good, bad, odd = (store.create(CONFIG) for _ in range(3))
    store.folder(bad).status_file.write_text("{")
    store.folder(odd).config_file.write_text("{}")
    assert [run.id for run in store.runs()] == [bad, good]
    assert store.read(bad).status == "failed"
    with pytest.raises(RunError, match="cannot be read"):
        store.read(odd)


def test_a_home_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = RunStore(tmp_path / "file")
    assert store.runs() == []
    with pytest.raises(RunError, match="A run cannot be kept in"):
        store.create(CONFIG)


def test_a_half_written_line_is_left_out(store: RunStore) -> None:
    id = store.create(CONFIG)
    whole = '{"step": 1, "loss": 2.0, "accuracy": 0.5, "seconds": 1}\n'
    for content, count in (("", 0), (whole, 1), (whole + whole[:20], 1), (whole + "nonsense\n" + whole, 2)):
        store.folder(id).metrics_file.write_text(content)
        assert len(store.read(id).steps) == count


def test_a_run_whose_trainer_holds_it_trains_and_one_whose_trainer_is_gone_does_not(store: RunStore) -> None:
    folder = store.folder(store.create(CONFIG))
    with folder.held():
        # The heartbeat is old: a trainer may be long in one step.
        folder.write_status(Status(state="training", step=7, heartbeat=time.time() - 100))
        assert folder.status().state == "training"
    assert folder.status().state == "stopped unexpectedly"
    assert "at step 7" in folder.status().message
    with folder.held():
        folder.write_status(Status(state="training"))
    assert folder.status().message.endswith("resume it to begin anew.")


def test_snapshots_sort_by_their_names_and_know_their_moment(store: RunStore, pretended: PretendedBackend) -> None:
    folder = store.folder(store.create(CONFIG))
    assert trained(folder) == 0
    found = store.snapshots(folder.id)
    assert [(snapshot.name, snapshot.step, snapshot.epoch) for snapshot in found] == [
        ("epoch-000", 0, 0.0),
        ("epoch-000_step-000001", 1, 0.25),
        ("epoch-000_step-000002", 2, 0.5),
        ("epoch-001", 4, 1.0),
        ("epoch-002", 8, 2.0),
    ]
    assert sorted(path.name for path in folder.snapshots_folder.iterdir()) == [snapshot.path.name for snapshot in found]
    assert store.weights_path(f"run:{folder.id}") == found[-1].path
    assert store.weights_path(f"run:{folder.id}@epoch-001") == found[3].path
    with pytest.raises(RunError, match="no snapshot 'epoch-009'; it has epoch-000, "):
        store.weights_path(f"run:{folder.id}@epoch-009")
    assert store.architecture(f"run:{folder.id}@epoch-001") == NETWORK
    assert snapshot_name(12, 5) == "epoch-002_step-000012"


def test_metrics_are_downloaded_as_a_table(store: RunStore, pretended: PretendedBackend) -> None:
    folder = store.folder(store.create(CONFIG))
    trained(folder)
    header, first, *_, last = store.metrics_csv(folder.id).splitlines()
    assert header == "step,epoch,loss,accuracy,validation_loss,validation_accuracy,seconds"
    assert first.startswith("1,,")
    step, epoch, *_, validation_loss, _, _ = last.split(",")
    assert (step, epoch, float(validation_loss)) == ("8", "2", pytest.approx(np.log(10), abs=1e-6))


def test_fine_tuning_takes_over_the_layers_that_fit(store: RunStore, pretended: PretendedBackend) -> None:
    layers = NETWORK.layers[0], Flatten(name="flatten"), Dense(name="wide", units=4), Dense(name="logits", units=10)
    softmax = Activation(name="softmax", function="softmax")
    other = Architecture(name="other", title="Other", layers=(*layers, softmax))
    weights = initial_weights(NETWORK, seed=5)
    save_weights(store.home / "mine.safetensors", NETWORK, weights)
    start = str(store.home / "mine.safetensors")
    tuned, refused = (
        store.folder(store.create(replace(CONFIG, start=start, architecture=a))) for a in (NETWORK, other)
    )
    assert trained(tuned) == 0
    again = store.folder(store.create(replace(CONFIG, start=f"run:{tuned.id}@epoch-000")))
    assert trained(again) == 0
    for folder in (tuned, again):
        first = course.load_weights(folder.snapshots()[0].path, NETWORK)
        np.testing.assert_array_equal(first["logits"]["kernel"], weights["logits"]["kernel"])
    assert trained(refused) == 1
    assert "No layer of Other fits the weights to begin from" in refused.status().message


def test_a_full_disk_leaves_whole_files_and_a_sentence(
    store: RunStore, pretended: PretendedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write of the third batch of lines fits only in part, as on a disk without room."""
    folder = store.folder(store.create(CONFIG))
    monkeypatch.setattr("layerscope.training.recorder.LATEST", 0)
    real, calls = AppendedFile.append, []

    def append(self: AppendedFile, content: bytes) -> None:
        if self.path == folder.metrics_file:
            calls.append(content)
        if self.path == folder.metrics_file and len(calls) == 9:
            import os

            write = os.write
            full = OSError(28, "No space left on device")
            answers = iter([lambda: write(self._file, content[:10])])

            def writing(file: int, content: bytes) -> int:
                step = next(answers, None)
                if step is None:
                    raise full
                return step()

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("layerscope.training.recorder.os.write", writing)
                return real(self, content)
        return real(self, content)

    monkeypatch.setattr(AppendedFile, "append", append)
    assert trained(folder) == 1
    assert folder.status().state == "failed"
    assert folder.status().message == "The disk is full; make room and resume from the last snapshot."
    assert folder.metrics_file.read_bytes().endswith(b"}\n")
    assert not (folder.path / ".ballast").exists()
    store.resume(folder.id)
    assert trained(folder) == 0
    assert [step for step, _ in lines(folder)[0]] == list(range(1, 9))


def test_batches_go_on_from_a_position_just_as_they_would_have_come() -> None:
    recipe = replace(FAST["cnn"], epochs=3, batch=5)
    images = np.random.default_rng(0).integers(0, 256, (23, 28, 28, 1), np.uint8)
    whole = list(positioned_batches(images, LABELS, recipe))
    for done in (1, 3, 4, 5, 8, 11):
        begin = Position.from_json(json.dumps(json.loads(whole[done - 1][1].to_json())))
        rest = list(positioned_batches(images, LABELS, recipe, begin))
        assert len(rest) == len(whole) - done
        for ((images_a, labels_a), position_a), ((images_b, labels_b), position_b) in zip(
            rest, whole[done:], strict=True
        ):
            np.testing.assert_array_equal(images_a, images_b)
            np.testing.assert_array_equal(labels_a, labels_b)
            assert position_a == position_b
    assert list(positioned_batches(images, LABELS, recipe, whole[-1][1])) == []


def test_further_epochs_make_a_course_of_the_learning_rate_of_their_own() -> None:
    config = replace(CONFIG, recipe=replace(RECIPE, schedule="one-cycle"), further=(3,))
    rates = config.learning_rates(21)
    assert len(rates) == 5 * STEPS_PER_EPOCH
    np.testing.assert_array_equal(rates[8:], config.recipe.with_epochs(3).learning_rates(21))


def test_seconds_left_are_told_while_it_trains(store: RunStore) -> None:
    run = store.read(store.create(CONFIG))
    assert run.seconds_left is None
    going = replace(run, status="training", step=25, steps_in_all=100, seconds=5.0)
    assert going.seconds_left == pytest.approx(15)
    assert going.share_done == 0.25


def own_images(path: Path, labels: list[Any]) -> RunConfig:
    np.savez(path, images=np.full((len(labels), 4, 4), 9, np.uint8), labels=np.array(labels))
    return replace(CONFIG, data=DataChoice(source=str(path)))


def test_images_of_ones_own_are_learnt_from_by_the_names_of_their_classes(tmp_path: Path) -> None:
    found = training_data(own_images(tmp_path / "threes.npz", ["3", "7", "3"]))
    assert found.labels.tolist() == [3, 7, 3]
    assert found.images.shape == (3, 3, 3, 1)
    pets = replace(NETWORK, classes=("cat", "dog", *"234567890"[:8]))
    config = replace(own_images(tmp_path / "pets.npz", ["dog", "cat"]), architecture=pets)
    assert training_data(config).labels.tolist() == [1, 0]
    with pytest.raises(RunError, match=r"Tiny tells the 10 classes 0, 1, .* Received: 2 classes, cat, dog"):
        training_data(own_images(tmp_path / "pets.npz", ["dog", "cat"]))


def test_data_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no file or folder gone.npz"):
        training_data(replace(CONFIG, data=DataChoice(source=str(tmp_path / "gone.npz"))))
    with pytest.raises(RunError, match=r"images called so: mnist, mnist\+pens, digits\. Received: cifar$"):
        training_data(replace(CONFIG, data=DataChoice(source="cifar")))


def test_the_bundled_digits_are_there_without_files_and_a_share_of_them_is_a_part() -> None:
    config = replace(CONFIG, data=DataChoice(source="digits", share=0.1))
    part = training_data(config)
    assert len(part.labels) == 180
    whole = training_data(replace(config, data=DataChoice(source="digits")))
    assert len(whole.labels) == 1797
    images = {image.tobytes() for image in whole.images}
    assert all(image.tobytes() in images for image in part.images)
