"""The user's own images: every way they may be stored, and every way in which they may be wrong."""

import io
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.datasets import own_content, own_files, own_pictures
from layerscope.datasets.base import Dataset, DatasetError
from layerscope.datasets.own import UnreadableError, load_own
from layerscope.datasets.splitting import split
from PIL import Image

RANDOM = np.random.default_rng(0)


def ink(height: int = 6, width: int = 5, channels: int = 1) -> np.ndarray:
    """A picture with a dark border."""
    picture = np.zeros((height, width, channels), np.uint8)
    picture[1:-1, 1:-1] = RANDOM.integers(1, 256, (height - 2, width - 2, channels))
    return picture[..., 0] if channels == 1 else picture


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            Image.fromarray(content).save(path)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes whose natural order is not that of their letters, in three scripts."""
    return write(tmp_path / "mine", {f"{name}/{n}.png": ink() for name in ("10", "2", "ほ") for n in range(3)})


def test_a_folder_per_class_is_read_in_natural_order_whatever_the_script(tmp_path: Path) -> None:
    pictures = {f"{name}/{file}.png": ink() for name in ("class 10", "Class 2", "ß", "七") for file in ("10", "9")}
    dataset = load_own(write(tmp_path / "mine", pictures))
    assert dataset.classes == ("Class 2", "class 10", "ß", "七")
    assert dataset.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    wanted = [pictures[f"{name}/{file}.png"] for name in dataset.classes for file in ("9", "10")]
    np.testing.assert_array_equal(dataset.images[..., 0], wanted)
    assert (dataset.title, dataset.name, dataset.notes) == ("mine", "own-train", ())
    assert not dataset.images.flags.writeable


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "webp", "gif", "bmp"])
def test_every_kind_of_picture(tmp_path: Path, suffix: str) -> None:
    plain = {f"{name}/1.{suffix}": np.full((8, 8), level, np.uint8) for name, level in (("a", 20), ("b", 90))}
    images = load_own(write(tmp_path, plain)).images
    assert images.shape == (2, 8, 8, 1)
    np.testing.assert_allclose(images.mean((1, 2, 3)), [20, 90], atol=3)


def test_colours_are_kept_on_request_only(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    write(tmp_path, {"red/1.png": red, "green/1.png": np.roll(red, 1, axis=2)})
    assert load_own(tmp_path, colour=True, invert=False).images[:, 0, 0].tolist() == [[0, 255, 0], [255, 0, 0]]
    assert load_own(tmp_path, invert=False).images[:, 0, 0, 0].tolist() == [150, 76]


def test_a_camera_s_orientation_transparency_and_sixteen_bits_are_understood(tmp_path: Path) -> None:
    write(tmp_path, {"a/plain.png": np.zeros((6, 4), np.uint8)})
    exif = Image.Exif()
    exif[own_pictures.ORIENTATION] = 6
    (tmp_path / "b").mkdir()
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "b" / "1-sideways.jpg", exif=exif)
    Image.new("RGBA", (4, 6), (0, 0, 0, 0)).save(tmp_path / "b" / "2-clear.png")
    Image.fromarray(np.full((6, 4), 128 * 257, np.uint16)).save(tmp_path / "b" / "3-deep.png")
    dataset = load_own(tmp_path, invert=False)
    assert dataset.images.shape[1:3] == (6, 4)
    assert dataset.images[:, 0, 0, 0].tolist() == [0, 0, 255, 128]
    assert not any("fitted" in note for note in dataset.notes)


def test_mixed_sizes_are_fitted_to_the_commonest_and_said(tmp_path: Path) -> None:
    write(tmp_path, {f"a/{n}.png": ink(8, 6) for n in range(5)} | {"b/1.png": ink(16, 12), "b/2.png": ink(4, 20)})
    dataset = load_own(tmp_path)
    assert dataset.images.shape == (7, 8, 6, 1)
    assert dataset.notes == ("Pictures of other sizes were fitted to 8×6, their aspect kept.",)
    assert load_own(tmp_path, size=(28, 30)).images.shape == (7, 28, 30, 1)
    np.testing.assert_array_equal(dataset.images[6, :3], 0)


@pytest.mark.parametrize(("invert", "swapped"), [("auto", True), (True, True), (False, False)])
def test_dark_ink_on_paper_is_inverted_unless_told_otherwise(tmp_path: Path, invert: Any, swapped: bool) -> None:
    picture = 255 - ink()
    dataset = load_own(write(tmp_path, {"a/1.png": picture, "b/1.png": 255 - ink()}), invert=invert)
    np.testing.assert_array_equal(dataset.images[0, ..., 0], 255 - picture if swapped else picture)
    assert any("swapped" in note for note in dataset.notes) == swapped


def test_light_ink_stays_and_mixed_borders_are_told(tmp_path: Path) -> None:
    write(tmp_path, {f"a/{n}.png": ink() for n in range(3)} | {"b/1.png": 255 - ink()})
    dataset = load_own(tmp_path)
    assert dataset.images[0, 0, 0, 0] == 0
    assert "25% of the images have a bright border, the others a dark one." in dataset.notes


DAMAGED = {
    "2/cut.png": (lambda whole: whole[:60], "damaged or incomplete"),
    "10/text.jpg": (lambda whole: b"this is no picture", "no picture of these kinds"),
    "ほ/empty.gif": (lambda whole: b"", "empty"),
}


def test_unreadable_pictures_are_named_and_counted_and_skipped_on_confirmation_only(folder: Path) -> None:
    whole = (folder / "2" / "0.png").read_bytes()
    write(folder, {name: damage(whole) for name, (damage, _) in DAMAGED.items()})
    with pytest.raises(UnreadableError, match=r"^3 of 12 pictures in mine cannot be read; .*2/cut\.png") as caught:
        load_own(folder)
    assert caught.value.files == {name: reason for name, (_, reason) in DAMAGED.items()}
    assert caught.value.total == 12
    dataset = load_own(folder, skip_unreadable=True)
    assert len(dataset) == 9
    assert dataset.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert "3 unreadable pictures left out: 10/text.jpg, ほ/empty.gif, 2/cut.png." in dataset.notes


def test_a_class_of_which_nothing_can_be_read_is_left_out(folder: Path) -> None:
    write(folder, {"zzz/1.png": b"nothing"})
    dataset = load_own(folder, skip_unreadable=True)
    assert dataset.classes == ("2", "10", "ほ")
    assert "No picture can be read of zzz." in dataset.notes


def test_nothing_readable_at_all_is_a_fault_even_if_skipping_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, {"a/1.png": b"nothing", "b/1.png": b"nothing"})
    with pytest.raises(UnreadableError, match="2 of 2 pictures"):
        load_own(tmp_path, skip_unreadable=True)


def bomb() -> bytes:
    """A small PNG file whose header promises 30,000 × 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_a_decompression_bomb_is_refused_by_its_header(folder: Path) -> None:
    write(folder, {"2/bomb.png": bomb()})
    with pytest.raises(UnreadableError, match=r"2/bomb\.png \(more than 40 megapixels\)"):
        load_own(folder)
    assert len(load_own(folder, skip_unreadable=True)) == 9


