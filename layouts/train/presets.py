"""What a recipe fills into the form, and which recipe a filled form holds."""

from collections.abc import Mapping
from typing import Any

from ...training.recipes import FAST, ORIGINAL, QUICK, Recipe

Values = Mapping[str, Any]
RECIPES: Mapping[str, Mapping[str, Recipe]] = {"quick": QUICK, "fast": FAST, "original": ORIGINAL}
RECIPE_WORDS: Mapping[str, str] = {
    "quick": "One look at each image: to a network that reads MNIST in the shortest time",
    "fast": "Bent images and one cycle of the learning rate: to one that reads what people draw",
    "original": "As the program trained it that the network comes from",
}
VALIDATION = 0.1
"""Kept out where a recipe keeps nothing out, so that there is a curve of it to watch."""


def filled(recipe: Recipe) -> dict[str, Any]:
    """The recipe's fields of the form, by their names."""
    optimiser = recipe.optimiser
    return {
        "validation": percent(recipe.validation or VALIDATION),
        "epochs": recipe.epochs,
        "batch": recipe.batch or "",
        "optimiser": optimiser.name,
        "rate": f"{recipe.learning_rate:g}",
        "schedule": recipe.schedule,
        "augmentation": recipe.augmentation is not None,
        "dropout": recipe.dropout,
        "weight-decay": f"{optimiser.weight_decay:g}",
        "momentum": optimiser.momentum,
        "beta2": optimiser.beta2,
        "label-smoothing": optimiser.label_smoothing,
    }


def presets(network: str) -> dict[str, Any]:
    """A network's recipes as fields of the form, for the page to see whether one of them is filled in."""
    return {"network": network, "recipes": {name: filled(known[network]) for name, known in RECIPES.items()}}


def preset_of(network: str, values: Values) -> str:
    """Which of a network's recipes the fields hold; empty when they hold another one."""
    found = (name for name, recipes in RECIPES.items() if network in recipes and _is(filled(recipes[network]), values))
    return next(found, "")


def _is(wanted: Values, values: Values) -> bool:
    return all(_same(values.get(name), value) for name, value in wanted.items())


def _same(given: Any, wanted: Any) -> bool:
    """Whether two values of a field mean the same, such as `1e-3` and `0.001`."""
    if isinstance(given, str) and isinstance(wanted, str) and given and wanted:
        try:
            return number_in(given) == number_in(wanted)
        except ValueError:
            return given == wanted
    return bool(given == wanted or (not given and not wanted))


def number_in(text: str) -> float:
    """A number as people write it, with a point or a comma.

    Raises:
        ValueError: it is none.
    """
    return float(text.strip().replace(",", "."))


def percent(share: float) -> float:
    """A share as the form shows it."""
    return round(100 * share, 6)
