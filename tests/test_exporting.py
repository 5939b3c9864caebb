"""Networks in other programs' formats, opened by those programs and compared with what we compute."""

import importlib.util
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from layerscope.backends import Backend, exporting, open_model
from layerscope.backends.base import BackendError, BackendMissing
from layerscope.backends.exporting import FORMATS, export, export_network
from layerscope.models.architecture import Activation, Architecture, Conv2D, Dense, Flatten, Input, MaxPool2D
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import initial_weights, load_weights, read_architecture, read_metadata, save_weights
from numpy.typing import NDArray

NETWORKS = ("even-kernels-same", "odd-valid", "same-pools", "branches", "dense")
TRAINED = ("cnn", "cnn-batchnorm")


def run_keras(path: Path, images: Any) -> Any:
    import keras

    return keras.models.load_model(path).predict(images, verbose=0)


def run_pytorch(path: Path, images: Any) -> Any:
    """What the module does whose source lies beside the state dict; it is imported as a user would."""
    import torch

    file = next(path.parent.glob("*_network.py"))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.Network()
    network.load_state_dict(torch.load(path, weights_only=True))
    with torch.no_grad():
        return network.eval()(torch.tensor(images).permute(0, 3, 1, 2)).numpy()


def run_onnx(path: Path, images: Any) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"images": images})[0]


def run_own(path: Path, images: Any) -> Any:
    return open_model(str(path)).probabilities(images)


RUNS = {".keras": run_keras, ".pt": run_pytorch, ".pth": run_pytorch, ".onnx": run_onnx, ".safetensors": run_own}


@pytest.fixture(params=RUNS)
def suffix(request: pytest.FixtureRequest, keras: Backend, pytorch: Backend) -> str:
    """Each format in turn, with both frameworks there."""
    return str(request.param)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A weights file of ours."""
    save_weights(tmp_path / "mine.safetensors", BUNDLED["dense"], initial_weights(BUNDLED["dense"]), {"recipe": "none"})
    return tmp_path / "mine.safetensors"


def test_every_format_is_tried() -> None:
    assert set(RUNS) == set(FORMATS)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_layer_gives_the_same_predictions(
    suffix: str, name: str, tmp_path: Path, reference: ModuleType
) -> None:
    network: Architecture = reference.NETWORKS[name]
    weights, images = reference.random_weights(network), reference.random_images(network, 5)
    written = export_network(network, weights, tmp_path / f"a {name}{suffix}")
    assert sorted(tmp_path.iterdir()) == sorted(written)
    wanted = reference.forward(network, weights, images)[network.layers[-1].name]
    np.testing.assert_allclose(RUNS[suffix](written[0], images), wanted, atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_trained_networks_give_the_same_predictions(
    suffix: str, name: str, tmp_path: Path, pytorch: Backend, digits: NDArray[np.float32]
) -> None:
    written = export(name, tmp_path / f"{name}{suffix}")
    found = RUNS[suffix](written[0], digits)
    np.testing.assert_allclose(found, open_model(name, "pytorch").probabilities(digits), atol=1e-4)
    assert len(set(found.argmax(1))) > 5


@pytest.fixture(scope="module")
def digits() -> NDArray[np.float32]:
    from layerscope.datasets.digits import load_digits

    return load_digits().floats(slice(0, 40))


def test_our_own_format_keeps_the_story(mine: Path, tmp_path: Path) -> None:
    export(mine, tmp_path / "copy.safetensors")
    assert read_metadata(tmp_path / "copy.safetensors") == {"recipe": "none"}
    assert read_architecture(tmp_path / "copy.safetensors") == BUNDLED["dense"]


def test_an_exported_keras_file_opens_here_too_with_its_layers(keras: Backend, tmp_path: Path) -> None:
    export("cnn-compact", tmp_path / "mine.keras")
    model = open_model(str(tmp_path / "mine.keras"), "keras")
    wanted = BUNDLED["cnn-compact"].infos
    assert [(info.name, info.kind) for info in model.layers] == [(info.name, info.kind) for info in wanted]


def test_a_state_dict_has_pytorch_s_own_names_and_layouts(pytorch: Backend, tmp_path: Path) -> None:
    import torch

    export("cnn-batchnorm", tmp_path / "mine.pt")
    found = torch.load(tmp_path / "mine.pt", weights_only=True)
    assert list(found)[:7] == [
        "conv1.weight", "conv1.bias", "conv1_norm.weight", "conv1_norm.bias", "conv1_norm.running_mean",
        "conv1_norm.running_var", "conv1_norm.num_batches_tracked",
    ]  # fmt: skip
    assert tuple(found["conv2.weight"].shape) == (64, 32, 3, 3)
    assert tuple(found["dense1.weight"].shape) == (128, 6272)


def test_onnx_says_what_goes_in_what_comes_out_and_which_classes(tmp_path: Path, reference: ModuleType) -> None:
    network = reference.NETWORKS["odd-valid"]
    export_network(network, reference.random_weights(network), tmp_path / "mine.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "mine.onnx", providers=["CPUExecutionProvider"])
    (given,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, gives.name, gives.shape) == ("images", ["n", 11, 8, 3], "probabilities", ["n", 4])
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["classes"].split("\n") == list(network.classes)
    assert Architecture.from_json(metadata["architecture"]) == network
    assert [node.name for node in onnx.load(tmp_path / "mine.onnx").graph.node][:3] == ["image", "conv", "norm"]


def test_onnx_is_written_without_any_framework(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from layerscope.backends.exporting import export; "
        "export('dense', Path('mine.onnx')); assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run_onnx(tmp_path / "mine.onnx", np.zeros((2, 28, 28, 1), np.float32)).shape == (2, 10)


AWKWARD = Architecture(
    name='../a "quoted" \\ name\'\'\'"""',
    title="awkward",
    layers=(
        Input(name="self", shape=(8, 8, 1)),
        Conv2D(name="train", filters=2, window=(3, 3)),
        Activation(name="torch", function="relu"),
        Conv2D(name="block/1", filters=2, window=(3, 3)),
        Conv2D(name="block_1", filters=2, window=(1, 1)),
        MaxPool2D(name="class", window=(2, 2)),
        Flatten(name="畳"),
        Dense(name="1", units=2),
        Activation(name="images", function="softmax"),
    ),
    classes=('a"""', "b\nimport os"),
)


