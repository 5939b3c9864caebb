"""PyTorch's optimisers, and what they gather as arrays that the other framework's can go on from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .base import CHANCE, Array, Optimiser, State
from .pytorch_layers import canonical
from .stored import gathered

SLOTS: Mapping[str, Mapping[str, str]] = {
    "sgd": {"velocity": "momentum_buffer"},
    "rmsprop": {"square": "square_avg", "velocity": "momentum_buffer"},
    "adam": {"mean": "exp_avg", "square": "exp_avg_sq"},
}
"""Optimiser → what we call its slots → what PyTorch calls them."""
STEPS = "steps"

Named = Mapping[str, tuple[nn.Parameter, Tensor]]
"""`layer/weight` → the parameter, and a view of it in canonical layout."""


def optimiser_for(optimiser: Optimiser, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Weight decay is decoupled in all of them, so it is not left to PyTorch, which couples it in two of three."""
    if optimiser.name == "sgd":
        return torch.optim.SGD(weights, lr=0.0, momentum=optimiser.momentum, foreach=True)
    if optimiser.name == "rmsprop":
        return torch.optim.RMSprop(
            weights, lr=0.0, alpha=optimiser.rho, eps=optimiser.epsilon, momentum=optimiser.momentum, foreach=True
        )
    return torch.optim.Adam(
        weights, lr=0.0, betas=(optimiser.beta1, optimiser.beta2), eps=optimiser.epsilon, fused=True
    )


def named_parameters(weights: Sequence[nn.Parameter], owners: Mapping[str, nn.Module]) -> Named:
    """The parameters that a training moves, by layer and canonical name."""
    views = {
        view.data_ptr(): (f"{layer}/{name}", view)
        for layer, module in owners.items()
        for name, view in canonical(module).items()
    }
    found = [(*views.get(each.data_ptr(), (f"parameter {place}", each)), each) for place, each in enumerate(weights)]
    return {name: (parameter, view) for name, view, parameter in found}


def told_state(updates: torch.optim.Optimizer, optimiser: Optimiser, named: Named) -> dict[str, NDArray[Any]]:
    """A copy of what an optimiser has gathered; empty before its first step."""
    told: dict[str, NDArray[Any]] = {}
    for name, (parameter, view) in named.items():
        known = updates.state.get(parameter, {})
        for slot in _slots(optimiser):
            if (tensor := known.get(SLOTS[optimiser.name][slot])) is not None:
                told[f"{name}/{slot}"] = _canonical(torch.empty_like(parameter).copy_(tensor), view)
        if optimiser.name == "adam" and "step" in known:
            told[STEPS] = np.array([float(known["step"])], np.float32)
    return told


def take_state(updates: torch.optim.Optimizer, optimiser: Optimiser, named: Named, state: State) -> None:
    """Goes on from what `told_state` once gave, or the other framework's like.

    Raises:
        BackendError: it was told by another optimiser, or of another network.
    """
    steps = float(gathered(state, STEPS, (1,))[0]) if optimiser.name == "adam" else 0.0
    for name, (parameter, view) in named.items():
        known: dict[str, Any] = {
            SLOTS[optimiser.name][slot]: _like(parameter, view, gathered(state, f"{name}/{slot}", view.shape))
            for slot in _slots(optimiser)
        }
        if optimiser.name != "sgd":
            # A fused optimiser counts where it computes.
            known["step"] = torch.tensor(steps, device=parameter.device if optimiser.name == "adam" else "cpu")
        updates.state[parameter] = known


def told_chance(device: torch.device) -> dict[str, NDArray[Any]]:
    """Where the chance stands that decides what dropout mutes on this device."""
    found = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
    return {f"{CHANCE}/{device.type}": found.numpy()}


def take_chance(device: torch.device, state: State) -> None:
    """Puts it back, where it was told of the same kind of device."""
    if (given := state.get(f"{CHANCE}/{device.type}")) is None:
        return
    tensor = torch.from_numpy(np.array(given))
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensor, device)
    else:
        torch.set_rng_state(tensor)


def _slots(optimiser: Optimiser) -> list[str]:
    return [slot for slot in SLOTS[optimiser.name] if slot != "velocity" or optimiser.momentum]


def _canonical(values: Tensor, view: Tensor) -> Array:
    """Values that lie in memory as a parameter does, seen as its canonical view sees it."""
    seen = values.detach().as_strided(view.size(), view.stride()).cpu().numpy()
    return np.array(seen, np.float32)


@torch.no_grad()
def _like(parameter: nn.Parameter, view: Tensor, values: Array) -> Tensor:
    made = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    made.as_strided(view.size(), view.stride()).copy_(torch.from_numpy(np.array(values)))
    return made
