"""The training form as plain values: what it offers, what a recipe fills in, and the run that it asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...backends.base import Optimiser
from ...datasets.mnist import find_mnist
from ...datasets.pendigits import find_pendigits
from ...models.bundled import BUNDLED
from ...models.drafts import data_of, draft_of
from ...models.editing import EDITED
from ...models.weights import WeightsError, read_architecture
from ...training.augmentation import Augmentation
from ...training.config import DataChoice, RunConfig, RunError
from ...training.recipes import FAST, Recipe
from ...training.runs import SOURCE, RunStore
from ..services import Services
from .layers import edited
from .presets import Values, filled, number_in, percent

Option = dict[str, Any]

FRESH = "fresh"
OWN = "own"
FILE = "file"

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
    """What a training can begin from: chance, its bundled weights, what earlier runs of it have learnt, and a file.

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
    file = {"value": FILE, "label": "A weights file…"}
    return [{"value": FRESH, "label": "Fresh weights"}, *bundled, *earlier, file]


def _trains(store: RunStore | None, id: str) -> str | None:
    """The name of a run's network; None where it has just been deleted."""
    try:
        return store.architecture(id).name if store else None
    except RunError:
        return None


def config_of(values: Values, services: Services) -> RunConfig:
    """The run that a filled form asks for; whether it can be trained is checked where it is made.

    Raises:
        RunError: a field is empty or holds no such value; the message names it.
    """
    own = edited(values.get("architecture"))
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
        start=_start(values),
        title=str(values.get("title") or "").strip()[:200],
    )


def _start(values: Values) -> str:
    """Where the weights come from that a run begins with; empty for fresh ones."""
    begin = str(values.get("begin") or FRESH)
    if begin != FILE:
        return "" if begin == FRESH else begin
    path = _path(values, "weights", "The weights file")
    try:
        read_architecture(Path(path))
    except WeightsError as error:
        raise RunError(f"A training can begin with a .safetensors file of Layerscope only. {error}") from error
    return path


def _source(values: Values) -> str:
    """What the images are called where they are known, or the path of the user's own."""
    source = str(values.get("source") or "")
    return own_path(values) if source == OWN else source


def own_path(values: Values) -> str:
    """The path of the user's own images.

    Raises:
        RunError: it is missing, or there is nothing there.
    """
    return _path(values, "path", "The path of your own images")


def _path(values: Values, name: str, words: str) -> str:
    """A path on the computer that serves the page."""
    given = str(values.get(name) or "").strip().strip("\"'")
    if not given:
        raise RunError(f"{words} is missing.")
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
        beta2=_number(values, "beta2", "Adam's β₂"),
        label_smoothing=_number(values, "label-smoothing", "Label smoothing"),
    )
    return Recipe(
        epochs=_whole(values, "epochs", "The number of epochs"),
        batch=_whole(values, "batch", "The batch size") if values.get("batch") not in ("", None) else None,
        learning_rate=_number(values, "rate", "The learning rate"),
        schedule=values.get("schedule"),  # type: ignore[arg-type]  # likewise
        optimiser=optimiser,
        augmentation=Augmentation() if values.get("augmentation") else None,
        dropout=bool(values.get("dropout")),
        validation=_number(values, "validation", "The validation split") / 100,
        seed=_whole(values, "seed", "The seed"),
    )


def _number(values: Values, name: str, words: str) -> float:
    value = values.get(name)
    try:
        if isinstance(value, str):
            return number_in(value)
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
    file = bool(config.start) and config.start not in BUNDLED and not config.start.startswith(SOURCE)
    return {
        "network": base,
        "architecture": {**data_of(draft_of(network)), "network": base} if config.architecture else None,
        "backend": config.backend,
        "begin": FILE if file else config.start or FRESH,
        "weights": config.start if file else "",
        "source": data.source if known else OWN,
        "path": "" if known else data.source,
        "skip": data.skip_unreadable,
        "share": percent(data.share),
        **filled(config.recipe),
        "validation": percent(config.recipe.validation),
        "seed": config.recipe.seed,
        "title": config.title,
    }


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
        "weights": "",
        "source": source,
        "path": "",
        "skip": False,
        "share": 100,
    }
    return {**own, **filled(FAST[network]), "seed": 0, "title": ""}
