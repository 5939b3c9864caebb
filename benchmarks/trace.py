"""What it costs to see every layer: a trace of one image, beside the network's plain forward pass.

`python benchmarks/trace.py` measures both backends, each in a process of its own; `--backend keras` only one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from each_backend import command_line, on_each_backend
from measure import Contender, in_turns, ratio, timing
from plain import keras_network, torch_network
from tables import trace_tables

BLOCKS = 40
SLOW_BLOCKS = 5
"""For ways so slow that their distance is no question of a few per cent."""

Ways = tuple[dict[str, Contender], dict[str, Contender]]
"""Plain forward passes, and a slow way to see more than their result."""


def measured(blocks: int = BLOCKS) -> list[dict[str, Any]]:
    """One entry for each bundled network and backend."""
    return on_each_backend(__file__, blocks)


def measured_here(backend: str, blocks: int) -> list[dict[str, Any]]:
    """The same for one backend, in this process."""
    from layerscope.models.bundled import BUNDLED

    return [_measured(name, backend, blocks) for name in BUNDLED]


def _measured(name: str, backend: str, blocks: int) -> dict[str, Any]:
    from layerscope.backends.registry import backend as find_backend
    from layerscope.models.bundled import BUNDLED, weights_path
    from layerscope.models.weights import initial_weights, load_weights

    architecture, path = BUNDLED[name], weights_path(name)
    weights = load_weights(path, architecture) if path.is_file() else initial_weights(architecture)
    model = find_backend(backend).build(architecture, weights)
    image = np.random.default_rng(0).random((1, *architecture.input_shape), dtype=np.float32)
    trace = {"trace": Contender(partial(model.trace, image))}
    plain_ways, slow_way = {"pytorch": _pytorch, "keras": _keras}[backend](architecture, weights, image)
    _check_equal(
        next(iter(plain_ways.values())).call(), model.trace(image)[model.layers[-1].name], f"{name} on {backend}"
    )
    times, slowly = in_turns(trace | plain_ways, blocks), in_turns(trace | slow_way, SLOW_BLOCKS)
    return {
        "network": name,
        "backend": backend,
        "layers": len(model.layers),
        "milliseconds": {way: timing(found) for way, found in {**slowly, **times}.items()},
        "ratios": {way: ratio(times, "trace", way) for way in plain_ways},
        "quickest": min(plain_ways, key=lambda way: timing(times[way]).median),
        "slower": {way: ratio(slowly, way, "trace") for way in slow_way},
    }


def _check_equal(one: Any, other: Any, where: str) -> None:
    if not np.allclose(one, other, atol=1e-5):
        raise SystemExit(f"The plain forward pass of {where} computes something else than the trace.")


def _pytorch(architecture: Any, weights: Any, image: np.ndarray) -> Ways:
    import torch
    import torchlens
    from torchlens.backends.torch.wrappers import unwrap_torch, wrap_torch

    network = torch_network(architecture, weights)
    last = torch.channels_last if any(info.kind == "conv2d" for info in architecture.infos) else torch.contiguous_format
    network = network.to(memory_format=last)

    def forward() -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(image).permute(0, 3, 1, 2)).numpy()

    def traced() -> Any:
        with torch.no_grad():
            return torchlens.trace(network, torch.from_numpy(image).permute(0, 3, 1, 2))

    @contextmanager
    def wrapped() -> Iterator[None]:
        """TorchLens replaces PyTorch's functions, which slows everybody down until they are put back."""
        wrap_torch()
        try:
            yield
        finally:
            unwrap_torch()

    @contextmanager
    def on_one_core() -> Iterator[None]:
        """Quicker for small networks; waiting for other cores would only flatter the trace."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    unwrap_torch()
    return {"one core": Contender(forward, on_one_core), "all cores": Contender(forward)}, {
        "TorchLens": Contender(traced, wrapped)
    }


def _keras(architecture: Any, weights: Any, image: np.ndarray) -> Ways:
    import tensorflow as tf

    network = keras_network(architecture, weights)
    signature = tf.TensorSpec(image.shape, tf.float32)
    compiled = tf.function(lambda images: network(images, training=False)).get_concrete_function(signature)
    plain_way = Contender(lambda: compiled(tf.constant(image)).numpy())
    return {"all cores": plain_way}, {"`predict`": Contender(lambda: network.predict(image, verbose=0))}


if __name__ == "__main__":
    raise SystemExit(command_line(__file__, "trace", measured_here, trace_tables, BLOCKS))
