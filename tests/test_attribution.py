"""Attributions: closed forms on a linear network, both frameworks, and Captum and torch's autograd as oracles."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, Capability, Edit, Model
from layerscope.datasets.base import Dataset
from layerscope.drawing.fit import fit_images
from layerscope.drawing.resample import resized
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import load_weights
from layerscope.visualizers import Pass, Subject, build_settings, registered
from layerscope.visualizers import attribution as gradients_module
from layerscope.visualizers.attribution import (
    Question,
    baseline,
    grad_cam,
    gradient,
    gradient_times_input,
    guided_gradient,
    integrated_gradients,
    smooth_gradient,
)
from layerscope.visualizers.faithfulness import METHODS, Method, agreement, attributions, likeness, methods_for
from layerscope.visualizers.forgetting import forgetting, stages_of
from layerscope.visualizers.overlays import COLOURSCALE, OUTLINE, OUTLINE_COLOUR, cells_of
from layerscope.visualizers.perturbation import Progress, deletion, insertion, occlusion, rise, rise_masks

SHAPE = (7, 6, 2)
COMPACT = BUNDLED["cnn-compact"]
LAYERS = [info.name for info in COMPACT.infos[1:] if info.is_spatial]
RECTIFIED = [name for name in LAYERS if name.startswith("pool") or name.endswith("relu")]


def linear(backend: Backend, shape: tuple[int, int, int], kernel: np.ndarray, bias: np.ndarray) -> Model:
    """A network whose logits are the flattened image times the kernel plus the bias."""
    architecture = Architecture(
        name="linear",
        title="Linear",
        classes=tuple("abcdefgh"[: len(bias)]),
        layers=(
            Input(name="input", shape=shape),
            Flatten(name="flatten"),
            Dense(name="logits", units=len(bias)),
            Activation(name="softmax", function="softmax"),
        ),
    )
    weights = {"logits": {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}}
    return backend.build(architecture, weights)


@pytest.fixture
def kernel() -> np.ndarray:
    """Of three classes."""
    return np.random.default_rng(1).normal(size=(int(np.prod(SHAPE)), 3)).astype(np.float32)


@pytest.fixture
def question(backend: Backend, kernel: np.ndarray) -> Question:
    """Why class 2 of a linear network, in each backend."""
    image = np.random.default_rng(2).random(SHAPE, dtype=np.float32)
    return Question(linear(backend, SHAPE, kernel, np.array([0.5, -1, 2])), image, 2)


@pytest.fixture
def slopes(kernel: np.ndarray) -> np.ndarray:
    """The weights of class 2 as an image."""
    return kernel[:, 2].reshape(SHAPE)


@pytest.fixture(scope="module")
def digits(mnist_test: Dataset) -> np.ndarray:
    """A 7, a 2 and a 1."""
    return fit_images(mnist_test.images[:3], COMPACT.input_shape)


def compact(framework: Backend) -> Model:
    """The bundled cnn-compact."""
    return framework.build(COMPACT, load_weights(weights_path("cnn-compact"), COMPACT))


@pytest.fixture(scope="module")
def logits_network(pytorch: Backend) -> Any:
    """The bundled cnn-compact up to its logits, as anyone would write it in PyTorch."""
    spec = spec_from_file_location("plain", Path(__file__).parents[1] / "benchmarks" / "plain.py")
    assert spec
    assert spec.loader
    plain = module_from_spec(spec)
    spec.loader.exec_module(plain)
    return plain.torch_network(COMPACT, load_weights(weights_path("cnn-compact"), COMPACT))[:-1]


def channels_first(image: np.ndarray) -> Any:
    """A torch tensor `(1, channels, height, width)` of an image, ready for gradients."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None])).requires_grad_()


def channels_last(tensor: Any) -> np.ndarray:
    """The image `(height, width, channels)` of a torch tensor."""
    found: np.ndarray = tensor.detach().numpy()[0].transpose(1, 2, 0)
    return found


def assert_close(found: np.ndarray, wanted: np.ndarray, largest: float = 0.0) -> None:
    """Equal to 1e-4 of the largest magnitude, by default that of what is wanted, which is not zero."""
    assert found.shape == wanted.shape
    largest = largest or float(np.abs(wanted).max())
    assert largest > 0
    assert np.abs(found - wanted).max() <= 1e-4 * largest


def last(progress: Iterator[Progress]) -> np.ndarray:
    """The attribution at the end; on the way the share grows to 1."""
    steps = list(progress)
    shares = [0.0, *(step.share for step in steps)]
    assert all(one < two for one, two in pairwise(shares))
    assert shares[-1] == 1
    return steps[-1].attribution


# Closed forms


