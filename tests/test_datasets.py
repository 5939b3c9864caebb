"""Where images come from, and every way in which files can be damaged."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from layerscope.datasets.base import Dataset, DatasetError
from layerscope.datasets.digits import load_digits
from layerscope.datasets.mnist import find_mnist, load_mnist
from layerscope.datasets.pendigits import find_pendigits, load_pendigits
from layerscope.datasets.samples import choose, samples, samples_or_digits

IMAGES = "t10k-images-idx3-ubyte"
LABELS = "t10k-labels-idx1-ubyte"


def idx(values: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Neither `LAYERSCOPE_DATA` nor the user's own cache takes part; returns the cache that does."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.delenv("LAYERSCOPE_DATA", raising=False)
    monkeypatch.setattr("layerscope.datasets.base.cache_folder", lambda: cache)
    return cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with twelve test images in IDX files of MNIST's names, uncompressed."""
    (tmp_path / IMAGES).write_bytes(idx(np.arange(12 * 6 * 5).reshape(12, 6, 5) % 256))
    (tmp_path / LABELS).write_bytes(idx(np.arange(12) % 10))
    return tmp_path


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits()


def test_published_mnist(data_dir: Path) -> None:
    train = load_mnist(data_dir / "mnist", "train")
    assert train.images.shape == (60000, 28, 28, 1)
    assert "the published files" in train.source
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert (len(train), train.title, train.name) == (60000, "MNIST train images", "mnist-train")


def test_published_test_images(mnist_test: Dataset) -> None:
    assert mnist_test.images.shape == (10000, 28, 28, 1)
    assert mnist_test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_other_files_of_the_same_names_are_read_and_said_to_be_others(folder: Path) -> None:
    dataset = load_mnist(folder, "test")
    assert dataset.images.shape == (12, 6, 5, 1)
    assert dataset.images[1, 0, 0, 0] == 30
    assert dataset.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert "not those of the published MNIST" in dataset.source
    assert "MNIST" not in dataset.title


def test_compressed_and_dotted_names_give_the_same(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / f"{IMAGES}.gz").write_bytes(gzip.compress((folder / IMAGES).read_bytes()))
    (other / "t10k-labels.idx1-ubyte").write_bytes((folder / LABELS).read_bytes())
    assert load_mnist(other, "test").checksum == load_mnist(folder, "test").checksum


def test_the_checksum_follows_the_content(folder: Path) -> None:
    before = load_mnist(folder, "test").checksum
    (folder / LABELS).write_bytes(idx((np.arange(12) + 1) % 10))
    assert load_mnist(folder, "test").checksum != before


IMAGES_DAMAGE = {
    "wrong magic": (b"\x89PNG" + bytes(40), "must begin with the bytes 00000803"),
    "labels in their place": (idx(np.zeros(12)), "must begin with the bytes 00000803 .* Received: 00000801"),
    "half a header": (idx(np.zeros((12, 6, 5)))[:9], "header of 16 bytes. Received: 9 bytes"),
    "nothing": (b"", "must begin with"),
    "too short": (idx(np.zeros((12, 6, 5)))[:-7], r"must hold 360 bytes after its header \(12×6×5\).* Received: 353"),
    "too long": (idx(np.zeros((12, 6, 5))) + b"x", "must hold 360 bytes .* Received: more"),
    "absurd size": (bytes((0, 0, 8, 3)) + b"\xff" * 12, "at most .* Received: 4294967295×4294967295×4294967295"),
    "no image": (idx(np.zeros((0, 6, 5))), "at least one image .* Received: 0×6×5"),
    "another number of images": (idx(np.zeros((11, 6, 5))), "one label for each of the 11 images .* Received: 12"),
}


@pytest.mark.parametrize(("content", "words"), IMAGES_DAMAGE.values(), ids=IMAGES_DAMAGE.keys())
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_images_are_named(folder: Path, content: bytes, words: str, packed: bool) -> None:
    (folder / IMAGES).unlink()
    name = f"{IMAGES}.gz" if packed else IMAGES
    (folder / name).write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DatasetError, match=words) as caught:
        load_mnist(folder, "test")
    assert IMAGES in str(caught.value)


