"""Polyphony RNN's events: every note of every step, new or held, from the highest down.

Source of facts: Magenta 2.1.4, polyphony_rnn (`PolyphonicSequence`, its one-hot encoding and
its data set's pipeline). A piece is split at every change of meter and tempo, put on a grid of 4
steps a quarter and moved by -4 to 4 semitones, for training and for evaluation. Each part of one
program and 80 to 512 steps is one example; nothing is cut.

Classes: 0 start, 1 end, 2 end of a step, 3 to 130 a new note, 131 to 258 a note that goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq import constants
from note_seq.protobuf import music_pb2

from corpus.compiled import bare
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, Steps
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.transposed import (
    REASONS,
    OneProgramEncoding,
    transpositions,
)
from corpus.notes import Ints

START, END, STEP_END = range(3)
NUM_PITCHES = 128
NEW_NOTE = 3
CONTINUED_NOTE = NEW_NOTE + NUM_PITCHES
NUM_CLASSES = CONTINUED_NOTE + NUM_PITCHES

# Notes one over the other at every step could fill any memory; 512 steps of 128 notes are 65,536.
_MAX_EVENTS = 400_000

_Counts = npt.NDArray[np.int32]


class PolyphonyEncoding(OneClassEncoding, OneProgramEncoding):
    """Magenta 2.1.4's `polyphony`.

    Args:
      min_steps, max_steps: shorter and longer parts are dropped; in full, longer ones are cut.
      transpositions, full, augment: see `OneProgramEncoding`.
    """

    name = "polyphony"
    version = "2"
    num_events = NUM_CLASSES
    num_classes = NUM_CLASSES
    input_size = NUM_CLASSES
    feeds_events = True
    reasons: tuple[str, ...] = (*REASONS, "too_short", "too_many_events")

    def __init__(
        self,
        *,
        min_steps: int = 80,
        max_steps: int = 512,
        transpositions: Sequence[int] = range(-4, 5),
        full: bool = False,
        augment: int = 2,
    ) -> None:
        super().__init__(
            min_steps=min_steps, max_steps=max_steps, transpositions=transpositions,
            full=full, augment=augment,
        )  # fmt: skip

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Every part in every transposition: parts in order, each from the lowest up.

        Args:
          piece: the score.
          is_training: in full, whether it is transposed; else it changes nothing, as in Magenta.
        """
        found = EncodedPiece()
        semitones = self._semitones(piece, is_training)
        for place, quantized in self._parts(piece, found.dropped):
            if quantized.total_steps < self._min_steps:
                found.dropped["too_short"] += 1
            elif quantized.total_steps > self._max_steps:
                found.dropped["too_long"] += 1
            else:
                found.examples += self._examples(place, quantized, semitones, found.dropped)
        return found

    def _examples(
        self, place: str, quantized: Quantized, semitones: Sequence[int], dropped: Counter[str]
    ) -> list[EncodedExample]:
        examples: list[EncodedExample] = []
        has_drums = bool(quantized.is_drum.any())
        events, moved_by = None, 0
        for amount, pitch in transpositions(quantized, semitones, dropped):
            if events is None or has_drums:
                events, moved_by = _to_events(quantized, pitch), amount
                if events is None:
                    dropped["too_many_events"] += 1
                    return []
            moved = events + (amount - moved_by) * (events >= NEW_NOTE)
            examples.append(EncodedExample(moved, made_by=f"{place}, transposed {amount:+d}"))
        return examples

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of the events, velocity 100, program 0.

        Of several notes of one pitch the oldest ends first. A note goes on that is not sounding:
        left out. What sounds at the end ends there.
        """
        sequence = music_pb2.NoteSequence(ticks_per_quarter=constants.STANDARD_PPQ)
        sequence.tempos.add().qpm = qpm
        seconds_per_step = 60.0 / qpm / self._steps_per_quarter
        notes, num_steps = _to_notes(example.events.tolist())
        for pitch, start, end in notes:
            sequence.notes.add(
                pitch=pitch,
                velocity=100,
                start_time=start * seconds_per_step,
                end_time=end * seconds_per_step,
            )
        sequence.total_time = num_steps * seconds_per_step
        return sequence


def _to_events(quantized: Quantized, pitch: Ints) -> Steps | None:
    """The events of all notes; None for too many."""
    num_steps = quantized.total_steps
    counts = np.zeros((2, num_steps + 1, NUM_PITCHES), np.int32)
    num_events = _count(quantized.start_step, quantized.end_step, pitch, counts)
    if num_events > _MAX_EVENTS:
        return None
    events = np.empty(num_events, np.int64)
    _fill(counts, events)
    return events


@bare
def _count(start: Steps, end: Steps, pitch: Ints, counts: _Counts) -> int:
    """Counts new and held notes into [2, num_steps + 1, 128]; returns how many events they make."""
    num_steps = counts.shape[1] - 1
    new, held = counts[0], counts[1]
    for note in range(len(start)):
        first = start[note] + 1
        if first > num_steps:  # A damaged note can begin behind its end.
            continue
        new[first - 1, pitch[note]] += 1
        if end[note] > first:
            held[first, pitch[note]] += 1
            held[end[note], pitch[note]] -= 1
    total: int = num_steps + 2
    for step in range(num_steps):
        for key in range(NUM_PITCHES):
            if step:
                held[step, key] += held[step - 1, key]
            total += new[step, key] + held[step, key]
    return total


@bare
def _fill(counts: _Counts, events: Steps) -> None:
    """Writes the events of counted notes."""
    events[0] = START
    at = 1
    for step in range(counts.shape[1] - 1):
        for key in range(NUM_PITCHES - 1, -1, -1):
            for _ in range(counts[1, step, key]):
                events[at] = CONTINUED_NOTE + key
                at += 1
            for _ in range(counts[0, step, key]):
                events[at] = NEW_NOTE + key
                at += 1
        events[at] = STEP_END
        at += 1
    events[at] = END


def _to_notes(events: list[int]) -> tuple[list[tuple[int, int, int]], int]:
    """((pitch, start, end) of each note in the order of their ends, number of steps)."""
    spoken = [event for event in events if event >= STEP_END]
    if spoken and spoken[-1] != STEP_END:
        spoken.append(STEP_END)
    notes: list[tuple[int, int, int]] = []
    sounding: list[tuple[int, int]] = []  # (pitch, start), the oldest first
    begun: list[tuple[int, int]] = []
    held: Counter[int] = Counter()
    step = 0
    for event in spoken:
        if event == STEP_END:
            sounding = [*_hold(sounding, held, step, notes), *begun]
            begun, held = [], Counter()
            step += 1
        elif event < CONTINUED_NOTE:
            begun.append((event - NEW_NOTE, step))
        else:
            held[event - CONTINUED_NOTE] += 1
    _hold(sounding, held, step, notes)
    return notes, step


def _hold(
    sounding: list[tuple[int, int]],
    held: Counter[int],
    step: int,
    notes: list[tuple[int, int, int]],
) -> list[tuple[int, int]]:
    """What goes on at a step, the oldest first; the rest ends there and is added to the notes."""
    to_end = Counter(pitch for pitch, _ in sounding)
    to_end.subtract(held)
    going_on = []
    for pitch, start in sounding:
        if to_end[pitch] > 0:
            to_end[pitch] -= 1
            notes.append((pitch, start, step))
        else:
            going_on.append((pitch, start))
    return going_on