def test_the_gradient_of_a_linear_network_is_its_weights(question: Question, slopes: np.ndarray) -> None:
    np.testing.assert_allclose(gradient(question), slopes, rtol=1e-5)
    np.testing.assert_allclose(smooth_gradient(question, 0.2, 9), slopes, rtol=1e-5)


def test_what_pixels_add_to_a_linear_score_is_weight_times_pixel(question: Question, slopes: np.ndarray) -> None:
    added = slopes * question.image
    np.testing.assert_allclose(gradient_times_input(question), added, rtol=1e-5)
    found = integrated_gradients(question, np.zeros(SHAPE, np.float32), 3)
    np.testing.assert_allclose(found.attribution, added, rtol=1e-5)
    assert found.change == pytest.approx(added.sum(), rel=1e-4)
    assert found.gap == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("fill", "value"), [("black", 0.0), ("white", 1.0), ("mean", None)])
def test_integrated_gradients_start_at_the_baseline(
    question: Question, slopes: np.ndarray, fill: Any, value: Any
) -> None:
    start = baseline(question.image, fill)
    assert start.shape == SHAPE
    np.testing.assert_allclose(
        start[3, 2], question.image.reshape(-1, 2).mean(0) if value is None else value, rtol=1e-5
    )
    found = integrated_gradients(question, start, 2).attribution
    np.testing.assert_allclose(found, slopes * (question.image - start), rtol=1e-4, atol=1e-6)


def test_edits_count(question: Question, slopes: np.ndarray) -> None:
    edited = replace(question, edits=(Edit("logits", 2, 3.0),))
    np.testing.assert_allclose(gradient(edited), 3 * slopes, rtol=1e-5)
    np.testing.assert_allclose(
        edited.scores(question.image[None]), 3 * question.scores(question.image[None]), rtol=1e-5
    )
    assert edited.probabilities(question.image[None]) != question.probabilities(question.image[None])


