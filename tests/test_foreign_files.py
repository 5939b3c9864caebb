"""Damaged and foreign files named as models: each explains itself, and none is unpacked."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend, open_model
from layerscope.backends.base import BackendError
from safetensors.numpy import save_file


class Tempting:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("it-ran"),)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def keras_file(keras: Backend, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole file of Keras."""
    import keras as framework

    network = framework.Sequential([framework.Input((4, 4, 1)), framework.layers.Flatten(), framework.layers.Dense(3)])
    path = tmp_path_factory.mktemp("keras") / "whole.keras"
    network.save(path)
    return path.read_bytes()


def refused(source: str) -> str:
    """The one sentence with which a file is refused; nothing was run meanwhile."""
    with pytest.raises(BackendError) as caught:
        open_model(source)
    assert "\n" not in str(caught.value)
    assert not Path("it-ran").exists()
    return str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_keras_file(here: Path, keras_file: bytes, share: float) -> None:
    Path("cut.keras").write_bytes(keras_file[: int(share * len(keras_file))])
    assert refused("cut.keras") == "Keras cannot load cut.keras: it is damaged, incomplete, or no Keras file."


def test_a_keras_file_with_changed_bytes(here: Path, keras_file: bytes) -> None:
    changed = bytearray(keras_file)
    changed[len(changed) // 2] ^= 255
    Path("changed.keras").write_bytes(changed)
    assert refused("changed.keras").startswith("Keras cannot load changed.keras: ")


def test_a_zip_file_that_is_no_keras_file(here: Path, keras: Backend) -> None:
    with zipfile.ZipFile("other.keras", "w") as archive:
        archive.writestr("letter.txt", "hello")
    assert "config.json" in refused("other.keras")


def test_random_bytes_and_empty_files(here: Path, keras: Backend) -> None:
    for suffix, message in {
        ".safetensors": "is not a whole safetensors file",
        ".keras": "Keras cannot load mine.keras: it is damaged",
        ".h5": "Keras cannot load mine.h5",
        ".onnx": "is an ONNX file, which Layerscope writes and does not read",
        ".pt": "holds Python objects or weights without their network",
        ".txt": "mine.txt is a file of a kind it does not know",
        "": "mine is a file of a kind it does not know",
    }.items():
        for content in (b"", b"\0" + os.urandom(2000)):
            Path(f"mine{suffix}").write_bytes(content)
            assert message in refused(f"mine{suffix}")


@pytest.mark.parametrize("name", ["mine.pt", "mine.pth", "mine.pkl", "mine.bin", "mine.model", "mine"])
def test_a_pickled_object_is_never_unpacked(here: Path, name: str) -> None:
    Path(name).write_bytes(pickle.dumps(Tempting()))
    assert "unpacking it could run foreign code; name the code" in refused(name)


def test_a_pickled_object_in_pytorch_s_own_file(here: Path, pytorch: Backend) -> None:
    import torch

    torch.save(Tempting(), "mine.pt")
    assert "unpacking it could run foreign code" in refused("mine.pt")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_file_with_code_in_it_is_refused(here: Path, keras: Backend, suffix: str) -> None:
    import keras as framework

    layer = framework.layers.Lambda(lambda values: Path("it-ran").touch() or values * 2)
    network = framework.Sequential([framework.Input((4, 4, 1)), framework.layers.Flatten(), layer])
    Path("it-ran").unlink()
    network.save(f"mine{suffix}")
    assert "arbitrary code" in refused(f"mine{suffix}")


def test_a_safetensors_file_of_another_program(here: Path) -> None:
    save_file({"model.embed.weight": np.zeros((3, 2), np.float32)}, "theirs.safetensors", {"format": "pt"})
    assert "theirs.safetensors does not say which network its weights are for" in refused("theirs.safetensors")


def described(*layers: dict[str, Any]) -> Callable[[], None]:
    """Writes a weights file whose description has these layers after its input."""
    import json

    first = {"kind": "input", "name": "image", "inputs": [], "shape": [4, 4, 1]}
    text = json.dumps({"name": "x", "title": "x", "classes": ["a", "b"], "layers": [first, *layers]})
    return lambda: save_file({"a": np.zeros(1, np.float32)}, "odd.safetensors", {"architecture": text})


def layer(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "name": "odd", "inputs": [], **fields}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (layer("activation", function="relu(x); import os"), "function .* Received: 'relu"),
        (layer("dense", units="many"), "units .* Received: 'many'"),
        (layer("dense", units=-3), "units .* Received: -3"),
        (layer("dropout", rate=2.5), "rate .* Received: 2.5"),
        (layer("conv2d", filters=2, window=[0, 3], strides=[1, 1], padding="same"), r"window .* Received: \(0, 3\)"),
        (layer("conv2d", filters=2, window=[3], strides=[1, 1], padding="same"), r"window .* Received: \(3,\)"),
        (layer("conv2d", filters=2, window=[3, 3], strides=[0, 0], padding="same"), r"strides .* Received: \(0, 0\)"),
        (layer("maxpool2d", window=[2, 2], strides=[2, 2], padding="some"), "padding .* Received: 'some'"),
        (layer("batchnorm", epsilon=None), "epsilon .* Received: None"),
    ],
)
def test_a_description_with_impossible_settings_names_the_layer(here: Path, entry: Any, message: str) -> None:
    described(entry)()
    with pytest.raises(BackendError, match=rf"odd\.safetensors keeps an architecture .*Layer 'odd' .*{message}"):
        open_model("odd.safetensors")


def test_folders_and_files_of_other_programs(here: Path, keras_file: bytes) -> None:
    Path("folder").mkdir()
    assert refused("folder").startswith("folder is a folder; name the .safetensors or .keras file in it")
    Path("mine.tflite").write_bytes(b"TFL3")
    assert "mine.tflite is a TensorFlow Lite model; Layerscope opens" in refused("mine.tflite")
    Path("mine.zip").write_bytes(keras_file)
    assert "mine.zip is a Keras file (rename it to end in .keras)" in refused("mine.zip")
