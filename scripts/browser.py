"""Prints the path of the browser that tests and benchmarks drive: `python scripts/browser.py [--install]`.

A Chromium or Chrome that is already there comes first (`CHROMIUM` names one), then Debian's, then Playwright's own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = ("Google Chrome", "Chromium")
ADVICE = "There is no Chromium or Chrome that starts; install one, or name it with CHROMIUM=/path/to/chrome."


def main() -> int:
    """Prints the browser's path; without one, says so and returns 1."""
    found = next(candidates(), None)
    if found is None and "--install" in sys.argv[1:]:
        found = install()
    print(found or ADVICE, file=sys.stdout if found else sys.stderr)
    return 0 if found else 1


def candidates() -> Iterator[str]:
    """Browsers on this machine that start."""
    if named := os.environ.get("CHROMIUM"):
        yield named
    paths = [shutil.which(name) for name in NAMES]
    paths += [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in APPLICATIONS]
    yield from (path for path in paths if path and starts(path))
    own = playwrights_own()
    if starts(own):
        yield own


def starts(path: str) -> bool:
    """Whether it runs here: some systems have a launcher by that name without the browser, or lack its libraries."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwrights_own() -> str:
    """Where Playwright keeps its own Chromium, whether or not it has been downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def install() -> str | None:
    """The path of a browser fetched with the first way that works."""
    ways = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if shutil.which("apt-get") and os.getuid() == 0:
        ways.insert(0, [["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]])
    for way in ways:
        print(f"Fetching a browser for the tests: {' '.join(way[-1])}", file=sys.stderr)
        done = all(subprocess.run(step, stdout=sys.stderr).returncode == 0 for step in way)
        if done and (found := next(candidates(), None)):
            return found
    return None


if __name__ == "__main__":
    # Debian asks questions while installing, unless told that nobody is there to answer.
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    sys.exit(main())
