"""The robustness page over HTTP: sweeps that grow, stop and are shared, their worst images, and the way to them."""

import io
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient
from layerscope.backends.base import Backend, BackendError, Model
from layerscope.drawing.pipeline import Steps
from layerscope.evaluation.disturbances import BY_NAME
from layerscope.evaluation.robustness import Material
from layerscope.layouts.data.callbacks import add_data_page
from layerscope.layouts.data.choice import Choice
from layerscope.layouts.data.sources import Opened, Sources
from layerscope.layouts.pictures import Source, prepared
from layerscope.layouts.robustness.callbacks import add_robustness_page
from layerscope.layouts.robustness.sweeps import Wanted
from layerscope.layouts.services import Services
from PIL import Image

COUNT = 120
WANTED = {"networks": ["pytorch:cnn-compact", "pytorch:dense"], "disturbances": ["rotation", "blur"]}


@pytest.fixture(scope="module")
def services(pytorch: Backend) -> Services:
    return Services(model="cnn-compact", backend="pytorch")


@pytest.fixture(scope="module")
def sources(services: Services) -> Sources:
    return services.sources


@pytest.fixture(scope="module")
def digits(sources: Sources) -> Opened:
    while not isinstance(found := sources.open(Choice("digits")), Opened):
        pass
    return found


@pytest.fixture(scope="module")
def client(services: Services, sources: Sources) -> FlaskClient:
    main = Dash("layerscope")
    main.layout = []
    add_robustness_page(main, services, add_data_page(main, services))
    return main.server.test_client()


@pytest.fixture(scope="module")
def ask(client: FlaskClient, digits: Opened) -> Callable[..., Any]:
    def sent(what: str, viewer: str = "one", **more: Any) -> Any:
        given = {"viewer": viewer, "data": digits.id, "count": COUNT, **WANTED, **more}
        return client.post(f"/robustness/{what}", json=given).get_json()

    return sent


@pytest.fixture(scope="module")
def measured(ask: Callable[..., Any]) -> Any:
    """What the server says when a sweep is done."""
    ask("start")
    while (told := ask("state"))["job"]["status"] != "done":
        time.sleep(0.02)
    return told


def test_a_sweep_gives_every_curve_and_another_browser_sees_it(measured: Any, ask: Callable[..., Any]) -> None:
    assert measured["share"] == 1
    for told in measured["networks"]:
        turned = told["curves"]["rotation"]
        assert [point[0] for point in turned] == list(BY_NAME["rotation"].strengths)
        assert {point[4] for point in turned} == {COUNT}
        assert all(low <= accuracy <= high for _, accuracy, low, high, _ in turned)
    other = ask("state", viewer="two")
    assert (other["job"], other["share"], other["networks"]) == (None, 1, measured["networks"])
    assert ask("state", viewer="two", count=COUNT + 1)["share"] == 0


def test_one_network_in_two_frameworks_has_two_curves(measured: Any, ask: Callable[..., Any]) -> None:
    here, there = ask("state", viewer="two", networks=["pytorch:dense", "keras:dense", "fog:dense"])["networks"]
    assert (here["network"], here["share"]) == ("pytorch:dense", 1)
    assert (there["network"], there["share"], there["curves"]["blur"]) == ("keras:dense", 0, [])


def test_what_the_curves_say_is_a_sentence_of_all_networks(measured: Any) -> None:
    compact, dense = measured["networks"]
    said = measured["words"]["rotation"]
    turned = {point[0]: point[1] for point in compact["curves"]["rotation"]}
    gaps = {strength: abs(turned[strength] - accuracy) for strength, accuracy, *_ in dense["curves"]["rotation"]}
    assert re.fullmatch(
        r"Turned \d+ degrees (counter)?clockwise: CNN, compact .*; Dense net, one hidden layer .*\.", said
    )
    shares = [int(share) / 100 for share in re.findall(r"(\d+) %", said)]
    assert abs(shares[0] - shares[1]) == pytest.approx(max(gaps.values()), abs=0.015)