def test_many_images_are_passed_in_parts_of_the_same_result(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(3).random((10, *SHAPE), dtype=np.float32)
    whole = question.scores(images), question.probabilities(images), question.gradients(images)
    monkeypatch.setattr(gradients_module, "MOST_IMAGES", 3)
    parts = question.scores(images), question.probabilities(images), question.gradients(images)
    for one, two in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_more_steps_close_the_gap(pytorch: Backend, digits: np.ndarray) -> None:
    question = Question(compact(pytorch), digits[0], 7)
    start = baseline(digits[0], "black")
    for steps, most in ((2, 0.5), (64, 0.01)):
        found = integrated_gradients(question, start, steps)
        before, after = question.model.logits(np.stack([start, digits[0]]))[:, 7]
        assert found.change == pytest.approx(after - before, rel=1e-5)
        assert found.gap == pytest.approx(found.attribution.sum() - (after - before), abs=1e-3)
        assert abs(found.gap) < most * abs(found.change)
    assert abs(integrated_gradients(question, start, 2).gap) > abs(found.gap)


def test_smooth_gradient_is_the_mean_of_gradients_of_noisy_images(pytorch: Backend, digits: np.ndarray) -> None:
    image = 0.5 * digits[2]
    question = Question(compact(pytorch), image, 1)
    noise = np.random.default_rng(7).standard_normal((5, *image.shape), np.float32)
    wanted = sum(gradient(replace(question, image=image + 0.1 * each)) for each in noise) / 5
    assert_close(smooth_gradient(question, 0.1 / image.max(), 5, seed=7), wanted)
    assert_close(smooth_gradient(question, 0.0, 5), gradient(question))


# Both frameworks, and independent oracles


def test_both_frameworks_agree(pytorch: Backend, keras: Backend, digits: np.ndarray) -> None:
    first, second = (Question(compact(framework), digits[1], 2) for framework in (pytorch, keras))
    start = baseline(digits[1], "black")
    methods: list[Callable[[Question], np.ndarray]] = [
        gradient,
        gradient_times_input,
        guided_gradient,
        lambda question: integrated_gradients(question, start, 16).attribution,
        lambda question: smooth_gradient(question, 0.1, 4),
        lambda question: last(occlusion(question, start, 6, 3)),
        lambda question: last(rise(question, start, 100, 7)),
        *(partial(grad_cam, layer=name, signed=True) for name in LAYERS),
        *(partial(grad_cam, layer=name, plus_plus=True) for name in RECTIFIED),
    ]
    for method in methods:
        assert_close(method(first), method(second))


def test_captum_finds_the_same_gradients(pytorch: Backend, logits_network: Any, digits: np.ndarray) -> None:
    from captum.attr import InputXGradient, IntegratedGradients, Saliency

    model = compact(pytorch)
    for image, target in product(digits, (3, 7)):
        question, tensor = Question(model, image, target), channels_first(image)
        saliency = Saliency(logits_network).attribute(tensor, target=target, abs=False)
        assert_close(gradient(question), channels_last(saliency))
        times_input = InputXGradient(logits_network).attribute(tensor, target=target)
        assert_close(gradient_times_input(question), channels_last(times_input))
        for fill, value in (("black", 0.0), ("white", 1.0)):
            integrated, delta = IntegratedGradients(logits_network).attribute(
                tensor, baselines=value, target=target, n_steps=16, return_convergence_delta=True
            )
            found = integrated_gradients(question, baseline(image, fill), 16)  # type: ignore[arg-type]
            assert_close(found.attribution, channels_last(integrated))
            assert found.gap == pytest.approx(delta.item(), abs=2e-3)


@pytest.mark.parametrize("layer", LAYERS)
def test_captum_finds_the_same_grad_cam(pytorch: Backend, logits_network: Any, digits: np.ndarray, layer: str) -> None:
    from captum.attr import LayerGradCam

    model = compact(pytorch)
    module = logits_network[[info.name for info in COMPACT.infos[1:]].index(layer)]
    for image, target in zip(digits, (7, 2, 1), strict=True):
        question, oracle = Question(model, image, target), LayerGradCam(logits_network, module)
        signed, positive = (
            channels_last(oracle.attribute(channels_first(image), target=target, relu_attributions=cut))[..., 0]
            for cut in (False, True)
        )
        assert_close(grad_cam(question, layer, signed=True), signed)
        assert_close(grad_cam(question, layer), positive, largest=float(np.abs(signed).max()))


@pytest.mark.parametrize(("window", "stride"), [(5, 2), (4, 4), (3, 1)])
def test_captum_finds_the_same_occlusion(
    pytorch: Backend, logits_network: Any, digits: np.ndarray, window: int, stride: int
) -> None:
    from captum.attr import Occlusion

    for fill, value in (("black", 0.0), ("white", 1.0)):
        wanted = Occlusion(logits_network).attribute(
            channels_first(digits[0]), sliding_window_shapes=(1, window, window), strides=(1, stride, stride),
            baselines=value, target=7, perturbations_per_eval=32,
        )  # fmt: skip
        start = baseline(digits[0], fill)  # type: ignore[arg-type]
        found = last(occlusion(Question(compact(pytorch), digits[0], 7), start, window, stride))
        assert_close(found, channels_last(wanted)[..., 0])


def test_autograd_finds_the_same_grad_cam_and_plus_plus(
    pytorch: Backend, logits_network: Any, digits: np.ndarray
) -> None:
    import torch

    names = [info.name for info in COMPACT.infos[1:]]
    for layer, target in product(RECTIFIED, (2, 8)):
        after = names.index(layer) + 1
        maps = logits_network[:after](channels_first(digits[1])).detach().requires_grad_()
        score = logits_network[after:](maps)[0, target]
        (slope,) = torch.autograd.grad(score, maps)
        maps, slope = maps[0].detach().double(), slope[0].double()
        plain, weighted = torch.zeros(maps.shape[1:]).double(), torch.zeros(maps.shape[1:]).double()
        for channel, moved in zip(maps, slope, strict=True):
            plain += moved.mean() * channel
            below = 2 * moved**2 + channel.sum() * moved**3
            alphas = torch.where(below == 0, 0.0, moved**2 / below)
            weighted += (alphas * moved.relu()).sum() * channel
        question = Question(compact(pytorch), digits[1], target)
        assert_close(grad_cam(question, layer, signed=True), plain.numpy())
        assert_close(grad_cam(question, layer, plus_plus=True), weighted.relu().numpy())


@pytest.mark.parametrize(("old", "new"), [((3, 3), (28, 28)), ((7, 5), (13, 21)), ((1, 4), (6, 4))])
def test_maps_are_brought_to_the_image_as_torch_does_it(
    pytorch: Backend, old: tuple[int, int], new: tuple[int, int]
) -> None:
    import torch

    maps = np.random.default_rng(0).random((2, *old), dtype=np.float32)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], new, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(resized(maps, *new), wanted[0].numpy(), atol=1e-5)


# Trying


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (2, 1), (1, 1), (9, 4)])
def test_occlusion_is_what_a_plain_loop_finds(question: Question, slopes: np.ndarray, window: int, stride: int) -> None:
    start = baseline(question.image, "white")
    lost = (slopes * (question.image - start)).sum(axis=2)
    falls: dict[tuple[int, int], list[float]] = {place: [] for place in np.ndindex(lost.shape)}
    for row in range(0, 7 + stride, stride):
        for column in range(0, 6 + stride, stride):
            if row < max(1, 7 - window + stride) and column < max(1, 6 - window + stride):
                square = np.s_[row : row + window, column : column + window]
                for place in np.argwhere(np.ones_like(lost[square])):
                    falls[(place[0] + row, place[1] + column)].append(float(lost[square].sum()))
    wanted = [np.mean(found) if found else 0 for found in falls.values()]
    assert_close(last(occlusion(question, start, window, stride)), np.reshape(wanted, lost.shape))


