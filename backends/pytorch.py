"""The PyTorch backend. PyTorch itself is imported when a model is first built or opened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..models.architecture import Architecture
from ..models.weights import initial_weights
from .base import Backend, Model, Weights
from .missing import comes_from, import_framework, sentence_if_missing
from .operations import Operation
from .stored import fitting


class PyTorchBackend(Backend):
    """Runs on a GPU when there is one."""

    name = "pytorch"
    title = "PyTorch"
    extra = "torch"

    @property
    def missing(self) -> str | None:
        return sentence_if_missing(self, "torch")

    def start(self) -> None:
        import_framework(self, "torch")

    def seed(self, seed: int) -> None:
        self.start()
        import torch

        torch.manual_seed(seed)

    def build(self, architecture: Architecture, weights: Weights | None = None, seed: int = 0) -> Model:
        self.start()
        from torch.nn import ModuleList

        from .pytorch_layers import device, inference, module_for, training_twin
        from .pytorch_model import PyTorchModel

        if weights is None:
            weights = initial_weights(architecture, seed)
        given = fitting(architecture.name, architecture.infos, weights)
        shapes = {info.name: info.output_shape for info in architecture.infos}
        modules = {
            layer.name: module_for(layer, [shapes[name] for name in layer.inputs]).to(device()).eval()
            for layer in architecture.layers
        }
        twins = {name: training_twin(module) for name, module in modules.items()}
        calls = {name: inference(module) for name, module in modules.items()}
        operations, training = (
            [Operation(layer.name, each[layer.name], layer.inputs) for layer in architecture.layers]
            for each in (calls, twins)
        )
        model = PyTorchModel(
            operations,
            training,
            architecture.infos,
            network=ModuleList(modules.values()),
            owners=modules,
            name=architecture.name,
            classes=architecture.classes,
        )
        model.load(given)
        return model

    def open(self, source: Any, name: str = "", classes: Sequence[str] | None = None) -> Model:
        self.start()
        from .pytorch_open import follow

        return follow(source, name, classes)

    def reads(self, path: Path) -> bool:
        return False

    def takes(self, source: Any) -> bool:
        return comes_from(source, "torch")
