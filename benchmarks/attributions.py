"""What the maps of "why does it think so" cost, beside the libraries that are known for them.

`python benchmarks/attributions.py` measures both backends, each in a process of its own; `--backend keras` only one.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from each_backend import command_line, on_each_backend
from measure import Contender, in_turns, ratio, timing
from plain import keras_network, torch_network
from tables import attributions_table

BLOCKS = 7
NETWORK, LAYER, DIGIT = "cnn-compact", "conv2_relu", 3
STEPS, SAMPLES, NOISE, WINDOW, STRIDE = 16, 16, 0.15, 5, 1
TOGETHER = 64
"""Covered images that Captum is given at once, which it does one by one unless it is told otherwise."""

Maps = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Line:
    """What has to hold for one attribution.

    Attributes:
        share: of the quickest peer's time that ours may take.
        alike: the least correlation of both maps; 1 asks for equal ones.
    """

    share: float = 1.0
    alike: float = 1.0


LINES: Mapping[str, Line] = {
    "gradient": Line(),
    "gradient × input": Line(),
    "guided backpropagation": Line(),
    "integrated gradients": Line(),
    "SmoothGrad": Line(1 / 3, 0.7),
    "Grad-CAM": Line(),
    "Grad-CAM++": Line(1, -1),
    "occlusion": Line(1 / 3),
}
"""SmoothGrad draws its noise at random. tf-keras-vis divides the α of Grad-CAM++ by their sum, which equation 19 does
not, so that its maps are others, for the same work."""


def measured(blocks: int = BLOCKS) -> list[dict[str, Any]]:
    """One entry for each attribution and backend."""
    return on_each_backend(__file__, blocks)


def measured_here(backend: str, blocks: int) -> list[dict[str, Any]]:
    """The same for one backend, in this process."""
    from layerscope.backends.registry import backend as find_backend
    from layerscope.datasets.digits import load_digits
    from layerscope.drawing.fit import fit_images
    from layerscope.models.bundled import BUNDLED, weights_path
    from layerscope.models.weights import load_weights
    from layerscope.visualizers.attribution import Question

    architecture = BUNDLED[NETWORK]
    weights = load_weights(weights_path(NETWORK), architecture)
    model = find_backend(backend).build(architecture, weights)
    digits = load_digits()
    image = fit_images(digits.images[digits.labels == DIGIT][:1], architecture.input_shape)
    ours = _ours(Question(model, image[0], DIGIT))
    theirs = {"pytorch": _captum, "keras": _tf_keras_vis}[backend](architecture, weights, image)
    return [_entry(backend, name, ours[name], theirs.get(name, {}), blocks) for name in ours]


def _entry(backend: str, name: str, call: Callable[[], Any], peers: Mapping[str, Contender], blocks: int) -> Any:
    line = LINES[name]
    likeness = {way: _checked(name, call(), peer.call(), line) for way, peer in peers.items()}
    times = in_turns({"ours": Contender(call), **peers}, blocks)
    return {
        "attribution": name,
        "backend": backend,
        "milliseconds": {way: timing(found) for way, found in times.items()},
        "ratios": {way: ratio(times, "ours", way) for way in peers},
        "likeness": likeness,
        "line": line.share,
    }


def _checked(name: str, ours: Any, theirs: Any, line: Line) -> float:
    """The correlation of both maps; stops where what is compared does not come to the same."""
    one, other = np.ravel(ours).astype(np.float64), np.ravel(theirs).astype(np.float64)
    alike = float(np.corrcoef(one, other)[0, 1])
    equal = np.abs(one - other).max() <= 1e-3 * np.abs(one).max()
    if alike < line.alike - 1e-6 or (line.alike == 1 and not equal):
        raise SystemExit(f"What is compared does not come to the same: {name}, correlation {alike}.")
    return alike


def _ours(question: Any) -> Maps:
    from layerscope.visualizers import attribution, perturbation

    start = attribution.baseline(question.image, "black")
    return {
        "gradient": lambda: attribution.gradient(question),
        "gradient × input": lambda: attribution.gradient_times_input(question),
        "guided backpropagation": lambda: attribution.guided_gradient(question),
        "integrated gradients": lambda: attribution.integrated_gradients(question, start, STEPS).attribution,
        "SmoothGrad": lambda: attribution.smooth_gradient(question, NOISE, SAMPLES),
        "Grad-CAM": lambda: attribution.grad_cam(question, LAYER),
        "Grad-CAM++": lambda: attribution.grad_cam(question, LAYER, plus_plus=True),
        "occlusion": lambda: list(perturbation.occlusion(question, start, WINDOW, STRIDE))[-1].attribution,
    }


def _captum(architecture: Any, weights: Any, image: np.ndarray) -> Mapping[str, Mapping[str, Contender]]:
    import torch
    from captum.attr import (
        GuidedBackprop,
        InputXGradient,
        IntegratedGradients,
        LayerGradCam,
        NoiseTunnel,
        Occlusion,
        Saliency,
    )

    names = [layer.name for layer in architecture.layers[1:]]
    network = torch_network(architecture, weights)[: names.index("logits") + 1]
    given = torch.from_numpy(image).permute(0, 3, 1, 2)
    saliency, sigma = Saliency(network), float(NOISE * np.ptp(image))
    cam, covering = LayerGradCam(network, network[names.index(LAYER)]), Occlusion(network)

    def map_of(method: Any, **settings: Any) -> Callable[[], Any]:
        def call() -> Any:
            found = method.attribute(given, target=DIGIT, **settings)
            found = found[0] if isinstance(found, tuple) else found
            return found.detach().numpy()[0].transpose(1, 2, 0)

        return call

    @contextmanager
    def on_one_core() -> Any:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def both(settled: str, call: Callable[[], Any]) -> dict[str, Contender]:
        """On all cores and on one, which is often quicker for so small a network."""
        return {settled: Contender(call), f"{settled}, one core": Contender(call, on_one_core)}

    squares = partial(
        map_of, covering, sliding_window_shapes=(1, WINDOW, WINDOW), strides=(1, STRIDE, STRIDE), baselines=0
    )
    integrated = map_of(IntegratedGradients(network), baselines=0, n_steps=STEPS, return_convergence_delta=True)
    noisy = map_of(NoiseTunnel(saliency), nt_type="smoothgrad", nt_samples=SAMPLES, stdevs=sigma, abs=False)
    return {
        "gradient": both("Captum", map_of(saliency, abs=False)),
        "gradient × input": both("Captum", map_of(InputXGradient(network))),
        "guided backpropagation": both("Captum", map_of(GuidedBackprop(network))),
        "integrated gradients": both("Captum", integrated),
        "SmoothGrad": both("Captum", noisy),
        "Grad-CAM": both("Captum", map_of(cam, relu_attributions=True)),
        "occlusion": {
            **both("Captum", squares()),
            **both(f"Captum, {TOGETHER} at once", squares(perturbations_per_eval=TOGETHER)),
        },
    }


def _tf_keras_vis(architecture: Any, weights: Any, image: np.ndarray) -> Mapping[str, Mapping[str, Contender]]:
    import keras
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    network = keras_network(architecture, weights)
    named = dict(zip([layer.name for layer in architecture.layers[1:]], network.layers, strict=True))
    answering = keras.Model(network.inputs[0], named["logits"].output)
    score = CategoricalScore(DIGIT)
    saliency = partial(
        Saliency(answering), score, image, normalize_map=False, keepdims=True, gradient_modifier=lambda found: found
    )
    cams = (
        partial(
            made(answering),
            score,
            image,
            penultimate_layer=named[LAYER].name,
            expand_cam=False,
            normalize_cam=False,
            seek_penultimate_conv_layer=False,
        )
        for made in (Gradcam, GradcamPlusPlus)
    )
    ways = {
        "gradient": saliency,
        "SmoothGrad": partial(saliency, smooth_samples=SAMPLES, smooth_noise=NOISE),
        **dict(zip(("Grad-CAM", "Grad-CAM++"), cams, strict=True)),
    }
    return {name: {"tf-keras-vis": Contender(way)} for name, way in ways.items()}


if __name__ == "__main__":
    raise SystemExit(command_line(__file__, "attributions", measured_here, attributions_table, BLOCKS))
