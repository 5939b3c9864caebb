"""Weights on disk: they come back unchanged, and every fault a file can have is one clear sentence."""

from pathlib import Path

import numpy as np
import pytest
from layerscope.models import weights as module
from layerscope.models.architecture import (
    Activation,
    Architecture,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    Input,
)
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import (
    WeightsError,
    initial_weights,
    load_weights,
    read_architecture,
    read_metadata,
    save_weights,
)
from safetensors.numpy import save_file


def network(units: int = 3, initialiser: str = "glorot_uniform") -> Architecture:
    return Architecture(
        name="tiny",
        title="Tiny",
        layers=(
            Input(name="image", shape=(6, 5, 2)),
            Conv2D(name="conv", filters=4, window=(2, 3), initialiser=initialiser),
            BatchNorm(name="norm"),
            Flatten(name="flatten"),
            Dense(name="hidden", units=units),
            Dense(name="logits", units=10),
            Activation(name="softmax", function="softmax"),
        ),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_weights(path, network(), initial_weights(network(), seed=3), {"recipe": "none", "epochs": "0"})
    return path


def test_weights_come_back_bit_for_bit_with_architecture_and_metadata(saved: Path) -> None:
    expected = initial_weights(network(), seed=3)
    loaded = load_weights(saved, network())
    assert list(loaded) == ["conv", "norm", "hidden", "logits"]
    for layer, named in expected.items():
        assert list(loaded[layer]) == list(named)
        for name, array in named.items():
            np.testing.assert_array_equal(loaded[layer][name], array)
            assert loaded[layer][name].dtype == np.float32
    assert read_architecture(saved) == network()
    assert read_metadata(saved) == {"recipe": "none", "epochs": "0"}


def test_arrays_in_any_memory_order_and_precision_are_stored_as_what_they_hold(tmp_path: Path) -> None:
    weights = initial_weights(network(), seed=3)
    strange = {
        layer: {name: np.asfortranarray(array.astype(np.float64)) for name, array in named.items()}
        for layer, named in weights.items()
    }
    save_weights(tmp_path / "w.safetensors", network(), strange)
    np.testing.assert_array_equal(
        load_weights(tmp_path / "w.safetensors", network())["conv"]["kernel"], weights["conv"]["kernel"]
    )


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    for read in (lambda path: load_weights(path, network()), read_architecture, read_metadata):
        with pytest.raises(WeightsError, match=r"There is no weights file absent\.safetensors") as caught:
            read(tmp_path / "absent.safetensors")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file_is_one_sentence(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    for read in (lambda path: load_weights(path, network()), read_architecture, read_metadata):
        with pytest.raises(WeightsError, match=r"tiny\.safetensors is not a whole safetensors file") as caught:
            read(saved)
        assert "\n" not in str(caught.value)


def test_flipped_bytes_are_noticed_wherever_they_are(saved: Path) -> None:
    whole = saved.read_bytes()
    for position in np.linspace(0, len(whole) - 1, 60).astype(int):
        damaged = bytearray(whole)
        damaged[position] ^= 0x41
        saved.write_bytes(damaged)
        try:
            loaded = load_weights(saved, network())
        except WeightsError:
            continue
        # Only the story beside the weights may differ then, never a number.
        np.testing.assert_array_equal(
            loaded["hidden"]["kernel"], initial_weights(network(), seed=3)["hidden"]["kernel"]
        )
        assert position < 8 + int.from_bytes(whole[:8], "little")


def test_a_changed_weight_is_noticed(saved: Path) -> None:
    damaged = bytearray(saved.read_bytes())
    damaged[-3] ^= 1
    saved.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"tiny\.safetensors is damaged"):
        load_weights(saved, network())


def test_weights_that_are_not_numbers_are_refused_without_a_checksum_too(tmp_path: Path) -> None:
    tensors = {f"{layer}/{name}": a for layer, named in initial_weights(network()).items() for name, a in named.items()}
    tensors["norm/mean"] = np.full(4, np.nan, np.float32)
    save_file(tensors, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match=r"foreign\.safetensors is damaged"):
        load_weights(tmp_path / "foreign.safetensors", network())


def test_weights_of_another_architecture_name_the_first_layer_and_both_shapes(saved: Path) -> None:
    with pytest.raises(WeightsError, match="at layer 'hidden' the kernel should have shape") as caught:
        load_weights(saved, network(units=7))
    assert "(60, 7)" in str(caught.value)
    assert "Received: shape (60, 3)" in str(caught.value)


def test_weights_of_another_network_altogether(saved: Path) -> None:
    with pytest.raises(WeightsError, match=r"at layer 'dense1' the kernel .* Received: no such weight"):
        load_weights(saved, BUNDLED["dense"])


def test_a_surplus_weight_is_named(saved: Path, tmp_path: Path) -> None:
    weights = dict(initial_weights(network()))
    weights["extra"] = {"kernel": np.zeros((2, 2), np.float32)}
    with pytest.raises(WeightsError, match="at layer 'extra' the kernel should have no such weight"):
        save_weights(saved, network(), weights)
    assert read_metadata(saved)["recipe"] == "none"


def test_a_file_without_architecture_says_so(tmp_path: Path) -> None:
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "plain.safetensors")
    with pytest.raises(WeightsError, match=r"plain\.safetensors does not say which network"):
        read_architecture(tmp_path / "plain.safetensors")
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "odd.safetensors", {"architecture": "{}"})
    with pytest.raises(WeightsError, match=r"odd\.safetensors keeps an architecture that cannot be read"):
        read_architecture(tmp_path / "odd.safetensors")


def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(module.Path, "replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        save_weights(saved, network(), initial_weights(network(), seed=9))
    monkeypatch.undo()
    assert [path.name for path in saved.parent.iterdir()] == ["tiny.safetensors"]
    assert load_weights(saved, network())["conv"]["kernel"].any()
    assert read_metadata(saved) == {"recipe": "none", "epochs": "0"}


def test_initial_weights_follow_the_description_and_the_seed() -> None:
    network_ = BUNDLED["cnn-batchnorm"]
    weights = initial_weights(network_, seed=1)
    assert sum(a.size for named in weights.values() for a in named.values()) == network_.parameters
    kernel = weights["conv2"]["kernel"]
    limit = np.sqrt(6 / (9 * 32 + 9 * 64))
    assert 0.98 * limit < np.abs(kernel).max() <= limit
    assert not weights["conv2"]["bias"].any()
    assert (weights["conv2_norm"]["gamma"] == 1).all()
    assert (weights["conv2_norm"]["variance"] == 1).all()
    assert not weights["conv2_norm"]["mean"].any()
    np.testing.assert_array_equal(kernel, initial_weights(network_, seed=1)["conv2"]["kernel"])
    assert (kernel != initial_weights(network_, seed=2)["conv2"]["kernel"]).any()


def test_he_normal_has_the_variance_of_its_inputs() -> None:
    drawn = [initial_weights(network(initialiser="he_normal"), seed)["conv"]["kernel"] for seed in range(200)]
    assert np.std(drawn) == pytest.approx(np.sqrt(2 / (2 * 3 * 2)), rel=0.05)