def test_huge_files_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_content, "LARGEST", 100)
    with pytest.raises(DatasetError, match=r"mine would take more than .*9 images of 6×5"):
        load_own(folder)
    monkeypatch.undo()
    monkeypatch.setattr(own_pictures, "LARGEST_FILE", 20)
    with pytest.raises(UnreadableError, match="9 of 9 pictures"):
        load_own(folder)
    monkeypatch.undo()
    with pytest.raises(DatasetError, match=r"give a size of at most 1024 on each side\. Received: 10×2000"):
        load_own(write(folder.parent / "wide", {f"{n}/1.png": ink(10, 2000) for n in "ab"}))


def test_a_class_with_one_picture_is_fine_but_told(folder: Path) -> None:
    write(folder, {"lonely/1.png": ink()})
    assert load_own(folder).notes == ("1 class with a single image: lonely.",)


def test_what_lies_beside_the_pictures_is_left_out_and_told_unless_systems_put_it_there(folder: Path) -> None:
    write(folder, {"2/notes.txt": b"x", "readme.md": b"x", "2/.hidden.png": b"x", ".git/1.png": b"x"})
    write(folder, {"Thumbs.db": b"x", "2/__MACOSX/1.png": b"x"})
    (folder / "nothing in it").mkdir()
    dataset = load_own(folder)
    assert len(dataset) == 9
    assert dataset.notes == (
        "Class folders without pictures left out: nothing in it.",
        "2 files of other kinds left out: notes.txt, readme.md.",
    )


