"""What `make` needs of a machine, and what it says where that is missing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

Program = Callable[[str, str], Path]


def create_venv(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Runs the script that makes .venv, in an empty folder."""
    command = ["/bin/sh", ROOT / "scripts" / "create_venv.sh"]
    environment = {"PYTHON": python, "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def find_browser(path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the script that finds a browser, where only one folder is looked into."""
    command = [sys.executable, ROOT / "scripts" / "browser.py", *arguments]
    kept = {name: value for name, value in os.environ.items() if name != "CHROMIUM"}
    environment = {**kept, "PATH": str(path), "PLAYWRIGHT_BROWSERS_PATH": str(path), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes an executable shell script."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.mark.slow
def test_an_environment_is_made_and_kept(tmp_path: Path) -> None:
    assert create_venv(tmp_path, sys.executable).returncode == 0
    subprocess.run([tmp_path / ".venv" / "bin" / "python", "-m", "pip", "--version"], check=True)
    (tmp_path / ".venv" / "mine").touch()
    assert create_venv(tmp_path, "no-such-python").returncode == 0
    assert (tmp_path / ".venv" / "mine").exists()


def test_no_python_is_one_sentence(tmp_path: Path) -> None:
    result = create_venv(tmp_path, "no-such-python")
    assert result.returncode == 1
    assert result.stderr.startswith("Layerscope needs Python 3.11 or newer, and none was found on PATH;")


def test_a_python_too_old_is_one_sentence(tmp_path: Path, program: Program) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 10, 13)\n")
    old = program("old-python", f'PYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"')
    assert "needs Python 3.11 or newer" in create_venv(tmp_path, str(old)).stderr


def test_a_python_without_venv_is_one_sentence(tmp_path: Path, program: Program) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError\n")
    bare = program("bare-python", f'PYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"')
    result = create_venv(tmp_path, str(bare))
    assert result.returncode == 1
    assert result.stderr.startswith(f"Found {bare}, but its venv module is missing;")
    assert "apt install python3-venv" in result.stderr


def test_no_browser_is_one_sentence(tmp_path: Path) -> None:
    result = find_browser(tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("There is no Chromium or Chrome that starts;")


def test_a_launcher_that_does_not_start_is_passed_over(tmp_path: Path, program: Program) -> None:
    program("chromium", "exit 1")
    chrome = program("google-chrome", "exit 0")
    assert find_browser(tmp_path).stdout.strip() == str(chrome)


def test_the_browser_that_was_named_comes_first(tmp_path: Path, program: Program) -> None:
    program("chromium", "exit 0")
    mine = program("mine", "exit 0")
    assert find_browser(tmp_path, CHROMIUM=str(mine)).stdout.strip() == str(mine)


def test_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in listed.splitlines() if line.startswith("  make")] == [
        target for target in targets if target != "browser"
    ]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can install with apt-get")
def test_root_on_debian_gets_debians_chromium(tmp_path: Path, program: Program) -> None:
    steps = f'echo "$@" >> {tmp_path}/steps\n[ $1 = update ] || printf "#!/bin/sh\\n" > {tmp_path}/chromium'
    program("apt-get", f"{steps}\n[ $1 = update ] || /bin/chmod +x {tmp_path}/chromium")
    found = find_browser(tmp_path, "--install")
    assert found.stdout.strip() == f"{tmp_path}/chromium"
    assert (tmp_path / "steps").read_text().splitlines() == ["update", "install --yes --no-install-recommends chromium"]
