"""Files that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp


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
