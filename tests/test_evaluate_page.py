"""The page that evaluates over HTTP: it starts, follows, stops and shares evaluations, and leads to the images."""

import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import plotly.graph_objects as go
import pytest
from dash import Dash
from flask.testing import FlaskClient
from layerscope.backends.base import Backend, BackendMissing, Model
from layerscope.backends.opening import open_model
from layerscope.drawing.fit import fit_images
from layerscope.drawing.pipeline import Steps
from layerscope.evaluation.metrics import Answers, measure
from layerscope.evaluation.nearest import nearest
from layerscope.evaluation.predictions import predict
from layerscope.evaluation.selection import Selection
from layerscope.layouts.evaluate import figures, gallery, work
from layerscope.layouts.evaluate.callbacks import add_evaluate_page
from layerscope.layouts.evaluate.work import Desk, Stopped, Work
from layerscope.layouts.pictures import Source, prepared
from layerscope.layouts.services import Services
from layerscope.layouts.state import STEPS
from layerscope.models.architecture import Activation, Architecture, Conv2D, Dense, Flatten, Input
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import initial_weights, save_weights
from layerscope.training.config import RunConfig
from layerscope.training.folder import Status
from layerscope.training.recipes import FAST
from PIL import Image
from sklearn.neighbors import NearestNeighbors

