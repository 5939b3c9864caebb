"""The layers of a network while they are edited on the page: plain data in, plain data out, nothing is remembered.

The page sends the draft it has with one edit, and gets the draft after it and what is known of each layer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...models.architecture import Architecture, ArchitectureError
from ...models.bundled import BUNDLED
from ...models.drafts import Described, Draft, Row, architecture_of, data_of, described, draft_from
from ...models.editing import (
    ADDABLE,
    EDITED,
    added,
    begun,
    changed,
    duplicated,
    moved,
    name_fault,
    removed,
    renamed,
    with_classes,
)
from ...models.fields import FIELDS, Field
from ...training.config import RunError
from ...visualizers.words import KINDS, shape_words
from .classes import fit
from .classes import words_of as words_of_classes

Sent = Mapping[str, Any]
EDITS: Mapping[str, Callable[[Draft, Sent], Draft]] = {
    "change": lambda draft, sent: changed(draft, int(sent["place"]), str(sent["field"]), sent["value"]),
    "rename": lambda draft, sent: renamed(draft, int(sent["place"]), str(sent["name"])),
    "add": lambda draft, sent: added(draft, str(sent["kind"]), int(sent["place"])),
    "duplicate": lambda draft, sent: duplicated(draft, int(sent["place"])),
    "remove": lambda draft, sent: removed(draft, int(sent["place"])),
    "move": lambda draft, sent: moved(draft, int(sent["place"]), int(sent["to"])),
    "classes": lambda draft, sent: with_classes(draft, [str(name) for name in sent["classes"]]),
}


def layers_of(sent: Sent) -> dict[str, Any]:
    """A draft after an edit, and what is known of it.

    Args:
        sent: `network`, a bundled one to begin with, or `draft`; an `edit`: its `action`, one of `EDITS`, and what
            that needs; and `classes` of the images that are chosen, where they are known.

    Returns:
        `draft`, `rows`, `kinds` that can be added, `words` about the whole and about its `classes`, `offers` of edits
        that would mend it (`label` and `edit`), `fault`: the first error, or None, and `refused`: the `place` of
        the layer that cannot have the name of this edit and why, in `words`, or None.

    Raises:
        RunError: there is no such network, draft or edit.
    """
    try:
        draft, edit = draft_in(sent), sent.get("edit") or {}
        told = _told(EDITS[edit["action"]](draft, edit) if edit else draft, sent.get("classes") or ())
        return {**told, "draft": {**told["draft"], "network": _base(sent)}, "refused": _refused(draft, edit)}
    except ArchitectureError as error:
        raise RunError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"This edit of a network cannot be made: {error!r}") from error


def _refused(draft: Draft, edit: Sent) -> dict[str, Any] | None:
    fault = name_fault(draft, int(edit["place"]), str(edit["name"])) if edit.get("action") == "rename" else None
    return {"place": int(edit["place"]), "words": fault} if fault else None


def _base(sent: Sent) -> str:
    """The bundled network that the form names beside the draft: the draft is let go when another one is chosen."""
    draft = sent.get("draft")
    return str((draft.get("network") if isinstance(draft, dict) else "") or sent.get("network") or "")


def draft_in(sent: Sent) -> Draft:
    """The draft that was sent, or the one that begins from the bundled network that was named.

    Raises:
        RunError: there is no such network.
        ArchitectureError: it is no draft.
    """
    return draft_from(sent["draft"]) if sent.get("draft") is not None else _begun(sent.get("network"))


def edited(data: Any) -> Architecture | None:
    """The network that the form's draft describes; None where it is the bundled network as it was.

    Raises:
        RunError: the draft is impossible.
    """
    try:
        own = architecture_of(draft_from(data)) if data else None
    except ArchitectureError as error:
        raise RunError(str(error)) from error
    bundled = BUNDLED.get(own.name.removesuffix(EDITED)) if own else None
    same = own and bundled and (own.layers, own.classes) == (bundled.layers, bundled.classes)
    return None if same else own


def words_of(network: Architecture) -> str:
    """How large a network is."""
    size = "×".join(map(str, network.input_shape[:2]))
    count = f"{len(network.layers)} layers, {network.parameters:,} parameters, {size} pixels"
    return f"{count}, {len(network.classes)} classes"


def _begun(network: Any) -> Draft:
    if network not in BUNDLED:
        raise RunError(f"There is no bundled network {network!r}; there are {', '.join(BUNDLED)}.")
    return begun(BUNDLED[network])


def _told(draft: Draft, classes: Sequence[str]) -> dict[str, Any]:
    known = described(draft)
    fault = next((each.error for each in known if each.error), None)
    parameters = sum(each.parameters or 0 for each in known)
    return {
        "draft": data_of(draft),
        "rows": [_row(row, each) for row, each in zip(draft.rows, known, strict=True)],
        "kinds": [{"value": kind, "label": KINDS.get(kind, kind)} for kind in ADDABLE],
        "words": f"{len(draft.rows)} layers, " + ("impossible as they are" if fault else f"{parameters:,} parameters"),
        "classes": f"It tells {words_of_classes(draft.classes)} apart.",
        "offers": list(_offers(draft, known[-1], tuple(map(str, classes)))),
        "fault": fault,
    }


def _offers(draft: Draft, end: Described, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Edits that give the network's end the classes it should have."""
    told = fit(draft.classes, classes) if classes else {"offer": None}
    if told["offer"]:
        yield {"words": told["words"], "label": told["offer"], "edit": {"action": "classes", "classes": classes}}
    units = end.output_shape[-1] if end.output_shape else None
    count = len(draft.classes)
    if units not in (None, count) and any(row.kind == "dense" for row in draft.rows):
        words = f"The end gives {units} values for {count} classes."
        edit = {"action": "classes", "classes": draft.classes}
        yield {"words": words, "label": f"Make it {count}", "edit": edit}


def _row(row: Row, known: Described) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": KINDS.get(row.kind, row.kind),
        "fields": [
            _field(FIELDS[name], row.settings[name]) for name in FIELDS if name in row.settings and name in SEEN
        ],
        "shape": shape_words(known.output_shape) if known.output_shape else "",
        "parameters": known.parameters,
        "error": known.error,
    }


SEEN = frozenset(FIELDS) - {"epsilon", "initialiser"}
"""The others keep their values: a table with all of them could not be read."""


def _field(field: Field, value: Any) -> dict[str, Any]:
    told = {"name": field.name, "title": field.title, "help": field.help, "form": field.form}
    return {**told, "low": field.low, "high": field.high, "options": list(field.options), "value": value}
