"""A Dash app that does nothing but show the number it was sent: the least that one trip to the server can cost.

Like the drawing page, it sends while the pen moves, the next number only once the last answer has been painted.
"""

import socket

from dash import Dash, Input, Output, dcc, html

SCRIPT = """
let sent = 0, dirty = false, busy = false, pressed = false;
const send = () => {
  if (!dirty || busy) return;
  dirty = false;
  busy = true;
  probe.taken();
  dash_clientside.set_props("number", { data: ++sent });
};
addEventListener("mousedown", (event) => { pressed = !!event.target.closest("#paper"); });
addEventListener("mouseup", () => { pressed = false; });
addEventListener("mousemove", () => { if (pressed) { dirty = true; send(); } });
new MutationObserver((mutations) => {
  if (!mutations.some(({ target }) => target.parentElement?.closest("#echo") || target.id === "echo")) return;
  requestAnimationFrame(() => requestAnimationFrame(() => { busy = false; send(); }));
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


def create_app() -> Dash:
    """One number in, the same number out."""
    app = Dash("echo", update_title=None)
    app.index_string = app.index_string.replace("</footer>", f"</footer><script>{SCRIPT}</script>")
    paper = html.Div(id="paper", style={"width": 320, "height": 320, "border": "1px solid", "userSelect": "none"})
    app.layout = html.Div([paper, dcc.Store(id="number"), html.Div(id="echo", **{"data-panel": "echo"})])

    @app.callback(Output("echo", "children"), Input("number", "data"), prevent_initial_call=True)
    def echo(number: int) -> str:
        return str(number)

    return app


def main() -> None:
    """Serves on a free port, the way the dashboard is served, and prints the address."""
    from waitress.server import create_server

    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app()
    app.server.test_client().get("/")
    server = create_server(app.server, sockets=[listener], threads=8)
    print(f"Echo is ready: http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    server.run()


if __name__ == "__main__":
    main()
