"""What the examples stage gives: even shards, counts, and words where it gives nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from corpus import command, example_proto, files, reports, shards
from corpus.config import Config
from corpus.encodings import EncodedPiece
from corpus.encodings.piece import read_identity
from corpus.records import SPLITS
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from tests.test_examples_stage import made, with_encoding
from tests.test_pipelines import run

LONG, SHORT = ([f"{kind} {i}" for i in range(12)] for kind in ("Long", "Short"))
NAME = "attention_rnn"


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Subsets of rock, and of punk, whose pieces have three bars."""
    root = tmp_path_factory.mktemp("yield")
    source = makers.write_source(root / "scores", dict.fromkeys(LONG, 2))
    for index, artist in enumerate(SHORT):
        (source / artist).mkdir()
        pitches = random.Random(index).choices(makers.SCALE, k=24)
        (source / artist / "Song.mid").write_bytes(makers.midi(pitches))
    genres = {artist: ["rock"] for artist in LONG} | {artist: ["punk"] for artist in SHORT}
    table = makers.write_table(root / "t.jsonl", genres)
    config = makers.config_for(
        root / "data", source, table, genres=("rock", "punk"), tracks_per_shard=3, min_tracks=4
    )
    for stage in (IngestStage, GenresStage, SubsetsStage):
        makers.run_in_loop(stage(config))
    return config


def of_rock(road: Config, root: Path, **subsets: object) -> Config:
    """The same without punk, in a folder of its own."""
    shutil.copytree(road.data, root / "data")
    asked = dataclasses.replace(road.subsets, genres=("rock",), **subsets)  # type: ignore[arg-type]
    config = dataclasses.replace(road, data=str(root / "data"), subsets=asked)
    makers.run_in_loop(SubsetsStage(config))
    return config


def digests(folder: str) -> dict[str, str]:
    """SHA-256 of every file but the report, which holds seconds."""
    names = files.list_names(folder, recursive=True)
    data = {name: files.read_bytes(files.join(folder, name)) for name in names}
    return {n: hashlib.sha256(d).hexdigest() for n, d in data.items() if n != "_report.json"}


def records(folder: str, split: str) -> list[bytes]:
    return [r for path in shards.list_shards(folder, split) for r in shards.read_shard(path)]


