"""A finished examples stage with samples and a model's file, made without training anything."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pretty_midi
import torch

from corpus import example_proto, files, names, readers, reports, shards
from corpus.config import Config
from corpus.encodings import open_encoding
from corpus.encodings.piece import Piece, read_piece
from corpus.layout import Layout
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, StageReport
from trainers import bundle
from trainers.features import Feeding
from trainers.hparams import Hparams

SIZES = {TRAIN: 8, VALIDATION: 3, TEST: 3}
SCALES = {"stepwise": (60, 62, 64, 65, 67), "leaping": (60, 67, 74, 81, 64)}


def tune(genre: str, number: int, *, num_notes: int = 96, qpm: float = 120.0) -> bytes:
    """A MIDI file of quarter notes of a genre's scale: one goes by steps, the other leaps."""
    rng = np.random.default_rng([number, *genre.encode()])
    scale = SCALES[genre]
    walk = np.cumsum(rng.choice([-1, 1], num_notes)) % len(scale)
    pitches = [scale[at] for at in walk]
    rhythm = rng.choice([0.25, 0.5], num_notes) if genre == "stepwise" else np.full(num_notes, 0.5)
    return midi_of(pitches, rhythm.tolist(), qpm=qpm)


def midi_of(
    pitches: Sequence[int], quarters: Sequence[float], *, qpm: float = 120.0, is_drum: bool = False
) -> bytes:
    """A MIDI file of one instrument, a note after the other."""
    song = pretty_midi.PrettyMIDI(initial_tempo=qpm, resolution=480)
    player = pretty_midi.Instrument(0, is_drum=is_drum)
    times = np.cumsum([0.0, *quarters]) * 60 / qpm
    for pitch, start, end in zip(pitches, times, times[1:], strict=False):
        player.notes.append(pretty_midi.Note(90, pitch, start, end))
    song.instruments.append(player)
    buffer = io.BytesIO()
    song.write(buffer)
    return buffer.getvalue()


def piece_of_midi(data: bytes) -> Piece:
    """The piece of a MIDI file."""
    (score,) = readers.read_score(data, "t.mid", "t")
    return read_piece(score.payload)


def made(data: Path, genres: Sequence[str] = tuple(SCALES)) -> Config:
    """A run whose examples are there, a genre a scale, each track a tune."""
    config = Config(data=str(data))
    encoding = open_encoding(config.examples)
    folder = Layout(config.data).examples(encoding.name)
    counts: dict[str, dict[str, int]] = {}
    written: dict[str, str] = {}
    for genre in genres:
        number = 0
        counts[genre] = {}
        for split in SPLITS:
            records = []
            for _ in range(SIZES[split]):
                number += 1
                piece = piece_of_midi(tune(genre, number))
                records += [
                    example_proto.serialize(
                        example_proto.Example(
                            each.events, genre, f"{genre}-{number}", split, encoding.name,
                            each.made_by,
                        )
                    )
                    for each in encoding.encode(piece).examples
                ]  # fmt: skip
            name = files.join(names.slug(genre), shards.shard_name(split, 0, 1))
            written[name], counts[genre][split] = shards.write_shard(
                files.join(folder, name), records
            )
    reports.write(folder, _report("examples", written, {"examples": counts}))
    return config


def with_samples(config: Config, genre: str, midis: Sequence[bytes]) -> Config:
    """The same run with samples of a genre, and the model's file that they may come from."""
    layout = Layout(config.data)
    digest = _save_model(config, genre)
    folder = layout.samples(config.model_name, genre)
    written = {}
    for number, data in enumerate(midis, start=1):
        name = f"{names.slug(genre)}_{number:02d}.mid"
        written[name] = files.write_bytes(files.join(folder, name), data)
    report = _report("sample", written, {"genre": genre})
    reports.write(folder, dataclasses.replace(report, input_hash=digest))
    return config


def _save_model(config: Config, genre: str) -> str:
    layout = Layout(config.data)
    path = layout.bundle(config.model_name, genre)
    metrics = {f"{split}_loss": 1.0 + at / 4 for at, split in enumerate(SPLITS)}
    info = bundle.BundleInfo(
        model=config.train.model,
        hparams=dataclasses.asdict(Hparams()),
        feeding=dataclasses.asdict(Feeding.of(open_encoding(config.examples))),
        examples=dataclasses.asdict(config.examples),
        genre=genre,
        genres=[genre],
        corpus_hash="",
        licenses={},
        train={},
        seed=0,
        step=1,
        metrics={
            **metrics,
            **{f"{split}_accuracy": 0.5 for split in SPLITS},
            **{f"num_{split}": size for split, size in SIZES.items()},
        },
        versions={},
    )
    bundle.save(path, {"weight": torch.zeros(1)}, info)
    folder = layout.model(config.model_name, genre)
    report = _report("train", {path.rpartition("/")[2]: files.sha256_of(path)}, {"genre": genre})
    reports.write(folder, report)
    stored = reports.read(folder)
    assert stored is not None
    return stored.output_hash


def _report(stage: str, written: dict[str, str], details: dict[str, object]) -> StageReport:
    return StageReport(
        stage=stage, unit="files", config_hash="", input_hash="", versions={}, inputs=len(written),
        outputs=len(written), rejected={}, seconds=0.0, files=written, details=details,
    )  # fmt: skip
