"""The sites that we ship, in their shape, on the loopback device; and folders of one's own."""

from __future__ import annotations

import dataclasses
import json
from html import escape
from pathlib import Path

import pandas as pd
import pytest

from corpus.config import Config
from corpus.sources.sites import cards
from corpus.stages.ingest import IngestStage
from tests import fake_sites, makers
from tests.fake_services import FakeService, Reply, Request, serve
from tests.fake_sites import COOKIE, FakeSite, link, page
from tests.test_scrape import config_for, rejected_of, scrape, table_of

WORK = "work"  # the folder of its pages on works
SHIPPED = Path(cards.__file__).parents[1] / "sources.toml"


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREMILL_CONTACT", "tests@example.org")


def at_home(tmp_path: Path, server: FakeService, origin: str, site: str, **more: object) -> Config:
    """The shipped description of a site, with the server in place of the site's own."""
    text = SHIPPED.read_text().replace(origin, server.url).replace(
        origin.partition("://")[2], f"127.0.0.1:{server.port}"
    )  # fmt: skip
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(text)
    return config_for(tmp_path / "data", site, catalog=str(catalog), **more)


def classical_archives() -> FakeSite:
    site = FakeSite()
    site.pages["/midi.html"] = page(link("/midi/composer/2113.html", "Bach, J. S."))
    for number, name in ((2113, "Johann Sebastian Bach"), (2156, "Ludwig van Beethoven")):
        works = "".join(
            f'<li id="grp_{n}"><a id="work_{n}" href="/{WORK}/{number}{n}.html">Work {n}</a></li>'
            for n in range(3)
        )
        other = link("/midi/composer/2156.html", "next composer")
        site.pages[f"/midi/composer/{number}.html"] = page(
            f'<h1 class="composer">{name}</h1><ul>{works}</ul>{other}'
        )
        for n in range(3):
            path = f"/d/Rt0k3n{n}/{number}-{n}.mid"
            site.add_score(path, fake_sites.score(number + n))
            row = f'<td class="tlTitle">Allegro</td><td class="tlAdd">{link(path, "MIDI")}</td>'
            site.pages[f"/{WORK}/{number}{n}.html"] = page(
                f'<h1 class="work">Work {n}</h1><table class="trackList"><tr>{row}</tr></table>'
            )
    for path in list(site.scores):
        said = site.pages[path]

        def members(request: Request, said: object = said) -> Reply:
            if request.headers["Cookie"] != COOKIE:
                return Reply(302, headers={"Location": "/secure/login.html"})
            assert isinstance(said, Reply)
            return said

        site.pages[path] = members
    return site


def test_classical_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index, composer, work, MIDI; with the user's own session, five scores a day."""
    origin = "https://www.classicalarchives.com"
    with serve(classical_archives()) as server:
        config = at_home(tmp_path, server, origin, "classical_archives")
        with pytest.raises(ValueError, match="--i-have-permission"):
            scrape(config)
        allowed = dataclasses.replace(config.scrape, i_have_permission=True)
        config = dataclasses.replace(config, scrape=allowed)
        monkeypatch.setenv("CLASSICAL_ARCHIVES_COOKIE", COOKIE)
        report = scrape(config)
        mids = [r for r in server.requests if r.path.endswith(".mid")]
        assert len(mids) == 5
        assert "limit of 5 scores in 24 hours" in str(report.details["notes"])
    table = table_of(config)
    assert len(table) == 5
    assert set(table["artist"]) <= {"Johann Sebastian Bach", "Ludwig van Beethoven"}
    assert set(table["title"]) <= {"Work 0", "Work 1", "Work 2"}


def test_classical_archives_without_a_session(tmp_path: Path) -> None:
    with serve(classical_archives()) as server:
        config = at_home(
            tmp_path, server, "https://www.classicalarchives.com", "classical_archives",
            i_have_permission=True,
        )  # fmt: skip
        scrape(config)
    found = rejected_of(config)
    assert set(found.values()) == {"needs_session"}


