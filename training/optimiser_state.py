"""What an optimiser has gathered, kept beside a run's last snapshot, so that a run goes on as if it had never stopped.

`NAME.optimiser` belongs to `NAME.safetensors` and is of the same kind. It is written first, and those of earlier
snapshots are removed last, so that the last snapshot has its own whenever a trainer is killed.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..backends.base import Optimiser, State
from ..models.files import write_whole

log = logging.getLogger(__name__)

SUFFIX = ".optimiser"
CHECKSUM, OPTIMISER = "sha256", "optimiser"


def keep_state(snapshot: Path, state: State, optimiser: Optimiser) -> None:
    """Writes what belongs to a snapshot that is about to be written; a backend that tells no state leaves no file.

    Raises:
        OSError: there is no room.
    """
    if state:
        tensors = {name: np.ascontiguousarray(array) for name, array in state.items()}
        about = {CHECKSUM: _checksum(tensors), OPTIMISER: json.dumps(asdict(optimiser))}
        write_whole(snapshot.with_suffix(SUFFIX), save(tensors, metadata=about))


def forget_others(snapshot: Path) -> None:
    """Removes what belongs to other snapshots: nobody goes on from them."""
    for path in snapshot.parent.glob(f"*{SUFFIX}"):
        if path.stem != snapshot.stem:
            path.unlink(missing_ok=True)


def state_of(snapshot: Path, optimiser: Optimiser) -> State:
    """What was kept beside a snapshot; empty, with a word in the log, where it is missing, damaged or another's."""
    path = snapshot.with_suffix(SUFFIX)
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        return _none(path, f"cannot be read: {error}")
    if about.get(CHECKSUM) != _checksum(tensors):
        return _none(path, "is damaged")
    if about.get(OPTIMISER) != json.dumps(asdict(optimiser)):
        return _none(path, "is another optimiser's")
    return tensors


def _none(path: Path, why: str) -> State:
    log.warning("The optimiser begins anew: %s %s.", path.name, why)
    return {}


def _checksum(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
