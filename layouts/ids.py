"""Every component id of the page, in one place."""

from typing import Literal

ADDRESS = "address"
SUBJECT = "subject"
NETWORK = "network"
SELECTION = "selection"
EDITS = "edits"
BESIDE = "beside"
ARRANGEMENT = "arrangement"
PANELS = "panels"
PICTURE = "picture"
NOTICE = "notice"
NOTICE_TEXT = "notice-text"
NOTICE_TRAIN = "notice-train"

MODEL = "model"
BACKEND = "backend"
BACKEND_MISSING = "backend-missing"
SCHEME = "scheme"
PROVIDER = "provider"
CHOICES = "choices"
"""What can be chosen, for a page's own scripts."""
COPY_LINK = "copy-link"

CANVAS = "canvas"
BRUSH = "brush"
UNDO = "undo"
REDO = "redo"
CLEAR = "clear"
UPLOAD = "upload"
DIGIT = "digit"
SAMPLE_INDEX = "sample-index"
SAMPLE_RANDOM = "sample-random"

SELECTED_LAYER = "selected-layer"
SELECTED_UNIT = "selected-unit"
SELECTED_POSITION = "selected-position"
SELECTED_TARGET = "selected-target"
SELECTED_RUN = "selected-run"
SECOND_PICTURE = "second-picture"
SECOND_DIGIT = "second-digit"
SECOND_INDEX = "second-index"
SECOND_MODEL = "second-model"
FACTOR = "factor"

GRID = "grid"
POPOVER = "popover"
ADD_PANEL = "add-panel"
EVERY_LAYER = "every-layer"

PanelPart = Literal["figure", "layer", "help", "settings", "remove", "fullscreen"]


def step(name: str) -> dict[str, str]:
    """The switch of one step of the drawing pipeline."""
    return {"type": "step", "step": name}


def panel(part: PanelPart, name: str) -> dict[str, str]:
    """One part of one panel."""
    return {"type": part, "panel": name}


def setting(panel_name: str, name: str) -> dict[str, str]:
    """The control of one setting of one panel."""
    return {"type": "setting", "panel": panel_name, "name": name}
