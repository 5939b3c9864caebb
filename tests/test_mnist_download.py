"""Downloading MNIST from real servers that serve, break off, ignore ranges, corrupt, refuse and never end."""

import gzip
import hashlib
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from layerscope.datasets import download
from layerscope.datasets.base import DatasetError
from layerscope.datasets.download import download_mnist
from layerscope.datasets.mnist import FILES, Published, load_mnist

IMAGES = 40


def idx(values: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small files that count as the published ones, by name."""
    rng = np.random.default_rng(0)
    contents = {}
    for split, files in FILES.items():
        values = rng.integers(0, 256, (IMAGES, 28, 28)), np.arange(IMAGES) % 10
        entries = []
        for file, value in zip(files, values, strict=True):
            plain = idx(value)
            packed = contents[f"{file.name}.gz"] = gzip.compress(plain, mtime=0)
            entries.append(Published(file.name, hashlib.md5(packed).hexdigest(), hashlib.md5(plain).hexdigest()))
        monkeypatch.setitem(FILES, split, tuple(entries))
    return contents


@dataclass
class Mirror:
    """A server's behaviour, and what it was asked."""

    files: dict[str, bytes]
    ranges: bool = True
    breaks_after: int | None = None
    corrupts: bool = False
    status: int = 200
    delay: float = 0.0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def log_message(self, *_: object) -> None:
        """Keeps the test output quiet."""

    def do_GET(self) -> None:
        mirror, name = self.mirror, self.path.rpartition("/")[2]
        asked = self.headers.get("Range")
        mirror.asked.append((name, asked))
        time.sleep(mirror.delay)
        if mirror.status != 200 or name not in mirror.files:
            self.send_error(mirror.status if mirror.status != 200 else 404)
            return
        content = mirror.files[name]
        if mirror.corrupts:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and mirror.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:] if mirror.breaks_after is None else content[start:][: mirror.breaks_after])


@pytest.fixture
def serve(published: dict[str, bytes]) -> Iterator[Callable[..., Mirror]]:
    """Starts a mirror of the published files that behaves as told."""
    servers = []

    def start(**behaviour: object) -> Mirror:
        mirror = Mirror(**{"files": published, **behaviour})  # type: ignore[arg-type]
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHandler", (Handler,), {"mirror": mirror}))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        mirror.address = f"http://127.0.0.1:{server.server_port}/mnist/"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def unreachable() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def test_all_four_files_arrive_with_progress_and_load(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    heard: list[tuple[str, int, int]] = []
    folder = download_mnist(tmp_path / "new" / "mnist", [serve().address], lambda *news: heard.append(news))
    assert files_in(folder) == published
    assert len(load_mnist(folder, "train")) == IMAGES
    for name, content in published.items():
        assert (name, len(content), len(content)) in heard
    assert all(0 < done <= total for _, done, total in heard)


def test_what_is_there_is_not_fetched_again(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = serve()
    download_mnist(tmp_path, [mirror.address])
    assert len(mirror.asked) == 4
    damaged = tmp_path / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(b"damaged")
    download_mnist(tmp_path, [mirror.address])
    assert mirror.asked[4:] == [(damaged.name, None)]
    assert files_in(tmp_path) == published


def test_a_break_is_mended_where_it_happened(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    breaking, whole = serve(breaks_after=30), serve()
    download_mnist(tmp_path, [breaking.address, whole.address])
    assert files_in(tmp_path) == published
    assert {asked for _, asked in whole.asked} == {"bytes=30-"}


def test_a_part_left_by_an_earlier_call_is_completed(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="broke off after"):
        download_mnist(tmp_path, [serve(breaks_after=10).address])
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == [".part"]
    mirror = serve()
    download_mnist(tmp_path, [mirror.address])
    assert mirror.asked[0][1] == "bytes=20-"
    assert files_in(tmp_path) == published


def test_a_server_without_ranges_begins_again(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "t10k-labels-idx1-ubyte.gz.part").write_bytes(b"x" * 20)
    mirror = serve(ranges=False)
    download_mnist(tmp_path, [mirror.address])
    assert mirror.asked[0][1] == "bytes=20-"
    assert files_in(tmp_path) == published


@pytest.mark.parametrize("length", [20, 100_000])
def test_a_part_of_something_else_is_thrown_away(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path, length: int
) -> None:
    (tmp_path / "t10k-labels-idx1-ubyte.gz.part").write_bytes(b"x" * length)
    download_mnist(tmp_path, [serve().address])
    assert files_in(tmp_path) == published


def test_a_complete_part_needs_only_its_name(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    name = "t10k-labels-idx1-ubyte.gz"
    (tmp_path / f"{name}.part").write_bytes(published[name])
    download_mnist(tmp_path, [serve().address])
    assert files_in(tmp_path) == published


@pytest.mark.parametrize("behaviour", [{"corrupts": True}, {"status": 404}, {"status": 503}])
def test_the_next_mirror_helps_out(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path, behaviour: dict[str, object]
) -> None:
    bad, good = serve(**behaviour), serve()
    download_mnist(tmp_path, [bad.address, good.address])
    assert files_in(tmp_path) == published
    assert bad.asked


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"corrupts": True}, "sent a damaged file"),
        ({"status": 404}, "answered 404"),
        ({"breaks_after": 5}, "broke off"),
    ],
)
def test_without_a_good_mirror_one_sentence_says_why(
    serve: Callable[..., Mirror], tmp_path: Path, behaviour: dict[str, object], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        download_mnist(tmp_path, [serve(**behaviour).address])
    assert not list(tmp_path.glob("*.gz"))


def test_offline_gives_one_sentence(unreachable: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="check the network, or put the four published files into") as caught:
        download_mnist(tmp_path, [unreachable])
    assert "could not be reached" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_sends_without_end_is_stopped(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 100_000)
    endless = serve(files={name: bytes(10_000_000) for name in published})
    done: list[int] = []
    with pytest.raises(DatasetError, match="damaged"):
        download_mnist(tmp_path, [endless.address], lambda name, received, total: done.append(received))
    assert max(done) < 200_000
    assert not files_in(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(serve: Callable[..., Mirror], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="choose another folder"):
        download_mnist(tmp_path / "file" / "mnist", [serve().address])


def test_two_processes_at_once_fetch_each_file_once(
    serve: Callable[..., Mirror], published: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = serve(delay=0.3)
    files = tmp_path / "files.pickle"
    files.write_bytes(pickle.dumps(FILES))
    command = [sys.executable, "-c", DOWNLOAD, str(files), str(tmp_path / "mnist"), mirror.address]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(mirror.asked) == 4
    assert files_in(tmp_path / "mnist") == published


DOWNLOAD = """
import pickle, sys
from pathlib import Path
from layerscope.datasets.download import download_mnist
from layerscope.datasets.mnist import FILES
FILES.update(pickle.loads(Path(sys.argv[1]).read_bytes()))
download_mnist(Path(sys.argv[2]), [sys.argv[3]])
"""
