"""How far apart two networks lie, which layer is the first that differs, and what is said of the reason."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend, Model
from layerscope.backends.base import Capability
from layerscope.evaluation.causes import causes
from layerscope.evaluation.parity import ParityError, parity, parity_of
from layerscope.models.agreement import Compared, Gap, Tally, first_apart, gap
from layerscope.models.alignment import Pair, aligned, in_rows
from layerscope.models.architecture import Activation, Architecture, BatchNorm, Conv2D, Dense, Flatten, Input, Layer
from layerscope.models.layers import LayerInfo
from layerscope.models.weights import initial_weights

SAME, OTHER = Gap(1e-7, 1e-8), Gap(0.5, 0.1)


def layers(*kinds: str) -> list[LayerInfo]:
    return [
        LayerInfo(name=f"{kind}{place}", kind=kind, inputs=(), output_shape=(3,)) for place, kind in enumerate(kinds)
    ]


def test_a_gap_is_the_difference_over_the_largest_magnitude_of_either() -> None:
    one, two = np.array([1, -4], np.float32), np.array([1.5, -2], np.float32)
    assert gap(one, two) == gap(two, one) == Gap(0.5, 1.25 / 4)
    assert gap(one, one) == gap(0 * one, 0 * one) == gap(one[:0], one[:0]) == Gap(0, 0)
    assert np.isnan(gap(one, np.array([np.nan, -4], np.float32)).largest)
    assert np.isnan(gap(np.full(2, np.nan, np.float32), np.zeros(2, np.float32)).largest)
    unlimited = np.array([np.inf, 1], np.float32)
    assert np.isnan(gap(unlimited, unlimited).largest)


def test_slices_add_up_and_none_is_forgotten() -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 12, 5)).astype(np.float32)
    for order in (slice(None), slice(None, None, -1)):
        tally = Tally()
        for part in np.split(np.arange(12), [1, 8, 8])[order]:
            tally.add(one[part], two[part])
        assert tally.gap.largest == gap(one, two).largest
        assert tally.gap.mean == pytest.approx(np.abs(one - two).mean() / np.abs([one, two]).max())
    tally.add(np.array([np.nan]), np.zeros(1))
    tally.add(one, two)
    assert np.isnan(tally.gap.largest)


def test_what_a_port_does_by_other_layers_is_no_difference() -> None:
    pairs = aligned(layers("input", "dense", "scale", "dense"), layers("input", "dense", "dense"))
    merged = [Compared(pair, SAME if pair.second else None) for pair in pairs]
    assert first_apart(merged) is None
    broken = [*merged[:3], Compared(pairs[3], OTHER)]
    assert first_apart(broken) == merged[2]
    assert first_apart([Compared(pairs[0], SAME), Compared(pairs[1], Gap(np.nan, np.nan))]) is not None


def test_the_first_layer_that_is_missing_counts_if_nothing_after_it_agrees() -> None:
    pairs = aligned(layers("input", "scale", "norm", "dense"), layers("input", "dense"))
    first, scale, norm, _ = found = [Compared(pair, SAME if pair.second else None) for pair in pairs]
    assert first_apart(found) is None
    assert first_apart([*found[:3], Compared(pairs[3], OTHER)]) == scale
    assert first_apart([first, scale, norm]) == scale
    reshaped = Compared(Pair(pairs[3].first, replace(pairs[3].first, output_shape=(4,))))
    assert reshaped.shapes_differ
    assert first_apart([first, reshaped]) == reshaped


def test_what_changes_no_number_is_not_missed() -> None:
    [linear, relu] = (replace(layers("activation")[0], settings={"function": each}) for each in ("linear", "relu"))
    missing = [Compared(Pair(layer)) for layer in (*layers("input", "dropout", "flatten", "dense"), linear, relu)]
    assert [each.left_out for each in missing] == [False, False, False, True, False, True]
    assert first_apart(missing[:3]) is None
    flatten = layers("flatten")[0]
    reordered = Compared(Pair(flatten, flatten), OTHER)
    dense = Compared(Pair(*layers("dense", "dense")), SAME)
    assert first_apart([reordered, dense]) is None
    assert first_apart([reordered, replace(dense, gap=OTHER)]) == reordered
    assert first_apart([replace(dense, gap=OTHER), dense]) == replace(dense, gap=OTHER)
    assert not Compared(Pair(flatten, flatten), SAME).reordered()


def test_the_tolerance_itself_is_still_the_same() -> None:
    pair = Pair(*layers("dense", "dense"))
    assert [Compared(pair, Gap(size, 0)).agrees(0.5) for size in (0.5, 0.6, np.nan)] == [True, False, False]


def test_deep_networks_are_aligned_by_kind_however_often_it_comes() -> None:
    deep = layers(*["dense", "activation"] * 150)
    renamed = [replace(layer, name=f"other {layer.name}") for layer in deep]
    assert [pair.second for pair in aligned(deep, [*layers("scale"), *renamed])] == renamed


def test_names_count_before_kinds_and_a_name_of_another_kind_does_not() -> None:
    one, two = layers("dense", "dense")
    assert [pair.second for pair in aligned([one, two], [two])] == [None, two]
    assert aligned([one], [replace(layers("scale")[0], name=one.name)])[0].second is None


def test_rows_follow_the_first_network_and_lose_no_layer() -> None:
    one, two = layers("dense", "dense")
    other = [replace(layer, name=f"other {layer.name}") for layer in (one, two)]
    assert in_rows([[one, two], other, [two]]) == ((one, other[0], None), (two, other[1], two))
    assert in_rows([[one, two], [one]]) == ((one, one), (two, None))
    scale = replace(layers("scale")[0], name=one.name)
    assert in_rows([[one], [scale], [scale, one]]) == ((None, scale, scale), (one, None, one))


# Causes

SHAPE, PICTURE, UNITS = (4, 4, 3), (4, 4, 2), 4 * 4 * 2


def network(*more: Layer, classes: int = 2) -> Architecture:
    """A convolution with as many outputs as inputs, and a dense layer too, so that either may be exchanged."""
    start = Input(name="input", shape=SHAPE), Conv2D(name="conv", filters=3, window=(3, 3), padding="same")
    narrow = BatchNorm(name="norm"), Conv2D(name="narrow", filters=2, window=(3, 3), padding="same")
    middle = *narrow, Flatten(name="flatten"), Dense(name="dense", units=UNITS)
    end = Dense(name="logits", units=classes), Activation(name="softmax", function="softmax")
    names = tuple("abc"[:classes])
    return Architecture(name="right", title="Right", layers=(*start, *middle, *more, *end), classes=names)


WEIGHTS = initial_weights(network(), 3)
CHANNELS_FIRST = np.arange(UNITS).reshape(PICTURE).transpose(2, 0, 1).ravel()


@pytest.fixture(scope="module")
def right(pytorch: Backend) -> Model:
    return pytorch.build(network(), WEIGHTS)


def spoiled(layer: str, name: str, change: Callable[[Any], Any]) -> Mapping[str, Mapping[str, Any]]:
    return {**WEIGHTS, layer: {**WEIGHTS[layer], name: change(WEIGHTS[layer][name])}}


@pytest.mark.parametrize(
    ("layer", "name", "change", "said"),
    [
        ("conv", "kernel", lambda k: k.swapaxes(0, 1), "Its kernel is transposed: rows and columns are exchanged."),
        ("conv", "kernel", lambda k: k[::-1, ::-1], "Its kernel is turned by half a turn: one convolves, the other"),
        ("conv", "kernel", lambda k: k.swapaxes(2, 3), "Its kernel has inputs and outputs exchanged."),
        ("conv", "kernel", lambda k: k / 2, "Its kernel is another, by up to 0.5 of its largest value."),
        ("narrow", "kernel", lambda k: k / 2, "Its kernel is another, by up to 0.5 of its largest value."),
        ("dense", "kernel", lambda k: k.T, "Its kernel is transposed: inputs and outputs are exchanged."),
        ("dense", "kernel", lambda k: k[CHANNELS_FIRST], "Its kernel reads the flattened picture in another order"),
        ("dense", "kernel", lambda k: k[np.argsort(CHANNELS_FIRST)], "Its kernel reads the flattened picture in"),
        ("dense", "bias", lambda b: b + 1, "Its bias is another, by up to 1 of its largest value."),
        ("logits", "bias", lambda b: b, "Its weights and settings are the same, so the arithmetic itself differs."),
    ],
)
def test_what_was_done_to_weights_is_told(
    right: Model, layer: str, name: str, change: Callable[[Any], Any], said: str
) -> None:
    wrong = right.with_weights(spoiled(layer, name, change))
    found = causes(Pair(right.layer(layer), wrong.layer(layer)), right, wrong)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_shapes_settings_and_layers_between_are_told(right: Model) -> None:
    conv, norm, dense = (right.layer(name) for name in ("conv", "norm", "dense"))

    def said(first: LayerInfo, second: LayerInfo | None, *extra: LayerInfo) -> str:
        return " ".join(causes(Pair(first, second), right, right, extra))

    assert said(conv, None) == "right has no such layer; what reads it gets the numbers from before it."
    other = said(conv, dense)
    assert f"It gives 4×4×3 numbers in one and {UNITS} in the other." in other
    assert f"Its kernel has the shape (3, 3, 3, 3) in one and ({UNITS}, {UNITS}) in the other." in other
    assert all(f"Only one of them has a {name}." in said(conv, norm) for name in ("kernel", "bias", "gamma", "mean"))
    near = replace(norm, settings={**norm.settings, "epsilon": norm.settings["epsilon"] * (1 + 1e-8), "momentum": 0.5})
    assert said(norm, near).startswith("Its weights and settings are the same")
    far = replace(norm, settings={**norm.settings, "epsilon": 1e-5})
    assert said(norm, far) == "Its epsilon is 0.001 in one and 1e-05 in the other."
    listed = replace(conv, settings={**conv.settings, "window": [3, 3], "strides": [2, 2]})
    assert said(conv, listed) == "Its strides is (1, 1) in one and (2, 2) in the other."
    few, many = layers("scale", "norm"), layers(*["scale"] * 5)
    assert said(norm, norm, *few) == "Before it right has what right lacks: scale0, norm1."
    assert said(norm, norm, *many).endswith("scale0, scale1, scale2, scale3, and more.")
    even = replace(conv, settings={**conv.settings, "window": (4, 4)})
    assert "With an even window" in said(even, even)
    assert "With an even window" not in said(*[replace(even, settings={**even.settings, "padding": "valid"})] * 2)


def test_weights_that_cannot_be_read_are_not_said_to_be_the_same(right: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = right.with_weights(spoiled("dense", "bias", lambda bias: bias + 1))
    monkeypatch.setattr(wrong, "capabilities", wrong.capabilities - {Capability.WEIGHTS})
    dense, softmax = (Pair(right.layer(name), wrong.layer(name)) for name in ("dense", "softmax"))
    assert causes(dense, right, wrong) == ("Its settings are the same; whether its weights are cannot be seen.",)
    assert "the arithmetic itself differs" in causes(softmax, right, wrong)[0]


def test_networks_of_other_classes_are_compared_as_far_as_they_go(pytorch: Backend, right: Model) -> None:
    between = Activation(name="first", function="relu"), Activation(name="second", function="relu")
    other, same = network(*between, classes=3), {name: WEIGHTS[name] for name in ("conv", "norm", "narrow")}
    wrong = pytorch.build(other, {**initial_weights(other, 4), **same})
    found = parity(right, wrong, np.random.default_rng(0).random((4, *SHAPE), dtype=np.float32), 1e-5)
    assert (found.diverges, found.disagreements, found.examples) == ("dense", None, ())
    verdicts = {layer.name: layer.verdict for layer in found.layers}
    assert verdicts == {
        "input": "same", "conv": "same", "norm": "same", "narrow": "same", "flatten": "same",
        "dense": "differs first", "logits": "other shape", "softmax": "other shape",
    }  # fmt: skip
    assert found.only_second == ("first", "second")
    assert found.data["layers"][-1]["largest"] is None


def test_layers_that_only_the_port_has_are_named_in_their_order(pytorch: Backend, right: Model) -> None:
    longer = network(Activation(name="first", function="relu"), Activation(name="second", function="tanh"))
    wrong = pytorch.build(longer, WEIGHTS)
    images = np.random.default_rng(0).random((200, *SHAPE), dtype=np.float32)
    found = parity(right, wrong, images)
    assert (found.passed, found.diverges) == (False, "logits")
    assert found.causes == ("Before it right has what right lacks: first, second.",)
    assert [layer.verdict for layer in found.layers[-2:]] == ["differs first", "differs"]
    back = {layer.name: layer.verdict for layer in parity(wrong, right, images).layers}
    assert (back["first"], back["second"], back["logits"]) == ("missing", "only here", "differs")
    answers = (model.probabilities(images).argmax(1) for model in (right, wrong))
    apart = np.flatnonzero(np.not_equal(*answers)).tolist()
    assert found.disagreements == len(apart) > 20
    assert list(found.examples) == apart[:20]


def test_no_more_images_are_passed_at_once_than_both_networks_take(
    right: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, sizes = right.with_weights(spoiled("logits", "kernel", np.negative)), []
    images = np.random.default_rng(0).random((12, *SHAPE), dtype=np.float32)
    whole, real = parity(right, wrong, images), wrong.trace

    def counted(part: Any) -> Any:
        sizes.append(len(part))
        return real(part)

    monkeypatch.setattr(wrong, "trace", counted)
    for model, size in ((right, 7), (wrong, 5)):
        monkeypatch.setattr(model, "at_once", size)
    parts = parity(right, wrong, images)
    assert sizes == [5, 5, 2]
    assert parts.examples == whole.examples != ()


def test_what_passes_names_the_layer_that_is_most_apart(right: Model) -> None:
    images = np.random.default_rng(0).random((8, *SHAPE), dtype=np.float32)
    near = right.with_weights(spoiled("dense", "kernel", lambda kernel: kernel * (1 + 1e-5)))
    found = parity(right, near, images)
    most = max(found.layers, key=lambda layer: layer.largest or 0)
    assert most.name != "input"
    assert found.conclusion.endswith(f"most apart is {most.name}, by {most.largest:.1e}.")
    nothing = replace(found, layers=found.layers[:1])
    assert (nothing.passed, nothing.conclusion) == (False, "FAIL: no layer beyond the input can be compared.")
    with pytest.raises(ParityError, match=r"a tolerance above 0\. Received: 8 images, tolerance 0"):
        parity(right, near, images, 0)


def test_a_flatten_in_another_order_that_is_read_in_that_order_passes(right: Model) -> None:
    trace = right.trace(np.random.default_rng(0).random((8, *SHAPE), dtype=np.float32))
    other = {**trace, "flatten": trace["flatten"][:, CHANNELS_FIRST]}
    found = parity_of(right, right, [(trace, other)])
    assert found.passed
    assert {layer.name: layer.verdict for layer in found.layers}["flatten"] == "other order"


def test_numbers_that_are_none_are_words_in_json(right: Model) -> None:
    wrong = right.with_weights(spoiled("dense", "kernel", lambda kernel: kernel * np.nan))
    found = parity(right, wrong, np.ones((2, *SHAPE), np.float32)).data
    assert (found["diverges"], found["layers"][5]["largest"]) == ("dense", "nan")
