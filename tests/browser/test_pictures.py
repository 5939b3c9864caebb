"""Samples and uploads: chosen, marked right or wrong, drawn upon, refused in words."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Model
from layerscope.datasets.base import Dataset
from layerscope.drawing.strokes import draw_strokes
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

MAPS = ("feature_maps", "input")
SEVEN = draw_strokes([np.array([(0.25, 0.2), (0.75, 0.2), (0.4, 0.85)])])


def test_a_sample_by_digit_and_number(dashboard: Dashboard, compact: Model, mnist_test: Dataset) -> None:
    dashboard.visit(MAPS)
    page = dashboard.page
    dashboard.choose("#digit", "5")
    expect(page.locator("#sample-note")).to_contain_text(re.compile(r"MNIST test images: a 5, number \d+ of 892\."))
    page.locator("#sample-index").fill("12")
    expect(page.locator("#sample-note")).to_have_text("MNIST test images: a 5, number 12 of 892.")
    dashboard.rest()
    assert dashboard.address["sample"] == "5.12"
    assert "ink" not in dashboard.address
    position = mnist_test.indices_of(5)[12]
    np.testing.assert_array_equal(dashboard.stage("input"), mnist_test.images[position, :, :, 0])
    np.testing.assert_allclose(
        dashboard.probabilities(), compact.probabilities(mnist_test.floats([position]))[0], atol=2e-6
    )
    # Steps do not touch what is stored prepared.
    dashboard.switch_step("Centred")
    dashboard.rest()
    np.testing.assert_array_equal(dashboard.stage("input"), mnist_test.images[position, :, :, 0])


def test_a_random_sample_is_another_one_each_time(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS)
    page = dashboard.page
    seen = set()
    for _ in range(3):
        page.locator("#sample-random").click()
        expect(page.locator("#sample-note")).to_contain_text("MNIST test images")
        seen.add(dashboard.rest().address["sample"])
        digit, index = dashboard.address["sample"].split(".")
        expect(page.locator("#digit")).to_have_value(digit)
        expect(page.locator("#sample-index")).to_have_value(index)
    assert len(seen) > 1


def test_right_and_wrong_are_shown(dashboard: Dashboard, compact: Model, mnist_test: Dataset) -> None:
    predicted = compact.probabilities(mnist_test.floats(slice(0, 2000))).argmax(axis=1)
    wrong = int(np.flatnonzero(predicted != mnist_test.labels[:2000])[0])
    label = int(mnist_test.labels[wrong])
    for position, verdict in ((0, "right"), (wrong, "wrong")):
        of = int(mnist_test.labels[position])
        index = int(np.flatnonzero(mnist_test.indices_of(of) == position)[0])
        dashboard.visit(MAPS, sample=f"{of}.{index}")
        expect(dashboard.page.locator(".answer")).to_have_attribute("data-verdict", verdict)
        expect(dashboard.page.locator(".bar.is-label .bar-name")).to_have_text(str(of))
        expect(dashboard.digit).to_have_text(str(predicted[position]))
    expect(dashboard.verdict).to_have_text(f"✗ wrong: this is a {label}")


def test_a_sample_that_is_drawn_upon_becomes_ink_and_keeps_its_label(
    dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(MAPS, sample="7.0")
    before = dashboard.probabilities()
    dashboard.draw([np.array([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)])])
    assert "sample" not in dashboard.address
    assert dashboard.address["label"] == "7"
    expect(dashboard.page.locator("#sample-note")).to_contain_text("Drawn upon.")
    assert dashboard.picture[70, 70] == 1  # the pen is white on a dark picture
    np.testing.assert_allclose(
        dashboard.probabilities(), compact.probabilities(image_of(dashboard.source))[0], atol=2e-6
    )
    dashboard.page.keyboard.press("Control+z")
    dashboard.rest()
    assert dashboard.address["sample"] == "7.0"
    np.testing.assert_array_equal(dashboard.probabilities(), before)


@pytest.mark.parametrize("wanted", ["5.99999", "12.0"])
def test_a_sample_that_does_not_exist(dashboard: Dashboard, wanted: str) -> None:
    dashboard.visit(MAPS, sample=wanted)
    expect(dashboard.notice).to_contain_text("MNIST test images has ")
    expect(dashboard.notice).to_contain_text("Received: ")
    expect(dashboard.page.locator(".invitation")).to_be_visible()


def test_a_number_that_is_too_large_is_said_and_leaves_the_picture(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, sample="5.12")
    dashboard.page.locator("#sample-index").fill("99999")
    expect(dashboard.notice).to_contain_text("numbered from 0 to 891. Received: 99999")
    assert dashboard.rest().address["sample"] == "5.12"
    expect(dashboard.page.locator("#sample-note")).to_contain_text("number 12 of")


def saved(folder: Path, form: str = "PNG", light_on_dark: bool = False) -> Path:
    """A seven in a file of some format, larger than the canvas."""
    pixels = np.rint((1 - SEVEN if light_on_dark else SEVEN) * 255).astype(np.uint8)
    path = folder / f"seven.{form.lower()}"
    Image.fromarray(pixels).convert("RGB").resize((700, 700)).save(path, form)
    return path


@pytest.mark.parametrize("light_on_dark", [False, True], ids=["dark on light", "light on dark"])
def test_uploads_of_every_format(dashboard: Dashboard, tmp_path: Path, light_on_dark: bool) -> None:
    dashboard.visit(MAPS)
    for form in ("PNG", "JPEG", "WEBP", "GIF"):
        dashboard.upload(saved(tmp_path, form, light_on_dark))
        expect(dashboard.page.locator("#sample-note")).to_contain_text(f"seven.{form.lower()}")
        expect(dashboard.digit).to_have_text("7")
        dashboard.rest()
        shown = 1 - dashboard.picture if light_on_dark else dashboard.picture
        assert np.abs(shown - SEVEN).mean() < 0.01
        dashboard.page.keyboard.press("Delete")
        dashboard.rest()


def test_the_same_file_can_be_opened_again(dashboard: Dashboard, tmp_path: Path) -> None:
    dashboard.visit(MAPS)
    for _ in range(2):
        dashboard.upload(saved(tmp_path))
        expect(dashboard.digit).to_have_text("7")
        dashboard.rest()
        dashboard.page.locator("#clear").click()
        expect(dashboard.digit).to_have_text("–")
        dashboard.rest()


def test_an_upload_is_drawn_upon(dashboard: Dashboard, tmp_path: Path) -> None:
    dashboard.visit(MAPS)
    dashboard.upload(saved(tmp_path))
    expect(dashboard.digit).to_have_text("7")
    before = dashboard.rest().picture
    dashboard.draw([np.array([(0.35, 0.5), (0.7, 0.5)])])
    assert before[70, 90] > 0.5 > dashboard.picture[70, 90]
    assert np.abs(before - dashboard.picture).mean() < 0.1


def png(width: int, height: int) -> bytes:
    """A PNG file that claims some size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_refused_uploads_are_explained_and_leave_the_drawing(
    dashboard: Dashboard, tmp_path: Path, strokes: Callable[..., Any]
) -> None:
    dashboard.visit(MAPS).draw(strokes(6))
    ink, answered = dashboard.ink, dashboard.probabilities()
    faults = {
        "words.png": (b"this is not a picture", "is not a picture that can be read; choose a PNG, JPEG, WebP or GIF"),
        "vast.png": (png(20_000, 20_000), "has too many pixels; pictures up to 40 megapixels can be read."),
        "big.png": (png(9, 9) + bytes(50 * 2**20), "is too large; files up to 10 MB can be read. Received: 50.0 MB"),
        "empty.png": (b"", "is an empty file; choose a PNG, JPEG, WebP or GIF picture."),
        "flat.png": (png(0, 9), "is damaged or has no pixels; choose a PNG, JPEG, WebP or GIF picture."),
        "half.gif": (saved(tmp_path, "GIF").read_bytes()[:900], "half.gif is damaged"),
        "<b>.png": (b"%PDF-1.7", "<b>.png is a file of another kind (PDF)"),
    }
    for name, (content, words) in faults.items():
        (tmp_path / name).write_bytes(content)
        dashboard.upload(tmp_path / name)
        expect(dashboard.notice).to_contain_text(name)
        expect(dashboard.notice).to_contain_text(words)
        assert dashboard.rest().ink == ink
    np.testing.assert_array_equal(dashboard.probabilities(), answered)
    dashboard.upload(saved(tmp_path))
    expect(dashboard.digit).to_have_text("7")
    expect(dashboard.notice).to_be_hidden()