def test_the_worst_images_lead_to_the_page_as_the_model_got_them(
    measured: Any, ask: Callable[..., Any], client: FlaskClient, digits: Opened, services: Services
) -> None:
    told = ask("worst", network="pytorch:dense", disturbance="rotation", strength="60")
    assert told["count"] == COUNT
    assert told["worst"][0]["confidence"] == max(each["confidence"] for each in told["worst"])
    worst = told["worst"][0]
    path = f"/robustness/look/{digits.id}/rotation/60/{worst['number']}?network=pytorch:dense"
    address = urlsplit(client.get(path).headers["Location"])
    assert address.path == "../" * 5
    given = {name: values[0] for name, values in parse_qs(address.fragment).items()}
    source = Source(image=given["image"])
    image = prepared(source, services.stored(source), (28, 28, 1), Steps()).image
    number = worst["number"]
    disturbed = Material.of(digits.dataset, COUNT).disturbed(BY_NAME["rotation"], 60, range(number, number + 1))
    assert np.array_equal(image, disturbed[0])
    probabilities = services.open("dense", "pytorch").probabilities(image[None])[0]
    assert str(probabilities.argmax()) == worst["predicted"] != worst["label"] == given["label"]
    assert probabilities.max() == pytest.approx(worst["confidence"], abs=1e-4)


def test_pictures_show_what_a_strength_does(client: FlaskClient, digits: Opened) -> None:
    def pixels(path: str) -> np.ndarray:
        reply = client.get(f"/robustness/{path}")
        assert reply.status_code == 200
        return np.asarray(Image.open(io.BytesIO(reply.data)))

    material = Material.of(digits.dataset, 3)
    strip = pixels(f"strip/{digits.id}/rotation/2.png")
    assert strip.shape == (28, 28 * 11)
    stored = digits.dataset.images[material.order[2], :, :, 0]
    assert np.array_equal(strip[:, 28 * 5 : 28 * 6], stored)
    assert np.array_equal(strip[:, 28 * 10 :], np.rot90(stored, -1))
    assert np.array_equal(pixels(f"pictures/{digits.id}/rotation/90.png?numbers=0,2")[:, 28:], np.rot90(stored, -1))
    for wrong in ("rotation/91.png?numbers=0", "fog/1.png?numbers=0", "blur/1.png?numbers=99999", "blur/1.png"):
        assert client.get(f"/robustness/pictures/{digits.id}/{wrong}").status_code == 404


def test_a_stop_takes_effect_at_once_and_the_rest_is_measured_later(
    ask: Callable[..., Any], services: Services
) -> None:
    """With the slowest of the bundled networks, whose 200 images take a quarter of a second."""
    services.open("cnn", "pytorch")
    slow = {"networks": ["pytorch:cnn"], "count": 400, "disturbances": ["noise"]}
    ask("start", **slow)
    while ask("state", **slow)["share"] == 0:
        time.sleep(0.01)
    stopped = ask("stop", **slow)
    assert stopped["job"]["status"] == "stopped"
    time.sleep(0.2)
    share = ask("state", **slow)["share"]
    assert 0 < share < 1
    time.sleep(0.5)
    assert ask("state", **slow)["share"] == share
    quick = {**slow, "networks": ["pytorch:dense"]}
    ask("start", viewer="two", **quick)
    while ask("state", viewer="two", **quick)["job"]["status"] != "done":
        time.sleep(0.02)
    assert ask("state", **slow)["share"] == share


def test_a_model_that_cannot_be_measured_says_so_and_the_others_are(
    ask: Callable[..., Any], services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = services.pool.open

    def refused(source: str, backend: str | None = None) -> Model:
        if source == "cnn-batchnorm":
            raise BackendError("The weights are damaged.")
        return opening(source, backend)

    monkeypatch.setattr(services.pool, "open", refused)
    both = {"networks": ["pytorch:cnn-batchnorm", "pytorch:dense"], "count": 60, "disturbances": ["blur"]}
    ask("start", viewer="three", **both)
    while (told := ask("state", viewer="three", **both))["job"]["status"] != "done":
        time.sleep(0.02)
    broken, fine = told["networks"]
    assert (broken["fault"], fine["fault"]) == ("The weights are damaged.", None)
    assert len(fine["curves"]["blur"]) == len(BY_NAME["blur"].strengths)


def test_what_cannot_be_measured_is_refused(ask: Callable[..., Any]) -> None:
    assert "1 to 10,000 images. Received: 0" in ask("start", count=0)["fault"]
    assert "Received: fog" in ask("start", disturbances=["fog"])["fault"]
    assert ask("start", viewer="four", networks=["pytorch:/etc/passwd"])["job"] is None
    assert ask("state", data="unknown")["gone"]


def test_snapshots_of_a_run_are_measured_one_by_one(trained: Any) -> None:
    own = Services(model="cnn-compact", backend="pytorch", home=trained.home)
    run = f"run:{trained.id}"
    asked = [run, f"{run}@epoch-001", f"{run}@epoch-009", "run:nothing@epoch-001", "cnn-compact@epoch-001"]
    wanted = Wanted.of({**WANTED, "networks": [f"pytorch:{each}" for each in asked], "count": COUNT}, own)
    assert [each.model for each in wanted.networks] == [run, f"{run}@epoch-001"]
