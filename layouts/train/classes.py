"""Whether a network and the images that it is to learn from have the same classes, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...datasets.base import DIGITS
from ...datasets.own_content import counted, listed
from ...training.config import RunConfig, RunError, check_data

COUNTS: Mapping[str, int] = {"mnist": 60_000, "digits": 1_797}
"""How many images there are to learn from, where that is known beforehand."""
MOST_NAMED = 12
"""Classes that are named before they are only counted."""


def words_of(classes: Sequence[str], counts: Sequence[int] = ()) -> str:
    """`4 classes: a (101), b (99), c (102), d (97)`."""
    pairs = [f"{name} ({count:,})" for name, count in zip(classes, counts, strict=True)] if counts else list(classes)
    return f"{counted(len(classes), 'class')}: {_named(pairs)}"


def _named(names: Sequence[str]) -> str:
    return listed(names) if len(names) > MOST_NAMED else ", ".join(names)


def fit(known: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    """Whether a network can learn from images of these classes, in words, with what to do about it.

    Args:
        known: the network's classes.
        classes: of the images.

    Returns:
        `words`, empty where all is well; `wrong`: whether nothing can be learnt so; `offer`: the words on a button that
        gives the network the classes of the images, None where it has them.
    """
    count = len(classes)
    if set(known) == set(classes):
        return {"words": "", "wrong": False, "offer": None}
    if set(classes) <= set(known):
        words = f"The network tells {len(known)} classes apart; these images are of {count} of them."
        return {"words": words, "wrong": False, "offer": f"Only these {count}"}
    if len(known) == count:
        words = f"The network calls its classes {_named(known)}; those of the images are taken for them one by one."
        return {"words": words, "wrong": False, "offer": "Call them as the images do"}
    words = f"The network tells the {len(known)} classes {_named(known)} apart, and these images have others."
    return {"words": words, "wrong": True, "offer": f"Give it these {count} classes"}


def check_images(config: RunConfig, found: Mapping[str, Any] | None) -> None:
    """Whether a run can learn from its images, as far as that is known before they are read.

    Args:
        config: of the run.
        found: what was found in images of the user's own; None for those that are known by name.

    Raises:
        RunError: it cannot; one sentence says why.
    """
    classes = DIGITS if found is None else found["classes"]
    fault = found["fault"] if found else None
    told = fit(config.network.classes, classes)
    if fault or told["wrong"]:
        raise RunError(fault or f"{told['words']} Received: {words_of(classes)}")
    total = sum(found["counts"]) if found else COUNTS.get(config.data.source)
    if total is not None:
        # As `Material.split` counts, first the share and then what is kept out of it.
        taken = total - round((1 - config.data.share) * total)
        kept_out = round(config.recipe.validation * taken)
        check_data(config, taken - kept_out, kept_out)
