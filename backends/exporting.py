"""A network in other programs' formats: Keras, PyTorch, ONNX, or Layerscope's own."""

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from ..models.architecture import Architecture
from ..models.bundled import BUNDLED, weights_path
from ..models.files import whole_file
from ..models.weights import WeightsError, load_weights, read_architecture, read_metadata, save_weights
from . import registry
from .base import BackendError, BackendMissing, Weights
from .stored import fitting


def export(source: str | Path, path: Path) -> tuple[Path, ...]:
    """Writes a network for other programs, in the format that the ending of `path` names; see `FORMATS`.

    `.keras` opens with plain `keras.models.load_model`. `.pt` and `.pth` hold a state dict for
    `torch.load(…, weights_only=True)`; the module it belongs to is written beside it as Python source. `.onnx` takes
    images `(n, height, width, channels)` and needs no framework to be written. `.safetensors` is Layerscope's own.
    A file that is there already is replaced only once the new one is complete.

    Args:
        source: a bundled network's name, or a `.safetensors` file of Layerscope's.
        path: the file to write.

    Returns:
        The files written, `path` first.

    Raises:
        BackendMissing: what writes the format is not installed.
        BackendError: there is no such network, its file is damaged, or the file cannot be written.
    """
    writer = _writer(path)
    try:
        weights_file = weights_path(str(source)) if str(source) in BUNDLED else Path(source)
        if weights_file.suffix != ".safetensors":
            raise BackendError(
                f"Only bundled networks ({', '.join(BUNDLED)}) and .safetensors files of Layerscope can be exported. "
                f"Received: {source}"
            )
        architecture = BUNDLED[str(source)] if str(source) in BUNDLED else read_architecture(weights_file)
        weights, metadata = load_weights(weights_file, architecture), read_metadata(weights_file)
    except WeightsError as error:
        raise BackendError(str(error)) from error
    return _written(writer, architecture, weights, path, metadata)


def export_network(architecture: Architecture, weights: Weights, path: Path) -> tuple[Path, ...]:
    """Likewise for a network that is in memory.

    Args:
        architecture: the network.
        weights: layer name → canonical weight name → array in canonical layout.
        path: the file to write.

    Raises:
        BackendError: as `export`, or the weights do not belong to the architecture.
    """
    return _written(_writer(path), architecture, fitting(architecture.name, architecture.infos, weights), path, {})


Writer = Callable[[Architecture, Weights, Path, Mapping[str, str]], tuple[Path, ...]]


def _writer(path: Path) -> Writer:
    if path.suffix not in FORMATS:
        raise BackendError(f"The file's name must end in {' or '.join(FORMATS)}. Received: {path.name}")
    if path.is_dir():
        raise BackendError(f"{path} is a folder; name a file.")
    return FORMATS[path.suffix]


def _written(
    writer: Writer, architecture: Architecture, weights: Weights, path: Path, metadata: Mapping[str, str]
) -> tuple[Path, ...]:
    try:
        return writer(architecture, weights, path, metadata)
    except OSError as error:
        raise BackendError(f"{path} cannot be written. Received: {error.strerror or error}") from error


def _own(architecture: Architecture, weights: Weights, path: Path, metadata: Mapping[str, str]) -> tuple[Path, ...]:
    save_weights(path, architecture, weights, metadata)
    return (path,)


def _onnx(architecture: Architecture, weights: Weights, path: Path, metadata: Mapping[str, str]) -> tuple[Path, ...]:
    if find_spec("onnx") is None:
        raise BackendMissing("ONNX is not installed; install it with: pip install 'layerscope[onnx]'")
    from .onnx_graph import onnx_model

    content: bytes = onnx_model(architecture, weights).SerializeToString()
    with whole_file(path) as file:
        file.write_bytes(content)
    return (path,)


def _keras(architecture: Architecture, weights: Weights, path: Path, metadata: Mapping[str, str]) -> tuple[Path, ...]:
    registry.backend("keras").start()
    from .keras_export import plain_model

    made: Any = plain_model(architecture, weights)
    with whole_file(path) as file:
        made.save(file)
    return (path,)


def _pytorch(architecture: Architecture, weights: Weights, path: Path, metadata: Mapping[str, str]) -> tuple[Path, ...]:
    registry.backend("pytorch").start()
    import torch

    from .pytorch_export import HEADER, source, state_dict

    code = path.with_name(re.sub(r"\W", "_", path.stem) + "_network.py")
    if code.exists() and not code.read_text("utf-8", errors="replace").startswith(HEADER):
        raise BackendError(f"{code} is not Layerscope's to replace; export to another name.")
    content = BytesIO()  # Written by PyTorch itself, a full disk would not be an OSError.
    torch.save(state_dict(architecture, weights), content)
    with whole_file(code) as text, whole_file(path) as file:  # Both are complete before either takes its place.
        text.write_text(source(architecture, path.name), "utf-8")
        file.write_bytes(content.getvalue())
    return path, code


FORMATS: Mapping[str, Writer] = {
    ".safetensors": _own,
    ".keras": _keras,
    ".pt": _pytorch,
    ".pth": _pytorch,
    ".onnx": _onnx,
}
"""The ending of a file's name → what writes it."""