def test_pictures_deeper_inside_belong_to_the_outer_folder(folder: Path) -> None:
    write(folder, {"2/anna/1.png": ink(), "2/ben/deeper/1.png": ink()})
    assert np.bincount(load_own(folder).labels).tolist() == [5, 3, 3]


def test_folders_called_train_and_test_are_parts_and_not_classes(tmp_path: Path) -> None:
    for part, count in (("train", 4), ("Test", 2)):
        write(tmp_path / part, {f"{name}/{n}.png": ink() for name in "ab" for n in range(count)})
    assert (len(load_own(tmp_path)), len(load_own(tmp_path, part="test"))) == (8, 4)
    (tmp_path / "Test").rename(tmp_path / "validation")
    with pytest.raises(DatasetError, match="must hold a folder test beside train, validation"):
        load_own(tmp_path, part="test")


def test_a_thousand_classes_and_one_more(tmp_path: Path) -> None:
    files = {f"{n}/1.png": np.full((2, 2), n % 100, np.uint8) for n in range(1001)}
    with pytest.raises(DatasetError, match=r"may have at most 1,000 classes. Received: 1,001"):
        load_own(write(tmp_path, files))
    (tmp_path / "1000" / "1.png").unlink()
    dataset = load_own(tmp_path)
    assert dataset.classes == tuple(str(n) for n in range(1000))
    assert "1,000 classes with a single image: 0, 1, 2, 3, 4 and 995 more." in dataset.notes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "must hold a folder of pictures for each class, named like the class. Received: 0 files and no folder"),
        ({"1.png": ink(), "2.png": ink()}, "a folder of pictures for each class.* Received: 2 files and no folder"),
        ({"a/x.txt": b"x"}, r"holds no pictures \(png, jpg.* in its folders. Received: a"),
        ({"only/1.png": ink(), "only/2.png": ink()}, "images of at least two classes. Received: only"),
    ],
)
def test_folders_that_teach_nothing_get_one_sentence(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_own(write(tmp_path, files))


def test_what_is_neither_folder_nor_known_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no file or folder nowhere"):
        load_own(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"x\.csv must be a folder of pictures per class, a \.npz file or a \.json"):
        load_own(write(tmp_path, {"x.csv": b"1,2"}) / "x.csv")
    with pytest.raises(DatasetError, match=r"The size must be at least 1×1. Received: 0×3"):
        load_own(tmp_path, size=(0, 3))


def test_the_checksum_follows_the_content(folder: Path) -> None:
    before = load_own(folder)
    assert load_own(folder).checksum == before.checksum
    assert load_own(folder, invert=True).checksum != before.checksum
    (folder / "2").rename(folder / "3")
    assert load_own(folder).checksum != before.checksum


def test_progress_counts_every_picture(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    load_own(folder, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 9) for n in range(1, 10)]


IMAGES = np.stack([ink() for _ in range(4)])
LABELS = np.array([1, 0, 2, 1])
COLOUR = np.stack([ink(6, 5, 3) for _ in range(4)])


@pytest.mark.parametrize(
    ("arrays", "wanted"),
    [
        ({"images": IMAGES, "labels": LABELS}, IMAGES),
        ({"X": IMAGES.astype(np.float32) / 255, "y": LABELS[:, None]}, IMAGES),
        ({"X_train": IMAGES[..., None], "Y_train": np.eye(3)[LABELS], "x_test": IMAGES[:1]}, IMAGES),
        ({"train_images": IMAGES.reshape(4, 30), "train_labels": LABELS.astype(float)}, IMAGES),
        ({"arr_0": IMAGES.astype(np.int64), "arr_1": LABELS}, IMAGES),
        ({"x": IMAGES.astype(np.uint16) * 257, "y": LABELS}, IMAGES),
        ({"x": IMAGES > 0, "y": LABELS}, (IMAGES > 0) * 255),
        ({"x": np.repeat(IMAGES[:, None], 3, axis=1), "y": LABELS}, IMAGES),
    ],
)
def test_arrays_in_every_usual_form(tmp_path: Path, arrays: dict[str, Any], wanted: np.ndarray) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    dataset = load_own(tmp_path / "mine.npz", size=(6, 5))
    np.testing.assert_array_equal(dataset.images[..., 0], wanted)
    assert dataset.labels.tolist() == LABELS.tolist()
    assert dataset.classes == ("0", "1", "2")


def test_arrays_of_colours_names_and_parts(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, x_train=COLOUR, y_train=["b", "a", "ü", "b"], x_test=COLOUR[:2], y_test=["b", "a"])
    dataset = load_own(path, colour=True)
    np.testing.assert_array_equal(dataset.images, COLOUR)
    assert dataset.classes == ("a", "b", "ü")
    assert len(load_own(path, part="test")) == 2
    test = load_own(path, part="test", classes=("ü", "a", "b"))
    assert (test.labels.tolist(), test.notes) == ([2, 1], (
        "2 classes with a single image: a, b.",
        "1 class without images: ü.",
    ))  # fmt: skip
    np.savez(path, x=COLOUR, y=LABELS, class_names=["eins", "zwei", "drei"])
    named = load_own(path, size=(12, 12))
    assert (named.classes, named.labels.tolist()) == (("eins", "zwei", "drei"), LABELS.tolist())
    assert named.images.shape == (4, 12, 12, 1)


ITEMS = [{"pixels": image.ravel().tolist(), "label": int(label)} for image, label in zip(IMAGES, LABELS, strict=True)]


@pytest.mark.parametrize(
    "data",
    [
        ITEMS,
        [{"pixels": image.tolist(), "label": str(n)} for image, n in zip(IMAGES, LABELS, strict=True)],
        {"images": IMAGES.tolist(), "labels": LABELS.tolist()},
        {"train_images": IMAGES.tolist(), "train_labels": np.eye(3)[LABELS].tolist()},
        {"x": (IMAGES / 255).tolist(), "y": LABELS.tolist(), "classes": ["0", "1", "2"]},
    ],
)
def test_a_json_list_of_pixels_and_labels(tmp_path: Path, data: Any) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(data))
    dataset = load_own(tmp_path / "mine.json", size=(6, 5))
    np.testing.assert_array_equal(dataset.images[..., 0], IMAGES)
    assert (dataset.labels.tolist(), dataset.classes) == (LABELS.tolist(), ("0", "1", "2"))


