"""Uploaded pictures as ink."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .ink import SIZE
from .resample import fitted_size

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
LARGEST_FILE = 10 * 2**20
"""Bytes."""
LARGEST_PICTURE = 40_000_000
"""Pixels; asked of the header, before anything is unpacked."""
WAY_OUT = "choose a PNG, JPEG, WebP or GIF picture"

_READABLE = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
_OTHERS = {
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"<?xml": "SVG or other XML",
    b"\0\0\1\0": "icon",
}


class UploadError(ValueError):
    """A file that cannot become ink; the message is one sentence meant for the user."""


def read_upload(content: bytes, name: str = "") -> NDArray[np.float32]:
    """A picture file as ink: grey, upright, on white where it is transparent, the first frame where it moves.

    A larger picture is reduced to fit, a smaller one enlarged by a whole number of times, so that none of its pixels is
    blurred; what is left of the square has the colour of the picture's own border.

    Args:
        content: the file's bytes: PNG, JPEG, WebP or GIF.
        name: the file's name, for messages.

    Returns:
        float32 `(140, 140)` in [0, 1].

    Raises:
        UploadError: not such a file, empty, damaged, or too large; one sentence says which.
    """
    name = name or "The upload"
    if not content:
        raise UploadError(f"{name} is an empty file; {WAY_OUT}.")
    if len(content) > LARGEST_FILE:
        raise UploadError(too_large(name, len(content)))
    return _on_square(_grey(_fitting(_decoded(content, name))))


def _decoded(content: bytes, name: str) -> Image.Image:
    """The first frame, upright, with its pixels read."""
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        if image.width * image.height > LARGEST_PICTURE:
            raise _too_many(name, f"{image.width}×{image.height}")
        if image.format == "JPEG":
            image.draft("RGB", (4 * SIZE, 4 * SIZE))
        image.load()
        return ImageOps.exif_transpose(image)
    except UploadError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many(name, "far more") from error
    except UnidentifiedImageError as error:
        raise UploadError(f"{name} {_what_it_is(content)}; {WAY_OUT}.") from error
    except Exception as error:  # On damaged files the decoders raise errors of every kind.
        raise UploadError(f"{name} is damaged or incomplete; save it again, or {WAY_OUT}. Received: {error}") from error


def too_large(name: str, size: int) -> str:
    """The sentence for a file of too many bytes; a page may say it before the file is sent."""
    return f"{name} is too large; files up to {LARGEST_FILE // 2**20} MB can be read. Received: {size / 2**20:.1f} MB"


def _too_many(name: str, received: str) -> UploadError:
    megapixels = LARGEST_PICTURE // 1_000_000
    return UploadError(
        f"{name} has too many pixels; pictures up to {megapixels} megapixels can be read. Received: {received}"
    )


def _what_it_is(content: bytes) -> str:
    """Why Pillow could not even begin."""
    if content.startswith(_READABLE):
        return "is damaged or has no pixels"
    known = next((kind for start, kind in _OTHERS.items() if content.startswith(start)), None)
    if content[4:8] == b"ftyp":
        known = "HEIC or video"
    return f"is a file of another kind ({known})" if known else "is not a picture that can be read"


def _fitting(image: Image.Image) -> Image.Image:
    """At most `SIZE` on its longest side; small pictures grow by a whole number of times. In grey or true colour."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip instead of scale.
        image = Image.fromarray((np.asarray(image, np.int64) // 257).clip(0, 255).astype(np.uint8))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    longest = max(image.size)
    if longest > SIZE:
        height, width = fitted_size((image.height, image.width), SIZE, SIZE)
        return image.resize((width, height), Image.Resampling.BOX)
    times = SIZE // longest
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def _grey(image: Image.Image) -> NDArray[np.float32]:
    """Brightness in [0, 1], transparency on white."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"), np.float32) / np.float32(255)


def _on_square(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture in the middle of a square of its border's colour."""
    height, width = picture.shape
    border = np.concatenate((picture[0], picture[-1], picture[:, 0], picture[:, -1]))
    square = np.full((SIZE, SIZE), np.median(border), np.float32)
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    square[top : top + height, left : left + width] = picture
    return square
