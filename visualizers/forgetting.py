"""Whether a map depends on what the network has learnt, by letting it forget: the randomised-weights check.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3: the map is drawn again while weights are randomised,
in a cascade from the last layer to the first. Here each weight array is shuffled instead of drawn anew, which suits
every kind of layer: activations keep about their size, and no variance becomes negative.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..backends.base import Capability, Model
from .attribution import Question

MOST_STAGES = 6
NEEDED = frozenset({Capability.WEIGHTS, Capability.OTHER_WEIGHTS})


def forgetting(question: Question, seed: int = 0) -> Iterator[Question]:
    """The question at each stage: class and edits as before, the network with ever more of its weights shuffled.

    Args:
        question: of a model that offers its weights and can be given others.
        seed: of the order; that of one layer is the same at every stage.
    """
    model = question.model
    learnt = {info.name: model.weights(info.name) for info in model.layers if info.weight_shapes}
    weights = dict(learnt)
    for place, names in enumerate(_stages(model)):
        for number, name in enumerate(names):
            rng = np.random.default_rng((seed, place, number))
            weights[name] = {each: rng.permuted(array) for each, array in learnt[name].items()}
        yield replace(question, model=model.with_weights(weights))


def stages_of(model: Model) -> list[str]:
    """What has been forgotten at each stage, in words; empty where the model cannot forget."""
    if why_not_forgetting(model):
        return []
    stages = _stages(model)
    words = [f"{'and ' if place else ''}{_span(names)}" for place, names in enumerate(stages)]
    return [*words[:-1], f"{words[-1]}: everything" if len(stages) > 1 else words[-1]]


def why_not_forgetting(model: Model) -> str:
    """Why a model cannot be tested so, in a few words; nothing where it can."""
    if not model.capabilities >= NEEDED:
        return "not tested: this network cannot be given other weights"
    return "" if any(info.weight_shapes for info in model.layers) else "not tested: this network has no weights"


def _stages(model: Model) -> list[list[str]]:
    """Layers with weights, from the last to the first, in at most six groups."""
    backwards = [info.name for info in model.layers if info.weight_shapes][::-1]
    return [[str(name) for name in group] for group in np.array_split(backwards, min(len(backwards), MOST_STAGES))]


def _span(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