def test_rise_is_the_mean_score_of_the_masks_that_show_a_pixel(question: Question) -> None:
    start = baseline(question.image, "white")
    masks = list(rise_masks(SHAPE[:2], 150, 3, seed=4))
    shown = [start + mask[..., None] * (question.image - start) for mask in masks]
    scores = question.model.logits(np.stack(shown))[:, 2]
    wanted = [
        np.average(scores, weights=[mask[place] for mask in masks]) - scores.mean() for place in np.ndindex(SHAPE[:2])
    ]
    found = last(rise(question, start, 150, 3, seed=4))
    assert_close(found, np.reshape(wanted, SHAPE[:2]))
    np.testing.assert_array_equal(found, last(rise(question, start, 150, 3, seed=4)))
    assert np.abs(found - last(rise(question, start, 150, 3, seed=5))).max() > 1e-3


def test_rise_finds_the_only_pixel_that_counts(backend: Backend) -> None:
    kernel = np.zeros((64, 2))
    kernel[8 * 5 + 2, 1] = 1
    question = Question(linear(backend, (8, 8, 1), kernel, np.zeros(2)), np.ones((8, 8, 1), np.float32), 1)
    found = last(rise(question, baseline(question.image, "black"), 1000, 8))
    assert np.unravel_index(found.argmax(), found.shape) == (5, 2)


def test_masks_are_half_open_and_smooth() -> None:
    masks = np.stack(list(rise_masks((28, 20), 400, 7, seed=0)))
    assert masks.shape == (400, 28, 20)
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    assert masks.mean() == pytest.approx(0.5, abs=0.02)
    assert np.abs(np.diff(masks, axis=1)).max() <= 7 / 28 + 1e-6
    spread = masks[:, 4:-4, 4:-4].var(axis=0)
    assert spread.max() < 2 * spread.min(), "cells lie elsewhere in each mask"
    np.testing.assert_array_equal(masks[:9], list(rise_masks((28, 20), 400, 7, seed=0))[:9])


