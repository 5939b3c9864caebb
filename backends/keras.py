"""The Keras backend, on TensorFlow. Both are imported when a model is first built or opened."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..models.architecture import Architecture
from ..models.weights import initial_weights
from .base import Backend, BackendError, Model, Weights
from .missing import comes_from, import_framework, sentence_if_missing
from .operations import Operation
from .stored import fitting


class KerasBackend(Backend):
    """Runs on a GPU when TensorFlow sees one."""

    name = "keras"
    title = "Keras"
    extra = "keras"

    @property
    def missing(self) -> str | None:
        return sentence_if_missing(self, "tensorflow") or sentence_if_missing(self, "keras")

    def start(self) -> None:
        """Imports PyTorch first where it is installed: after TensorFlow, its import may crash the process."""
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with suppress(Exception):
            import torch  # noqa: F401
        import_framework(self, "tensorflow")
        import_framework(self, "keras")
        import keras
        import tensorflow

        for gpu in tensorflow.config.list_physical_devices("GPU"):
            with suppress(RuntimeError):
                tensorflow.config.experimental.set_memory_growth(gpu, True)
        if keras.backend.backend() != "tensorflow":
            raise BackendError(
                "Layerscope runs Keras on TensorFlow; set the environment variable KERAS_BACKEND=tensorflow. "
                f"Received: {keras.backend.backend()}"
            )

    def seed(self, seed: int) -> None:
        self.start()
        import keras

        keras.utils.set_random_seed(seed)

    def build(self, architecture: Architecture, weights: Weights | None = None, seed: int = 0) -> Model:
        self.start()
        from .keras_layers import calling, layer_for
        from .keras_model import KerasModel

        if weights is None:
            weights = initial_weights(architecture, seed)
        given = fitting(architecture.name, architecture.infos, weights)
        shapes = {info.name: info.output_shape for info in architecture.infos}
        layers = {
            layer.name: layer_for(layer, [shapes[name] for name in layer.inputs]) for layer in architecture.layers
        }
        operations = [Operation(layer.name, calling(layers[layer.name]), layer.inputs) for layer in architecture.layers]
        model = KerasModel(operations, layers, architecture.infos, name=architecture.name, classes=architecture.classes)
        model.load(given)
        return model

    def open(self, source: Any, name: str = "", classes: Sequence[str] | None = None) -> Model:
        self.start()
        from .keras_open import follow

        return follow(source, name, classes)

    def reads(self, path: Path) -> bool:
        return path.suffix in {".keras", ".h5"}

    def takes(self, source: Any) -> bool:
        return comes_from(source, "keras")