def test_rows_of_pixels_are_cut_into_squares_or_by_the_size_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([{"pixels": [0] * 8000 + [255] * 64, "label": n} for n in range(2)]))
    with pytest.raises(DatasetError, match=r"rows of 8064 pixels, which make no square; give the size"):
        load_own(path)
    assert load_own(path, size=(96, 84)).images.shape == (2, 96, 84, 1)
    path.write_text(json.dumps([{"pixels": [0] * 783 + [255], "label": n} for n in range(2)]))
    assert load_own(path).images.shape == (2, 28, 28, 1)
    assert load_own(path, size=(14, 14)).images.shape == (2, 14, 14, 1)


FAULTS: list[tuple[str, Any, str]] = [
    ("json", b'[{"pixels": [0', "is no whole JSON file; save it again"),
    ("json", b"\xff\xfe\x00nothing", "is no whole JSON file"),
    ("json", b"[" * 100_000, "is no whole JSON file"),
    ("json", b"3", "must be a list of .*Received: int"),
    ("json", b"[1, 2]", "must be a list of"),
    ("json", b"[]", "must hold images. Received: none"),
    ("json", {"pixels": [1]}, "must hold lists images and labels. Received: pixels"),
    ("json", [*ITEMS, {"pixels": ITEMS[0]["pixels"]}], "Item 5 of mine.json must have a label. Received: pixels"),
    ("json", [{"label": 1}], "Item 1 of mine.json must have pixels. Received: label"),
    ("json", [*ITEMS, {"pixels": [1, 2], "label": 1}], r"Image 5 of mine.json must be of the size of the first, \(30,"),
    ("json", [{"pixels": [[1, 2], [3]], "label": 1}], "Image 1 of mine.json must have rows of one length"),
    ("json", [{"pixels": "no", "label": 1}], "Image 1 of mine.json must hold numbers. Received: no"),
    ("json", [{"pixels": [0, 1, 2, 3], "label": {}}], "Label 1 of mine.json must be a number or a name"),
    ("json", [{"pixels": [0, 1, 2, 3], "label": -1}], "labels that are whole numbers from 0. Received: -1"),
    ("json", [{"pixels": [0, 1, 2, 3], "label": 1.5}], "labels that are whole numbers from 0. Received: 1.5"),
    ("json", {"images": [[0, 1, 2, 3]] * 2, "labels": [0, 2], "classes": ["a", "b"]}, "among a, b. Received: 0, 2"),
    ("json", {"images": [[0, 1, 2, 3]] * 2, "labels": [0]}, r"one label for each of 2 images. Received: .*\(1,\)"),
    ("npz", b"PK nothing", "is no whole .npz file"),
    ("npz", {"a": IMAGES}, r"must hold arrays images and labels \(or x and y\). Received: a"),
    ("npz", {"x": IMAGES}, "must hold arrays images and labels"),
    ("npz", {"x": IMAGES, "y": LABELS[:3]}, r"one label for each of 4 images. Received: labels of shape \(3,\)"),
    ("npz", {"x": IMAGES, "y": LABELS - 1}, "labels that are whole numbers from 0. Received: -1"),
    ("npz", {"x": IMAGES, "y": LABELS * np.nan}, "labels that are whole numbers from 0. Received: nan"),
    ("npz", {"x": IMAGES, "y": LABELS * 0}, "images of at least two classes. Received: 0"),
    ("npz", {"x": IMAGES, "y": LABELS, "classes": ["a", "b"]}, "labels among a, b. Received: 0, 1, 2"),
    ("npz", {"x": np.zeros((1001, 2, 2)), "y": np.arange(1001)}, "at most 1,000 classes; are these labels"),
    ("npz", {"x": IMAGES - 1.0, "y": LABELS}, "pixels from 0 to 1 or from 0 to 255. Received: from -1 to"),
    ("npz", {"x": IMAGES + np.inf, "y": LABELS}, "some are no number"),
    ("npz", {"x": IMAGES.astype(str), "y": LABELS}, "must hold pixels as numbers"),
    ("npz", {"x": IMAGES[..., None].repeat(4, -1), "y": LABELS}, "images of 1 or 3 channels. Received: .4, 6, 5, 4"),
    ("npz", {"x": IMAGES[0, 0], "y": LABELS}, r"must hold images as \(n, height, width\)"),
    ("npz", {"x": IMAGES.reshape(4, 30), "y": LABELS}, "rows of 30 pixels, which make no square"),
    ("npz", {"x": IMAGES[:0], "y": LABELS[:0]}, "must hold images. Received: none"),
]


