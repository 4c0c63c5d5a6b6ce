"""Scraping again, and what a site may do between two runs; titles, licenses, traps, takedowns."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from warcio.archiveiterator import ArchiveIterator

from corpus import reports
from corpus.stages.ingest import IngestStage
from corpus.stages.scrape import ScrapeStage
from tests import fake_sites, makers
from tests.fake_services import Reply, Request, serve
from tests.fake_sites import COOKIE, FakeSite, describe, link, page
from tests.test_scrape import config_for, scrape, small_site, table_of


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREMILL_CONTACT", "tests@example.org")


def test_what_is_old_is_asked_whether_it_changed(tmp_path: Path) -> None:
    site = small_site()
    changed = {"now": False}

    def changing(request: Request) -> Reply:
        tag = '"2"' if changed["now"] else '"1"'
        if request.headers["If-None-Match"] == tag:
            return Reply(304, headers={"ETag": tag})
        data = fake_sites.score(100 + changed["now"])
        return Reply(body=data, headers={**fake_sites.MIDI, "ETag": tag})

    site.pages["/x.mid"] = changing
    site.pages["/"] = page(link("/x.mid"))
    with serve(site) as server:
        toml = describe(tmp_path / "s.toml", server)
        often = config_for(tmp_path, toml, revisit_days=1e-9)
        first, second = scrape(often), scrape(often)
        assert first.details["scores"] == second.details["scores"] == 1
        assert server.requests[-1].headers["If-None-Match"] == '"1"'
        (before,) = table_of(often)["sha256"]
        changed["now"] = True
        scrape(often)
        (after,) = table_of(often)["sha256"]
        assert before != after
        del site.pages["/x.mid"]
        assert scrape(often).details["scores"] == 1


def test_a_takedown_removes_what_is_stored(tmp_path: Path) -> None:
    with serve(small_site()) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server))
        scrape(config)
        table = table_of(config)
        gone, kept = (
            table["sha256"][0],
            dict(zip(table["sha256"][1:], table["url"][1:], strict=True)),
        )
        (tmp_path / "deny.txt").write_text(f"# by request\n{gone}  Piece 0\n")
        before = len(server.requests)
        report = scrape(config)
        assert len(server.requests) == before
    assert report.rejected["taken_down"] == 1
    after = table_of(config)
    assert dict(zip(after["sha256"], after["url"], strict=True)) == kept
    digests = []
    for path in (tmp_path / "raw/s").glob("*.warc.gz"):
        with open(path, "rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                record.content_stream().read()
                digests.append(record.rec_headers.get_header("WARC-Payload-Digest"))
    assert f"sha256:{gone}" not in digests
    assert {f"sha256:{sha}" for sha in kept} <= set(digests)
    ingest = makers.config_for(tmp_path, tmp_path / "raw/s")
    makers.run_in_loop(IngestStage(ingest))
    assert len(pd.read_parquet(tmp_path / "notesequences/tracks.parquet")) == 5


def test_ingest_reads_nothing_that_was_taken_down(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "scores", {"A": 3})
    data = (source / "A/Song 1.mid").read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/deny.txt").write_text(hashlib.md5(data).hexdigest().upper() + "\n")
    stage = IngestStage(makers.config_for(tmp_path / "data", source))
    makers.run_in_loop(stage)
    report = reports.require(stage.folder, "ingest")
    assert report.rejected == {"taken_down": 1}
    assert report.outputs == 2


def test_what_somebody_deleted_is_asked_again(tmp_path: Path) -> None:
    with serve(small_site()) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server))
        scrape(config)
        before = table_of(config)
        (warc,) = (tmp_path / "raw/s").glob("*.warc.gz")
        warc.unlink()
        scrape(config)
        assert len([r for r in server.requests if r.path.endswith(".mid")]) == 12
    after = table_of(config)
    assert list(after["sha256"]) == list(before["sha256"])


def test_a_daily_limit_may_be_a_part_of_a_megabyte(tmp_path: Path) -> None:
    toml = tmp_path / "s.toml"
    toml.write_text('start = ["https://example.org/"]\ndaily_mb = 0.5\ndaily_requests = 7\n')
    daily = ScrapeStage(config_for(tmp_path, toml, daily_mb=2.0)).options().daily
    assert (daily.megabytes, daily.requests) == (0.5, 7)


def test_a_license_that_changed_is_read_again_and_told(tmp_path: Path) -> None:
    site = FakeSite()
    site.add_score("/x.mid", fake_sites.score(1))
    site.pages["/"] = page('<p class="l">CC0</p>' + link("/x.mid"))
    with serve(site) as server:
        toml = describe(tmp_path / "s.toml", server, license=".l")
        often = config_for(tmp_path, toml, revisit_days=1e-9)
        scrape(often)
        site.pages["/"] = page('<p class="l">All rights reserved</p>' + link("/x.mid"))
        report = scrape(often)
    (row,) = table_of(often).to_dict("records")
    assert row["license"] == "All rights reserved"
    assert "license of 1 scores changed" in str(report.details["notes"])
    assert len(list((tmp_path / "raw/s/licenses").iterdir())) == 2


def test_refusals_do_not_count_as_scores_of_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = FakeSite()
    for i in range(3):
        site.add_score(f"/{i}.mid", fake_sites.score(i))
        said = site.pages[f"/{i}.mid"]

        def members(request: Request, said: object = said) -> Reply:
            assert isinstance(said, Reply)
            is_member = request.headers["Cookie"] == COOKIE
            return said if is_member else Reply(302, headers={"Location": "/login"})

        site.pages[f"/{i}.mid"] = members
    site.pages["/"] = page("".join(link(f"/{i}.mid") for i in range(3)))
    with serve(site) as server:
        toml = describe(tmp_path / "s.toml", server, session_cookie="SITE_COOKIE", daily_scores=3)
        config = config_for(tmp_path / "d", toml)
        report = scrape(config)
        assert report.rejected == {"needs_session": 3}
        assert "SITE_COOKIE is not set" in str(report.details["notes"])
        monkeypatch.setenv("SITE_COOKIE", COOKIE)
        assert scrape(config).details["scores"] == 3


def test_a_calendar_without_end_is_a_trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corpus.crawl.crawler._MAX_BARREN", 40)
    site = FakeSite()
    site.add_score("/x.mid", fake_sites.score(1))

    def calendar(request: Request) -> Reply:
        month = int(request.query["m"])
        return page(link(f"/cal?m={month + 1}") + link(f"/cal?m={month - 1}"))

    site.pages |= {"/": page(link("/x.mid") + link("/cal?m=5")), "/cal": calendar}
    with serve(site) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server))
        report = scrape(config)
        assert 40 < len(server.requests) < 60
        assert "taken for a trap" in str(report.details["notes"])
        assert report.details["scores"] == 1
        scrape(config)
        assert len(server.requests) < 60


def test_titles_are_those_of_the_music(tmp_path: Path) -> None:
    site = FakeSite()
    named = {**fake_sites.MIDI, "Content-Disposition": 'attachment; filename="Song 7.mid"'}
    site.add_score("/download.php?id=7", fake_sites.score(7), named)
    site.add_score("/indir.mid", fake_sites.score(8))
    site.add_score("/loud.mid", fake_sites.score(9))
    listed = link("/indir.mid", "indir.mid") + link("/download.php?id=7", "download")
    site.pages["/"] = page(listed + '<embed src="/loud.mid">and much more text to the end')
    with serve(site) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server))
        scrape(config)
    titles = {url.rpartition("/")[2]: t for url, t in table_of(config)[["url", "title"]].values}
    assert titles == {"download.php?id=7": "Song 7", "indir.mid": "indir", "loud.mid": ""}


def test_a_first_look_at_a_site_is_no_failure(tmp_path: Path) -> None:
    with serve(small_site()) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server), max_requests=2)
        report = scrape(config)
        assert len(server.requests) == 2
    assert report.details["scores"] == 0
    ScrapeStage(config).check(report)


def test_only_a_private_host_is_spared_the_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.216.34", 0))]
    )
    toml = tmp_path / "s.toml"
    toml.write_text('start = ["https://example.org/"]\ndelay_seconds = 2.0\n')
    config = config_for(tmp_path, toml, private_hosts=("example.org",))
    assert ScrapeStage(config).options().delay == 2.0


def test_a_description_that_was_mended_reads_stored_pages_without_asking(tmp_path: Path) -> None:
    site = FakeSite()
    rows = ""
    for i in range(4):
        site.add_score(f"/get?n={i}", fake_sites.score(i))
        rows += f'<tr><td>Piece {i}</td><td><a class="dl" href="/get?n={i}">get</a></td></tr>'
    site.pages["/band.html"] = page(f"<h2>A Band</h2><table>{rows}</table>")
    site.pages["/"] = page(link("/band.html", "band") + link("/about.html", "about"))
    site.pages["/about.html"] = page("nothing here")
    with serve(site) as server:
        toml = tmp_path / "s.toml"
        describe(toml, server, artist="h1", title="b", pages="a:not(.dl)")
        first = scrape(config_for(tmp_path, toml))
        assert first.details["scores"] == 0
        before = len(server.requests)
        describe(toml, server, artist="h2", title="td", pages="a:not(.dl)", scores="a.dl")
        second = scrape(config_for(tmp_path, toml))
        assert second.details["scores"] == 4
        asked = [request.target for request in server.requests[before:]]
        assert asked == [f"/get?n={i}" for i in range(4)]
        describe(toml, server, artist="h3", title="td", pages="a:not(.dl)", scores="a.dl")
        scrape(config_for(tmp_path, toml))
        assert len(server.requests) == before + 4
    table = table_of(config_for(tmp_path, toml))
    assert sorted(table["title"]) == [f"Piece {i}" for i in range(4)]
    assert set(table["artist"]) == {""}


def test_archives_are_kept_as_files_and_opened_by_ingest(tmp_path: Path) -> None:
    """Whoever is told of most closely is the artist: the folder, the page, the archive's name."""
    site = FakeSite()
    archives = {
        "/two bands.zip": {"Band A/1.mid": makers.melody(1), "Band B/2.mid": makers.melody(2)},
        "/ABBA.zip": {"Waterloo.mid": makers.melody(3)},
        "/get?id=1": {"Song.mid": makers.melody(4)},
        "/get?id=2": {"photo.jpg": b"x"},
    }
    for address, members in archives.items():
        said = Reply(body=makers.mxl(members), headers={"Content-Type": "application/zip"})
        site.pages[address.replace(" ", "%20")] = said
    site.pages["/"] = page("".join(map(link, archives)) + link("/band.html"))
    site.pages["/band.html"] = page("<h1>Band C</h1>" + link("/more.zip"))
    site.pages["/more.zip"] = Reply(body=makers.mxl({"x/Last.mid": makers.melody(5)}))
    with serve(site) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server))
        report = scrape(config)
        before = len(server.requests)
        scrape(config)
        assert len(server.requests) == before
    assert report.rejected == {"not_a_page": 1}
    table = table_of(config)
    assert set(table["media_type"]) == {"application/zip"}
    assert set(table["warc"]) == {""}
    makers.run_in_loop(IngestStage(makers.config_for(tmp_path, tmp_path / "raw/s")))
    tracks = pd.read_parquet(tmp_path / "notesequences/tracks.parquet")
    artists = dict(zip(tracks["title"], tracks["artist"], strict=True))
    assert artists == {
        "1": "Band A", "2": "Band B", "Waterloo": "ABBA", "Song": "s", "Last": "Band C",
    }  # fmt: skip
    assert set(tracks["license"]) == {"CC BY 4.0"}
