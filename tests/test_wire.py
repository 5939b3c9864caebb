"""Answers survive the way to the page as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from layerscope.layouts.wire import STEP, packed, unpacked

TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


@given(
    st.lists(
        st.sampled_from(TYPES).flatmap(
            lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=2, max_side=7))
        ),
        max_size=5,
    ),
    st.text(max_size=20),
)
def test_arrays_and_text_come_back_as_they_were(given_arrays: list[Any], text: str) -> None:
    data = {"text": text, "deep": [{"values": array} for array in given_arrays], "none": None, "number": 1.5}
    found = unpacked(packed(data))
    assert (found["text"], found["none"], found["number"]) == (text, None, 1.5)
    for one, array in zip(found["deep"], given_arrays, strict=True):
        assert one["values"].dtype == array.dtype
        np.testing.assert_array_equal(one["values"], array)


def test_every_array_begins_where_a_browser_can_read_it() -> None:
    frame = packed({"a": np.arange(3, dtype=np.uint8), "b": np.array([1.5, np.nan]), "c": "ü"})
    length = int.from_bytes(frame[:4], "little")
    begin = 4 + length + -(4 + length) % STEP
    assert begin % STEP == 0
    assert orjson.loads(frame[4 : 4 + length]) == {
        "a": {"dtype": "u1", "shape": "3", "bdata": [0, 3]},
        "b": {"dtype": "f8", "shape": "2", "bdata": [STEP, 2 * STEP]},
        "c": "ü",
    }
    assert frame[begin : begin + STEP] == bytes([0, 1, 2, 0, 0, 0, 0, 0])
    assert np.frombuffer(frame, np.float64, 1, begin + STEP) == 1.5


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([1, 2]), np.array([1, 2], np.int32)),
        (np.array([2**40]), [2**40]),
        (np.array([-(2**40)]), [-(2**40)]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([True, False]), [True, False]),
        (np.zeros((0, 3), np.float32), []),
        (np.zeros(0, np.int64), []),
        (np.array(0.5), 0.5),
        (np.ones((1, 1, 2), np.float32), [[[1.0, 1.0]]]),
        (np.float32(0.5), 0.5),
        (np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])),
    ],
    ids=[
        "whole numbers",
        "too large",
        "too small",
        "text",
        "truth",
        "empty",
        "no numbers",
        "no axes",
        "three axes",
        "scalar",
        "order",
    ],
)
def test_what_browsers_have_no_arrays_for_comes_as_lists(array: Any, expected: Any) -> None:
    found = unpacked(packed({"x": array}))["x"]
    np.testing.assert_array_equal(found, expected)
    assert isinstance(found, np.ndarray) == isinstance(expected, np.ndarray)


def test_numbers_may_be_names_as_in_json() -> None:
    assert unpacked(packed({1: "one"})) == {"1": "one"}


def test_what_is_no_plain_data_is_an_error() -> None:
    with pytest.raises(TypeError, match="object"):
        packed({"x": object()})