LAYERS = (
    Input(name="image", shape=(7, 7, 1)),
    Conv2D(name="conv", filters=2, window=(3, 3)),
    Flatten(name="flatten"),
    Dense(name="hidden", units=5),
    Activation(name="relu", function="relu"),
    Dense(name="logits", units=3),
    Activation(name="softmax", function="softmax"),
)
NETWORK = Architecture(name="tiny", title="Tiny", layers=LAYERS, classes=("α", "猫", "c"))
COUNT = 130


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Bytes `(n, 7, 7)`, unlike one another, dark at their borders."""
    pixels = np.zeros((COUNT, 7, 7), np.uint8)
    pixels[:, 1:6, 1:6] = np.random.default_rng(0).integers(0, 256, (COUNT, 5, 5))
    return pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> Path:
    """A folder with a network of three classes, and images of them."""
    folder = tmp_path_factory.mktemp("own")
    save_weights(folder / "tiny.safetensors", NETWORK, initial_weights(NETWORK, 3), {})
    labels = np.array(NETWORK.classes)[np.arange(COUNT) % 3]
    np.savez(folder / "mine.npz", images=pixels, labels=labels)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path, pytorch: Backend) -> Model:
    return pytorch.build(NETWORK, initial_weights(NETWORK, 3))


@pytest.fixture(scope="module")
def services(folder: Path) -> Services:
    return Services(model=str(folder / "tiny.safetensors"), backend="pytorch", data=folder)


@pytest.fixture(scope="module")
def client(services: Services, pytorch: Backend) -> FlaskClient:
    main = Dash("layerscope")
    main.layout = []
    add_evaluate_page(main, services)
    return main.server.test_client()


def ask(client: FlaskClient, path: str, **sent: Any) -> Any:
    reply = client.post(f"/evaluate/{path}", json=sent)
    assert reply.status_code == 200, reply.text
    return reply.get_json()


def followed(client: FlaskClient, path: str, **sent: Any) -> Any:
    """What there is in the end."""
    told = ask(client, path, start=True, **sent)
    until = time.monotonic() + 60
    while told["status"] in ("waiting", "running") and time.monotonic() < until:
        time.sleep(0.02)
        told = ask(client, path, **sent)
    return told


@pytest.fixture(scope="module")
def found(client: FlaskClient, folder: Path) -> Any:
    return followed(client, "state", data=str(folder / "mine.npz"))


@pytest.fixture(scope="module")
def probabilities(model: Model, pixels: np.ndarray) -> np.ndarray:
    return predict(model, pixels[..., None])


def test_the_page_can_be_loaded_and_names_what_can_be_evaluated(client: FlaskClient, folder: Path) -> None:
    assert "Layerscope · Evaluate" in client.get("/evaluate/").text
    assert "evaluation-bar" in client.get("/evaluate/_dash-layout").text
    told = client.get("/evaluate/choices").get_json()
    assert told["models"][0] == {"value": str(folder / "tiny.safetensors"), "label": "tiny.safetensors"}
    assert {"value": "digits", "label": "Bundled digits"} in told["sets"]
    assert {"pytorch", "keras"} <= {each["value"] for each in told["backends"]}


def test_a_chosen_model_is_opened_before_it_is_evaluated(pytorch: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on, asked = Event(), Event(), []

    def slowly(source: str, backend: str | None, report: Callable[[str], None]) -> Model:
        asked.append(source)
        report("Starting PyTorch…")
        began.set()
        assert go_on.wait(30)
        return open_model(source, backend)

    monkeypatch.setattr("layerscope.backends.opening.open_model", slowly)
    main = Dash("layerscope")
    main.layout = []
    add_evaluate_page(main, Services(model="dense", backend="pytorch"))
    client = main.server.test_client()
    assert ask(client, "ready", model="dense") is None
    assert began.wait(30)
    started = {"model": "dense", "data": "digits"}
    assert ask(client, "state", **started, start=True)["message"] == "Starting PyTorch…"
    go_on.set()
    assert followed(client, "state", **started)["status"] == "done"
    assert asked == ["dense"]
    assert "no backend 'theano'" in ask(client, "ready", backend="theano")["fault"]


def test_the_numbers_are_those_of_the_core(found: Any, probabilities: np.ndarray) -> None:
    metrics = measure(probabilities, np.arange(COUNT) % 3, NETWORK.classes)
    assert (found["status"], found["count"], found["title"]) == ("done", COUNT, "mine")
    words = {each["name"]: each["words"] for each in found["numbers"]}
    assert words["accuracy"] == f"{metrics.accuracy:.2%}"
    assert words["loss"] == f"{metrics.loss:.4f}"
    assert words["calibration_error"] == f"{metrics.calibration_error:.2%}"
    assert [each["name"] for each in found["classes"]] == ["α", "猫", "c"]
    assert [each["images"] for each in found["classes"]] == [44, 43, 43]
    for figure in found["figures"].values():
        go.Figure(figure)


def test_what_the_page_has_is_not_sent_again_but_another_normalisation_is(
    client: FlaskClient, found: Any, folder: Path
) -> None:
    sent = {"data": str(folder / "mine.npz"), "have": found["key"]}
    assert "figures" not in ask(client, "state", **sent)
    told = ask(client, "state", **sent, normalise="rows")
    assert told["key"] != found["key"]
    assert told["figures"]["matrix"]["data"][0]["text"] != found["figures"]["matrix"]["data"][0]["text"]


def test_what_was_evaluated_before_is_not_evaluated_again(
    client: FlaskClient, found: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("evaluated again")

    monkeypatch.setattr("layerscope.layouts.evaluate.evaluations.answers", never)
    again = followed(client, "state", data=str(folder / "mine.npz"))
    assert (again["status"], again["id"], again["seconds"]) == ("done", found["id"], found["seconds"])


def test_other_images_are_other_results(client: FlaskClient, found: Any, folder: Path, pixels: np.ndarray) -> None:
    np.savez(folder / "changed.npz", images=pixels[:60], labels=np.array(NETWORK.classes)[np.arange(60) % 3])
    told = followed(client, "state", data=str(folder / "changed.npz"))
    assert (told["status"], told["count"]) == ("done", 60)
    assert told["id"] != found["id"]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"data": "digits"}, "has other classes than the model, which knows 3 classes, α, 猫, c"),
        ({"data": "/nowhere/at.npz"}, "There is no file or folder at.npz"),
        ({"data": "digits", "model": "alexnet"}, "There is no model 'alexnet'"),
        ({"data": "digits", "backend": "theano"}, "There is no backend 'theano'"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence(client: FlaskClient, sent: dict[str, str], message: str) -> None:
    told = followed(client, "state", **sent)
    assert told["status"] == "failed"
    assert message in told["message"]
    assert "\n" not in told["message"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "must hold arrays images and labels (or x and y). Received: images"),
        ({"labels": [0, 1, -1]}, "labels that are whole numbers from 0. Received: -1"),
        ({"labels": [0, 1, 3]}, None),  # three names for three classes, taken in order
        ({"labels": ["a", "b", "猫"], "classes": ["a", "b", "猫", "d"]}, "has other classes than the model"),
    ],
)
def test_images_without_labels_or_with_labels_out_of_range(
    client: FlaskClient, tmp_path: Path, arrays: dict[str, Any], message: str | None
) -> None:
    np.savez(tmp_path / "odd.npz", images=np.eye(21).reshape(3, 21, 7)[:, :7], **arrays)
    told = followed(client, "state", data=str(tmp_path / "odd.npz"))
    if message:
        assert (told["status"], message in told["message"]) == ("failed", True)
    else:
        assert told["notes"][-1] == "Classes were taken in order: 3 classes, 0, 1, 3 stand for 3 classes, α, 猫, c."


def test_one_class_alone_in_pictures_of_mixed_sizes_is_measured(client: FlaskClient, tmp_path: Path) -> None:
    folder = tmp_path / "cats" / "猫"
    folder.mkdir(parents=True)
    for size in ((7, 7), (30, 12), (9, 200)):
        Image.new("L", size, 40).save(folder / f"{size[0]}.png")
    told = followed(client, "state", data=str(tmp_path / "cats"))
    assert (told["status"], told["count"]) == ("done", 3)
    assert any("fitted to 7×7" in note for note in told["notes"])
    assert [each["recall"] == "–" for each in told["classes"]] == [True, False, True]


def test_a_framework_that_is_missing_is_said_with_the_way_out(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        raise BackendMissing("Keras is not installed; install `layerscope[keras]`.")

    monkeypatch.setattr(Services, "open", missing)
    told = followed(client, "state", data="digits", backend="keras")
    assert (told["status"], told["message"]) == ("failed", "Keras is not installed; install `layerscope[keras]`.")


def test_a_cell_of_the_matrix_leads_to_exactly_its_images(
    client: FlaskClient, found: Any, probabilities: np.ndarray
) -> None:
    predicted, labels = probabilities.argmax(axis=1), np.arange(COUNT) % 3
    for truth in range(3):
        for answer in range(3):
            told = ask(client, "gallery", id=found["id"], true=truth, predicted=answer)
            expected = set(np.flatnonzero((labels == truth) & (predicted == answer)).tolist())
            assert {item["image"] for item in told["items"]} == expected
            assert told["count"] == len(expected)
            assert all(item["right"] == (truth == answer) for item in told["items"])


def test_galleries_come_in_pages_and_in_the_order_that_was_asked_for(client: FlaskClient, found: Any) -> None:
    pages = [ask(client, "gallery", id=found["id"], order="unsure", page=page) for page in (1, 2, 3, 99)]
    assert [len(told["items"]) for told in pages] == [60, 60, 10, 10]
    sure = [item["confidence"] for told in pages[:3] for item in told["items"]]
    assert sure == sorted(sure)
    assert len({item["image"] for told in pages[:3] for item in told["items"]}) == COUNT


def test_the_bins_of_a_figure_hold_the_images_that_its_clicks_lead_to(client: FlaskClient, found: Any) -> None:
    for name in ("confidence", "reliability"):
        for trace in found["figures"][name]["data"]:
            for low, high, show, count in trace.get("customdata", []):
                assert ask(client, "gallery", id=found["id"], low=low, high=high, show=show)["count"] == count


def test_the_small_images_are_those_that_were_asked_for(client: FlaskClient, found: Any, pixels: np.ndarray) -> None:
    reply = client.get(f"/evaluate/of/{found['id']}/sprite.png?images=5,129,99999,x")
    picture = np.asarray(Image.open(io.BytesIO(reply.data)))
    assert picture.shape == (7, 70)
    np.testing.assert_array_equal(picture[:, :7], pixels[5])
    np.testing.assert_array_equal(picture[:, 7:14], pixels[129])
    whole = client.get(f"/evaluate/of/{found['id']}/5.png")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(whole.data))), pixels[5])
    assert client.get(f"/evaluate/of/{found['id']}/{COUNT}.png").status_code == 404


def test_an_image_leads_to_the_main_page_with_exactly_its_pixels(
    client: FlaskClient, services: Services, found: Any, pixels: np.ndarray, probabilities: np.ndarray
) -> None:
    told = ask(client, "image", id=found["id"], image=7)
    assert (told["true"], told["layer"]) == ("猫", "relu")
    assert told["probabilities"][0]["share"] == pytest.approx(probabilities[7].max(), abs=1e-5)
    link = {name: values[0] for name, values in parse_qs(told["link"].removeprefix("../#")).items()}
    assert (link["label"], link["target"]) == ("1", str(probabilities[7].argmax()))
    assert set(link["off"].split(",")) == set(STEPS)
    source = Source(image=link["image"])
    seen = prepared(source, services.stored(source), (7, 7, 1), Steps()).image
    assert np.array_equal(seen, fit_images(pixels[7:8, :, :, None], (7, 7, 1))[0])
    assert "gradient_map" in link["panels"]
    assert ask(client, "image", id=found["id"], image=COUNT)["fault"].endswith(f"Received: {COUNT}")


@pytest.mark.parametrize("batch", [COUNT, 7])
def test_nearest_images_are_those_of_scikit_learn(
    model: Model, pixels: np.ndarray, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerscope.evaluation.nearest.BATCH", batch)
    for layer in ("image", "conv", "relu"):
        *before, last = nearest(model, layer, pixels[10, ..., None], pixels[..., None], k=5, leave_out=10)
        values = model.trace(pixels[..., None].astype(np.float32) / 255, [layer])[layer].reshape(COUNT, -1)
        distances, places = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(values).kneighbors(values[10:11])
        assert last.indices.tolist() == places[0, 1:].tolist()
        np.testing.assert_allclose(last.distances, distances[0, 1:], rtol=1e-3)
        assert [each.done for each in (*before, last)] == [*range(batch, COUNT, batch), COUNT]


def test_of_images_equally_near_the_first_are_found_and_never_the_one_left_out(
    model: Model, pixels: np.ndarray
) -> None:
    alike = np.repeat(pixels[:1, ..., None], 40, axis=0)
    found = [next(nearest(model, "conv", alike[0], alike, k=count, leave_out=2)) for count in (5, 100)]
    assert found[0].indices.tolist() == [0, 1, 3, 4, 5]
    assert len(found[1].indices) == 39


def test_the_nearest_training_images_are_found_for_a_layer(client: FlaskClient, found: Any) -> None:
    told = followed(client, "nearest", id=found["id"], image=3, layer="relu")
    assert (told["status"], told["title"], len(told["items"])) == ("done", "mine", 12)
    assert 3 not in [item["image"] for item in told["items"]]
    distances = [item["distance"] for item in told["items"]]
    assert distances == sorted(distances)
    assert told["items"][0]["picture"].startswith("data:image/png;base64,")
    unknown = ask(client, "nearest", id=found["id"], image=3, layer="nonsense", start=True)
    assert (unknown["status"], "has no layer 'nonsense'" in unknown["message"]) == ("failed", True)


def test_what_was_measured_can_be_fetched(client: FlaskClient, found: Any) -> None:
    told = client.get(f"/evaluate/of/{found['id']}/metrics.json").get_json()
    assert (told["set"], told["images"], len(told["confusion"])) == ("mine", COUNT, 3)
    text = client.get(f"/evaluate/of/{found['id']}/metrics.csv").text
    assert text.splitlines()[2].startswith("mine,α,44,")


def test_what_has_been_forgotten_is_said_so(client: FlaskClient) -> None:
    for path in ("gallery", "image", "nearest"):
        assert client.post(f"/evaluate/{path}", json={"id": "gone", "image": 0}).status_code == 404
    assert ask(client, "state", data="/never/asked")["status"] == "none"
    assert client.post("/evaluate/state", data="{}").status_code == 415


def test_selections_of_nonsense_are_taken_as_not_said() -> None:
    sent = {"true": 3, "predicted": -1, "show": "some", "low": "x", "high": 7, "order": 5}
    assert gallery.selection_of(sent, 3) == Selection()
    assert gallery.selection_of({"true": 2, "low": 0.5, "show": "wrong"}, 3) == Selection(2, None, "wrong", 0.5)


def steady(worker: Work, enough: Callable[[], bool]) -> str:
    """Goes on step by step until it is stopped."""
    for done in range(1, 10_000):
        if enough():
            return "enough"
        worker.step(done, 10_000)
        time.sleep(0.002)
    raise AssertionError("nobody stopped it")


def settled(worker: Work) -> Work:
    until = time.monotonic() + 20
    while not worker.over and time.monotonic() < until:
        time.sleep(0.005)
    return worker


def test_what_is_asked_for_twice_is_done_once_and_stops_when_it_is_told_to() -> None:
    desk = Desk()
    first = desk.begin("key", lambda worker: steady(worker, lambda: False))
    assert desk.begin("key", lambda worker: steady(worker, lambda: True)) is first
    waiting = desk.begin("other", lambda worker: "never")
    while not first.done:
        time.sleep(0.002)
    assert (first.status, waiting.status) == ("running", "waiting")
    waiting.stop()
    assert settled(waiting).status == "stopped"
    first.stop()
    assert (settled(first).status, first.message) == ("stopped", "Stopped.")
    assert settled(desk.begin("key", lambda worker: steady(worker, lambda: True))).result == "enough"


def test_work_that_nobody_looks_at_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "UNWATCHED", 0.05)
    worker = Desk().begin("key", lambda worker: steady(worker, lambda: False))
    assert (settled(worker).status, worker.message) == ("stopped", work.ALONE)
    with pytest.raises(Stopped):
        worker.step(1, 2)


def test_work_that_one_browser_leaves_goes_on_only_where_another_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "GRACE", 0.2)
    desk = Desk(at_once=2)
    left, watched = (desk.begin(key, lambda worker: steady(worker, lambda: False)) for key in ("left", "watched"))
    for worker in (left, watched):
        worker.leave()
    assert desk.known("watched") is watched
    assert (settled(left).status, left.message) == ("stopped", work.ALONE)
    assert not watched.over
    watched.stop()
    assert settled(watched).message == work.STOPPED


def test_a_matrix_of_many_classes_shows_those_with_the_most_mistakes() -> None:
    labels = np.repeat(np.arange(1000), 2)
    predicted = labels.copy()
    predicted[1980:1990] = 0  # both images of classes 990 to 994
    rows = np.full((2000, 1000), 1e-4, np.float32)
    rows[np.arange(2000), predicted] = 0.9
    metrics = measure(rows, labels, [f"c{number}" for number in range(1000)])
    shown = figures.shown_classes(metrics)
    assert len(shown) == figures.MOST_CLASSES
    assert {0, *range(990, 995)} <= set(shown.tolist())
    drawn = figures.confusion(metrics)
    assert len(drawn.data[0].x) == figures.MOST_CLASSES
    assert drawn.layout.meta == {"classes": shown.tolist()}
    assert figures.mistakes(metrics)[0] == {"true": 990, "predicted": 0, "count": 2}


def test_a_thousand_classes_can_be_evaluated_and_found(tmp_path: Path, pytorch: Backend) -> None:
    names = tuple(f"слово {number}" for number in range(1000))
    layers = Input(name="image", shape=(1, 3, 1)), Flatten(name="flatten"), Dense(name="logits", units=1000)
    softmax = Activation(name="softmax", function="softmax")
    network = Architecture(name="many", title="Many", layers=(*layers, softmax), classes=names)
    save_weights(tmp_path / "many.safetensors", network, initial_weights(network), {})
    np.savez(tmp_path / "mine.npz", images=np.random.default_rng(0).random((2000, 1, 3)), labels=np.repeat(names, 2))
    main = Dash("layerscope")
    main.layout = []
    add_evaluate_page(main, Services(model=str(tmp_path / "many.safetensors"), backend="pytorch"))
    client = main.server.test_client()
    told = followed(client, "state", data=str(tmp_path / "mine.npz"))
    assert (told["status"], told["count"], len(told["classes"])) == ("done", 2000, 1000)
    assert told["matrix_note"] == "The 60 of 1,000 classes with the most mistakes."
    place = next(place for place, each in enumerate(told["classes"]) if each["name"] == "слово 999")
    shown = ask(client, "gallery", id=told["id"], true=place)
    assert [item["true"] for item in shown["items"]] == ["слово 999"] * 2


def test_every_snapshot_of_a_run_can_be_evaluated(tmp_path: Path, pytorch: Backend) -> None:
    services = Services(model="dense", backend="pytorch", home=tmp_path)
    assert services.store
    id = services.store.create(RunConfig(model="dense", backend="pytorch", recipe=replace(FAST["dense"], epochs=2)))
    folder, network = services.store.folder(id), BUNDLED["dense"]
    for number in (0, 2):
        story = {"step": str(number * 10), "epoch": str(number), "position": ""}
        path = folder.snapshots_folder / f"epoch-{number:03}.safetensors"
        save_weights(path, network, initial_weights(network, number), story)
    with folder.held():
        folder.write_status(Status(state="done", step=20, steps=20, epoch=2, epochs=2))
    main = Dash("layerscope")
    main.layout = []
    add_evaluate_page(main, services)
    client = main.server.test_client()
    snapshots = client.get("/evaluate/choices").get_json()["snapshots"][f"run:{id}"]
    assert snapshots == [
        {"value": "epoch-002", "label": "epoch 2"},
        {"value": "epoch-000", "label": "before the first step"},
    ]
    sources = [f"run:{id}", f"run:{id}@epoch-002", f"run:{id}@epoch-000"]
    last, same, first = (followed(client, "state", model=source, data="digits") for source in sources)
    assert last["status"] == same["status"] == first["status"] == "done"
    assert last["id"] == same["id"] != first["id"]
    again = ask(client, "state", model=sources[0], data="digits", start=True)
    assert (again["status"], again["id"]) == ("done", last["id"])  # at once: it is kept
    shares = ask(client, "accuracies", model=sources[0], data="digits")
    assert list(shares) == ["epoch-000", "epoch-002"]
    shown = {each["name"]: each["words"] for each in first["numbers"]}
    assert f"{shares['epoch-000']:.2%}" == shown["accuracy"]
    assert ask(client, "accuracies", model=sources[0], data="test") == {}
    none = ask(client, "accuracies", model=sources[0], backend="nothing")
    assert none["fault"].startswith("There is no backend 'nothing'")
    unknown = followed(client, "state", model=f"run:{id}@epoch-009", data="digits")
    assert (unknown["status"], "epoch-009" in unknown["message"]) == ("failed", True)


def test_cells_are_shares_of_their_row_or_column() -> None:
    answers = Answers(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.full(4, 0.9, np.float32), 4, 1.0)
    rows = np.eye(2, dtype=np.float32)[answers.predicted]
    metrics = measure(rows, answers.labels, "ab")
    cells = {way: [list(row) for row in figures.confusion(metrics, way).data[0].text] for way in figures.NORMALISATIONS}
    assert cells["counts"] == [["2", "1"], ["", "1"]]
    assert cells["rows"] == [["66.7", "33.3"], ["", "100"]]
    assert cells["columns"] == [["100", "50.0"], ["", "50.0"]]
