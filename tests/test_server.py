"""The server: one that can really answer when it says so, for many at once, and one sentence when it cannot start."""

import base64
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from layerscope.layouts.wire import unpacked
from layerscope.server import ServeError, create_app, serve


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    """The dashboard without a network."""
    return create_app("cnn-compact", "pytorch").server.test_client()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server on a free port, ended as a terminal ends it."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "layerscope", "serve", "--port", "0", "--home", str(home)]
    # A shell that starts the tests in the background has them ignore the signal, and whatever they start.
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=listening) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield line.split(": ", 1)[1].split()[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) in (0, 130)
        finally:
            process.kill()
    assert (home / "layerscope.log").is_file()


def test_the_page_brings_everything_from_here(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "<title>Layerscope</title>" in page.text
    assert re.findall(r'(?:src|href)="https?://[^"]*"', page.text) == []
    for asset in ("ink.js", "live.js", "page.js", "wire.js", "page.css"):
        assert f"/assets/{asset}" in page.text
        assert client.get(f"/assets/{asset}").status_code == 200


def test_every_callback_is_known_to_the_browser(client: FlaskClient) -> None:
    outputs = {entry["output"] for entry in client.get("/_dash-dependencies").get_json()}
    assert any("panels.data" in output for output in outputs)
    layout = client.get("/_dash-layout").text
    for id in ("canvas", "model", "backend", "digit", "upload", "grid"):
        assert f'"id":"{id}"' in layout


def test_the_models_that_can_be_chosen_are_told(client: FlaskClient) -> None:
    told = client.get("/models").get_json()
    assert {"value": "cnn-compact", "label": "CNN, compact"} in told["model"]
    assert {"pytorch:dense", "keras:dense"} <= {option["value"] for option in told["second"]}


def test_what_is_being_opened_is_told(client: FlaskClient) -> None:
    for query in ("", "?model=cnn-compact&backend=pytorch", "?model=alexnet&backend=theano"):
        assert client.get(f"/loading{query}").get_json() is None


def test_two_apps_in_one_process_have_callbacks_of_their_own() -> None:
    one, two = (create_app("dense").server.test_client().get("/_dash-dependencies").get_json() for _ in range(2))
    assert len(one) == len(two) > 10


def test_no_framework_is_imported_before_a_model_is_opened() -> None:
    script = (
        "import sys; from layerscope.server import create_app; app = create_app(); app.server.test_client().get('/')\n"
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_address_is_printed_once_it_answers(address: str) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    started = time.monotonic()
    assert requests.get(address, timeout=10).status_code == 200
    assert time.monotonic() - started < 2


def test_many_browsers_arrive_at_once(address: str) -> None:
    def visited(_: int) -> list[int]:
        paths = ("", "_dash-layout", "_dash-dependencies", "assets/live.js", "loading?model=cnn&backend=pytorch")
        return [requests.get(address + path, timeout=30).status_code for path in paths]

    with ThreadPoolExecutor(16) as pool:
        assert {code for codes in pool.map(visited, range(32)) for code in codes} == {200}


def ask(address: str, **question: Any) -> requests.Response:
    """What a browser sends at every stroke, and when anything else has changed."""
    return requests.post(f"{address}answer", json=question, timeout=60)


SUBJECT = {"model": "dense", "backend": "pytorch", "off": []}
PANELS = {"model": "dense", "panels": [{"id": "a", "visualizer": "layer_table"}]}


def test_a_question_gets_an_answer_over_the_wire(address: str, pytorch: object) -> None:
    reply = ask(address, ink={"serial": 4, "sample": [3, 0], "label": 3}, subject=SUBJECT, panels=PANELS)
    assert reply.status_code == 200
    given = unpacked(reply.content)
    assert given["serial"] == 4
    assert given["fault"] is None
    assert sum(given["prediction"]["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert "figure" in given["panels"]["a"]


def test_a_fault_over_the_wire_is_a_sentence_and_no_error(address: str) -> None:
    reply = ask(address, ink={}, subject={**SUBJECT, "model": "os:getcwd"}, panels=PANELS)
    assert reply.status_code == 200
    assert unpacked(reply.content)["fault"].startswith("There is no model 'os:getcwd'")


@pytest.mark.parametrize("question", [{}, {"ink": {}, "subject": {}, "panels": PANELS}, {"ink": 3, "subject": SUBJECT}])
def test_a_question_that_no_page_asks_is_refused_in_a_sentence(address: str, question: dict[str, Any]) -> None:
    reply = ask(address, **question)
    assert reply.status_code == 400
    assert reply.text.startswith("This is no question of the page's: ")


def test_an_upload_of_any_size_that_is_refused_in_words_gets_through(address: str) -> None:
    body = base64.b64encode(bytes(50 * 2**20))
    assert requests.post(f"{address}loading", data=body, timeout=60).status_code == 405


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError) as error:
            serve(port=port)
    way_out = "end the other program or choose another port with --port."
    assert str(error.value) == f"Port {port} on 127.0.0.1 is in use; {way_out}"


def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    with pytest.raises(ServeError, match=r"^Cannot listen on 203\.0\.113\.7:8050: .+\.$"):
        serve(host="203.0.113.7")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "not an address"])
def test_a_host_that_is_none_is_one_sentence(host: str) -> None:
    with pytest.raises(ServeError, match=f"^Cannot listen on {host}:0: .+"):
        serve(host=host, port=0)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_the_newer_internet_protocol_gets_an_address_that_can_be_clicked() -> None:
    command = [sys.executable, str(Path(__file__).parents[1] / "server.py"), "--host", "::1", "--port", "0"]
    environment = {**os.environ, "XDG_DATA_HOME": os.devnull}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            found = re.search(r"http://\[::1\]:\d+/", process.stdout.readline())
            assert found
            assert requests.get(found[0], timeout=10).status_code == 200
        finally:
            process.terminate()
