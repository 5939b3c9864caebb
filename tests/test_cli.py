"""The command line as a user meets it: real processes, but where only words are at stake; output and exit status."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import layerscope
import numpy as np
import pytest
from layerscope.backends.base import Backend
from layerscope.cli import main
from layerscope.datasets.mnist import load_mnist
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import initial_weights, load_weights, save_weights
from layerscope.training.runs import RunStore

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `layerscope …` in an empty folder, with nothing of the user's own."""

    def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAYERSCOPE", "XDG"))}
        environment = {**kept, "HOME": str(tmp_path), **variables}
        command = [sys.executable, "-m", "layerscope", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    return call


def assert_one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """A fault: status 2, and nothing but one sentence on the terminal."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert re.fullmatch(r"layerscope: [^\n]*", result.stderr.strip()), result.stderr
    for word in words:
        assert word in result.stderr


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.returncode == 0
    commands = "serve export evaluate parity train runs download visualizers new-visualizer check models backends"
    for command in commands.split():
        assert re.search(rf"^ +{command} ", result.stdout, re.M), result.stdout


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from layerscope.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "layerscope.cli" in modules
    assert not {"numpy", "dash", "flask", "plotly", "rich", "scipy", "keras", "torch"} & set(modules)


def test_installed_command_is_the_same_program() -> None:
    command = Path(sys.executable).parent / "layerscope"
    result = subprocess.run([command, "--version"], capture_output=True, text=True)
    assert result.stdout == f"layerscope {layerscope.__version__}\n"


def test_models_are_listed_without_a_framework(run: Run) -> None:
    result = run("models")
    assert result.returncode == 0
    for name, network in BUNDLED.items():
        line = next(line for line in result.stdout.splitlines() if line.split()[:1] == [name])
        assert network.title in line
        assert f"{network.parameters:,}" in line


def test_backends_are_listed_with_their_state(run: Run) -> None:
    result = run("backends")
    assert result.returncode == 0
    for name, title in (("keras", "Keras"), ("pytorch", "PyTorch")):
        assert re.search(rf"^ +{name} +{title} +(installed|not usable) *$", result.stdout, re.M), result.stdout


def test_visualizers_are_listed_with_what_they_need(run: Run) -> None:
    result = run("visualizers")
    assert result.returncode == 0
    assert re.search(r"^ +feature_maps +Feature maps +a layer, an image *$", result.stdout, re.M), result.stdout


def test_a_visualizer_that_cannot_be_taken_is_named_with_the_reason(run: Run, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin-1.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (plugin / "entry_points.txt").write_text("[layerscope.visualizers]\nmoods = plugin:moods\n")
    (tmp_path / "plugin.py").write_text("raise RuntimeError('no moods today')\n")
    result = run("visualizers", PYTHONPATH=str(tmp_path))
    assert result.returncode == 0
    assert "feature_maps" in result.stdout
    assert result.stderr == "layerscope: Visualizer 'moods' was left out. RuntimeError: no moods today\n"


@pytest.fixture
def mirror(data_dir: Path) -> Iterator[str]:
    """The address of a local server with MNIST's published files."""
    handler = partial(SimpleHTTPRequestHandler, directory=data_dir / "mnist")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_mnist_is_downloaded_where_it_is_looked_for(run: Run, mirror: str) -> None:
    result = run("download", "--mirror", mirror)
    assert result.returncode == 0, result.stderr
    folder = Path(result.stdout.removeprefix("MNIST is in ").strip())
    assert len(load_mnist(folder, "train")) == 60_000
    assert "t10k-labels-idx1-ubyte.gz" in result.stderr


def test_download_without_a_network_is_one_sentence(run: Run, tmp_path: Path) -> None:
    result = run("download", "--to", str(tmp_path / "here"), "--mirror", "http://127.0.0.1:9/")
    assert_one_sentence(result, "could not be downloaded", "check the network", str(tmp_path / "here"))


@pytest.fixture
def untrained(tmp_path: Path) -> str:
    """A weights file of a small network that guesses."""
    layers = Input(name="input", shape=(28, 28, 1)), Flatten(name="flatten"), Dense(name="logits", units=10)
    softmax = Activation(name="softmax", function="softmax")
    network = Architecture(name="untrained", title="Untrained", layers=(*layers, softmax))
    save_weights(tmp_path / "untrained.safetensors", network, initial_weights(network))
    return str(tmp_path / "untrained.safetensors")


def test_evaluate_measures_every_set_that_is_there(run: Run, untrained: str, data_dir: Path) -> None:
    result = run("evaluate", untrained, "--data", str(data_dir), "--fail-under", "0.99")
    assert result.returncode == 1
    assert result.stderr.strip() == ""
    assert re.search(r"^ +MNIST test images +10,000 +\d\d?\.\d\d% +\d\d?\.\d\d% +\d\.\d{4} ", result.stdout, re.M), (
        result.stdout
    )
    assert re.search(r"^ +Pen strokes of writers not trained on +1,499 +\d\d?\.\d\d%", result.stdout, re.M)


def test_evaluate_measures_images_of_your_own_and_writes_what_it_prints(
    untrained: str,
    tmp_path: Path,
    backend: Backend,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = [*range(8), 7, 7]
    np.savez(tmp_path / "mine.npz", images=np.eye(10, 784).reshape(10, 28, 28), labels=labels)
    files = tmp_path / "found.json", tmp_path / "found.csv"
    options = "--backend", backend.name, "--data", "mine.npz", "--json", str(files[0]), "--csv", str(files[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["evaluate", untrained, *options]) == 0
    out, err = (re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text) for text in capfd.readouterr())
    assert re.search(r"mine… ━+ 10/10", err), err
    assert f"untrained in {backend.name}, 7,850 parameters" in out
    assert "7 classes with a single image: 0, 1, 2, 3, 4 and 2 more." in out
    told = json.loads(files[0].read_text())
    assert (told["model"], told["backend"]) == ("untrained", backend.name)
    [found] = told["sets"]
    names = "accuracy", "top_two", "loss", "precision", "recall", "f1", "calibration_error"
    words = [f"{found[name]:.4f}" if name == "loss" else f"{found[name]:.2%}" for name in names]
    assert re.search(rf"^ +mine +10 +{' +'.join(words)} ", out, re.M), out
    seven = found["classes"][7]
    shares = [f"{seven[name]:.2%}" for name in ("precision", "recall", "f1")]
    assert re.search(rf"^ +7 +3 +{' +'.join(shares)} *$", out, re.M), out
    with files[1].open() as lines:
        table = {(line["set"], line["class"]): line for line in csv.DictReader(lines)}
    assert {name: float(table["mine", ""][name]) for name in names} == {name: found[name] for name in names}
    assert float(table["mine", "7"]["f1"]) == seven["f1"]
    assert len(table) == 11


def test_evaluate_says_which_labels_do_not_fit(run: Run, untrained: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=np.zeros((12, 28, 28)), labels=np.arange(12))
    result = run("evaluate", untrained, "--data", str(tmp_path / "mine.npz"))
    assert_one_sentence(result, "other classes than the model", "12 classes")


def test_evaluate_without_data_is_one_sentence(run: Run, untrained: str, tmp_path: Path) -> None:
    result = run("evaluate", untrained, "--data", str(tmp_path))
    assert_one_sentence(result, "no test images", "--data", "LAYERSCOPE_DATA", str(tmp_path))


def test_evaluate_an_unknown_model_is_one_sentence(run: Run) -> None:
    assert_one_sentence(run("evaluate", "alexnet"), "'alexnet'", "cnn-compact")


def test_evaluate_a_damaged_file_is_one_sentence(run: Run, untrained: str) -> None:
    Path(untrained).write_bytes(Path(untrained).read_bytes()[:-100])
    assert_one_sentence(run("evaluate", untrained), "untrained.safetensors")


@pytest.mark.parametrize("share", ["99", "-1", "much", "nan"])
def test_a_share_that_is_none(share: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "cnn", f"--fail-under={share}"])
    assert f"a share is a number from 0 to 1. Received: {share}" in capfd.readouterr().err


def test_an_unknown_backend_is_one_sentence(run: Run) -> None:
    assert_one_sentence(run("serve", "--backend", "theano"), "'theano'", "keras", "pytorch")


def test_an_unknown_model_is_one_sentence(run: Run) -> None:
    assert_one_sentence(run("serve", "--model", "alexnet"), "'alexnet'", "cnn-compact")


def test_port_in_use_is_one_sentence(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run("serve", "--port", port, "--home", str(tmp_path / "home"))
    assert_one_sentence(result, port, "in use", "--port")
    assert "Traceback" in (tmp_path / "home" / "layerscope.log").read_text()


def test_debug_shows_where_a_fault_came_from(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]), "--debug")
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert "in use" in result.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(port: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", f"--port={port}"])
    assert f"a port is a number from 0 to 65535. Received: {port}" in capfd.readouterr().err


def test_a_home_that_cannot_be_written_to_is_said_and_does_no_harm(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]), "--home", str(tmp_path / "file"))
    first, second = result.stderr.splitlines()
    assert first.startswith("layerscope: There will be no log file, because ")
    assert "in use" in second


