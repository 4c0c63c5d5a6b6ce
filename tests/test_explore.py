from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from corpus import reports, tables
from corpus.config import Config, ExamplesConfig
from corpus.encodings import ENCODINGS, extraction, open_encoding
from corpus.layout import Layout
from corpus.records import GenreLabel, Track
from tests import browser, page_corpus
from tests.test_pipelines import run
from viz import charts, encoded, explore, genre_facts, pieces

chromium = browser.chromium

FEW = {name: ENCODINGS[name] for name in ("attention_rnn", "drum_kit", "performance", "zeldic")}


@pytest.fixture
def few_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening all of them takes seconds; one test does."""
    monkeypatch.setattr(encoded, "ENCODINGS", FEW)
    monkeypatch.setattr(explore, "ENCODINGS", FEW)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return page_corpus.made(tmp_path_factory.mktemp("explore"))


@pytest.fixture
def explored(corpus: Config, few_encodings: None) -> Path:
    explore.make(corpus)
    return Path(Layout(corpus.data).explore)


def hashes(folder: Path) -> dict[str, str]:
    found = [path for path in sorted(folder.iterdir()) if path.name != "_report.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def joined(config: Config) -> pd.DataFrame:
    """Labels with a subset, each with its track; read without our code."""
    tracks = pd.read_parquet(Path(config.data) / "notesequences" / "tracks.parquet")
    labels = pd.read_parquet(Path(config.data) / "subsets" / "labels.parquet")
    mine = labels[labels["subset"] != ""].drop_duplicates(["track_id", "subset"])
    return mine.merge(tracks, on="track_id")


def test_every_piece_is_shown_or_told(corpus: Config, explored: Path) -> None:
    report = reports.read(str(explored))
    assert report is not None
    frame = joined(corpus)
    assert report.inputs == len(frame)
    assert report.outputs == 2 * 9
    assert report.rejected == {"not_chosen": len(frame) - 18}
    assert report.adds_up
    told = tables.read_rejections(str(explored / "rejections.jsonl"))
    assert {(t.reason, t.detail) for t in told} == {
        ("not_chosen", "rock: viz.pieces_per_genre = 9"),
        ("not_chosen", "disco: viz.pieces_per_genre = 9"),
    }
    assert set(report.files) == {p.name for p in explored.iterdir()} - {"_report.json"}
    assert explore.make(corpus)[1]


def test_the_same_bytes_twice_and_nothing_left_over(
    corpus: Config, explored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hashes(explored)
    (explored / "jazz-7.html").write_text("left by a run that was killed")
    (explored / "notes.txt").write_text("a user's")
    forced = dataclasses.replace(corpus, force=True)
    assert not explore.make(forced)[1]
    assert hashes(explored) == before | {"notes.txt": hashes(explored)["notes.txt"]}
    (explored / "notes.txt").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(explore, "PIECES_A_PAGE", 4)
        explore.make(forced)
    assert "rock-3.html" in hashes(explored)
    explore.make(forced)
    assert hashes(explored) == before


def test_counts_equal_the_tables(corpus: Config, explored: Path) -> None:
    index = (explored / "index.html").read_text()
    for genre, mine in joined(corpus).groupby("subset"):
        row = re.search(rf"<tr><td>{genre}</td>(.*?)</tr>", index)
        assert row
        cells = [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in row[1].split("</td>")]
        splits = mine["split"].value_counts()
        assert cells[:-1] == [
            str(len(mine)),
            str(mine["artist"].nunique()),
            f"{mine['seconds'].sum() / 3600:.1f}",
            f"{mine['median_qpm'].median():.0f}",
            f"{mine['seconds'].median() / 60:.1f} min",
            mine["key"].value_counts().sort_index().sort_values(kind="stable", ascending=False)
            .index[0],
            *(str(splits.get(split, 0)) for split in ("train", "validation", "test")),
            "9",
        ]  # fmt: skip
    labels = pd.read_parquet(Path(corpus.data) / "subsets" / "labels.parquet")
    for genre, mine in labels.groupby("genre"):
        assert f"<td>{html.escape(str(genre))}</td><td>{mine['family'].iloc[0]}</td>" in index
        count = mine["track_id"].nunique()
        assert f'{mine["family"].iloc[0]}</td><td class="number">{count}</td>' in index


def test_pieces_are_spread_over_artists_and_stay_chosen(corpus: Config) -> None:
    place = Layout(corpus.data)
    tracks = tables.read_table(place.tracks_table, Track)
    labels = tables.read_table(place.labels_table, GenreLabel)
    rock = pieces.members(tracks, labels)["rock"]
    artists = len({member.track.artist for member in rock})
    chosen = pieces.choose(rock, artists + 4, seed=0)
    counts = Counter(member.track.artist for member in chosen)
    assert set(counts.values()) == {1, 2}
    assert len(counts) == artists
    assert chosen == pieces.choose(list(reversed(rock)), artists + 4, seed=0)
    assert chosen != pieces.choose(rock, artists + 4, seed=1)
    assert len(pieces.choose(rock, 1000, seed=0)) == len(rock)
    fewer = [member for member in rock if member.track.artist != "Band 3"]
    kept = {m.track.track_id for m in chosen if m.track.artist != "Band 3"}
    assert kept <= {m.track.track_id for m in pieces.choose(fewer, artists + 4, seed=0)}


def test_rows_of_encodings_are_what_the_encodings_give(corpus: Config, few_encodings: None) -> None:
    place = Layout(corpus.data)
    track = tables.read_table(place.tracks_table, Track)[0]
    path = f"{place.notesequences}/{track.shard}"
    (read,) = encoded.read_all(corpus, [(path, track.offset)])
    assert [row.name for row in read.encoded] == list(FEW)
    record = Path(path).read_bytes()[track.offset + 12 :][: track.num_bytes]
    for row in read.encoded:
        made = open_encoding(ExamplesConfig(encoding=row.name)).encode(
            extraction.read(record, "full")
        )
        assert row.examples == len(made.examples)
        assert row.steps == sum(len(example.events) for example in made.examples)
        assert bool(row.dropped) == bool(+made.dropped)
    assert read.encoded[0].examples > 0
    assert "without drums" in read.encoded[1].dropped


def test_what_cannot_be_read_is_a_rejection(
    tmp_path: Path, few_encodings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = page_corpus.made(tmp_path, artists=6, songs=1, pieces_per_genre=40)
    place = Layout(config.data)
    (shard, *_) = sorted(Path(place.notesequences).glob("*.tfrecord"))
    damaged = bytearray(shard.read_bytes())
    damaged[40] ^= 0xFF
    shard.write_bytes(damaged)
    report, _ = explore.make(config)
    assert report.adds_up
    assert report.rejected["unreadable"] >= 1
    told = tables.read_rejections(f"{place.explore}/rejections.jsonl")
    assert any("damaged" in each.detail for each in told)

    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("corpus.encodings.zeldic.ZeldicEncoding.encode", fails)
    report, _ = explore.make(dataclasses.replace(config, force=True))
    page = (Path(place.explore) / "rock-1.html").read_text()
    assert "faults of the encoder" in page
    for path in Path(place.notesequences).glob("*.tfrecord"):
        path.unlink()
    report, _ = explore.make(dataclasses.replace(config, force=True))
    assert (report.outputs, report.adds_up) == (0, True)
    assert "rock" in (Path(place.explore) / "index.html").read_text()


def test_no_subset_is_told_in_a_sentence(corpus: Config, tmp_path: Path) -> None:
    place = Layout(str(tmp_path))
    for stage in ("notesequences", "subsets"):
        report = reports.read(f"{corpus.data}/{stage}")
        assert report is not None
        reports.write(f"{tmp_path}/{stage}", report)
    tracks = tables.read_table(Layout(corpus.data).tracks_table, Track)
    tables.write_table(place.tracks_table, tracks, Track)
    tables.write_table(place.labels_table, [], GenreLabel)
    failed = run("viz.explore", "--set", f"data={tmp_path}")
    assert failed.returncode == 2
    assert "tracks is in a subset" in failed.stderr
    assert "Traceback" not in failed.stderr
    nothing = run("viz.explore", "--set", f"data={tmp_path / 'none'}")
    assert "run `make ingest` first" in nothing.stderr


def test_charts_say_their_numbers() -> None:
    names = ["a", 'b "<i>"']
    chart = charts.Chart("T & U", names, {"": [1, 4]}, "tracks")
    for drawn in (charts.columns(chart), charts.rows(chart)):
        assert 'aria-label="T &amp; U. Highest: b &quot;&lt;i&gt;&quot; 4, a 1."' in drawn
        assert "<i>" not in drawn
        assert drawn.count("<rect") == 2
    empty = charts.Chart("T", ["a"], {"": [0]}, "tracks")
    assert "T: nothing." in charts.columns(empty)
    high = re.findall(r'height="([\d.]+)"', charts.columns(chart))
    assert float(high[1]) == 4 * float(high[0])


def test_histograms_hold_every_track(corpus: Config) -> None:
    tracks = tables.read_table(Layout(corpus.data).tracks_table, Track)
    facts = ((0.0, 0.0), (59.99, 59.9), (60.0, 60.0), (199.9, 3600.0), (1e9, 1e9))
    odd = [
        dataclasses.replace(tracks[0], median_qpm=qpm, seconds=seconds, key="G# minor")
        for qpm, seconds in facts
    ]
    tempo = genre_facts.tempo_chart(odd).series[""]
    assert sum(tempo) == len(odd)
    assert (tempo[0], tempo[1], tempo[-2], tempo[-1]) == (2, 1, 1, 1)
    length = genre_facts.length_chart(odd).series[""]
    assert (length[0], length[1], length[-1]) == (2, 1, 2)
    keys = genre_facts.key_chart(odd)
    assert keys.series["minor"][list(keys.names).index("Ab")] == len(odd)


@pytest.mark.browser
def test_the_pages_work_in_a_browser(chromium: Browser, explored: Path) -> None:
    with browser.opened(chromium, explored / "index.html") as shown:
        assert shown.page.locator("svg[aria-label]").count() == 8
        assert shown.page.locator("main img").count() == 0
        shown.page.get_by_role("link", name="9 of", exact=False).first.click()
        assert shown.page.locator("article.piece").count() == 9
        canvas = shown.page.locator("canvas").first
        shown.page.locator(".legend").first.wait_for()
        assert browser.count_colorful(canvas) > 500
        shown.page.get_by_role("button", name="Play").first.click()
        shown.page.get_by_role("button", name="Stop").wait_for()
        assert shown.page.evaluate("genremill.isPlaying")
        shown.page.get_by_role("button", name="Stop").click()
        shown.page.get_by_text("encodings make examples").first.click()
        assert shown.page.get_by_role("cell", name="attention_rnn").first.is_visible()
        assert not shown.problems


@pytest.mark.browser
def test_hostile_names_are_shown_as_they_are(
    chromium: Browser, corpus: Config, explored: Path
) -> None:
    tracks = tables.read_table(Layout(corpus.data).tracks_table, Track)
    evil = next(track for track in tracks if "onerror" in track.artist)
    with browser.opened(chromium, explored / "disco-1.html", width=390) as shown:
        article = shown.page.locator("article.piece").filter(has_text="onerror")
        assert evil.artist.startswith(page_corpus.EVIL_ARTIST[:20])
        assert evil.title == page_corpus.EVIL_TITLE
        assert article.locator("h2").text_content() == f"{evil.artist} – {evil.title}"
        play = article.get_by_role("button")
        assert play.get_attribute("aria-label") == f"Play {evil.artist} – {evil.title}"
        assert evil.path in str(article.locator(".facts").text_content())
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        assert not shown.problems


@pytest.mark.slow
def test_all_encodings_and_several_processes_give_the_same(corpus: Config) -> None:
    place = Layout(corpus.data)
    tracks = tables.read_table(place.tracks_table, Track)[:17]
    places = [(f"{place.notesequences}/{t.shard}", t.offset) for t in tracks]
    one, two = (
        list(
            encoded.read_all(
                dataclasses.replace(
                    corpus, beam=dataclasses.replace(corpus.beam, num_workers=workers)
                ),
                places,
            )
        )
        for workers in (1, 2)
    )
    assert one == two
    assert len(one[0].encoded) > 20
    assert json.dumps([dataclasses.asdict(read) for read in one]).count("faults") == 0
