"""Files that hold no model Layerscope opens: what they are, and the way out. None of them is ever unpacked."""

import zipfile
from pathlib import Path

PYTORCH = {".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"}
OTHERS = {".pb": "a TensorFlow graph", ".tflite": "a TensorFlow Lite model", ".gguf": "a GGUF file", ".npz": "data"}


def explanation(path: Path) -> str:
    """One sentence for a file or folder that was named as a model."""
    if path.is_dir():
        return f"{path.name} is a folder; name the .safetensors or .keras file in it."
    suffix, start = path.suffix.casefold(), _start(path)
    if suffix == ".onnx":
        return f"{path.name} is an ONNX file, which Layerscope writes and does not read; open what it was made from."
    if suffix in PYTORCH or start.startswith(b"\x80"):
        return (
            f"{path.name} holds Python objects or weights without their network, and unpacking it could run foreign "
            "code; name the code that makes the network, as package.module:attribute."
        )
    if suffix in OTHERS:
        return f"{path.name} is {OTHERS[suffix]}; Layerscope opens .safetensors and .keras files."
    known = "a Keras file (rename it to end in .keras)" if _is_keras(path) else "a file of a kind it does not know"
    return f"Layerscope opens .safetensors and .keras files; {path.name} is {known}."


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""


def _is_keras(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "model.weights.h5" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
