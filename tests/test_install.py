"""What a stranger gets: a wheel built from the repository's files, in an empty environment elsewhere."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.request import urlopen

import pytest
from layerscope.models.bundled import BUNDLED
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EXAMPLE = Path("examples/layerscope-example")

Install = Callable[[str], Path]
Serve = Callable[[Path], AbstractContextManager[str]]
Open = Callable[[str], AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """What a clone of the repository would hold, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"needs a git clone: {listed.stderr.strip()}")
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def clone(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's files in a folder that does not bear the package's name."""
    source = tmp_path_factory.mktemp("a clone")
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    return source


def built(source: Path) -> Path:
    """The wheel of a project."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist"]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(clone: Path) -> Path:
    """Layerscope's wheel."""
    return built(clone)


def pip_install(commands: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Installs into an environment; Python compiles of it what is imported, and no more."""
    command = [commands / "python", "-m", "pip", "install", "-q", "--no-compile", *arguments]
    return subprocess.run(command, cwd=commands, env=environment(), capture_output=True, text=True)


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Makes an environment with nothing but the wheel and what it asks for, and returns its folder of commands."""

    def make(extra: str) -> Path:
        home = tmp_path_factory.mktemp("environment")
        venv.create(home, with_pip=True)
        installed = pip_install(home / "bin", "-c", ROOT / "constraints.txt", f"{wheel}{extra}")
        if installed.returncode and os.environ.get("CI") != "true":
            pytest.skip(f"needs a package index: {installed.stderr.strip().splitlines()[-1]}")
        assert installed.returncode == 0, installed.stderr
        return home / "bin"

    return make


@pytest.fixture(scope="module")
def bare(install: Install) -> Path:
    """The commands of an environment without any framework."""
    return install("")


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Runs `layerscope serve` on a free port in an empty folder, without data; gives its address once it says so."""

    @contextmanager
    def running(commands: Path) -> Iterator[str]:
        command = [commands / "layerscope", "serve", "--port", "0"]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**environment(), "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stderr
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            try:
                assert address, line + process.stderr.read()
                yield address.group()
            finally:
                process.terminate()

    return running


@pytest.fixture
def opened(browser: Browser) -> Open:
    """Opens an address in a real browser."""

    @contextmanager
    def browse(address: str) -> Iterator[Page]:
        page = browser.new_page()
        page.goto(address)
        yield page
        page.close()

    return browse


def environment() -> dict[str, str]:
    """The variables of this process, without those that lead to packages or data of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LAYERSCOPE", "PYTHON", "XDG"))}


def run(command: Path, *arguments: str) -> str:
    where = {"cwd": command.parent, "env": environment()}
    return subprocess.run([command, *arguments], **where, capture_output=True, text=True, check=True).stdout


def test_the_wheel_holds_every_package_its_assets_and_its_weights_and_nothing_else(
    wheel: Path, files: list[Path]
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name) for name in archive.namelist() if ".dist-info/" not in name}
    packages = {file.parent for file in files if file.name == "__init__.py" and EXAMPLE not in file.parents}
    expected = {file for file in files if file.suffix == ".py" and file.parent in packages}
    expected |= {file for file in files if file.parts[0] == "layouts" and "assets" in file.parts}
    expected |= {Path("models/pretrained") / f"{name}.safetensors" for name in BUNDLED}
    assert held == {Path("layerscope") / file for file in [*expected, Path("py.typed")]}


def test_the_command_works_without_any_framework(bare: Path) -> None:
    assert "serve" in run(bare / "layerscope", "--help")
    assert re.search(r"cnn-compact .* 93,322", run(bare / "layerscope", "models"))
    listed = run(bare / "layerscope", "backends")
    assert "pip install 'layerscope[torch]'" in listed
    assert "pip install 'layerscope[keras]'" in listed


def test_the_page_is_served_without_any_framework_and_says_what_to_install(
    bare: Path, serve: Serve, opened: Open
) -> None:
    with serve(bare) as address:
        with urlopen(f"{address}assets/ink.js") as answer:
            assert answer.read() == (ROOT / "layouts" / "assets" / "ink.js").read_bytes()
        with urlopen(f"{address}train/assets/train.js") as answer:
            assert answer.read() == (ROOT / "layouts" / "train" / "assets" / "train.js").read_bytes()
        with opened(f"{address}#sample=3.0") as page:
            expect(page.get_by_text("layerscope[torch]").first).to_be_visible(timeout=30_000)
            expect(page.get_by_text("layerscope[keras]").first).to_be_visible()


@pytest.mark.browser
def test_one_framework_is_enough(install: Install, serve: Serve, opened: Open) -> None:
    with serve(install("[torch]")) as address, opened(f"{address}#sample=3.0") as page:
        expect(page.locator(".answer .digit")).to_have_text("3", timeout=60_000)
        expect(page.get_by_text("Keras (not installed)")).to_be_visible()
        expect(page.get_by_text("layerscope[keras]")).to_be_visible()
        assert page.get_by_text("layerscope[torch]").count() == 0


@pytest.fixture(scope="module")
def extended(clone: Path, wheel: Path, bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with Layerscope, the example package, and no framework.

    It is a copy of the bare one; what a copied command would start is the Python of the bare one, so they come anew.
    """
    home = tmp_path_factory.mktemp("extended") / "environment"
    shutil.copytree(bare.parent, home, symlinks=True)
    for options in (["--no-deps", "--force-reinstall", wheel], [built(clone / EXAMPLE)]):
        installed = pip_install(home / "bin", "--no-index", *options)
        assert installed.returncode == 0, installed.stderr
    return home / "bin"


def test_a_package_from_outside_adds_a_view_and_a_backend(extended: Path) -> None:
    views = run(extended / "layerscope", "visualizers")
    assert re.search(r"^ +activation_histogram +Histogram of activations +a layer, an image *$", views, re.M)
    assert re.search(r"^ +numpy +NumPy +installed *$", run(extended / "layerscope", "backends"), re.M)


def test_a_view_from_outside_is_checked_on_a_backend_from_outside(extended: Path) -> None:
    printed = run(extended / "layerscope", "check", "layerscope_example")
    assert "activation_histogram: passed" in printed
    assert re.search(r"^ +numpy +tiny-branches +\d+ ", printed, re.M), printed


def test_a_backend_from_outside_reads_digits_as_well_as_ours(extended: Path, data_dir: Path) -> None:
    printed = run(
        extended / "layerscope", "evaluate", "cnn-compact", "--backend", "numpy", "--data", str(data_dir),
        "--fail-under", "0.99",
    )  # fmt: skip
    assert re.search(r"MNIST test images +10,000 +99\.55%", printed), printed


def test_the_package_declares_what_it_imports_and_nothing_else(files: list[Path]) -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options"]["install_requires"] + config["options.extras_require"]["all"]
    declared = {canonicalize_name(Requirement(line).name) for line in listed.split("\n") if line}
    providers = packages_distributions()
    packages = {file.parent for file in files if file.name == "__init__.py" and EXAMPLE not in file.parents}
    imported = {
        canonicalize_name(providers[name][0])
        for file in files
        if file.suffix == ".py" and file.parent in packages
        for name in imported_names(ROOT / file) - sys.stdlib_module_names - {"layerscope"}
    }
    assert imported == declared


def imported_names(file: Path) -> set[str]:
    """Top-level names of everything a file imports from outside its own package, anywhere in it."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | named}
