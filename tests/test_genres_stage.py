"""The genres stage against services on loopback: quotas, restarts, hand-made cases."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus import explain, labels, providers, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres, StageReport, TrackGenres
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from tests import makers
from tests.fake_services import FakeService, Reply, Request, serve
from tests.test_pipelines import run, start

KNOWN = {
    "ABBA": ["europop", "swedish pop"],
    "Queen": ["rock"],
    "Phil Collins": ["soft rock"],
    "Elton John": ["piano rock"],
    "Silent": [],
}
FOLDERS = ["ABBA", "Queen", "Collins Phil", "Silent", "Nobody Knows Me", "Elton John & Queen"]
FOLDERS += ["Various Artists"]


def spotify(request: Request) -> Reply:
    """Search that lists somebody else first."""
    if request.path == "/api/token":
        return Reply(body={"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600})
    asked = set(request.query["q"].removeprefix("artist:").replace('"', "").lower().split())
    hits = ["Somebody Else", *(name for name in KNOWN if set(name.lower().split()) <= asked)]
    items = [
        {"name": name, "id": f"id-{name}", "genres": KNOWN.get(name, ["wrong"])} for name in hits
    ]
    return Reply(body={"artists": {"items": items}})


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    with serve(spotify) as server:
        monkeypatch.setenv("SPOTIPY_CLIENT_ID", "an id")
        monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "a secret")
        monkeypatch.setenv("GENREMILL_SPOTIFY_URL", f"{server.url}/v1")
        monkeypatch.setenv("GENREMILL_SPOTIFY_TOKEN_URL", f"{server.url}/api/token")
        yield server


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Config:
    root = tmp_path_factory.mktemp("genres")
    source = makers.write_source(root / "scores", dict.fromkeys(FOLDERS, 1))
    config = makers.config_for(root / "data", source)
    makers.run_in_loop(IngestStage(config))
    return config


def asking(ingested: Config, *names: str, **settings: object) -> Config:
    found = dataclasses.replace(ingested.genres, providers=names, **settings)  # type: ignore[arg-type]
    return dataclasses.replace(ingested, genres=found)


def fresh(ingested: Config, tmp_path: Path, *names: str, **settings: object) -> GenresStage:
    return GenresStage(asking(ingested, *names, cache=str(tmp_path / "c.sqlite"), **settings))


def searches(server: FakeService) -> list[str]:
    return [r.query["q"] for r in server.requests if r.path == "/v1/search"]


def rows_of(stage: GenresStage) -> dict[str, list[str]]:
    rows = tables.read_table(stage.layout.artist_genres_table, ArtistGenres)
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.artist, []).append(row.genre)
    return found


def report_of(stage: GenresStage) -> StageReport:
    report = reports.read(stage.folder)
    assert report is not None
    return report


def rejected(stage: GenresStage) -> dict[str, str]:
    path = Path(stage.folder) / "rejections.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["path"]: row["reason"] for row in rows}


def test_genres_come_from_the_artist_that_is_meant(
    ingested: Config, tmp_path: Path, service: FakeService
) -> None:
    stage = fresh(ingested, tmp_path, "spotify")
    makers.run_in_loop(stage)
    found = rows_of(stage)
    assert found["ABBA"] == ["europop", "swedish pop"]
    assert found["Collins Phil"] == ["soft rock"]
    assert found["Elton John & Queen"] == ["piano rock", "rock"]
    assert rejected(stage) == {
        "Nobody Knows Me": "no_match",
        "Silent": "no_genres",
        "Various Artists": "not_an_artist",
    }
    report = report_of(stage)
    assert report.adds_up
    assert any("Spotify's policy forbids" in str(note) for note in report.details["notes"])  # type: ignore[attr-defined]
    rows = tables.read_table(stage.layout.artist_genres_table, ArtistGenres)
    together = [row for row in rows if row.artist == "Elton John & Queen"]
    assert all(row.match_score == 0.7 for row in together)
    assert all(row.license and row.retrieved_at.endswith("Z") for row in rows)


def test_a_second_run_asks_nothing_and_writes_the_same_rows(
    ingested: Config, tmp_path: Path, service: FakeService
) -> None:
    stage = fresh(ingested, tmp_path, "spotify")
    makers.run_in_loop(stage)
    first = (len(service.requests), rows_of(stage))
    makers.run_in_loop(stage)
    assert (len(service.requests), rows_of(stage)) == first


def test_a_spent_quota_ends_the_provider_and_the_next_run_goes_on(
    ingested: Config, tmp_path: Path, service: FakeService
) -> None:
    stage = fresh(ingested, tmp_path, "spotify", spotify_daily_calls=3)
    makers.run_in_loop(stage)
    report = report_of(stage)
    assert str(report.details[reports.RESUME_AFTER]).endswith("Z")
    assert stage.done() is None
    assert "not_asked_yet" in rejected(stage).values()
    before = searches(service)
    assert len(service.requests) <= 3
    more = fresh(ingested, tmp_path, "spotify")
    makers.run_in_loop(more)
    assert reports.RESUME_AFTER not in report_of(more).details
    assert more.done()
    answered = set(before[:-1])
    assert not answered & set(searches(service)[len(before) :])
    assert rows_of(more)["Queen"] == ["rock"]


def test_the_command_says_when_to_go_on(
    ingested: Config, tmp_path: Path, service: FakeService
) -> None:
    flags = ["--set", f"data={ingested.data}", "--set", "genres.providers=spotify"]
    flags += ["--set", f"genres.cache={tmp_path / 'c.sqlite'}"]
    few = [*flags, "--set", "genres.spotify_daily_calls=2"]
    result = run("pipelines.genres", *few)
    assert result.returncode == 75
    assert "resume after 20" in result.stdout
    assert "secret" not in result.stdout + result.stderr
    planned = run("pipelines.genres", *few, "--dry-run")
    assert planned.returncode == 0
    assert "6 artists to look up" in planned.stdout
    assert "0 of 2 calls left today" in planned.stdout
    result = run("pipelines.genres", *flags)
    assert result.returncode == 0, result.stderr
    told = run("pipelines.genres", *flags, "--explain", "Phil Collins")
    assert "Collins Phil: 1 tracks" in told.stdout
    assert "soft rock (rock): confidence 0.891" in told.stdout
    assert "id-Phil Collins" in told.stdout
    missing = run("pipelines.genres", *flags, "--explain", "Quean Latifah")
    assert missing.returncode == 2
    assert "no track is by 'Quean Latifah'; nearest artists: " in missing.stderr
    purged = run("pipelines.genres", *flags, "--purge", "spotify")
    assert "answers forgotten" in purged.stdout
    assert not Path(Layout(ingested.data).artist_genres_table).exists()


def test_a_service_that_refuses_is_told_and_asked_again_later(
    ingested: Config, tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--set", f"data={ingested.data}", "--set", "genres.providers=spotify"]
    flags += ["--set", f"genres.cache={tmp_path / 'c.sqlite'}"]
    with serve(lambda _: Reply(403, "go away")) as refusing:
        monkeypatch.setenv("GENREMILL_SPOTIFY_TOKEN_URL", f"{refusing.url}/api/token")
        result = run("pipelines.genres", *flags, "--set", "force=true")
    assert result.returncode == 1
    assert "6 artists are still to be asked" in result.stdout
    monkeypatch.setenv("GENREMILL_SPOTIFY_TOKEN_URL", f"{service.url}/api/token")
    assert run("pipelines.genres", *flags).returncode == 0


def test_killed_in_the_middle_it_asks_for_nothing_twice(
    ingested: Config, tmp_path: Path, service: FakeService
) -> None:
    flags = ["--set", f"data={ingested.data}", "--set", "genres.providers=spotify"]
    flags += ["--set", f"genres.cache={tmp_path / 'c.sqlite'}"]
    flags += ["--set", "force=true"]
    process = start("pipelines.genres", *flags)
    deadline = time.monotonic() + 180
    while len(searches(service)) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    interrupted = len(searches(service))
    assert interrupted
    assert run("pipelines.genres", *flags).returncode == 0
    asked = Counter(searches(service))
    assert all(
        count == 1 for name, count in asked.items() if name in searches(service)[: interrupted - 1]
    )


def test_cases_settled_by_hand(ingested: Config, tmp_path: Path, service: FakeService) -> None:
    by_hand = tmp_path / "overrides.toml"
    by_hand.write_text(
        '[artist."Nobody Knows Me"]\ngenres = ["Hip-Hop"]\n'
        '[artist."Silent"]\nname = "Queen"\n'
        '[artist."ABBA"]\nis_artist = false\n'
    )
    stage = fresh(ingested, tmp_path, "spotify", overrides=str(by_hand))
    makers.run_in_loop(stage)
    found = rows_of(stage)
    assert found["Nobody Knows Me"] == ["hip hop"]
    assert found["Silent"] == ["rock"]
    assert rejected(stage)["ABBA"] == "not_an_artist"
    assert not any("ABBA" in query or "Nobody" in query for query in searches(service))


def test_a_service_without_credentials_is_said_before_anything_is_asked(
    ingested: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPOTIPY_CLIENT_ID", raising=False)
    with pytest.raises(ValueError, match=r"SPOTIPY_CLIENT_ID .*take spotify out"):
        fresh(ingested, tmp_path, "spotify").pieces()
    with pytest.raises(ValueError, match="unknown provider 'oracle'; known: table"):
        fresh(ingested, tmp_path, "oracle").pieces()


def test_near_names_are_listed_for_review(
    ingested: Config, tmp_path: Path, service: FakeService
) -> None:
    table = makers.write_table(tmp_path / "t.jsonl", {"Nobody Know Us": ["rock"], "Zappa": ["x"]})
    stage = fresh(ingested, tmp_path, "table", table=str(table))
    makers.run_in_loop(stage)
    with open(Path(stage.folder) / "review.csv", encoding="utf-8") as file:
        rows = {row["artist"]: row for row in csv.DictReader(file)}
    assert rows["Nobody Knows Me"]["candidate"] == "Nobody Know Us"
    assert 0.85 <= float(rows["Nobody Knows Me"]["score"]) < 0.95
    assert rows_of(stage)["Nobody Knows Me"] == [""]


def test_tracks_have_labels_of_their_own(ingested: Config, tmp_path: Path) -> None:
    tracks = GenresStage(ingested).tracks()
    queen = next(track for track in tracks if track.artist == "Queen")
    (tmp_path / "a.cls").write_text("# comment\nTRAAAAA128F4213110\tMetal\n")
    scores = {"TRAAAAA128F4213110": {queen.md5: 0.75}}
    (tmp_path / "match_scores.json").write_text(json.dumps(scores))
    table = makers.write_table(tmp_path / "t.jsonl", {"Queen": ["rock", "glam metal"]})
    stage = fresh(
        ingested, tmp_path, "table", "msd", table=str(table),
        msd_labels=(str(tmp_path / "a.cls"),), match_scores=str(tmp_path / "match_scores.json"),
    )  # fmt: skip
    makers.run_in_loop(stage)
    rows = tables.read_table(stage.layout.track_genres_table, TrackGenres)
    assert [(row.track_id, row.genre, row.match_score) for row in rows] == [
        (queen.track_id, "metal", 0.75)
    ]
    said = tables.read_table(stage.layout.artist_genres_table, ArtistGenres)
    found = labels.label_tracks(tracks, said, rows)[queen.track_id]
    assert [(label.genre, label.confidence) for label in found] == [
        ("glam metal", 1.0),
        ("metal", 0.6),
    ]
    assert any(
        "metal, msd TRAAAAA128F4213110" in line for line in explain.explain(stage.layout, "queen")
    )


def test_every_provider_states_its_terms() -> None:
    for name in (*providers.PROVIDERS, *providers.TRACK_PROVIDERS):
        card = providers.data_card(name)
        assert card.terms.endswith(".")
        assert card.license is not None
        assert card.requests_per_artist >= 0
        assert card.name == name
        assert 0 < labels.TRUST[name] <= 1
