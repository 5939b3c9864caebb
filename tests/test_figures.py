"""The shared parts of figures: mosaics, bars, colour scales, and the way from a click back to a unit."""

import base64
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layerscope.visualizers.colours import scale_of
from layerscope.visualizers.figures import arrange, bars, columns_for, mosaic
from layerscope.visualizers.selection import Selected, selection_of


def decoded(spec: dict[str, str]) -> np.ndarray:
    """The array in a base64 typed array."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=spec["dtype"])
    return flat.reshape([int(size) for size in spec["shape"].split(",")]) if "shape" in spec else flat


def tiles_of(units: int, height: int, width: int) -> np.ndarray:
    """Tiles in which no two numbers are the same."""
    return np.arange(units * height * width, dtype=np.float32).reshape(units, height, width)


@given(
    units=st.integers(1, 40),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    columns=st.integers(0, 12),
    gap=st.integers(0, 2),
)
def test_every_pixel_leads_back_to_its_unit_and_position(
    units: int, height: int, width: int, columns: int, gap: int
) -> None:
    tiles = tiles_of(units, height, width)
    drawn = mosaic(tiles, layer="conv", columns=columns, gap=gap).to_dict()
    picture, found = decoded(drawn["data"][0]["z"]), set()
    for (y, x), value in np.ndenumerate(picture):
        selected = selection_of({"x": x, "y": y, "z": float(value)}, drawn["layout"]["meta"])
        assert (selected is None) == bool(np.isnan(value))
        if selected is not None and selected.unit is not None and selected.position is not None:
            assert selected.layer == "conv"
            assert tiles[(selected.unit, *selected.position)] == value
            found.add(value)
    assert len(found) == tiles.size


def test_a_click_on_a_point_follows_its_customdata() -> None:
    assert selection_of({"customdata": ["conv1", 3]}, {}) == Selected("conv1", 3)
    assert selection_of({"customdata": ["conv1"]}, {}) == Selected("conv1")
    assert selection_of({"customdata": {"layer": "conv1", "unit": 3}}, {}) == Selected("conv1", 3)
    assert selection_of({"customdata": {"layer": "conv1"}}, {}) == Selected("conv1")


def test_a_click_on_a_bar_means_its_unit() -> None:
    meta = bars(np.ones(5, np.float32), layer="dense1").to_dict()["layout"]["meta"]
    assert selection_of({"pointNumber": 4, "x": 4, "y": 1.0}, meta) == Selected("dense1", 4)


NOWHERE: list[dict[str, Any]] = [
    {},
    {"x": -1, "y": 0},
    {"x": 0.5, "y": 0},
    {"x": "a", "y": "b"},
    {"x": 10**9, "y": 0},
    {"x": True, "y": 0},
    {"x": None},
    {"x": float("nan"), "y": 0},
    {"x": float("inf"), "y": 0},
]


@pytest.mark.parametrize("point", NOWHERE)
def test_a_click_on_nothing_selects_nothing(point: dict[str, Any]) -> None:
    meta = mosaic(tiles_of(4, 3, 3), layer="conv").to_dict()["layout"]["meta"]
    assert selection_of(point, meta) is None
    assert selection_of(point, {}) is None
    assert selection_of(point, {"bars": {"layer": "dense1"}}) is None


def test_tiles_stand_in_rows_with_nothing_between() -> None:
    tiles = tiles_of(3, 2, 2)
    nothing = np.nan
    expected = [
        [0, 1, nothing, 4, 5],
        [2, 3, nothing, 6, 7],
        [nothing] * 5,
        [8, 9, nothing, nothing, nothing],
        [10, 11, nothing, nothing, nothing],
    ]
    np.testing.assert_array_equal(arrange(tiles, 2, 1), np.array(expected, np.float32))


def test_numbers_stay_float32_and_leave_as_base64() -> None:
    drawn = mosaic(tiles_of(6, 3, 3), layer="conv").to_dict()
    assert drawn["data"][0]["z"]["dtype"] == "f4"
    assert bars(np.ones(9, np.float32), layer="dense").to_dict()["data"][0]["y"]["dtype"] == "f4"


def test_a_figure_carries_no_template_no_text_colour_and_no_background() -> None:
    drawn = mosaic(tiles_of(6, 3, 3), layer="conv").to_dict()
    assert drawn["layout"]["template"] == {}
    assert "color" not in drawn["layout"]["font"]
    assert drawn["layout"]["paper_bgcolor"] == drawn["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert "width" not in drawn["layout"]
    assert len(json.dumps(drawn)) < 3000


def test_values_with_signs_are_centred_on_zero() -> None:
    trace = mosaic(np.array([[[-1.0, 3.0]]], np.float32), layer="conv").to_dict()["data"][0]
    assert (trace["zmin"], trace["zmax"]) == (-3.0, 3.0)
    assert [colour for place, colour in trace["colorscale"] if place == 0.5] == ["#dddddd"]


def test_values_without_signs_begin_at_zero() -> None:
    trace = mosaic(np.array([[[2.0, 3.0]]], np.float32), layer="conv").to_dict()["data"][0]
    assert (trace["zmin"], trace["zmax"], trace["colorscale"]) == (0.0, 3.0, "Viridis")


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, np.nan]])
def test_a_layer_of_nothing_shows_a_sensible_range(values: list[float]) -> None:
    scale = scale_of(np.array(values, np.float32))
    assert (scale.low, scale.high) == (0.0, 1.0)
    go.Figure(mosaic(np.array([[values]], np.float32), layer="conv", shared_scale=False).to_dict())
    assert bars(np.array(values, np.float32), layer="dense").to_dict()["layout"]["yaxis"]["range"] == [0.0, 1.05]


def test_infinite_values_do_not_hide_the_others() -> None:
    scale = scale_of(np.array([np.inf, 2.0, -np.inf, -1.0, np.nan], np.float32))
    assert (scale.low, scale.high) == (-2.0, 2.0)


def test_the_legend_names_the_range_and_the_quantity() -> None:
    drawn = mosaic(np.array([[[-0.25, 0.125]]], np.float32), layer="conv", quantity="weight", note="first 1 of 2 units")
    layout = drawn.to_dict()["layout"]
    text = layout["xaxis"]["title"]["text"]
    assert text.startswith("−0.25 ")
    assert text.endswith(" 0.25 weight<br>first 1 of 2 units")
    legend = layout["meta"]["legend"]
    assert (legend["low"], legend["high"], legend["words"]) == ("−0.25", "0.25", "weight · first 1 of 2 units")


def test_with_a_scale_for_each_tile_the_real_numbers_can_be_restored() -> None:
    tiles = np.stack([tiles_of(1, 2, 2)[0], np.zeros((2, 2), np.float32), -5 * tiles_of(1, 2, 2)[0]])
    drawn = mosaic(tiles, layer="conv", shared_scale=False, columns=3).to_dict()
    tile, picture = drawn["layout"]["meta"]["tiles"], decoded(drawn["data"][0]["z"])
    assert np.nanmax(np.abs(picture)) == 1.0
    for unit, scale in enumerate(tile["scales"]):
        np.testing.assert_allclose(picture[:, 3 * unit : 3 * unit + 2] * scale, tiles[unit], rtol=1e-6)


def test_the_ring_goes_around_the_selected_tile() -> None:
    shapes = mosaic(tiles_of(6, 3, 3), layer="conv", columns=3, unit=4).to_dict()["layout"]["shapes"]
    assert {(shape["x0"], shape["x1"], shape["y0"], shape["y1"]) for shape in shapes} == {(3.5, 6.5, 3.5, 6.5)}
    assert mosaic(tiles_of(6, 3, 3), layer="conv", unit=6).to_dict()["layout"]["shapes"] == []
    assert bars(np.ones(3, np.float32), layer="dense", highlight=1).to_dict()["layout"]["shapes"][0]["x0"] == 0.5


def test_size_and_zoom_do_not_depend_on_the_numbers() -> None:
    one, other = (
        mosaic(values, layer="conv").to_dict()["layout"] for values in (tiles_of(6, 3, 3), -tiles_of(6, 3, 3))
    )
    assert (one["height"], one["uirevision"]) == (other["height"], other["uirevision"])
    wider = mosaic(tiles_of(6, 3, 3), layer="conv", columns=6).to_dict()["layout"]
    assert wider["uirevision"] != one["uirevision"]


@pytest.mark.parametrize(("units", "size"), [(1, 28), (32, 26), (64, 11), (128, 7), (512, 28), (7, 3)])
def test_tiles_fill_a_panel(units: int, size: int) -> None:
    columns = columns_for(units, size, size)
    rows = -(-units // columns)
    assert rows * columns - units <= max(1, units // 8)
    assert 160 <= mosaic(np.zeros((units, size, size), np.float32), layer="conv").to_dict()["layout"]["height"] <= 420
    if units > 7:
        assert 1 <= columns / rows <= 2.5


def test_bars_carry_names_where_they_have_them() -> None:
    drawn = bars(np.array([1.0, -2.0], np.float32), layer="dense", labels=["cat", "dog"]).to_dict()
    assert drawn["layout"]["xaxis"]["ticktext"] == ["cat", "dog"]
    low, high = drawn["layout"]["yaxis"]["range"]
    assert low < -2 < 1 < high
    np.testing.assert_array_equal(decoded(drawn["data"][0]["y"]), [1.0, -2.0])
