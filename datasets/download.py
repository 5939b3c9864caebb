"""Fetching MNIST's four published files into a folder, safely and from more than one place."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .base import DatasetError
from .mnist import FILES, Published

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
ROUNDS = 2
"""How often each mirror is asked; what has arrived is kept, so a second round goes on where the first broke off."""
TIMEOUT = (5, 30)
"""Seconds to connect, and between two pieces."""
PIECE = 2**16
LARGEST = 32 * 2**20
"""Bytes; the largest of the four files has 10 MB."""

Progress = Callable[[str, int, int], None]
"""Called with the file's name, bytes that are there, and bytes in all (0 where the server does not say)."""


class _AttemptError(Exception):
    """Why one attempt failed."""


def download_mnist(target: Path, mirrors: Sequence[str] = MIRRORS, progress: Progress = lambda *_: None) -> Path:
    """Fetches what is missing of MNIST's four files.

    A file appears under its name only when its checksum is the published one. Until then it grows beside it as a
    `.part` file, from which the next attempt goes on if the server allows it. Two processes that do this at once take
    turns, and the second finds the files there.

    Args:
        target: the folder; made if need be.
        mirrors: addresses of folders that hold the files, tried in turn.
        progress: see `Progress`.

    Returns:
        The folder.

    Raises:
        DatasetError: no mirror could be reached or had the file undamaged, or the folder cannot be written.
    """
    try:
        with _alone_in(target):
            for file in (file for split in reversed(FILES.values()) for file in reversed(split)):
                _fetch(file, target, mirrors, progress)
    except OSError as error:
        raise DatasetError(f"MNIST cannot be stored in {target}; choose another folder. Received: {error}") from error
    return target


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Waits until no other process is downloading into the folder."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "download.lock"):
        yield


def _fetch(file: Published, target: Path, mirrors: Sequence[str], progress: Progress) -> None:
    name = f"{file.name}.gz"
    final, part = target / name, target / f"{name}.part"
    if final.is_file() and _md5(final) == file.md5:
        return
    faults = []
    for mirror in [*mirrors] * ROUNDS:
        try:
            _receive(f"{mirror.rstrip('/')}/{name}", part, lambda done, total: progress(name, done, total))
            _check(part, file.md5)
            part.replace(final)
            return
        except _AttemptError as error:
            faults.append(f"{mirror} {error}")
    raise DatasetError(
        f"{name} could not be downloaded; check the network, or put the four published files into {target}. "
        f"Received: {'; '.join(dict.fromkeys(faults))}"
    )


def _receive(url: str, part: Path, progress: Callable[[int, int], None]) -> None:
    """Adds to the part what is missing of it, or begins again where the server sends the whole file."""
    import requests  # Importing it takes a tenth of a second.
    from urllib3.exceptions import HTTPError

    there = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # Everything is there, or too much of it; the checksum tells.
            if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
                raise _AttemptError(f"answered {response.status_code} {response.reason}")
            if response.status_code == requests.codes.ok:
                there = 0
            total = there + int(response.headers.get("Content-Length", 0))
            with part.open("ab" if there else "wb") as stream:
                for piece in response.raw.stream(PIECE, decode_content=False):
                    there += stream.write(piece)
                    progress(there, total)
                    if there > LARGEST:
                        break  # The checksum will tell.
    except (requests.RequestException, HTTPError) as error:
        raise _AttemptError(f"broke off after {there} bytes" if there else "could not be reached") from error


def _check(part: Path, md5: str) -> None:
    """Throws away a part that is not the published file."""
    received = _md5(part)
    if received != md5:
        part.unlink()
        raise _AttemptError(f"sent a damaged file (MD5 {received})")


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
