"""Ink as short text, for the browser's store and the address of the page.

The text is 140 × 140 grey values, one byte each, row by row, raw deflate (RFC 1951), unpadded base64url (RFC 4648).
"""

import base64
import re
import zlib

import numpy as np
from numpy.typing import NDArray

SIZE = 140
"""Pixels along each side of the ink."""
BYTES = SIZE * SIZE
LONGEST = 30_000
"""Characters; ink that cannot be compressed at all needs 26,140."""


class InkError(ValueError):
    """Text that is not ink; the message is one sentence meant for the user."""


def encode_ink(picture: NDArray[np.floating]) -> str:
    """Text of a picture `(140, 140)` in [0, 1], letters, digits, `-` and `_` only; a drawn digit takes about 1,000.

    Raises:
        InkError: the picture has another size.
    """
    if picture.shape != (SIZE, SIZE):
        raise InkError(f"Ink is a picture of {SIZE}×{SIZE}. Received: {'×'.join(map(str, picture.shape))}")
    values = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8).tobytes()
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    return base64.urlsafe_b64encode(packer.compress(values) + packer.flush()).rstrip(b"=").decode("ascii")


def decode_ink(text: str) -> NDArray[np.float32]:
    """The picture of a text: float32 `(140, 140)` in [0, 1].

    Raises:
        InkError: the text is not ink, damaged, or holds another number of pixels.
    """
    if len(text) > LONGEST or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise InkError(
            f"The drawing in the address is damaged: it is not base64url text of at most {LONGEST} characters."
        )
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        values = unpacker.decompress(packed, BYTES + 1)  # Bounded, whatever the text claims to unpack to.
    except (ValueError, zlib.error) as error:
        raise InkError(f"The drawing in the address is damaged and cannot be unpacked. Received: {error}") from error
    if len(values) != BYTES or not unpacker.eof or unpacker.unused_data:
        received = f"{len(values)} pixels" if len(values) <= BYTES else "more"
        raise InkError(f"The drawing in the address must hold exactly {SIZE}×{SIZE} pixels. Received: {received}")
    return (np.frombuffer(values, np.uint8).astype(np.float32) / np.float32(255)).reshape(SIZE, SIZE)
