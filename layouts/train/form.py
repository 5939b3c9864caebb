"""The training form as plain values: what it offers, what a recipe fills in, and the run that it asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...backends.base import Optimiser
from ...datasets.mnist import find_mnist
from ...datasets.pendigits import find_pendigits
from ...models.bundled import BUNDLED
from ...models.drafts import data_of, draft_of
from ...training.augmentation import Augmentation
from ...training.config import DataChoice, RunConfig, RunError
from ...training.recipes import FAST, ORIGINAL, Recipe
from ...training.runs import SOURCE, RunStore
from ..services import Services
from .layers import EDITED, edited

Values = Mapping[str, Any]
Option = dict[str, Any]

RECIPES: Mapping[str, Mapping[str, Recipe]] = {"fast": FAST, "original": ORIGINAL}
VALIDATION = 0.1
"""Kept out where a recipe keeps nothing out, so that there is a curve of it to watch."""
FRESH = "fresh"
OWN = "own"

SCHEDULES: Mapping[str, str] = {"one-cycle": "One cycle", "constant": "Constant"}
OPTIMISERS: Mapping[str, str] = {"adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD"}
SOURCES: Mapping[str, str] = {
    "mnist": "MNIST",
    "mnist+pens": "MNIST and pen strokes",
    "digits": "Bundled digits, 8×8",
}


def sources(data: Path | None) -> list[Option]:
    """The data that can be learnt from, with what is missing for the others, as options of a dropdown."""
    mnist = find_mnist(data, ("train",)) is not None
    there = {"mnist": mnist, "mnist+pens": mnist and find_pendigits(data) is not None, "digits": True}
    known = [
        {"value": name, "label": title if there[name] else f"{title} (not found)", "disabled": not there[name]}
        for name, title in SOURCES.items()
    ]
    return [*known, {"value": OWN, "label": "Your own…", "disabled": False}]


def begins(network: str, own: str, store: RunStore | None) -> list[Option]:
    """What a training can begin from: chance, the network's bundled weights, and what earlier runs of it have learnt.

    Args:
        network: the bundled network that is trained, or that the edited one is made of.
        own: name of the edited network; empty where no layers were edited.
        store: the runs.
    """
    bundled = [{"value": network, "label": "The bundled weights"}] if network in BUNDLED else []
    earlier = [
        {"value": f"{SOURCE}{id}", "label": f"Run: {title}"}
        for id, title in (store.learnt().items() if store else ())
        if _trains(store, id) in (network, own)
    ]
    return [{"value": FRESH, "label": "Fresh weights"}, *bundled, *earlier]


def _trains(store: RunStore | None, id: str) -> str | None:
    """The name of a run's network; None where it has just been deleted."""
    try:
        return store.architecture(id).name if store else None
    except RunError:
        return None


