"""The page of data sets over HTTP: what can be chosen, pages of images, means, ways into a network, and every fault."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient
from layerscope.datasets.base import Dataset
from layerscope.datasets.digits import load_digits
from layerscope.datasets.pendigits import find_pendigits, load_pendigits
from layerscope.drawing.fit import fit_images
from layerscope.drawing.fit_steps import fit_steps
from layerscope.drawing.pipeline import Steps
from layerscope.layouts.data import sheets
from layerscope.layouts.data.callbacks import add_data_page
from layerscope.layouts.data.choice import Choice
from layerscope.layouts.data.sources import Opened
from layerscope.layouts.pictures import Source, prepared
from layerscope.layouts.services import Services
from PIL import Image


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits()


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Of a server that finds neither MNIST nor pen strokes."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("mnist", "pendigits"):
            patch.setattr(f"layerscope.datasets.{module}.folders_in", only_given)
        yield Services(model="cnn-compact", backend="pytorch")


@pytest.fixture(scope="module")
def client(services: Services) -> FlaskClient:
    return client_of(services)


def only_given(data: Path | None, name: str) -> tuple[Path, ...]:
    return () if data is None else (data, data / name)


def client_of(services: Services) -> FlaskClient:
    main = Dash("layerscope")
    main.layout = []
    add_data_page(main, services)
    return main.server.test_client()


@pytest.fixture
def opened(client: FlaskClient) -> Callable[..., Any]:
    """What the server says of a data set, once it has read it."""

    def ask(**sent: Any) -> Any:
        while "opening" in (told := client.post("/data/open", json=sent).get_json()):
            pass
        return told

    return ask


def picture(client: FlaskClient, path: str) -> np.ndarray:
    reply = client.get(path)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    assert "immutable" in reply.headers["Cache-Control"]
    return np.asarray(Image.open(io.BytesIO(reply.data)))


def saved(path: Path, images: Any, labels: Any, **more: Any) -> str:
    np.savez(path, images=images, labels=labels, **more)
    return str(path)


def test_a_data_set_says_what_it_is_and_how_many_images_its_classes_have(
    digits: Dataset, opened: Callable[..., Any]
) -> None:
    told = opened(data="digits", part="test", path="/own")
    assert told["fault"] is None
    assert (told["count"], told["shape"], told["checksum"]) == (1797, [28, 28, 1], digits.checksum)
    assert told["classes"][3] == {"name": "3", "count": int((digits.labels == 3).sum())}
    assert "scikit-learn" in told["source"]


def test_a_page_of_a_class_is_one_picture_of_its_images(
    digits: Dataset, client: FlaskClient, opened: Callable[..., Any]
) -> None:
    id = opened(data="digits")["id"]
    sevens = digits.indices_of(7)
    items = client.get(f"/data/items/{id}/7/0").get_json()
    assert [index for index, _ in items] == sevens[: sheets.PAGE].tolist()
    sheet = picture(client, f"/data/sheets/{id}/7/0.png")
    assert np.array_equal(sheet[28:56, 56:84], digits.images[sevens[sheets.COLUMNS + 2], :, :, 0])
    last = client.get(f"/data/items/{id}/all/8").get_json()
    assert [index for index, _ in last] == list(range(1600, 1797))
    assert client.get(f"/data/items/{id}/10/0").status_code == 404
    assert client.get("/data/items/another/all/0").status_code == 404


def test_mean_images_are_the_means_whatever_is_added_up_at_a_time(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [np.rint(digits.images[digits.labels == label].mean(axis=0)) for label in range(10)]
    monkeypatch.setattr(sheets, "AT_ONCE", 100_000)
    np.testing.assert_allclose(sheets.mean_images(digits), np.stack(wanted), atol=1)


@pytest.mark.parametrize(
    ("shape", "input_shape"), [((28, 28, 1), (28, 28, 1)), ((30, 20, 3), (28, 28, 1)), ((8, 8, 1), (96, 84, 3))]
)
def test_the_steps_of_an_image_end_with_exactly_the_input(
    shape: tuple[int, int, int], input_shape: tuple[int, int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    steps = fit_steps(image, input_shape)
    assert np.array_equal(steps[0].image, image)
    assert np.array_equal(steps[-1].image, fit_images(image[None], input_shape)[0])
    assert steps[2].changes == (shape[2] != input_shape[2])
    assert steps[3].changes == (shape[:2] != input_shape[:2])


def test_the_page_is_told_shape_and_range_of_every_step(client: FlaskClient, opened: Callable[..., Any]) -> None:
    id = opened(data="digits")["id"]
    told = client.get(f"/data/steps/{id}/5?model=dense-84x96").get_json()
    assert [step["title"] for step in told["steps"]] == ["Stored pixels", "Divided by 255", "Channels", "Size", "Input"]
    assert (told["steps"][0]["type"], told["steps"][0]["high"]) == ("uint8", 255)
    assert told["steps"][-1]["shape"] == [1, 96, 84, 1]
    assert "28×28 is enlarged between pixels to 84×84" in told["steps"][3]["words"]
    assert "no model 'none'" in client.get(f"/data/steps/{id}/5?model=none").get_json()["fault"]


def looked(client: FlaskClient, path: str) -> dict[str, str]:
    reply = client.get(path)
    assert reply.status_code == 302
    address = urlsplit(reply.headers["Location"])
    assert address.path == "../../../"
    return {name: values[0] for name, values in parse_qs(address.fragment).items()}


def test_an_image_of_the_samples_is_named_as_one_and_any_other_by_its_data_set(
    digits: Dataset, services: Services, client: FlaskClient, opened: Callable[..., Any], tmp_path: Path
) -> None:
    place = digits.indices_of(4)[9]
    assert looked(client, f"/data/look/{opened(data='digits')['id']}/{place}?model=dense&backend=keras") == {
        "model": "dense", "backend": "keras", "sample": "4.9",
    }  # fmt: skip
    path = saved(tmp_path / "mine.npz", digits.images[:20], digits.labels[:20])
    address = looked(client, f"/data/look/{opened(data='own', path=path)['id']}/3")
    assert address["label"] == str(digits.labels[3])
    assert address["image"] == f"own.3:{path}"
    stored = services.stored(Source(image=address["image"]))
    assert stored
    assert np.array_equal(stored.image, digits.images[3])


def test_own_images_are_read_again_where_they_changed(
    digits: Dataset, opened: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "mine.npz"
    first = opened(data="own", path=saved(file, digits.images[:20], digits.labels[:20]))
    assert opened(data="own", path=str(file))["id"] == first["id"]
    second = opened(data="own", path=saved(file, digits.images[:30], digits.labels[:30]))
    assert (second["count"], second["id"] != first["id"]) == (30, True)


def test_a_thousand_classes_in_any_script_and_a_class_without_images(
    client: FlaskClient, opened: Callable[..., Any], tmp_path: Path
) -> None:
    names = [f"字{number}" if number % 2 else f"عدد {number}" for number in range(1000)]
    labels = np.repeat(np.arange(999), 2)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 9, 12), np.uint8)
    told = opened(data="own", path=saved(tmp_path / "many.npz", images, labels, classes=np.array(names)))
    assert [each["count"] for each in told["classes"]] == [2] * 999 + [0]
    assert told["classes"][1]["name"] == "字1"
    assert any("without images" in note for note in told["notes"])
    assert picture(client, f"/data/means/{told['id']}.png").shape == (9 * 32, 12 * 32)
    assert client.get(f"/data/items/{told['id']}/999/0").get_json() == []
    assert picture(client, f"/data/sheets/{told['id']}/999/0.png").max() == 0


def test_pictures_of_many_sizes_in_colour_are_fitted_and_reduced_to_tiles(
    client: FlaskClient, opened: Callable[..., Any], tmp_path: Path
) -> None:
    for place, (name, size) in enumerate([("a", (200, 100)), ("a", (200, 100)), ("b", (50, 80))]):
        folder = tmp_path / "shapes" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (250, 10, 10)).save(folder / f"{place}.png")
    told = opened(data="own", path=str(tmp_path / "shapes"), colour=True)
    assert (told["shape"], told["tile"], told["fault"]) == ([100, 200, 3], {"height": 32, "width": 64}, None)
    assert any("fitted to 100×200" in note for note in told["notes"])
    assert picture(client, f"/data/sheets/{told['id']}/all/0.png").shape == (32, 64 * 20, 3)


def test_images_of_one_class_can_be_looked_at(opened: Callable[..., Any], tmp_path: Path) -> None:
    told = opened(data="own", path=saved(tmp_path / "one.npz", np.zeros((3, 8, 8), np.uint8), ["ش"] * 3))
    assert (told["fault"], told["classes"]) == (None, [{"name": "ش", "count": 3}])


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"images": np.zeros((4, 8, 8))}, "arrays images and labels"),
        ({"images": np.zeros((0, 8, 8)), "labels": []}, "must hold images. Received: none"),
        ({"images": np.zeros((4, 8, 8)), "labels": [0, 1, 2, -1]}, "whole numbers from 0. Received: -1"),
        ({"images": np.zeros((4, 8, 8)), "labels": [0, 1, 2]}, "one label for each of 4 images"),
    ],
)
def test_data_that_cannot_be_shown_is_refused_in_one_sentence(
    opened: Callable[..., Any], tmp_path: Path, arrays: dict[str, Any], sentence: str
) -> None:
    np.savez(tmp_path / "wrong.npz", **arrays)
    assert sentence in opened(data="own", path=str(tmp_path / "wrong.npz"))["fault"]


def test_what_is_not_there_is_said(client: FlaskClient, opened: Callable[..., Any], tmp_path: Path) -> None:
    assert "The MNIST train images are not there" in opened(data="mnist-train")["fault"]
    assert "Name a folder" in opened(data="own", path=" ")["fault"]
    assert "no file or folder nowhere" in opened(data="own", path=str(tmp_path / "nowhere"))["fault"]
    assert "There is no data set called 'cats'" in opened(data="cats")["fault"]
    assert client.post("/data/open", data="data=digits").status_code == 415


def test_a_written_digit_goes_to_the_page_as_it_was_drawn(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_pendigits(data_dir)
    services = Services(model="cnn-compact", backend="pytorch", data=data_dir)
    monkeypatch.setattr("layerscope.layouts.data.sources.load_pendigits", lambda file: load_pendigits(file)[:30])
    client = client_of(services)
    while "opening" in (told := client.post("/data/open", json={"data": "pens"}).get_json()):
        pass
    found = services.sources.opened(told["id"])
    assert found
    address = looked(client, f"/data/look/{told['id']}/7")
    assert "off" not in address
    image = prepared(Source(address["ink"]), None, (28, 28, 1), Steps()).image
    np.testing.assert_allclose(image, found.dataset.floats([7])[0], atol=0.02)
    assert int(address["label"]) == found.dataset.labels[7]
    steps = client.get(f"/data/steps/{told['id']}/7").get_json()["steps"]
    assert [step["title"] for step in steps] == ["Ink", "Light on dark", "Cropped", "Scaled", "Centred", "Input"]


def test_the_samples_are_not_held_twice(data_dir: Path) -> None:
    services = Services(model="cnn-compact", data=data_dir)
    found = services.sources.open(Choice("mnist-test"))
    assert isinstance(found, Opened)
    samples: Dataset = services.samples[0]
    assert found.dataset is samples
    assert found.samples
