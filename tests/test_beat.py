"""Drums under a melody: one grid, one tempo, one end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pretty_midi
import pytest
import torch
from note_seq.protobuf import music_pb2

from corpus import command, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import GenreLabel, Track
from tests.tiny_bundles import write_bundle
from trainers import beat
from trainers.beat_parts import DRUM_MODELS, MELODY_MODELS, Wishes, find_part, lay, voiced

torch.set_num_threads(1)


def run(data: Path, *arguments: str) -> int:
    return command.run(beat.main, ["--set", f"data={data}", "--genre", "hip hop", *arguments])


def made(data: Path) -> list[pretty_midi.PrettyMIDI]:
    folder = data / "samples" / "beat" / "hip_hop"
    return [pretty_midi.PrettyMIDI(str(path)) for path in sorted(folder.glob("*.mid"))]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a melody and a drum model of hip hop."""
    for model in ("basic_rnn", "drum_kit"):
        write_bundle(str(tmp_path), model, "hip hop")
    return tmp_path


def test_a_beat_is_melody_chords_and_drums_to_the_same_bar_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--seconds", "15", "--qpm", "100", "--num_outputs", "2", "--program", "81")
    assert run(data, *arguments) == 0
    assert "2 of 2" in (printed := capsys.readouterr().out)
    assert "basic_rnn over drum_kit, 6 bars at 100 quarters a minute, 14.4 s" in printed
    files = made(data)
    assert len(files) == 2
    step = 60.0 / 100 / 4
    for music in files:
        assert music.get_tempo_changes()[1].round(3).tolist() == [100.0]
        melody, chords, drums = music.instruments
        assert (melody.program, chords.program, drums.is_drum) == (81, 48, True)
        assert (melody.is_drum, chords.is_drum) == (False, False)
        assert music.get_end_time() == pytest.approx(14.4, abs=0.01)
        for part in (melody, chords):
            assert max(n.end for n in part.notes) == pytest.approx(14.4, abs=0.01)
        assert max(n.start for n in drums.notes) > 12.0
        starts = [note.start / step for part in music.instruments for note in part.notes]
        assert max(abs(start - round(start)) for start in starts) < 0.02
    first = {path.name: path.read_bytes() for path in (data / "samples/beat/hip_hop").glob("*.mid")}
    assert run(data, *arguments, "--set", "force=true") == 0
    again = {path.name: path.read_bytes() for path in (data / "samples/beat/hip_hop").glob("*.mid")}
    assert first == again
    assert run(data, *arguments, "--set", "seed=7") == 0
    other = {path.name: path.read_bytes() for path in (data / "samples/beat/hip_hop").glob("*.mid")}
    assert first.keys() == other.keys()
    assert first != other


def test_given_chords_last_a_bar_each(data: Path) -> None:
    assert (
        run(data, "--seconds", "12", "--qpm", "120", "--num_outputs", "1", "--chords", "Am F") == 0
    )
    _, chords, _ = made(data)[0].instruments
    by_start: dict[float, set[int]] = {}
    for note in chords.notes:
        by_start.setdefault(round(note.start, 2), set()).add(note.pitch)
    assert by_start == {
        bar * 2.0: {45, 48, 52, 57} if bar % 2 == 0 else {41, 48, 53, 57} for bar in range(6)
    }
    assert run(data, "--seconds", "12", "--num_outputs", "1", "--chords", "none") == 0
    assert len(made(data)[0].instruments) == 2


def test_improv_models_play_over_the_chords(data: Path) -> None:
    write_bundle(str(data), "basic_improv", "hip hop")
    more = ("--melody_model", "basic_improv", "--num_outputs", "1", "--seconds", "16")
    assert run(data, *more, "--qpm", "120", "--chords", "Dm G") == 0
    given = [note.pitch for note in made(data)[0].instruments[0].notes]
    assert len(made(data)[0].instruments[1].notes) == 8 * 4
    assert run(data, *more, "--qpm", "120", "--chords", "Ab Db") == 0
    assert [note.pitch for note in made(data)[0].instruments[0].notes] != given
    assert run(data, *more, "--qpm", "120") == 0
    assert made(data)[0].instruments[1].notes


