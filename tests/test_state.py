"""The address as typed values: whatever it says, the page gets something it can show, and every fault in words."""

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layerscope.layouts.pictures import Source
from layerscope.layouts.state import NOTHING_BESIDE, STEPS, Address, Beside, Known, Panel, Selected, parse_address

LAYERS = {"cnn": ["input", "conv1", "softmax"], "dense": ["input", "dense1"]}
KNOWN = Known(
    model="cnn",
    models=list(LAYERS),
    backend="pytorch",
    backends=["keras", "pytorch"],
    visualizers=["filters", "feature_maps"],
    layers=LAYERS.__getitem__,
    runs=["2026-11-25-a"],
)


def parsed(**given: str) -> Address:
    return parse_address("#" + "&".join(f"{key}={quote(value)}" for key, value in given.items()), KNOWN)


@pytest.mark.parametrize("fragment", ["", "#", "#&&", "#unheard=of"])
def test_an_address_that_asks_for_nothing_gives_the_defaults(fragment: str) -> None:
    assert parse_address(fragment, KNOWN) == Address(model="cnn", backend="pytorch")


def test_everything_an_address_can_say() -> None:
    panels = [{"visualizer": "filters", "layer": "conv1", "settings": {"columns": 4}}, {"visualizer": "feature_maps"}]
    address = parsed(
        model="dense", backend="keras", off="crop,centre", ink="abc", label="7", layer="dense1", unit="3",
        panels=json.dumps(panels),
    )  # fmt: skip
    assert address == Address(
        model="dense",
        backend="keras",
        off=("crop", "centre"),
        ink="abc",
        label=7,
        selected=Selected("dense1", 3),
        panels=(Panel("p0", "filters", "conv1", {"columns": 4}), Panel("p1", "feature_maps")),
    )
    assert parsed(sample="5.12").sample == (5, 12)


def test_a_selection_and_muted_units_in_an_address() -> None:
    edits = json.dumps([["conv1", 3, 0], ["features.0", 1, 0.5]])
    address = parsed(layer="conv1", unit="3", position="4.11", target="7", edits=edits)
    assert address.selected == Selected("conv1", 3, (4, 11), 7)
    assert address.edits == (("conv1", 3, 0.0), ("features.0", 1, 0.5))
    assert not address.notices
    assert Selected.of(address.selected.data) == address.selected
    assert Selected.of(None) == Selected()


def test_what_stands_beside_in_an_address() -> None:
    address = parsed(backend="keras", second="7.12", second_model="dense", second_backend="pytorch", run="2026-11-25-a")
    assert address.beside == Beside(Source(sample=(7, 12)), "dense", "pytorch", "2026-11-25-a")
    assert not address.notices
    assert parsed(second="digits.12").beside == Beside(Source(image="digits.12"))
    assert parsed(image="mnist-train.12").image == "mnist-train.12"
    assert parsed(second="eJx_-w").beside == Beside(Source(ink="eJx_-w"))
    assert parsed(backend="keras", second_model="cnn").beside == Beside(model="cnn", backend="keras")
    assert parsed(second_backend="keras", second="").beside == NOTHING_BESIDE


@pytest.mark.parametrize(
    "beside", [NOTHING_BESIDE, Beside(Source("ink"), "cnn", "keras", "r"), Beside(Source(sample=(1, 2)))]
)
def test_what_stands_beside_is_stored_whole(beside: Beside) -> None:
    assert Beside.of(json.loads(json.dumps(beside.data))) == beside
    assert Beside.of(None) == NOTHING_BESIDE


def test_without_any_training_an_address_of_one_says_that_there_are_none() -> None:
    notices = parse_address("#run=a", replace(KNOWN, runs=[])).notices
    assert notices == ("The address names an unknown training run, 'a'; there are none.",)


@pytest.mark.parametrize(
    "edits", ["x", "{}", "[1]", '[["a", "b", 1]]', '[["a", 1, "x"]]', '[["a", 1, NaN]]', "[[1, 1, 1]]"]
)
def test_muted_units_that_cannot_be_read_are_left_out(edits: str) -> None:
    assert parsed(edits=edits).edits == ()
    if edits != "{}":
        assert "muted units in a way that cannot be read" in parsed(edits=edits).notices[0]


@pytest.mark.parametrize("position", ["3", "3.x", "3.4.5", "-1.2"])
def test_a_position_that_is_none_is_said(position: str) -> None:
    address = parsed(layer="conv1", position=position)
    assert address.selected.position is None
    assert "row.column, such as 3.4" in address.notices[0]


def test_without_panels_is_not_the_default_panels() -> None:
    assert parsed().panels is None
    assert parsed(panels="[]").panels == ()


