"""Pages in a real browser: Chromium, without a network, as a reader of the file would see them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    sync_playwright,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOCAL = ("file:", "data:", "blob:")

Theme = Literal["light", "dark"]


def find_chromium() -> str:
    """Path of a Chromium: of the variable CHROMIUM, else of the search path; empty for none."""
    named = os.environ.get("CHROMIUM", "")
    return named or next(filter(None, map(shutil.which, _NAMES)), "")


@dataclass
class Opened:
    """A page that is shown.

    Attributes:
      page: Playwright's.
      problems: errors of its scripts, what it wrote to the console as errors, and every address
        beyond files and data that it asked for.
    """

    page: Page
    problems: list[str] = field(default_factory=list)

    def _watch(self) -> None:
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(_LOCAL):
            self.problems.append(f"request: {request.url}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a module, which write `chromium = browser.chromium`."""
    path = find_chromium()
    if not path:
        pytest.skip("no Chromium is installed; CHROMIUM=path says where one is")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@contextlib.contextmanager
def opened(
    chromium: Browser,
    path: Path,
    *,
    theme: Theme = "light",
    width: int = 1280,
    height: int = 900,
    still: bool = False,
) -> Iterator[Opened]:
    """Shows a file as file://, in a profile of its own.

    Args:
      path: of the page.
      theme: what the system is said to prefer.
      width, height: of the window, pixels.
      still: whether the system is said to prefer reduced motion.
    """
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        reduced_motion="reduce" if still else "no-preference",
    )
    try:
        shown = Opened(context.new_page())
        shown._watch()
        shown.page.set_default_timeout(10_000)
        shown.page.goto(path.resolve().as_uri())
        yield shown
    finally:
        context.close()


def count_colorful(canvas: Locator) -> int:
    """How many pixels of a canvas are not gray: notes, not grid or words."""
    count: int = canvas.evaluate(
        """canvas => {
          const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let found = 0;
          for (let at = 0; at < data.length; at += 4) {
            const [red, green, blue] = data.subarray(at, at + 3);
            found += Math.max(red, green, blue) - Math.min(red, green, blue) > 50;
          }
          return found;
        }"""
    )
    return count
