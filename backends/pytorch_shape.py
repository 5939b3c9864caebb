"""What images a PyTorch network takes, which it need not say anywhere."""

from collections.abc import Iterator
from math import isqrt

import torch
from torch import nn

from .base import BackendError

SIDES = (28, 32, 64, 96, 128, 224)
"""Sides of square images that are tried on a network that begins with a convolution."""


def image_shape(title: str, network: nn.Module) -> tuple[int, int, int]:
    """`(height, width, channels)`: the network's attribute `input_shape`, or the only usual shape it runs on.

    Raises:
        BackendError: the attribute is something else, or missing while the network runs on several shapes or on none.
    """
    said = getattr(network, "input_shape", None)
    if said is not None:
        return _checked(title, network, said)
    fitting = [shape for shape in _usual(network) if _runs(network, shape)]
    if len(fitting) == 1:
        return fitting[0]
    found = f"runs on {', '.join(map(str, fitting))}" if fitting else "runs on none of the usual shapes"
    raise BackendError(
        f"{title} does not say what images it takes; give it the attribute input_shape = (height, width, channels). "
        f"Received: a network that {found}"
    )


def _checked(title: str, network: nn.Module, said: object) -> tuple[int, int, int]:
    if not (isinstance(said, tuple | list) and len(said) == 3 and all(isinstance(each, int) for each in said)):
        raise BackendError(f"{title}.input_shape should be (height, width, channels). Received: {said!r}")
    height, width, channels = said
    try:
        _try(network, (height, width, channels))
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise BackendError(f"{title} does not run on images of input_shape {tuple(said)}: {reason}") from error
    return height, width, channels


def _usual(network: nn.Module) -> Iterator[tuple[int, int, int]]:
    """Shapes worth trying, judged by the first layer with weights."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            yield from ((side, side, module.in_channels) for side in SIDES)
            return
        if isinstance(module, nn.Linear):
            for channels in (1, 3):
                side = isqrt(module.in_features // channels)
                if side * side * channels == module.in_features:
                    yield side, side, channels
            return


def _runs(network: nn.Module, shape: tuple[int, int, int]) -> bool:
    try:
        _try(network, shape)
    except Exception:
        return False
    return True


def _try(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """Two images, so that a network that takes them for one row of numbers does not pass."""
    height, width, channels = shape
    weight = next(network.parameters(), torch.empty(0))
    with torch.no_grad():
        result = network(torch.zeros(2, channels, height, width, device=weight.device))
    if isinstance(result, torch.Tensor) and len(result) != 2:
        raise ValueError(f"two images gave {len(result)} results")
