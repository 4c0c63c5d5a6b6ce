"""A whole small run, for tests of the report, the card and the export: strange names, a broken
file, copies, examples, and what training, sampling and evaluating leave behind."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from corpus import reports
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import StageReport
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from tests.page_corpus import EVIL_ARTIST, EVIL_GENRE, EVIL_TITLE

LICENSE = "CC BY-SA 3.0 | <b>table</b>"
HISTORY = [
    {"step": 2, "train_loss": 3.5, "validation_loss": 3.25},
    {"step": 4, "train_loss": 2.5, "validation_loss": 2.75},
    {"step": 6, "train_loss": 2.0, "validation_loss": 2.875},
]


def ingested(root: Path) -> Config:
    """A run up to ingest: 12 artists, a copy, a file of the same music, and one that is broken."""
    names = {f"Band {at}": 3 for at in range(11)} | {EVIL_ARTIST: 2}
    source = makers.write_source(root / "scores", names)
    evil = source / EVIL_ARTIST
    (evil / "Song 0.mid").rename(evil / f"{EVIL_TITLE}.mid")
    shutil.copy(source / "Band 1" / "Song 0.mid", source / "Band 1" / "Copy | of it.mid")
    (source / "Band 2" / "Broken <i>.mid").write_bytes(b"MThd")
    rows = [
        {"name": name, "genres": ["rock", EVIL_GENRE] + ["disco"] * (at % 2), "license": LICENSE}
        for at, name in enumerate(names)
        if name != "Band 10"
    ]
    table = root / "table.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = makers.config_for(
        root / "data", source, table, genres=("rock", "disco"), min_artists=5, min_tracks=5
    )
    makers.run_in_loop(IngestStage(config))
    return config


def with_subsets(root: Path) -> Config:
    """A run up to the subsets rock and disco."""
    config = ingested(root)
    for stage in (GenresStage, SubsetsStage):
        makers.run_in_loop(stage(config))
    return config


def whole(root: Path) -> Config:
    """A run up to the evaluation; models and samples are made up."""
    config = with_subsets(root)
    makers.run_in_loop(ExamplesStage(config))
    folder = Layout(config.data).model("attention_rnn", "rock")
    _write_model(Path(folder), config)
    _write_samples(Path(Layout(config.data).samples("attention_rnn", "rock")))
    _write_evaluation(Path(Layout(config.data).evaluation("attention_rnn")))
    return config


def _report(stage: str, unit: str, files: dict[str, str], **more: Any) -> StageReport:
    details = {"genre": "rock", "variant": "", **more.pop("details", {})}
    return StageReport(
        stage, unit, "c" * 64, more.pop("made_from", "i" * 64), {"genremill": "0"},
        len(files), len(files), {}, 1.5, files=files, details=details,
    )  # fmt: skip


def _write_model(folder: Path, config: Config) -> None:
    train = dataclasses.replace(config.train, num_steps=6, hparams="batch_size=4")
    told = {
        "seed": 7, "train": dataclasses.asdict(train),
        "examples": dataclasses.asdict(config.examples),
    }  # fmt: skip
    header = json.dumps({"__metadata__": {"genremill": json.dumps(told)}}).encode()
    name = "attention_rnn.safetensors"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(len(header).to_bytes(8, "little") + header)
    metrics = {
        "step": 4, "steps": 6, "history": HISTORY, "num_train": 90, "train_loss": 2.4321,
        "train_accuracy": 0.5, "num_validation": 8, "validation_loss": 2.75,
        "validation_accuracy": 0.25, "num_test": 0,
    }  # fmt: skip
    reports.write(
        str(folder), _report("train", "genres", {name: "x"}, details={"metrics": metrics})
    )


def _write_samples(folder: Path) -> None:
    folder.mkdir(parents=True)
    names = [f"rock_0{at}.mid" for at in (1, 2)]
    for name in names:
        (folder / name).write_bytes(makers.midi())
    reports.write(str(folder), _report("sample", "samples", dict.fromkeys(names, "x")))


def _write_evaluation(stem: Path) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    apart = {"difference": {"mean": 1.0, "low": 0.5, "high": 1.5}}
    near = {"difference": {"mean": 0.1, "low": -0.5, "high": 1.5}}
    genre = {
        "genre": "rock", "samples": 2, "losses": {"test": {"loss": 1.23456}},
        "figures": {"a": apart, "b": near, "c": near},
    }  # fmt: skip
    found = {"genres": [genre], "real_confusion": None, "notes": []}
    stem.with_suffix(".json").write_text(json.dumps(found), encoding="utf-8")
    stem.with_suffix(".html").write_text("<!DOCTYPE html>", encoding="utf-8")