@pytest.mark.parametrize(("kind", "data", "message"), FAULTS)
def test_files_that_cannot_be_used_get_one_sentence(tmp_path: Path, kind: str, data: Any, message: str) -> None:
    path = tmp_path / f"mine.{kind}"
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif kind == "json":
        path.write_text(json.dumps(data))
    else:
        np.savez(path, **data)
    with pytest.raises(DatasetError, match=message) as caught:
        load_own(path)
    assert "\n" not in str(caught.value)


def test_pickled_objects_are_never_unpacked(tmp_path: Path) -> None:
    class Tempting:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "it-ran",)

    np.savez(tmp_path / "mine.npz", x=np.array([Tempting()], object), y=[0])
    with pytest.raises(DatasetError, match=r"mine\.npz holds Python objects, which are never unpacked"):
        load_own(tmp_path / "mine.npz")
    assert not (tmp_path / "it-ran").exists()


def test_a_damaged_array_file_gets_one_sentence_wherever_it_is_cut(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=IMAGES, y=LABELS)
    whole = stream.getvalue()
    for length in (1, len(whole) // 3, len(whole) - 5):
        (tmp_path / "mine.npz").write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"is no whole \.npz file"):
            load_own(tmp_path / "mine.npz")
    changed = bytearray(whole)
    changed[len(whole) // 3] ^= 255
    (tmp_path / "mine.npz").write_bytes(changed)
    with pytest.raises(DatasetError, match=r"is no whole \.npz file"):
        load_own(tmp_path / "mine.npz")


def test_files_that_unpack_to_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "mine.npz", x=np.zeros((2**12, 2**10), np.uint8), y=np.arange(2**12) % 2)
    monkeypatch.setattr(own_files, "LARGEST_UNPACKED", 2**21)
    with pytest.raises(DatasetError, match=r"mine\.npz may unpack to at most 2 MB. Received: 4 MB"):
        load_own(tmp_path / "mine.npz")
    (tmp_path / "mine.json").write_text(json.dumps(ITEMS))
    monkeypatch.setattr(own_files, "LARGEST_JSON", 100)
    with pytest.raises(DatasetError, match=r"mine\.json may have at most 0 MB; save larger data as \.npz"):
        load_own(tmp_path / "mine.json")


