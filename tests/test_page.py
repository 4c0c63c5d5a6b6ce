from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import browser
from viz import page

chromium = browser.chromium

HOSTILE = (
    "</script><script>window.broken = 1</script>",
    "<!-- <script>",
    "<img src=x onerror='window.broken = 1'>",
    '" onmouseover="window.broken = 1',
    "line\u2028and\u2029line & ${window.broken = 1} `\\",
    "🎵 \ud800 \x00 ]]> &lt;b&gt;",
)


def test_data_and_texts_cannot_become_markup() -> None:
    for value in HOSTILE:
        assert not re.search(r'[<>"]', page.text(value))
        embedded = page.embed({"name": [value]})
        assert not re.search(r"[<>&\u2028\u2029]", embedded)
        assert json.loads(embedded) == {"name": [value]}
        page.text(value).encode()


def test_what_has_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        page.embed(math.nan)
    with pytest.raises(ValueError, match="not 'Two Words'"):
        page.page("t", "", data={"Two Words": 1})


def test_a_script_or_style_cannot_end_its_element() -> None:
    whole = page.page(
        "t", "", styles=["a::before { content: '</style>' }"], scripts=["s = '</script><!-- x'"]
    )
    assert whole.count("</style>") == 2
    assert whole.count("</script>") == 2
    assert r"s = '\x3c/script>\x3c!-- x'" in whole


def test_a_page_asks_for_nothing() -> None:
    whole = page.page("t", "<p>b</p>")
    assert "default-src 'none'" in whole
    assert not re.search(r"https?://", whole)
    assert whole == page.page("t", "<p>b</p>")


def test_columns_of_numbers_stand_to_the_right() -> None:
    rows = [["a", "1,234", "0.5 %", "3:05", "<b>7</b>"], ["2", "-", "–", "12:00", "x"]]
    made = page.table("A & B", ["word", "count", "share", "time", "mixed"], rows)
    assert re.findall(r'<th scope="col"( class="number")?>', made) == [
        "", ' class="number"', ' class="number"', ' class="number"', ""
    ]  # fmt: skip
    assert "<caption>A &amp; B</caption>" in made


@pytest.mark.browser
def test_hostile_names_stay_text_in_a_browser(chromium: Browser, tmp_path: Path) -> None:
    body = "".join(f'<p title="{page.text(value)}">{page.text(value)}</p>' for value in HOSTILE)
    table = page.table(HOSTILE[0], [HOSTILE[2]], [[page.text(HOSTILE[1])]])
    path = tmp_path / "hostile.html"
    written = page.page(
        HOSTILE[0], body + table, data={"names": HOSTILE}, scripts=[page.static("player.js")]
    )
    path.write_text(written, encoding="utf-8")
    with browser.opened(chromium, path) as shown:
        assert shown.page.title() == HOSTILE[0]
        assert shown.page.evaluate("genremill.data('names').length") == len(HOSTILE)
        assert shown.page.evaluate("genremill.data('names')[0]") == HOSTILE[0]
        assert shown.page.evaluate("window.broken") is None
        assert shown.page.locator("main img, main script").count() == 0
        assert shown.page.locator("main p").nth(0).inner_text() == HOSTILE[0]
        assert not shown.problems


@pytest.mark.browser
def test_the_button_switches_colors_and_is_remembered(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "theme.html"
    path.write_text(page.page("t", "<p>text</p>"))
    color = "getComputedStyle(document.body).backgroundColor"
    with browser.opened(chromium, path, theme="dark") as shown:
        dark = shown.page.evaluate(color)
        shown.page.get_by_role("button", name="Light colors").click()
        light = shown.page.evaluate(color)
        assert light != dark
        shown.page.reload()
        assert shown.page.evaluate(color) == light
        shown.page.get_by_role("button", name="Dark colors").press("Enter")
        assert shown.page.evaluate(color) == dark
        assert not shown.problems
    with browser.opened(chromium, path, theme="light") as shown:
        assert shown.page.evaluate(color) == light