def test_deletion_and_insertion_follow_the_ranking(backend: Backend) -> None:
    kernel = np.array([[0, 1.0], [0, 4.0], [0, 2.0], [0, -3.0]])
    question = Question(linear(backend, (2, 2, 1), kernel, np.array([0, 0])), np.ones((2, 2, 1), np.float32), 1)
    start = baseline(question.image, "black")
    ranked = kernel[:, 1].reshape(2, 2).astype(np.float32)
    chance = [1 / (1 + np.exp(-score)) for score in (4, 0, -2, -3, 0)]
    lost = deletion(question, ranked, start, 4)
    np.testing.assert_allclose(lost.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(lost.probabilities, chance, rtol=1e-4)
    assert lost.area == pytest.approx(sum((one + two) / 8 for one, two in pairwise(chance)), rel=1e-4)
    found = insertion(question, ranked, start, 2)
    np.testing.assert_allclose(found.probabilities, [1 / (1 + np.exp(-score)) for score in (0, 6, 4)], rtol=1e-4)
    assert deletion(question, -ranked, start, 4).area > lost.area
    assert insertion(question, -ranked, start, 4).area < insertion(question, ranked, start, 4).area


def test_agreement_is_of_ranks_and_knows_no_sign() -> None:
    rising = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert agreement(rising, -(rising**3)) == pytest.approx(1)
    assert agreement(np.where(rising > 5, -rising, rising), rising) == pytest.approx(1)
    assert agreement(rising, 11 - rising) == pytest.approx(-1)
    assert np.isnan(agreement(rising, np.ones_like(rising)))


# What is shown


def test_a_model_that_lacks_gradients_can_still_be_tried(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject(question.model, Pass(question.model, question.image)).at("input")
    monkeypatch.setattr(question.model, "capabilities", frozenset({Capability.LOGITS}))
    for name in ("gradient_map", "grad_cam", "trust"):
        assert registered()[name].unmet(subject) == ("This view needs a model that offers gradients; linear does not.")
    assert registered()["occlusion"].unmet(subject) is None


def drawn(name: str, subject: Subject, **settings: Any) -> dict[str, Any]:
    """The figure as it leaves for the browser; of a view that takes its time, the last one."""
    entry = registered()[name]
    assert entry.unmet(subject) is None
    given = entry.draw(subject, build_settings(entry.settings, settings))
    figure: Any = given if not entry.on_request else [frame.figure for frame in given if frame.figure][-1]
    return dict(figure.to_dict())


def decoded(spec: dict[str, str]) -> np.ndarray:
    """The array in a base64 typed array."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), spec["dtype"])
    return flat.reshape([int(size) for size in spec["shape"].split(",")]) if "shape" in spec else flat


def cells(figure: dict[str, Any]) -> np.ndarray:
    """The numbers of a heat map."""
    return decoded(figure["data"][0]["z"])


def remark(figure: dict[str, Any]) -> str:
    """The words of its legend."""
    return str(figure["layout"]["meta"]["legend"]["words"])


def test_the_heat_map_is_the_attribution_and_the_outline_of_the_image() -> None:
    image = np.zeros((6, 6, 1), np.float32)
    image[2:4, 2:4] = 1
    values = np.zeros((6, 6), np.float32)
    values[0, 1], values[5, 4], values[5, 0] = 2, -4, 1
    found = cells_of(values, image)
    assert found.shape == (24, 24)
    np.testing.assert_array_equal(found[:4, 4:8], np.full((4, 4), 64))
    np.testing.assert_array_equal(found[20:, 16:20], np.full((4, 4), -127))
    np.testing.assert_array_equal(found[20:, :4], np.full((4, 4), 32))
    line = np.argwhere(found == OUTLINE)
    assert (line.min(), line.max()) == (8, 15)
    assert found[11, 11] == found[4, 4] == 0
    assert (found[8, 10:14] == OUTLINE).all()
    np.testing.assert_array_equal(np.unique(cells_of(np.zeros((6, 6), np.float32), image)), [OUTLINE, 0])


def test_zero_is_grey_and_only_the_outline_is_dark() -> None:
    stops, colours = [at for at, _ in COLOURSCALE], [colour for _, colour in COLOURSCALE]
    assert stops == sorted(stops)
    assert (stops[0], stops[-1]) == (0, 1)
    assert colours[stops.index(pytest.approx(128 / 255))] == "#dddddd"
    dark = [at for at, colour in COLOURSCALE if colour == OUTLINE_COLOUR]
    assert dark[0] == 0
    assert 0.5 / 256 < dark[1] < 1 / 255, "the first of 256 colours, and nothing of the lowest number's"


def test_maps_can_be_painted_under_the_moving_pen(backend: Backend, digits: np.ndarray) -> None:
    model = compact(backend)
    subjects = [Subject(model, Pass(model, image)).at(LAYERS[-1]) for image in (*digits, 0 * digits[0])]
    settings = [("gradient_map", method) for method in registered()["gradient_map"].controls[0].options]
    settings += [("grad_cam", "Grad-CAM"), ("grad_cam", "Grad-CAM++")]
    for name, method in settings:
        assert registered()[name].follows_pen
        figures = [drawn(name, subject, method=method) for subject in subjects]
        assert all(len(figure["data"]) == 1 and figure["data"][0]["type"] == "heatmap" for figure in figures)
        for key in ("colorscale", "zmin", "zmax"):
            assert all(figure["data"][0][key] == figures[0]["data"][0][key] for figure in figures)
        for key in ("uirevision", "height", "margin"):
            assert all(figure["layout"][key] == figures[0]["layout"][key] for figure in figures)
        assert cells(figures[0]).shape == (112, 112)


def test_the_chosen_class_is_explained_and_named(question: Question, kernel: np.ndarray) -> None:
    subject = Subject(question.model, Pass(question.model, question.image), target=1)
    for method, wanted in (("gradient", kernel), ("gradient × input", kernel * question.image.reshape(-1, 1))):
        figure = drawn("gradient_map", subject, method=method)
        values = wanted[:, 1].reshape(SHAPE).sum(axis=2)
        np.testing.assert_array_equal(cells(figure), cells_of(values, question.image))
        assert remark(figure).startswith(f"{method} · class b")
    predicted = drawn("gradient_map", replace(subject, target=None))
    assert f"class {question.model.classes[subject.probabilities.argmax()]}" in remark(predicted)


def test_what_integrated_gradients_miss_is_said(pytorch: Backend, digits: np.ndarray) -> None:
    model = compact(pytorch)
    found = integrated_gradients(Question(model, digits[0], 7), baseline(digits[0], "white"), 8)
    figure = drawn("gradient_map", Subject(model, Pass(model, digits[0]), target=7), steps=8, baseline="white")
    assert f"gap {100 * abs(found.gap / found.change):.1f} %" in remark(figure)
    assert abs(found.gap) > 0.005 * abs(found.change)


def test_grad_cam_is_shown_in_the_size_of_the_image(pytorch: Backend, digits: np.ndarray) -> None:
    model = compact(pytorch)
    subject = Subject(model, Pass(model, digits[0]), target=3).at(LAYERS[-1])
    for against in (False, True):
        found = grad_cam(Question(model, digits[0], 3), LAYERS[-1], signed=against)
        figure = drawn("grad_cam", subject, against=against)
        np.testing.assert_array_equal(cells(figure), cells_of(resized(found, 28, 28), digits[0]))
        high = f"{np.abs(resized(found, 28, 28)).max():.3g}"
        legend = figure["layout"]["meta"]["legend"]
        assert (legend["low"], legend["high"]) == (f"−{high}" if against else "0", high)
        assert "from 3×3" in legend["words"]


def test_grad_cam_says_when_nothing_speaks_for_the_class(question: Question) -> None:
    subject = Subject(question.model, Pass(question.model, 0 * question.image), target=2).at("input")
    assert "nothing here speaks for it" in remark(drawn("grad_cam", subject))
    assert "nothing here speaks for it" not in remark(drawn("grad_cam", subject, against=True))


@pytest.mark.parametrize("method", ["occlusion", "RISE"])
def test_occlusion_shows_how_far_it_is(question: Question, method: str) -> None:
    entry = registered()["occlusion"]
    subject = Subject(question.model, Pass(question.model, question.image), target=2)
    assert entry.on_request
    settings = build_settings(entry.settings, {"method": method, "window": 1, "masks": 300, "fill": "white"})
    frames = list(entry.draw(subject, settings))
    assert frames[-1].share == 1
    start = baseline(question.image, "white")
    wanted = last(occlusion(question, start, 1, 1) if method == "occlusion" else rise(question, start, 300, 7))
    np.testing.assert_array_equal(cells(frames[-1].figure.to_dict()), cells_of(wanted, question.image))


UNGUIDED: list[Method] = [method for method in METHODS if method != "guided backpropagation"]


@pytest.mark.parametrize("method", UNGUIDED)
def test_trust_tells_areas_and_agreement(question: Question, method: str) -> None:
    subject = Subject(question.model, Pass(question.model, question.image), target=2)
    figure = drawn("trust", subject, method=method, portions=7)
    start = baseline(question.image, "black")
    found = {name: last(attributions(question, name, "black")) for name in UNGUIDED}
    words = [note["text"] for note in figure["layout"]["annotations"]]
    orders = np.random.default_rng(0).random((5, *SHAPE[:2]), np.float32)
    for index, curve in enumerate((deletion, insertion)):
        tested = curve(question, found[method], start, 7)
        random = np.mean([curve(question, order, start, 7).probabilities for order in orders], axis=0)
        np.testing.assert_allclose(decoded(figure["data"][2 + index]["y"]), tested.probabilities, rtol=1e-5)
        np.testing.assert_allclose(decoded(figure["data"][index]["y"]), random, rtol=1e-5)
        area = replace(tested, probabilities=random).area
        assert f"{curve.__name__} <b>{tested.area:.2f}</b> (random {area:.2f};" in words[index]
    others = [other for other in UNGUIDED if other != method]
    agreements = [agreement(found[method], found[other]) for other in others]
    texts = figure["data"][-1]["text"]
    assert [text.split("  <b>")[0] for text in texts] == others
    assert [text.split("<b>")[1].replace("−", "-").split("<")[0] for text in texts] == [
        f"{value:.2f}" if value == value else "none: one of the maps is the same everywhere" for value in agreements
    ]
    np.testing.assert_allclose(decoded(figure["data"][-2]["x"]), np.nan_to_num(agreements), rtol=1e-5)


def test_trust_shows_the_curves_before_the_other_methods_are_done(question: Question) -> None:
    entry = registered()["trust"]
    frames = list(entry.draw(Subject(question.model, Pass(question.model, question.image)), entry.settings()))
    shares = [frame.share for frame in frames]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    first = next(frame.figure for frame in frames if frame.figure)
    assert all(text.endswith("<b>…</b>") for trace in (-1, -3) for text in first.to_dict()["data"][trace]["text"])


# What the network forgets


def test_weights_are_shuffled_from_the_last_layer_on(pytorch: Backend, digits: np.ndarray) -> None:
    question = Question(compact(pytorch), digits[0], 3, (Edit("conv1", 2),))
    model = question.model
    learnt = [info.name for info in model.layers if info.weight_shapes][::-1]
    assert learnt == ["logits", "dense1", "conv3", "conv2", "conv1"]
    stages = list(forgetting(question))
    assert len(stages) == 5
    for forgotten, stage in enumerate(stages, start=1):
        assert (stage.target, stage.edits) == (3, question.edits)
        np.testing.assert_array_equal(stage.image, question.image)
        for place, name in enumerate(learnt):
            before, after = model.weights(name)["kernel"], stage.model.weights(name)["kernel"]
            assert np.array_equal(before, after) == (place >= forgotten)
            np.testing.assert_array_equal(np.sort(after, axis=None), np.sort(before, axis=None))
            same_at_the_end = np.array_equal(after, stages[-1].model.weights(name)["kernel"])
            assert same_at_the_end == (place < forgotten)
    assert [each.model.version for each in forgetting(question)] == [each.model.version for each in stages]
    assert stages_of(model) == ["logits", "and dense1", "and conv3", "and conv2", "and conv1: everything"]


def test_many_layers_are_forgotten_in_six_stages(pytorch: Backend) -> None:
    model = pytorch.build(BUNDLED["cnn-batchnorm"])
    words = stages_of(model)
    assert words[0] == "logits to dense2"
    assert words[-1] == "and conv1: everything"
    image = np.zeros(model.input_shape, np.float32)
    assert len(words) == len(list(forgetting(Question(model, image, 0)))) == 6


def test_likeness_counts_only_where_a_map_says_something() -> None:
    one, other = np.zeros((6, 6), np.float32), np.zeros((6, 6), np.float32)
    one[0, :5], other[0, :5] = [1, 2, 3, 4, 5], [5, -4, 3, 2, 1]
    assert agreement(one, other) > 0.9, "most of it is the empty rest"
    assert likeness(one, other) == pytest.approx(-1)
    one[0, 5] = 6
    assert likeness(one, other) == pytest.approx(agreement(one[0], other[0])), "where only one of them does, too"
    assert np.isnan(likeness(0 * one, 0 * other))


def test_trust_shows_how_the_map_changes_as_the_network_forgets(pytorch: Backend, digits: np.ndarray) -> None:
    model = compact(pytorch)
    for method in ("gradient", "guided backpropagation"):
        figure = drawn("trust", Subject(model, Pass(model, digits[0]), target=7), method=method, portions=4)
        question = Question(model, digits[0], 7)
        true = last(attributions(question, method, "black"))  # type: ignore[arg-type]
        maps = [last(attributions(stage, method, "black")) for stage in forgetting(question)]  # type: ignore[arg-type]
        wanted = [likeness(true, each) for each in maps]
        np.testing.assert_allclose(decoded(figure["data"][4]["x"]), wanted, rtol=1e-5)
        texts = figure["data"][5]["text"]
        assert texts[-1] == f"and conv1: everything  <b>{wanted[-1]:.2f}</b>"
        words = [note["text"] for note in figure["layout"]["annotations"]]
        assert f"shuffled weights <b>{wanted[-1]:.2f}</b> (best near 0)" in words[2]
        verdict = "it changes with what was learnt" if wanted[-1] < 0.4 else "part of it stays, whatever was learnt"
        assert verdict in figure["layout"]["xaxis3"]["title"]["text"]


def test_a_map_that_does_not_depend_on_what_was_learnt_is_found_out(backend: Backend) -> None:
    image = np.linspace(0.1, 1, 16, dtype=np.float32).reshape(4, 4, 1)
    kernel = np.full((16, 2), 0.5)
    model = linear(backend, (4, 4, 1), kernel, np.zeros(2))
    figure = drawn("trust", Subject(model, Pass(model, image), target=1), method="gradient × input", portions=4)
    assert "shuffled weights <b>1.00</b>" in figure["layout"]["annotations"][2]["text"]
    assert "it stays the same, so it explains nothing" in figure["layout"]["xaxis3"]["title"]["text"]


def test_a_model_that_cannot_forget_says_why_and_is_tested_otherwise(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = question.model.capabilities - {Capability.OTHER_WEIGHTS}
    monkeypatch.setattr(question.model, "capabilities", lacking)
    figure = drawn("trust", Subject(question.model, Pass(question.model, question.image)), portions=4)
    words = [note["text"] for note in figure["layout"]["annotations"]]
    assert words[2].endswith("shuffled weights not tested: this network cannot be given other weights")
    assert len(figure["data"]) == 6
    assert "<b>…</b>" not in "".join(figure["data"][-1]["text"])


# The same in one line, beside the map


def trust_words(name: str, subject: Subject, **settings: Any) -> list[str]:
    entry = registered()[name]
    assert entry.aside
    frames = list(entry.aside(subject, build_settings(entry.settings, settings)))
    assert [frame.share for frame in frames] == sorted(frame.share for frame in frames)
    assert frames[-1].share == 1
    assert frames[0].words == "checking how far to trust it…"
    return frames[-1].words.split("\n")


CAM = {"method": "Grad-CAM++", "against": True}


@pytest.mark.parametrize(
    ("name", "settings", "shown"),
    [
        (
            "gradient_map",
            {"method": "SmoothGrad", "noise": 0.3},
            lambda each: smooth_gradient(each, 0.3, 16).sum(axis=2),
        ),
        ("grad_cam", CAM, lambda each: resized(grad_cam(each, "conv2_relu", True, True), 28, 28)),
        (
            "occlusion",
            {"window": 9, "stride": 3},
            lambda each: last(occlusion(each, baseline(each.image, "black"), 9, 3)),
        ),
    ],
    ids=["gradient", "Grad-CAM++", "occlusion"],
)
def test_the_trust_line_tests_the_map_that_is_shown(
    backend: Backend, digits: np.ndarray, name: str, settings: dict[str, Any], shown: Callable[[Question], np.ndarray]
) -> None:
    model, edits = compact(backend), (Edit("conv1", 2),)
    question = Question(model, digits[0], 7, edits)
    subject = Subject(model, Pass(model, digits[0], edits), target=7).at("conv2_relu")
    words = trust_words(name, subject, **settings)
    true, start = shown(question), baseline(question.image, "black")
    areas = [curve(question, true, start, 28).area for curve in (deletion, insertion)]
    orders = np.random.default_rng(0).random((5, *digits[0].shape[:2]), np.float32)
    random = [np.mean([curve(question, each, start, 28).area for each in orders]) for curve in (deletion, insertion)]
    own = settings.get("method", "occlusion").removesuffix("++")
    others = [each for each in METHODS if each not in (own, "RISE")]
    agreements = [agreement(true, last(attributions(question, each, "black"))) for each in others]
    forgotten = likeness(true, shown(list(forgetting(question))[-1]))
    good = areas[0] < random[0] and areas[1] > random[1] and forgotten < 0.4
    assert words[0].replace("−", "-") == (
        f"{'✓ trust: good' if good else '✗ trust: doubtful'} · deletion {areas[0]:.2f} (random {random[0]:.2f}) · "
        f"insertion {areas[1]:.2f} (random {random[1]:.2f}) · agreement {np.mean(agreements):.2f} · "
        f"random weights {forgotten:.2f}"
    )
    assert any(line.startswith("Doubtful:") for line in words) != good


def test_the_trust_line_doubts_a_map_that_does_not_depend_on_what_was_learnt(backend: Backend) -> None:
    image = np.linspace(0.1, 1, 16, dtype=np.float32).reshape(4, 4, 1)
    model = linear(backend, (4, 4, 1), np.full((16, 2), 0.5), np.zeros(2))
    words = trust_words("gradient_map", Subject(model, Pass(model, image), target=1), method="gradient × input")
    assert words[0].startswith("✗ trust: doubtful")
    assert words[0].endswith("random weights 1.00")
    assert "Doubtful: much of it stays when the network has forgotten everything." in words


def test_the_trust_line_says_what_is_missing(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = question.model.capabilities - {Capability.OTHER_WEIGHTS, Capability.GRADIENTS}
    monkeypatch.setattr(question.model, "capabilities", lacking)
    subject = Subject(question.model, Pass(question.model, question.image), target=2)
    words = trust_words("occlusion", subject, window=1)
    assert words[0].endswith("agreement untested · random weights untested")
    assert words[0].startswith("– trust: partly tested") or "Doubtful" in words[1]
    assert words[-2].endswith("the network has no gradients to compare with.")
    assert words[-1].endswith("not tested: this network cannot be given other weights.")
    assert trust_words("occlusion", subject, method="RISE", masks=100)[0].count("untested") == 1
    empty = Subject(question.model, Pass(question.model, 0 * question.image), target=2)
    assert trust_words("occlusion", empty) == ["– nothing to test: the map is the same everywhere"]


# Guided backpropagation


def test_a_network_without_relus_is_not_guided_and_it_is_said(question: Question) -> None:
    assert methods_for(question.model) == UNGUIDED
    subject = Subject(question.model, Pass(question.model, question.image), target=2)
    figure = drawn("gradient_map", subject, method="guided backpropagation")
    assert "class c · no relu layers in this network" in remark(figure)
    assert set(np.unique(cells(figure))) <= {0, -128}
    figure = drawn("trust", subject, method="guided backpropagation")
    assert "withheld:<br>no relu layers in this network" in figure["layout"]["annotations"][0]["text"]


def test_the_guided_map_is_shown(backend: Backend, digits: np.ndarray) -> None:
    model = compact(backend)
    question = Question(model, digits[0], 7)
    figure = drawn("gradient_map", Subject(model, Pass(model, digits[0])), method="guided backpropagation")
    np.testing.assert_array_equal(cells(figure), cells_of(guided_gradient(question).sum(axis=2), digits[0]))
    assert remark(figure).startswith("guided gradient · class 7")
    assert np.abs(guided_gradient(question) - gradient(question)).max() > 0.1 * np.abs(gradient(question)).max()