def test_shards_are_even_and_do_not_tell_how_they_were_made(road: Config, tmp_path: Path) -> None:
    found = []
    for per_shard in (2, 24):
        config = of_rock(road, tmp_path / str(per_shard), tracks_per_shard=per_shard)
        config = with_encoding(config, NAME, shard_mb=0.005)
        report = made(config)
        folder = ExamplesStage(config).folder
        found.append(digests(folder))
        assert {n: d for n, d in report.files.items() if n.endswith(".tfrecord")} == {
            n: d for n, d in found[-1].items() if n.endswith(".tfrecord")
        }
    assert found[0] == found[1]
    train = shards.list_shards(files.join(folder, "rock"), "train")
    sizes = [len(files.read_bytes(path)) for path in train]
    largest = max(len(record) + 16 for path in train for record in shards.read_shard(path))
    assert len(train) == -(-sum(sizes) // 5000) > 3
    assert all(abs(size - sum(sizes) / len(sizes)) <= largest for size in sizes)
    assert {Path(name).name.split("-")[0] for name in found[0]} == {*SPLITS, "rejections.jsonl"}


def test_pieces_stay_in_order(road: Config, tmp_path: Path) -> None:
    config = with_encoding(of_rock(road, tmp_path), NAME, shard_mb=0.003)
    made(config)

    examples = files.join(ExamplesStage(config).folder, "rock")
    subset = files.join(SubsetsStage(config).folder, "rock")
    for split in SPLITS:
        given = [read_identity(record)[0] for record in records(subset, split)]
        parsed = [example_proto.parse(record) for record in records(examples, split)]
        assert list(dict.fromkeys(example.track_id for example in parsed)) == given


def test_counts_and_notes_say_what_came_and_what_went(road: Config) -> None:
    config = with_encoding(road, NAME, extraction="magenta")
    report = made(config)
    counts: Any = report.details["counts"]
    assert sum(of["pieces"] for by_split in counts.values() for of in by_split.values()) == 36
    assert report.inputs == 36
    assert report.outputs == 24
    for split in SPLITS:
        rock, punk = counts["rock"][split], counts["punk"][split]
        assert rock["pieces"] == rock["pieces_with_examples"] > 0
        folder = files.join(ExamplesStage(config).folder, "rock")
        parsed = [example_proto.parse(record) for record in records(folder, split)]
        assert rock["examples"] == len(parsed)
        assert rock["steps"] == sum(len(example.events) for example in parsed)
        assert punk["dropped"] == {"too_short": punk["pieces"]}
        assert (punk["pieces_with_examples"], punk["examples"], punk["steps"]) == (0, 0, 0)
    rock_note, punk_note = command.notes(report)
    assert rock_note.startswith("rock: 24 of 24 pieces gave 24 examples (")
    said = "punk: none of 12 pieces gave an example; dropped 12 x too short for min_bars=7; "
    assert punk_note.startswith(said + 'SETTINGS="min_bars=4"')
    assert punk_note.endswith(" would give more")


def test_a_genre_with_nothing_to_train_on_stops_the_stage(road: Config) -> None:
    config = with_encoding(road, NAME)
    stage = ExamplesStage(config)
    with pytest.raises(reports.EmptyStageError) as failed:
        stage.check(made(config))
    message = str(failed.value)
    assert "attention_rnn makes nothing to train on for punk." in message
    assert 'x too short for min_bars=7; SETTINGS="min_bars=4"' in message
    assert message.endswith("or leave punk out of GENRES")
    assert "rock" not in message
    assert stage.done() is None
    mended = with_encoding(road, NAME, settings=("min_bars=2", "min_unique_pitches=2"))
    again = ExamplesStage(mended)
    again.check(made(mended))
    assert again.done()


def test_the_command_fails_each_time(road: Config, tmp_path: Path) -> None:
    shutil.copytree(Path(road.data) / "subsets", tmp_path / "subsets")
    for _ in range(2):
        failed = run("pipelines.examples", "--set", f"data={tmp_path}")
        assert failed.returncode == 2
        assert failed.stderr.startswith("error: attention_rnn makes nothing to train on for punk.")
        assert failed.stderr.count("\n") == 1
        assert "already done" not in failed.stdout


def test_a_split_without_an_example_is_a_note(road: Config, tmp_path: Path) -> None:
    config = of_rock(road, tmp_path)
    subset = Path(SubsetsStage(config).folder) / "rock"
    for path in shards.list_shards(str(subset), "test"):
        shards.write_shard(path, ())
    report = made(with_encoding(config, NAME))
    ExamplesStage(with_encoding(config, NAME)).check(report)
    (note,) = [note for note in command.notes(report) if "no test example" in note]
    assert "no test loss can be measured" in note
    assert "subsets.test_ratio over 0.1" in note
    folder = Path(ExamplesStage(with_encoding(config, NAME)).folder) / "rock"
    assert (folder / "test-00000-of-00001.tfrecord").read_bytes() == b""


@pytest.mark.parametrize("fault", [ZeroDivisionError(), EncodedPiece()])
def test_a_fault_of_any_encoder_is_a_rejection(
    road: Config, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    config = with_encoding(road, "notewise")
    stage = ExamplesStage(config)

    def fail(*_: object, **__: object) -> object:
        if isinstance(fault, Exception):
            raise fault
        return fault

    monkeypatch.setattr(stage._encoding, "encode", fail)
    makers.run_in_loop(stage)
    report = reports.require(stage.folder, "examples")
    assert report.rejected == {"encoder_failed": 36}
    with pytest.raises(reports.EmptyStageError, match="faults of the encoder"):
        stage.check(report)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An object store in memory, below gs://."""
    memory = pytest.importorskip("fsspec").filesystem("memory", skip_instance_cache=True)
    remote = fs.PyFileSystem(fs.FSSpecHandler(memory))
    local = files._filesystem

    def filesystem(path: str) -> tuple[fs.FileSystem, str]:
        is_ours = path.startswith("gs://bucket")
        return (remote, path.removeprefix("gs:/")) if is_ours else local(path)

    monkeypatch.setattr(files, "_filesystem", filesystem)
    yield "gs://bucket"
    memory.rm("/bucket", recursive=True)


def test_an_object_store_gets_the_same_bytes(road: Config, tmp_path: Path, bucket: str) -> None:
    here = with_encoding(of_rock(road, tmp_path), NAME, shard_mb=0.004)
    made(here)
    for name in files.list_names(SubsetsStage(here).folder, recursive=True):
        data = files.read_bytes(files.join(SubsetsStage(here).folder, name))
        files.write_bytes(files.join(bucket, "data/subsets", name), data)
    there = dataclasses.replace(here, data=files.join(bucket, "data"))
    made(there)
    expected = digests(ExamplesStage(here).folder)
    assert digests(ExamplesStage(there).folder) == expected
    assert ExamplesStage(there).done()
    assert len(expected) > 6
