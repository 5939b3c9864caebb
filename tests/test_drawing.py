"""From ink to input: the pipeline, and data set images brought to a network's input."""

from dataclasses import fields
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layerscope.datasets.base import Dataset
from layerscope.drawing.fit import fit_images
from layerscope.drawing.pipeline import Prepared, Steps, prepare
from layerscope.drawing.strokes import render_strokes

FIELD = (28, 28, 1)
SEVEN = [np.array([[0.2, 0.1], [0.8, 0.1], [0.4, 0.9]])]


def picture_of(prepared: Prepared, name: str) -> np.ndarray:
    return next(stage.image for stage in prepared.stages if stage.name == name)


def note_of(prepared: Prepared, name: str) -> str:
    return next(stage.note for stage in prepared.stages if stage.name == name)


def mass_centre(picture: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(picture.shape)
    return float((rows * picture).sum() / picture.sum()), float((columns * picture).sum() / picture.sum())


def ink_box(picture: np.ndarray) -> tuple[int, int]:
    rows, columns = np.nonzero(picture > 0)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.fixture
def seven() -> np.ndarray:
    return render_strokes(SEVEN)


def test_stages_come_in_order_and_are_explained(seven: np.ndarray) -> None:
    stages = prepare(seven, FIELD).stages
    assert [stage.name for stage in stages] == ["ink", "invert", "crop", "scale", "centre", "input"]
    assert [stage.name for stage in stages if stage.switchable] == [field.name for field in fields(Steps)]
    assert all(stage.title and stage.explanation and stage.note for stage in stages)


def test_digit_fills_the_box_and_its_mass_is_in_the_middle(seven: np.ndarray) -> None:
    image = prepare(seven, FIELD).image[..., 0]
    assert max(ink_box(image)) == 20
    assert mass_centre(image) == pytest.approx((14, 14), abs=0.5)
    assert image.max() == pytest.approx(1)


def test_light_on_dark_gives_the_same_input(seven: np.ndarray) -> None:
    dark, light = prepare(seven, FIELD), prepare(1 - seven, FIELD)
    np.testing.assert_allclose(dark.image, light.image, atol=1e-6)
    assert note_of(dark, "invert") == "paper is light: inverted"
    assert note_of(light, "invert") == "already light on dark"


def test_position_and_size_of_the_drawing_do_not_matter(seven: np.ndarray) -> None:
    small = np.ones((140, 140), np.float32)
    small[10:80, 60:130] = seven.reshape(70, 2, 70, 2).mean((1, 3))
    scaled, expected = (picture_of(prepare(ink, FIELD), "scale") for ink in (small, seven))
    assert np.abs(scaled - expected).mean() < 0.02
    assert mass_centre(prepare(small, FIELD).image[..., 0]) == pytest.approx((14, 14), abs=0.5)


def test_aspect_is_kept() -> None:
    wide = render_strokes([np.array([[0.0, 0.0], [1.0, 0.5]])], brush=0.02)
    height, width = prepare(wide, FIELD).stages[3].image.shape
    assert width == 20
    assert height / width == pytest.approx(0.5, abs=0.06)


def test_faint_noise_breaks_neither_crop_nor_emptiness(seven: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, seven.shape)
    noisy = prepare(np.clip(0.1 + 0.8 * seven + noise, 0, 1), FIELD)
    assert picture_of(noisy, "crop").shape == pytest.approx(picture_of(prepare(seven, FIELD), "crop").shape, abs=2)
    assert "contrast raised" in note_of(noisy, "invert")
    assert prepare(np.clip(0.9 + noise, 0, 1), FIELD).empty


@pytest.mark.parametrize("brightness", [0.0, 0.4, 1.0])
def test_empty_ink_is_said_to_be_empty(brightness: float) -> None:
    prepared = prepare(np.full((140, 140), brightness), FIELD)
    assert prepared.empty
    assert prepared.image.shape == FIELD
    assert not prepared.image.any()
    assert {stage.note for stage in prepared.stages} == {"nothing drawn yet"}


@pytest.mark.parametrize("name", [field.name for field in fields(Steps)])
def test_a_switched_off_step_passes_its_picture_on(seven: np.ndarray, name: str) -> None:
    prepared = prepare(seven, FIELD, Steps(**{name: False}))
    names = [stage.name for stage in prepared.stages]
    before, stage = prepared.stages[names.index(name) - 1], prepared.stages[names.index(name)]
    np.testing.assert_array_equal(stage.image, before.image)
    assert not stage.active
    assert "switched off" in stage.note
    assert not np.array_equal(prepared.image, prepare(seven, FIELD).image)


def test_switching_the_inversion_off_changes_nothing_but_the_brightness(seven: np.ndarray) -> None:
    plain = prepare(seven, FIELD, Steps(invert=False)).image
    np.testing.assert_allclose(1 - plain, prepare(seven, FIELD).image, atol=1e-6)


def test_with_every_step_off_the_paper_is_only_reduced(seven: np.ndarray) -> None:
    off = Steps(invert=False, crop=False, scale=False, centre=False)
    np.testing.assert_allclose(
        prepare(seven, FIELD, off).image[..., 0], seven.reshape(28, 5, 28, 5).mean((1, 3)), atol=1e-3
    )


def test_centring_cuts_nothing_off() -> None:
    blot = np.ones((140, 140), np.float32)
    blot[20:40, 20:120] = 0
    blot[40:130, 20:23] = 0
    prepared = prepare(blot, FIELD)
    assert picture_of(prepared, "centre").sum() == pytest.approx(picture_of(prepared, "scale").sum(), rel=1e-5)


def test_ink_of_the_other_sizes_and_channels(seven: np.ndarray) -> None:
    image = prepare(seven, (96, 84, 3)).image
    assert image.shape == (96, 84, 3)
    assert max(ink_box(image[..., 0])) == 60
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_prepare_changes_nothing_and_hands_out_read_only_arrays(seven: np.ndarray) -> None:
    before = seven.copy()
    prepared = prepare(seven, FIELD)
    np.testing.assert_array_equal(seven, before)
    for image in (prepared.image, *(stage.image for stage in prepared.stages)):
        with pytest.raises(ValueError, match="read-only"):
            image[0] = 0
    seven[:] = 0
    np.testing.assert_array_equal(prepared.stages[0].image, before)


@pytest.mark.parametrize("ink", [np.zeros((3, 3, 3)), np.zeros((0, 5)), np.full((4, 4), np.nan)])
def test_what_is_no_picture_is_refused(ink: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Ink must be finite numbers"):
        prepare(ink, FIELD)


@settings(max_examples=150)
@given(
    ink=arrays(
        np.float32,
        st.tuples(st.integers(1, 24), st.integers(1, 24)),
        elements=st.floats(0, 1, width=32),
        fill=st.sampled_from([np.float32(0), np.float32(0.5), np.float32(1)]),
    ),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
    steps=st.builds(Steps, **{field.name: st.booleans() for field in fields(Steps)}),
)
def test_any_picture_becomes_an_input(ink: np.ndarray, shape: tuple[int, int, int], steps: Steps) -> None:
    prepared = prepare(ink, shape, steps)
    assert prepared.image.shape == shape
    assert prepared.image.dtype == np.float32
    for image in (prepared.image, *(stage.image for stage in prepared.stages)):
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() <= 1


def test_light_and_dark_that_average_to_paper_are_still_placed() -> None:
    chessboard = np.indices((40, 40)).sum(0) % 2 * 1.0
    framed = np.pad(chessboard, 3, constant_values=0.5)
    names = [field.name for field in fields(Steps)]
    for switches in product([True, False], repeat=len(names)):
        steps = Steps(**dict(zip(names, switches, strict=True)))
        assert np.isfinite(prepare(framed, FIELD, steps).image).all()


def test_mnist_images_pass_almost_unchanged(mnist_test: Dataset) -> None:
    images = mnist_test.floats(slice(200))
    again = np.stack([prepare(image[..., 0], FIELD).image for image in images])
    difference = np.abs(again - images).mean((1, 2, 3))
    assert difference.mean() < 0.002
    assert np.median(difference) < 1e-3


def test_mnist_drawn_dark_on_light_passes_too(mnist_test: Dataset) -> None:
    images = mnist_test.floats(slice(200))
    again = np.stack([prepare(1 - image[..., 0], FIELD).image for image in images])
    assert np.abs(again - images).mean() < 0.002


def test_fitting_images_of_the_right_size_only_divides() -> None:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1)
    np.testing.assert_array_equal(fit_images(images, (3, 4, 1)), images.astype(np.float32) / np.float32(255))


def test_fitting_keeps_the_aspect_and_pads_with_zeros() -> None:
    fitted = fit_images(np.full((2, 28, 28, 1), 255, np.uint8), (96, 84, 3))
    assert fitted.shape == (2, 96, 84, 3)
    assert fitted.dtype == np.float32
    np.testing.assert_allclose(fitted[:, 6:90], 1, atol=1e-6)
    assert not fitted[:, :6].any()
    assert not fitted[:, 90:].any()


def test_fitting_reduces_by_averaging() -> None:
    images = np.random.default_rng(0).random((3, 56, 56, 2), np.float32)
    expected = images.reshape(3, 28, 2, 28, 2, 2).mean((2, 4, 5))[..., None]
    np.testing.assert_allclose(fit_images(images, (28, 28, 1)), expected, atol=1e-6)


def test_fitting_refuses_what_are_no_images() -> None:
    with pytest.raises(ValueError, match="height, width, channels"):
        fit_images(np.zeros((28, 28)), FIELD)
