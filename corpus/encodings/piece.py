"""One score as arrays, with what encodings need of it beside the notes: pedals and chords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corpus import notes
from corpus.encodings.events_beside import read_beside
from corpus.notes import Flags, Floats, Ints

# id, filename and collection_name: the first fields of a NoteSequence.
_IDENTITY_TAGS = (0x0A, 0x12, 0x1A)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A score, or a part of one, as arrays in the order of its NoteSequence.

    Attributes:
      start, end: (num_notes,) float64, seconds.
      pitch, velocity, program, instrument: (num_notes,) int32.
      is_drum: (num_notes,) bool.
      tempo_times, tempo_qpms: (num_tempos,) float64.
      meter_times: (num_meters,) float64; numerators, denominators: (num_meters,) int32.
      control_times: (num_controls,) float64, seconds of the control changes;
        control_numbers, control_values, control_instruments: (num_controls,) int32.
      chord_times: (num_chords,) float64, seconds; chords: the figures, in the same order.
      total_time: seconds.
      found_drums: instruments whose notes are drums off the drum channel, in order.
    """

    start: Floats
    end: Floats
    pitch: Ints
    velocity: Ints
    program: Ints
    instrument: Ints
    is_drum: Flags
    tempo_times: Floats
    tempo_qpms: Floats
    meter_times: Floats
    numerators: Ints
    denominators: Ints
    control_times: Floats
    control_numbers: Ints
    control_values: Ints
    control_instruments: Ints
    chord_times: Floats
    chords: tuple[str, ...]
    total_time: float
    found_drums: tuple[int, ...] = ()


def read_identity(data: bytes) -> tuple[str, str, str]:
    """(track id, path, source) of a serialized NoteSequence that ingest wrote.

    They are its first three fields, so the rest is not looked at.
    """
    found, at = {}, 0
    while at < len(data) and data[at] in _IDENTITY_TAGS:
        tag, at, length, shift = data[at], at + 1, 0, 0
        while data[at] & 0x80:
            length |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
        length |= data[at] << shift
        found[tag] = data[at + 1 : at + 1 + length].decode("utf-8", "replace")
        at += 1 + length
    track, path, source = (found.get(tag, "") for tag in _IDENTITY_TAGS)
    return track.rpartition("/")[2], path, source


def read_piece(data: bytes) -> Piece:
    """The piece of a serialized NoteSequence.

    Raises:
      ValueError: as `corpus.notes.parse`.
    """
    arrays = notes.parse(data)
    times, numbers, spans = read_beside(data, arrays.num_control_changes, arrays.num_chords)
    chords = _chords(data, spans)
    return Piece(
        start=arrays.start,
        end=arrays.end,
        pitch=arrays.pitch,
        velocity=arrays.velocity,
        program=arrays.program,
        instrument=arrays.instrument,
        is_drum=arrays.is_drum,
        tempo_times=arrays.tempo_times,
        tempo_qpms=arrays.tempo_qpms,
        meter_times=arrays.meter_times,
        numerators=arrays.numerators,
        denominators=arrays.denominators,
        control_times=times,
        control_numbers=numbers[0],
        control_values=numbers[1],
        control_instruments=numbers[2],
        chord_times=np.array([time for time, _ in chords], np.float64),
        chords=tuple(text for _, text in chords),
        total_time=arrays.total_time,
    )


def _chords(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[float, str]]:
    """(seconds, figure) of the annotations that are chord symbols."""
    if not spans:
        return []
    from note_seq.protobuf import music_pb2

    read = music_pb2.NoteSequence.TextAnnotation.FromString
    return [(chord.time, chord.text) for chord in (read(data[a:b]) for a, b in spans)]
