"""The training form: what it offers, what recipes fill in, and the runs it asks for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from layerscope.layouts.services import Services
from layerscope.layouts.train.form import (
    begins,
    config_of,
    defaults,
    sources,
    values_of,
    with_epochs,
)
from layerscope.layouts.train.layers import layers_of
from layerscope.layouts.train.presets import RECIPES, filled, preset_of
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.training.config import RunConfig, RunError, check
from layerscope.training.folder import Status
from layerscope.training.recipes import FAST
from layerscope.training.runs import RunStore


@pytest.fixture
def services(data_dir: Path) -> Services:
    return Services(model="cnn-compact", backend="pytorch", data=data_dir)


def test_the_form_as_it_comes_asks_for_a_run_that_can_begin(services: Services, data_dir: Path) -> None:
    config = config_of(defaults(services), services)
    check(config)
    assert config.recipe == replace(FAST["cnn-compact"], validation=0.1)
    assert (config.model, config.backend, config.start) == ("cnn-compact", "pytorch", "")
    assert (config.data.source, config.data.share) == ("mnist", 1.0)
    assert Path(config.data.folder) == data_dir.absolute()


@pytest.mark.parametrize("preset", RECIPES)
@pytest.mark.parametrize("network", BUNDLED)
def test_a_preset_asks_for_exactly_its_recipe(network: str, preset: str, services: Services) -> None:
    fields = filled(RECIPES[preset][network])
    assert preset_of(network, fields) == preset
    values = {**defaults(services), "network": network, **fields}
    recipe = config_of(values, services).recipe
    wanted = RECIPES[preset][network]
    assert recipe == replace(wanted, validation=wanted.validation or 0.1, seed=0)


def test_a_changed_recipe_is_no_preset() -> None:
    fields = filled(FAST["cnn"])
    assert preset_of("cnn", {**fields, "epochs": fields["epochs"] + 1}) == ""
    assert preset_of("cnn", {**fields, "augmentation": False}) == ""
    assert preset_of("no such network", fields) == ""


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("epochs", "", "The number of epochs is missing."),
        ("epochs", 1.5, "The number of epochs is a whole number. Received: 1.5"),
        ("epochs", "many", "The number of epochs is a number. Received: 'many'"),
        ("epochs", 0, "A training takes at least 1 epoch. Received: 0"),
        ("rate", None, "The learning rate is missing."),
        ("rate", -1, "A learning rate is a number above 0. Received: -1"),
        ("share", 0, "The share of the data is above 0 and at most 1. Received: 0"),
        ("share", True, "The share of the data is a number. Received: True"),
        ("validation", 100, "A validation split is from 0 to below 1. Received: 1"),
        ("batch", 0, "A batch has at least 1 image. Received: 0"),
        ("beta2", 1, "Adam's β₂ is from 0 to below 1. Received: 1"),
        ("seed", -3, "A seed is a whole number from 0. Received: -3"),
        ("backend", "theano", "There is no backend 'theano'"),
        ("network", "alexnet", "There is no bundled network 'alexnet'"),
        ("optimiser", "luck", "There is no optimiser 'luck'"),
    ],
)
def test_what_cannot_be_is_one_sentence(field: str, value: Any, sentence: str, services: Services) -> None:
    with pytest.raises(RunError) as error:
        check(config_of({**defaults(services), field: value}, services))
    assert str(error.value).startswith(sentence)


def test_an_empty_batch_is_all_images_at_once(services: Services) -> None:
    assert config_of({**defaults(services), "batch": ""}, services).recipe.batch is None


def test_a_run_begins_from_chance_from_bundled_weights_or_from_an_earlier_run_of_its_network(tmp_path: Path) -> None:
    store = RunStore(tmp_path)

    def made(title: str, network: str, state: str, step: int) -> str:
        id = store.create(RunConfig(model=network, backend="pytorch", recipe=FAST["cnn"], title=title))
        with store.folder(id).held():
            store.folder(id).write_status(Status(state=state, step=step, steps=9))
        return id

    mine = made("Mine", "cnn", "done", 9)
    for network, state, step in (("dense", "done", 9), ("cnn", "queued", 0), ("cnn", "failed", 0)):
        made("Other", network, state, step)
    wanted = [("fresh", "Fresh weights"), ("cnn", "The bundled weights"), (f"run:{mine}", "Run: Mine")]
    wanted += [("file", "A weights file…")]
    assert [(option["value"], option["label"]) for option in begins("cnn", "", store)] == wanted
    assert len(begins("dense", "cnn", store)) == 5
    assert len(begins("cnn-compact", "", None)) == 3


def test_data_that_is_missing_is_offered_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERSCOPE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    offered = {option["value"]: option for option in sources(tmp_path)}
    assert offered["mnist"]["disabled"]
    assert offered["mnist"]["label"] == "MNIST (not found)"
    assert not offered["digits"]["disabled"]
    assert defaults(Services(model="cnn", data=tmp_path))["source"] == "digits"


def test_images_of_ones_own_are_a_path_on_the_server(services: Services, tmp_path: Path) -> None:
    values = {**defaults(services), "source": "own"}
    with pytest.raises(RunError, match=r"^The path of your own images is missing"):
        config_of(values, services)
    with pytest.raises(RunError, match=r"Received: /no/such/folder$"):
        config_of({**values, "path": "/no/such/folder"}, services)
    data = config_of({**values, "path": f' "{tmp_path}" ', "skip": True}, services).data
    assert (data.source, data.skip_unreadable) == (str(tmp_path), True)


def test_epochs_to_add_come_as_text() -> None:
    assert with_epochs("5") == 5
    with pytest.raises(RunError, match="The number of epochs is missing"):
        with_epochs(None)


def test_the_settings_of_a_run_fill_the_form_that_asks_for_the_same(services: Services, tmp_path: Path) -> None:
    draft = layers_of({"network": "cnn", "edit": {"action": "classes", "classes": ["a", "b"]}})["draft"]
    for changed in (
        {"network": "dense", "source": "digits", "share": 12.5, "begin": "dense", "title": "Mine", "seed": 3},
        {"network": "cnn", "architecture": draft, "source": "own", "path": str(tmp_path), "skip": True},
        {"network": "dense", "begin": "file", "weights": str(weights_path("dense"))},
        {"rate": "1e-4", "batch": "", "weight-decay": "0,01", "validation": 0, "augmentation": False},
    ):
        config = config_of({**defaults(services), **changed}, services)
        assert config_of(values_of(config), services) == config
    assert values_of(config)["rate"] == "0.0001"


@pytest.mark.parametrize("text", ["1e-4", " 0.0001 ", "0,0001", 0.0001])
def test_a_rate_is_taken_as_it_is_written(text: Any, services: Services) -> None:
    assert config_of({**defaults(services), "rate": text}, services).recipe.learning_rate == 1e-4
    fields = {**filled(FAST["cnn"]), "rate": "2e-3"}
    assert preset_of("cnn", fields) == "fast"


def test_a_weights_file_to_begin_with_must_be_one(services: Services, tmp_path: Path) -> None:
    values = {**defaults(services), "begin": "file"}
    with pytest.raises(RunError, match=r"^The weights file is missing"):
        config_of(values, services)
    with pytest.raises(RunError, match=r"Received: /no/such/file$"):
        config_of({**values, "weights": "/no/such/file"}, services)
    (tmp_path / "mine.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"^A training can begin with a \.safetensors file of Layerscope only"):
        config_of({**values, "weights": str(tmp_path / "mine.safetensors")}, services)
    assert config_of({**values, "weights": str(weights_path("cnn"))}, services).start == str(weights_path("cnn"))
