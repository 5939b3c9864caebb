"""Time travel without a browser: snapshots opened beside one another, their moments in words, and their answers."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient
from layerscope.backends import ModelPool, open_model, opening
from layerscope.backends.base import Array, Backend, BackendError, Capability, Edit, Model
from layerscope.drawing.ink import encode_ink
from layerscope.drawing.pipeline import prepare
from layerscope.layouts.moments import moment, network_of, time_line
from layerscope.layouts.routes import register_routes
from layerscope.layouts.services import Services
from layerscope.layouts.state import Known, parse_address
from layerscope.training.folder import RunFolder, Status
from layerscope.training.runs import RunStore

INK = np.ones((140, 140), np.float32)
INK[30:110, 60:75] = 0
IMAGE: Array = prepare(INK, (28, 28, 1)).image[None]
ORDER = ["epoch-000", "epoch-000_step-000001", "epoch-000_step-000002", "epoch-000_step-000004", "epoch-001"]
ORDER += ["epoch-002", "epoch-003"]


@pytest.fixture(scope="module")
def services(trained: Any) -> Services:
    return Services(model="cnn-compact", backend="pytorch", home=trained.home)


@pytest.fixture
def client(services: Services) -> FlaskClient:
    app = Dash("layerscope")
    app.layout = []
    register_routes(app, services)
    return app.server.test_client()


@pytest.fixture
def own(trained: Any, tmp_path: Path) -> RunFolder:
    """A copy of the training that a test may change."""
    path = tmp_path / "home" / "runs" / trained.id
    shutil.copytree(trained.home / "runs" / trained.id, path)
    return RunFolder(path)


@pytest.fixture
def pool(own: RunFolder) -> ModelPool:
    return ModelPool(located=RunStore(own.path.parents[1]).weights_path)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were opened the long way."""
    found: list[str] = []
    real = opening.open_model

    def counted(source: str, *rest: Any) -> Model:
        found.append(Path(source).stem)
        return real(source, *rest)

    monkeypatch.setattr(opening, "open_model", counted)
    return found


# Opened models


def test_every_snapshot_answers_as_if_opened_alone_and_one_network_is_built_for_all(
    pool: ModelPool, own: RunFolder, backend: Backend, built: list[str]
) -> None:
    opened = {each.name: pool.open(f"run:{own.id}@{each.name}", backend.name) for each in own.snapshots()}
    assert list(opened) == ORDER
    assert built == ORDER[:1]
    assert len({model.version for model in opened.values()}) == len(ORDER)
    for name in (ORDER[0], ORDER[-1]):
        alone = open_model(str(own.snapshots_folder / f"{name}.safetensors"), backend.name)
        assert opened[name].version == alone.version
        np.testing.assert_array_equal(opened[name].probabilities(IMAGE), alone.probabilities(IMAGE))
    assert pool.open(f"run:{own.id}", backend.name) is opened[ORDER[-1]]
    assert pool.open(f"run:{own.id}@{ORDER[2]}", backend.name) is opened[ORDER[2]]
    assert pool.stage(f"run:{own.id}@{ORDER[2]}", backend.name) is None


