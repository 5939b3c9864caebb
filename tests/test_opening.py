"""From a name to an opened model: bundled networks, files, modules, and the pool that keeps them."""

import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends import ModelPool, missing, open_model, opening, registry
from layerscope.backends import backend as find_backend
from layerscope.backends.base import Backend, BackendError, BackendMissing, Capability, Model
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import save_weights


@pytest.fixture
def weights_file(tmp_path: Path, reference: ModuleType) -> Path:
    network = reference.NETWORKS["branches"]
    save_weights(tmp_path / "mine.safetensors", network, reference.random_weights(network))
    return tmp_path / "mine.safetensors"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a user's own module in it."""
    (tmp_path / "their_networks.py").write_text(
        textwrap.dedent(
            """
            number = 3

            def fails():
                raise RuntimeError("no data here")

            def torch_network():
                from torch import nn
                return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

            def keras_network():
                import keras
                return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
            """
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_listing_backends_imports_no_framework() -> None:
    script = (
        "import sys; from layerscope.backends import backends; "
        "print([(each.name, each.missing) for each in backends()]); "
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[('pytorch', None), ('keras', None)]"


def test_an_unknown_backend_gets_the_names_of_the_known() -> None:
    with pytest.raises(BackendError, match="There is no backend 'caffe'; there are pytorch, keras"):
        find_backend("caffe")


class OtherBackend(Backend):
    """A backend as another package would bring it."""

    name, title, extra = "other", "Other", "other"
    missing = None

    def start(self) -> None: ...

    def build(self, architecture: Any, weights: Any = None, seed: int = 0) -> Model:
        return find_backend("pytorch").build(architecture, weights, seed)

    def open(self, source: Any, name: str = "", classes: Any = None) -> Model:
        raise BackendError("Other opens nothing.")

    def reads(self, path: Path) -> bool:
        return False


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends that other packages are installed that bring backends."""
    registry.backends.cache_clear()

    def install(**places: str) -> None:
        found = [EntryPoint(name, place, registry.GROUP) for name, place in places.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)

    yield install
    registry.backends.cache_clear()


def test_a_backend_of_another_package_needs_no_change_here(
    entries: Any, pytorch: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = ModuleType("their_backend")
    plugin.OtherBackend = OtherBackend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_backend", plugin)
    entries(other="their_backend:OtherBackend")
    assert [each.name for each in registry.backends()] == ["pytorch", "keras", "other"]
    assert find_backend("other").build(BUNDLED["dense"]).name == "dense"


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {"keras": "theirs:Backend"},
            r"Two backends are called 'keras': layerscope\S*keras:KerasBackend and theirs:Backend",
        ),
        (
            {"other": "no_such_package:Backend"},
            "Backend 'other' .no_such_package:Backend. cannot be made: No module named",
        ),
        ({"other": "builtins:dict"}, r"Backend 'other' .* should be a Backend of that name. Received: \{\}"),
    ],
)
def test_backends_that_cannot_be_registered_are_named(entries: Any, places: dict[str, str], message: str) -> None:
    entries(**places)
    with pytest.raises(BackendError, match=message):
        registry.backends()


@pytest.mark.parametrize(
    ("name", "module", "title", "extra"),
    [("pytorch", "torch", "PyTorch", "torch"), ("keras", "tensorflow", "Keras", "keras")],
)
def test_a_missing_framework_names_the_extra(
    name: str, module: str, title: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = missing.find_spec
    monkeypatch.setattr(missing, "find_spec", lambda wanted: None if wanted == module else real(wanted))
    sentence = f"{title} is not installed; install it with: pip install 'layerscope[{extra}]'"
    found = find_backend(name)
    assert found.missing == sentence
    with pytest.raises(BackendMissing) as caught:
        found.build(BUNDLED["dense"])
    assert str(caught.value) == sentence
    assert registry.default_backend().name == ("keras" if name == "pytorch" else "pytorch")


def test_without_any_framework_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "find_spec", lambda wanted: None)
    with pytest.raises(BackendError, match=r"layerscope\[torch\].*layerscope\[keras\]"):
        registry.default_backend()


@pytest.mark.parametrize(("name", "module"), [("pytorch", "torch"), ("keras", "tensorflow"), ("keras", "keras")])
def test_a_framework_that_fails_to_import_gives_one_sentence(name: str, module: str, tmp_path: Path) -> None:
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text("raise OSError('libbroken.so: cannot open shared object file')\n")
    script = textwrap.dedent(
        f"""
        from layerscope.backends import backend, open_model
        from layerscope.backends.base import BackendMissing
        from layerscope.models.bundled import BUNDLED
        found = backend({name!r})
        assert found.missing is None
        for _ in range(2):
            try:
                found.build(BUNDLED["dense"])
            except BackendMissing as error:
                print(error)
        print(found.missing)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    title, extra = {"pytorch": ("PyTorch", "torch"), "keras": ("Keras", "keras")}[name]
    sentence = (
        f"{title} is installed but does not start (libbroken.so: cannot open shared object file); "
        f"reinstall it with: pip install 'layerscope[{extra}]'"
    )
    assert run.stdout.splitlines() == [sentence] * 3


def test_keras_on_another_framework_says_how_to_change_it(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        from layerscope.backends import backend
        from layerscope.backends.base import BackendError
        try:
            backend("keras").start()
        except BackendError as error:
            print(error)
        """
    )
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert "set the environment variable KERAS_BACKEND=tensorflow. Received: torch" in run.stdout


def test_a_weights_file_of_ours_opens_in_both(backend: Backend, weights_file: Path, reference: ModuleType) -> None:
    stages: list[str] = []
    model = open_model(str(weights_file), backend.name, stages.append)
    assert stages == [f"Starting {backend.title}…", "Loading the weights of mine…", "Building mine…"]
    network = reference.NETWORKS["branches"]
    images = reference.random_images(network)
    wanted = reference.forward(network, reference.random_weights(network), images)["softmax"]
    np.testing.assert_allclose(model.probabilities(images), wanted, atol=1e-5)
    assert model.backend == backend.name


def test_a_bundled_network_is_opened_by_its_name(
    pytorch: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reference: ModuleType
) -> None:
    network = BUNDLED["dense"]
    save_weights(tmp_path / "dense.safetensors", network, reference.random_weights(network))
    monkeypatch.setattr(opening, "weights_path", lambda name: tmp_path / f"{name}.safetensors")
    model = open_model("dense")
    assert (model.name, model.backend, model.layers) == ("dense", "pytorch", network.infos)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("resnet", "There is no model 'resnet'; bundled are dense, cnn, cnn-compact, .*your own"),
        ("", "There is no model ''"),
        (":", "There is no model ':'"),
        ("nowhere.safetensors", "There is no weights file nowhere.safetensors"),
        ("nowhere.keras", "There is no file nowhere.keras"),
        ("no_such_module:net", "no_such_module:net cannot be imported: ModuleNotFoundError: No module named"),
        ("their_networks:nothing", "cannot be imported: AttributeError: .*nothing"),
        ("their_networks:number", "should give a network of PyTorch or Keras. Received: int"),
        ("their_networks:fails", "cannot be called without arguments: RuntimeError: no data here"),
    ],
)
def test_sources_that_give_no_model_get_one_sentence(elsewhere: Path, source: str, message: str) -> None:
    with pytest.raises(BackendError, match=f"(?i){message}"):
        open_model(source)


def test_a_damaged_weights_file_gets_one_sentence(weights_file: Path) -> None:
    weights_file.write_bytes(weights_file.read_bytes()[:-100])
    with pytest.raises(BackendError, match=r"mine.safetensors is not a whole safetensors file"):
        open_model(str(weights_file), "pytorch")


def test_a_users_module_opens_with_the_backend_of_its_framework(
    elsewhere: Path, pytorch: Backend, keras: Backend
) -> None:
    stages: list[str] = []
    model = open_model("their_networks:torch_network", report=stages.append)
    assert (model.backend, model.name) == ("pytorch", "torch_network")
    assert stages[:2] == ["Importing their_networks…", "Calling their_networks:torch_network…"]
    assert open_model("their_networks:keras_network").backend == "keras"
    with pytest.raises(BackendError, match=r"should give a network of Keras\. Received: Sequential"):
        open_model("their_networks:torch_network", "keras")


def test_a_keras_file_opens_with_keras_only(elsewhere: Path, keras: Backend, pytorch: Backend) -> None:
    import keras as framework

    network = framework.Sequential(
        [framework.Input((28, 28, 1)), framework.layers.Flatten(), framework.layers.Dense(10)]
    )
    network.save(elsewhere / "theirs.keras")
    model = open_model(str(elsewhere / "theirs.keras"))
    assert (model.backend, model.name) == ("keras", "theirs")
    with pytest.raises(BackendError, match=r"PyTorch does not read theirs.keras; Keras does"):
        open_model(str(elsewhere / "theirs.keras"), "pytorch")
    (elsewhere / "broken.keras").write_bytes(b"PK nothing")
    with pytest.raises(BackendError, match=r"Keras cannot load broken.keras"):
        open_model(str(elsewhere / "broken.keras"))


def test_the_pool_opens_once_for_many_threads(
    weights_file: Path, pytorch: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = opening.open_model

    def counted(source: str, backend: str | None, report: Any) -> Model:
        calls.append(source)
        report("Thinking…")
        time.sleep(0.3)
        return real(source, backend, report)

    monkeypatch.setattr(opening, "open_model", counted)
    pool, source = ModelPool([str(weights_file)]), str(weights_file)
    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(pool.open, source, "pytorch") for _ in range(6)]
        time.sleep(0.1)
        assert pool.stage(source, "pytorch") == "Thinking…"
        assert len({id(each.result()) for each in asked}) == 1
    assert pool.open(source, "pytorch") is asked[0].result()
    assert calls == [source]
    assert pool.stage(source, "pytorch") is None


def test_the_pool_keeps_both_frameworks_and_forgets_the_least_used(
    tmp_path: Path, pytorch: Backend, keras: Backend, reference: ModuleType
) -> None:
    network = reference.NETWORKS["dense"]
    sources = [str(tmp_path / f"{letter}.safetensors") for letter in "abc"]
    for source in sources:
        save_weights(Path(source), network, reference.random_weights(network))
    pool = ModelPool(sources, limit=2)
    first = pool.open(sources[0], "pytorch")
    assert pool.open(sources[0], "keras").backend == "keras"
    assert pool.open(sources[0], "pytorch") is first
    pool.open(sources[1], "pytorch")
    assert pool.open(sources[0], "pytorch") is first
    pool.open(sources[2], "pytorch")
    pool.open(sources[1], "pytorch")
    assert pool.open(sources[0], "pytorch") is not first


def test_the_pool_tries_again_after_a_failure(weights_file: Path, pytorch: Backend) -> None:
    whole = weights_file.read_bytes()
    weights_file.write_bytes(whole[:50])
    pool = ModelPool()
    pool.trust(str(weights_file))
    for _ in range(2):
        with pytest.raises(BackendError, match="not a whole safetensors file"):
            pool.open(str(weights_file), "pytorch")
        assert pool.stage(str(weights_file), "pytorch") is None
    weights_file.write_bytes(whole)
    assert pool.open(str(weights_file), "pytorch").classes == ("a", "b", "c", "d")


def test_the_pool_runs_no_code_for_a_source_nobody_trusts(elsewhere: Path, weights_file: Path) -> None:
    (elsewhere / "tempting.py").write_text("open('it-ran', 'w')")
    pool = ModelPool()
    for source in ("tempting:network", str(weights_file)):
        with pytest.raises(BackendError, match="There is no model"):
            pool.open(source)
    assert not (elsewhere / "it-ran").exists()


def test_the_default_backend_and_its_name_are_one_entry(
    pytorch: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reference: ModuleType
) -> None:
    network = BUNDLED["dense"]
    save_weights(tmp_path / "dense.safetensors", network, reference.random_weights(network))
    monkeypatch.setattr(opening, "weights_path", lambda name: tmp_path / f"{name}.safetensors")
    pool = ModelPool()
    assert pool.open("dense") is pool.open("dense", "pytorch")
    assert Capability.FIT in pool.open("dense").capabilities