def filled(recipe: Recipe) -> dict[str, Any]:
    """The recipe's fields of the form, by their names."""
    optimiser = recipe.optimiser
    return {
        "validation": _percent(recipe.validation or VALIDATION),
        "epochs": recipe.epochs,
        "batch": recipe.batch or "",
        "optimiser": optimiser.name,
        "rate": f"{recipe.learning_rate:g}",
        "schedule": recipe.schedule,
        "augmentation": recipe.augmentation is not None,
        "weight-decay": f"{optimiser.weight_decay:g}",
        "momentum": optimiser.momentum,
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
            return _written(given) == _written(wanted)
        except ValueError:
            return given == wanted
    return bool(given == wanted or (not given and not wanted))


def _written(text: str) -> float:
    """A number as people write it, with a point or a comma.

    Raises:
        ValueError: it is none.
    """
    return float(text.strip().replace(",", "."))


def config_of(values: Values, services: Services) -> RunConfig:
    """The run that a filled form asks for; whether it can be trained is checked where it is made.

    Raises:
        RunError: a field is empty or holds no such value; the message names it.
    """
    begin, own = values.get("begin") or FRESH, edited(values.get("architecture"))
    return RunConfig(
        model=own.name if own else str(values.get("network") or ""),
        architecture=own,
        backend=str(values.get("backend") or ""),
        recipe=_recipe(values),
        data=DataChoice(
            source=_source(values),
            folder=str(services.data.absolute()) if services.data else "",
            share=_number(values, "share", "The share of the data") / 100,
            skip_unreadable=bool(values.get("skip")),
        ),
        start="" if begin == FRESH else str(begin),
        title=str(values.get("title") or "").strip()[:200],
    )


def _source(values: Values) -> str:
    """What the images are called where they are known, or the path of the user's own."""
    source = str(values.get("source") or "")
    return own_path(values) if source == OWN else source


def own_path(values: Values) -> str:
    """The path of the user's own images.

    Raises:
        RunError: it is missing, or there is nothing there.
    """
    given = str(values.get("path") or "").strip().strip("\"'")
    if not given:
        raise RunError("The path of your own images is missing.")
    try:
        path = Path(given).expanduser().absolute()
        there = path.exists()
    except (OSError, ValueError, RuntimeError):  # a name no system takes, a user whom nobody knows
        there = False
    if not there:
        raise RunError(f"There is no such file or folder on the computer that serves this page. Received: {given}")
    return str(path)


def _recipe(values: Values) -> Recipe:
    optimiser = Optimiser(
        name=values.get("optimiser"),  # type: ignore[arg-type]  # checked with the rest of the run
        weight_decay=_number(values, "weight-decay", "Weight decay"),
        momentum=_number(values, "momentum", "Momentum"),
        label_smoothing=_number(values, "label-smoothing", "Label smoothing"),
    )
    return Recipe(
        epochs=_whole(values, "epochs", "The number of epochs"),
        batch=_whole(values, "batch", "The batch size") if values.get("batch") not in ("", None) else None,
        learning_rate=_number(values, "rate", "The learning rate"),
        schedule=values.get("schedule"),  # type: ignore[arg-type]  # likewise
        optimiser=optimiser,
        augmentation=Augmentation() if values.get("augmentation") else None,
        validation=_number(values, "validation", "The validation split") / 100,
        seed=_whole(values, "seed", "The seed"),
    )


def _number(values: Values, name: str, words: str) -> float:
    value = values.get(name)
    try:
        if isinstance(value, str):
            return _written(value)
        if not isinstance(value, bool) and value is not None:
            return float(value)
    except (ValueError, TypeError):
        pass
    raise RunError(f"{words} is a number. Received: {value!r}" if value not in ("", None) else f"{words} is missing.")


def _whole(values: Values, name: str, words: str) -> int:
    number = _number(values, name, words)
    if not number.is_integer():
        raise RunError(f"{words} is a whole number. Received: {number:g}")
    return int(number)


def values_of(config: RunConfig) -> dict[str, Any]:
    """The filled form that asks for a run like this one."""
    network = config.network
    base = network.name.removesuffix(EDITED)
    base = base if base in BUNDLED else next(iter(BUNDLED))
    data, known = config.data, config.data.source in SOURCES
    return {
        "network": base,
        "architecture": {**data_of(draft_of(network)), "network": base} if config.architecture else None,
        "backend": config.backend,
        "begin": config.start or FRESH,
        "source": data.source if known else OWN,
        "path": "" if known else data.source,
        "skip": data.skip_unreadable,
        "share": _percent(data.share),
        **filled(config.recipe),
        "validation": _percent(config.recipe.validation),
        "seed": config.recipe.seed,
        "title": config.title,
    }


def _percent(share: float) -> float:
    return round(100 * share, 6)


def with_epochs(text: Any) -> int:
    """A number of epochs to add, as the page sends it.

    Raises:
        RunError: it is none.
    """
    return _whole({"epochs": text}, "epochs", "The number of epochs")


def defaults(services: Services) -> dict[str, Any]:
    """Every field of the form before anybody touches it."""
    network = services.model if services.model in BUNDLED else next(iter(FAST))
    source = next(option["value"] for option in sources(services.data) if not option["disabled"])
    own = {
        "network": network,
        "architecture": None,
        "backend": services.default_backend,
        "begin": FRESH,
        "source": source,
        "path": "",
        "skip": False,
        "share": 100,
    }
    return {**own, **filled(FAST[network]), "seed": 0, "title": ""}
