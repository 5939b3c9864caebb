"""Captum and tf-keras-vis find the same maps in two bundled networks with their bundled weights."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, Edit
from layerscope.datasets.base import Dataset
from layerscope.drawing.fit import fit_images
from layerscope.models.architecture import Architecture
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import Weights, load_weights
from layerscope.visualizers.attribution import (
    Question,
    grad_cam,
    gradient,
    guided_gradient,
)
from layerscope.visualizers.faithfulness import attributions, methods_for

TARGETS = (2, 3)
DEPRECATED = "ignore:.*scipy.ndimage:DeprecationWarning"
HANDED = "ignore:The structure of `inputs` doesn't match the expected structure"
"""tf-keras-vis hands Keras a list where it expects a tensor."""


@pytest.fixture(scope="module", params=["cnn-compact", "cnn-batchnorm"])
def network(request: pytest.FixtureRequest) -> Architecture:
    """Each of two bundled networks."""
    return BUNDLED[request.param]


@pytest.fixture(scope="module")
def weights(network: Architecture) -> Weights:
    """Those it comes with."""
    return load_weights(weights_path(network.name), network)


@pytest.fixture(scope="module")
def image(mnist_test: Dataset) -> np.ndarray:
    """A 2 that no method brings to where two numbers under a max pooling are equal: slopes have no one value there."""
    found: np.ndarray = fit_images(mnist_test.images[1:2], (28, 28, 1))[0]
    return found


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    """The networks as anyone would write them in each framework."""
    spec = spec_from_file_location("plain", Path(__file__).parents[1] / "benchmarks" / "plain.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_close(found: np.ndarray, wanted: np.ndarray, largest: float = 0.0) -> None:
    """Equal to 1e-4 of the largest magnitude, which is not zero."""
    assert found.shape == wanted.shape
    largest = largest or float(np.abs(wanted).max())
    assert largest > 0
    assert np.abs(found - wanted).max() <= 1e-4 * largest


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
def test_captum_is_guided_the_same_way(
    pytorch: Backend, plain: ModuleType, network: Architecture, weights: Weights, image: np.ndarray
) -> None:
    import torch
    from captum.attr import GuidedBackprop

    model, theirs = pytorch.build(network, weights), plain.torch_network(network, weights)[:-1]
    given = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None])).requires_grad_()
    for target in TARGETS:
        wanted: Any = GuidedBackprop(theirs).attribute(given, target=target)
        found = guided_gradient(Question(model, image, target))
        assert_close(found, wanted.detach().numpy()[0].transpose(1, 2, 0))
        assert np.abs(found - gradient(Question(model, image, target))).max() > 0.01 * np.abs(found).max()


@pytest.mark.filterwarnings(DEPRECATED, HANDED)
def test_tf_keras_vis_finds_the_same_saliency_and_grad_cam(
    keras: Backend, plain: ModuleType, network: Architecture, weights: Weights, image: np.ndarray
) -> None:
    import keras as framework
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    whole = plain.keras_network(network, weights)
    theirs = framework.Model(whole.inputs[0], whole.layers[-2].output)
    named = dict(zip([layer.name for layer in network.layers[1:]], whole.layers, strict=True))
    model = keras.build(network, weights)
    saliency, cam = Saliency(theirs, clone=True), Gradcam(theirs, clone=True)
    layers = [info.name for info in network.infos[1:] if info.is_spatial and not info.name.startswith("dropout")]
    for target in TARGETS:
        question, score = Question(model, image, target), CategoricalScore(target)
        slopes = saliency(score, image[None], normalize_map=False)[0]
        assert_close(np.abs(gradient(question)).max(axis=2), slopes)
        signed = saliency(score, image[None], normalize_map=False, keepdims=True, gradient_modifier=None)[0]
        assert_close(gradient(question), np.asarray(signed))
        for layer in (layers[1], layers[-1]):
            how = {"penultimate_layer": named[layer].name, "seek_penultimate_conv_layer": False}
            how |= {"expand_cam": False, "normalize_cam": False}
            both = [np.asarray(cam(score, image[None], **how, **cut))[0] for cut in ({}, {"activation_modifier": None})]
            assert_close(grad_cam(question, layer), both[0], largest=float(np.abs(both[1]).max()))
            assert_close(grad_cam(question, layer, signed=True), both[1])


@pytest.mark.parametrize("edits", [(), (Edit("conv1", 3), Edit("conv2_relu", 5, 2.0))], ids=["plain", "edited"])
def test_both_backends_find_the_same_with_every_gradient_method(
    pytorch: Backend,
    keras: Backend,
    network: Architecture,
    weights: Weights,
    image: np.ndarray,
    edits: tuple[Edit, ...],
) -> None:
    first, second = (Question(each.build(network, weights), image, 3, edits) for each in (pytorch, keras))
    methods = [method for method in methods_for(first.model) if method not in {"occlusion", "RISE"}]
    assert "guided backpropagation" in methods
    for method in methods:
        assert_close(*([*attributions(each, method, "black")][-1].attribution for each in (first, second)))