def test_a_model_of_all_genres_does_too(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path))
    write_bundle(str(tmp_path), "drum_kit", "all", genres=["disco", "hip hop"])
    part = find_part(config, "hip hop", "", DRUM_MODELS)
    assert (part.name, part.genre, part.steps_per_bar) == ("drum_kit", 1, 16)
    write_bundle(str(tmp_path), "one_drum", "hip hop")
    assert find_part(config, "hip hop", "one_drum", DRUM_MODELS).steps_per_bar == 8
    with pytest.raises(ValueError, match="make examples train MODEL=attention_rnn"):
        find_part(config, "hip hop", "", MELODY_MODELS)
    with pytest.raises(ValueError, match="plays no melody"):
        find_part(config, "hip hop", "drum_kit", MELODY_MODELS)


def track(track_id: str, qpm: float) -> Track:
    return Track(
        track_id=track_id, source="s", path="p", tune="", artist="a", artist_raw="a", title="t",
        song="a/t", media="midi", reader="midi", md5="", num_notes=1, seconds=1.0, qpm=0.0,
        median_qpm=qpm, time_signature="4/4", num_time_signatures=1, has_drums=True,
        has_chords=False, programs=[], license="", warnings=[], shard="", offset=0, num_bytes=0,
    )  # fmt: skip


def test_the_usual_tempo_is_the_median_of_the_genre(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path))
    assert beat.usual_qpm(config, "hip hop") == 120.0
    place = Layout(config.data)
    tempos = {"a": 80.0, "b": 95.4, "c": 200.0, "d": 20.0}
    tables.write_table(place.tracks_table, [track(n, q) for n, q in tempos.items()], Track)
    subsets = {"a": "hip hop", "b": "hip hop", "c": "hip hop", "d": "polka"}
    labels = [GenreLabel(n, subset, "", 1.0, [], subset, "train") for n, subset in subsets.items()]
    tables.write_table(place.labels_table, labels, GenreLabel)
    assert beat.usual_qpm(config, "hip hop") == 95.0
    assert beat.usual_qpm(config, "polka") == 40.0
    assert beat.usual_qpm(config, "jazz") == 120.0


def sequence(*notes: tuple[float, float, int]) -> Any:
    made_ = music_pb2.NoteSequence(ticks_per_quarter=220)
    for start, end, pitch in notes:
        made_.notes.add(start_time=start, end_time=end, pitch=pitch, velocity=90)
    return made_


def test_parts_are_cut_at_the_last_bar_line() -> None:
    wishes = Wishes(
        seconds=5.0, qpm=120.0, chords="none", program=3, chord_program=4, num_outputs=1
    )
    assert (wishes.num_bars, wishes.end) == (2, 4.0)
    melody = sequence((0.0, 1.0, 60), (2.0, 2.5, 62), (4.0, 5.0, 64))
    drums = sequence((0.0, 0.125, 36), (3.875, 4.2, 38), (4.0, 4.125, 36))
    whole = lay(melody, drums, [(0.0, "C"), (3.0, "G/B"), (4.5, "F")], wishes)
    found = [(n.instrument, n.program, n.start_time, n.end_time, n.pitch) for n in whole.notes]
    assert found[:4] == [
        (0, 3, 0.0, 1.0, 60), (0, 3, 2.0, 4.0, 62), (9, 0, 0.0, 0.125, 36), (9, 0, 3.875, 4.0, 38),
    ]  # fmt: skip
    assert found[4:8] == [(1, 4, 0.0, 3.0, pitch) for pitch in (36, 48, 52, 55)]
    assert found[8:] == [(1, 4, 3.0, 4.0, pitch) for pitch in voiced("G/B")]
    assert voiced("G/B") == [47, 50, 55, 59]
    assert voiced("N.C.") == []
    assert whole.total_time == 4.0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--chords", "Am Xq"], "'Xq' is no chord symbol"),
        (["--seconds", "0"], "--seconds lies between"),
        (["--qpm", "1000"], "--qpm"),
        (["--melody_model", "attention_rnn"], "MODEL=attention_rnn"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], part: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *arguments) == 2
    assert part in capsys.readouterr().err
    assert not (data / "samples").exists()
