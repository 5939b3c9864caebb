"""From what the browser stores to the network's input, and back to a picture for the canvas."""

import base64
from io import BytesIO

import numpy as np
import orjson
import pytest
from layerscope.datasets.base import Dataset, DatasetError
from layerscope.drawing.ink import InkError, encode_ink
from layerscope.drawing.pipeline import Steps
from layerscope.drawing.strokes import draw_strokes
from layerscope.layouts.pictures import Source, data_url, prepared, sample_image
from PIL import Image

DRAWN = Source(encode_ink(draw_strokes([np.array([(0.25, 0.2), (0.75, 0.2), (0.4, 0.85)])])))
STAGES = ["ink", "invert", "crop", "scale", "centre", "input"]


@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 84, 1), (32, 32, 3)], ids=str)
@pytest.mark.parametrize("source", [Source(), DRAWN, Source(sample=(3, 0))], ids=["empty", "ink", "sample"])
def test_every_source_fits_every_input(mnist_test: Dataset, shape: tuple[int, int, int], source: Source) -> None:
    ready = prepared(source, mnist_test, shape, Steps())
    assert ready.image.shape == shape
    assert [stage.name for stage in ready.stages] == STAGES
    assert ready.empty == (source == Source())
    assert 0 <= ready.image.min() <= ready.image.max() <= 1


def test_a_source_is_stored_whole() -> None:
    for source in (Source(), DRAWN, Source(sample=(5, 12), label=5), Source("abc", label=0)):
        assert Source.of(orjson.loads(orjson.dumps(source.data))) == source
    assert Source.of(None) == Source()


def test_sources_that_cannot_be_read(mnist_test: Dataset) -> None:
    with pytest.raises(InkError, match="exactly 140×140 pixels"):
        prepared(Source("abc"), None, (28, 28, 1), Steps())
    with pytest.raises(DatasetError, match="numbered from 0 to"):
        prepared(Source(sample=(1, 99_999)), mnist_test, (28, 28, 1), Steps())


def test_a_sample_becomes_a_sharp_picture_for_the_canvas(mnist_test: Dataset) -> None:
    image = sample_image(mnist_test, (5, 12))[:, :, 0]
    header, _, text = data_url(image, 320).partition(",")
    picture = np.asarray(Image.open(BytesIO(base64.b64decode(text))))
    assert header == "data:image/png;base64"
    assert picture.shape == (320, 320)
    assert set(np.unique(picture)) == set(np.unique(image))
