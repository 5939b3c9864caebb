"""What a run measures as TensorBoard reads it: `tensorboard --logdir HOME/runs`.

The event files lie beside `metrics.jsonl`, which is what counts. Each time that a run goes on it writes one more, which
begins by telling TensorBoard to forget what an earlier one said of the steps that are made again.
"""

import io
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

TAGS = {"loss": "loss/batch", "accuracy": "accuracy/batch", "learning_rate": "learning_rate"}
"""What a line about a step measures → what TensorBoard calls it; what stands before the stroke is one chart."""
EPOCH_TAGS = {
    "loss": "loss/epoch",
    "accuracy": "accuracy/epoch",
    "validation_loss": "loss/validation",
    "validation_accuracy": "accuracy/validation",
    "images_per_second": "images_per_second",
}
"""Likewise for a line about an epoch."""
MOST_STEPS = 1000
"""About so many steps of a run are written; TensorBoard shows no more of them."""


class Events:
    """Turns lines of metrics into the bytes of an event file, whichever framework trains.

    Without the package `tensorboard` there are none.
    """

    def __init__(self, step: int) -> None:
        """Begins a file of a run that has kept so many steps."""
        self._bytes = io.BytesIO()
        self._writer = _writer(self._bytes)
        if self._writer:
            from tensorboard.compat.proto.event_pb2 import SessionLog

            self._write(file_version="brain.Event:2")
            self._write(step=step + 1, session_log=SessionLog(status=SessionLog.START))

    def add(self, line: Mapping[str, Any], steps: int) -> None:
        """Takes a line about an epoch, or about a step of a run of so many steps, of which some are left out."""
        if not self._writer or ("epoch" not in line and line["step"] % max(1, steps // MOST_STEPS)):
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        tags = EPOCH_TAGS if "epoch" in line else TAGS
        values = [Summary.Value(tag=tags[name], simple_value=line[name]) for name in tags if line.get(name) is not None]
        self._write(step=line["step"], summary=Summary(value=values))

    def taken(self) -> bytes:
        """What has come since the last time."""
        content = self._bytes.getvalue()
        self._bytes.seek(0)
        self._bytes.truncate()
        return content

    def _write(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.write(Event(wall_time=time.time(), **fields).SerializeToString())


def next_file(folder: Path) -> Path:
    """The event file that comes after those of a run's folder; TensorBoard reads them in the order of their names."""
    return folder / f"events.out.tfevents.{len([*folder.glob('events.out.tfevents.*')]):06}"


def _writer(content: io.BytesIO) -> Any:
    try:
        # Neither TensorFlow nor PyTorch is imported by this.
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        log.info("Nothing is written for TensorBoard, which is not installed: pip install 'layerscope[tensorboard]'")
        return None
    return RecordWriter(content)
