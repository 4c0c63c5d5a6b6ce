"""The crossover page in a browser: points appear, tell who they are, play, and stay text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from corpus import tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres
from tests import browser
from tests.crossover_corpus import HOSTILE, data_of, make_corpus, page_of
from viz import crossover_data, crossover_page, projection

chromium = browser.chromium


def write_page(config: Config) -> None:
    """The page alone, without the pictures."""
    place = Layout(config.data)
    rows = tables.read_table(place.artist_genres_table, ArtistGenres)
    frame = projection.coordinates(rows, 10, seed=0)
    tracks = crossover_data.tracks_of(place)
    page_of(config).parent.mkdir(exist_ok=True)
    text = crossover_page.crossover_page(frame, rows, tracks, config)
    page_of(config).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Config:
    config = make_corpus(tmp_path_factory.mktemp("crossover"))
    write_page(config)
    return config


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """As if so few artists were thousands."""
    config = make_corpus(tmp_path_factory.mktemp("many"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossover_page, "_MANY_POINTS", 10)
        write_page(config)
    return config


def moved_to(page: Page, artist: int) -> None:
    """Puts the mouse on an artist's point."""
    x, y = page.evaluate(
        """(artist) => {
          const place = document.getElementById('flat');
          const { xaxis, yaxis } = place._fullLayout;
          const at = genremill.data('crossover').points;
          const box = place.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.l2p(at.tsne_x[artist]),
                  box.top + yaxis._offset + yaxis.l2p(at.tsne_y[artist])];
        }""",
        artist,
    )
    page.mouse.move(x - 40, y - 40)
    page.mouse.move(x, y)


def loneliest(data: Any) -> int:
    """The artist whose point is farthest from all others."""
    points = np.array([data["points"]["tsne_x"], data["points"]["tsne_y"]]).T
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(len(points)) * 1e9
    return int(apart.min(axis=1).argmax())


@pytest.fixture
def shown(chromium: Browser, made: Config) -> Iterator[browser.Opened]:
    with browser.opened(chromium, page_of(made)) as opened:
        opened.page.wait_for_selector("html[data-drawn=tsne2family]")
        yield opened
        assert not opened.problems


@pytest.mark.browser
def test_points_appear_and_tell_who_they_are(shown: browser.Opened, made: Config) -> None:
    data = data_of(page_of(made), "crossover")
    page, artist = shown.page, loneliest(data)
    assert page.locator("#flat .scatterlayer .points path").count() == len(data["names"])
    moved_to(page, artist)
    tip = page.locator("#tip:not([hidden])")
    tip.wait_for()
    assert tip.locator("b").inner_text() == data["names"][artist]
    told = tip.inner_text()
    assert data["families"][data["family"][artist]]["name"] in told
    assert f"{data['tracks'][artist]} track" in told
    assert "table" in told
    page.mouse.down()
    page.mouse.up()
    page.locator("#panel h2").wait_for()
    assert page.locator("#panel h2").text_content() == data["names"][artist]


@pytest.mark.browser
def test_the_keyboard_finds_an_artist_and_plays_the_music(shown: browser.Opened) -> None:
    page = shown.page
    page.focus("#find")
    page.keyboard.type("img src")
    assert page.locator("#hits [role=option]").count() == 1
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#find", "aria-activedescendant") == "hit-0"
    page.keyboard.press("Enter")
    page.locator("#panel h2").wait_for()
    assert page.locator("#panel h2").text_content() == HOSTILE[1]
    page.locator("#panel .player button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => genremill.isPlaying")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !genremill.isPlaying")
    assert "Song <b>one</b> (2 versions)" in page.locator("#panel").inner_text()
    page.click("#reset")
    assert "No artist is chosen" in page.locator("#panel").inner_text()


