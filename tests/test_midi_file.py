"""NoteSequences as MIDI files: read back, they are what they were."""

from __future__ import annotations

import io
from typing import Any

import mido
import numpy as np
import pretty_midi
import pytest
from note_seq.protobuf import music_pb2

from corpus import notes
from corpus.readers.midi import MidiReader
from tests import makers
from viz import midi_file

Note = tuple[int, int, bool, int, float, float]


def sequence(*played: tuple[float, float, int], **more: Any) -> Any:
    """Notes (start, end, pitch) of one piano."""
    made = music_pb2.NoteSequence(ticks_per_quarter=480, **more)
    for start, end, pitch in played:
        made.notes.add(start_time=start, end_time=end, pitch=pitch, velocity=80)
    return made


def read_back(data: bytes) -> pretty_midi.PrettyMIDI:
    return pretty_midi.PrettyMIDI(io.BytesIO(data))


def told(song: pretty_midi.PrettyMIDI) -> list[Note]:
    """(pitch, program, drum, velocity, start, end), sorted."""
    return sorted(
        (n.pitch, i.program, i.is_drum, n.velocity, n.start, n.end)
        for i in song.instruments
        for n in i.notes
    )


def wanted(payload: bytes) -> list[Note]:
    a = notes.parse(payload)
    columns = (a.pitch, a.program, a.is_drum, a.velocity, a.start, a.end)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def assert_same(got: list[Note], expected: list[Note], tolerance: float) -> None:
    assert [note[:4] for note in got] == [note[:4] for note in expected]
    times = np.array([note[4:] for note in got]) - np.array([note[4:] for note in expected])
    assert np.abs(times).max() <= tolerance


def test_tempos_between_ticks_do_not_drift() -> None:
    played = [(i * 0.1373, i * 0.1373 + 0.09, 60 + i % 7) for i in range(400)]
    song = sequence(*played)
    for i in range(40):
        song.tempos.add(time=i * 1.2345, qpm=61.7 + 3.3 * i)
    payload = song.SerializeToString()
    half_a_tick = 60 / 61.7 / 480 / 2
    assert_same(told(read_back(midi_file.from_sequence(payload))), wanted(payload), half_a_tick)


def test_times_of_real_ticks_come_back_exactly() -> None:
    data = makers.midi(qpm=97.0, step=0.37)
    payload = MidiReader().read(data).payload
    assert_same(told(read_back(midi_file.from_sequence(payload))), wanted(payload), 1e-6)


def test_many_parts_drums_bends_and_controls() -> None:
    song = sequence()
    song.tempos.add(qpm=120)
    for part in range(20):
        at = {"instrument": part, "program": part * 5, "is_drum": part == 3}
        song.notes.add(start_time=part, end_time=part + 1, pitch=40 + part, velocity=90, **at)
        song.control_changes.add(time=0, control_number=7, control_value=part, **at)
        song.pitch_bends.add(time=0.5, bend=-8192 + part * 100, **at)
        song.instrument_infos.add(instrument=part, name=f"part {part} é 🎵")
    song.pitch_bends.add(time=0.5, bend=7, instrument=99, program=1)
    payload = song.SerializeToString()
    back = read_back(midi_file.from_sequence(payload))
    assert_same(told(back), wanted(payload), 1e-9)
    assert len(back.instruments) == 20
    for instrument in back.instruments:
        part = instrument.notes[0].pitch - 40
        assert [(c.number, c.value) for c in instrument.control_changes] == [(7, part)]
        assert [b.pitch for b in instrument.pitch_bends] == [-8192 + part * 100]
    assert back.instruments[0].name.encode("latin-1").decode() == "part 0 é 🎵"


def test_meters_keys_and_chords() -> None:
    song = sequence((0, 1, 60))
    song.time_signatures.add(time=0, numerator=6, denominator=8)
    song.time_signatures.add(time=1, numerator=5, denominator=3)
    for at, (key, mode) in enumerate([(0, 0), (9, 1), (3, 0), (6, 1)]):
        song.key_signatures.add(time=at, key=key, mode=mode)
    song.text_annotations.add(time=0.5, text="F#m7", annotation_type=1)
    song.text_annotations.add(time=0.5, text="la", annotation_type=2)
    data = midi_file.from_sequence(song.SerializeToString())
    back = read_back(data)
    assert [(t.numerator, t.denominator) for t in back.time_signature_changes] == [(6, 8)]
    # Major keys from 0, minor ones from 12: C, A minor, Eb, F# minor.
    assert [k.key_number for k in back.key_signature_changes] == [0, 21, 3, 18]
    assert [(t.text, t.time) for t in back.text_events] == [("F#m7", 0.5)]


def test_short_overlapping_and_repeated_notes() -> None:
    song = sequence((1, 1, 60), (1.5, 2, 62), (2, 3, 62), (2.5, 2.6, 64), (-1, 0.5, 50))
    song.notes[3].velocity = 0
    back = told(read_back(midi_file.from_sequence(song.SerializeToString())))
    assert [(n[0], n[3], n[4], round(n[5], 3)) for n in back] == [
        (50, 80, 0.0, 0.5),
        (60, 80, 1.0, 1.001),
        (62, 80, 1.5, 2.0),
        (62, 80, 2.0, 3.0),
        (64, 1, 2.5, 2.6),
    ]


def test_a_note_ends_before_it_is_struck_again() -> None:
    song = sequence((0, 1, 60), (1, 2, 60))
    data = midi_file.from_sequence(song.SerializeToString())
    (_, track) = mido.MidiFile(file=io.BytesIO(data)).tracks
    told = [(m.note, m.velocity, m.time) for m in track if m.type == "note_on"]
    assert told == [(60, 80, 0), (60, 0, 960), (60, 80, 0), (60, 0, 960)]


def test_what_is_no_music_is_refused() -> None:
    with pytest.raises(ValueError, match="no note"):
        midi_file.from_sequence(sequence().SerializeToString())
    with pytest.raises(ValueError, match="NoteSequence"):
        midi_file.from_sequence(b"\xff\xff\xff")


def test_odd_headers_are_written_all_the_same() -> None:
    for ticks, qpm in ((0, 0.0), (40_000, 1.5), (-3, 9e4)):
        song = sequence((0, 0.5, 60), (0.5, 1.0, 61))
        song.ticks_per_quarter = ticks
        song.tempos.add(time=0, qpm=qpm)
        payload = song.SerializeToString()
        assert_same(told(read_back(midi_file.from_sequence(payload))), wanted(payload), 0.02)
