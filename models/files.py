"""Files that a reader never meets half-written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp, mkstemp


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside the file and renames; an existing file is replaced only once the new one is complete.

    Raises:
        OSError: it cannot be written; the old file is still there then, and nothing of the new one.
    """
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place once it is complete; its name ends as that of `path`.

    A file that is there already stays until then, and stays for good where writing fails.

    Args:
        path: the file wanted; its folder is made when missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    temporary = folder / path.name
    try:
        yield temporary
        temporary.replace(path)
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()
