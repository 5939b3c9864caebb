"""What the documents say is so: their code runs, their links lead somewhere, their commands exist."""

import re
from pathlib import Path

import pytest
from layerscope.visualizers import Need

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.fixture(params=DOCUMENTS, ids=str)
def document(request: pytest.FixtureRequest) -> Path:
    return ROOT / request.param


def test_code_in_documents_runs(document: Path) -> None:
    names = {"__name__": "example"}  # what one block defines, the next may use
    for code in re.findall(r"^```python\n(.*?)^```", document.read_text(), re.M | re.S):
        exec(compile(code, str(document), "exec"), names)


def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"`([a-z_]+/[\w/.-]*\.\w+|[\w.]+\.(?:py|txt|cfg|toml|md))`", document.read_text())
    assert [name for name in named if not any(ROOT.glob(name)) and not any(ROOT.glob(f"*/{name}"))] == []


def test_every_need_is_explained_to_those_who_write_views() -> None:
    explained = re.findall(r"^\| `Need\.(\w+)` \|", (ROOT / "docs" / "first-visualizer.md").read_text(), re.M)
    assert explained == [need.name for need in Need]


def test_make_targets_that_are_named_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z]+)", document.read_text())) <= targets
