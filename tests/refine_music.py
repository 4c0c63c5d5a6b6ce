"""Made-up music and small nets for the tests of refining."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from note_seq.protobuf import music_pb2

from corpus import config, files, reports, shards
from corpus.encodings.piece import read_piece
from corpus.layout import Layout
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, StageReport
from trainers.refining import job, pieces, tasks
from trainers.refining.nets import Told
from trainers.refining.score import Score

SMALL = "rnn_layer_sizes=[16],batch_size=8"
TRACKS = {TRAIN: 6, VALIDATION: 2, TEST: 2}


def song(seed: int, bars: int = 8) -> Any:
    """A bass, a tune and drums: lengths and accents follow simple rules of their own."""
    rng = np.random.default_rng(seed)
    made = music_pb2.NoteSequence(ticks_per_quarter=220)
    made.tempos.add(time=0, qpm=120)
    made.time_signatures.add(time=0, numerator=4, denominator=4)
    gate = float(rng.choice([0.6, 0.8, 0.95]))
    for beat in range(4 * bars):
        accent = 24 if beat % 4 == 0 else 0
        _add(made, beat, gate, 36 + int(rng.integers(0, 5)), 70 + accent, 0, 33)
        _add(made, beat, 0.1, 36 if beat % 2 == 0 else 38, 90 + accent, 9, 0, drum=True)
        for half in range(2):
            lasts = 0.45 if rng.random() < 0.7 else 0.25
            _add(made, beat + half / 2, lasts, 60 + int(rng.integers(0, 12)), 90 - 20 * half, 1, 0)
    made.total_time = max(n.end_time for n in made.notes)
    return made


def _add(
    made: Any, beat: float, lasts: float, pitch: int, loud: int, instrument: int, program: int,
    *, drum: bool = False,
) -> None:  # fmt: skip
    made.notes.add(
        start_time=beat / 2, end_time=(beat + lasts) / 2, pitch=pitch, velocity=loud,
        instrument=instrument, program=program, is_drum=drum,
    )  # fmt: skip


def score_of(made: Any) -> Score:
    return Score.of(read_piece(made.SerializeToString()))


def make_corpus(data: str, *, flat: bool = False) -> config.Config:
    """The subsets of one genre, as their stage leaves them; flat: all notes of one velocity."""
    folder = Layout(data).subsets
    written: dict[str, str] = {}
    number = 0
    for split in SPLITS:
        payloads = []
        for _ in range(TRACKS[split]):
            made = song(number)
            made.id = f"/id/midi/made_up/{number:040x}"
            for note in made.notes if flat else ():
                note.velocity = 80
            payloads.append(made.SerializeToString(deterministic=True))
            number += 1
        name = f"rock/{shards.shard_name(split, 0, 1)}"
        written[name], _ = shards.write_shard(files.join(folder, name), payloads)
    report = StageReport(
        stage="subsets", unit="tracks", config_hash="", input_hash="", versions={},
        inputs=number, outputs=number, rejected={}, seconds=0.0, files=written,
        details={"subsets": {"rock": {}}},
    )  # fmt: skip
    reports.write(folder, report)
    return dataclasses.replace(config.load(None, []), data=data)


def trained(settings: config.Config, num_steps: int = 12) -> str:
    """Trains small nets; returns where their bundle lies."""
    work = job.Job(settings, "rock", num_steps, SMALL)
    work.train()
    return work.bundle_path


def batch(kind: str) -> Told:
    """Four windows of one song."""
    score, rng = score_of(song(0)), np.random.default_rng(0)
    return Told.of(pieces.windows(kind, tasks.told(kind, score, rng), rng, 4))


def no_config(folder: Path) -> list[str]:
    """Flags that take the built-in configuration, whatever config.toml says."""
    (folder / "empty.toml").write_text("")
    return ["--config", str(folder / "empty.toml")]
