"""What it costs to train through Layerscope: a whole run, recorded, beside a plain loop in the same framework."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
from plain import keras_network, torch_network

NETWORK = "cnn-compact"
TURNS, WARM_UP, STEPS = 12, 2, 40

Stop = Callable[[], bool]


class InTurns:
    """A training in a thread of its own, which rests after so many steps until it is its turn again."""

    def __init__(self, train: Callable[[Stop], Any]) -> None:
        self.losses: list[float] = []
        self._train = train
        self._go, self._rests = Event(), Event()
        self._left, self._over = 0, False
        self._fault: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def turn(self, steps: int) -> tuple[float, float]:
        """Seconds on the clock, and of all cores together."""
        self._left = steps
        self._rests.clear()
        begin, used = time.perf_counter(), time.process_time()
        self._go.set()
        self._rests.wait()
        taken = time.perf_counter() - begin, time.process_time() - used
        if self._fault:
            raise self._fault
        return taken

    def end(self) -> None:
        """Stops it."""
        self._over = True
        self._left = 1
        self._go.set()
        self._thread.join()

    def _run(self) -> None:
        self._wait()
        try:
            self._train(self._stop)
        except BaseException as error:
            self._fault = error
        self._rests.set()

    def _stop(self) -> bool:
        """Asked by the training after every step."""
        self._left -= 1
        if self._left <= 0:
            self._rests.set()
            if not self._over:
                self._wait()
        return self._over

    def _wait(self) -> None:
        self._go.wait()
        self._go.clear()


def cost(backend: str) -> dict[str, Any]:
    """How many times the plain loop's time, on the clock and of all cores, a run takes for the same steps."""
    from layerscope.training.config import DataChoice, RunConfig
    from layerscope.training.material import training_data
    from layerscope.training.recipes import ORIGINAL

    recipe = replace(ORIGINAL[NETWORK], validation=0.0)
    config = RunConfig(model=NETWORK, backend=backend, recipe=recipe, data=DataChoice())
    material = training_data(config)
    batches = _plain_batches(material.images, material.labels, recipe)
    plain: list[float] = []
    loop = {"pytorch": _pytorch, "keras": _keras}[backend]
    with tempfile.TemporaryDirectory() as home:
        folder = _new_run(Path(home), config)
        contenders = {
            "run": InTurns(lambda stop: _run(folder, stop)),
            "plain": InTurns(lambda stop: loop(config, batches, plain, stop)),
        }
        times = {name: [] for name in contenders}
        for number in range(WARM_UP + TURNS):
            for name in list(contenders)[:: 1 if number % 2 else -1]:
                times[name].append(contenders[name].turn(STEPS))
        for contender in contenders.values():
            contender.end()
        recorded = [line["loss"] for line in folder.metrics() if "epoch" not in line]
    if not np.allclose(recorded[:20], plain[:20], rtol=0.02):
        raise SystemExit(f"The plain loop in {backend} learns something else. Received: {recorded[:20]}, {plain[:20]}")
    counted = {name: np.array(each[WARM_UP:]) for name, each in times.items()}
    wall, cpu = (statistics.median(counted["run"][:, which] / counted["plain"][:, which]) for which in (0, 1))
    return {
        "network": NETWORK,
        "backend": backend,
        "milliseconds": {name: 1e3 * float(np.median(each[:, 0])) / STEPS for name, each in counted.items()},
        "wall": float(wall),
        "cpu": float(cpu),
    }


def _new_run(home: Path, config: Any) -> Any:
    from layerscope.training.runs import RunStore

    store = RunStore(home)
    return store.folder(store.create(config))


def _run(folder: Any, stop: Stop) -> None:
    """What the trainer's process does, with the metrics, the status and the snapshots of a run."""
    from layerscope.training.course import prepare
    from layerscope.training.recorder import Recorder

    with folder.held(), Recorder(folder, folder.written_status()) as recorder:
        prepare(folder, recorder, stop).run()
        recorder.flush()


def _plain_batches(images: np.ndarray, labels: np.ndarray, recipe: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(recipe.seed)
    while True:
        order = random.permutation(len(images))
        for start in range(0, len(images) - recipe.batch + 1, recipe.batch):
            chosen = order[start : start + recipe.batch]
            yield images[chosen].astype(np.float32) / 255, labels[chosen]


def _weights(config: Any) -> Any:
    from layerscope.models.weights import initial_weights

    return initial_weights(config.network, config.recipe.seed)


def _pytorch(config: Any, batches: Iterator[Any], losses: list[float], stop: Stop) -> None:
    import torch

    network = torch_network(config.network, _weights(config))[:-1].train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.recipe.learning_rate, eps=1e-7, fused=True)
    for images, labels in batches:
        wanted = torch.from_numpy(labels)
        guesses = network(torch.from_numpy(images).permute(0, 3, 1, 2))
        loss = torch.nn.functional.cross_entropy(guesses, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        (guesses.argmax(1) == wanted).float().mean().item()
        if stop():
            return


def _keras(config: Any, batches: Iterator[Any], losses: list[float], stop: Stop) -> None:
    import keras
    import tensorflow as tf

    network = keras.Sequential(keras_network(config.network, _weights(config)).layers[:-1])
    network.build((None, *config.network.input_shape))
    optimiser = keras.optimizers.Adam(config.recipe.learning_rate, epsilon=1e-7)
    optimiser.build(network.trainable_variables)

    @tf.function
    def step(images: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            guesses = network(images, training=True)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, guesses)
            loss = tf.reduce_mean(each)
        optimiser.apply_gradients(
            zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables, strict=True)
        )
        return loss, tf.reduce_mean(tf.cast(tf.argmax(guesses, 1) == labels, tf.float32))

    for images, labels in batches:
        loss, accuracy = step(tf.constant(images), tf.constant(labels))
        losses.append(float(loss))
        float(accuracy)
        if stop():
            return
