"""What a user asks to begin with, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from note_seq import melodies_lib

from corpus.config import ExamplesConfig, SampleConfig
from corpus.encodings import EncodedExample, open_encoding
from corpus.encodings.piece import Piece
from tests import makers
from trainers.sampling import primers
from trainers.sampling.families import family_of
from trainers.sampling.keys import parse_key
from trainers.sampling.plans import Plan, make_plan


def plan(name: str, **settings: Any) -> Plan:
    examples = ExamplesConfig(encoding=name)
    return make_plan(open_encoding(examples), examples, SampleConfig(**settings))


def notes_of(name: str, **settings: Any) -> list[tuple[float, float, int]]:
    """What a plan's beginning sounds like, alone."""
    made = plan(name, **settings)
    sequence = made.sequence(EncodedExample(made.beginning.events, made.beginning.controls))
    return [(note.start_time, note.end_time, note.pitch) for note in sequence.notes]


@pytest.mark.parametrize(
    ("name", "tonic", "is_minor", "scale", "semitones"),
    [
        ("C", 0, False, (0, 2, 4, 5, 7, 9, 11), 0),
        ("Eb", 3, False, (3, 5, 7, 8, 10, 0, 2), 3),
        ("B", 11, False, (11, 1, 3, 4, 6, 8, 10), -1),
        ("f", 5, True, (5, 7, 8, 10, 0, 1, 3), 5),
        ("c#", 1, True, (1, 3, 4, 6, 8, 9, 11), 1),
        ("bb", 10, True, (10, 0, 1, 3, 5, 6, 8), -2),
    ],
)
def test_keys(
    name: str, tonic: int, is_minor: bool, scale: tuple[int, ...], semitones: int
) -> None:
    key = parse_key(name)
    assert (key.tonic, key.is_minor, key.scale, key.semitones) == (
        tonic, is_minor, scale, semitones
    )  # fmt: skip


def test_affects_are_those_of_the_source() -> None:
    keys = ("C", "D", "Eb", "f", "Ab", "B", "G", "c")
    assert [parse_key(name).affect for name in keys] == [
        "pure", "triumph", "love", "depression", "death", "colorful, passionate", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "H", "Cm", "E flat", "cb#", "1"])
def test_what_is_no_key_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="is no key; C, Eb"):
        parse_key(name)


@pytest.mark.parametrize("name", ["basic_rnn", "attention_rnn", "lookback_rnn", "mono_rnn"])
@pytest.mark.parametrize("key", ["", "Eb", "f", "B", "c#"])
def test_a_melody_sounds_in_its_key_whatever_the_model_knows(name: str, key: str) -> None:
    written = (60, -2, 64, 67, -1)
    found = notes_of(name, primer_melody=written, key=key)
    wanted = [60, 64, 67]
    if key:
        wanted = parse_key(key).moved(wanted)
    assert [pitch for _, _, pitch in found] == wanted
    assert [round(start * 8) for start, _, _ in found] == [0, 2, 3]


def test_a_model_of_c_hears_a_minor_key_as_its_relative_major() -> None:
    made = plan("basic_rnn", primer_melody=(60, 64, 67), key="f")
    pitches = made.beginning.events - 2 + 48
    assert (pitches % 12).tolist() == [9, 0, 4]  # A, C, E


def test_defaults_are_magentas() -> None:
    assert notes_of("basic_rnn") == [(0.0, 0.125, 60)]
    assert notes_of("basic_improv") == [(0.0, 0.125, 60)]
    assert [pitch for _, _, pitch in notes_of("drum_kit")] == [36]
    assert plan("performance").beginning.events.tolist() == [355]
    assert plan("polyphony").beginning.events.tolist() == [0]
    lengths = ("basic_rnn", "performance_with_dynamics", "polyphony", "drum_kit")
    assert [family_of(name).num_steps for name in lengths] == [128, 3000, 128, 128]


def test_drums_are_the_sets_that_are_written() -> None:
    events = plan("drum_kit", primer_drums="[(36,), (), (35, 42), 38]").beginning.events
    assert events.tolist() == [1, 0, 1 | 4, 2]
    assert plan("one_drum", primer_drums="[(60, 61), ()]").beginning.events.tolist() == [1, 0]


def test_chords_last_and_come_again() -> None:
    made = plan("basic_improv", backing_chords="C Am", steps_per_chord=3, num_steps=8)
    assert made.beginning.controls["chords"].tolist() == [1, 1, 1, 22, 22, 22, 1, 1]
    assert plan("basic_improv", backing_chords="C Am G").grammar().num_steps == 48
    assert plan("basic_improv").grammar().num_steps == 128
    moved = plan("basic_improv", backing_chords="C Am", key="Eb").beginning.controls["chords"]
    assert moved[[0, 16]].tolist() == [1 + 3, 13 + 0]  # Eb, Cm
    minor = plan("basic_improv", key="f").beginning.controls["chords"]
    assert minor[0] == 13 + 5


