"""One training step in TensorFlow, with update rules written out so that they are PyTorch's.

Keras' own differ in where epsilon stands (Adam, RMSprop) and in when the learning rate is applied (momentum).
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from .base import Optimiser


def training_step(
    logits_of: Callable[[Any], Any], weights: Sequence[Any], optimiser: Optimiser
) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """A function of images, labels and learning rate that moves the weights and returns loss and accuracy before."""
    move = _RULES[optimiser.name](weights, optimiser)

    def step(images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            logits = logits_of(images)
            loss = _cross_entropy(logits, labels, optimiser.label_smoothing)
        gradients = tape.gradient(loss, weights)
        kept = 1 - rate * optimiser.weight_decay
        for weight, gradient, change in zip(weights, gradients, move(gradients), strict=True):
            if gradient is not None:
                weight.assign((weight * kept if optimiser.weight_decay else weight) - rate * change)
        right = tf.equal(tf.argmax(logits, -1), labels)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    return step


def _cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    classes = logits.shape[-1]
    wanted = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))


def _slots(weights: Sequence[Any]) -> list[Any]:
    return [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in weights]


def _sgd(weights: Sequence[Any], optimiser: Optimiser) -> Callable[[Sequence[Any]], list[Any]]:
    velocities = _slots(weights)

    def move(gradients: Sequence[Any]) -> list[Any]:
        if not optimiser.momentum:
            return list(gradients)
        return [v.assign(optimiser.momentum * v + g) for v, g in zip(velocities, gradients, strict=True)]

    return move


def _rmsprop(weights: Sequence[Any], optimiser: Optimiser) -> Callable[[Sequence[Any]], list[Any]]:
    squares = _slots(weights)
    momentum = _sgd(weights, optimiser)
    rho = optimiser.rho

    def move(gradients: Sequence[Any]) -> list[Any]:
        means = [s.assign(rho * s + (1 - rho) * g * g) for s, g in zip(squares, gradients, strict=True)]
        scaled = [g / (tf.sqrt(s) + optimiser.epsilon) for g, s in zip(gradients, means, strict=True)]
        return momentum(scaled)

    return move


def _adam(weights: Sequence[Any], optimiser: Optimiser) -> Callable[[Sequence[Any]], list[Any]]:
    firsts, seconds = _slots(weights), _slots(weights)
    count = tf.Variable(0.0, trainable=False)
    beta1, beta2 = optimiser.beta1, optimiser.beta2

    def move(gradients: Sequence[Any]) -> list[Any]:
        done = count.assign_add(1.0)
        shrink1, shrink2 = 1 - beta1**done, 1 - beta2**done
        changes = []
        for gradient, first, second in zip(gradients, firsts, seconds, strict=True):
            mean = first.assign(beta1 * first + (1 - beta1) * gradient)
            square = second.assign(beta2 * second + (1 - beta2) * gradient * gradient)
            changes.append(mean / shrink1 / (tf.sqrt(square / shrink2) + optimiser.epsilon))
        return changes

    return move


_RULES: dict[str, Callable[[Sequence[Any], Optimiser], Callable[[Sequence[Any]], list[Any]]]] = {
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adam": _adam,
}
