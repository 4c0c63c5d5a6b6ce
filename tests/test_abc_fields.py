"""The ABC reader: keys, meters, tempos, chord symbols, metadata and encodings."""

from __future__ import annotations

import pytest
from note_seq import chord_symbols_lib
from note_seq.protobuf import music_pb2

from corpus.readers import abc
from corpus.readers.abc.chords import chord_symbol
from corpus.readers.abc.fields import parse_key, parse_meter, parse_tempo, parse_unit
from tests.abc_tunes import HEADER, lengths, pitches, score

Key = music_pb2.NoteSequence.KeySignature
CHORD = music_pb2.NoteSequence.TextAnnotation.CHORD_SYMBOL


@pytest.mark.parametrize(
    ("text", "tonic", "mode", "altered"),
    [
        ("G", 7, Key.MAJOR, {"F": 1}),
        ("Bb", 10, Key.MAJOR, {"B": -1, "E": -1}),
        ("F#m", 6, Key.MINOR, {"F": 1, "C": 1, "G": 1}),
        ("D mixolydian", 2, Key.MIXOLYDIAN, {"F": 1}),
        ("ADor", 9, Key.DORIAN, {"F": 1}),
        ("E phr", 4, Key.PHRYGIAN, {}),
        ("F lyd", 5, Key.LYDIAN, {}),
        ("B loc", 11, Key.LOCRIAN, {}),
        ("A minor clef=bass octave=-1", 9, Key.MINOR, {}),
        ("Cb", 11, Key.MAJOR, dict.fromkeys("ABCDEFG", -1)),
        ("D Phr ^f", 2, Key.PHRYGIAN, {"B": -1, "E": -1, "F": 1}),
        ("D exp _b ^f", 2, Key.MAJOR, {"B": -1, "F": 1}),
        ("D =c", 2, Key.MAJOR, {"F": 1}),
        ("HP", 9, Key.MIXOLYDIAN, {"F": 1, "C": 1}),
        ("none", None, Key.MAJOR, {}),
        ("", None, Key.MAJOR, {}),
        ("^f", None, Key.MAJOR, {"F": 1}),
    ],
)
def test_keys(text: str, tonic: int | None, mode: int, altered: dict[str, int]) -> None:
    key = parse_key(text)
    assert key is not None
    assert (key.tonic, key.mode) == (tonic, mode)
    assert {letter: shift for letter, shift in key.shifts.items() if shift} == altered


@pytest.mark.parametrize("text", ["H", "Q minor", "G#", "7"])
def test_keys_that_are_none(text: str) -> None:
    assert parse_key(text) is None
    assert score(f"K:{text}\nC\nK:H").warnings == ["bad_field"]


def test_a_clef_is_no_key() -> None:
    sequence = score(
        "K:clef=bass\nF [K:bass] F [K:treble-8]F", HEADER.replace("K:C", "K:G")
    ).note_sequence()
    assert [note.pitch for note in sequence.notes] == [66, 66, 54]
    assert len(sequence.key_signatures) == 1
    assert pitches("C", HEADER.replace("K:C", "K:C octave=-1 transpose=2")) == [50]


@pytest.mark.parametrize(
    ("text", "meter"),
    [
        ("6/8", (6, 8)),
        ("C", (4, 4)),
        ("C|", (2, 2)),
        ("2+3/8", (5, 8)),
        ("(2+2+3)/8", (7, 8)),
        ("none", (0, 0)),
        ("FREI4/4", (4, 4)),
        ("4", None),
        ("0/4", None),
    ],
)
def test_meters(text: str, meter: tuple[int, int] | None) -> None:
    assert parse_meter(text) == meter


@pytest.mark.parametrize(
    ("text", "qpm"),
    [
        ("1/4=120", 120),
        ("3/8=80", 120),
        ('"Allegro" 1/4=100', 100),
        ('1/2=60 "Slow"', 120),
        ("1/4 3/8=40", 100),
        ("120", 60),
        ("C=100", 50),
        ("C3=40", 60),
        ('"Slow"', None),
        ("fast", None),
        ("1/0=9", None),
        ("1/4 3/8=60", 150.0),
        ("1/41/41/4=90", None),
    ],
)
def test_tempos(text: str, qpm: float | None) -> None:
    tempo = parse_tempo(text)
    unit = parse_unit("1/8")
    assert unit is not None
    assert (tempo and tempo.qpm(unit)) == qpm


