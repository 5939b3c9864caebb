"""What the callbacks of one server share: models, layers and samples, and what is there without a framework."""

import gzip
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from layerscope.backends import backends
from layerscope.backends.base import Backend, BackendError
from layerscope.layouts.services import Services
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import save_weights


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for data, and no data elsewhere."""
    monkeypatch.delenv("LAYERSCOPE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def own_network(tmp_path: Path, reference: ModuleType) -> Path:
    network = reference.NETWORKS["branches"]
    save_weights(tmp_path / "mine.safetensors", network, reference.random_weights(network))
    return tmp_path / "mine.safetensors"


def test_the_bundled_networks_can_be_chosen_by_their_titles() -> None:
    assert Services(model="cnn").models == {name: network.title for name, network in BUNDLED.items()}


def test_the_servers_own_network_comes_first(own_network: Path) -> None:
    models = Services(model=str(own_network)).models
    assert next(iter(models.items())) == (str(own_network), "mine.safetensors")
    assert set(BUNDLED) < set(models)


def test_a_model_is_called_the_same_in_the_list_and_in_the_title(own_network: Path) -> None:
    services = Services(model=str(own_network))
    assert {name: services.title(name) for name in services.models} == services.models
    assert services.title("elsewhere") == "elsewhere"


def test_only_the_servers_own_network_is_opened_besides_the_bundled(
    own_network: Path, tmp_path: Path, pytorch: Backend
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(own_network.read_bytes())
    services = Services(model=str(own_network), backend="pytorch")
    opened = services.open(str(own_network), "pytorch")
    assert opened.name == "branches"
    assert services.layers(str(own_network)) == opened.layers
    with pytest.raises(BackendError, match="There is no model"):
        services.open(str(other), "pytorch")
    with pytest.raises(BackendError, match="There is no model 'os:getcwd'"):
        services.open("os:getcwd", "pytorch")


def test_layers_of_bundled_networks_need_no_framework() -> None:
    script = (
        "import sys; from layerscope.layouts.services import Services; services = Services(model='cnn')\n"
        "for name in services.models: assert services.layers(name)\n"
        "assert services.visualizers and services.backends and services.default_backend\n"
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_first_installed_backend_is_the_default() -> None:
    installed = [backend.name for backend in backends() if backend.missing is None]
    assert Services(model="cnn").default_backend == installed[0]
    assert Services(model="cnn", backend="keras").default_backend == "keras"


def test_without_any_framework_both_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(model="cnn")
    for backend in services.backends:
        monkeypatch.setattr(type(backend), "missing", property(lambda self: f"Install layerscope[{self.name}]."))
    with pytest.raises(BackendError, match=r"layerscope\[.*layerscope\["):
        services.open("cnn", "pytorch")
    assert services.default_backend == services.backends[0].name


def test_a_model_is_opened_once_for_many_browsers(pytorch: Backend) -> None:
    services = Services(model="dense")
    with ThreadPoolExecutor(8) as pool:
        opened = set(pool.map(lambda _: id(services.open("dense", "pytorch")), range(16)))
    assert len(opened) == 1


def test_samples_are_the_users_mnist(data_dir: Path) -> None:
    dataset, problem = Services(model="cnn", data=data_dir).samples
    assert (dataset.title, len(dataset), problem) == ("MNIST test images", 10_000, None)


def test_the_bundled_digits_stand_in(alone: Path) -> None:
    dataset, problem = Services(model="cnn", data=alone).samples
    assert "scikit-learn" in dataset.title + dataset.source
    assert problem is None


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:5000], lambda content: b"nonsense", lambda content: gzip.compress(b"\0\0\x08\x03" * 9)],
    ids=["cut short", "not gzip", "other numbers"],
)
def test_damaged_mnist_is_said_once_and_the_digits_stand_in(
    alone: Path, data_dir: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    for file in (data_dir / "mnist").glob("t10k*"):
        (alone / file.name).write_bytes(file.read_bytes())
    broken = alone / "t10k-images-idx3-ubyte.gz"
    assert callable(damage)
    broken.write_bytes(damage(broken.read_bytes()))
    services = Services(model="cnn", data=alone)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: services.samples, range(8)))
    assert len({id(dataset) for dataset, _ in found}) == 1
    dataset, problem = found[0]
    assert len(dataset) < 10_000
    assert problem
    assert broken.name in problem
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [problem]
