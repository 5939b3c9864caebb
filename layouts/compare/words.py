"""What the compare page says in sentences: who agrees, about what they disagree most, and what cannot be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ...backends.base import Array, Model
from ...visualizers.words import shape_words

SMALL = 0.005
"""Difference of two probabilities that is not worth a sentence."""


@dataclass(frozen=True)
class Answer:
    """What one network says of the drawing: its classes and the probability of each."""

    name: str
    classes: tuple[str, ...]
    probabilities: Array

    @property
    def best(self) -> str:
        """The class that it takes the drawing for."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """How sure it is of that, in [0, 1]."""
        return float(self.probabilities.max())


def agreement(answers: Sequence[Answer]) -> str:
    """Whether the networks take the drawing for the same class, in one sentence; empty for fewer than two."""
    if len(answers) < 2:
        return ""
    said = list(dict.fromkeys(each.best for each in answers))
    if len(said) == 1:
        return f"{'Both' if len(answers) == 2 else 'All'} see {said[0]}."
    parts = []
    for best in said:
        names = [f"{each.name} ({_percent(each.confidence)})" for each in answers if each.best == best]
        parts.append(f"{_joined(names)} {'sees' if len(names) == 1 else 'see'} {best}")
    return f"They disagree: {'; '.join(parts)}."


def strongest_disagreement(answers: Sequence[Answer]) -> str:
    """The class about which two networks lie furthest apart, in one sentence; empty where there is none to speak of."""
    found: tuple[float, str] = (SMALL, "")
    for one, two in combinations(answers, 2):
        for name in one.classes:
            if name in two.classes:
                first, second = (float(each.probabilities[each.classes.index(name)]) for each in (one, two))
                if abs(first - second) > found[0]:
                    words = f"{one.name} gives it {_percent(first)}; {two.name} {_percent(second)}"
                    found = abs(first - second), f"They lie furthest apart about {name}: {words}."
    return found[1]


def incomparable(models: Sequence[tuple[str, Model]]) -> list[str]:
    """Why some of the networks cannot be compared in all there is, in sentences."""
    if len(models) < 2:
        return []
    found = []
    inputs = {name: model.input_shape for name, model in models}
    if len(set(inputs.values())) > 1:
        words = "; ".join(f"{name}: {shape_words(shape)}" for name, shape in inputs.items())
        found.append(f"They take pictures of different sizes ({words}); each gets the drawing in its own.")
    classes = {name: model.classes for name, model in models}
    if len(set(classes.values())) > 1:
        words = "; ".join(f"{name}: {len(names)}" for name, names in classes.items())
        common = set.intersection(*[set(names) for names in classes.values()])
        which = (
            f"the {len(common)} they share can be compared" if common else "none is in both, so none can be compared"
        )
        found.append(f"They tell different classes apart ({words}); {which}.")
    counts = {name: len(model.layers) for name, model in models}
    if len(set(counts.values())) > 1:
        words = "; ".join(f"{name}: {count}" for name, count in counts.items())
        found.append(f"They have different numbers of layers ({words}); one without counterpart has a row of its own.")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
