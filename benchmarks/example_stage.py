"""The whole examples stage against the bare functions, on the same subset in one process."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

from corpus import files, shards
from corpus.config import Config
from corpus.encodings import extraction, open_encoding
from corpus.records import TRAIN
from corpus.stages.examples import ExamplesPlan, ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers

_GENRE = "rock"
_FILES_PER_ARTIST = 10
_PASSES = 3


def make_subset(folder: Path, midi_files: Sequence[bytes]) -> Config:
    """Ingests MIDI files as songs of one genre and cuts its subset.

    There are ten songs a band, and subsets want ten bands.
    """
    source, artists = folder / "scores", set()
    for index, data in enumerate(midi_files):
        artist = f"Band {index // _FILES_PER_ARTIST}"
        artists.add(artist)
        path = source / artist / f"Song {index}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    rows = [json.dumps({"name": name, "genres": [_GENRE]}) for name in sorted(artists)]
    table = folder / "genres.jsonl"
    table.write_text("\n".join(rows) + "\n", "utf-8")
    base = Config(data=str(folder / "data"))
    config = dataclasses.replace(
        base,
        ingest=dataclasses.replace(base.ingest, source=str(source)),
        genres=dataclasses.replace(base.genres, table=str(table)),
        subsets=dataclasses.replace(base.subsets, genres=(_GENRE,)),
    )
    for stage in (IngestStage, GenresStage, SubsetsStage):
        makers.run_in_loop(stage(config))
    return config


def _bare(config: Config, plans: Sequence[ExamplesPlan]) -> int:
    """Reads every piece and encodes it; returns how many examples there are."""
    encoding = open_encoding(config.examples)
    subsets, found = ExamplesStage(config).layout.subsets, 0
    for plan in plans:
        for record in shards.read_shard(files.join(subsets, plan.subset)):
            piece = extraction.read(record, config.examples.way)
            found += len(encoding.encode(piece, is_training=plan.split == TRAIN).examples)
    return found


def measure(config: Config, encoding: str, way: str) -> tuple[float, float, int]:
    """(CPU seconds of the bare functions, those of the whole stage, examples), the best passes."""
    examples = dataclasses.replace(config.examples, encoding=encoding, extraction=way)
    config = dataclasses.replace(config, examples=examples)
    plans = ExamplesStage(config).plan()
    _bare(config, plans)  # compiles
    bare, whole = [], []
    num_examples = 0
    for _ in range(_PASSES):
        began = time.process_time()
        num_examples = _bare(config, plans)
        bare.append(time.process_time() - began)
        began = time.process_time()
        makers.run_in_loop(ExamplesStage(config))
        whole.append(time.process_time() - began)
    return min(bare), min(whole), num_examples
