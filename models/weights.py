"""Weights of a network on disk: one safetensors file, canonical layout, its architecture and its story beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .architecture import Architecture, ArchitectureError
from .files import write_whole
from .layers import LayerInfo, Shape

Array = NDArray[np.float32]
Weights = Mapping[str, Mapping[str, Array]]

ARCHITECTURE = "architecture"
"""The metadata key under which a weights file keeps its architecture as JSON."""

CHECKSUM = "sha256"
"""The metadata key of the checksum of all weights: safetensors itself does not notice a changed byte."""

CONSTANTS = {"bias": 0.0, "gamma": 1.0, "beta": 0.0, "mean": 0.0, "variance": 1.0}
"""What every weight but a kernel starts from."""


MEND = "fetch it again or train the network anew"


class WeightsError(ValueError):
    """A weights file that cannot be used; the message is one sentence for the user."""


def save_weights(
    path: Path, architecture: Architecture, weights: Weights, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes all weights of a network; an existing file is replaced only once the new one is complete.

    Args:
        path: the file to write; its folder is made when missing.
        architecture: whose weights they are.
        weights: layer name → canonical weight name → array in canonical layout; layers without weights may be left out.
        metadata: how the weights came to be; the keys `architecture` and `sha256` are added.

    Raises:
        WeightsError: the weights do not belong to the architecture.
    """
    tensors = {
        f"{layer}/{name}": np.ascontiguousarray(array, dtype=np.float32)
        for layer, named in weights.items()
        for name, array in named.items()
    }
    _check_shapes(f"Weights for {path.name}", architecture, {name: array.shape for name, array in tensors.items()})
    own = {ARCHITECTURE: architecture.to_json(), CHECKSUM: _checksum(tensors)}
    content = save(tensors, metadata={**(metadata or {}), **own})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)


def load_weights(path: Path, architecture: Architecture) -> dict[str, dict[str, Array]]:
    """The weights of a file, for every layer of the architecture that has any.

    Returns:
        Layer name → canonical weight name → float32 array in canonical layout (see `LayerInfo.weight_shapes`).

    Raises:
        WeightsError: the file is missing, damaged, or holds the weights of another architecture.
    """
    with _opened(path) as file:
        _check_shapes(path.name, architecture, {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
        tensors: dict[str, Array] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    if metadata.get(CHECKSUM, _checksum(tensors)) != _checksum(tensors) or not _are_finite(tensors):
        raise WeightsError(f"{path.name} is damaged: its numbers are not those once saved; {MEND}. Received: {path}")
    return {
        info.name: {name: tensors[f"{info.name}/{name}"] for name in info.weight_shapes}
        for info in architecture.infos
        if info.weight_shapes
    }


def read_metadata(path: Path) -> dict[str, str]:
    """What was stored beside the weights: how they came to be.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    return {key: value for key, value in _metadata(path).items() if key not in {ARCHITECTURE, CHECKSUM}}


def read_architecture(path: Path) -> Architecture:
    """The architecture whose weights a file holds.

    Raises:
        WeightsError: the file is missing, damaged, or keeps no architecture.
    """
    text = _metadata(path).get(ARCHITECTURE)
    if text is None:
        raise WeightsError(
            f"{path.name} does not say which network its weights are for; save it with save_weights. Received: {path}"
        )
    try:
        return Architecture.from_json(text)
    except ArchitectureError as error:
        raise WeightsError(
            f"{path.name} keeps an architecture that cannot be read: {error} Received: {path}"
        ) from error


def initial_weights(architecture: Architecture, seed: int = 0) -> dict[str, dict[str, Array]]:
    """Fresh weights, the same for the same seed whichever backend then runs them.

    Kernels are drawn as the description says, `glorot_uniform` (Glorot and Bengio 2010, equation 16) or `he_normal` (He
    et al. 2015, equation 10); biases start at 0, batch normalisation changes nothing yet.
    """
    random = np.random.default_rng(seed)
    return {
        info.name: {name: _initial(info, name, shape, random) for name, shape in info.weight_shapes.items()}
        for info in architecture.infos
        if info.weight_shapes
    }


def _initial(info: LayerInfo, name: str, shape: Shape, random: np.random.Generator) -> Array:
    if name != "kernel":
        return np.full(shape, CONSTANTS[name], np.float32)
    window = prod(shape[:-2])
    reads, feeds = window * shape[-2], window * shape[-1]
    if info.settings["initialiser"] == "he_normal":
        scaled: Array = (random.standard_normal(shape) * np.sqrt(2 / reads)).astype(np.float32)
        return scaled
    limit = float(np.sqrt(6 / (reads + feeds)))
    drawn: Array = random.uniform(-limit, limit, shape).astype(np.float32)
    return drawn


def _check_shapes(title: str, architecture: Architecture, received: Mapping[str, Shape]) -> None:
    """Compares weight by weight, in the order of the layers, so that the first difference is the one named."""
    wanted = {f"{info.name}/{name}": shape for info in architecture.infos for name, shape in info.weight_shapes.items()}
    for name in [*wanted, *received]:
        if wanted.get(name) != received.get(name):
            layer, _, weight = name.rpartition("/")
            raise WeightsError(
                f"{title} does not fit the network {architecture.name!r}: at layer {layer!r} the {weight} should have "
                f"{_size(wanted.get(name))}. Received: {_size(received.get(name))}"
            )


def _size(shape: Shape | None) -> str:
    return "no such weight" if shape is None else f"shape {tuple(shape)}"


def _checksum(tensors: Mapping[str, Array]) -> str:
    digest = sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _are_finite(tensors: Mapping[str, Array]) -> bool:
    return all(array.dtype == np.float32 and bool(np.isfinite(array).all()) for array in tensors.values())


def _metadata(path: Path) -> dict[str, str]:
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path.name}; {MEND}. Received: {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path.name} is not a whole safetensors file ({error}); {MEND}. Received: {path}"
        ) from error
