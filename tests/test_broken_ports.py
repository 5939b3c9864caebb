"""A port of a network with one mistake in it: that it computes something else is found, and where it begins."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend, open_model
from layerscope.backends.exporting import export
from layerscope.cli import main
from layerscope.datasets.digits import load_digits
from layerscope.evaluation.parity import Parity, ParityError, parity

IMAGES = load_digits().floats(slice(0, 16))

Port = Callable[..., str]


@pytest.fixture
def port(pytorch: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Port:
    """Writes a bundled network as the PyTorch module of a user, with mistakes, and says how to open it."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(name: str, *mistakes: tuple[str, str], weights: str = "") -> str:
        _, code = export(name, tmp_path / "port.pt")
        source = code.read_text()
        for right, wrong in mistakes:
            assert re.search(right, source), f"{right} is not in the source, so nothing would be broken"
            source = re.sub(right, wrong, source)
        opening = f"""

def port():
    network = Network()
    weights = torch.load({str(tmp_path / "port.pt")!r}, weights_only=True)
    {weights or "pass"}
    network.load_state_dict(weights)
    return network.eval()
"""
        (tmp_path / "user_port.py").write_text(source + opening)
        importlib.invalidate_caches()
        monkeypatch.delitem(__import__("sys").modules, "user_port", raising=False)
        return "user_port:port"

    return made


def held_against(source: str, name: str) -> Parity:
    """A port against the bundled network in PyTorch."""
    return parity(open_model(name, "pytorch"), open_model(source), IMAGES)


def test_a_port_without_mistakes_passes_though_its_layers_have_other_names(port: Port) -> None:
    for name in ("cnn-batchnorm", "cnn"):
        found = held_against(port(name), name)
        assert found.passed, found.conclusion
        assert found.conclusion.startswith("PASS: ")
        assert (found.diverges, found.causes, found.disagreements) == (None, (), 0)
        assert {layer.verdict for layer in found.layers} <= {"same", "only here", "other order"}
        counterparts = {layer.name: layer.counterpart for layer in found.layers}
        assert counterparts["conv1_relu"] == "relu"


@pytest.mark.parametrize(
    ("name", "mistakes", "weights", "layer", "cause"),
    [
        pytest.param(
            "cnn-batchnorm", [("eps=0.001", "eps=1e-05")], "", "conv1_norm",
            r"Its epsilon is 0\.001 in one and 1e-05 in the other\.", id="epsilon of the batch normalisation",
        ),
        pytest.param(
            "cnn", [(r"self\.conv2\(functional\.pad\(dropout1, \(1, 2, 1, 2\)\)\)",
                     "self.conv2(functional.pad(dropout1, (2, 1, 2, 1)))")], "", "conv2",
            r"padding lies unevenly|padding is same in one and valid in the other", id="padding on the other side",
        ),
        pytest.param(
            "cnn-compact", [(r"\.permute\(0, 2, 3, 1\)\.flatten", ".flatten")], "", "dense1",
            r"channels last \(height, width, channel\), the other first", id="order of the flatten",
        ),
        pytest.param(
            "cnn-compact", [], "weights['conv2.weight'] = weights['conv2.weight'].transpose(2, 3)", "conv2",
            r"kernel is transposed: rows and columns", id="kernel transposed",
        ),
        pytest.param(
            "cnn-compact", [(r"torch\.relu\(conv3\)", "conv3")], "", "conv3_relu",
            "port has no such layer; what reads it gets the numbers from before it", id="activation left out",
        ),
    ],
)  # fmt: skip
def test_the_layer_of_a_mistake_is_named_and_what_the_mistake_may_be(
    port: Port, name: str, mistakes: list[tuple[str, str]], weights: str, layer: str, cause: str
) -> None:
    found = held_against(port(name, *mistakes, weights=weights), name)
    assert not found.passed
    assert found.diverges == layer
    assert found.conclusion.startswith(f"FAIL: {layer} is the first layer that differs.")
    assert re.search(cause, " ".join(found.causes))
    before = found.layers[: [each.name for each in found.layers].index(layer)]
    assert {each.verdict for each in before} <= {"same", "only here", "other order"}