def test_export_writes_what_the_ending_names_and_says_so(run: Run, tmp_path: Path) -> None:
    result = run("export", "dense", "mine.onnx")
    assert (result.returncode, result.stdout, result.stderr) == (0, "mine.onnx was written.\n", "")
    assert (tmp_path / "mine.onnx").stat().st_size > 4 * BUNDLED["dense"].parameters
    assert run("export", "dense", "new folder/mine.safetensors").returncode == 0
    assert (tmp_path / "new folder" / "mine.safetensors").is_file()


def test_export_explains_what_it_cannot_do(run: Run, tmp_path: Path) -> None:
    assert_one_sentence(run("export", "dense", "mine.h5"), "must end in .safetensors or .keras", "Received: mine.h5")
    assert_one_sentence(run("export", "resnet", "mine.onnx"), "Only bundled networks", "Received: resnet")
    (tmp_path / "cut.safetensors").write_bytes(b"1234")
    assert_one_sentence(run("export", "cut.safetensors", "mine.onnx"), "is not a whole safetensors file")
    assert not (tmp_path / "mine.onnx").exists()


def test_export_takes_a_run_by_its_id(run: Run, tmp_path: Path) -> None:
    folder = RunStore(tmp_path).path / "20260101-000000-mine"
    (folder / "snapshots").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    network = BUNDLED["dense"]
    for epoch in (1, 2):
        weights, story = initial_weights(network, epoch), {"step": str(epoch), "epoch": str(epoch)}
        save_weights(folder / "snapshots" / f"epoch-00{epoch}.safetensors", network, weights, story)
    assert_one_sentence(run("export", "run:nothing", "mine.onnx", "--home", "."), "There is no run 'nothing'")
    for source, epoch in ((f"run:{folder.name}", 2), (f"run:{folder.name}@epoch-001", 1)):
        assert run("export", source, "mine.safetensors", "--home", ".").returncode == 0
        found = load_weights(tmp_path / "mine.safetensors", network)["logits"]["kernel"]
        assert (found == initial_weights(network, epoch)["logits"]["kernel"]).all()
