"""A network as a file in the format of another program: from a run's snapshot, or a bundled one."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Lock
from typing import BinaryIO

from ...backends.exporting import export
from ...models.bundled import BUNDLED, weights_path
from ...training.config import RunError
from ...training.runs import SOURCE
from ..services import Services


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format that networks can be downloaded in.

    Attributes:
        title: what the page calls it.
        words: what it is good for.
        ending: of the file that is asked for.
        place: which of the files that come of it is sent.
        needs: what must be installed to write it: a backend's name, or a module; empty where nothing is.
    """

    title: str
    words: str
    ending: str
    place: int = 0
    needs: str = ""

    def file_name(self, name: str) -> str:
        """What the file is called."""
        return f"{re.sub(r'[^0-9A-Za-z]', '_', name)}_network.py" if self.place else f"{name}{self.ending}"


FORMATS: Mapping[str, Format] = {
    "safetensors": Format(
        title="Layerscope", words="Weights and description in one file; opens on both backends.", ending=".safetensors"
    ),
    "keras": Format(
        title="Keras", words="Opens with keras.models.load_model.", ending=".keras", needs="keras"
    ),
    "pt": Format(
        title="PyTorch state dict", words="Weights for torch.load, for the module below.", ending=".pt", needs="pytorch"
    ),
    "py": Format(
        title="PyTorch module",
        words="Python source of the network that takes the state dict.",
        ending=".pt",
        place=1,
        needs="pytorch",
    ),
    "onnx": Format(title="ONNX", words="For ONNX Runtime and many others.", ending=".onnx", needs="onnx"),
}  # fmt: skip

_one = Lock()
"""One network at a time: writing one takes as much memory as opening it."""


def offered(services: Services) -> Sequence[Mapping[str, str | None]]:
    """The formats as the page offers them, each with what is missing to write it; starts no framework."""
    return [
        {"value": name, "title": each.title, "words": each.words, "missing": _missing(services, each.needs)}
        for name, each in FORMATS.items()
    ]


def _missing(services: Services, needs: str) -> str | None:
    if needs == "onnx":
        return None if find_spec("onnx") else "ONNX is not installed; install it with: pip install 'layerscope[onnx]'"
    return next((entry.missing for entry in services.backends if entry.name == needs), None)


def written(source: str | Path, name: str, format: str) -> tuple[BinaryIO, str]:
    """A network in a format, whole, in a file that is gone once it is closed.

    Args:
        source: a bundled network's name, or a weights file.
        name: what to call it.
        format: one of `FORMATS`.

    Returns:
        The file, to be read from its beginning, and what to call it.

    Raises:
        BackendError: the format cannot be written here; the message says what to install.
        OSError: there is no room for it.
    """
    wanted = FORMATS[format]
    with _one, TemporaryDirectory(prefix="layerscope-") as folder:
        files = export(source, Path(folder) / f"{name}{wanted.ending}")
        stream = TemporaryFile()  # noqa: SIM115 - closed by whoever sends it
        with files[wanted.place].open("rb") as file:
            shutil.copyfileobj(file, stream)
    stream.seek(0)
    return stream, wanted.file_name(name)


def network_file(services: Services, kind: str, name: str, snapshot: str = "") -> Path:
    """The weights file of a bundled network (`models`) or of a run's snapshot (`runs`).

    Raises:
        RunError: there is none.
    """
    if kind == "runs" and services.store:
        id = services.store.folder(name).id
        return services.store.weights_path(f"{SOURCE}{id}@{snapshot}" if snapshot else f"{SOURCE}{id}")
    if kind == "models" and name in BUNDLED:
        return weights_path(name)
    raise RunError(f"There is no network {name!r} to download.")
