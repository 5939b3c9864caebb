"""What all pages have in common: the look, the header with the way from page to page, and how a page joins the server.

Each page but the first is a Dash app of its own on the same server, so that the page one draws on gets not one
component more. A new page is a folder beside this file, a line in `PAGES`, and a call in `server.py`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dash_mantine_components as dmc
import orjson
from dash import ClientsideFunction, Dash, Input, dcc, html
from flask import redirect
from flask.typing import ResponseReturnValue

from ..visualizers.colours import CLEAR
from . import ids

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
SHARED_SCRIPTS = ("scheme.js", "elements.js")
META_TAGS = ({"name": "viewport", "content": "width=device-width, initial-scale=1"},)


def add_page(
    main: Dash,
    path: str,
    layout: Callable[[], Any],
    assets: Path,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
) -> Dash:
    """Adds a page to the server of the main page, in the same look.

    Args:
        main: the app of the page one draws on.
        path: one of `PAGES`, without slashes; the page is at `/path/`.
        layout: called at every load, so that whoever loads it again sees what there is by then.
        assets: folder with the page's own styles and scripts.
        scripts: addresses of other pages' scripts that this page needs, too; they are loaded before its own.
        styles: likewise.
    """
    app = Dash(
        f"layerscope-{path}",
        server=main.server,
        url_base_pathname=f"/{path}/",
        title=f"Layerscope · {PAGES[path]}",
        update_title=None,
        assets_folder=str(assets),
        external_stylesheets=[*(main.get_asset_url(name) for name in SHARED_STYLES), *styles],
        external_scripts=[*(main.get_asset_url(name) for name in SHARED_SCRIPTS), *scripts],
        suppress_callback_exceptions=True,
        meta_tags=[*META_TAGS],
    )
    app.layout = layout
    register_scheme(app)

    def with_slash() -> ResponseReturnValue:
        return redirect(f"{path}/")

    app.server.add_url_rule(f"/{path}", path, with_slash)
    return app


def register_scheme(app: Dash) -> None:
    """Makes the button of light and dark work, which every header has."""
    clientside(app, "switchScheme", Input(ids.SCHEME, "n_clicks"), prevent_initial_call=True)


def clientside(app: Dash, name: str, *arguments: Any, **options: Any) -> None:
    """Registers a callback that needs no server: a function of `window.dash_clientside.layerscope`, see assets/."""
    app.clientside_callback(ClientsideFunction("layerscope", name), *arguments, **options)


def framed(
    here: str,
    skip: str,
    parts: Any,
    *,
    stores: Sequence[Any] = (),
    top: Any = None,
    fault: Any = None,
    after: Sequence[Any] = (),
    look: str = "",
    choices: dict[str, Any] | None = None,
) -> Any:
    """A whole page: what all pages have in common around what this one shows.

    Args:
        here: the page's path, one of `PAGES`.
        skip: words of the link that skips the header.
        parts: of the page's main part.
        stores: what shows nothing and stands before everything else.
        top: the header, where it has more than the way from page to page.
        fault: where the page says that something did not work; a line of text without it.
        after: what floats over the page.
        look: classes of the main part; `HERE-page` without it.
        choices: what the page's scripts have to know, as JSON within the page.
    """
    known = {} if choices is None else {"data-choices": orjson.dumps(choices).decode()}
    return dmc.MantineProvider(
        [
            *stores,
            html.Button(skip, className="skip-link", id="skip-link"),
            top or header(here),
            fault or html.Div(className="notice-line", role="alert", id="page-fault", hidden=True),
            html.Main(parts, className=look or f"{here}-page"),
            html.Div(className="announcer", role="status", **{"aria-live": "polite"}),
            html.Div(id=ids.CHOICES, hidden=True, **known),
            *after,
        ],
        id=ids.PROVIDER,
        theme=THEME,
        defaultColorScheme="auto",
    )


def notice(*more: Any) -> Any:
    """Where a page that one draws on says what did not work; `more` stands below the sentence."""
    return dmc.Alert(
        [html.Div(id=ids.NOTICE_TEXT), *more],
        id=ids.NOTICE,
        hide=True,
        withCloseButton=True,
        color="red",
        variant="light",
        title="That did not work",
        className="notice",
    )


def header(here: str, *pickers: Any, tools: Sequence[Any] = (), below: Any = None) -> Any:
    """The header of a page.

    Args:
        here: the page's path, one of `PAGES`.
        pickers: what is chosen for the whole page.
        tools: at the end of the line, before the button of light and dark.
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
    scheme = tool_button("scheme", "Switch between light and dark", ids.SCHEME)
    return html.Header(
        [
            html.Div(
                [html.Span(className="logo", **{"aria-hidden": "true"}), html.H1("Layerscope")], className="brand"
            ),
            html.Nav(links, className="page-links", **{"aria-label": "Pages"}),
            *pickers,
            html.Div([*tools, scheme], className="header-tools"),
            *([] if below is None else [below]),
        ],
        className="header",
    )


def tool_button(name: str, label: str, id: str) -> Any:
    """A button that shows an icon, with words for those who do not see it."""
    return html.Button(id=id, title=label, className=f"tool-button icon icon-{name}", **{"aria-label": label})


def loading() -> Any:
    """Where the header says what the page waits for."""
    return html.Span(className="loading", role="status", **{"aria-live": "polite"})


def empty_graph(id: str, name: str) -> Any:
    """A figure without content, as high as the rules of `name` in the page's styles make it."""
    graph = dcc.Graph(
        id=id,
        figure={"data": [], "layout": {"paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR}},
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        style={"height": "100%"},
    )
    return html.Div(graph, className=name)