def musescore() -> FakeSite:
    site = FakeSite()
    for number in (1, 2):
        scores = [
            {
                "id": 100 * number + n,
                "title": f"[b]Piece[/b] {number}{n}",
                "composer_name": "Erik <i>Satie</i>",
                "license": "publicdomain" if n else "all-rights-reserved",
                "url": f"/user/7/scores/{100 * number + n}",
            }
            for n in range(3)
        ]
        store = escape(json.dumps({"store": {"page": {"data": {"scores": scores}}}}))
        following = f'<a rel="next" href="/sheetmusic?page={number + 1}">next</a>' * (number < 2)
        path = "/sheetmusic" + ("?page=2" if number == 2 else "")
        site.pages[path] = page(f'<div class="js-store" data-content="{store}"></div>{following}')
        for n in range(3):
            site.pages[f"/user/7/scores/{100 * number + n}"] = page("<h1>a score</h1>")
    return site


def test_musescore_is_an_index_for_what_the_user_has(tmp_path: Path) -> None:
    with serve(musescore()) as server:
        config = at_home(
            tmp_path, server, "https://musescore.com", "musescore", i_have_permission=True
        )
        report = scrape(config)
    assert report.details["described"] == 6
    index = pd.read_csv(tmp_path / "data/raw/musescore/index.csv")
    assert set(index["license"]) == {"Public domain", "All rights reserved"}
    assert set(index["artist"]) == {"Erik Satie"}
    mine = tmp_path / "downloads"
    mine.mkdir()
    files = {
        "Piece 21.mxl": makers.mxl({"META-INF/container.xml": b"", "s.xml": makers.musicxml()}),
        "my copy 101.musicxml": makers.musicxml(notes=7),
        "unknown.mid": fake_sites.score(5),
        "notes.txt": b"not music",
    }
    for name, data in files.items():
        (mine / name).write_bytes(data)
    with_folder = dataclasses.replace(config.scrape, folder=str(mine), i_have_permission=False)
    report = scrape(dataclasses.replace(config, scrape=with_folder))
    assert report.rejected == {"not_a_score": 1}
    table = table_of(config).set_index("path")
    assert table.loc["Piece 21.mxl", "artist"] == "Erik Satie"
    assert table.loc["Piece 21.mxl", "license"] == "Public domain"
    assert table.loc["my copy 101.musicxml", "title"] == "Piece 11"
    assert table.loc["unknown.mid", "artist"] == ""


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "mine", {"Bach": 2, "ABBA": 2})
    (source / "LICENSE").write_text("All of it is mine.")
    (source / "Bach/again.mid").write_bytes((source / "Bach/Song 0.mid").read_bytes())
    (source / "Bach/broken.mid").write_bytes(b"")
    config = config_for(tmp_path / "data", "local_folder", folder=str(source))
    report = scrape(config)
    assert report.rejected == {"not_a_score": 1, "empty_file": 1}
    table = table_of(config)
    assert len(table) == 4
    assert set(table["license"]) == {"All of it is mine."}
    assert str(tmp_path) not in table.to_csv()
    first = (tmp_path / "data/raw/local_folder/folder-00000.warc.gz").read_bytes()
    assert scrape(config).details["scores"] == 4
    assert (tmp_path / "data/raw/local_folder/folder-00000.warc.gz").read_bytes() == first
    (source / "ABBA/New.mid").write_bytes(makers.melody(99))
    assert scrape(config).details["scores"] == 5
    ingest = makers.config_for(tmp_path / "data", tmp_path / "data/raw/local_folder")
    makers.run_in_loop(IngestStage(ingest))
    tracks = pd.read_parquet(tmp_path / "data/notesequences/tracks.parquet")
    assert sorted(tracks["artist"]) == ["ABBA"] * 3 + ["Bach"] * 2
    assert set(tracks["license"]) == {"All of it is mine."}
