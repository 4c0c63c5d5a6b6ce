"""A small corpus with the names that strangers give, for tests of pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from corpus.config import Config
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers

EVIL_ARTIST = "<img src=x onerror=alert(1)> \u2028 \"quoted\" & 'so' 🎵"
EVIL_TITLE = "<script>alert(2)<!-- $x$ ${y} \\"
EVIL_GENRE = 'evil "core" & <i>more'
STAGES = (IngestStage, GenresStage, SubsetsStage)


def made(root: Path, *, artists: int = 11, songs: int = 3, pieces_per_genre: int = 9) -> Config:
    """A run up to the subsets rock (all artists) and disco (every other)."""
    names = {f"Band {at}": songs for at in range(artists)} | {EVIL_ARTIST: 1}
    source = makers.write_source(root / "scores", names)
    (source / EVIL_ARTIST / "Song 0.mid").rename(source / EVIL_ARTIST / f"{EVIL_TITLE}.mid")
    genres = {
        artist: ["rock", EVIL_GENRE] + (["disco"] if at % 2 else [])
        for at, artist in enumerate(names)
    }
    table = makers.write_table(root / "table.jsonl", genres)
    config = makers.config_for(
        root / "data", source, table, genres=("rock", "disco"), min_artists=5, min_tracks=5
    )
    for stage in STAGES:
        makers.run_in_loop(stage(config))
    viz = dataclasses.replace(config.viz, pieces_per_genre=pieces_per_genre)
    return dataclasses.replace(
        config, viz=viz, beam=dataclasses.replace(config.beam, num_workers=1)
    )
