"""The bundled networks with their bundled weights say the same in both frameworks, layer by layer."""

import numpy as np
import pytest
from layerscope.backends.base import Backend
from layerscope.datasets.base import Dataset
from layerscope.drawing.fit import fit_images
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import load_weights

IMAGES = 256


@pytest.mark.parametrize("name", list(BUNDLED))
def test_both_frameworks_give_the_same_activations(
    pytorch: Backend, keras: Backend, mnist_test: Dataset, name: str
) -> None:
    architecture = BUNDLED[name]
    weights = load_weights(weights_path(name), architecture)
    images = fit_images(mnist_test.images[:IMAGES], architecture.input_shape)
    first, second = (framework.build(architecture, weights) for framework in (pytorch, keras))
    assert first.version == second.version
    traces = first.trace(images), second.trace(images)
    for info in architecture.infos:
        ours, theirs = (trace[info.name] for trace in traces)
        assert ours.shape == theirs.shape == (IMAGES, *info.output_shape)
        largest = max(np.abs(ours).max(), np.abs(theirs).max())
        assert largest > 0
        assert np.abs(ours - theirs).max() <= 1e-4 * largest, info.name
    last = architecture.infos[-1].name
    ours, theirs = (trace[last].argmax(1) for trace in traces)
    np.testing.assert_array_equal(ours, theirs)
    assert (ours == mnist_test.labels[:IMAGES]).mean() > 0.95


@pytest.mark.parametrize("name", ["dense", "cnn-compact"])
def test_both_frameworks_predict_the_same_class_for_every_test_image(
    pytorch: Backend, keras: Backend, mnist_test: Dataset, name: str
) -> None:
    weights = load_weights(weights_path(name), BUNDLED[name])
    images = mnist_test.floats(slice(None))
    first, second = (each.build(BUNDLED[name], weights).probabilities(images) for each in (pytorch, keras))
    assert len(images) == 10_000
    np.testing.assert_array_equal(first.argmax(1), second.argmax(1))
    np.testing.assert_allclose(first, second, atol=1e-4)