def test_chords_sound_if_that_is_asked_for() -> None:
    asked = {"backing_chords": "C Am", "steps_per_chord": 4, "num_steps": 8}
    for is_rendered, count in ((False, 1), (True, 1 + 2 * 4)):
        made = plan("basic_improv", render_chords=is_rendered, **asked)
        events = np.array([14, *[0] * 7])
        sequence = made.sequence(EncodedExample(events, made.beginning.controls))
        assert len(sequence.notes) == count
        assert {n.velocity for n in sequence.notes if n.program} == ({50} if is_rendered else set())
        assert sequence.total_time == 1.0


def test_a_chord_of_pitches_begins_a_performance() -> None:
    found = notes_of("performance_with_dynamics", primer_pitches=(60, 64, 67))
    assert found == [(0.0, 0.5, pitch) for pitch in (60, 64, 67)]
    in_key = notes_of("performance_with_dynamics", key="f")
    assert sorted(pitch for _, _, pitch in in_key) == [65, 68, 72]
    rows = plan("performance_with_dynamics_and_note_encoding").beginning.events
    assert rows[:, 2].tolist() == [60]


def test_a_model_is_told_what_is_asked_for() -> None:
    name = "optional_multiconditioned_performance_with_dynamics"
    told = plan(name, note_density=3.0, pitch_class_histogram=(2.0, *[0.0] * 10, 6.0))
    controls = told.beginning.controls
    assert controls["density_bin"].tolist() == [2]
    assert controls["pitch_class_histogram"][0].tolist() == [0.25, *[0.0] * 10, 0.75]
    assert controls["conditioning_is_off"].tolist() == [0]
    silent = plan(name, disable_conditioning=True).beginning.controls
    assert silent["conditioning_is_off"].tolist() == [1]
    in_key = plan("pitch_conditioned_performance_with_dynamics", key="D").beginning.controls
    weights = in_key["pitch_class_histogram"][0] * 8
    np.testing.assert_allclose(weights, [0, 1, 2, 0, 1, 0, 1, 1, 0, 1, 0, 1], atol=1e-6)


def test_deep_symphonys_condition_is_that_of_such_music() -> None:
    from corpus.encodings.deep_symphony import conditions

    # A note among some events, always 70.
    events = np.full(200, 300)
    events[::20] = events[7::20] = events[13::20] = 70
    wanted = conditions(events)[100]
    histogram = [0.0] * 12
    histogram[70 % 12] = 1.0
    density = float(np.count_nonzero(events[75:125] == 70)) / 5
    found = plan(
        "deep_symphony", mean_pitch=70, note_density=density, pitch_class_histogram=tuple(histogram)
    )
    np.testing.assert_allclose(found.beginning.controls["condition"][0], wanted)


def test_polyphony_is_given_its_primer_as_magenta_gives_it() -> None:
    melody = {"primer_melody": (60, -2, 64, -2)}
    plain = plan("polyphony", **melody)
    assert plain.beginning.events.tolist() == [0]
    assert plain.grammar().num_steps == 124
    assert plain.grammar().forced().tolist() == [63]  # type: ignore[union-attr]
    generated = EncodedExample(np.array([0, *[2] * 124]))
    sounding = plain.sequence(generated)
    assert [(n.start_time, n.end_time, n.pitch) for n in sounding.notes] == [
        (0.0, 0.25, 60), (0.25, 0.5, 64)
    ]  # fmt: skip
    heard = plan("polyphony", condition_on_primer=True, **melody)
    assert heard.beginning.events.tolist() == [0, 63, 2, 191, 2, 67, 2, 195, 2]
    assert heard.grammar().num_steps == 128
    alone = plan("polyphony", inject_primer_during_generation=False, **melody)
    assert alone.grammar().forced() is None


def score(tmp_path: Path) -> str:
    path = tmp_path / "tune.mid"
    path.write_bytes(makers.midi(makers.SCALE * 2, qpm=90.0, step=60 / 90 / 2))
    return str(path)


