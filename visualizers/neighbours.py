"""Files beside a plugin that it may import, and that are no plugins: those whose names begin with `_`."""

import sys
from collections.abc import Sequence
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType


def is_neighbour(file: Path) -> bool:
    """Whether plugins of the same folder may import this file."""
    return file.suffix == ".py" and file.name.startswith("_")


class Neighbours(MetaPathFinder):
    """Finds `_helper.py` of one folder for `import _helper`, wherever Python itself finds nothing of that name."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._digest = b""
        self._loaded: set[str] = set()

    def of(self, folder: Path) -> bytes:
        """Lets files of this folder be found from now on, and returns a digest of what they say.

        Those that were imported from another folder, or have changed since, are forgotten, so that the next import
        reads them again.
        """
        digest = _digest(folder)
        if (folder, digest) != (self._folder, self._digest):
            for name in self._loaded:
                sys.modules.pop(name, None)
            self._loaded.clear()
            self._folder, self._digest = folder, digest
        if self not in sys.meta_path:
            sys.meta_path.append(self)
        return digest

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The file of that name in the folder; see `importlib.abc.MetaPathFinder`."""
        if self._folder is None or path is not None:
            return None
        file = self._folder / f"{fullname}.py"
        if not (is_neighbour(file) and file.is_file()):
            return None
        self._loaded.add(fullname)
        return spec_from_file_location(fullname, file, loader=_Uncached(fullname, str(file)))


class _Uncached(SourceFileLoader):
    """Compiles the source every time: Python's cache cannot tell apart two versions of one second and size."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _digest(folder: Path) -> bytes:
    whole = blake2b(digest_size=8)
    for file in sorted(folder.glob("_*.py")):
        content = file.read_bytes() if file.is_file() else b""
        whole.update(f"{file.name} {len(content)} ".encode() + content)
    return whole.digest()


neighbours = Neighbours()
"""The one of this process: a plugin's own imports ask it, also those that it does later."""
