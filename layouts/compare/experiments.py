"""The compare page's experiments: parity, shifted pictures, permuted pixels, and what each network is measured at."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...backends.base import Array, Model
from ...drawing.fit import fit_images
from ...evaluation.parity import ParityError, parity, parity_of
from ...evaluation.shifts import (
    FARTHEST,
    accuracy_when_permuted,
    permuted,
    pixel_order,
    shift_shares,
    shift_test,
    used_to,
)
from ...models.agreement import TOLERANCE
from ...models.bundled import BUNDLED
from ..services import Services
from .measures import Kept
from .question import Column, Drawing, Question, columns_of, label_in, live

log = logging.getLogger(__name__)

Data = dict[str, Any]

SAMPLE = 256
"""Test images that parity is measured on."""
EACH = 2
"""Test digits of each class that are moved."""
MIXED = 1000
"""Test images that permuted pixels are measured on."""


def parity_told(services: Services, question: Question, sent: Mapping[str, Any]) -> Data:
    """The first network against another one, on the drawing and, where `sample` is asked for, on test images.

    Args:
        services: of the server.
        question: what the page shows.
        sent: `other` (the column to compare with), `tolerance` and `sample`.
    """
    columns = columns_of(services, question, Drawing(services, question))
    one, two = _pair(columns, sent.get("other", 1))
    tolerance = sent.get("tolerance")
    tolerance = float(tolerance) if isinstance(tolerance, int | float) and 0 < tolerance < 1 else TOLERANCE
    first, second = one.model, two.model
    assert first
    assert second
    told: Data = {"first": one.title, "second": two.title, "tolerance": tolerance}
    if one.asked.model != two.asked.model and {one.asked.model, two.asked.model} <= BUNDLED.keys():
        told["different"] = "These are two different networks, so they need not compute the same."
    if first.input_shape != second.input_shape:
        return {**told, "fault": "They take pictures of different sizes, so no layer of them can be compared."}
    if sent.get("sample"):
        images = fit_images(services.samples[0].images[:SAMPLE], first.input_shape)
        told["sample"] = parity(first, second, images, tolerance).data
    if one.forward and two.forward:
        traces = _batched(one.forward.activations), _batched(two.forward.activations)
        told["drawing"] = parity_of(first, second, [traces], tolerance).data
    return told


def _pair(columns: Sequence[Column], other: object) -> tuple[Column, Column]:
    there = {at: column for at, column, _ in live(columns)}
    if 0 not in there or not isinstance(other, int) or other not in there or other == 0:
        raise ParityError("Parity compares the first network with another one; one of them is not there.")
    return there[0], there[other]


def _batched(activations: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[None] for name, values in activations.items()}


def shifts_told(services: Services, question: Question) -> Data:
    """Every network's answers to the drawing at each of 21 × 21 places."""
    drawing = Drawing(services, question)
    columns = columns_of(services, question, drawing)
    told: list[Data | None] = [None] * len(columns)
    for at, column, model in live(columns):
        if column.forward is not None:
            found = shift_test(model, column.forward.image, label_in(services, question, columns, model))
            told[at] = {
                "title": column.name,
                "classes": list(model.classes),
                "offsets": found.offsets.tolist(),
                "predicted": found.predicted.ravel().tolist(),
                "confidence": np.round(found.confidence.ravel().astype(float), 4).tolist(),
                "target": found.target,
                "share": found.share,
                "image": _picture(column.forward.image),
            }
    return {"columns": told, "words": _shift_words([each for each in told if each])}


def shifts_of_digits_told(services: Services, question: Question, known: Kept[Array]) -> Data:
    """How many of a few test digits, as many of each class, every network takes rightly at each of the places.

    Args:
        services: of the server.
        question: what the page shows.
        known: what was found for a network before.
    """
    columns = columns_of(services, question, Drawing(services, question))
    told: list[Data | None] = [None] * len(columns)
    for at, column, model in live(columns):
        told[at] = {"title": column.name, **_shares_told(services, model, known)}
    measured = [each for each in told if each and "share" in each]
    return {
        "columns": told,
        "words": _shift_words(measured, f"with {EACH * len(services.samples[0].classes)} test digits "),
    }


def _shares_told(services: Services, model: Model, known: Kept[Array]) -> Data:
    dataset = services.samples[0]
    if model.classes != dataset.classes:
        return {"unlike": f"{dataset.title} has other classes."}
    key = model.backend, model.version, dataset.checksum
    places = np.concatenate([dataset.indices_of(label)[:EACH] for label in range(len(dataset.classes))])
    images = fit_images(dataset.images[places], model.input_shape)
    found = known.get(key, lambda: shift_shares(model, images, dataset.labels[places]))
    step = max(1, round(max(model.input_shape[:2]) / 28))
    return {
        "shares": np.round(found.ravel().astype(float), 4).tolist(),
        "share": float(found.mean()),
        "offsets": [step * each for each in range(-FARTHEST, FARTHEST + 1)],
    }


def _picture(image: Array) -> Data:
    grey = np.rint(image.mean(axis=2) * 255).astype(int)
    return {"shape": list(grey.shape), "values": grey.ravel().tolist()}


def _shift_words(told: Sequence[Data], what: str = "") -> str:
    """Who stands it best, in one sentence; `what` begins it, where that is not the drawing."""
    if len(told) < 2:
        return ""
    ranked = sorted(told, key=lambda each: -each["share"])
    best, worst = ranked[0], ranked[-1]
    if best["share"] - worst["share"] < 0.005:
        return f"{what}All of them are right at {100 * best['share']:.0f} % of the places."
    return (
        f"{what}{best['title']} is right at {100 * best['share']:.0f} % of the places, "
        f"{worst['title']} at {100 * worst['share']:.0f} %."
    )


def permutation_told(services: Services, question: Question) -> Data:
    """What every network says when the pixels of the drawing, and of test images, are put in another order."""
    drawing = Drawing(services, question)
    columns = columns_of(services, question, drawing)
    told: list[Data | None] = [None] * len(columns)
    for at, column, model in live(columns):
        told[at] = {"title": column.name, **_permuted(services, column, model)}
    return {"columns": told}


def _permuted(services: Services, column: Column, model: Model) -> Data:
    order, found = pixel_order(model.input_shape), Data()
    if column.forward is not None:
        image = column.forward.image
        mixed = permuted(image[None], order)
        used = used_to(model, order)
        found["image"] = _picture(mixed[0])
        found["answers"] = {
            "as it is": _answer(model, image[None]),
            "pixels permuted": _answer(model, mixed),
            "weights permuted as well": _answer(used, mixed) if used else None,
        }
    dataset = services.samples[0]
    if model.classes == dataset.classes:
        places = np.random.default_rng(0).permutation(len(dataset))[:MIXED]
        images = fit_images(dataset.images[places], model.input_shape)
        plain, mixed_share, used_share = accuracy_when_permuted(model, images, dataset.labels[places], order)
        found["accuracy"] = {
            "as it is": plain, "pixels permuted": mixed_share, "weights permuted as well": used_share,
        }  # fmt: skip
        found["images"] = len(places)
    return found


def _answer(model: Model, image: Array) -> Data:
    values = model.probabilities(image)[0]
    return {"best": model.classes[int(values.argmax())], "confidence": float(values.max())}
