"""Wires the parts together: `create_app` for any WSGI server, `serve` for one of our own. Owns no state."""

import errno
import logging
import socket
import sys
from functools import partial
from pathlib import Path

from dash import Dash
from layerscope.layouts.callbacks import register
from layerscope.layouts.compare.callbacks import add_compare_page
from layerscope.layouts.data.callbacks import add_data_page
from layerscope.layouts.evaluate.callbacks import add_evaluate_page
from layerscope.layouts.frame import PAGES
from layerscope.layouts.page import page
from layerscope.layouts.robustness.callbacks import add_robustness_page
from layerscope.layouts.routes import register_routes
from layerscope.layouts.services import Services
from layerscope.layouts.train.callbacks import add_train_page
from layerscope.models.bundled import DEFAULT

log = logging.getLogger(__name__)

THREADS = 8


class ServeError(Exception):
    """The server cannot start; the message is one sentence for the user."""


def create_app(model: str = DEFAULT, backend: str = "", data: Path | None = None, home: Path | None = None) -> Dash:
    """The dashboard as a Dash app; `create_app().server` is a WSGI application.

    Args:
        model: what a page without an address shows: a bundled name, a file, or `package.module:attribute`.
        backend: `keras` or `pytorch`; the first installed one when empty.
        data: folder with MNIST; the user's cache and the bundled digits are looked at otherwise.
        home: folder that training runs are kept in; without one nothing can be trained.
    """
    services = Services(model=model, backend=backend, data=data, home=home)
    if services.executor:
        services.executor.watch()
    app = Dash(
        "layerscope",
        title="Layerscope",
        update_title=None,
        assets_folder=str(Path(__file__).parent / "layouts" / "assets"),
        suppress_callback_exceptions=True,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = partial(page, services)  # a page that is loaded again knows the plugins of that moment
    register(app, services)
    register_routes(app, services)
    add_train_page(app, services)
    data_page = add_data_page(app, services)
    robustness_page = add_robustness_page(app, services, data_page)
    add_compare_page(app, services, data_page, robustness_page)
    add_evaluate_page(app, services)
    return app


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    model: str = DEFAULT,
    backend: str | None = None,
    data: Path | None = None,
    home: Path | None = None,
    debug: bool = False,
) -> None:
    """Serves the dashboard until interrupted, and prints its address once it can really answer.

    With `debug`, Dash's own tools show callbacks and errors in the page; the server stays the same.

    Raises:
        ServeError: the address cannot be listened on; the message says why and what to do.
    """
    from waitress.server import create_server

    listener = _listen(host, port)
    app = create_app(model, backend or "", data, home)
    if debug:
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False, dev_tools_disable_version_check=True)
    # Dash's very first requests race with one another; this one is over before anybody else can ask.
    for path in PAGES:
        app.server.test_client().get(f"/{path}/" if path else "/")
    server = create_server(app.server, sockets=[listener], threads=THREADS, max_request_body_size=96 * 2**20)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    log.info("Serving %s on %s", model, address)
    print(f"Layerscope is ready: {address}   (Ctrl+C ends it)", flush=True)
    try:
        server.run()
    finally:
        server.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"Port {port} on {host} is in use; end the other program or choose another port with --port."
            ) from error
        raise ServeError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
    return listener


def main() -> int:
    """`python server.py` is `layerscope serve`."""
    from layerscope.cli import main as command_line

    return command_line(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    raise SystemExit(main())
