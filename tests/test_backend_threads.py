"""Many threads at once get what one gets alone, and no pass leaves anything behind."""

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Edit, Model, Optimiser, Target
from layerscope.models.bundled import BUNDLED

THREADS, TRACES = 8, 50


@pytest.mark.parametrize("name", ["cnn-compact", "cnn-batchnorm", "dense"])
def test_eight_threads_get_exactly_the_answers_of_one(backend: Backend, name: str) -> None:
    model = backend.build(BUNDLED[name], seed=1)
    images = np.random.default_rng(0).random((THREADS * TRACES, 1, *model.input_shape), dtype=np.float32)
    alone = [dict(model.trace(image)) for image in images]

    def traces(thread: int) -> list[dict[str, Any]]:
        return [dict(model.trace(images[index])) for index in range(thread, len(images), THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(traces, range(THREADS)))
    for index, wanted in enumerate(alone):
        answer = found[index % THREADS][index // THREADS]
        for layer, activation in wanted.items():
            np.testing.assert_array_equal(answer[layer], activation, err_msg=layer)


def test_edits_and_gradients_of_one_thread_do_not_show_in_another(backend: Backend) -> None:
    model = backend.build(BUNDLED["cnn-compact"], seed=1)
    image = np.random.default_rng(0).random((1, *model.input_shape), dtype=np.float32)
    edits = [Edit("conv1", 3), Edit("dense1", 5, 2.0)]
    asks = [
        lambda: model.logits(image),
        lambda: model.logits(image, edits),
        lambda: model.gradients(image, 3, ["input"])["input"],
        lambda: model.gradients(image, 3, ["input"], edits)["input"],
    ]
    alone = [ask() for ask in asks]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda index: asks[index % 4](), range(200)))
    for index, answer in enumerate(found):
        np.testing.assert_array_equal(answer, alone[index % 4])


@pytest.mark.parametrize("name", ["even-kernels-same", "branches", "dense"])
def test_many_images_passed_side_by_side_answer_as_each_does_alone(
    backend: Backend, reference: ModuleType, cores_of_pytorch: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    network = reference.NETWORKS[name]
    model: Any = backend.build(network, reference.random_weights(network))
    monkeypatch.setattr(model, "at_once", 8)
    images = reference.random_images(network, 8 * model.at_once + 3)
    first, last = model.layers[1].name, model.layers[-2].name
    edits = [Edit(first, 0, 0.5)]
    whole = model.trace(images, edits=edits)
    slopes = model.gradients(images, Target(last, 1), [first], edits)[first]
    for place, image in enumerate(images):
        for layer, activation in model.trace(image[None], edits=edits).items():
            np.testing.assert_allclose(whole[layer][place], activation[0], rtol=1e-4, atol=1e-5, err_msg=layer)
        alone = model.gradients(image[None], Target(last, 1), [first], edits)[first]
        np.testing.assert_allclose(slopes[place], alone[0], rtol=1e-4, atol=1e-5)
    assert all(not activation.flags.writeable for activation in whole.values())


def test_two_models_are_opened_and_asked_at_the_same_time(pytorch: Backend, keras: Backend) -> None:
    def answer(index: int) -> Any:
        framework = (pytorch, keras)[index % 2]
        model = framework.build(BUNDLED["cnn-compact"], seed=2)
        return model.probabilities(np.full((1, 28, 28, 1), 0.5, np.float32))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, range(8)))
    for each in found:
        np.testing.assert_allclose(each, found[0], atol=1e-5)


def ask_everything(model: Model, reference: ModuleType) -> None:
    """Every kind of question, well asked and wrongly asked."""
    images = reference.random_images(reference.NETWORKS["odd-valid"])
    model.trace(images)
    model.trace(images[:1], ["norm"], [Edit("conv", 0)])
    model.logits(images[:2])
    model.gradients(images, Target("norm", 1), ["image", "conv"])
    model.gradients(images[:2], 0, ["conv"])
    list(model.fit([(images, np.zeros(3, np.int64))], [0.0], Optimiser(name="sgd")))
    for wrong in (images[:, :4], images[..., :1]):
        with pytest.raises(BackendError):
            model.trace(wrong)
        with pytest.raises(BackendError):
            model.gradients(wrong, 0, ["conv"])
        with pytest.raises(BackendError):
            list(model.fit([(wrong, np.zeros(3, np.int64))], [0.0], Optimiser()))


def test_pytorch_keeps_no_hook_no_mode_and_no_gradient(pytorch: Backend, reference: ModuleType) -> None:
    import torch

    network = reference.NETWORKS["odd-valid"]
    model: Any = pytorch.build(network, reference.random_weights(network))

    def state() -> list[Any]:
        modules = [*model._network, *(operation.call for operation in model._training)]
        return [
            (
                module.training,
                dict(module._forward_hooks),
                dict(module._forward_pre_hooks),
                dict(module._backward_hooks),
                [(weight.requires_grad, weight.grad, weight.grad_fn) for weight in module.parameters()],
            )
            for module in modules
        ]

    before = state()
    ask_everything(model, reference)
    assert state() == before
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    inference, training = before[: len(network.layers)], before[len(network.layers) :]
    assert not any(each[0] for each in inference)
    assert all(each[0] for each in training)
    assert all(gradient is None for each in before for _, gradient, _ in each[4])


def test_pytorch_gives_every_thread_its_cores_back(pytorch: Backend, cores_of_pytorch: int) -> None:
    import torch

    model = pytorch.build(BUNDLED["cnn-compact"])
    image = np.zeros((1, *model.input_shape), np.float32)
    cores = cores_of_pytorch

    def ask(_: int) -> int:
        model.trace(image)
        model.gradients(image, 0, ["input"])
        with pytest.raises(BackendError):
            model.trace(image[0])
        return torch.get_num_threads()

    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(ask, range(200))) == {cores}
    with ThreadPoolExecutor(1) as fresh:
        assert fresh.submit(torch.get_num_threads).result() == cores == torch.get_num_threads()


def test_pytorch_keeps_nothing_after_a_step_that_fails(
    pytorch: Backend, reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    network = reference.NETWORKS["odd-valid"]
    model: Any = pytorch.build(network, reference.random_weights(network))

    def fails(*_: Any, **__: Any) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr(torch.optim.SGD, "step", fails)
    images = reference.random_images(network)
    with pytest.raises(MemoryError):
        list(model.fit([(images, np.zeros(3, np.int64))], [0.1], Optimiser(name="sgd")))
    assert all(weight.grad is None for weight in model._network.parameters())
    assert not any(module.training for module in model._network)
    assert torch.is_grad_enabled()


def test_keras_compiles_each_function_once_whatever_the_number_of_images(keras: Backend, reference: ModuleType) -> None:
    import tensorflow as tf

    network = reference.NETWORKS["odd-valid"]
    model: Any = keras.build(network, reference.random_weights(network))
    ask_everything(model, reference)
    for count in (1, 2):
        model.trace(reference.random_images(network, count), ["conv"])
    compiled = dict(model._compiled)
    for count in (1, 2, 5, 17):
        images = reference.random_images(network, count)
        model.trace(images)
        model.trace(images, ["conv"])
        model.trace(images, ["conv", "norm"])
        model.trace(images, ["norm", "logits"])
        model.trace(images, edits=[Edit("conv", 1), Edit("norm", 2)])
        model.gradients(images, Target("norm", 2), ["image"])
        model.gradients(images, 2, ["conv"], [Edit("conv", 1)])
    assert model._compiled == compiled
    assert not tf.compat.v1.get_default_graph().get_operations()
