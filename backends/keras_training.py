"""One training step in TensorFlow, with update rules written out so that they are PyTorch's.

Keras' own differ in where epsilon stands (Adam, RMSprop) and in when the learning rate is applied (momentum).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from .base import Optimiser, State
from .stored import gathered

STEPS = "steps"
"""The name of Adam's count in an optimiser's state."""


class Slots:
    """What an optimiser remembers, of each weight and of all: zero at first."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        """Takes the weights by their names."""
        self._weights = dict(weights)
        self._variables: dict[str, Any] = {}

    def of(self, slot: str) -> list[Any]:
        """One variable more for each weight, in their order."""
        made = {f"{name}/{slot}": _variable(tf.zeros_like(weight)) for name, weight in self._weights.items()}
        self._variables |= made
        return list(made.values())

    def count(self) -> Any:
        """A variable `(1,)` to count steps in."""
        return self._variables.setdefault(STEPS, _variable(tf.zeros(1)))

    def told(self) -> State:
        """A copy of everything."""
        return {name: variable.numpy() for name, variable in self._variables.items()}

    def take(self, state: State) -> None:
        """Goes on from what `told` once gave.

        Raises:
            BackendError: it was told by another optimiser, or of another network.
        """
        for name, array in {name: gathered(state, name, each.shape) for name, each in self._variables.items()}.items():
            self._variables[name].assign(array)


def _variable(value: Any) -> Any:
    return tf.Variable(value, trainable=False)


def training_step(
    logits_of: Callable[[Any], Any], weights: Sequence[Any], optimiser: Optimiser, slots: Slots
) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """A function of images, labels and learning rate that moves the weights and returns loss and accuracy before.

    What the optimiser remembers goes into the `slots` of those weights.
    """
    move = _RULES[optimiser.name](slots, optimiser)

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


def _sgd(slots: Slots, optimiser: Optimiser) -> Callable[[Sequence[Any]], list[Any]]:
    velocities = slots.of("velocity") if optimiser.momentum else []

    def move(gradients: Sequence[Any]) -> list[Any]:
        if not velocities:
            return list(gradients)
        return [v.assign(optimiser.momentum * v + g) for v, g in zip(velocities, gradients, strict=True)]

    return move


def _rmsprop(slots: Slots, optimiser: Optimiser) -> Callable[[Sequence[Any]], list[Any]]:
    squares = slots.of("square")
    momentum = _sgd(slots, optimiser)
    rho = optimiser.rho

    def move(gradients: Sequence[Any]) -> list[Any]:
        means = [s.assign(rho * s + (1 - rho) * g * g) for s, g in zip(squares, gradients, strict=True)]
        scaled = [g / (tf.sqrt(s) + optimiser.epsilon) for g, s in zip(gradients, means, strict=True)]
        return momentum(scaled)

    return move


def _adam(slots: Slots, optimiser: Optimiser) -> Callable[[Sequence[Any]], list[Any]]:
    firsts, seconds, count = slots.of("mean"), slots.of("square"), slots.count()
    beta1, beta2 = optimiser.beta1, optimiser.beta2

    def move(gradients: Sequence[Any]) -> list[Any]:
        done = count.assign_add([1.0])
        shrink1, shrink2 = 1 - beta1**done, 1 - beta2**done
        changes = []
        for gradient, first, second in zip(gradients, firsts, seconds, strict=True):
            mean = first.assign(beta1 * first + (1 - beta1) * gradient)
            square = second.assign(beta2 * second + (1 - beta2) * gradient * gradient)
            changes.append(mean / shrink1 / (tf.sqrt(square / shrink2) + optimiser.epsilon))
        return changes

    return move


_RULES: dict[str, Callable[[Slots, Optimiser], Callable[[Sequence[Any]], list[Any]]]] = {
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adam": _adam,
}