def test_only_so_many_snapshots_are_kept(
    own: RunFolder, pytorch: Backend, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SNAPSHOTS", 3)
    pool = ModelPool(located=RunStore(own.path.parents[1]).weights_path)
    first, *others = [f"run:{own.id}@{name}" for name in ORDER[:4]]
    kept = pool.open(first, "pytorch")
    for source in others[:2]:
        pool.open(source, "pytorch")
    assert pool.open(first, "pytorch") is kept
    for source in others:
        pool.open(source, "pytorch")
    assert pool.open(first, "pytorch") is not kept
    assert built == ORDER[:1]


def test_snapshots_larger_than_all_that_is_kept_are_opened_nevertheless(
    own: RunFolder, pytorch: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SNAPSHOT_BYTES", 1000)
    pool = ModelPool(located=RunStore(own.path.parents[1]).weights_path)
    assert pool.open(f"run:{own.id}", "pytorch").version == pool.open(f"run:{own.id}", "pytorch").version


def test_a_model_that_takes_no_other_weights_is_opened_anew_each_time(
    pool: ModelPool, own: RunFolder, pytorch: Backend, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = opening.open_model

    def unable(*given: Any) -> Model:
        model = real(*given)
        model.capabilities -= {Capability.OTHER_WEIGHTS}
        return model

    monkeypatch.setattr(opening, "open_model", unable)
    opened = [pool.open(f"run:{own.id}@{name}", "pytorch") for name in ORDER[:2]]
    assert set(built) == set(ORDER[:2])
    alone = real(str(own.snapshots_folder / f"{ORDER[1]}.safetensors"), "pytorch")
    np.testing.assert_array_equal(opened[1].probabilities(IMAGE), alone.probabilities(IMAGE))


def test_a_damaged_or_missing_snapshot_is_one_sentence_and_the_others_open(
    pool: ModelPool, own: RunFolder, pytorch: Backend
) -> None:
    file = own.snapshots_folder / "epoch-001.safetensors"
    whole = bytearray(file.read_bytes())
    whole[-100] ^= 255
    file.write_bytes(whole)
    for _ in range(2):
        with pytest.raises(BackendError, match=r"^epoch-001.safetensors is damaged: its numbers are not those once"):
            pool.open(f"run:{own.id}@epoch-001", "pytorch")
    assert pool.open(f"run:{own.id}@epoch-002", "pytorch").classes
    with pytest.raises(BackendError, match=r"epoch-001\.safetensors is damaged"):  # now as a sibling
        pool.open(f"run:{own.id}@epoch-001", "pytorch")
    file.write_bytes(whole[:40])
    services = Services(model="cnn-compact", home=own.path.parents[1])
    with pytest.raises(BackendError, match="has no snapshot 'epoch-001'; it has epoch-000, "):
        services.open(f"run:{own.id}@epoch-001", "pytorch")
    with pytest.raises(BackendError, match="There is no run 'nothing'"):
        services.open("run:nothing@epoch-001", "pytorch")


def test_a_snapshot_that_was_written_anew_is_read_anew(pool: ModelPool, own: RunFolder, pytorch: Backend) -> None:
    before = pool.open(f"run:{own.id}@epoch-003", "pytorch")
    (own.snapshots_folder / "epoch-002.safetensors").replace(own.snapshots_folder / "epoch-003.safetensors")
    assert pool.open(f"run:{own.id}@epoch-003", "pytorch").version != before.version


# What the page is told


def test_the_moments_of_a_training_in_words(trained: Any) -> None:
    told = time_line(RunStore(trained.home), trained.id)
    assert (told["id"], told["title"], told["active"]) == (trained.id, "Three epochs", False)
    moments = told["moments"]
    assert [each["name"] for each in moments] == ORDER
    assert [each["tick"] for each in moments] == ["0", "⅛", "¼", "½", "1", "2", "3"]
    assert moments[0]["title"] == "before the first step"
    assert moments[0]["words"] == "Its weights are random."
    assert moments[2]["title"] == "¼ of the first epoch"
    assert moments[2]["words"].endswith("right in the last 2 steps")
    assert moments[-1]["title"] == "epoch 3 of 3"
    last = RunStore(trained.home).read(trained.id).epochs[-1]
    assert f"Loss {last.loss:.3f}, {100 * last.accuracy:.1f} % right; on images kept out" in moments[-1]["words"]


def test_other_shares_of_an_epoch_are_written_as_numbers(own: RunFolder) -> None:
    snapshot = own.snapshots()[1]
    assert moment(replace(snapshot, epoch=0.1256)) == "⅛ of the first epoch"
    assert moment(replace(snapshot, epoch=0.1429)) == "0.14 of the first epoch"
    assert moment(replace(snapshot, epoch=2.37, step=21), 3) == "epoch 2.4 of 3"


def test_a_snapshot_is_called_by_its_moment_and_has_the_layers_of_its_network(services: Services, trained: Any) -> None:
    run = f"run:{trained.id}"
    assert services.models[run] == "Three epochs · run"
    assert services.title(run) == "Three epochs · run"
    assert services.title(f"{run}@epoch-002") == "Three epochs · run · epoch 2"
    assert services.title(f"{run}@nothing") == "Three epochs · run"
    assert services.layers(f"{run}@epoch-002") == services.layers("cnn-compact")
    assert [network_of(name) for name in (run, f"{run}@epoch-002", "mine@home.keras")] == [run, run, "mine@home.keras"]
    assert services.snapshots("cnn-compact") == services.snapshots("run:nothing") == []


def test_a_training_that_goes_on_can_be_looked_at_once_there_is_a_snapshot(own: RunFolder) -> None:
    services = Services(model="cnn-compact", home=own.path.parents[1])
    with own.held():
        own.write_status(Status(state="training", step=3, steps=20, epochs=3))
        assert services.models[f"run:{own.id}"] == "Three epochs · run"
        assert services.store
        assert time_line(services.store, own.id)["active"]
        shutil.rmtree(own.snapshots_folder)
        assert f"run:{own.id}" not in services.models


def test_an_address_names_a_snapshot() -> None:
    known = Known(
        model="cnn",
        models=["cnn", "run:a"],
        backend="pytorch",
        backends=["pytorch"],
        visualizers=[],
        layers=lambda model: ["conv1"],
        snapshots=lambda model: ORDER if model == "run:a" else [],
    )
    found = parse_address("#model=run:a%40epoch-001&layer=conv1", known)
    assert (found.model, found.notices) == ("run:a@epoch-001", ())
    beside = parse_address("#second_model=run:a%40epoch-001", known)
    assert (beside.beside.model, beside.notices) == ("run:a@epoch-001", ())
    lost = parse_address("#model=run:a%40epoch-100", known)
    assert lost.model == "run:a"
    assert lost.notices == (
        "The address names an unknown snapshot, 'epoch-100'; run:a has 7, from epoch-000 to epoch-003. "
        "Showing the newest.",
    )
    for unknown in ("cnn%40epoch-001", "run:b%40epoch-001"):
        assert parse_address(f"#model={unknown}", known).model == "cnn"
        assert "unknown model" in parse_address(f"#model={unknown}", known).notices[0]


def test_the_time_line_is_asked_for_by_the_runs_id(client: FlaskClient, trained: Any) -> None:
    assert [each["name"] for each in client.get(f"/snapshots/{trained.id}").get_json()["moments"]] == ORDER
    assert client.get("/snapshots/nothing").get_json() is None
    assert client.get("/snapshots/.new-run").get_json() is None


# Prediction curves


@pytest.fixture
def curves(client: FlaskClient, trained: Any) -> Callable[..., Any]:
    """Asks as the page does, by default for a stroke on PyTorch."""

    def ask(**changed: Any) -> Any:
        question = {"model": f"run:{trained.id}", "backend": "pytorch", "off": [], "ink": encode_ink(INK), "edits": []}
        reply = client.post("/snapshots/curves", json=question | changed)
        assert reply.status_code == 200, reply.text
        return reply.get_json()

    return ask


def test_the_curves_are_what_every_snapshot_answers(curves: Callable[..., Any], trained: Any, backend: Backend) -> None:
    given = curves(backend=backend.name)
    assert given["names"] == ORDER
    assert given["classes"] == [str(digit) for digit in range(10)]
    folder = RunStore(trained.home).folder(trained.id)
    for row, snapshot in list(zip(given["probabilities"], folder.snapshots(), strict=True))[::3]:
        expected = open_model(str(snapshot.path), backend.name).probabilities(IMAGE)[0]
        np.testing.assert_allclose(row, expected, atol=1e-5)
    assert given["probabilities"][0] != given["probabilities"][-1]


def test_muted_units_and_steps_switched_off_hold_for_the_curves(curves: Callable[..., Any], trained: Any) -> None:
    plain = curves()["probabilities"]
    edits = [["conv1_relu", unit, 0] for unit in range(32)]
    muted = curves(edits=[*edits, ["nothing", 0, 0], ["conv1_relu", 99, 0]])["probabilities"]
    newest = open_model(str(RunStore(trained.home).weights_path(f"run:{trained.id}")), "pytorch")
    expected = newest.probabilities(IMAGE, [Edit(layer, unit) for layer, unit, _ in edits])[0]
    np.testing.assert_allclose(muted[-1], expected, atol=1e-5)
    assert curves(off=["crop", "scale", "centre"])["probabilities"] != plain


def test_empty_paper_has_no_curves(curves: Callable[..., Any]) -> None:
    assert curves(ink=None)["probabilities"] is None


def test_the_same_drawing_is_not_computed_again(curves: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = curves()

    def never(*given: Any, **more: Any) -> Array:
        raise AssertionError("computed again")

    monkeypatch.setattr(Model, "probabilities", never)
    assert curves() == before


def test_a_snapshot_that_cannot_be_read_leaves_a_gap(own: RunFolder) -> None:
    app = Dash("layerscope")
    app.layout = []
    register_routes(app, Services(model="cnn-compact", backend="pytorch", home=own.path.parents[1]))
    file = own.snapshots_folder / "epoch-001.safetensors"
    damaged = bytearray(file.read_bytes())
    damaged[-100] ^= 255
    file.write_bytes(damaged)
    question = {"model": f"run:{own.id}@epoch-002", "backend": "pytorch", "ink": encode_ink(INK)}
    given = app.server.test_client().post("/snapshots/curves", json=question).get_json()
    assert [row is None for row in given["probabilities"]] == [name == "epoch-001" for name in ORDER]


def test_what_cannot_be_had_is_a_sentence(curves: Callable[..., Any], client: FlaskClient) -> None:
    assert curves(model="run:nothing") == {"fault": "run:nothing has no snapshots."}
    assert curves(model="cnn-compact") == {"fault": "cnn-compact has no snapshots."}
    assert curves(ink="nonsense")["fault"].startswith("The drawing in the address is damaged")
    assert client.post("/snapshots/curves", data="model=1").status_code == 415
    for wrong in ({}, [], {"model": 1}, {"model": "run:a", "backend": "pytorch", "edits": [[1]]}):
        assert client.post("/snapshots/curves", json=wrong).status_code == 400
