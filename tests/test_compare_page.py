"""The compare page as its server gives it: the frame, the routes, and runs with their snapshots as networks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from dash import Dash
from flask.testing import FlaskClient
from layerscope.backends import Backend
from layerscope.layouts.compare.callbacks import add_compare_page
from layerscope.layouts.compare.page import choices
from layerscope.layouts.data.callbacks import add_data_page
from layerscope.layouts.robustness.callbacks import add_robustness_page
from layerscope.layouts.services import Services
from layerscope.layouts.wire import unpacked
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import initial_weights, save_weights
from layerscope.server import create_app
from layerscope.training.config import RunConfig
from layerscope.training.folder import Status
from layerscope.training.recipes import FAST

SAMPLE = {"ink": None, "sample": [7, 3], "label": 7, "serial": 1}


@pytest.fixture
def services(tmp_path: Path, pytorch: Backend) -> Services:
    return Services(model="dense", backend="pytorch", home=tmp_path / "home")


@pytest.fixture
def run(services: Services) -> str:
    """The source of a run that has ended, with two snapshots."""
    assert services.store
    id = services.store.create(RunConfig(model="dense", backend="pytorch", recipe=FAST["dense"], title="Mine"))
    folder = services.store.folder(id)
    steps = [{"step": step, "loss": 2.0 / step, "accuracy": 0.5, "seconds": step / 10} for step in range(1, 5)]
    folder.metrics_file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in steps))
    for number in (0, 2):
        story = {"step": str(number * 2), "epoch": str(number), "position": ""}
        path = folder.snapshots_folder / f"epoch-{number:03}.safetensors"
        save_weights(path, BUNDLED["dense"], initial_weights(BUNDLED["dense"], number), story)
    with folder.held():
        folder.write_status(Status(state="done", step=4, steps=4, epoch=2, epochs=2, seconds=0.4))
    return f"run:{id}"


@pytest.fixture
def client(services: Services) -> FlaskClient:
    main = Dash("layerscope")
    main.layout = []
    data = add_data_page(main, services)
    add_compare_page(main, services, data, add_robustness_page(main, services, data))
    return main.server.test_client()


def ask(client: FlaskClient, task: str, *models: str, **sent: Any) -> Any:
    subjects = [{"model": model, "backend": "pytorch"} for model in models]
    reply = client.post(f"/compare/{task}", json={"subjects": subjects, "ink": SAMPLE, **sent})
    assert reply.status_code == 200
    return unpacked(reply.data)


def answered(client: FlaskClient, *models: str) -> Any:
    """The answer as soon as every network is open."""
    for _ in range(100):
        told = ask(client, "answer", *models)
        if not any(column["opening"] for column in told["columns"]):
            return told
    raise AssertionError(told)


def test_the_page_brings_the_paper_and_its_own_scripts() -> None:
    client = create_app("dense", "pytorch").server.test_client()
    page = client.get("/compare/").text
    for asset in ("/assets/page.css", "/assets/ink.js", "/assets/wire.js", "/compare/assets/compare.js"):
        assert asset in page
        assert client.get(asset).status_code == 200
    layout = json.dumps(client.get("/compare/_dash-layout").get_json())
    assert '"href": "../"' in layout
    assert '"href": "compare/"' in json.dumps(client.get("/_dash-layout").get_json())
    assert client.get("/compare").headers["Location"] == "compare/"


def test_the_page_knows_what_may_be_compared(services: Services, run: str) -> None:
    told = choices(services)
    values = [each["value"] for each in told["models"]]
    assert {*BUNDLED, run} <= set(values)
    assert [each["model"] for each in told["subjects"]] == ["dense", "dense"]
    assert len({each["backend"] for each in told["subjects"]}) == 2
    views = {each["name"]: each for each in told["views"]}
    assert views["filters"]["layer"]
    assert not views["prediction"]["layer"]
    controls = {each["name"]: each for each in views["feature_maps"]["controls"]}
    assert (controls["columns"]["kind"], controls["columns"]["low"], controls["columns"]["high"]) == ("slider", 0, 32)


def test_a_run_and_its_snapshot_stand_side_by_side(client: FlaskClient, services: Services, run: str) -> None:
    told = answered(client, run, f"{run}@epoch-000", "dense")
    assert [column["fault"] for column in told["columns"]] == ["", "", ""]
    assert [column["title"].split(" · ")[0] for column in told["columns"]] == ["Mine", "Mine", BUNDLED["dense"].title]
    assert "before the first step" in told["columns"][1]["title"]
    one, two = (np.array(column["probabilities"]) for column in told["columns"][:2])
    assert np.abs(one - two).max() > 1e-3
    found = ask(client, "parity", run, f"{run}@epoch-000", other=1)
    assert found["drawing"]["diverges"] == "dense1"
    assert "kernel is another" in found["drawing"]["conclusion"]


def test_curves_and_facts_of_a_run(client: FlaskClient, run: str) -> None:
    figure = ask(client, "curves", runs=[run.removeprefix("run:")])["figure"]
    assert figure["data"]
    assert ask(client, "curves", runs=[])["figure"] is None
    answered(client, run)
    (facts,) = ask(client, "facts", run)["facts"]
    assert facts["parameters"] == 407_050
    assert facts["bytes"] > 1_600_000


def test_measuring_gives_latency_accuracy_and_calibration(client: FlaskClient) -> None:
    reply = client.post("/compare/measure", json={"model": "dense", "backend": "pytorch"})
    told = unpacked(reply.data)
    assert told["accuracy"] > 0.9
    assert 0 < told["latency"] < 1
    assert 0 <= told["calibration_error"] < 0.1
    assert told["loss"] < 0.5


@pytest.mark.parametrize(
    ("task", "sent", "said"),
    [
        ("answer", {"subjects": 3}, "The page asked for something that cannot be read"),
        ("answer", {}, "The page asked for something that cannot be read"),
        ("measure", {"model": "nothing", "backend": "pytorch"}, "There is no model 'nothing'"),
        ("parity", {"subjects": [{"model": "dense", "backend": "pytorch"}]}, "one of them is not there"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(client: FlaskClient, task: str, sent: Any, said: str) -> None:
    assert said in unpacked(client.post(f"/compare/{task}", json=sent).data)["fault"]


def test_only_json_from_the_page_itself_is_taken(client: FlaskClient) -> None:
    assert client.post("/compare/answer", data="subjects=1").status_code == 415
    assert client.post("/compare/answer", json=[1]).status_code == 400
    assert client.post("/compare/nothing", json={}).status_code == 404