def test_labels_out_of_range_are_named(folder: Path) -> None:
    (folder / LABELS).write_bytes(idx(np.arange(12)))
    with pytest.raises(DatasetError, match=rf"{LABELS} must hold labels from 0 to 9. Received: 11"):
        load_mnist(folder, "test")


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-9],
        lambda packed: b"no gzip",
        lambda packed: packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:],
    ],
    ids=["truncated", "not compressed", "checksum"],
)
def test_damaged_compression_is_named(folder: Path, damage: object) -> None:
    packed = gzip.compress((folder / IMAGES).read_bytes())
    (folder / IMAGES).unlink()
    (folder / f"{IMAGES}.gz").write_bytes(damage(packed))  # type: ignore[operator]
    with pytest.raises(DatasetError, match=rf"{IMAGES}.gz cannot be read; fetch it again"):
        load_mnist(folder, "test")


def test_missing_labels_are_named(folder: Path) -> None:
    (folder / LABELS).unlink()
    with pytest.raises(DatasetError, match=f"must hold {LABELS}.gz"):
        load_mnist(folder, "test")


def test_mnist_is_found_in_the_order_data_environment_cache(
    folder: Path, nowhere_else: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(target: Path) -> Path:
        target.mkdir(parents=True)
        for name in (IMAGES, LABELS):
            (target / name).write_bytes((folder / name).read_bytes())
        return target

    def found(data: Path | None) -> Path | None:
        return find_mnist(data, splits=("test",))

    empty = tmp_path_factory.mktemp("empty")
    assert found(empty) is None
    cached = copy(nowhere_else / "mnist")
    assert found(empty) == cached
    environment = tmp_path_factory.mktemp("environment")
    in_environment = copy(environment / "mnist")
    monkeypatch.setenv("LAYERSCOPE_DATA", str(environment))
    assert found(None) == found(empty) == in_environment
    assert found(folder) == folder
    assert find_mnist(folder) is None


def test_pen_digits(data_dir: Path) -> None:
    path = find_pendigits(data_dir)
    assert path is not None
    digits = load_pendigits(path)
    assert len(digits) == 7494
    assert {digit.writer for digit in digits} == set(range(1, 31))
    assert (digits[0].label, digits[0].writer, len(digits[0].strokes)) == (8, 12, 1)
    np.testing.assert_allclose(digits[0].strokes[0][0], [267 / 500, 1 - 333 / 500], atol=1e-6)
    assert all(points.min() >= 0 and points.max() <= 1 for digit in digits for points in digit.strokes)
    assert sum(len(digit.strokes) for digit in digits) == 9433


def test_pen_digits_not_there(tmp_path: Path) -> None:
    assert find_pendigits(tmp_path) is None


GOOD = '.SEGMENT DIGIT 0 ? "8"\n.COMMENT 8 12 224\n.PEN_DOWN\n 1 2\n 3 4\n.PEN_UP\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must hold written digits"),
        (GOOD + " 1 x\n", "line 7, is not UNIPEN text of a digit. Received: ' 1 x'"),
        (GOOD.replace(".PEN_DOWN\n", ""), "line 3, is not UNIPEN"),
        (GOOD.replace('"8"', '"11"'), "line 1, must begin a digit with label, writer and points"),
        (GOOD.replace(".COMMENT 8 12 224\n", ""), "line 1, must begin a digit"),
        (".SEGMENT DIGIT\n", "line 1, "),
    ],
)
def test_damaged_pen_digits_are_named_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "pendigits-orig.tra.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(DatasetError, match=words):
        load_pendigits(path)


@pytest.mark.parametrize("content", [b"plain text", gzip.compress(b"x" * 999)[:-9], gzip.compress(b"\xff")])
def test_pen_digits_that_are_no_compressed_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pendigits-orig.tra.gz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="must be gzip-compressed UNIPEN text"):
        load_pendigits(path)