def test_a_port_to_keras_with_another_epsilon_is_found_as_a_file_of_the_user_s(
    keras: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras as framework

    export("cnn-batchnorm", tmp_path / "right.keras")
    right = framework.models.load_model(tmp_path / "right.keras")

    def again(layer: Any) -> Any:
        spoiled = {"epsilon": 1e-5} if layer.name == "conv2_norm" else {}
        return type(layer).from_config({**layer.get_config(), **spoiled})

    wrong = framework.models.clone_model(right, clone_function=again)
    wrong.set_weights(right.get_weights())
    wrong.save(tmp_path / "wrong.keras")
    status = main(["parity", "cnn-batchnorm", "--against", str(tmp_path / "right.keras"), "--images", "20"])
    assert (status, "PASS" in capsys.readouterr().out) == (0, True)
    status = main(
        [
            "parity", "cnn-batchnorm", "--against", str(tmp_path / "wrong.keras"), "--images", "20",
            "--json", str(tmp_path / "told.json"),
        ]
    )  # fmt: skip
    said = capsys.readouterr().out
    assert status == 1
    assert "FAIL: conv2_norm is the first layer that differs. Its epsilon is 0.001 in one and 1e-05" in said
    assert re.search(r"conv2_norm +conv2_norm +batchnorm +\d\.\de-0\d +\d\.\de-0\d +✗ differs first", said)
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["passed"], told["diverges"], told["images"]) == (False, "conv2_norm", 20)
    assert len(told["layers"]) == 21


def test_the_command_compares_both_frameworks_and_takes_a_tolerance(
    keras: Backend, pytorch: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", "cnn-compact", "--backends", "pytorch,keras", "--images", "30"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("cnn-compact in pytorch against cnn-compact in keras, 30 test images, tolerance 0.0001")
    assert "Predictions that disagree: 0 of 30 images." in said
    assert main(["parity", "cnn-compact", "--images", "30", "--tolerance", "1e-12"]) == 1
    assert re.search(r"FAIL: \w+ is the first layer that differs\.", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no model 'nowhere'"),
        (["dense", "--against", "run:none", "--home", "nowhere"], "There is no run 'none'"),
        (["dense", "--against", "dense-84x96", "--backends", "pytorch,pytorch"],
         r"dense takes \(28, 28, 1\) and dense-84x96"),
        (["dense", "--backends", "keras"], "name two backends, such as keras,pytorch. Received: keras"),
        (["dense", "--backends", "keras,jax"], "There is no backend 'jax'"),
        (["dense", "--images", "none"], "a whole number above 0. Received: none"),
        (["dense", "--tolerance", "-1"], "a tolerance is a number above 0, such as 1e-4. Received: -1"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence_and_status_2(
    keras: Backend, pytorch: Backend, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["parity", *arguments])
    assert ended.value.code == 2
    assert re.search(said, capfd.readouterr().err)


def test_a_comparison_takes_images_of_both(pytorch: Backend) -> None:
    model = open_model("dense", "pytorch")
    with pytest.raises(ParityError, match="at least one image"):
        parity(model, model, IMAGES[:0])
    found = parity(model, model, IMAGES)
    assert all((layer.largest, layer.mean) == (0, 0) for layer in found.layers)


def test_slices_add_up_to_the_whole(pytorch: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (open_model(name, "pytorch") for name in ("cnn-compact", "cnn-compact"))
    kernel = {info.name: dict(two.weights(info.name)) for info in two.layers if info.weight_shapes}
    kernel["conv2"]["bias"] = kernel["conv2"]["bias"] + 0.1
    two = two.with_weights(kernel)
    whole = parity(one, two, IMAGES)
    for model in (one, two):
        monkeypatch.setattr(model, "at_once", 7)
    parts = parity(one, two, IMAGES)
    assert parts.diverges == whole.diverges == "conv2"
    for first, second in zip(parts.layers, whole.layers, strict=True):
        assert (first.largest, first.mean) == pytest.approx((second.largest, second.mean), rel=1e-4, abs=1e-9)
    apart = np.abs(one.trace(IMAGES, ["conv2"])["conv2"] - two.trace(IMAGES, ["conv2"])["conv2"])
    largest = max(np.abs(model.trace(IMAGES, ["conv2"])["conv2"]).max() for model in (one, two))
    conv2 = next(layer for layer in whole.layers if layer.name == "conv2")
    assert conv2.largest == pytest.approx(apart.max() / largest, rel=1e-5)
    assert conv2.mean == pytest.approx(apart.mean() / largest, rel=1e-4)
    answers = [model.probabilities(IMAGES).argmax(1) for model in (one, two)]
    assert whole.disagreements == (answers[0] != answers[1]).sum()
    assert list(whole.examples) == np.flatnonzero(answers[0] != answers[1]).tolist()[:20]