@pytest.mark.browser
def test_hostile_names_stay_text(shown: browser.Opened, made: Config) -> None:
    page = shown.page
    for name in HOSTILE:
        page.fill("#find", name)
        page.keyboard.press("Enter")
        page.wait_for_function(
            "(name) => document.querySelector('#panel h2')?.textContent === name", arg=name
        )
    names = data_of(page_of(made), "crossover")["names"]
    told = set()
    for name in HOSTILE:
        moved_to(page, names.index(name))
        page.locator("#tip:not([hidden])").wait_for()
        told.add(page.locator("#tip b").text_content())
        assert page.locator("#tip b *, #tip img, #tip script").count() == 0
    assert told & set(HOSTILE)
    assert page.evaluate("() => window.bad") is None
    assert page.locator("#panel img, #panel b").count() == 0
    quiet = "No music of this artist is in the page." in page.locator("#panel").inner_text()
    assert quiet == (str(names.index(HOSTILE[-1])) not in data_of(page_of(made), "music"))


@pytest.mark.browser
def test_families_are_hidden_and_shown_and_colors_fade(shown: browser.Opened, made: Config) -> None:
    page, data = shown.page, data_of(page_of(made), "crossover")
    points = page.locator("#flat .scatterlayer .points path")
    button = page.locator("[data-family='0']")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    rest = len(data["names"]) - data["families"][0]["artists"]
    page.wait_for_function(
        "(rest) => document.querySelectorAll('#flat .scatterlayer .points path').length === rest",
        arg=rest,
    )
    button.press("Enter")
    page.wait_for_function(
        "(all) => document.querySelectorAll('#flat .scatterlayer .points path').length === all",
        arg=len(data["names"]),
    )
    plain = set(points.evaluate_all("(all) => all.map((each) => each.style.fill)"))
    page.click("[data-paint=fade]")
    page.wait_for_selector("html[data-drawn=tsne2fade]")
    faded = set(points.evaluate_all("(all) => all.map((each) => each.style.fill)"))
    assert len(plain) == sum(family["artists"] > 0 for family in data["families"])
    assert len(faded) > len(plain)


@pytest.mark.browser
def test_all_four_pictures_are_drawn_on_dark_paper_and_on_a_phone(
    chromium: Browser, made: Config
) -> None:
    with browser.opened(chromium, page_of(made), theme="dark", width=390, height=800) as opened:
        page = opened.page
        page.wait_for_selector("html[data-drawn=tsne2family]")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        page.click("[data-method=pca]")
        page.wait_for_selector("html[data-drawn=pca2family]")
        page.click("#theme")
        page.click("[data-size='3']")
        page.wait_for_selector("html[data-drawn=pca3family]", timeout=20_000)
        assert page.locator("#solid canvas").count() > 0
        page.mouse.move(195, 400)
        page.click("[data-method=tsne]")
        page.wait_for_selector("html[data-drawn=tsne3family]", timeout=20_000)
    # What the browser says of a graphics card that it does not have.
    graphics = ("GPU stall", "willReadFrequently")
    assert not [said for said in opened.problems if not any(word in said for word in graphics)]


@pytest.mark.browser
def test_thousands_of_points_are_drawn_by_webgl_and_can_be_pointed_at(
    chromium: Browser, many: Config
) -> None:
    data = data_of(page_of(many), "crossover")
    assert page_of(many).read_text(encoding="utf-8").count("'unsafe-eval'") == 1
    with browser.opened(chromium, page_of(many)) as opened:
        page = opened.page
        page.wait_for_selector("html[data-drawn=tsne2family]")
        assert page.locator("#flat .gl-canvas").count() > 0
        artist = loneliest(data)
        moved_to(page, artist)
        page.locator("#tip:not([hidden])").wait_for()
        assert page.locator("#tip b").inner_text() == data["names"][artist]


@pytest.mark.browser
def test_a_browser_without_webgl_gets_fewer_points_and_a_sentence(
    chromium: Browser, many: Config
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.add_init_script(
        "const old = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind.includes('webgl') ? null : old.call(this, kind, ...rest); };"
    )
    page.goto(page_of(many).resolve().as_uri())
    page.wait_for_selector("html[data-drawn=tsne2family]")
    assert page.locator("#flat .scatterlayer .points path").count() > 0
    page.click("[data-size='3']")
    page.wait_for_selector("#solid a[href='crossover.png']")
    context.close()
