"""Editing a network layer by layer: every edit, every fault, and any sequence of them."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layerscope.backends import Backend
from layerscope.backends.base import Capability
from layerscope.models.architecture import KINDS, Activation, Architecture, ArchitectureError
from layerscope.models.bundled import BUNDLED
from layerscope.models.drafts import (
    MOST_ROWS,
    Draft,
    architecture_of,
    data_of,
    described,
    draft_from,
    draft_of,
)
from layerscope.models.editing import (
    ADDABLE,
    added,
    changed,
    duplicated,
    moved,
    name_fault,
    removed,
    renamed,
    with_classes,
    with_input_shape,
)
from layerscope.models.fields import FIELDS


@pytest.fixture
def draft() -> Draft:
    """`input conv1 conv1_relu pool1 conv2 … flatten dense1 dense1_relu logits softmax`"""
    return draft_of(BUNDLED["cnn-two-block"])


def place_of(draft: Draft, name: str) -> int:
    return [row.name for row in draft.rows].index(name)


def names(draft: Draft) -> list[str]:
    return [row.name for row in draft.rows]


def faults(draft: Draft) -> list[str]:
    return [each.error for each in described(draft) if each.error]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_network_becomes_rows_and_the_same_network_again(name: str) -> None:
    network = BUNDLED[name]
    draft = draft_of(network)
    assert architecture_of(draft) == network
    assert [(each.output_shape, each.parameters) for each in described(draft)] == [
        (info.output_shape, info.parameters) for info in network.infos
    ]
    assert architecture_of(draft_from(json.loads(json.dumps(data_of(draft))))) == network


def test_a_network_with_branches_keeps_them(reference: ModuleType) -> None:
    network = reference.NETWORKS["branches"]
    draft = draft_of(network)
    assert architecture_of(draft) == network
    assert draft.rows[place_of(draft, "right")].inputs == ("image",)
    assert draft.rows[place_of(draft, "left")].inputs == ()
    other = renamed(draft, place_of(draft, "left"), "west")
    assert architecture_of(other).layers[3].inputs == ("west", "right")
    assert architecture_of(removed(other, place_of(other, "tanh"))).layers[4].inputs == ("add", "west", "image")


def test_every_field_of_every_kind_has_bounds_and_help(draft: Draft) -> None:
    for kind in ADDABLE:
        row = added(draft, kind, 1).rows[1]
        assert {field.name for field in row.fields} == set(row.settings)
        assert all(field.allows(row.settings[field.name]) for field in row.fields)
    assert set(KINDS) - set(ADDABLE) == {"input", "add", "concatenate"}
    assert all(field.help.endswith(".") and field.title for field in FIELDS.values())
    for function in FIELDS["function"].options:
        Activation(name="a", function=function)  # type: ignore[arg-type]


def test_added_layers_get_names_of_their_own(draft: Draft) -> None:
    draft = added(added(added(draft, "conv2d", 1), "conv2d", 1), "batchnorm", 2)
    assert names(draft)[:4] == ["input", "conv4", "norm1", "conv3"]
    assert architecture_of(draft).layers[1].settings["window"] == (3, 3)


@pytest.mark.parametrize("kind", ADDABLE)
def test_every_kind_can_be_added_somewhere(draft: Draft, kind: str) -> None:
    place = place_of(draft, "flatten") if kind in {"conv2d", "maxpool2d"} else place_of(draft, "dense1")
    place = place_of(draft, "flatten") if kind in {"averagepool2d", "globalaveragepool2d"} else place
    assert not faults(added(draft, kind, place))


def test_a_copy_follows_its_layer(draft: Draft) -> None:
    draft = duplicated(draft, place_of(draft, "dense1"))
    assert names(draft)[7:11] == ["flatten", "dense1", "dense2", "dense1_relu"]
    assert architecture_of(draft).layers[9].settings == architecture_of(draft).layers[8].settings


def test_removing_and_moving(draft: Draft) -> None:
    without = removed(draft, place_of(draft, "pool1"))
    assert names(without) == [name for name in names(draft) if name != "pool1"]
    assert described(without)[3].output_shape == (24, 24, 64)
    later = moved(draft, place_of(draft, "pool1"), 1)
    assert names(later)[:3] == ["input", "pool1", "conv1"]
    assert described(later)[1].output_shape == (14, 14, 1)
    assert names(moved(later, 1, 3)) == names(draft)


def test_shapes_and_parameters_follow_what_is_typed(draft: Draft) -> None:
    draft = changed(draft, 1, "filters", 5)
    assert described(draft)[1].output_shape == (26, 26, 5)
    assert described(draft)[1].parameters == 3 * 3 * 5 + 5
    draft = changed(draft, 1, "window", [5, 4])
    assert described(draft)[1].output_shape == (24, 25, 5)
    draft = changed(draft, 1, "padding", "same")
    draft = changed(draft, 1, "strides", [2, 3])
    assert described(draft)[1].output_shape == (14, 10, 5)
    assert not faults(draft)


def test_other_images_and_classes(draft: Draft) -> None:
    draft = with_input_shape(draft, [32, 40, 3])
    assert described(draft)[1].output_shape == (30, 38, 32)
    draft = with_classes(draft, ["cat", "dog", "owl"])
    network = architecture_of(draft)
    assert (network.input_shape, network.classes, network.infos[-1].output_shape) == (
        (32, 40, 3),
        ("cat", "dog", "owl"),
        (3,),
    )


@pytest.mark.parametrize("name", ["", " ", "2nd", "_x", "a b", "a/b", "a.b", "conv\n", "x" * 61, "<b>"])
def test_a_name_that_others_could_not_read_is_refused_in_a_sentence(draft: Draft, name: str) -> None:
    assert (name_fault(draft, 4, name) or "").startswith("A layer's name is a letter and up to 59 letters, digits,")
    assert renamed(draft, 4, name) == draft


def test_a_layer_is_renamed_unless_another_one_is_called_so(draft: Draft) -> None:
    assert names(renamed(draft, 4, "Zweite-Faltung_2"))[4] == "Zweite-Faltung_2"
    assert renamed(draft, 4, names(draft)[4]) == draft
    assert name_fault(draft, 4, "pool1") == "Another layer is called 'pool1' already; each has a name of its own."
    assert renamed(draft, 4, "pool1") == draft


Fault = tuple[Callable[[Draft], Draft], str, str]

FAULTS: list[Fault] = [
    (lambda draft: changed(draft, 1, "filters", 0), "conv1", "filters a whole number from 1 to 65,536. Received: 0"),
    (lambda draft: changed(draft, 1, "filters", None), "conv1", "filters .* Received: None"),
    (lambda draft: changed(draft, 1, "filters", True), "conv1", "filters .* Received: True"),
    (lambda draft: changed(draft, 1, "window", [3]), "conv1", r"window two whole numbers .* Received: \(3,\)"),
    (lambda draft: changed(draft, 1, "padding", "most"), "conv1", "padding one of same, valid. Received: 'most'"),
    (lambda draft: changed(draft, 1, "window", (30, 3)), "conv1", "a window of 30×3 over an input of only 28×28"),
    (lambda draft: with_input_shape(draft, (4, 4, 1)), "pool1|conv2", "over an input of only"),
    (lambda draft: with_input_shape(draft, (0, 4, 1)), "input", "shape three whole numbers"),
    (lambda draft: removed(draft, 7), "dense1", "needs a flat input; put a flatten before it"),
    (lambda draft: added(draft, "conv2d", 8), "conv3", "needs an input with height, width and channels"),
    (lambda draft: changed(draft, 8, "units", 65_000), "dense1", "is too large: at most 100,000,000 parameters"),
    (lambda draft: with_input_shape(draft, (1024, 1024, 1)), "conv1|flatten|dense1", "is too large"),
    (lambda draft: changed(draft, 10, "units", 9), "softmax", r"each of the 10 classes. Received: \(9,\)"),
    (lambda draft: removed(draft, 11), "logits", "the last must be an activation with softmax"),
    (lambda draft: changed(draft, 11, "function", "relu"), "softmax", "the last must be an activation with softmax"),
    (lambda draft: with_classes(draft, ["one"]), "softmax", "two classes or more to tell apart. Received: 1"),
]


@pytest.mark.parametrize(("edit", "layer", "message"), FAULTS)
def test_an_impossible_network_names_the_layer_and_the_rest_is_still_described(
    draft: Draft, edit: Callable[[Draft], Draft], layer: str, message: str
) -> None:
    wrong = edit(draft)
    rows = described(wrong)
    places = [place for place, each in enumerate(rows) if each.error]
    assert len(places) == 1
    assert wrong.rows[places[0]].name in layer.split("|")
    assert all(each.output_shape and each.parameters is not None for each in rows[: places[0]])
    assert all(each.output_shape is None and each.parameters is None for each in rows[places[0] + 1 :])
    with pytest.raises(ArchitectureError, match=rf"^Layer '({layer})'.*{message}"):
        architecture_of(wrong)


def test_what_reads_nothing_impossible_is_described_all_the_same(reference: ModuleType) -> None:
    draft = draft_of(reference.NETWORKS["branches"])
    rows = described(changed(draft, place_of(draft, "left"), "filters", -1))
    assert rows[place_of(draft, "right")].output_shape == (6, 6, 4)
    assert rows[place_of(draft, "add")].output_shape is None
    later = moved(draft, place_of(draft, "right"), place_of(draft, "add"))
    assert faults(later)[0] == "Layer 'add' reads 'right', which is not among the layers before it."
    uneven = changed(draft, place_of(draft, "right"), "filters", 5)
    assert faults(uneven)[0].startswith("Layer 'add' adds inputs of one shape.")


def test_edits_that_name_nothing_change_nothing(draft: Draft) -> None:
    last = len(draft.rows)
    for edit in (
        added(draft, "lstm", 1), added(draft, "input", 1), added(draft, "dense", 0), added(draft, "dense", last + 1),
        removed(draft, 0), removed(draft, last), removed(draft, -1), moved(draft, 0, 3), moved(draft, 3, 0),
        duplicated(draft, 0), changed(draft, 1, "units", 3), changed(draft, last, "units", 3),
        changed(draft, 1, "name", "x"), renamed(draft, last, "x"),
    ):  # fmt: skip
        assert edit == draft
    for _ in range(2 * MOST_ROWS):
        draft = duplicated(added(draft, "dropout", 1), 1)
    assert len(draft.rows) == MOST_ROWS


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("rows"),
        lambda data: data.update(rows=[]),
        lambda data: data.update(rows=3),
        lambda data: data.update(classes=None),
        lambda data: data["rows"].pop(0),
        lambda data: data["rows"].append(data["rows"][1]),
        lambda data: data["rows"][1].update(kind="lstm"),
        lambda data: data["rows"][1].update(kind=["conv2d"]),
        lambda data: data["rows"][1].update(settings=[1]),
        lambda data: data["rows"][1]["settings"].update(name="x"),
        lambda data: data["rows"].extend({**data["rows"][1], "name": str(n)} for n in range(MOST_ROWS)),
    ],
)
def test_data_that_is_no_draft_is_refused(draft: Draft, change: Callable[[dict[str, Any]], Any]) -> None:
    data = json.loads(json.dumps(data_of(draft)))
    change(data)
    with pytest.raises(ArchitectureError, match=r"draft"):
        draft_from(data)


def test_a_row_with_the_settings_of_another_kind_is_a_fault_of_that_row(draft: Draft) -> None:
    data = data_of(draft)
    data["rows"][1]["settings"] = {"units": 3}
    data["rows"][-1]["settings"] = {}
    assert faults(draft_from(data)) == faults(draft_from(json.loads(json.dumps(data))))
    assert faults(draft_from(data))[0].startswith("Layer 'conv1' has other settings than conv2d has")


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(-1, 5), max_size=3),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
)
SENSIBLE = st.one_of(
    st.integers(1, 20), st.floats(0, 0.9), st.lists(st.integers(1, 4), min_size=2, max_size=2),
    st.sampled_from(("same", "valid", "relu", "softmax", "tanh", "he_normal")),
)  # fmt: skip
PLACES = st.integers(-1, 14)
KINDS_AND_MORE = st.sampled_from((*KINDS, "lstm"))
EDITS = st.one_of(
    st.tuples(st.just(added), KINDS_AND_MORE, PLACES),
    st.tuples(st.just(removed), PLACES),
    st.tuples(st.just(duplicated), PLACES),
    st.tuples(st.just(moved), PLACES, PLACES),
    st.tuples(st.just(changed), PLACES, st.sampled_from((*FIELDS, "name")), st.one_of(SENSIBLE, ANYTHING)),
    st.tuples(st.just(renamed), PLACES, st.one_of(st.text(max_size=8), st.sampled_from(("conv1", "input", "add")))),
    st.tuples(st.just(with_input_shape), st.lists(st.integers(-1, 40), max_size=4)),
    st.tuples(st.just(with_classes), st.lists(st.text(max_size=2), max_size=4)),
)


@pytest.fixture(scope="module")
def starts(reference: ModuleType) -> list[Draft]:
    return [*map(draft_of, BUNDLED.values()), *map(draft_of, reference.NETWORKS.values())]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 10), edits=st.lists(EDITS, max_size=15))
def test_any_sequence_of_edits_gives_a_network_or_a_fault_that_names_a_layer(
    starts: list[Draft], start: int, edits: list[tuple[Any, ...]]
) -> None:
    draft = starts[start]
    for edit, *arguments in edits:
        draft = edit(draft, *arguments)
    rows = described(draft)
    assert len(rows) == len(draft.rows)
    assert len(draft.names) == len(draft.rows)
    assert draft.rows[0].kind == "input"
    wrong = [(row.name, each.error) for row, each in zip(draft.rows, rows, strict=True) if each.error]
    if wrong:
        assert all(repr(name) in error for name, error in wrong)
        with pytest.raises(ArchitectureError) as caught:
            architecture_of(draft)
        assert str(caught.value) == wrong[0][1]
        return
    network = architecture_of(draft)
    assert [info.output_shape for info in network.infos] == [each.output_shape for each in rows]
    assert [info.parameters for info in network.infos] == [each.parameters for each in rows]
    assert Architecture.from_json(network.to_json()) == network
    assert architecture_of(draft_of(network)) == network


def _edited(*edits: tuple[Any, ...]) -> Architecture:
    draft = with_input_shape(draft_of(BUNDLED["cnn-batchnorm"]), (12, 10, 2))
    for edit, *arguments in edits:
        draft = edit(draft, *arguments)
    return architecture_of(draft)


VALID = [
    _edited(),
    _edited((changed, 1, "filters", 3), (changed, 1, "window", [4, 2]), (changed, 1, "strides", [2, 1])),
    _edited(
        (added, "averagepool2d", 1), (changed, 1, "padding", "same"), (added, "conv2d", 2), (renamed, 2, "Größe-2")
    ),
    _edited((moved, 4, 1), (duplicated, 5), (duplicated, 5), (with_classes, ["a", "b"])),
    _edited((removed, 12), (added, "globalaveragepool2d", 12), (added, "dropout", 13), (added, "batchnorm", 14)),
]


@pytest.mark.parametrize("network", VALID, ids=range(len(VALID)))
def test_what_is_valid_is_built_and_can_be_trained(backend: Backend, network: Architecture) -> None:
    model = backend.build(network, seed=1)
    images = np.random.default_rng(0).random((2, *network.input_shape), dtype=np.float32)
    trace = model.trace(images)
    assert {name: values.shape[1:] for name, values in trace.items()} == {
        info.name: info.output_shape for info in network.infos
    }
    np.testing.assert_allclose(model.probabilities(images).sum(1), 1, atol=1e-5)
    assert Capability.FIT in model.capabilities
