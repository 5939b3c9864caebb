"""Every component id of the training page, in one place."""

FIELDS = (
    "network", "architecture", "backend", "begin", "weights", "source", "path", "skip", "share", "validation", "epochs",
    "batch", "optimiser", "rate", "schedule", "augmentation", "dropout", "weight-decay", "momentum", "beta2",
    "label-smoothing", "seed", "title",
)  # fmt: skip
"""The form's fields, by the names that their values go by."""
RECIPE_FIELDS = (
    "validation", "epochs", "batch", "optimiser", "rate", "schedule", "augmentation", "dropout", "weight-decay",
    "momentum", "beta2", "label-smoothing",
)  # fmt: skip
"""Those that a recipe fills."""

PRESET = "preset"
PRESETS = "presets"
FILLED = "filled"
START = "start"
STARTED = "started"
LEARNT = "learnt"
"""What runs have learnt by now, as far as the page knows: changes whenever there is more to begin from."""
AGAIN = "again"
"""The id of a run whose settings are to fill the form."""
START_OVER = "start-over"
LOOK = "look"
"""Images of the user's own that are to be looked through before a run begins: the page does so, and answers with
`LOOKED`: the look's token, and whether unreadable pictures are left out."""
LOOKED = "looked"
FAULT = "form-fault"
NETWORK_WORDS = "network-words"
EDIT_LAYERS = "edit-layers"
DOWNLOAD_BUNDLED = "download-bundled"
OWN_DATA = "own-data"
OWN_WEIGHTS = "own-weights"
SKIP = "skip-field"
IMAGES_WORDS = "images-words"
"""Where the page says which classes the images have, and how the network fits them."""

CURVES = "curves"
FILTERS = "filters"
ANSWERS = "answers"


def field(name: str) -> str:
    """The control of one field of the form."""
    return f"field-{name}"


def value_of(name: str) -> str:
    """The property of that control that holds its value."""
    if name in ("augmentation", "dropout", "skip"):
        return "checked"
    return "data" if name == "architecture" else "value"
