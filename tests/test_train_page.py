"""The training page over HTTP: its parts, how runs stand, and what is done with them; nothing is trained here."""

import base64
import json
import os
import re
import sys
import tempfile
import time
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
from layerscope.backends.base import Backend
from layerscope.cli import main
from layerscope.drawing.ink import encode_ink
from layerscope.drawing.pipeline import Steps, prepare
from layerscope.layouts.services import Services
from layerscope.layouts.train import ids
from layerscope.layouts.train.callbacks import add_train_page
from layerscope.layouts.train.figures import MOST_POINTS, curves, filters
from layerscope.layouts.train.form import defaults
from layerscope.layouts.train.rows import SPARKLINE, row_of, sparkline, thinned
from layerscope.models.bundled import BUNDLED
from layerscope.models.first_layer import first_layer
from layerscope.models.forward import answer
from layerscope.models.run import EpochMetrics, Run
from layerscope.models.weights import initial_weights, load_weights, save_weights
from layerscope.server import create_app
from layerscope.training.config import RunConfig
from layerscope.training.executor import LocalProcesses
from layerscope.training.folder import Status
from layerscope.training.recipes import FAST
from PIL import Image

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


def start(client: FlaskClient, services: Services, looked: Any = None, **changed: Any) -> dict[str, Any]:
    """What the browser sends when the button is pressed, or once it has `looked` through images of the user's own."""
    values = {**defaults(services), **changed}
    outputs = [(ids.STARTED, "data"), (ids.FAULT, "children"), (ids.LOOK, "data")]
    state = [{"id": ids.field(name), "property": ids.value_of(name), "value": values[name]} for name in ids.FIELDS]
    reply = client.post(
        "/train/_dash-update-component",
        json={
            "output": f"..{'...'.join(f'{id}.{name}' for id, name in outputs)}..",
            "outputs": [{"id": id, "property": name} for id, name in outputs],
            "inputs": [
                {"id": ids.START, "property": "n_clicks", "value": 1},
                {"id": ids.LOOKED, "property": "data", "value": looked},
            ],
            "changedPropIds": [f"{ids.LOOKED}.data" if looked else f"{ids.START}.n_clicks"],
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


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"batch": 1618}, "A batch cannot be larger than the 1,617 images to learn from"),
        ({"share": 1, "batch": 17}, "A batch cannot be larger than the 16 images to learn from"),
        ({"share": 0.01}, "Nothing is left to learn from"),
        ({"share": 0.2}, "A validation split of 0.1 keeps no image out"),
    ],
)
def test_too_few_images_are_said_before_a_run_is_made(
    client: FlaskClient, services: Services, changed: dict[str, Any], sentence: str
) -> None:
    told = start(client, services, source="digits", **changed)
    assert told[ids.FAULT]["children"].startswith(sentence)
    assert services.store
    assert services.store.ids() == []


