"""Guided backpropagation in PyTorch (Springenberg et al. 2015, "Striving for Simplicity", section 3.4)."""

from typing import Any

import torch
from torch import Tensor


class _Guided(torch.autograd.Function):
    """A relu that lets a gradient through where its output and the gradient are positive."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        result = torch.relu(values)
        context.save_for_backward(result)
        return result

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (result,) = context.saved_tensors
        found: Tensor = torch.relu(gradient) * (result > 0)
        return found


def guided_relu(values: Tensor) -> Tensor:
    """A relu; its gradient is kept where both it and the relu's output are positive, else 0."""
    result: Tensor = _Guided.apply(values)  # type: ignore[no-untyped-call]
    return result
