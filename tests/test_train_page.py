"""The training page over HTTP: its parts, how runs stand, and what is done with them; nothing is trained here."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import plotly.graph_objects as go
import pytest
from dash import Dash
from flask.testing import FlaskClient
from layerscope.layouts.services import Services
from layerscope.layouts.train import ids
from layerscope.layouts.train.callbacks import add_train_page
from layerscope.layouts.train.figures import MOST_POINTS, curves, filters
from layerscope.layouts.train.form import defaults
from layerscope.layouts.train.rows import SPARKLINE, row_of, sparkline, thinned
from layerscope.models.bundled import BUNDLED
from layerscope.models.first_layer import first_layer
from layerscope.models.run import EpochMetrics, Run
from layerscope.models.weights import initial_weights, save_weights
from layerscope.server import create_app
from layerscope.training.config import RunConfig
from layerscope.training.executor import LocalProcesses
from layerscope.training.folder import Status
from layerscope.training.recipes import FAST

STEPS, EPOCHS = 20, 2


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """Of a server that begins no training by itself."""
    services = Services(model="dense", backend="pytorch", home=tmp_path)
    assert services.store
    services.__dict__["executor"] = LocalProcesses(services.store, at_once=0)
    return services


@pytest.fixture
def client(services: Services) -> FlaskClient:
    main = Dash("layerscope")
    main.layout = []
    add_train_page(main, services)
    return main.server.test_client()


@pytest.fixture
def learnt(services: Services) -> Callable[..., str]:
    """Makes a run that has ended, with curves and two snapshots, and gives its id."""

    def made(title: str = "Mine", state: str = "done", model: str = "dense") -> str:
        assert services.store
        network = BUNDLED[model]
        recipe = replace(FAST[model], epochs=EPOCHS)
        id = services.store.create(RunConfig(model=model, backend="pytorch", recipe=recipe, title=title))
        folder = services.store.folder(id)
        lines: list[dict[str, Any]] = [
            {"step": step, "loss": 2.0 / step, "accuracy": step / STEPS, "seconds": step / 10}
            for step in range(1, STEPS + 1)
        ]
        kept_out = {"validation_loss": 0.5, "validation_accuracy": 0.75}
        last = {"epoch": EPOCHS, "step": STEPS, "loss": 0.4, "accuracy": 0.9, **kept_out, "seconds": 2.0}
        folder.metrics_file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in [*lines, last]))
        for number in (0, EPOCHS):
            story = {"step": str(number * 10), "epoch": str(number), "position": ""}
            path = folder.snapshots_folder / f"epoch-{number:03}.safetensors"
            save_weights(path, network, initial_weights(network, number), story)
        with folder.held():
            status = Status(state=state, step=STEPS, steps=STEPS, epoch=EPOCHS, epochs=EPOCHS, seconds=2.0)
            folder.write_status(status)
        return id

    return made


def ask(client: FlaskClient, **sent: Any) -> Any:
    reply = client.post("/train/state", json=sent)
    assert reply.status_code == 200
    return reply.get_json()


# The page


def test_the_page_brings_everything_from_here_and_nothing_of_the_live_drawing() -> None:
    client = create_app("dense", "pytorch").server.test_client()
    page = client.get("/train/").text
    for asset in ("/assets/page.css", "/assets/icons.css", "/assets/scheme.js", "/train/assets/train.js"):
        assert asset in page
        assert client.get(asset).status_code == 200
    assert not {"ink.js", "live.js", "page.js"} & {part.split("?")[0] for part in page.replace('"', "/").split("/")}
    assert client.get("/train").headers["Location"] == "train/"
    assert '"href": "train/"' in json.dumps(client.get("/_dash-layout").get_json())
    assert '"href": "../"' in json.dumps(client.get("/train/_dash-layout").get_json())


def test_without_a_home_the_page_says_that_nothing_can_be_trained() -> None:
    client = create_app("dense", "pytorch").server.test_client()
    assert "without a folder to keep runs in" in client.get("/train/_dash-layout").text
    assert client.post("/train/state", json={}).status_code in (404, 405)


def test_every_field_has_a_label_and_a_help(client: FlaskClient) -> None:
    layout = client.get("/train/_dash-layout").get_json()
    found: dict[str, Any] = {}

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            properties = part.get("props", {})
            if str(properties.get("id", "")).startswith("field-"):
                found[properties["id"]] = properties
            walk(properties.get("children"))
        for each in part if isinstance(part, list) else ():
            walk(each)

    walk(layout)
    assert set(found) == {ids.field(name) for name in ids.FIELDS}
    found.pop(ids.field("architecture"))  # is filled by a dialog
    for id, properties in found.items():
        assert properties.get("label") or properties.get("aria-labelledby"), id


# Starting


def start(client: FlaskClient, services: Services, **changed: Any) -> dict[str, Any]:
    """What the browser sends when the button is pressed."""
    values = {**defaults(services), **changed}
    output = f"..{ids.STARTED}.data...{ids.FAULT}.children.."
    state = [{"id": ids.field(name), "property": ids.value_of(name), "value": values[name]} for name in ids.FIELDS]
    reply = client.post(
        "/train/_dash-update-component",
        json={
            "output": output,
            "outputs": [{"id": ids.STARTED, "property": "data"}, {"id": ids.FAULT, "property": "children"}],
            "inputs": [{"id": ids.START, "property": "n_clicks", "value": 1}],
            "changedPropIds": [f"{ids.START}.n_clicks"],
            "state": state,
        },
    )
    assert reply.status_code == 200
    response: dict[str, Any] = reply.get_json()["response"]
    return response


def test_the_form_starts_a_run(client: FlaskClient, services: Services) -> None:
    told = start(client, services, source="digits", epochs=3, title=" Mine ", begin="dense")
    assert services.store
    run = services.store.read(told[ids.STARTED]["data"])
    assert (run.title, run.status, run.epochs_in_all, run.config["start"]) == ("Mine", "queued", 3, "dense")
    assert told[ids.FAULT]["children"] == ""


def test_what_cannot_be_trained_starts_nothing_and_is_said(client: FlaskClient, services: Services) -> None:
    told = start(client, services, epochs=0)
    assert told == {ids.FAULT: {"children": "A training takes at least 1 epoch. Received: 0"}}
    assert services.store
    assert services.store.ids() == []


# Following


def test_no_runs_is_an_answer(client: FlaskClient) -> None:
    assert ask(client) == {"runs": [], "active": False, "selected": None}
    assert ask(client, run="20200101-000000-none", have=[], compare="x") == ask(client)


def test_only_what_is_new_is_sent(client: FlaskClient, services: Services, learnt: Callable[..., str]) -> None:
    id = learnt()
    told = ask(client, run=id)
    row, selected = told["runs"][0], told["selected"]
    assert (row["title"], row["words"], row["share"]) == ("Mine", "Done", 1.0)
    assert row["validation_accuracy"] == 0.75
    assert not told["active"]
    assert [snapshot["name"] for snapshot in selected["snapshots"]] == ["epoch-000", "epoch-002"]
    assert "curves" in selected
    again = ask(client, run=id, have={id: row["version"]}, curves=selected["key"])
    assert again["runs"] == [{"id": id, "version": row["version"]}]
    assert "curves" not in again["selected"]
    assert services.store
    services.store.rename(id, "Other")
    assert ask(client, run=id, have={id: row["version"]})["runs"][0]["title"] == "Other"


def test_curves_of_several_runs_lie_over_each_other(client: FlaskClient, learnt: Callable[..., str]) -> None:
    first, second = learnt("One"), learnt("<b>Two</b>")
    told = ask(client, run=first, compare=[second, "none", first])
    named = [trace["name"] for trace in told["selected"]["curves"]["data"] if trace["showlegend"]]
    assert named == ["One", "&lt;b&gt;Two&lt;/b&gt;"]


def test_a_run_that_trains_or_waits_keeps_the_page_asking(client: FlaskClient, services: Services) -> None:
    start(client, services, source="digits")
    told = ask(client)
    assert told["active"]
    assert told["runs"][0]["can"] == ["stop"]


def test_the_first_layer_of_every_snapshot_can_be_seen(client: FlaskClient, learnt: Callable[..., str]) -> None:
    id = learnt(model="cnn-compact")
    last = client.get(f"/train/runs/{id}/first-layer").get_json()
    assert last["snapshot"] == "epoch-002"
    early = client.get(f"/train/runs/{id}/first-layer?snapshot=epoch-000").get_json()
    assert early["filters"] != last["filters"]
    assert early["layer"] == BUNDLED["cnn-compact"].layers[1].name
    tiles = early["answers"]["layout"]["meta"]["tiles"]
    assert (tiles["units"], tiles["height"]) == (32, 26)


# Doing


def test_a_run_is_renamed_noted_resumed_stopped_trained_further_and_deleted(
    client: FlaskClient, services: Services, learnt: Callable[..., str]
) -> None:
    id = learnt(state="stopped")
    assert services.store

    def act(action: str, **sent: Any) -> str | None:
        reply = client.post(f"/train/runs/{id}/{action}", json=sent).get_json()
        return None if reply["fault"] is None else str(reply["fault"])

    assert act("rename", title="Better") is None
    assert act("note", notes="two\nlines") is None
    run = services.store.read(id)
    assert (run.title, run.notes) == ("Better", "two\nlines")
    assert act("rename", title=" ") == "A run needs a title."
    assert act("resume") is None
    assert services.store.read(id).status == "queued"
    assert str(act("resume")).endswith("waits to be trained already.")
    assert act("stop") is None
    assert services.store.read(id).status == "stopped"
    assert str(act("further", epochs="0")).startswith("Add at least 1 epoch.")
    assert act("further", epochs="x") == "The number of epochs is a number. Received: 'x'"
    assert act("further", epochs="3") is None
    assert services.store.read(id).epochs_in_all == EPOCHS + 3
    act("stop")
    assert act("delete") is None
    assert services.store.ids() == []
    assert str(act("delete")).startswith(f"There is no run '{id}'")


def test_model_and_metrics_can_be_downloaded(client: FlaskClient, services: Services, learnt: Any) -> None:
    id = learnt()
    assert services.store
    model = client.get(f"/train/runs/{id}/model.safetensors")
    assert model.data == services.store.weights_path(f"run:{id}").read_bytes()
    assert f"{id}.safetensors" in model.headers["Content-Disposition"]
    lines = client.get(f"/train/runs/{id}/metrics.csv").text.splitlines()
    assert len(lines) == 1 + STEPS + 1
    assert lines[0].startswith("step,epoch,loss,accuracy")


@pytest.mark.parametrize("id", ["..", "%2e%2e", "..%2f..%2fetc", "a@..", "none", ".new-x", "runs%00", "RUN"])
def test_ids_lead_nowhere_else(client: FlaskClient, learnt: Callable[..., str], id: str) -> None:
    learnt()
    for path in ("model.safetensors", "metrics.csv"):
        reply = client.get(f"/train/runs/{id}/{path}", follow_redirects=True)
        assert "Content-Disposition" not in reply.headers
        assert reply.status_code == 404 or reply.mimetype == "text/html"
    assert "There is no run" in client.post("/train/runs/none/delete", json={}).get_json()["fault"]


def test_a_snapshot_leads_nowhere_else(client: FlaskClient, learnt: Callable[..., str]) -> None:
    reply = client.get(f"/train/runs/{learnt()}/first-layer?snapshot=../../x").get_json()
    assert "has no snapshot" in reply["fault"]


def test_only_json_changes_anything(client: FlaskClient, learnt: Callable[..., str]) -> None:
    id = learnt()
    assert client.post(f"/train/runs/{id}/delete", data="{}").status_code == 415
    assert client.post(f"/train/runs/{id}/delete", data="[]", content_type="application/json").status_code == 400
    client.get(f"/train/runs/{id}/delete")
    assert client.post(f"/train/runs/{id}/explode", json={}).status_code == 404
    assert [row["id"] for row in ask(client)["runs"]] == [id]


# Curves


def run(steps: int, **values: Any) -> Run:
    losses = np.geomspace(2, 0.01, steps).astype(np.float32) if steps else np.empty(0, np.float32)
    given = {"id": "a", "title": "A", "model": "cnn", "backend": "keras", "status": "training", "step": steps, **values}
    return Run(steps=np.arange(1, steps + 1), losses=losses, accuracies=1 - losses / 2, **given)


@pytest.mark.parametrize("count", [0, 1, 7, 500, 501, 1000, 4321, 70_000])
def test_a_thinned_curve_keeps_the_mean_and_stays_where_it_is_while_it_grows(count: int) -> None:
    values = np.random.default_rng(1).random(count).astype(np.float32)
    places, means = thinned(values, 500)
    assert len(places) == len(means) <= 500
    if not count:
        return
    size = int(2 ** np.ceil(np.log2(max(1, count / 500))))
    weights = np.diff([*range(0, count, size), count])
    assert np.average(means, weights=weights) == pytest.approx(values.mean(), rel=1e-5)
    shorter = thinned(values[: count - count // 10], 500)
    if len(shorter[0]) > 1 and shorter[0][1] - shorter[0][0] == places[1] - places[0]:
        np.testing.assert_array_equal(shorter[1][:-1], means[: len(shorter[1]) - 1])


def test_a_sparkline_is_small_and_falls_where_the_loss_falls() -> None:
    heights = sparkline(run(5000).losses)
    assert len(heights) <= SPARKLINE
    assert heights == sorted(heights, reverse=True)
    assert (max(heights), min(heights)) == (1, 0)
    assert sparkline(np.ones(9, np.float32)) == [0.5] * 9
    assert sparkline(np.array([np.nan, 1], np.float32)) == []


@pytest.mark.parametrize("steps", [0, 1, 60_000])
def test_curves_are_a_valid_figure_at_every_length(steps: int) -> None:
    epochs = (EpochMetrics(number=1, step=max(1, steps), loss=0.5, accuracy=0.8, validation_loss=0.4),) if steps else ()
    one = run(steps, steps_in_all=60_000, epochs_in_all=6, epochs=epochs)
    figure = curves([one, run(0, id="b")]).to_dict()
    go.Figure(figure)
    assert len(orjson.dumps(figure, option=orjson.OPT_SERIALIZE_NUMPY)) < 30_000
    alone = curves([one])
    assert all(len(trace.x) <= MOST_POINTS for trace in alone.data)
    if steps == 60_000:
        assert alone.data[0].x[-1] == pytest.approx(6, abs=0.02)
        assert alone.data[2].x[0] == pytest.approx(6)


def test_filters_of_a_dense_layer_lie_as_the_image_does() -> None:
    network = BUNDLED["dense"]
    weights = initial_weights(network)
    found = first_layer(network, weights, np.zeros((28, 28, 1), np.float32))
    assert found
    name = found.layer.name
    np.testing.assert_array_equal(found.filters[3].reshape(-1), weights[name]["kernel"][:, 3])
    tiles = filters(found).layout.meta["tiles"]
    assert (tiles["units"], tiles["height"], tiles["width"]) == (64, 28, 28)


@pytest.mark.parametrize(
    ("status", "can"),
    [
        ("queued", ["stop"]),
        ("training", ["stop", "look", "download"]),
        ("done", ["further", "look", "download", "delete"]),
        ("stopped", ["resume", "further", "look", "download", "delete"]),
        ("failed", ["resume", "further", "download", "delete"]),
        ("stopped unexpectedly", ["resume", "further", "look", "download", "delete"]),
    ],
)
def test_what_can_be_done_follows_from_how_a_run_stands(status: str, can: list[str]) -> None:
    row = row_of(run(0 if status == "queued" else 40, status=status), {"keras": "Keras"})
    assert row["can"] == can
    assert json.loads(json.dumps(row)) == row


def test_the_remaining_time_follows_the_pace_of_now() -> None:
    config = {"recipe": {"batch": 50}, "data": {"source": "mnist"}}
    row = row_of(run(10, steps_in_all=110, images_per_second=1000, seconds=60, config=config), {})
    assert row["left"] == 5
    assert row_of(run(10, steps_in_all=110, seconds=60), {})["left"] == 600