# Images of one's own


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A folder with two classes of pictures, two of which cannot be read, and a class with a single one."""
    folder = tmp_path / "letters"
    for name, count in (("a", 6), ("b", 4), ("c", 1)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (9, 9), 20 * number).save(folder / name / f"{number}.png")
    for number in range(2):
        (folder / "b" / f"torn{number}.png").write_bytes(b"no picture")
    return folder


def look(client: FlaskClient, path: Path | str, **sent: Any) -> dict[str, Any]:
    """What the page knows of the images once they have been looked through."""
    asked: dict[str, Any] = {"network": "dense", "source": "own", "path": str(path), **sent}
    for _ in range(200):
        told: dict[str, Any] = client.post("/train/images", json=asked).get_json()
        if "fault" in told or told["look"]["found"]:
            return told
        asked["token"] = told["look"]["token"]
        time.sleep(0.02)
    raise AssertionError("The images were not looked through.")


def test_classes_and_unreadable_pictures_are_known_before_the_run(client: FlaskClient, letters: Path) -> None:
    told = look(client, letters)
    assert told["words"] == "3 classes: a (6), b (4), c (1), 11 images."
    unreadable = told["look"]["found"]["unreadable"]
    assert (unreadable["count"], unreadable["total"]) == (2, 13)
    assert [name for name, _ in unreadable["files"]] == [str(Path("b", f"torn{number}.png")) for number in range(2)]
    assert "1 class with a single image: c." in told["look"]["found"]["notes"]
    assert told["fit"]["wrong"]
    again = client.post("/train/images", json={"network": "dense", "source": "own", "path": str(letters)}).get_json()
    assert again["look"]["found"] == told["look"]["found"]
    (letters / "b" / "torn0.png").unlink()
    assert look(client, letters)["look"]["found"]["unreadable"]["count"] == 1


def test_the_command_line_names_them_too_and_goes_on_without_them_where_it_is_told_to(
    services: Services, letters: Path, capsys: pytest.CaptureFixture[str], pytorch: Backend
) -> None:
    assert services.store
    given = ["--model", "dense", "--backend", "pytorch", "--images", str(letters), "--batch", "4"]
    command = ["train", "--home", str(services.home), "--epochs", "1", "--validation", "0", *given]
    with pytest.raises(SystemExit):
        main(command)
    said = capsys.readouterr().err
    assert "2 of 13 pictures in letters cannot be read" in said
    assert "--skip-unreadable leaves them out." in said
    assert services.store.ids() == []
    assert main([*command, "--skip-unreadable"]) == 0
    assert "dense is given the 3 classes of the images." in capsys.readouterr().out
    (run,) = services.store.runs()
    assert (run.model, run.config["architecture"]["classes"]) == ("dense-edited", ["a", "b", "c"])


def test_a_look_at_other_images_does_not_count(client: FlaskClient, services: Services, letters: Path) -> None:
    looked = {"token": look(client, letters)["look"]["token"], "skip": True}
    told = start(client, services, looked, source="own", path=str(letters.parent))
    assert "press “Start training” again" in told[ids.FAULT]["children"]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are always Unicode")
def test_names_of_any_bytes_are_said(client: FlaskClient, letters: Path) -> None:
    Path(os.fsdecode(os.fsencode(letters / "a") + b"/torn\xff.png")).write_bytes(b"no picture")
    assert "a/torn?.png" in dict(look(client, letters)["look"]["found"]["unreadable"]["files"])


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("", "The path of your own images is missing."), ("/no/such/place", "There is no such file or folder")],
)
def test_images_that_are_not_there_are_one_sentence(client: FlaskClient, path: str, sentence: str) -> None:
    assert look(client, path)["fault"].startswith(sentence)


def test_a_folder_that_nothing_can_be_learnt_from_is_said(client: FlaskClient, tmp_path: Path) -> None:
    found = look(client, tmp_path)["look"]["found"]
    assert "a folder of pictures for each class" in found["fault"]


def test_a_run_begins_once_its_images_were_looked_through(
    client: FlaskClient, services: Services, letters: Path
) -> None:
    assert services.store
    form = {"source": "own", "path": str(letters), "batch": 4}
    asked = start(client, services, **form)
    assert asked[ids.LOOK]["data"] == {"asked": 1, "skip": False}
    assert services.store.ids() == []
    looked = {"token": look(client, letters)["look"]["token"], "skip": True}
    fault = start(client, services, looked, **form)[ids.FAULT]["children"]
    assert fault.startswith("The network tells the 10 classes 0, 1,")
    assert fault.endswith("Received: 3 classes: a, b, c")
    given = {"network": "dense", "edit": {"action": "classes", "classes": ["a", "b", "c"]}}
    form["architecture"] = client.post("/train/layers", json=given).get_json()["draft"]
    assert (
        "larger than the 10 images" in start(client, services, looked, **{**form, "batch": 11})[ids.FAULT]["children"]
    )
    id = start(client, services, looked, **form)[ids.STARTED]["data"]
    config = services.store.folder(id).config()
    assert config.data.skip_unreadable
    assert config.network.classes == ("a", "b", "c")
    assert (
        "press “Start training” again"
        in start(client, services, {"token": "x", "skip": True}, **form)[ids.FAULT]["children"]
    )


def test_a_network_that_knows_other_classes_is_told_so(client: FlaskClient) -> None:
    def told(classes: list[str]) -> dict[str, Any]:
        edit = {"action": "classes", "classes": classes}
        draft = client.post("/train/layers", json={"network": "dense", "edit": edit}).get_json()["draft"]
        return dict(client.post("/train/images", json={"draft": draft, "source": "mnist"}).get_json()["fit"])

    assert told(list("0123456789")) == {"words": "", "wrong": False, "offer": None}
    more = told([*"0123456789", "nothing"])
    assert (more["wrong"], more["offer"]) == (False, "Only these 10")
    named = told(list("abcdefghij"))
    assert (named["wrong"], named["offer"]) == (False, "Call them as the images do")
    assert told(["a", "b"])["wrong"]


# Following


def test_no_runs_is_an_answer(client: FlaskClient) -> None:
    assert ask(client) == {"runs": [], "active": False, "at_once": 0, "selected": None}
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


def test_every_layer_of_every_snapshot_can_be_seen(client: FlaskClient, learnt: Callable[..., str]) -> None:
    id = learnt(model="cnn-compact")

    def pictures(**asked: Any) -> dict[str, Any]:
        return dict(client.get(f"/train/runs/{id}/pictures", query_string=asked).get_json())

    last, early = pictures(), pictures(snapshot="epoch-000")
    assert last["snapshot"] == "epoch-002"
    assert early["filters"] != last["filters"]
    assert early["layer"] == "conv1_relu"
    tiles = early["answers"]["layout"]["meta"]["tiles"]
    assert (tiles["units"], tiles["height"]) == (32, 26)
    offered = [layer["value"] for layer in last["layers"]]
    assert (offered[0], offered[-1], len(offered)) == ("conv1", "softmax", 12)
    deep = pictures(layer="conv3")["answers"]["layout"]["meta"]["tiles"]
    assert (deep["layer"], deep["units"], deep["height"]) == ("conv3", 64, 3)
    end = pictures(layer="softmax", sample="3.0")
    assert (end["sample"], end["answers"]["layout"]["xaxis"]["ticktext"]) == ([3, 0], list("0123456789"))
    for other in ("4.0", "3.1"):
        assert end["answers"]["data"] != pictures(layer="softmax", sample=other)["answers"]["data"]
    assert pictures(layer="nowhere", sample="77.0")["layer"] == "conv1_relu"


def test_a_drawing_of_ones_own_is_answered_to_as_on_the_first_page(
    client: FlaskClient, services: Services, learnt: Callable[..., str]
) -> None:
    id = learnt()
    drawing = np.ones((140, 140), np.float32)
    drawing[20:80, 60:72] = 0

    def pictures(**asked: Any) -> dict[str, Any]:
        return dict(client.get(f"/train/runs/{id}/pictures", query_string=asked).get_json())

    told = pictures(ink=encode_ink(drawing), layer="softmax")
    image = prepare(drawing, (28, 28, 1), Steps()).image
    weights = load_weights(services.store.weights_path(f"run:{id}"), BUNDLED["dense"])  # type: ignore[union-attr]
    wanted = answer(BUNDLED["dense"], weights, image, "softmax")
    found = np.frombuffer(base64.b64decode(told["answers"]["data"][0]["y"]["bdata"]), np.float32)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert told["sample"] is None
    fives = len(services.samples[0].indices_of(5))
    assert pictures(sample=f"5.{fives - 1}")["sample"] == [5, fives - 1]
    assert pictures(sample=f"5.{fives}")["sample"] == [5, 0]
    damaged = pictures(ink="no ink!")
    assert damaged["words"].startswith("The drawing in the address is damaged")
    assert (damaged["sample"], bool(damaged["answers"])) == ([5, 0], True)


def test_a_layer_too_large_to_be_watched_says_so(
    client: FlaskClient, learnt: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerscope.layouts.train.pictures.MOST_WORK", 100)
    told = client.get(f"/train/runs/{learnt()}/pictures").get_json()
    assert told["answers"] is None
    assert told["filters"]
    assert told["words"].startswith("This layer takes too long")


def test_runs_of_the_page_and_of_the_command_line_are_the_same_runs(
    client: FlaskClient, services: Services, pytorch: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert services.home
    home = ["--home", str(services.home)]
    start(client, services, source="digits", title="From the page")
    given = ["--model", "dense", "--backend", "pytorch", "--images", "digits", "--epochs", "1", "--title", "By hand"]
    assert main(["train", *home, *given]) == 0
    assert {row["title"]: row["words"] for row in ask(client)["runs"]} == {
        "From the page": "Waiting",
        "By hand": "Done",
    }
    assert "By hand · run" in services.models.values()
    capsys.readouterr()
    assert main(["runs", *home]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"From the page +dense +pytorch +queued", listed)
    assert re.search(r"By hand +dense +pytorch +done", listed)


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


def test_metrics_can_be_downloaded(client: FlaskClient, learnt: Callable[..., str]) -> None:
    lines = client.get(f"/train/runs/{learnt()}/metrics.csv").text.splitlines()
    assert len(lines) == 1 + STEPS + 1
    assert lines[0].startswith("step,epoch,loss,accuracy")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("format", "ending"),
    [("safetensors", ".safetensors"), ("keras", ".keras"), ("pt", ".pt"), ("py", "_network.py"), ("onnx", ".onnx")],
)
def test_a_network_is_downloaded_whole_and_nothing_is_left_behind(
    client: FlaskClient, learnt: Callable[..., str], temporary: Path, format: str, ending: str
) -> None:
    if format == "onnx":
        pytest.importorskip("onnx")
    id = learnt()
    for address, name in ((f"runs/{id}", id), ("models/dense", "dense")):
        reply = client.post(f"/train/{address}/download/{format}", json={})
        called = f"{name.replace('-', '_')}{ending}" if format == "py" else f"{name}{ending}"
        assert f"filename={called}" in reply.headers["Content-Disposition"].replace('"', "")
        begins = {"safetensors": b"", "keras": b"PK", "pt": b"PK", "py": b"# Written by Layerscope", "onnx": b"\x08"}
        assert reply.data.startswith(begins[format])
        assert len(reply.data) > 800
        reply.close()
    assert list(temporary.iterdir()) == []


def test_the_snapshot_that_is_asked_for_is_downloaded(
    client: FlaskClient, services: Services, learnt: Callable[..., str], tmp_path: Path
) -> None:
    id = learnt()
    assert services.store
    for snapshot in ("epoch-000", "epoch-002"):
        reply = client.post(f"/train/runs/{id}/download/safetensors", json={"snapshot": snapshot})
        file = tmp_path / f"{snapshot}.safetensors"
        file.write_bytes(reply.data)
        wanted = load_weights(services.store.weights_path(f"run:{id}@{snapshot}"), BUNDLED["dense"])
        for name, named in load_weights(file, BUNDLED["dense"]).items():
            for weight, array in named.items():
                np.testing.assert_array_equal(array, wanted[name][weight])


def test_what_cannot_be_downloaded_says_why(
    client: FlaskClient, services: Services, learnt: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(address: str) -> str:
        return str(client.post(f"/train/{address}", json={}).get_json()["fault"])

    assert fault("runs/none/download/keras").startswith("There is no run 'none'")
    assert fault("models/alexnet/download/keras") == "There is no network 'alexnet' to download."
    assert client.post("/train/models/dense/download/exe", json={}).status_code == 404
    assert "Content-Disposition" not in client.get("/train/models/dense/download/pt").headers
    monkeypatch.setattr("layerscope.layouts.train.downloads.find_spec", lambda name: None)
    monkeypatch.setattr("layerscope.backends.exporting.find_spec", lambda name: None)
    assert "layerscope[onnx]" in fault(f"runs/{learnt()}/download/onnx")
    formats = {each["value"]: each["missing"] for each in client.get("/train/formats").get_json()["formats"]}
    assert "layerscope[onnx]" in formats["onnx"]
    assert formats["keras"] is formats["pt"] is formats["safetensors"] is None


def test_how_many_are_trained_at_once_is_set_on_the_page(client: FlaskClient, services: Services) -> None:
    assert services.executor
    assert "From 1 to" in client.post("/train/at-once", json={"runs": 0}).get_json()["fault"]
    assert client.post("/train/at-once", json={"runs": 3}).get_json() == {"fault": None, "at_once": 3}
    assert ask(client)["at_once"] == services.executor.at_once == 3


@pytest.mark.parametrize("id", ["..", "%2e%2e", "..%2f..%2fetc", "a@..", "none", ".new-x", "runs%00", "RUN"])
def test_ids_lead_nowhere_else(client: FlaskClient, learnt: Callable[..., str], id: str) -> None:
    learnt()
    reply = client.get(f"/train/runs/{id}/metrics.csv", follow_redirects=True)
    assert "Content-Disposition" not in reply.headers
    assert reply.status_code == 404 or reply.mimetype == "text/html"
    reply = client.post(f"/train/runs/{id}/download/safetensors", json={}, follow_redirects=True)
    assert "Content-Disposition" not in reply.headers
    assert "There is no run" in client.post("/train/runs/none/delete", json={}).get_json()["fault"]


def test_a_snapshot_leads_nowhere_else(client: FlaskClient, learnt: Callable[..., str]) -> None:
    reply = client.get(f"/train/runs/{learnt()}/pictures?snapshot=../../x").get_json()
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


@pytest.mark.parametrize("losses", [[], [2.3], [2.29, 2.31], [2, 0.01], [3, 1e-7], [2.3, 1e21], [0, 0.5]])
def test_the_axis_of_the_loss_can_be_read_whatever_happened(losses: list[float]) -> None:
    empty = run(0, epochs_in_all=3)
    given = replace(
        empty,
        steps=np.arange(1, len(losses) + 1),
        losses=np.array(losses, np.float32),
        accuracies=np.zeros(len(losses)),
    )
    axis = curves([given]).layout.yaxis
    low, high = axis.range
    assert high - low >= 0.3
    assert all(low <= np.log10(loss) <= high for loss in losses if loss)
    seen = [text for tick, text in zip(axis.tickvals, axis.ticktext, strict=True) if low <= np.log10(tick) <= high]
    assert 2 <= len(seen) <= 9
    assert [float(text) for text in axis.ticktext] == pytest.approx(list(axis.tickvals))


def test_filters_of_a_dense_layer_lie_as_the_image_does() -> None:
    network = BUNDLED["dense"]
    weights = initial_weights(network)
    found = first_layer(network, weights)
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
