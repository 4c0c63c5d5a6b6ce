"""The stages without Beam, on small corpora."""

from __future__ import annotations

import dataclasses
import os
import tarfile
from pathlib import Path

import pytest
from note_seq.protobuf import music_pb2

from corpus import duplicates, example_proto, files, names, preflight, reports, shards, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import SPLITS, ArtistGenres, GenreLabel, StageReport, Track
from corpus.stages import Stage
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers

ARTISTS = {f"Band {i}": 3 for i in range(12)} | {"Solo": 2, "Nobody": 1, "Unheard": 1}
GENRES = {
    **{f"Band {i}": ["rock", "disco"] if i % 3 else ["rock"] for i in range(12)},
    "Solo": ["jazz"],
    "Nobody": [],
}
STAGES = (IngestStage, GenresStage, SubsetsStage, ExamplesStage)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A finished run over a small corpus with some files that cannot be read."""
    root = tmp_path_factory.mktemp("road")
    source = makers.write_source(root / "scores", ARTISTS)
    (source / "Solo" / "notes.txt").write_text("hello")
    (source / "Solo" / "broken.mid").write_bytes(b"MThd")
    song = (source / "Band 0" / "Song 0.mid").read_bytes()
    (source / "Band 0" / "Song 0.2.mid").write_bytes(makers.melody(40))
    (source / "Unheard" / "copy.mid").write_bytes(song)
    table = makers.write_table(root / "table.jsonl", GENRES)
    config = makers.config_for(
        root / "data", source, table, genres=("rock", "disco", "jazz"), min_artists=10
    )
    for stage in STAGES:
        makers.run_in_loop(stage(config))
    return config


def report_of(stage: Stage) -> StageReport:  # type: ignore[type-arg]
    report = reports.read(stage.folder)
    assert report is not None
    return report


def test_every_row_adds_up_and_says_why(road: Config) -> None:
    found = {stage.name: report_of(stage(road)) for stage in STAGES}
    assert all(report.adds_up for report in found.values())
    ingest, genres, subsets, examples = found.values()
    assert (ingest.inputs, ingest.outputs) == (44, 42)
    assert ingest.rejected == {"not_a_score": 1, "truncated": 1}
    assert ingest.details["duplicates"] == {"bytes": 1}
    assert (genres.inputs, genres.outputs) == (15, 13)
    assert genres.rejected == {"no_genres": 1, "no_match": 1}
    assert subsets.inputs == 42
    assert subsets.rejected == {"artist_without_genre": 3, "genre_too_small": 2}
    assert "jazz" in " ".join(map(str, subsets.details["notes"]))  # type: ignore[call-overload]
    assert examples.inputs == 37 + 24


def test_tracks_point_at_their_note_sequences(road: Config) -> None:
    tracks = tables.read_table(Layout(road.data).tracks_table, Track)
    for track in tracks:
        path = files.join(Layout(road.data).notesequences, track.shard)
        (record,) = shards.read_records_at(path, [track.offset])
        sequence = music_pb2.NoteSequence.FromString(record)
        assert sequence.id == f"/id/midi/scores/{track.track_id}"
        assert len(sequence.notes) == track.num_notes == 64
        assert sequence.filename == track.path
    by_path = {track.path: track for track in tracks}
    one, two = by_path["Band 0/Song 0.mid"], by_path["Band 0/Song 0.2.mid"]
    assert one.song == two.song
    assert by_path["Unheard/copy.mid"].duplicate_of == one.track_id


def test_subsets_hold_their_tracks_and_keep_families_together(road: Config) -> None:
    place = Layout(road.data)
    tracks = {t.track_id: t for t in tables.read_table(place.tracks_table, Track)}
    labels = tables.read_table(place.labels_table, GenreLabel)
    for genre in ("rock", "disco"):
        wanted = {a for a, found in GENRES.items() if genre in found}
        seen: dict[str, str] = {}
        for split in SPLITS:
            for path in shards.list_shards(files.join(place.subsets, names.slug(genre)), split):
                for record in shards.read_shard(path):
                    seen[music_pb2.NoteSequence.FromString(record).id.rpartition("/")[2]] = split
        assert {tracks[t].artist for t in seen} == wanted
        expected = {row.track_id: row.split for row in labels if row.subset == genre}
        assert seen == expected
        sides: dict[str, set[str]] = {}
        for track_id, split in seen.items():
            sides.setdefault(tracks[track_id].song, set()).add(split)
        assert all(len(s) == 1 for s in sides.values())


def test_examples_carry_genre_track_and_split(road: Config) -> None:
    place = Layout(road.data)
    labels = tables.read_table(place.labels_table, GenreLabel)
    split_of = {(row.subset, row.track_id): row.split for row in labels}
    count = 0
    for genre in ("rock", "disco"):
        folder = files.join(place.examples("attention_rnn"), names.slug(genre))
        for split in SPLITS:
            for path in shards.list_shards(folder, split):
                for record in shards.read_shard(path):
                    example = example_proto.parse(record)
                    assert (example.genre, example.split) == (genre, split)
                    assert split_of[genre, example.track_id] == split
                    count += 1
    counted = report_of(ExamplesStage(road)).details["examples"]
    assert isinstance(counted, dict)
    assert count == sum(n for by_split in counted.values() for n in by_split.values())


def test_a_finished_stage_is_done_until_something_changes(road: Config) -> None:
    assert all(stage(road).done() for stage in STAGES)
    assert IngestStage(dataclasses.replace(road, force=True)).done() is None
    assert SubsetsStage(dataclasses.replace(road, seed=1)).done() is None
    other = dataclasses.replace(road.subsets, genres=("disco",))
    assert SubsetsStage(dataclasses.replace(road, subsets=other)).done() is None
    local = dataclasses.replace(road.beam, runner="multiprocess")
    assert IngestStage(dataclasses.replace(road, beam=local)).done()


def test_a_stage_that_lost_a_shard_is_not_done(road: Config, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(road.data, tmp_path / "data")
    moved = dataclasses.replace(road, data=str(tmp_path / "data"))
    stage = IngestStage(moved)
    assert stage.done()
    (tmp_path / "data" / "notesequences" / "notesequences-00000-of-00009.tfrecord").unlink()
    assert stage.done() is None


def test_clearing_touches_nothing_of_the_users(tmp_path: Path) -> None:
    users = ("tax.csv", "mine.parquet", "song.mid", "me.png", "thesis.pdf", "my.safetensors")
    ours = (
        "_report.json",
        "tracks.parquet",
        ".x.1a2b.partial",
        "rock/train-00000-of-00001.tfrecord",
        "rock/rock_01.mid",
    )
    (tmp_path / "rock").mkdir()
    for name in (*users, *ours):
        (tmp_path / name).write_text("{}")
    reports.clear(str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(users)


def test_an_unknown_genre_is_named_before_any_work(road: Config) -> None:
    wrong = dataclasses.replace(road.subsets, genres=("rokc",))
    with pytest.raises(ValueError, match="nearest: rock"):
        SubsetsStage(dataclasses.replace(road, subsets=wrong)).plan()
    none = dataclasses.replace(road.subsets, genres=())
    with pytest.raises(ValueError, match="Most common here: rock"):
        SubsetsStage(dataclasses.replace(road, subsets=none)).plan()


def test_preflight_says_early_what_would_go_wrong_late(road: Config) -> None:
    assert preflight.check(road).endswith("subsets: rock, disco, jazz")
    wrong = dataclasses.replace(road.subsets, genres=("rokc",))
    with pytest.raises(ValueError, match="nearest: rock"):
        preflight.check(dataclasses.replace(road, subsets=wrong))
    nothing = dataclasses.replace(road.genres, table="")
    with pytest.raises(ValueError, match="no genre table"):
        preflight.check(dataclasses.replace(road, genres=nothing))


def test_a_stage_without_its_predecessor_says_which(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path))
    for stage, before in (
        (GenresStage, "ingest"),
        (SubsetsStage, "ingest"),
        (ExamplesStage, "subsets"),
    ):
        with pytest.raises(ValueError, match=f"run `make {before}` first"):
            stage(config).input_hash()


def test_an_empty_stage_explains_itself(tmp_path: Path) -> None:
    source = tmp_path / "s"
    (source / "A").mkdir(parents=True)
    (source / "A" / "x.mid").write_bytes(b"")
    stage = IngestStage(makers.config_for(tmp_path / "d", source))
    makers.run_in_loop(stage)
    report = report_of(stage)
    assert stage.done() is None
    with pytest.raises(reports.EmptyStageError, match="1 scores: 1 empty_file"):
        reports.fail_if_empty(report, stage.advice)


def test_artists_nobody_knows_come_with_the_nearest_names(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"Metalica": 1})
    table = makers.write_table(tmp_path / "t.jsonl", {"Metallica": ["metal"]})
    config = makers.config_for(tmp_path / "d", source, table)
    makers.run_in_loop(IngestStage(config))
    makers.run_in_loop(GenresStage(config))
    (rejection,) = tables.read_rejections(f"{config.data}/genres/rejections.jsonl")
    assert rejection.reason == "no_match"
    assert "nearest names: Metallica" in rejection.detail
    rows = tables.read_table(Layout(config.data).artist_genres_table, ArtistGenres)
    assert [row.status for row in rows] == ["no_match"]


def test_a_copy_counts_where_the_first_one_has_no_genre(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A Stranger": 12})
    for name in ("Known", "Known Too"):
        (source / name).mkdir()
        for path in (source / "A Stranger").iterdir():
            (source / name / path.name).write_bytes(path.read_bytes())
    table = makers.write_table(tmp_path / "t.jsonl", {"Known": ["metal"], "Known Too": ["metal"]})
    config = makers.config_for(tmp_path / "d", source, table, genres=("metal",))
    for stage in (IngestStage, GenresStage, SubsetsStage):
        makers.run_in_loop(stage(config))
    report = report_of(SubsetsStage(config))
    assert report.outputs == 12
    assert report.rejected == {"artist_without_genre": 12, "duplicate": 12}


def test_two_genres_never_share_a_folder(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A": 12, "B": 12})
    table = makers.write_table(tmp_path / "t.jsonl", {"A": ["q&b"], "B": ["q-and-b"]})
    config = makers.config_for(tmp_path / "d", source, table, genres=("q&b", "q-and-b"))
    for stage in STAGES:
        makers.run_in_loop(stage(config))
    assert report_of(ExamplesStage(config)).inputs == 24


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A": 2})
    stage = IngestStage(makers.config_for(tmp_path / "d", source))
    makers.run_in_loop(stage)
    assert stage.done()
    song = source / "A" / "Song 0.mid"
    song.write_bytes(song.read_bytes()[::-1])
    os.utime(song, ns=(0, 12345))
    assert stage.done() is None


def test_a_file_that_appears_while_a_stage_runs_is_not_lost(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A": 2})
    stage = IngestStage(makers.config_for(tmp_path / "d", source))
    stage.setup()
    results = [stage.do(piece) for piece in stage.pieces()]
    stage.teardown()
    (source / "A" / "late.mid").write_bytes(makers.melody(9))
    stage.finish(results)
    assert stage.done() is None


def test_data_below_the_source_is_no_music(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A": 2})
    stage = IngestStage(makers.config_for(source / "out", source))
    makers.run_in_loop(stage)
    assert stage.done()
    assert report_of(stage).inputs == 2


def test_a_stage_says_when_the_one_before_is_out_of_date(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A": 12})
    table = makers.write_table(tmp_path / "t.jsonl", {"A": ["rock"]})
    config = makers.config_for(tmp_path / "d", source, table, genres=("rock",))
    for stage in (IngestStage, GenresStage):
        makers.run_in_loop(stage(config))
    (source / "A" / "late.mid").write_bytes(makers.melody(9))
    makers.run_in_loop(IngestStage(config))
    with pytest.raises(ValueError, match="run `make genres` again"):
        SubsetsStage(config).done()


def test_a_piece_that_breaks_the_encoder_is_a_rejection(
    road: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ExamplesStage(road)

    def fail(_: object, **__: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(stage._encoding, "encode", fail)
    result = stage.run(stage.plan()[0])
    assert result.inputs == len(result.rejections) > 0
    assert {r.reason for r in result.rejections} == {"encoder_failed"}
    makers.run_in_loop(ExamplesStage(road))


def test_files_that_are_too_big_are_rejected_unread(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "s", {"A": 1})
    config = makers.config_for(tmp_path / "d", source)
    small = dataclasses.replace(config.ingest, max_file_mb=0.0005)
    (result,) = makers.run_in_loop(IngestStage(dataclasses.replace(config, ingest=small)))
    assert [r.reason for r in result.rejections] == ["too_big"]


def tracks_of(config: Config) -> list[Track]:
    return tables.read_table(Layout(config.data).tracks_table, Track)


def ingest(data: Path, source: str, **settings: object) -> Config:
    config = makers.config_for(data, Path(source))
    changed = dataclasses.replace(config.ingest, source=source, **settings)  # type: ignore[arg-type]
    config = dataclasses.replace(config, ingest=changed)
    makers.run_in_loop(IngestStage(config))
    return config


def test_an_archive_gives_the_tracks_of_its_folder(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "scores", {"A": 7, "B": 6})
    with tarfile.open(tmp_path / "scores.tar.gz", "w:gz") as archive:
        archive.add(source, "scores")
    from_folder = tracks_of(ingest(tmp_path / "one", str(source)))
    packed = ingest(tmp_path / "two", str(tmp_path / "scores.tar.gz"))
    assert {t.path: t.content_hash for t in tracks_of(packed)} == {
        t.path: t.content_hash for t in from_folder
    }
    assert IngestStage(packed).num_lanes() == 1
    spread = dataclasses.replace(packed.beam, runner="multiprocess", num_workers=3)
    assert IngestStage(dataclasses.replace(packed, beam=spread)).num_lanes() == 3
    assert IngestStage(makers.config_for(tmp_path / "d", source)).num_lanes() == 0


def test_several_sources_are_one_corpus(tmp_path: Path) -> None:
    one = makers.write_source(tmp_path / "one", {"A": 2})
    (tmp_path / "two" / "B").mkdir(parents=True)
    (tmp_path / "two" / "B" / "Tune.abc").write_text("X:1\nT:Other\nK:C\nCDEF\n")
    (tmp_path / "two" / "B" / "copy.mid").write_bytes((one / "A" / "Song 0.mid").read_bytes())
    config = ingest(tmp_path / "data", f"{one},{tmp_path / 'two'}")
    found = {t.path: t for t in tracks_of(config)}
    assert sorted(found) == [
        "one/A/Song 0.mid", "one/A/Song 1.mid", "two/B/Tune.abc", "two/B/copy.mid",
    ]  # fmt: skip
    assert [found[p].artist for p in sorted(found)] == ["A", "A", "B", "B"]
    assert found["two/B/copy.mid"].duplicate_of == found["one/A/Song 0.mid"].track_id
    assert found["two/B/copy.mid"].duplicate_kind == "bytes"


def test_tracks_say_what_a_researcher_filters_by_and_what_was_mended(tmp_path: Path) -> None:
    source = tmp_path / "scores" / "A"
    source.mkdir(parents=True)
    (source / "sound.mid").write_bytes(makers.melody(1))
    (source / "cut.mid").write_bytes(makers.melody(2)[:-40])
    (source / "riff.rmi").write_bytes(b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + makers.melody(3))
    config = ingest(tmp_path / "data", str(tmp_path / "scores"))
    found = {t.path: t for t in tracks_of(config)}
    sound, cut = found["A/sound.mid"], found["A/cut.mid"]
    assert (sound.reader, sound.warnings, sound.num_notes) == ("midi", [], 64)
    assert (sound.key, sound.on_grid_4, sound.max_polyphony) == ("C major", 1.0, 1)
    assert (cut.reader, cut.warnings) == ("midi-tolerant", ["truncated"])
    assert 0 < cut.num_notes < 64
    assert found["A/riff.rmi"].num_notes == 64
    details = report_of(IngestStage(config)).details
    assert details["readers"] == {"midi": 2, "midi-tolerant": 1}
    assert details["warnings"] == {"truncated": 1}


def test_the_time_that_mido_loses_is_counted_when_asked(tmp_path: Path) -> None:
    track = b"\x60\xff\x4b\x01a\x00\x90\x3c\x40\x60\x3c\x00\x00\xff\x2f\x00"
    header = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big")
    (tmp_path / "s" / "A").mkdir(parents=True)
    (tmp_path / "s" / "A" / "a.mid").write_bytes(header + track)
    for count, seconds in ((False, 0.5), (True, 1.0)):
        config = ingest(tmp_path / str(count), str(tmp_path / "s"), count_lost_time=count)
        assert [t.seconds for t in tracks_of(config)] == [seconds]
        assert report_of(IngestStage(config)).details["warnings"] == {"lost_time": 1}


def test_one_of_each_prefers_who_represents_the_cluster(road: Config) -> None:
    first, second = tracks_of(road)[:2]
    copy = dataclasses.replace(second, duplicate_of=first.track_id, duplicate_kind="near")
    assert duplicates.one_of_each([copy, first]) == [first]
    assert duplicates.one_of_each([copy]) == [copy]
