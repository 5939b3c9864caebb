"""Guided backpropagation in TensorFlow (Springenberg et al. 2015, "Striving for Simplicity", section 3.4)."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def guided_relu(values: Any) -> Any:
    """A relu; its gradient is kept where both it and the relu's output are positive, else 0."""
    return _guided(values)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _guided(values: Any) -> tuple[Any, Callable[[Any], Any]]:
    result = tf.nn.relu(values)

    def gradient(above: Any) -> Any:
        return tf.nn.relu(above) * tf.cast(result > 0, above.dtype)

    return result, gradient
