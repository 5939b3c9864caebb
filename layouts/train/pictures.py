"""What a snapshot of a run looks like: its first filters, and what a layer answers to a test digit.

All of it is computed with NumPy, so that watching a training starts no framework on the server.
"""

from collections.abc import Sequence
from typing import Any

from ...datasets.samples import choose
from ...drawing.fit import fit_images
from ...models.architecture import Architecture
from ...models.first_layer import first_layer
from ...models.forward import answer, work
from ...models.layers import LayerInfo
from ...models.weights import load_weights
from ...visualizers.words import joined, kind_words, shape_words
from ..services import Services
from .figures import answers, filters

DIGIT = 5
"""The digit that is shown first: it has curves, corners and a gap."""
PASSED_ON = ("input", "flatten", "dropout")
"""Kinds of layers that answer only what they are given."""
MOST_WORK = 4_000_000_000
"""Numbers computed for one picture, which takes half a second at most."""
TOO_LARGE = "This layer takes too long to be shown while the network learns; look at it on the first page."


def pictures_of(
    services: Services, id: str, snapshot: str = "", layer: str = "", digit: int | None = None
) -> dict[str, Any]:
    """The pictures of a run after a snapshot, the last one where none is named.

    Args:
        services: of the server.
        id: of the run.
        snapshot: its name.
        layer: whose answer is shown; the first one's where the network has none of that name.
        digit: the position among the sample images' classes of the digit that is answered to.

    Returns:
        `layers` to choose from and the `layer` chosen, `digits` and the `digit` likewise, the figures `filters` and
        `answers`, either None where there is none, and `words` where there is something to say.

    Raises:
        RunError: there is no such run or snapshot.
        WeightsError: the snapshot is damaged.
        DatasetError: there is no digit to answer to.
    """
    assert services.store
    network = services.store.folder(id).config().network
    path = services.store.weights_path(f"run:{id}@{snapshot}" if snapshot else f"run:{id}")
    weights = load_weights(path, network)
    first, shown = first_layer(network, weights), layers_shown(network)
    names = [info.name for info in shown]
    layer = layer if layer in names else first.last if first else names[0]
    dataset = services.samples[0]
    digit = digit if digit is not None and 0 <= digit < len(dataset.classes) else min(DIGIT, len(dataset.classes) - 1)
    told: dict[str, Any] = {
        "fault": None,
        "snapshot": path.stem,
        "layers": [{"value": info.name, "label": layer_words(info)} for info in shown],
        "layer": layer,
        "digits": list(dataset.classes),
        "digit": digit,
        "filters": filters(first).to_dict() if first else None,
        "answers": None,
        "words": TOO_LARGE,
    }
    if work(network, layer) > MOST_WORK:
        return told
    place = choose(dataset, digit, 0)
    image = fit_images(dataset.images[place : place + 1], network.input_shape)[0]
    labels = network.classes if layer == network.layers[-1].name else None
    found = answers(layer, answer(network, weights, image, layer), labels)
    return {**told, "answers": found.to_dict(), "words": ""}


def layers_shown(network: Architecture) -> Sequence[LayerInfo]:
    """The layers whose answers are worth looking at."""
    return [info for info in network.infos if info.kind not in PASSED_ON]


def layer_words(info: LayerInfo) -> str:
    """`conv1 · convolution 3×3 · 26×26×32`; a name that says what it is stands alone."""
    kind = kind_words(info)
    return joined(info.name, "" if kind in info.name else kind, shape_words(info.output_shape))