def test_a_tempo_counts_from_where_it_stands() -> None:
    sequence = score("C [Q:1/4=120] D E\nQ:1/2=15\nF").note_sequence()
    assert [note.end_time for note in sequence.notes] == [1, 1.5, 2, 4]
    assert [(tempo.time, tempo.qpm) for tempo in sequence.tempos] == [(0, 60), (1, 120), (2, 30)]
    assert not score("C", "X:1\nK:C\n").note_sequence().tempos
    assert score("Q:1/4=0\nC").warnings


@pytest.mark.parametrize(
    ("header", "length"),
    [("", 0.25), ("M:2/4\n", 0.125), ("M:3/4\n", 0.25), ("M:2/4\nL:1\n", 2), ("M:none\n", 0.25)],
)
def test_the_meter_says_the_unit_where_nothing_else_does(header: str, length: float) -> None:
    assert lengths("C", f"X:1\n{header}K:C\n") == [length]


def test_of_two_meters_at_one_place_the_last_counts() -> None:
    sequence = score("C|[M:3/4]D", HEADER.replace("K:C", "K:D\nM:6/8")).note_sequence()
    meters = [(m.time, m.numerator, m.denominator) for m in sequence.time_signatures]
    assert meters == [(0, 6, 8), (1, 3, 4)]


@pytest.mark.parametrize(
    ("text", "chord"),
    [
        ("Am7", "Am7"),
        ("D/f+", "D/F#"),
        ("Gd", "Gdim"),
        ("Fa7", "Faug7"),
        ("Amin", "Amin"),
        ("A minor", "Am"),
        ("Gma7", "Gmaj7"),
        ("C7sus4", "C7sus"),
        ("F♯m", "F#m"),
        ("G(Em)", "G"),
        (" B7", "B7"),
        ("N.C.", "N.C."),
        ("From A.Train's song", ""),
        ("f", ""),
        ("4", ""),
    ],
)
def test_chord_symbols_are_spelled_as_note_seq_reads_them(text: str, chord: str) -> None:
    assert chord_symbol(text) == chord
    if chord and chord != "N.C.":
        chord_symbols_lib.chord_symbol_pitches(chord)


def test_chords_are_annotations_and_make_no_notes() -> None:
    result = score('"Am"A "^slow"B "Dance"c "Em""G7"d>"C"e')
    texts = [
        (t.text, t.time, t.annotation_type == CHORD)
        for t in result.note_sequence().text_annotations
    ]
    assert texts == [
        ("Am", 0, True), ("^slow", 1, False), ("Dance", 2, False), ("Em", 3, True),
        ("G7", 3, True), ("C", 4.5, True),
    ]  # fmt: skip
    assert len(result.note_sequence().notes) == 5
    assert result.warnings == ["bad_chord"]


def test_metadata() -> None:
    book = "M:3/4\n\nX:12\nT:One\nT:Two\nC:Ann\nC:Bob\n%%begintext\nC\n%%endtext\nK:G % sharp\nD\n"
    (result,) = abc.read(book.encode())
    sequence = result.note_sequence()
    assert (result.tune, result.title, result.composer) == ("12", "One", "Ann")
    assert sequence.sequence_metadata.title == "One; Two"
    assert list(sequence.sequence_metadata.composers) == ["Ann", "Bob"]
    assert sequence.sequence_metadata.artist == "Ann"
    assert (sequence.reference_number, sequence.ticks_per_quarter) == (12, 220)
    assert [(n.pitch, n.velocity) for n in sequence.notes] == [(62, 90)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, line_end: str) -> None:
    text = line_end.join(["X:1", "T:Für Ünal", "K:C", "CDE", ""])
    (result,) = abc.read(text.encode(encoding))
    assert (result.title, len(result.note_sequence().notes)) == ("Für Ünal", 3)