def test_names_that_other_programs_would_refuse(suffix: str, tmp_path: Path, reference: ModuleType) -> None:
    weights, images = reference.random_weights(AWKWARD), reference.random_images(AWKWARD)
    written = export_network(AWKWARD, weights, tmp_path / f'my "first\' """{suffix}')
    wanted = reference.forward(AWKWARD, weights, images)["images"]
    np.testing.assert_allclose(RUNS[suffix](written[0], images), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("source", "file", "message"),
    [
        ("dense", "mine.h5", r"name must end in \.safetensors or \.keras or .* or \.onnx\. Received: mine\.h5"),
        ("dense", "mine", r"must end in .* Received: mine$"),
        ("dense", "folder.onnx", r"folder\.onnx is a folder; name a file"),
        ("dense", "file/mine.onnx", r"mine\.onnx cannot be written\. Received: (Not a directory|File exists)"),
        ("resnet", "mine.onnx", r"Only bundled networks \(dense, .*\.safetensors files .* Received: resnet"),
        ("nowhere.safetensors", "mine.onnx", r"There is no weights file nowhere\.safetensors"),
        ("damaged.safetensors", "mine.onnx", r"damaged\.safetensors is not a whole safetensors file"),
    ],
)
def test_what_cannot_be_exported_gets_one_sentence(tmp_path: Path, source: str, file: str, message: str) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "damaged.safetensors").write_bytes(os.urandom(500))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BackendError, match=message):
        export(source if source in BUNDLED or "." not in source else tmp_path / source, tmp_path / file)
    assert sorted(tmp_path.iterdir()) == before


def test_weights_of_another_network_are_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="These weights do not fit dense"):
        export_network(BUNDLED["dense"], load_weights(weights_path("cnn"), BUNDLED["cnn"]), tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=re.escape("install it with: pip install 'layerscope[onnx]'")):
        export("dense", tmp_path / "mine.onnx")


@contextmanager
def small_disk(largest: int) -> Iterator[None]:
    """No file may grow beyond some bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_old_file_stays_whole_until_the_new_one_is_complete(suffix: str, tmp_path: Path) -> None:
    export("cnn-compact", tmp_path / f"mine{suffix}")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with small_disk(100_000), pytest.raises(BackendError, match=rf"mine\{suffix} cannot be written\. Received: .+"):
        export("cnn-batchnorm", tmp_path / f"mine{suffix}")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    export("cnn-batchnorm", tmp_path / f"mine{suffix}")
    after = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in before)


def test_a_source_of_the_user_s_own_is_not_replaced(pytorch: Backend, tmp_path: Path) -> None:
    (tmp_path / "mine_network.py").write_text("precious = True\n")
    with pytest.raises(BackendError, match=r"mine_network\.py is not Layerscope's to replace; export to another name"):
        export("dense", tmp_path / "mine.pt")
    assert (tmp_path / "mine_network.py").read_text() == "precious = True\n"
    assert not (tmp_path / "mine.pt").exists()