@pytest.mark.parametrize(
    "name", ["basic_rnn", "attention_improv", "mono_rnn", "zeldic", "abc_text", "notewise",
             "chordwise", "pianoroll", "deep_symphony", "polyphony", "performance",
             "performance_with_dynamics_and_note_encoding"]
)  # fmt: skip
def test_a_score_is_gone_on_from_at_its_tempo(tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {"primer_midi": score(tmp_path), "num_steps": 5000}
    if name == "polyphony":
        settings["condition_on_primer"] = True
    assert plan(name, **settings).qpm == pytest.approx(90.0, abs=0.01)
    found = notes_of(name, **settings)
    assert [pitch for _, _, pitch in found] == list(makers.SCALE * 2)
    starts = [start for start, _, _ in found]
    np.testing.assert_allclose(np.diff(starts), 1 / 3, atol=0.011)


def test_a_chamber_begins_with_both_players() -> None:
    made = plan("notewise_chamber", primer_pitches=(60, 64))
    sequence = made.sequence(EncodedExample(made.beginning.events))
    assert {(note.program, note.pitch) for note in sequence.notes} >= {(0, 60), (40, 64)}


def test_a_text_begins_as_it_is_written() -> None:
    abc: Any = open_encoding(ExamplesConfig(encoding="abc_text"))
    events = plan("abc_text", primer_text="CDE|\n", key="f").beginning.events
    assert abc.text(EncodedExample(events)) == "[K:Fm]CDE|\n"
    assert plan("text", primer_text="aé").beginning.events.tolist() == [97, 195, 169]


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("drum_kit", {"backing_chords": "C G"}, "backing_chords is of no use.*basic_improv"),
        ("basic_rnn", {"primer_drums": "[(36,)]"}, "primer_drums.*one_drum, drum_kit"),
        ("basic_rnn", {"primer_pitches": (60,)}, "models of performances, polyphony"),
        ("performance", {"note_density": 3.0}, "note_density.*density_conditioned"),
        ("one_drum", {"key": "C"}, "key is of no use"),
        ("basic_rnn", {"primer_melody": (60,), "primer_midi": "x.mid"}, "give one of them"),
        ("basic_rnn", {"primer_midi": "x.mid", "key": "C"}, "leave key or primer_midi out"),
        ("basic_rnn", {"primer_midi": "no/such.mid"}, "cannot read the primer no/such.mid"),
        ("basic_rnn", {"primer_midi": __file__}, "cannot be used"),
        ("basic_rnn", {"primer_melody": (60, 128)}, "128 in the primer melody"),
        ("basic_rnn", {"primer_melody": (-2, -1)}, "has no note"),
        ("basic_rnn", {"primer_melody": (127,), "key": "F#"}, "out of 0..127"),
        ("basic_rnn", {"primer_melody": (60,) * 9, "num_steps": 9}, "takes 9 of 9 steps"),
        ("polyphony", {"primer_pitches": (60,), "num_steps": 4}, "4 of 4 sixteenths"),
        ("performance", {"primer_pitches": (60,), "num_steps": 50}, "takes 50 of 50 steps"),
        ("performance", {"primer_pitches": (60, 128)}, "128 in the primer pitches"),
        ("basic_rnn", {"num_steps": 1}, "2 or more"),
        ("basic_improv", {"backing_chords": "C H"}, "'H' is no chord symbol"),
        ("basic_improv", {"backing_chords": "C Gsus4"}, "cannot be told"),
        ("drum_kit", {"primer_drums": "[(36,"}, "cannot be read"),
        ("drum_kit", {"primer_drums": "[]"}, "no step"),
        ("drum_kit", {"primer_drums": "[(36,), (0,)]"}, "0 in the primer drums is no drum"),
        ("drum_kit", {"primer_drums": "[('36',)]"}, "is no drum"),
        ("drum_kit", {"primer_drums": "__import__('os')"}, "cannot be read"),
        ("deep_symphony", {"note_density": 3.0}, "1 to 2 notes among ten"),
        ("deep_symphony", {"mean_pitch": 20.0}, "50 to 90"),
        ("deep_symphony", {"pitch_class_histogram": (1.0,)}, "twelve weights"),
        ("pitch_conditioned_performance_with_dynamics",
         {"pitch_class_histogram": (0.0,) * 12}, "not all 0"),
        ("abc_text", {"primer_text": "é"}, "'é' in the primer text"),
    ],
)  # fmt: skip
def test_what_is_impossible_is_named(name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        plan(name, **settings)
    assert "\n" not in str(caught.value)


def test_a_melody_becomes_magentas_notes() -> None:
    written = [60, -2, -1, -2, 64, 65, -2, -2]
    piece = primers.melody_piece(written, 120.0)
    wanted = melodies_lib.Melody(written).to_sequence(qpm=120.0).notes
    assert [(note.start_time, note.pitch) for note in wanted] == list(
        zip(piece.start.tolist(), piece.pitch.tolist(), strict=True)
    )
    assert piece.end.tolist()[:2] == [note.end_time for note in wanted][:2]


def test_one_piano_plays_all_but_the_drums() -> None:
    piece = primers.chord_piece([60, 62], 120.0, with_violin=True)
    drums = np.array([False, True, False])
    one = primers.as_one_instrument(Piece(**{**_fields(piece), "is_drum": drums}))
    assert one.pitch.tolist() == [60, 62]
    assert one.program.tolist() == one.instrument.tolist() == [0, 0]


def _fields(piece: Piece) -> dict[str, Any]:
    return {name: getattr(piece, name) for name in Piece.__dataclass_fields__}
