"""The export: its rows are those of the tables, its music that of the NoteSequences."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pretty_midi
import pytest

from corpus import notes, reports, shards, tables
from corpus.config import Config
from corpus.records import Rejection
from tests import finished_run
from tests.page_corpus import EVIL_ARTIST, EVIL_TITLE
from tests.test_pipelines import run
from viz import card, export, midi_file


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    made = finished_run.with_subsets(tmp_path_factory.mktemp("export"))
    report, skipped = export.make(made)
    assert not skipped
    assert report.adds_up
    return made


def folder(config: Config) -> Path:
    return Path(config.data) / "export"


def hashes(config: Config) -> dict[str, str]:
    return {
        str(path.relative_to(folder(config))): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder(config).rglob("*"))
        if path.is_file() and path.name != "_report.json"
    }


def members(config: Config) -> pd.DataFrame:
    labels = pd.read_parquet(Path(config.data) / "subsets" / "labels.parquet")
    return labels[labels["subset"] != ""].drop_duplicates(["track_id", "subset"])


def rows(config: Config, pattern: str = "*/*") -> pd.DataFrame:
    paths = sorted((folder(config) / "data").glob(f"{pattern}.parquet"))
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def test_rows_are_those_of_the_tables(config: Config) -> None:
    found, wanted = rows(config), members(config)
    assert list(found.columns) == list(card.COLUMNS)
    keys = ["track_id", "genre", "split"]
    told = wanted.rename(columns={"subset": "of", "genre": "label"}).rename(columns={"of": "genre"})
    assert sorted(found[keys].itertuples(index=False)) == sorted(told[keys].itertuples(index=False))
    tracks = pd.read_parquet(Path(config.data) / "notesequences" / "tracks.parquet")
    same = [
        "artist",
        "title",
        "source",
        "path",
        "license",
        "qpm",
        "key",
        "seconds",
        "num_notes",
        "md5",
    ]
    both = found.merge(tracks, on="track_id", suffixes=("", "_of_table"))
    assert len(both) == len(found) > 30
    for name in [*same, "time_signature", "has_drums"]:
        assert (both[name] == both[f"{name}_of_table"]).all(), name
    for _, row in both.iterrows():
        assert list(row["programs"]) == list(row["programs_of_table"])
    assert " ".join(EVIL_ARTIST.split()) in set(found["artist"])
    assert EVIL_TITLE in set(found["title"])
    assert not set(found["track_id"]) & set(tracks[tracks["duplicate_of"] != ""]["track_id"])


def test_labels_are_those_of_the_table(config: Config) -> None:
    labels = pd.read_parquet(Path(config.data) / "subsets" / "labels.parquet")
    for _, row in rows(config).iterrows():
        mine = labels[labels["track_id"] == row["track_id"]].drop_duplicates("genre")
        wanted = dict(zip(mine["genre"], mine["confidence"], strict=True))
        assert dict(zip(row["genres"], row["genre_confidences"], strict=True)) == wanted
        assert row["genre"] in wanted


def test_the_music_is_that_of_the_notesequences(config: Config) -> None:
    subsets = Path(config.data) / "subsets"
    found = rows(config, "rock/train-*")
    paths = shards.list_shards(str(subsets / "rock"), "train")
    payloads = [payload for path in paths for payload in shards.read_shard(path)]
    assert len(payloads) == len(found)
    for payload, midi in zip(payloads, found["midi"], strict=True):
        wanted = notes.parse(payload)
        (instrument,) = pretty_midi.PrettyMIDI(io.BytesIO(midi)).instruments
        got = sorted((n.start, n.end, n.pitch, n.velocity) for n in instrument.notes)
        columns = (wanted.start, wanted.end, wanted.pitch, wanted.velocity)
        np.testing.assert_allclose(got, sorted(zip(*columns, strict=True)), atol=1e-6)


def test_a_second_run_skips_and_a_forced_one_gives_the_same_bytes(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hashes(config)
    assert export.make(config)[1]
    assert export.main(flags(config)) == 0
    assert "already done" in capsys.readouterr().out
    assert export.main([*flags(config), "--set", "force=true"]) == 0
    assert "already done" not in capsys.readouterr().out
    assert hashes(config) == before
    report = reports.require(str(folder(config)), "export")
    assert report.files == before


def flags(config: Config) -> list[str]:
    """The flags that give this configuration to a command."""
    values = {
        "data": config.data,
        "ingest.source": config.ingest.source,
        "ingest.files_per_shard": config.ingest.files_per_shard,
        "genres.table": config.genres.table,
        "subsets.genres": "rock,disco",
        "subsets.min_artists": config.subsets.min_artists,
        "subsets.min_tracks": config.subsets.min_tracks,
    }
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def test_a_killed_run_starts_again_and_gives_the_same_bytes(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hashes(config)
    (folder(config) / "_report.json").unlink()
    stray = folder(config) / "data" / "metal" / "train-00000-of-00003.parquet"
    stray.parent.mkdir()
    stray.write_bytes(b"of a run with other genres")
    (folder(config) / "data" / "rock" / ".train-00000.partial").write_bytes(b"half a file")
    mine = folder(config) / "my notes.txt"
    mine.write_text("stays")
    with monkeypatch.context() as patched:
        patched.setattr(export.Exporter, "_write_split", _killed_at_disco)
        with pytest.raises(KeyboardInterrupt):
            export.make(config)
    assert not (folder(config) / "_report.json").exists()
    assert not export.make(config)[1]
    assert mine.read_text() == "stays"
    mine.unlink()
    assert hashes(config) == before


_write_split = export.Exporter._write_split


def _killed_at_disco(exporter: export.Exporter, genre: str, split: str) -> int:
    if genre == "disco" and split == "validation":
        raise KeyboardInterrupt
    return _write_split(exporter, genre, split)


def test_what_cannot_be_written_is_a_rejection(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = hashes(config), midi_file.from_sequence
    victim = rows(config, "rock/train-*")["track_id"][0]

    def fails(payload: bytes) -> bytes:
        if victim.encode() in payload:
            raise ValueError("the score has no note")
        return write(payload)

    with monkeypatch.context() as patched:
        patched.setattr(midi_file, "from_sequence", fails)
        report, _ = export.make(forced(config))
    assert report.inputs == len(members(config)) == report.outputs + sum(report.rejected.values())
    assert set(report.rejected) == {"unreadable"}
    told = tables.read_rejections(str(folder(config) / "rejections.jsonl"))
    assert all(isinstance(each, Rejection) and each.path for each in told)
    assert victim not in set(rows(config)["track_id"])
    export.make(forced(config))
    assert hashes(config) == before


def forced(config: Config) -> Config:
    return dataclasses.replace(config, force=True)


def test_large_splits_are_several_files(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(config, "rock/train-*")
    with monkeypatch.context() as patched:
        patched.setattr(export, "_FILE_BYTES", 12_000)
        patched.setattr(export, "_GROUP_BYTES", 1_500)
        export.make(forced(config))
    paths = sorted((folder(config) / "data" / "rock").glob("train-*"))
    assert len(paths) > 2
    assert paths[-1].name == f"train-{len(paths) - 1:05d}-of-{len(paths):05d}.parquet"
    pd.testing.assert_frame_equal(rows(config, "rock/train-*"), whole)
    export.make(forced(config))
    assert len(list((folder(config) / "data" / "rock").glob("train-*"))) == 1


def test_other_tracks_than_the_tables_name_are_refused(config: Config, tmp_path: Path) -> None:
    made = finished_run.with_subsets(tmp_path)
    shard = next((Path(made.data) / "subsets" / "disco").glob("train-*"))
    payloads = list(shards.read_shard(str(shard)))
    for wrong in (payloads[1:], payloads[::-1], [*payloads, payloads[0]]):
        shards.write_shard(str(shard), wrong)
        with pytest.raises(ValueError, match="other tracks"):
            export.make(made)
    (Path(made.data) / "subsets" / "_report.json").unlink()
    with pytest.raises(ValueError, match="run `make subsets` first"):
        export.make(made)


def croissant_of(config: Config) -> dict[str, Any]:
    value = json.loads((folder(config) / "croissant.json").read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def test_croissant_says_what_is_there(config: Config) -> None:
    told = croissant_of(config)
    required = {"@context", "@type", "conformsTo", "name", "description", "license", "url"}
    assert required | {"distribution", "recordSet", "creator", "version"} <= told.keys()
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    objects = [d for d in told["distribution"] if d["@type"] == "cr:FileObject"]
    paths = {
        str(p.relative_to(folder(config))) for p in (folder(config) / "data").rglob("*.parquet")
    }
    assert {o["contentUrl"] for o in objects} == paths
    for each in objects:
        data = (folder(config) / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
        assert each["contentSize"] == f"{len(data)} B"
    sets = {s["@id"]: s for s in told["recordSet"]}
    assert list(sets) == ["default", "rock", "disco"]
    ids = {d["@id"] for d in told["distribution"]}
    for name, each in sets.items():
        assert [f["@id"] for f in each["field"]] == [f"{name}/{c}" for c in card.COLUMNS]
        assert {f["source"]["fileSet"]["@id"] for f in each["field"]} <= ids


def test_mlcroissant_reads_every_record(config: Config) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(str(folder(config) / "croissant.json"))
    records = list(dataset.records("rock"))
    assert len(records) == (members(config)["subset"] == "rock").sum()
    assert {r["rock/midi"][:4] for r in records} == {b"MThd"}


def test_datasets_loads_every_configuration(config: Config, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for name, of in (("default", ["rock", "disco"]), ("rock", ["rock"]), ("disco", ["disco"])):
        loaded = datasets.load_dataset(str(folder(config)), name, cache_dir=str(tmp_path))
        wanted = members(config)[members(config)["subset"].isin(of)]["split"].value_counts()
        assert {split: len(table) for split, table in loaded.items()} == wanted.to_dict()


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    assert "run `make ingest` first" in run("viz.export", "--set", f"data={tmp_path}").stderr
