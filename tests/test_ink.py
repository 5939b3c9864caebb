"""Ink as text, there and back, and text that is no ink."""

import base64
import re
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layerscope.drawing.ink import InkError, decode_ink, encode_ink
from layerscope.drawing.strokes import render_strokes


def text_of(content: bytes, wbits: int = -15) -> str:
    packer = zlib.compressobj(9, wbits=wbits)
    return base64.urlsafe_b64encode(packer.compress(content) + packer.flush()).rstrip(b"=").decode()


def test_drawn_ink_comes_back_exactly_and_is_short() -> None:
    picture = render_strokes([np.array([[0.2, 0.1], [0.8, 0.1], [0.4, 0.9]]), np.array([[0.3, 0.5], [0.7, 0.5]])])
    text = encode_ink(picture)
    assert re.fullmatch("[A-Za-z0-9_-]{100,1500}", text)
    decoded = decode_ink(text)
    np.testing.assert_array_equal(decoded, picture)
    assert decoded.dtype == np.float32


@settings(max_examples=30)
@given(arrays(np.uint8, (140, 140), elements=st.integers(0, 255)))
def test_any_grey_values_come_back_exactly(values: np.ndarray) -> None:
    picture = values.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(decode_ink(encode_ink(picture)), picture)


def test_ink_that_cannot_be_compressed_still_fits() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (140, 140)).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(decode_ink(encode_ink(picture)), picture)


def test_the_text_is_plain_raw_deflate() -> None:
    """What `CompressionStream("deflate-raw")` in a browser makes is read as well."""
    np.testing.assert_array_equal(decode_ink(text_of(bytes(19600))), np.zeros((140, 140)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not base64url text"),
        ("abc+/def", "is not base64url text"),
        ("päper", "is not base64url text"),
        ("A" * 30_001, "is not base64url text of at most 30000 characters"),
        ("A", "cannot be unpacked"),
        ("_____w", "cannot be unpacked"),
        (text_of(bytes(19600), wbits=15), "cannot be unpacked|exactly"),
        (text_of(bytes(19599)), "exactly 140×140 pixels. Received: 19599 pixels"),
        (text_of(bytes(19601)), "exactly 140×140 pixels. Received: more"),
        (text_of(bytes(20_000_000)), "Received: more"),
        (text_of(bytes(range(256)) * 77)[:-20], "exactly 140×140"),
        (text_of(bytes(19600)) + "AAAA", "exactly 140×140"),
    ],
    ids=lambda value: value[:20],
)
def test_text_that_is_no_ink_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(InkError, match=words) as caught:
        decode_ink(text)
    assert str(caught.value).startswith("The drawing in the address")
    assert "\n" not in str(caught.value)


@settings(max_examples=200)
@given(st.text(max_size=60) | st.text("ABCabc019_-", max_size=60))
def test_no_text_does_anything_but_decode_or_be_refused(text: str) -> None:
    with pytest.raises(InkError):
        decode_ink(text)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(InkError, match=r"140×140.* Received: 28×28"):
        encode_ink(np.zeros((28, 28)))
