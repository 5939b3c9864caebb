"""Uploaded pictures: real files of every format, and every fault caused for real."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layerscope.datasets.base import Dataset
from layerscope.drawing.pipeline import prepare
from layerscope.drawing.strokes import render_strokes
from layerscope.drawing.uploads import LARGEST_FILE, UploadError, read_upload
from PIL import Image, PngImagePlugin

FORMATS = ["PNG", "JPEG", "WEBP", "GIF"]
INK = render_strokes([np.array([[0.2, 0.1], [0.8, 0.1], [0.4, 0.9]])])
PICTURE = Image.fromarray((INK * 255).astype(np.uint8))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    """A PNG file of any claimed size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_gives_the_ink_back(kind: str, mode: str) -> None:
    picture = read_upload(saved(PICTURE.convert(mode), kind))
    assert picture.dtype == np.float32
    assert picture.shape == (140, 140)
    assert np.abs(picture - INK).mean() < 0.02
    assert not prepare(picture, (28, 28, 1)).empty


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_every_way_of_storing_pixels_is_understood(mode: str) -> None:
    image = Image.fromarray((INK * 65535).astype(np.uint16)) if mode == "I;16" else PICTURE.convert("RGB").convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert np.abs(read_upload(saved(image, kind)) - INK).mean() < 0.02


def test_a_large_picture_is_reduced_and_keeps_its_aspect_on_its_own_border_colour() -> None:
    image = Image.new("L", (2000, 1000), 200)
    image.paste(0, (900, 100, 1100, 900))
    picture = read_upload(saved(image, "JPEG"))
    np.testing.assert_allclose(picture[:30], 200 / 255, atol=0.01)
    dark = np.nonzero(picture < 0.3)
    assert np.ptp(dark[0]) + 1 == pytest.approx(56, abs=2)
    assert np.ptp(dark[1]) + 1 == pytest.approx(14, abs=2)


def test_a_small_picture_is_enlarged_without_blur() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    picture = read_upload(saved(Image.fromarray(pixels)))
    np.testing.assert_array_equal(
        picture, np.repeat(np.repeat(pixels, 5, 0), 5, 1).astype(np.float32) / np.float32(255)
    )


def test_an_uploaded_mnist_image_becomes_itself_again(mnist_test: Dataset) -> None:
    for index in range(20):
        image = Image.fromarray(mnist_test.images[index, ..., 0])
        prepared = prepare(read_upload(saved(image)), (28, 28, 1)).image
        assert np.abs(prepared - mnist_test.floats([index])[0]).mean() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 140), (140, 1), (3000, 1), (1, 3000), (141, 140), (97, 55)])
def test_any_size_fits(size: tuple[int, int]) -> None:
    np.testing.assert_allclose(read_upload(saved(Image.new("L", size, 51))), 0.2, atol=1e-6)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_taken_sideways_is_turned_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned by 90° clockwise.
    sideways = PICTURE.transpose(Image.Transpose.ROTATE_90)
    assert np.abs(read_upload(saved(sideways.convert("RGB"), kind, exif=exif)) - INK).mean() < 0.02


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_transparency_is_white(kind: str) -> None:
    image = Image.new("RGBA", (140, 140), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (50, 20, 90, 120))
    picture = read_upload(saved(image, kind))
    assert picture[5, 5] == 1
    assert picture[70, 70] == 0


def test_the_first_frame_is_taken() -> None:
    frames = [Image.new("L", (140, 140), shade) for shade in (255, 0, 128)]
    for kind in ("GIF", "WEBP"):
        picture = read_upload(saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50))
        np.testing.assert_allclose(picture, 1, atol=0.01)


FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "mine.png is an empty file; choose a PNG, JPEG, WebP or GIF"),
    "text": (lambda: b"hello, world" * 9, "mine.png is not a picture that can be read"),
    "bmp": (lambda: saved(PICTURE, "BMP"), r"another kind \(BMP\); choose a PNG, JPEG, WebP or GIF"),
    "tiff": (lambda: saved(PICTURE, "TIFF"), r"another kind \(TIFF\)"),
    "pdf": (lambda: saved(PICTURE, "PDF"), r"another kind \(PDF\)"),
    "icon": (lambda: saved(PICTURE, "ICO"), r"another kind \(icon\)"),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", r"another kind \(SVG\)"),
    "heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(99), r"another kind \(HEIC"),
    "50 MB": (lambda: saved(PICTURE) + bytes(50 * 2**20), "too large; files up to 10 MB .* Received: 50.0 MB"),
    "20,000×20,000": (lambda: png(20_000, 20_000), "too many pixels; .* up to 40 megapixels"),
    "8,000×8,000": (lambda: png(8_000, 8_000), "too many pixels; .* Received: 8000×8000"),
    "10,000×10,000": (lambda: png(10_000, 10_000), "too many pixels; .* Received: 10000×10000"),
    "no pixels": (lambda: png(0, 0), "mine.png is damaged or has no pixels"),
    "no width": (lambda: png(0, 9), "mine.png is damaged or has no pixels"),
    "no rows": (lambda: png(100, 100), "is damaged or incomplete"),
    "half a PNG": (lambda: saved(PICTURE)[:300], "is damaged or incomplete"),
    "half a JPEG": (lambda: saved(PICTURE, "JPEG")[:1500], "is damaged or incomplete"),
    "half a WebP": (lambda: saved(PICTURE, "WEBP")[:700], "is damaged or incomplete"),
    "half a GIF": (lambda: saved(PICTURE, "GIF")[:600], "is damaged or incomplete"),
    "only a signature": (lambda: saved(PICTURE)[:10], "is damaged or has no pixels"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("content", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_file_that_is_no_usable_picture_gets_one_sentence(content: Callable[[], bytes], words: str) -> None:
    with pytest.raises(UploadError, match=words) as caught:
        read_upload(content(), "mine.png")
    assert "\n" not in str(caught.value)


def test_a_compressed_text_that_unpacks_to_very_much_is_refused() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("note", "x" * 80_000_000, zip=True)
    content = saved(PICTURE, pnginfo=notes)
    assert len(content) < LARGEST_FILE
    with pytest.raises(UploadError, match="is damaged or incomplete"):
        read_upload(content)


def test_a_name_is_not_needed() -> None:
    with pytest.raises(UploadError, match=r"^The upload is an empty file"):
        read_upload(b"")


@settings(max_examples=300)
@given(st.sampled_from(FORMATS), st.integers(0, 2**31), st.integers(1, 6))
def test_damage_anywhere_gives_a_picture_or_one_sentence(kind: str, seed: int, number: int) -> None:
    content = bytearray(saved(PICTURE.convert("RGB").resize((40, 30)), kind))
    for place in np.random.default_rng(seed).integers(0, len(content), number):
        content[place] = seed % 251
    try:
        picture = read_upload(bytes(content))
    except UploadError:
        return
    assert picture.shape == (140, 140)
    assert np.isfinite(picture).all()
