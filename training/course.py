"""The training of one run from where it stands to its end, or to where it is stopped."""

import logging
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from ..backends.base import Array, Model, State
from ..backends.registry import backend as backend_named
from ..drawing.fit import fit_images
from ..models.architecture import Architecture
from ..models.weights import initial_weights, load_weights, read_architecture, read_metadata, save_weights
from .batches import Batch, Position, ahead, positioned_batches
from .config import RunConfig, RunError, check, check_data
from .folder import RunFolder, snapshot_name
from .material import Material, training_data
from .optimiser_state import forget_others, keep_state, state_of
from .recorder import Recorder
from .runs import RunStore

log = logging.getLogger(__name__)

EARLY = (1 / 8, 1 / 4, 1 / 2)
"""Where in the first epoch, in which most is learnt, snapshots are taken."""
EVALUATED_AT_ONCE = 500
DIGITS = 6
"""Decimals of a measured loss or accuracy."""


class NotFiniteError(RunError):
    """The loss or a weight is no longer a number."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """Everything that is ready for a training.

    Attributes:
        folder: of the run.
        config: of the run.
        recorder: takes what is measured.
        model: with the weights to go on from.
        network: the model's architecture.
        learnt: images to learn from.
        kept_out: images to watch the training by; there may be none.
        begin: where among the batches it goes on; None at the very beginning.
        state: what the optimiser has gathered up to there; empty at the very beginning, and where it is not known.
        stop: whether somebody has asked to stop.
    """

    folder: RunFolder
    config: RunConfig
    recorder: Recorder
    model: Model
    network: Architecture
    learnt: Material
    kept_out: Material
    begin: Position | None
    state: State
    stop: Callable[[], bool]

    @property
    def steps_per_epoch(self) -> int:
        """Steps that see all images once."""
        return self.config.recipe.steps_per_epoch(len(self.learnt.labels))

    def run(self) -> bool:
        """Trains to the end, which gives True, or until it is stopped, with what was learnt saved.

        Raises:
            NotFiniteError: the loss or a weight became infinite or no number; the last good snapshot is kept.
            OSError: the disk is full.
        """
        rates = self.config.learning_rates(len(self.learnt.labels))
        done = self.begin.step if self.begin else 0
        self.recorder.start()
        self.recorder.flush(step=done, steps=len(rates), epoch=done // self.steps_per_epoch, message="")
        early = {round(share * self.steps_per_epoch) for share in EARLY} - {0}
        measured = self._measured_in_this_epoch(done)
        positions: dict[int, Position] = {}
        with closing(self._batches()) as positioned:
            if not done:
                self._save(0, None)

            def batches() -> Iterator[Batch]:
                for batch, position in positioned:
                    positions[position.step] = position
                    yield batch

            # A backend that tells no state need not take one.
            given = {"state": self.state} if self.state else {}
            steps = self.model.fit(batches(), rates[done:], self.config.recipe.optimiser, **given)
            for step, found in enumerate(steps, done + 1):
                if not math.isfinite(found.loss):
                    raise self._not_finite(step, "loss")
                position = positions.pop(step)
                loss, accuracy = round(found.loss, DIGITS), round(found.accuracy, DIGITS)
                measured.append((loss, accuracy))
                rate = float(rates[step - 1])
                self.recorder.add(self._batch_size, rate, step=step, loss=loss, accuracy=accuracy)
                if step % self.steps_per_epoch == 0:
                    self._finish_epoch(step, measured, position)
                    measured = []
                elif step in early:
                    self._save(step, position)
                if self.stop() and step < len(rates):
                    if step % self.steps_per_epoch and step not in early:
                        self._save(step, position)
                    return False
        return True

    @property
    def _batch_size(self) -> int:
        return self.config.recipe.batch or len(self.learnt.labels)

    def _batches(self) -> Generator[tuple[Batch, Position], None, None]:
        recipe = self.config.recipe.with_epochs(self.config.epochs)
        return ahead(positioned_batches(self.learnt.images, self.learnt.labels, recipe, self.begin))

    def _measured_in_this_epoch(self, done: int) -> list[tuple[float, float]]:
        """What was measured in an epoch that a run goes on in the middle of."""
        first = done // self.steps_per_epoch * self.steps_per_epoch
        lines = self.folder.metrics() if done > first else []
        return [(line["loss"], line["accuracy"]) for line in lines if "epoch" not in line and line["step"] > first]

    def _finish_epoch(self, step: int, measured: list[tuple[float, float]], position: Position) -> None:
        """Writes what the epoch came to, and only then its snapshot: what comes after a snapshot is measured again."""
        number = step // self.steps_per_epoch
        loss, accuracy = (round(float(mean), DIGITS) for mean in np.mean(measured, axis=0))
        line: dict[str, Any] = {"epoch": number, "step": step, "loss": loss, "accuracy": accuracy}
        if len(self.kept_out.labels):
            line["validation_loss"], line["validation_accuracy"] = self._validation(step)
        self.recorder.add(**line)
        self.recorder.flush(step=step, epoch=number)
        self._save(step, position)
        log.info("Epoch %d of %d: %s", number, self.config.epochs, line)

    def _validation(self, step: int) -> tuple[float, float]:
        """Mean cross-entropy in nats and share of right answers on the images kept out."""
        loss, right, count = 0.0, 0, len(self.kept_out.labels)
        for start in range(0, count, EVALUATED_AT_ONCE):
            part = slice(start, start + EVALUATED_AT_ONCE)
            labels = self.kept_out.labels[part]
            logits = self.model.logits(fit_images(self.kept_out.images[part], self.model.input_shape))
            scores = log_softmax(logits.astype(np.float64), axis=1)
            loss -= float(scores[np.arange(len(labels)), labels].sum())
            right += int((logits.argmax(axis=1) == labels).sum())
        if not math.isfinite(loss):
            raise self._not_finite(step, "loss on the images kept out")
        return round(loss / count, DIGITS), round(right / count, DIGITS)

    def _save(self, step: int, position: Position | None) -> None:
        weights = {info.name: self.model.weights(info.name) for info in self.model.layers if info.weight_shapes}
        if not all(np.isfinite(array).all() for named in weights.values() for array in named.values()):
            raise self._not_finite(step, "network")
        self.recorder.flush(step=step)  # a snapshot is never ahead of what was measured
        story = {
            "run": self.folder.id,
            "title": self.config.title,
            "backend": self.config.backend,
            "recipe": self.config.recipe.to_json(),
            "step": str(step),
            "epoch": f"{step / self.steps_per_epoch:.6g}",
            "position": position.to_json() if position else "",
        }
        name = snapshot_name(step, self.steps_per_epoch)
        path = self.folder.snapshots_folder / f"{name}.safetensors"
        if position:
            keep_state(path, self.model.optimiser_state(), self.config.recipe.optimiser)
        save_weights(path, self.network, weights, story)
        forget_others(path)

    def _not_finite(self, step: int, what: str) -> NotFiniteError:
        snapshots = self.folder.snapshots()
        kept = f"{snapshots[-1].name} is kept" if snapshots else "nothing was learnt"
        return NotFiniteError(
            f"The {what} became infinite or no number at step {step:,}; {kept}. Try a smaller learning rate than "
            f"{self.config.recipe.learning_rate:g}."
        )


def begin_of(folder: RunFolder) -> Position | None:
    """Where a run goes on: at its last snapshot. None at the very beginning."""
    found = [snapshot for snapshot in folder.snapshots() if snapshot.step]
    return Position.from_json(read_metadata(found[-1].path)["position"]) if found else None


def prepare(folder: RunFolder, recorder: Recorder, stop: Callable[[], bool]) -> Course:
    """Reads what a run needs, and its weights from its last snapshot if there is one.

    Raises:
        RunError: the config cannot be trained by.
        DatasetError: the data is missing or damaged.
        BackendError: the framework is missing.
        WeightsError: a weights file is damaged.
    """
    config, begin = folder.config(), begin_of(folder)
    check(config)
    recorder.flush(message="Reading the images…", epochs=config.epochs)
    learnt, kept_out = _split(config)
    recorder.flush(message=f"Starting {backend_named(config.backend).title}…")
    model = _model(folder, config, begin)
    log.info("%s images, %s in %s", f"{len(learnt.labels):,}", config.network.name, config.backend)
    state = state_of(folder.snapshots()[-1].path, config.recipe.optimiser) if begin else {}
    return Course(
        folder=folder,
        config=config,
        recorder=recorder,
        model=model,
        network=config.network,
        learnt=learnt,
        kept_out=kept_out,
        begin=begin,
        state=state,
        stop=stop,
    )


def _split(config: RunConfig) -> tuple[Material, Material]:
    """Images to learn from and images kept out of them."""
    learnt, kept_out = training_data(config).split(config.recipe.validation, config.recipe.seed)
    check_data(config, len(learnt.labels), len(kept_out.labels))
    return learnt, kept_out


def _model(folder: RunFolder, config: RunConfig, begin: Position | None) -> Model:
    backend, seed = backend_named(config.backend), config.recipe.seed
    # Where a run goes on, dropout must not mute the same units again that it muted at the beginning.
    backend.seed(seed + (begin.step if begin else 0))
    if begin:
        weights = load_weights(folder.snapshots()[-1].path, config.network)
    elif config.start:
        weights = _taken_over(RunStore(folder.path.parents[1]).start_weights(config), config)
    else:
        weights = initial_weights(config.network, seed)
    return backend.build(config.recipe.trained(config.network), weights)


def _taken_over(path: Path, config: RunConfig) -> dict[str, dict[str, Array]]:
    """Fresh weights, but those of another network wherever a layer of that name has weights of the same shapes.

    Raises:
        RunError: there is no such layer.
    """
    weights, given = initial_weights(config.network, config.recipe.seed), load_weights(path, read_architecture(path))
    fitting = [name for name, named in weights.items() if _shapes(given.get(name, {})) == _shapes(named)]
    if not fitting:
        raise RunError(f"No layer of {config.network.title} fits the weights to begin from. Received: {config.start}")
    fresh = [name for name in weights if name not in fitting]
    log.info("Weights of %s are taken over; fresh are %s", ", ".join(fitting), ", ".join(fresh) or "none")
    return {name: given[name] if name in fitting else named for name, named in weights.items()}


def _shapes(named: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in named.items()}
