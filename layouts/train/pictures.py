"""What a snapshot of a run looks like: its first filters, and what a layer answers to a test image.

All of it is computed with NumPy, so that watching a training starts no framework on the server.
"""

from collections.abc import Sequence
from typing import Any

from ...datasets.base import Dataset
from ...drawing.ink import InkError
from ...drawing.pipeline import Steps
from ...models.architecture import Architecture
from ...models.first_layer import first_layer
from ...models.forward import Array, answer, work
from ...models.layers import LayerInfo
from ...models.weights import load_weights
from ...visualizers.words import joined, kind_words, shape_words
from ..pictures import Source, Stored, data_url, prepared
from ..services import Services
from .figures import answers, filters

DIGIT = 5
"""The digit that is shown first: it has curves, corners and a gap."""
SIDE = 56
"""Pixels of the picture of the image that is answered to."""
PASSED_ON = ("input", "flatten", "dropout")
"""Kinds of layers that answer only what they are given."""
MOST_WORK = 4_000_000_000
"""Numbers computed for one picture, which takes half a second at most."""
TOO_LARGE = "This layer takes too long to be shown while the network learns; look at it on the first page."


def pictures_of(services: Services, id: str, snapshot: str, layer: str, image: Source) -> dict[str, Any]:
    """The pictures of a run after a snapshot.

    Args:
        services: of the server.
        id: of the run.
        snapshot: its name; empty for the last one.
        layer: whose answer is shown; the first one's where the network has none of that name.
        image: what is answered to; a digit of the samples where it is neither ink nor one of them.

    Returns:
        `layers` to choose from and the `layer` chosen, `digits` to choose from and the `sample` chosen, None for ink,
        a picture of the `image` as the network gets it, the figures `filters` and `answers`, either None where there is
        none, and `words` where there is something to say.

    Raises:
        RunError: there is no such run or snapshot.
        WeightsError: the snapshot is damaged.
    """
    assert services.store
    network = services.store.folder(id).config().network
    path = services.store.weights_path(f"run:{id}@{snapshot}" if snapshot else f"run:{id}")
    weights = load_weights(path, network)
    first, shown = first_layer(network, weights), layers_shown(network)
    names = [info.name for info in shown]
    layer = layer if layer in names else first.last if first else names[0]
    dataset = services.samples[0]
    image, given, words = _answered_to(image, dataset, network.input_shape)
    told: dict[str, Any] = {
        "fault": None,
        "snapshot": path.stem,
        "layers": [{"value": info.name, "label": layer_words(info)} for info in shown],
        "layer": layer,
        "digits": list(dataset.classes),
        "sample": image.sample,
        "image": data_url(given.mean(axis=2), SIDE),
        "filters": filters(first).to_dict() if first else None,
        "answers": None,
        "words": TOO_LARGE,
    }
    if work(network, layer) > MOST_WORK:
        return told
    labels = network.classes if layer == network.layers[-1].name else None
    found = answers(layer, answer(network, weights, given, layer), labels)
    return {**told, "answers": found.to_dict(), "words": words}


def _answered_to(image: Source, dataset: Dataset, shape: tuple[int, int, int]) -> tuple[Source, Array, str]:
    """The image, as the network gets it, and what is to be said: instead of a damaged drawing there is a sample."""
    words = ""
    if image.ink:
        try:
            return image, prepared(image, None, shape, Steps()).image, words
        except InkError as error:
            words = str(error)
    sample = _sample(dataset, image.sample)
    image = Source(sample=sample)
    return image, prepared(image, Stored.sample(dataset, sample), shape, Steps()).image, words


def _sample(dataset: Dataset, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """A sample that there is: after the last one of a digit comes the first again."""
    digit, index = wanted if wanted and wanted[0] < len(dataset.classes) else (min(DIGIT, len(dataset.classes) - 1), 0)
    return digit, index % max(1, len(dataset.indices_of(digit)))


def layers_shown(network: Architecture) -> Sequence[LayerInfo]:
    """The layers whose answers are worth looking at."""
    return [info for info in network.infos if info.kind not in PASSED_ON]


def layer_words(info: LayerInfo) -> str:
    """`conv1 · convolution 3×3 · 26×26×32`; a name that says what it is stands alone."""
    kind = kind_words(info)
    return joined(info.name, "" if kind in info.name else kind, shape_words(info.output_shape))
