"""Pen strokes drawn as the page's canvas draws them."""

from pathlib import Path

import numpy as np
import pytest
from layerscope.datasets.base import Dataset
from layerscope.datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from layerscope.drawing.pipeline import prepare
from layerscope.drawing.strokes import BRUSH, draw_strokes, place_strokes, render_strokes


@pytest.fixture(scope="module")
def pen_digits(data_dir: Path) -> tuple[PenDigit, ...]:
    path = find_pendigits(data_dir)
    assert path is not None
    return load_pendigits(path)


@pytest.mark.parametrize("angle", [0, 10, 30, 45, 90])
@pytest.mark.parametrize("points", [2, 12])
def test_a_line_covers_brush_times_length_and_two_round_caps(angle: float, points: int) -> None:
    direction = 0.3 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    line = 0.5 + np.linspace(-1, 1, points)[:, None] * direction
    covered = (1 - draw_strokes([line], brush=0.09)).mean()
    assert covered == pytest.approx(0.6 * 0.09 + np.pi * 0.045**2, rel=0.02)


def test_a_single_point_is_a_round_dot() -> None:
    dot = 1 - draw_strokes([np.array([[0.25, 0.75]])], brush=0.2)
    assert dot.mean() == pytest.approx(np.pi * 0.1**2, rel=0.02)
    rows, columns = np.indices(dot.shape)
    assert (columns * dot).sum() / dot.sum() == pytest.approx(0.25 * 140 - 0.5, abs=0.1)
    assert (rows * dot).sum() / dot.sum() == pytest.approx(0.75 * 140 - 0.5, abs=0.1)


def test_edges_are_smooth_and_ink_is_black_on_white() -> None:
    picture = draw_strokes([np.array([[0.2, 0.2], [0.8, 0.7]])])
    assert picture.shape == (140, 140)
    assert picture.dtype == np.float32
    assert picture.min() == 0
    assert picture.max() == 1
    assert len(np.unique(picture)) > 10


def test_strokes_fill_the_paper_up_to_the_margin_and_keep_their_aspect() -> None:
    placed = place_strokes([np.array([[10.0, 40.0], [30.0, 50.0]]), np.array([[20.0, 45.0]])], margin=0.1)
    np.testing.assert_allclose(placed[0], [[0.1, 0.3], [0.9, 0.7]])
    np.testing.assert_allclose(placed[1], [[0.5, 0.5]])


@pytest.mark.parametrize("strokes", [[], [np.zeros((0, 2))]])
def test_nothing_drawn_is_white_paper(strokes: list[np.ndarray]) -> None:
    assert (render_strokes(strokes) == 1).all()


def test_a_tap_is_a_dot_in_the_middle() -> None:
    tapped = render_strokes([np.array([[0.9, 0.1]])])
    assert tapped[70, 70] == 0
    assert tapped.mean() > 0.95


@pytest.mark.slow
def test_every_pen_digit_renders_and_prepares(pen_digits: tuple[PenDigit, ...]) -> None:
    assert len(pen_digits) == 7494
    for digit in pen_digits:
        prepared = prepare(render_strokes(digit.strokes), (28, 28, 1))
        assert not prepared.empty
        assert np.isfinite(prepared.image).all()
        assert 19 <= max(np.ptp(axis) + 1 for axis in np.nonzero(prepared.image[..., 0])) <= 20


def test_the_usual_brush_gives_the_amount_of_ink_of_mnist(
    pen_digits: tuple[PenDigit, ...], mnist_test: Dataset
) -> None:
    """Much thinner or thicker would be another kind of writing than the networks learn from."""

    def ink(brush: float) -> float:
        pictures = [prepare(render_strokes(digit.strokes, brush), (28, 28, 1)).image for digit in pen_digits[::25]]
        return float(np.mean(pictures))

    mnist = float(mnist_test.floats(slice(None)).mean())
    assert ink(BRUSH) == pytest.approx(mnist, rel=0.05)
    assert ink(BRUSH / 2) < 0.7 * mnist
