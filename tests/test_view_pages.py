"""Every view has its page, in the view's own words, with a picture on which there is something to see."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from layerscope.visualizers.contract import Visualizer
from layerscope.visualizers.registry import BUILT_IN
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "views"
REMEDY = "run `make views ARGS={}` and commit what it changes"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that writes them."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return import_module("view_pages")


@pytest.fixture(params=BUILT_IN, ids=lambda view: view.name)
def view(request: pytest.FixtureRequest) -> Visualizer:
    found: Visualizer = request.param
    return found


def test_its_page_says_what_the_view_says(pages: ModuleType, view: Visualizer) -> None:
    file = FOLDER / f"{view.name}.md"
    assert file.exists(), REMEDY.format(view.name)
    assert file.read_text("utf-8") == pages.page(view), REMEDY.format(view.name)


def test_its_picture_shows_something(view: Visualizer) -> None:
    file = FOLDER / "pictures" / f"{view.name}.png"
    assert file.exists(), REMEDY.format(view.name)
    assert file.stat().st_size <= 40 * 1024
    picture = np.asarray(Image.open(file).convert("L"), np.float32)
    height, width = picture.shape
    assert min(height, width) > 300
    body = picture[height // 3 :, width // 20 : -width // 20]  # below title and layer
    assert (np.abs(body - np.median(body)) > 20).mean() > 0.01


def test_the_index_leads_to_every_page_and_nothing_is_left_over(pages: ModuleType) -> None:
    assert (FOLDER / "README.md").read_text("utf-8") == pages.index(), REMEDY.format(BUILT_IN[0].name)
    names = {view.name for view in BUILT_IN}
    assert {file.stem for file in FOLDER.glob("*.md")} == names | {"README"}
    assert {file.stem for file in FOLDER.glob("pictures/*")} == names


def test_a_view_that_is_not_there_is_one_sentence(
    pages: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["view_pages.py", "magic"])
    assert pages.main() == 2
    assert capsys.readouterr().out.startswith("There is no built-in view 'magic'; there are prediction, ")
