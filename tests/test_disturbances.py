"""Disturbances against closed forms: exact where there is one, and the same however images are cut into batches."""

import numpy as np
import pytest
from layerscope.evaluation.disturbances import (
    DISTURBANCES,
    Array,
    Disturbance,
    blurred,
    chosen,
    contrasted,
    noisy,
    restroked,
    rotated,
    rounded,
    scaled,
    shifted,
)

each_disturbance = pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda disturbance: disturbance.name)


@pytest.fixture(scope="module")
def images() -> Array:
    """Twelve images whose outer quarter is black, in two channels."""
    images = np.zeros((12, 16, 16, 2), np.float32)
    images[:, 4:12, 4:12] = np.random.default_rng(3).random((12, 8, 8, 2), np.float32)
    return rounded(images)


@each_disturbance
def test_the_neutral_strength_changes_nothing(disturbance: Disturbance, images: Array) -> None:
    assert np.array_equal(disturbance.apply(images, disturbance.neutral, 0, 0), images)
    assert disturbance.neutral in disturbance.strengths


@each_disturbance
def test_any_strength_keeps_range_shape_and_the_original(disturbance: Disturbance, images: Array) -> None:
    before, white = images.copy(), np.ones((1, 29, 29, 1), np.float32)
    for strength in disturbance.strengths:
        result = disturbance.apply(images, strength, 0, 0)
        assert (result.shape, result.dtype) == (images.shape, np.float32)
        assert np.array_equal(result, images) == (strength == disturbance.neutral)
        for each in (result, disturbance.apply(white, strength, 0, 0)):
            assert 0 <= each.min() <= each.max() <= 1
    assert np.array_equal(images, before)


@each_disturbance
def test_an_image_comes_out_the_same_whatever_batch_it_is_in(disturbance: Disturbance, images: Array) -> None:
    strength = disturbance.strengths[-1]
    whole = disturbance.apply(images, strength, 5, 0)
    parts = [disturbance.apply(images[start : start + 5], strength, 5, start) for start in (0, 5, 10)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


@each_disturbance
def test_no_images_and_images_that_are_not_square(disturbance: Disturbance) -> None:
    strength = disturbance.strengths[-1]
    assert disturbance.apply(np.zeros((0, 6, 6, 1), np.float32), strength, 0, 0).shape == (0, 6, 6, 1)
    assert disturbance.apply(np.ones((2, 6, 9, 1), np.float32), strength, 0, 0).shape == (2, 6, 9, 1)


def test_a_shift_by_whole_pixels_moves_every_pixel_in_one_of_four_directions(images: Array) -> None:
    moved = shifted(images, 3)
    ways = [np.roll(images, way, axis=(1, 2)) for way in ((0, 3), (3, 0), (0, -3), (-3, 0))]
    found = [next(i for i, way in enumerate(ways) if np.array_equal(way[n], moved[n])) for n in range(len(images))]
    assert found == np.random.default_rng(0).integers(0, 4, len(images)).tolist()
    assert set(found) == {0, 1, 2, 3}
    assert np.array_equal(shifted(images, 16), np.zeros_like(images))


def test_a_shift_by_half_a_pixel_is_the_mean_of_its_neighbours(images: Array) -> None:
    near, far = shifted(images, 1), images
    np.testing.assert_allclose(shifted(images, 0.5), (near + far) / 2, atol=1e-6)


@pytest.mark.parametrize("quarters", [-1, 1, 2, 3, 4])
def test_quarter_turns_move_every_pixel(images: Array, quarters: int) -> None:
    assert np.array_equal(rotated(images, 90 * quarters), np.rot90(images, -quarters, axes=(1, 2)))


def test_a_turn_goes_clockwise_and_back_again() -> None:
    image = np.zeros((1, 29, 29, 1), np.float32)
    image[0, 4, 14] = 1.0
    row, column = np.unravel_index(rotated(image, 45).argmax(), (29, 29))
    assert (row, column) == (7, 21)
    smooth = blurred(image, 3)
    np.testing.assert_allclose(rotated(rotated(smooth, 20), -20), smooth, atol=0.003)


def test_half_the_size_keeps_a_quarter_of_the_ink_and_double_the_size_interpolates() -> None:
    image = np.zeros((1, 17, 17, 1), np.float32)
    image[0, 6:11, 6:11] = 1.0
    assert scaled(image, 0.5).sum() == pytest.approx(25 / 4, rel=1e-5)
    assert scaled(np.ones((1, 29, 29, 1), np.float32), 0.45).max() == 1  # however its weights are rounded
    double = scaled(image, 2)[0, :, :, 0]
    assert np.array_equal(double[8, 3:14], [0.5, *[1.0] * 9, 0.5])


def test_strokes_become_wider_and_narrower_by_just_so_many_pixels() -> None:
    image = np.zeros((1, 15, 15, 1), np.float32)
    image[0, :, 6:9] = 1.0
    for pixels in (-2, -1, 1, 2, 4):
        assert restroked(image, pixels)[0, 7].sum() == 3 + pixels
    assert restroked(image, 1.5)[0, 7].sum() == pytest.approx(4.5)
    assert not restroked(image, -3).any()
    assert restroked(np.ones((1, 6, 6, 1), np.float32), -2)[0, :, :, 0].sum(axis=0).tolist() == [0, 4, 4, 4, 4, 0]


def test_blurring_keeps_the_ink_and_two_blurs_add_their_squares(images: Array) -> None:
    dot = np.zeros((1, 41, 41, 1), np.float32)
    dot[0, 20, 20] = 1.0
    assert blurred(dot, 3).sum() == pytest.approx(1, abs=1e-4)
    assert blurred(np.ones_like(dot), 2)[0, 0, [0, 20], 0] == pytest.approx([0.36, 0.6], abs=0.01)  # black beyond
    twice = blurred(blurred(dot, 3), 4)
    np.testing.assert_allclose(twice, blurred(dot, 5), atol=1e-5)
    assert np.array_equal(blurred(images, 1)[..., :1], blurred(images[..., :1], 1))


def test_noise_has_its_deviation_grows_in_place_and_depends_on_the_seed() -> None:
    grey = np.full((20, 28, 28, 1), 0.5, np.float32)
    noise = noisy(grey, 0.1) - grey
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    np.testing.assert_allclose(noisy(grey, 0.05) - grey, noise / 2, atol=1e-6)
    assert not np.array_equal(noisy(grey, 0.1, seed=1), noisy(grey, 0.1, seed=2))
    assert not np.array_equal(noise[0], noise[1])


def test_contrast_draws_towards_middle_grey(images: Array) -> None:
    np.testing.assert_allclose(contrasted(images, 0.2), 0.4 + 0.2 * images, atol=1e-6)
    assert np.array_equal(contrasted(images, 1e6) > 0.5, images > 0.5)


def test_images_are_rounded_to_the_nearest_of_256_greys() -> None:
    assert (255 * rounded(np.array([0, 0.0019, 0.002, 0.5, 0.9979, 0.999, 1], np.float32))).tolist() == pytest.approx(
        [0, 0, 1, 128, 254, 255, 255]
    )


def test_disturbances_are_chosen_by_name() -> None:
    assert [each.name for each in chosen(["noise", "shift"])] == ["shift", "noise"]
    with pytest.raises(ValueError, match=r"Disturbances are shift, .*contrast\. Received: fog"):
        chosen(["shift", "fog"])
