"""Files that a reader never meets half-written."""

import os
from pathlib import Path
from tempfile import mkstemp


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
