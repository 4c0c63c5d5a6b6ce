"""The whole examples stage against the bare functions, on the same subset in one process."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from corpus import files, shards
from corpus.config import Config
from corpus.encodings import extraction, open_encoding
from corpus.encodings.piece import read_identity
from corpus.example_proto import Origin
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


def _bare(config: Config, plans: Sequence[ExamplesPlan], *, with_records: bool) -> int:
    """Reads every piece and encodes it; returns how many examples there are.

    With records, each example becomes the bytes that the stage writes.
    """
    encoding = open_encoding(config.examples)
    subsets, found = ExamplesStage(config).layout.subsets, 0
    for plan in plans:
        for record in shards.read_shard(files.join(subsets, plan.subset)):
            piece = extraction.read(record, config.examples.way)
            examples = encoding.encode(piece, is_training=plan.split == TRAIN).examples
            found += len(examples)
            origin = Origin(plan.genre, read_identity(record)[0], plan.split, encoding.name)
            if with_records and examples:
                origin.frame(examples)
    return found


def measure(config: Config, encoding: str, way: str) -> tuple[float, float, float, int]:
    """(CPU seconds of reading and encoding, also of records, of the whole stage, examples).

    Of several passes the best ones.
    """
    examples = dataclasses.replace(config.examples, encoding=encoding, extraction=way)
    config = dataclasses.replace(config, examples=examples)
    plans = ExamplesStage(config).plan()
    num_examples = _bare(config, plans, with_records=True)  # compiles
    works: list[Callable[[], object]] = [
        lambda: _bare(config, plans, with_records=False),
        lambda: _bare(config, plans, with_records=True),
        lambda: makers.run_in_loop(ExamplesStage(config)),
    ]
    best = [float("inf")] * len(works)
    for _ in range(_PASSES):
        for at, work in enumerate(works):
            began = time.process_time()
            work()
            best[at] = min(best[at], time.process_time() - began)
    return best[0], best[1], best[2], num_examples
