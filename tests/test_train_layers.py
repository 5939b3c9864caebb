"""Editing a network's layers from the page: what is sent and what comes back, right or wrong."""

from typing import Any

import pytest
from layerscope.layouts.train.layers import EDITS, edited, layers_of, words_of
from layerscope.models.bundled import BUNDLED
from layerscope.models.editing import ADDABLE
from layerscope.training.config import RunError


def begun(network: str = "cnn-compact") -> dict[str, Any]:
    return layers_of({"network": network})


def after(told: dict[str, Any], action: str, **edit: Any) -> dict[str, Any]:
    return layers_of({"draft": told["draft"], "edit": {"action": action, **edit}})


def names(told: dict[str, Any]) -> list[str]:
    return [row["name"] for row in told["rows"]]


@pytest.mark.parametrize("network", BUNDLED)
def test_it_begins_with_the_bundled_layers_which_are_no_edit_yet(network: str) -> None:
    told = begun(network)
    infos = BUNDLED[network].infos
    assert [row["parameters"] for row in told["rows"]] == [info.parameters for info in infos]
    assert told["fault"] is None
    assert told["words"] == f"{len(infos)} layers, {BUNDLED[network].parameters:,} parameters"
    assert edited(told["draft"]) is None
    assert {kind["value"] for kind in told["kinds"]} == set(ADDABLE)


def test_shapes_and_parameters_follow() -> None:
    told = after(begun(), "change", place=1, field="filters", value=8)
    conv = told["rows"][1]
    assert (conv["shape"], conv["parameters"]) == ("26×26×8", 3 * 3 * 8 + 8)
    own = edited(told["draft"])
    assert own
    assert own.name == "cnn-compact-edited"
    assert words_of(own).startswith("14 layers, ")
    assert words_of(own).endswith(", 10 classes")


def test_layers_are_added_duplicated_moved_and_removed() -> None:
    told = begun("dense")
    assert names(told)[:2] == ["input", "flatten"]
    told = after(told, "add", kind="dropout", place=2)
    assert told["rows"][2]["kind"] == "dropout"
    assert [field["name"] for field in told["rows"][2]["fields"]] == ["rate"]
    told = after(told, "duplicate", place=2)
    assert len(told["rows"]) == len(BUNDLED["dense"].layers) + 2
    told = after(told, "move", place=3, to=4)
    assert told["rows"][4]["kind"] == "dropout"
    told = after(after(told, "remove", place=4), "remove", place=2)
    assert edited(told["draft"]) is None


def test_a_layer_gets_another_name_or_a_sentence_and_keeps_its_own() -> None:
    told = after(begun(), "rename", place=1, name="edges")
    assert (names(told)[1], told["refused"], told["fault"]) == ("edges", None, None)
    own = edited(told["draft"])
    assert own
    assert own.layers[1].name == "edges"
    assert own.layers[2].inputs == ("edges",)
    told = after(told, "rename", place=3, name="edges")
    assert names(told)[3] == names(begun())[3]
    assert told["refused"]["place"] == 3
    assert told["refused"]["words"] == "Another layer is called 'edges' already; each has a name of its own."
    assert after(told, "change", place=1, field="filters", value=8)["refused"] is None


@pytest.mark.parametrize("value", [[40, 40], "x", None, -1, [], 1e9])
def test_what_is_impossible_is_said_at_its_layer_and_mended(value: Any) -> None:
    told = after(begun(), "change", place=1, field="window", value=value)
    assert told["rows"][1]["error"].startswith("Layer 'conv1'")
    assert told["rows"][2]["error"] is None
    assert told["words"] == "14 layers, impossible as they are"
    with pytest.raises(RunError, match="Layer 'conv1'"):
        edited(told["draft"])
    assert after(told, "change", place=1, field="window", value=[3, 3])["fault"] is None


@pytest.mark.parametrize(
    "sent",
    [
        {"network": "alexnet"},
        {"network": None},
        {"draft": 3},
        {"draft": {"rows": []}},
        {"draft": begun()["draft"], "edit": {"action": "explode"}},
        {"draft": begun()["draft"], "edit": {"action": "remove"}},
        {"draft": begun()["draft"], "edit": {"action": "move", "place": "x", "to": 1}},
        {"draft": begun()["draft"], "edit": 7},
    ],
)
def test_nonsense_is_a_sentence(sent: dict[str, Any]) -> None:
    with pytest.raises(RunError):
        layers_of(sent)


def test_every_edit_is_one_of_the_page() -> None:
    assert set(EDITS) == {"change", "rename", "add", "duplicate", "remove", "move", "classes"}


def test_the_end_follows_the_classes_of_the_images() -> None:
    told = after(begun("cnn"), "classes", classes=["cat", "dog"])
    assert told["fault"] is None
    assert told["classes"] == "It tells 2 classes: cat, dog apart."
    assert [row["fields"][0]["value"] for row in told["rows"] if row["kind"] == "dense"][-1] == 2
    own = edited(told["draft"])
    assert own
    assert own.classes == ("cat", "dog")


def test_other_names_for_as_many_classes_are_an_edit() -> None:
    own = edited(after(begun("cnn"), "classes", classes=list("abcdefghij"))["draft"])
    assert own
    assert own.layers == BUNDLED["cnn"].layers
    assert own.classes == tuple("abcdefghij")


def test_a_mismatch_of_the_end_is_offered_to_be_mended() -> None:
    told = begun("dense")
    place = max(i for i, row in enumerate(told["rows"]) if row["kind"] == "dense")
    told = after(told, "change", place=place, field="units", value=12)
    assert told["fault"].endswith("one value for each of the 10 classes. Received: (12,)")
    (offer,) = told["offers"]
    assert (offer["words"], offer["label"]) == ("The end gives 12 values for 10 classes.", "Make it 10")
    assert layers_of({"draft": told["draft"], "edit": offer["edit"]})["fault"] is None


def test_the_classes_of_the_chosen_images_are_offered() -> None:
    assert layers_of({"network": "dense", "classes": list("0123456789")})["offers"] == []
    (offer,) = layers_of({"network": "dense", "classes": ["cat", "dog"]})["offers"]
    assert offer["label"] == "Give it these 2 classes"
    assert edited(layers_of({"network": "dense", "edit": offer["edit"]})["draft"]).classes == ("cat", "dog")  # type: ignore[union-attr]
