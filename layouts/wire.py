"""How answers travel: one frame of bytes, plain data as JSON and every array as it lies in memory.

A frame is four bytes (the length of the JSON, little-endian), the JSON in UTF-8, blanks up to a multiple of eight, and
the arrays one after the other, each from a multiple of eight. In the JSON an array stands as Plotly's typed array,
`{"dtype", "shape", "bdata"}`, whose `bdata` is `[from, bytes]`, counted from the end of the blanks. The browser makes
it a buffer again (`assets/wire.js`), which Plotly and our painter read without decoding a text first.
"""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

STEP = 8
"""Bytes that every array begins at a multiple of, as the browser's typed arrays ask."""
TYPES = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"}
"""What Plotly calls typed arrays of these is their NumPy letter and size."""


def packed(data: Any) -> bytes:
    """Plain data with NumPy arrays anywhere in it, as one frame."""
    blocks: list[bytes] = []
    length = 0

    def plain(value: Any) -> Any:
        nonlocal length
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise TypeError  # orjson says what it received
        array = _small(value)
        if str(array.dtype) not in TYPES or not array.size or not 0 < array.ndim < 3:
            return array.tolist()
        block = array.tobytes()
        spec = {"dtype": array.dtype.str[1:], "shape": ",".join(map(str, array.shape)), "bdata": [length, len(block)]}
        blocks.append(block + bytes(-len(block) % STEP))
        length += len(blocks[-1])
        return spec

    text = orjson.dumps(data, default=plain, option=orjson.OPT_NON_STR_KEYS)
    blanks = b" " * (-(4 + len(text)) % STEP)
    return b"".join([len(text).to_bytes(4, "little"), text, blanks, *blocks])


def unpacked(frame: bytes) -> Any:
    """What was packed; arrays as NumPy again. For programs and tests that ask the server as the page does."""
    length = int.from_bytes(frame[:4], "little")
    begin = 4 + length + -(4 + length) % STEP

    def restored(value: Any) -> Any:
        if isinstance(value, list):
            return [restored(each) for each in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("bdata"), list):
            start, size = value["bdata"]
            flat = np.frombuffer(frame, value["dtype"], size // np.dtype(value["dtype"]).itemsize, begin + start)
            return flat.reshape([int(side) for side in value["shape"].split(",")])
        return {key: restored(each) for key, each in value.items()}

    return restored(orjson.loads(frame[4 : 4 + length]))


def _small(array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers of eight bytes, which browsers do not have, in four where they fit."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or not array.size:
        return array
    limits = np.iinfo(np.int32)
    return array.astype(np.int32) if limits.min <= array.min() and array.max() <= limits.max else array