def test_mnist_as_pictures_and_as_arrays_is_mnist(mnist_test: Dataset, tmp_path: Path) -> None:
    wanted = replace(mnist_test, images=mnist_test.images[:200], labels=mnist_test.labels[:200])
    for number, (image, label) in enumerate(zip(wanted.images, wanted.labels, strict=True)):
        write(tmp_path / "pictures", {f"{label}/{number}.png": image[..., 0]})
    order = np.argsort(wanted.labels, kind="stable")
    pictures = load_own(tmp_path / "pictures")
    np.testing.assert_array_equal(pictures.images, wanted.images[order])
    np.testing.assert_array_equal(pictures.labels, wanted.labels[order])
    np.savez(tmp_path / "mnist.npz", x_test=wanted.floats(slice(None))[..., 0], y_test=wanted.labels)
    arrays = load_own(tmp_path / "mnist.npz", part="test")
    np.testing.assert_array_equal(arrays.images, wanted.images)
    assert (arrays.classes, arrays.notes, pictures.notes) == (mnist_test.classes, (), ())


def test_faint_images_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.arange(16 * 4).reshape(4, 4, 4) // 4, y=[0, 1, 0, 1])
    assert load_own(tmp_path / "mine.npz").notes == ("No pixel is brighter than 15 of 255; the images will look dark.",)


def test_a_split_keeps_the_same_share_of_every_class_out() -> None:
    labels = np.repeat([0, 1, 2, 3], [100, 40, 10, 1])
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    dataset = Dataset(
        name="x", title="x", images=images, labels=labels, classes=tuple("abcd"), source="", checksum="sum"
    )
    rest, kept = split(dataset, 0.2, seed=3)
    assert np.bincount(kept.labels, minlength=4).tolist() == [20, 8, 2, 0]
    assert sorted([*rest.images.ravel(), *kept.images.ravel()]) == images.ravel().tolist()
    again = split(dataset, 0.2, seed=3)[1]
    np.testing.assert_array_equal(kept.images, again.images)
    assert kept.checksum == again.checksum
    assert (kept.images != split(dataset, 0.2, seed=4)[1].images).any()
    assert len({rest.checksum, kept.checksum, dataset.checksum, split(dataset, 0.2, seed=4)[1].checksum}) == 4
    assert len(split(dataset, 0.0)[1]) == 0
    assert np.bincount(split(dataset, 0.999)[0].labels).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match=r"from 0 to below 1\. Received: 1"):
        split(dataset, 1.0)
