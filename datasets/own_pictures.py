"""Picture files as bytes: what their header says, their pixels, and fitting them to one size."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
LARGEST_FILE = 64 * 2**20
"""Bytes of one picture file."""
LARGEST_PICTURE = 40_000_000
"""Pixels; asked of the header, before anything is unpacked."""

ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)
"""The EXIF tag of how a camera was held, and its values for pictures that lie on their side."""

Size = tuple[int, int]
"""Height and width."""


class PictureError(Exception):
    """Why one picture file cannot be read, in a few words."""


def size_of(path: Path) -> Size:
    """Height and width of the upright picture, from the file's header alone.

    Raises:
        PictureError: not a picture, or one with too many pixels.
    """
    with _opened(path) as image:
        held = image.getexif() if image.format == "JPEG" else {}  # Others would be unpacked to find it.
        sideways = held.get(ORIENTATION) in SIDEWAYS
        return (image.width, image.height) if sideways else (image.height, image.width)


def read_picture(path: Path, size: Size, colour: bool) -> NDArray[np.uint8]:
    """A picture fitted to a size: upright, on white where it is transparent, the first frame where it moves.

    Args:
        path: a PNG, JPEG, WebP, GIF or BMP file.
        size: height and width wanted.
        colour: keep red, green and blue; else grey.

    Returns:
        `(height, width, 1 or 3)`.

    Raises:
        PictureError: not such a file, damaged, or too large.
    """
    with _opened(path) as image:
        image.load()
        flat = _on_white(ImageOps.exif_transpose(image)).convert("RGB" if colour else "L")
        return fitted(np.atleast_3d(np.asarray(flat)), size)


def fitted(picture: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """A picture `(height, width, channels)` brought to a size, its aspect kept, on the colour of its own border.

    Reduced, a pixel is the mean of the area it stands for; enlarged, it is interpolated.
    """
    if picture.shape[:2] == size:
        return picture
    scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    way = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    field = np.empty((*size, picture.shape[2]), np.uint8)
    field[:] = np.median(border(picture[None]), axis=1).astype(np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    field[top : top + height, left : left + width] = np.atleast_3d(np.asarray(image.resize((width, height), way)))
    return field


def border(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The outermost pixels of images `(n, height, width, channels)` as `(n, pixels, channels)`."""
    return np.concatenate((images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]), axis=1)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture with its header read; whatever goes wrong with it then is a `PictureError`."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise PictureError(f"larger than {LARGEST_FILE // 2**20} MB")
        if not size:
            raise PictureError("empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Our own bound is lower.
            opened = Image.open(path, formats=FORMATS)
        with opened as image:
            if image.width * image.height > LARGEST_PICTURE:
                raise PictureError(f"more than {LARGEST_PICTURE // 1_000_000} megapixels")
            yield image
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"more than {LARGEST_PICTURE // 1_000_000} megapixels") from error
    except UnidentifiedImageError as error:
        raise PictureError("no picture of these kinds") from error
    except Exception as error:  # On damaged files the decoders raise errors of every kind.
        raise PictureError("damaged or incomplete") from error


def _on_white(image: Image.Image) -> Image.Image:
    """The picture without transparency, in 8 bits."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip instead of scale.
        return Image.fromarray((np.asarray(image, np.int64) // 257).clip(0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    whole = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