def test_bundled_digits_are_like_mnist(digits: Dataset) -> None:
    assert digits.images.shape == (1797, 28, 28, 1)
    assert "8×8" in digits.title
    rows, columns = np.indices((28, 28))
    for image in digits.images[:200, ..., 0].astype(float):
        drawn = np.nonzero(image)
        assert max(np.ptp(axis) + 1 for axis in drawn) == pytest.approx(20, abs=2)
        assert (rows * image).sum() / image.sum() == pytest.approx(14, abs=0.6)
        assert (columns * image).sum() / image.sum() == pytest.approx(14, abs=0.6)


def test_bundled_digits_are_read_as_digits_by_their_mnist_neighbours(digits: Dataset, mnist_test: Dataset) -> None:
    """Enlarged digits cannot be read as well as real ones, but far better than by chance."""
    known = mnist_test.floats(slice(None)).reshape(len(mnist_test), -1)
    asked = digits.floats(slice(300)).reshape(300, -1)
    nearest = ((known**2).sum(1) - 2 * asked @ known.T).argmin(1)
    assert (mnist_test.labels[nearest] == digits.labels[:300]).mean() > 0.75


def test_samples_are_mnist_where_it_is_there_else_the_bundled_digits(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert samples(folder).name == "mnist-test"
    assert samples(tmp_path_factory.mktemp("empty")).name == "digits"
    assert samples(None).name == "digits"


def test_damaged_samples_are_an_error_and_only_explicitly_replaced(folder: Path) -> None:
    assert samples_or_digits(folder)[1] is None
    (folder / IMAGES).write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=IMAGES):
        samples(folder)
    dataset, message = samples_or_digits(folder)
    assert dataset.name == "digits"
    assert message is not None
    assert IMAGES in message


def test_choosing_a_sample(folder: Path) -> None:
    dataset = samples(folder)
    assert [choose(dataset, 1, index) for index in (0, 1)] == [1, 11]
    assert choose(dataset, 7, rng=np.random.default_rng(0)) == 7
    assert {choose(dataset, 0) for _ in range(40)} == {0, 10}
    chosen = [choose(dataset, 0, rng=np.random.default_rng(5)) for _ in range(3)]
    assert len(set(chosen)) == 1


@pytest.mark.parametrize(
    ("digit", "index", "words"),
    [
        (1, 2, "has 2 images of 1, numbered from 0 to 1. Received: 2"),
        (1, -1, "Received: -1"),
        (10, 0, "has the classes 0, 1, .* Received: number 10"),
        (-1, None, "Received: number -1"),
    ],
)
def test_choosing_what_is_not_there(folder: Path, digit: int, index: int | None, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        choose(samples(folder), digit, index)


def test_choosing_a_digit_without_images(folder: Path) -> None:
    (folder / LABELS).write_bytes(idx(np.zeros(12)))
    with pytest.raises(DatasetError, match="has no image of 3"):
        choose(samples(folder), 3)


def test_a_data_set_gives_floats_and_positions_and_cannot_be_changed(folder: Path) -> None:
    dataset = load_mnist(folder, "test")
    floats = dataset.floats([1, 3])
    assert floats.shape == (2, 6, 5, 1)
    assert floats.dtype == np.float32
    assert floats[0, 0, 0, 0] == np.float32(30) / np.float32(255)
    assert dataset.indices_of(1).tolist() == [1, 11]
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 0


def test_arrays_that_are_no_data_set_are_refused() -> None:
    def dataset(images: np.ndarray, labels: np.ndarray) -> Dataset:
        return Dataset(name="x", title="x", images=images, labels=labels, classes=("0",), source="x", checksum="x")

    with pytest.raises(ValueError, match=r"uint8 \(n, height, width, channels\). Received: float64 \(2, 3, 3, 1\)"):
        dataset(np.zeros((2, 3, 3, 1)), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="one label for each of 2 images"):
        dataset(np.zeros((2, 3, 3, 1), np.uint8), np.zeros(3, np.int64))
