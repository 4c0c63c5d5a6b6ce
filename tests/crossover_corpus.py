"""A small corpus with hostile names, as ingest and genres leave it, for the crossover page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from note_seq.protobuf import music_pb2

from corpus import reports, shards, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres, StageReport, Track
from tests.test_genres import row

HOSTILE = (
    "</script><script>window.bad=1</script>",
    '"><img src=x onerror="window.bad=1">',
    "A & B <b>$x$</b> \u2028 🎵",
    "__proto__",
)
_SHARD = "notesequences-00000-of-00001.tfrecord"


def a_track(artist: str, title: str, number: int, offset: int) -> Track:
    return Track(
        track_id=f"{number:040x}",
        source="test",
        path=f"{artist}/{title}.mid",
        tune="",
        artist=artist,
        artist_raw=artist,
        title=title,
        song=title,
        media="midi",
        reader="midi",
        md5="",
        num_notes=8,
        seconds=40.0,
        qpm=120.0,
        time_signature="4/4",
        has_drums=True,
        has_chords=False,
        programs=[0],
        license="",
        warnings=[],
        shard=_SHARD,
        offset=offset,
        num_bytes=0,
    )


def a_score() -> bytes:
    """A minute of piano with a drum on every beat."""
    written = music_pb2.NoteSequence(total_time=60)
    for beat in range(60):
        for drum, pitch in ((False, 60 + beat % 12), (True, 38)):
            note = written.notes.add(pitch=pitch, velocity=90, is_drum=drum)
            note.start_time, note.end_time = beat, beat + 0.5
    data: bytes = written.SerializeToString()
    return data


def labels_of(num_artists: int) -> list[ArtistGenres]:
    camps = (["metal", "death metal", "rock"], ["classical", "baroque", "opera"], ["disco", "funk"])
    rng = np.random.default_rng(0)
    names = [*HOSTILE, *(f"Artist {n:02d}" for n in range(num_artists - len(HOSTILE)))]
    rows = [
        row(name, genre, 0.5 if number % 7 == 3 else 1.0)
        for number, name in enumerate(names)
        for genre in sorted(rng.choice(camps[number % 3], rng.integers(1, 3), replace=False))
    ]
    return [*rows, row("Artist 00", "opera"), row("Nobody", ""), row("Artist 01", "<i>odd</i>")]


def make_corpus(folder: Path, num_artists: int = 40) -> Config:
    """Two tracks of every third artist, three of the first, one of them a score that is lost."""
    place = Layout(str(folder))
    rows = labels_of(num_artists)
    tables.write_table(place.artist_genres_table, rows, ArtistGenres)
    shards.write_shard(f"{place.notesequences}/{_SHARD}", [a_score()])
    artists = sorted({each.artist for each in rows if each.genre})[::3]
    tracks = [
        a_track(artist, title, 2 * at + copy, 0)
        for at, artist in enumerate(artists)
        for copy, title in enumerate(("Song <b>one</b>", "Song <b>one</b>"))
    ]
    tracks.append(a_track(artists[0], "A lost one", 999, 10**9))
    tables.write_table(place.tracks_table, tracks, Track)
    for where, stage in ((place.notesequences, "ingest"), (place.genres, "genres")):
        reports.write(where, StageReport(stage, "artists", "", "", {}, 1, 1, {}, 0.0))
    return Config(data=str(folder))


def page_of(config: Config) -> Path:
    return Path(Layout(config.data).reports) / "crossover.html"


def data_of(path: Path, name: str) -> Any:
    found = re.search(
        rf'<script type="application/json" id="data-{name}">(.*?)</script>',
        path.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found
    return json.loads(found[1])
