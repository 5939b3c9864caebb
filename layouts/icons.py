"""Icons of the page: one span each, drawn by a CSS mask (see assets/icons.css) so that they take the text's colour."""

from typing import Any

from dash import html


def icon(name: str) -> Any:
    """The icon of that name; decoration only, its button carries the words."""
    return html.Span(className=f"icon icon-{name}", **{"aria-hidden": "true"})
