"""What all pages have in common: the look, the header with the way from page to page, and how a page joins the server.

Each page but the first is a Dash app of its own on the same server, so that the page one draws on gets not one
component more. A new page is a folder beside this file, a line in `PAGES`, and a call in `server.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dash import Dash, html
from flask import redirect
from flask.typing import ResponseReturnValue

THEME = {
    "primaryColor": "indigo",
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "defaultRadius": "md",
}

PAGES = {
    "": "Look",
    "compare": "Compare",
    "train": "Train",
    "evaluate": "Evaluate",
    "robustness": "Robustness",
    "data": "Data",
}
"""Path → title of every page, in the order of the header."""

SHARED_STYLES = ("page.css", "icons.css")
SHARED_SCRIPTS = ("scheme.js",)
META_TAGS = ({"name": "viewport", "content": "width=device-width, initial-scale=1"},)


def add_page(main: Dash, path: str, layout: Callable[[], Any], assets: Path, scripts: tuple[str, ...] = ()) -> Dash:
    """Adds a page to the server of the main page, in the same look.

    Args:
        main: the app of the page one draws on.
        path: one of `PAGES`, without slashes; the page is at `/path/`.
        layout: called at every load, so that whoever loads it again sees what there is by then.
        assets: folder with the page's own styles and scripts.
        scripts: of the main page's scripts, those that this page needs besides the one of light and dark.
    """
    app = Dash(
        f"layerscope-{path}",
        server=main.server,
        url_base_pathname=f"/{path}/",
        title=f"Layerscope · {PAGES[path]}",
        update_title=None,
        assets_folder=str(assets),
        external_stylesheets=[main.get_asset_url(name) for name in SHARED_STYLES],
        external_scripts=[main.get_asset_url(name) for name in (*SHARED_SCRIPTS, *scripts)],
        suppress_callback_exceptions=True,
        meta_tags=[*META_TAGS],
    )
    app.layout = layout

    def with_slash() -> ResponseReturnValue:
        return redirect(f"{path}/")

    app.server.add_url_rule(f"/{path}", path, with_slash)
    return app


def header(here: str, *pickers: Any, tools: tuple[Any, ...] = (), below: Any = None) -> Any:
    """The header of a page.

    Args:
        here: the page's path, one of `PAGES`.
        pickers: what is chosen for the whole page.
        tools: buttons at the end of the line.
        below: a line under it.
    """
    up = "../" if here else ""
    links = [
        html.A(
            title,
            href=f"{up}{path}/" if path else up or "./",
            className="page-link",
            **({"aria-current": "page"} if path == here else {}),
        )
        for path, title in PAGES.items()
    ]
    return html.Header(
        [
            html.Div(
                [html.Span(className="logo", **{"aria-hidden": "true"}), html.H1("Layerscope")], className="brand"
            ),
            html.Nav(links, className="page-links", **{"aria-label": "Pages"}),
            *pickers,
            html.Div(list(tools), className="header-tools"),
            *([] if below is None else [below]),
        ],
        className="header",
    )


def tool_button(name: str, label: str, id: str) -> Any:
    """A button that shows an icon, with words for those who do not see it."""
    return html.Button(id=id, title=label, className=f"tool-button icon icon-{name}", **{"aria-label": label})
