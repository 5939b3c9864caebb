"""Takes the pictures of the README from the running dashboard, in a real browser: `make pictures`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from browser import candidates
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]

BAR = ((0.27, 0.27), (0.45, 0.24), (0.71, 0.26), (0.62, 0.45), (0.53, 0.62), (0.46, 0.82))
CROSS = ((0.4, 0.53), (0.68, 0.52))
SHOTS = {
    "light": (1400, 1180, "light", "model=cnn-compact&backend=pytorch"),
    "dark": (1400, 1180, "dark", "model=cnn-batchnorm&backend=keras"),
    "narrow": (390, 844, "light", "model=dense&backend=pytorch"),
}


def main() -> int:
    """Writes one PNG for each entry of SHOTS."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "layerscope", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stdout
        address = server.stdout.readline().split(": ", 1)[1].split()[0]
        browser = playwright.chromium.launch(executable_path=next(candidates()), args=FLAGS)
        try:
            for name, (width, height, scheme, subject) in SHOTS.items():
                _take(browser, f"{address}#{subject}", FOLDER / f"{name}.png", (width, height), scheme)
        finally:
            browser.close()
            server.terminate()
    return 0


def _take(browser: Browser, address: str, path: Path, size: tuple[int, int], scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".panel.has-figure", timeout=60_000)
    page.wait_for_timeout(2500)
    for stroke in (BAR, CROSS):
        _draw(page, stroke)
    page.wait_for_timeout(3000)
    page.screenshot(path=path)
    context.close()


def _draw(page: Page, stroke: Sequence[tuple[float, float]]) -> None:
    box = page.locator("#paper").bounding_box()
    assert box
    for index, (across, down) in enumerate(stroke):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=8)
        if index == 0:
            page.mouse.down()
    page.mouse.up()


if __name__ == "__main__":
    raise SystemExit(main())
