"""The pictures of the README: a finished run's pages as Chromium shows them.

python -m benchmarks.screenshots [--data demo] [--model attention_rnn]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from corpus.layout import CROSSOVER_PAGE, Layout
from tests import browser

_DOCS = Path(__file__).parents[1] / "docs"
_WIDTH, _HEIGHT = 1200, 960
_ARTIST = "Johann Sebastian Bach"
_SETTLE_MILLISECONDS = 2500  # rolls and points are drawn bit by bit


def main(argv: Sequence[str]) -> int:
    """Takes the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", default="demo", help="folder of the run (default: demo)")
    parser.add_argument(
        "--model", default="attention_rnn", help="whose samples (default: attention_rnn)"
    )
    given = parser.parse_args(argv)
    place, chromium = Layout(given.data), browser.find_chromium()
    pages = {
        "crossover_page": Path(place.reports) / CROSSOVER_PAGE,
        "explore_page": next(iter(sorted(Path(place.explore).glob("*-1.html"))), Path("explore")),
        "listen_page": Path(place.listening(given.model)),
    }
    missing = [str(path) for path in pages.values() if not path.is_file()]
    if missing or not chromium:
        print(f"no {', '.join(missing) or 'Chromium'}; run `make demo` first, install Chromium")
        return 2
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=browser.FLAGS)
        for name, path in pages.items():
            _take(started, path, _DOCS / f"{name}.png")
            print(f"docs/{name}.png")
    return 0


def _take(chromium: Browser, path: Path, picture: Path) -> None:
    with browser.opened(chromium, path, width=_WIDTH, height=_HEIGHT) as shown:
        _prepare(shown.page)
        shown.page.wait_for_timeout(_SETTLE_MILLISECONDS)
        shown.page.screenshot(path=picture)
        if shown.problems:
            raise RuntimeError(f"{path}: {'; '.join(shown.problems)}")


def _prepare(page: Page) -> None:
    """Shows what makes the page worth opening: an artist, or the samples."""
    search = page.get_by_role("combobox")
    if search.count():
        search.fill(_ARTIST)
        search.press("Enter")
    every = page.locator("details.all > summary")
    if every.count():
        every.click()
        page.locator("details.all h3").first.scroll_into_view_if_needed()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