def test_steps_that_do_not_exist_are_no_steps() -> None:
    assert parsed(off="crop,frame,").off == ("crop",)
    assert parsed(off=",".join(STEPS)).off == STEPS


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"model": "resnet"}, "an unknown model, 'resnet'; there are cnn, dense. Showing cnn."),
        ({"backend": "jax"}, "an unknown backend, 'jax'; there are keras, pytorch. Showing pytorch."),
        ({"layer": "conv9"}, "an unknown layer, 'conv9'; cnn has input, conv1, softmax."),
        ({"model": "dense", "layer": "conv1"}, "an unknown layer, 'conv1'; dense has input, dense1."),
        ({"panels": '[{"visualizer": "magic"}]'}, "an unknown panel, 'magic'; there are filters, feature_maps."),
        ({"image": "five"}, "data.index, such as mnist-test.123. Received: 'five'"),
        ({"sample": "five"}, "digit.index, such as 5.12. Received: 'five'"),
        ({"sample": "5"}, "digit.index"),
        ({"sample": "5."}, "digit.index"),
        ({"sample": "-1.2"}, "digit.index"),
        ({"sample": "².1"}, "digit.index"),
        ({"sample": "5.99999999999999"}, "digit.index"),
        ({"second": "5."}, "a second image as digit.index, such as 5.12. Received: '5.'"),
        ({"second_model": "resnet"}, "an unknown second model, 'resnet'; there are cnn, dense."),
        ({"second_model": "cnn", "second_backend": "jax"}, "an unknown second backend, 'jax'; there are keras,"),
        ({"run": "b"}, "an unknown training run, 'b'; there are 2026-11-25-a."),
        ({"label": "x"}, "a label that is not a whole number: 'x'"),
        ({"label": "-1"}, "a label that is not a whole number"),
        ({"layer": "conv1", "unit": "1.5"}, "a unit that is not a whole number: '1.5'"),
        ({"layer": "conv1", "unit": "٣"}, "a unit that is not a whole number"),
        ({"layer": "conv1", "unit": "1" * 5000}, "a unit that is not a whole number"),
    ],
    ids=str,
)
def test_each_unknown_thing_is_left_out_and_named_once(given: dict[str, str], word: str) -> None:
    address = parsed(**given)
    assert len(address.notices) == 1
    assert word in address.notices[0]
    assert address.model in LAYERS
    assert address.selected.layer in {None, *LAYERS[address.model]}
    assert all(panel.visualizer in KNOWN.visualizers for panel in address.panels or ())


PANELS_THAT_ARE_NONE = [
    "[[",
    "5",
    '"filters"',
    "null",
    "{}",
    '{"visualizer": "filters"}',
    "[5]",
    '["filters"]',
    '[{"layer": "conv1"}]',
    '[{"visualizer": "filters", "settings": 5}]',
    '[{"visualizer": "filters", "settings": "columns"}]',
    '[{"visualizer": "filters", "layer": {"name": "conv1"}}]',
    '[{"visualizer": "filters", "layer": 5}]',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", PANELS_THAT_ARE_NONE, ids=lambda text: text[:40])
def test_panels_that_cannot_be_read_leave_the_default_ones(text: str) -> None:
    address = parsed(panels=text)
    assert address.panels is None
    assert address.notices == (
        "The address describes its panels in a way that cannot be read; showing the default ones.",
    )


def test_one_unknown_panel_leaves_the_others() -> None:
    address = parsed(panels=json.dumps([{"visualizer": "magic"}, {"visualizer": "filters"}]))
    assert [panel.visualizer for panel in address.panels or ()] == ["filters"]


def test_every_fault_of_an_address_is_said() -> None:
    assert len(parsed(model="x", backend="x", layer="x", label="x", sample="x", panels="x").notices) == 6


def test_a_unit_without_a_layer_selects_nothing() -> None:
    assert parsed(unit="3").selected == Selected(None, None)


@pytest.mark.parametrize("layer", [None, "conv1"])
def test_a_panel_is_stored_whole(layer: str | None) -> None:
    panel = Panel("p0", "filters", layer, {"columns": 4, "shared_scale": False})
    assert Panel.of(json.loads(json.dumps(panel.data))) == panel


KEYS = st.sampled_from(
    ["model", "backend", "off", "ink", "sample", "label", "layer", "unit", "panels", "other", "second", "second_model",
     "second_backend", "run"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["visualizer", "layer", "settings", "id"]), inner),
)
VALUES = st.text() | JSON.map(json.dumps) | st.sampled_from(["cnn", "filters", "5.1", "3", "conv1"])


@given(st.lists(st.tuples(KEYS, VALUES)))
def test_no_address_is_refused(pairs: list[tuple[str, str]]) -> None:
    address = parse_address("#" + "&".join(f"{key}={quote(value)}" for key, value in pairs), KNOWN)
    assert address.model in LAYERS
    assert address.backend in KNOWN.backends


@given(st.text())
def test_no_text_is_refused(fragment: str) -> None:
    parse_address(fragment, KNOWN)
