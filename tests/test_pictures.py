"""From what the browser stores to the network's input, and back to a picture for the canvas."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import orjson
import pytest
from layerscope.datasets.base import DIGITS, Dataset, DatasetError
from layerscope.drawing.fit import fit_images
from layerscope.drawing.ink import InkError, encode_ink
from layerscope.drawing.pipeline import Steps
from layerscope.drawing.strokes import draw_strokes
from layerscope.layouts.callbacks import picture_of_stored
from layerscope.layouts.data.choice import Named
from layerscope.layouts.pictures import Source, Stored, data_url, prepared
from layerscope.layouts.services import Services
from PIL import Image

DRAWN = Source(encode_ink(draw_strokes([np.array([(0.25, 0.2), (0.75, 0.2), (0.4, 0.85)])])))
STAGES = ["ink", "invert", "crop", "scale", "centre", "input"]


@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 84, 1), (32, 32, 3)], ids=str)
@pytest.mark.parametrize("source", [Source(), DRAWN, Source(sample=(3, 0))], ids=["empty", "ink", "sample"])
def test_every_source_fits_every_input(mnist_test: Dataset, shape: tuple[int, int, int], source: Source) -> None:
    stored = Stored.sample(mnist_test, source.sample) if source.sample else None
    ready = prepared(source, stored, shape, Steps())
    assert ready.image.shape == shape
    assert [stage.name for stage in ready.stages] == STAGES
    assert ready.empty == (source == Source())
    assert 0 <= ready.image.min() <= ready.image.max() <= 1


def test_a_source_is_stored_whole() -> None:
    for source in (Source(), DRAWN, Source(sample=(5, 12), label=5), Source("abc", label=0), Source(image="digits.3")):
        assert Source.of(orjson.loads(orjson.dumps(source.data))) == source
    assert Source.of(None) == Source()


def test_sources_that_cannot_be_read(mnist_test: Dataset) -> None:
    with pytest.raises(InkError, match="exactly 140×140 pixels"):
        prepared(Source("abc"), None, (28, 28, 1), Steps())
    with pytest.raises(DatasetError, match="numbered from 0 to"):
        Stored.sample(mnist_test, (1, 99_999))


def test_a_sample_becomes_a_sharp_picture_for_the_canvas(mnist_test: Dataset) -> None:
    image = Stored.sample(mnist_test, (5, 12)).picture
    header, _, text = data_url(image, 320).partition(",")
    picture = np.asarray(Image.open(BytesIO(base64.b64decode(text))))
    assert header == "data:image/png;base64"
    assert picture.shape == (320, 320)
    assert set(np.unique(picture)) == set(np.unique(image))


NAMES = [
    "mnist-train.123",
    "own.7.test.96x84.colour.skip:/me/my letters.v2",
    "own.0:C:\\a.npz",
    "pens.3.noise_0.1",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_a_data_set_is_written_as_it_is_read(name: str) -> None:
    assert str(Named.of(name)) == name


@pytest.mark.parametrize("name", ["", "mnist-test", "mnist-test.x", "mnist-test.-1", "digits.1.big", "digits.1.test:"])
def test_what_names_no_image_is_said(name: str) -> None:
    with pytest.raises(DatasetError, match=r"such as mnist-test.123. Received: "):
        Named.of(name)


@pytest.fixture
def coloured(tmp_path: Path) -> tuple[str, np.ndarray]:
    """A file of images that are neither grey nor square nor as large as any network's input, and their pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 13, 9, 3), np.uint8)
    np.savez(tmp_path / "mine.npz", images=pixels, labels=["8", "3"] * 3)
    return str(tmp_path / "mine.npz"), pixels


@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 84, 1), (32, 32, 3)], ids=str)
def test_an_image_of_a_data_set_is_the_input_that_was_evaluated(
    coloured: tuple[str, np.ndarray], shape: tuple[int, int, int]
) -> None:
    path, pixels = coloured
    services, source = Services(model="dense"), Source(image=f"own.4.colour:{path}")
    stored = services.stored(source)
    assert stored
    assert np.array_equal(prepared(source, stored, shape, Steps()).image, fit_images(pixels[4:5], shape)[0])
    assert np.array_equal(stored.picture[:, 2:11], pixels[4])
    assert stored.picture.shape == (13, 13, 3)
    assert (stored.note, stored.label_in(DIGITS)) == ("mine: image 4, a 8.", 8)
    assert (stored.label_in("ab"), stored.label_in("abc")) == (1, None)


def test_the_paper_waits_for_a_data_set_and_says_what_is_wrong_with_it(coloured: tuple[str, np.ndarray]) -> None:
    services, image = Services(model="dense"), f"own.4.colour:{coloured[0]}"
    while "reading" in (told := picture_of_stored(services, image)):
        assert set(told["reading"]) == {"done", "total"}
    picture = Image.open(BytesIO(base64.b64decode(told["picture"].partition(",")[2])))
    assert (picture.size, picture.mode, told["note"]) == ((320, 320), "RGB", "mine: image 4, a 8.")
    for wrong, sentence in {
        f"own.6:{coloured[0]}": "mine has 6 images, numbered from 0. Received: 6",
        "own.6:/nowhere/letters": "There is no file or folder letters",
        "cats.6": "There is no data set called 'cats'",
        "digits.6.fog_1": "Received: fog",
        "digits.6.blur_99": "Strengths of Blur are .* Received: 99",
    }.items():
        with pytest.raises(DatasetError, match=sentence):
            services.stored(Source(image=wrong))
