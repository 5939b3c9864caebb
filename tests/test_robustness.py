"""The sweep: real accuracies on real digits, curves that grow, and what is known not measured again."""

from itertools import islice

import numpy as np
import pytest
from layerscope.backends.base import Backend, Model
from layerscope.backends.opening import open_model
from layerscope.datasets.base import Dataset
from layerscope.datasets.digits import load_digits
from layerscope.drawing.fit import fit_images
from layerscope.evaluation.disturbances import BY_NAME, chosen
from layerscope.evaluation.robustness import (
    Material,
    Point,
    UnlikeError,
    curve,
    in_words,
    rounds,
    share_of,
    sweep,
    wilson,
)

COUNT = 300
TURNED = chosen(["rotation", "noise"])


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits()


@pytest.fixture(scope="module")
def material(digits: Dataset) -> Material:
    return Material.of(digits, COUNT)


@pytest.fixture(scope="module")
def model(pytorch: Backend) -> Model:
    return open_model("cnn-compact", "pytorch")


@pytest.fixture(scope="module")
def found(model: Model, material: Material) -> list[Point]:
    return list(sweep(model, material, TURNED))


def last(points: list[Point]) -> dict[tuple[str, float], Point]:
    return {(point.disturbance, point.strength): point for point in points}


def test_the_sentence_is_about_where_curves_lie_furthest_apart() -> None:
    def points(*right: int) -> dict[tuple[str, float], Point]:
        return {
            ("shift", strength): Point("shift", strength, 100, each)
            for strength, each in zip((0, 1, 2, 3), right, strict=False)
        }

    shift = BY_NAME["shift"]
    assert in_words(shift, {}) == in_words(shift, {"A": points(99), "B": {}}) == ""
    assert in_words(shift, {"A": points(99, 90, 60, 20), "B": points(98, 95, 90, 21)}) == (
        "Shifted by 2 pixels: A is right about 60 % of the images; B about 90 %."
    )
    alike = {"A": points(99, 90, 60), "B": points(99, 90, 61)}
    assert in_words(shift, alike) == "Shifted by 2 pixels, both are right about 60 % of the images."
    assert in_words(shift, {"A": points(99)}) == "Undisturbed: A is right about 99 % of the images."
    assert BY_NAME["stroke"].said(-1.5) == "With strokes 1.5 pixels narrower"


def test_each_point_says_how_often_the_model_is_right(found: list[Point], model: Model, material: Material) -> None:
    for key in (("rotation", -30.0), ("noise", 0.3), ("noise", 0.0)):
        point = last(found)[key]
        images = material.disturbed(BY_NAME[key[0]], key[1], range(COUNT))
        predicted = model.probabilities(fit_images(images, model.input_shape)).argmax(axis=1)
        assert point.count == COUNT
        assert point.right == np.count_nonzero(predicted == material.dataset.labels[material.order])


def test_curves_fall_from_the_undisturbed_images_and_share_them(found: list[Point]) -> None:
    points = last(found)
    turned = curve(points, "rotation")
    assert [point.strength for point in turned] == list(BY_NAME["rotation"].strengths)
    assert max(turned, key=lambda point: point.accuracy).strength in (-15, 0, 15)
    assert points["rotation", 90].accuracy < 0.5 < 0.9 < points["rotation", 0].accuracy
    clean = points["rotation", 0], points["noise", 0]
    assert (clean[0].right, clean[0].worst) == (clean[1].right, clean[1].worst)


def test_whole_curves_are_there_after_the_first_round_and_their_intervals_narrow(found: list[Point]) -> None:
    strengths = sum(len(each.strengths) for each in TURNED)
    assert {point.count for point in found[:strengths]} == {50}
    assert len(found) == strengths * len(rounds(COUNT))
    early, late = found[0].interval, last(found)["rotation", -90].interval
    assert late[1] - late[0] < early[1] - early[0]


def test_the_worst_images_are_the_most_confident_mistakes(found: list[Point], model: Model, material: Material) -> None:
    worst = last(found)["rotation", 45].worst
    assert len(worst) > 3
    assert [mistake.confidence for mistake in worst] == sorted((each.confidence for each in worst), reverse=True)
    for mistake in worst[:3]:
        image = material.disturbed(BY_NAME["rotation"], 45, range(mistake.number, mistake.number + 1))
        probabilities = model.probabilities(fit_images(image, model.input_shape))[0]
        assert mistake.predicted == probabilities.argmax() != mistake.label
        assert mistake.confidence == pytest.approx(probabilities.max(), abs=1e-4)
        assert material.dataset.labels[mistake.index] == mistake.label
        assert material.order[mistake.number] == mistake.index


def test_a_sweep_goes_on_where_it_was_stopped(found: list[Point], model: Model, material: Material) -> None:
    points: dict[tuple[str, float], Point] = {}
    begun = list(islice(sweep(model, material, TURNED, points), 25))
    assert points == last(begun)
    assert 0 < share_of(points, COUNT, TURNED) < 1
    rest = list(sweep(model, material, TURNED, points))
    assert len(begun) + len(rest) == len(found)
    assert {key: point.right for key, point in points.items()} == {
        key: point.right for key, point in last(found).items()
    }
    assert share_of(points, COUNT, TURNED) == 1
    assert not list(sweep(model, material, TURNED, points))


def test_fewer_images_are_the_beginning_of_more(digits: Dataset) -> None:
    few, many = Material.of(digits, 100), Material.of(digits, 1000)
    assert np.array_equal(few.order, many.order[:100])
    noise = BY_NAME["noise"]
    assert np.array_equal(few.disturbed(noise, 0.5, range(90, 100)), many.disturbed(noise, 0.5, range(80, 110))[10:20])
    assert len(Material.of(digits, 10**6)) == len(digits)


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(50, 50)[1] == 1.0


def test_a_model_is_not_measured_on_classes_that_it_does_not_know(model: Model, digits: Dataset) -> None:
    letters = Dataset(
        name="own", title="Letters", images=digits.images[:4], labels=np.array([0, 1, 2, 0]),
        classes=("1", "ä", "字"), source="", checksum="",
    )  # fmt: skip
    with pytest.raises(UnlikeError, match=r"cnn-compact can only .*: 0, 1, .*Received: ä, 字"):
        next(sweep(model, Material.of(letters, 4), TURNED))
