"""The example of a package from outside: its backend computes what PyTorch does, and says what it cannot do."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Capability, Edit, Optimiser, Target
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import load_weights
from layerscope.visualizers import Pass, Subject, Visualizer, build_settings

EXAMPLE = Path(__file__).parents[1] / "examples" / "layerscope-example"
ENTRIES = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]


def loaded(group: str, name: str) -> object:
    """What an entry point of the example leads to."""
    module, attribute = ENTRIES[group][name].split(":")
    return getattr(import_module(module), attribute)


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """The example as if it were installed."""
    sys.path.insert(0, str(EXAMPLE))
    yield
    sys.path.remove(str(EXAMPLE))


@pytest.fixture
def numpy() -> Backend:
    made = loaded("layerscope.backends", "numpy")()  # type: ignore[operator]
    assert isinstance(made, Backend)
    return made


def test_its_names_are_those_of_its_entry_points(numpy: Backend) -> None:
    assert numpy.name == "numpy"
    view = loaded("layerscope.visualizers", "activation_histogram")
    assert isinstance(view, Visualizer)
    assert view.name == "activation_histogram"


@pytest.mark.parametrize("name", list(BUNDLED))
def test_it_computes_what_pytorch_computes(numpy: Backend, pytorch: Backend, name: str) -> None:
    network = BUNDLED[name]
    weights = load_weights(weights_path(name), network)
    images = np.random.default_rng(0).random((3, *network.input_shape), dtype=np.float32)
    here, there = numpy.build(network, weights), pytorch.build(network, weights)
    found, wanted = here.trace(images), there.trace(images)
    assert list(found) == list(wanted)
    for layer, values in wanted.items():
        np.testing.assert_allclose(found[layer], values, rtol=1e-4, atol=1e-4, err_msg=layer)
        assert found[layer].dtype == np.float32
        assert not found[layer].flags.writeable
    np.testing.assert_allclose(here.logits(images), there.logits(images), rtol=1e-4, atol=1e-4)
    assert here.version == there.version


NETWORKS = ["even-kernels-same", "odd-valid", "same-pools", "branches", "dense"]


@pytest.mark.parametrize("name", NETWORKS)
def test_it_knows_every_kind_of_layer(numpy: Backend, reference: ModuleType, name: str) -> None:
    assert list(reference.NETWORKS) == NETWORKS
    network = reference.NETWORKS[name]
    weights, images = reference.random_weights(network), reference.random_images(network)
    model = numpy.build(network, weights)
    layer = network.infos[1]
    scales = {(layer.name, layer.units - 1): 0.5}
    found = model.trace(images, edits=[Edit(layer.name, layer.units - 1, 0.5)])
    for name, values in reference.forward(network, weights, images, scales).items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_it_says_what_it_cannot_do(numpy: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["branches"]
    model, images = numpy.build(network), reference.random_images(network)
    assert model.capabilities == {
        Capability.LOGITS,
        Capability.EDITS,
        Capability.WEIGHTS,
        Capability.OTHER_WEIGHTS,
    }
    with pytest.raises(BackendError, match="branches has no gradients in NumPy; open it in PyTorch or Keras"):
        model.gradients(images, Target("left", 0), ["image"])
    with pytest.raises(BackendError, match="branches cannot be trained in NumPy; open it in PyTorch or Keras"):
        model.fit([(images, np.zeros(3, np.int64))], [0.1], Optimiser())
    with pytest.raises(BackendError, match=r"NumPy has no networks of its own; .* Received: object"):
        numpy.open(object())


def test_weights_are_replaced_whole_or_not_at_all(numpy: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["dense"]
    model = numpy.build(network, seed=1)
    before = model.version
    weights = reference.random_weights(network)
    with pytest.raises(BackendError, match="'bias' of layer 'hidden' should have shape"):
        model.load({**weights, "hidden": {**weights["hidden"], "bias": np.zeros(3, np.float32)}})
    assert model.version == before
    model.load(weights)
    assert model.version == numpy.build(network, weights).version != before
    weights["hidden"]["bias"][:] = 7
    assert model.weights("hidden")["bias"].max() < 7


def test_a_network_with_other_weights_is_one_of_its_own(numpy: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["branches"]
    first, second = (reference.random_weights(network, seed=seed) for seed in (1, 2))
    images = reference.random_images(network)
    model = numpy.build(network, first)
    before = model.logits(images)
    sibling = model.with_weights(second, "later")
    assert (sibling.name, sibling.version) == ("later", numpy.build(network, second).version)
    np.testing.assert_array_equal(sibling.logits(images), numpy.build(network, second).logits(images))
    sibling.load(reference.random_weights(network, seed=3))
    np.testing.assert_array_equal(model.logits(images), before)
    with pytest.raises(BackendError, match="do not fit branches"):
        model.with_weights({})


def test_the_histogram_counts_every_value(numpy: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["odd-valid"]
    model = numpy.build(network, reference.random_weights(network))
    view = loaded("layerscope.visualizers", "activation_histogram")
    assert isinstance(view, Visualizer)
    subject = Subject(model, Pass(model, reference.random_images(network)[0])).at("relu")
    drawn = view.draw(subject, build_settings(view.settings, {"bars": 7}))
    assert len(drawn.data[0].y) == 7
    assert drawn.data[0].y.sum() == subject.activation.size
    zeros = (subject.activation == 0).mean()
    assert 0.1 < zeros < 0.9
    assert drawn.layout.xaxis.title.text == f"activation; {zeros:.0%} are zero"


PUBLIC = {
    "layerscope.backends.base",
    "layerscope.backends.checked",
    "layerscope.models.architecture",
    "layerscope.models.layers",
    "layerscope.models.weights",
    "layerscope.visualizers",
    "layerscope.visualizers.figures",
}


def test_it_uses_the_public_interface_only() -> None:
    nodes = [node for file in EXAMPLE.rglob("*.py") for node in ast.walk(ast.parse(file.read_text()))]
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in named | plain if name.startswith("layerscope")} == PUBLIC
    imported = [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert [name for name in imported if name.startswith("_")] == []
