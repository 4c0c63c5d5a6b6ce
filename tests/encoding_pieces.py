"""Small pieces for the encodings, made note by note on a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings.piece import Piece, read_piece
from tests import makers


class StepNote(NamedTuple):
    """A note in steps of a grid."""

    start: int
    end: int
    pitch: int
    velocity: int = 90
    program: int = 0
    instrument: int = 0
    is_drum: bool = False


def step_notes(
    *, pitches: st.SearchStrategy[int] | None = None, max_size: int = 25, max_start: int = 120
) -> st.SearchStrategy[list[StepNote]]:
    """Lists of notes, at least one, with ties and overlaps."""
    note = st.builds(
        lambda start, length, pitch, velocity: StepNote(start, start + length, pitch, velocity),
        st.integers(0, max_start),
        st.integers(1, 40),
        st.integers(0, 127) if pitches is None else pitches,
        st.integers(1, 127),
    )
    return st.lists(note, min_size=1, max_size=max_size)


def sequence_of(
    notes: Sequence[StepNote],
    *,
    steps_per_second: float = 8.0,
    meter: tuple[int, int] = (4, 4),
    tempos: Sequence[tuple[float, float]] = ((0.0, 120.0),),
    chords: Sequence[tuple[int, str]] = (),
) -> Any:
    """A NoteSequence; eight steps a second are four a quarter at the usual tempo."""
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    for time, qpm in tempos:
        sequence.tempos.add(time=time, qpm=qpm)
    for note in notes:
        sequence.notes.add(
            start_time=note.start / steps_per_second, end_time=note.end / steps_per_second,
            pitch=note.pitch, velocity=note.velocity, program=note.program,
            instrument=note.instrument, is_drum=note.is_drum,
        )  # fmt: skip
    for step, figure in chords:
        sequence.text_annotations.add(
            time=step / steps_per_second, text=figure, annotation_type=1
        )  # fmt: skip
    sequence.total_time = max((note.end_time for note in sequence.notes), default=0.0)
    return sequence


def piece_of(notes: Sequence[StepNote], **more: Any) -> Piece:
    """As `sequence_of`, as a piece."""
    return to_piece(sequence_of(notes, **more))


def to_piece(sequence: Any) -> Piece:
    """A NoteSequence as a piece."""
    return read_piece(sequence.SerializeToString())


def notes_of(sequence: Any, steps_per_second: float = 8.0) -> list[tuple[int, int, int]]:
    """(start, end, pitch) of a NoteSequence in steps, sorted."""
    return sorted(
        (round(n.start_time * steps_per_second), round(n.end_time * steps_per_second), n.pitch)
        for n in sequence.notes
    )


def real_pieces(count: int) -> Iterator[Piece]:
    """Some pieces of the real files beside the checkout; skips the test where there are none."""
    if not makers.SHARED.is_dir():
        pytest.skip("no files in ../shared")
    for path in sorted((makers.SHARED / "clean_midi").rglob("*.mid"))[:count]:
        for score in readers.read_score(Path(path).read_bytes(), path.name, "t"):
            if not score.reason:
                yield read_piece(score.payload)


def struck_and_held(notes: Sequence[StepNote]) -> list[tuple[int, int, int]]:
    """The notes as a keyboard gives them back: a key struck again ends there and goes on."""
    sounding = {(step, n.pitch) for n in notes for step in range(n.start, n.end)}
    struck = {(n.start, n.pitch) for n in notes}
    found = []
    for start, pitch in sorted(struck):
        end = start + 1
        while (end, pitch) in sounding and (end, pitch) not in struck:
            end += 1
        found.append((start, end, pitch))
    return sorted(found)
