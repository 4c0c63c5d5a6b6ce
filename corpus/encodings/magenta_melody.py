"""Monophonic melodies as Magenta 2.1.4's melody_rnn has them: basic, mono, lookback, attention.

A piece is split where its meter or tempo changes and put on 4 steps a quarter; melodies are
searched by instrument (`melody_search.py`), moved to C and folded into the range. In full nothing
is cut at a change of tempo, polyphonic instruments give their skyline, and long melodies go on.

Events are note_seq's one-hot melody classes: 0 no event, 1 note off, 2 + (pitch - lowest pitch).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq import constants, melodies_lib

from corpus.encodings import melody_vectors
from corpus.encodings.melody_search import (
    FIRST_PITCH,
    NO_EVENT,
    MelodySearch,
    find_melodies,
    squash,
)
from corpus.encodings.melody_vectors import LOOKBACKS, Events, Vectors
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.steady_parts import full_parts, magenta_parts

STEPS_PER_QUARTER = 4

_NUM_SPECIAL = constants.NUM_SPECIAL_MELODY_EVENTS
_MIN_NOTE, _MAX_NOTE = 48, 84  # half-open
_NOTE_RANGE = _MAX_NOTE - _MIN_NOTE
_LOOKBACK_COUNTER_BITS = 5


class MelodyEncoding(OneClassEncoding):
    """What the melody encodings share: the search, and one-hot vectors and labels.

    Attributes:
      name, version, num_events, num_classes, input_size, reasons: as every encoding has them.
      min_note, max_note: MIDI pitches of the range, half-open.
      key: major key that melodies are moved to, 0 is C; None moves nothing.
    """

    name: str
    version = "3"
    num_events: int = _NOTE_RANGE + _NUM_SPECIAL
    num_classes: int = _NOTE_RANGE + _NUM_SPECIAL
    input_size: int = _NOTE_RANGE + _NUM_SPECIAL
    reasons: tuple[str, ...] = (
        "encoder_failed",
        "too_long",
        "no_melody_notes",
        "unusable_meter",
        "polyphonic",
        "too_short",
        "too_few_pitches",
    )
    min_note: int = _MIN_NOTE
    max_note: int = _MAX_NOTE
    key: int | None = 0

    def __init__(
        self,
        *,
        min_bars: float = 7,
        max_steps: int = 512,
        min_unique_pitches: int = 5,
        gap_bars: float = 1.0,
        ignore_polyphonic_notes: bool = False,
        full: bool = False,
    ) -> None:
        """Takes what counts as a melody; see `MelodySearch`. The defaults are Magenta's."""
        self._search = MelodySearch(
            min_bars, max_steps, min_unique_pitches, gap_bars, ignore_polyphonic_notes, full
        )

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Every melody, in Magenta's order: part, instrument, time. Nothing is augmented."""
        found = EncodedPiece()
        if self._search.full:
            parts = full_parts(piece, STEPS_PER_QUARTER, self._search.min_bars, found.dropped)
        else:
            parts = magenta_parts(piece, STEPS_PER_QUARTER, found.dropped)
        for part in parts:
            for melody in find_melodies(part.quantized, self._search, found.dropped):
                events, moved_by = squash(melody.events, self.min_note, self.max_note, self.key)
                made_by = part.place(melody, STEPS_PER_QUARTER)
                if moved_by:
                    made_by += f", transposed {moved_by:+d}"
                found.examples.append(EncodedExample(events, made_by=made_by))
        if not found.examples and not found.dropped:
            found.dropped["no_melody_notes"] += 1
        return found

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of a melody, velocity 100, program 0, beginning at 0 s."""
        values = example.events - FIRST_PITCH
        values[values >= 0] += self.min_note
        return melodies_lib.Melody(values.tolist()).to_sequence(qpm=qpm)

    def primer(self, melody_events: Sequence[int]) -> tuple[Events, int]:
        """(event classes, semitones it was moved by) of a primer in Magenta's melody events.

        The primer is moved to the key and into the range that the model knows, as Magenta does;
        what is generated from it is moved back.

        Raises:
          ValueError: an event out of range, or no note in it.
        """
        if not any(event >= 0 for event in melody_events):
            raise ValueError(f"the primer melody {list(melody_events)} has no note; try [60]")
        for event in melody_events:
            if not constants.MIN_MELODY_EVENT <= event <= constants.MAX_MELODY_EVENT:
                raise ValueError(
                    f"{event} in the primer melody is no melody event: "
                    "-2 no event, -1 note off, 0..127 note on"
                )
        events = np.array(melody_events, np.int64) + FIRST_PITCH
        events[: np.argmax(events >= FIRST_PITCH)] = NO_EVENT  # Nothing can end before it began.
        return squash(events, self.min_note, self.max_note, self.key)


class BasicRnnEncoding(MelodyEncoding):
    """basic_rnn: one-hot events of 48..83, moved to C."""

    name = "basic_rnn"
    feeds_events = True


class MonoRnnEncoding(MelodyEncoding):
    """mono_rnn: one-hot events of all MIDI pitches, nothing moved."""

    name = "mono_rnn"
    feeds_events = True
    min_note, max_note, key = 0, constants.MAX_MIDI_PITCH + 1, None
    num_events = constants.MAX_MIDI_PITCH + 1 + _NUM_SPECIAL
    num_classes = num_events
    input_size = num_events


class _RepeatingEncoding(MelodyEncoding):
    """A melody encoding whose last labels are repeats of what was 16 and 32 steps ago."""

    num_classes = _NOTE_RANGE + _NUM_SPECIAL + len(LOOKBACKS)

    def labels(self, example: EncodedExample) -> Events:
        """Labels, shape [num_steps]: those of single events, then same as 16 and 32 steps ago."""
        return melody_vectors.lookback_labels(
            self._single_labels(example.events), example.events, LOOKBACKS, self.num_events
        )

    def label_to_event(self, label: int, events: npt.NDArray[np.int64]) -> int:
        """The event class of a label after `events`; a repeat before the start is no event."""
        if label < self.num_events:
            return self._single_event(label)
        lookback = LOOKBACKS[label - self.num_events]
        return int(events[-lookback]) if len(events) >= lookback else NO_EVENT

    def _single_labels(self, events: Events) -> Events:
        return events

    def _single_event(self, label: int) -> int:
        return label


class LookbackRnnEncoding(_RepeatingEncoding):
    """lookback_rnn: one-hot events of 48..83, what a repeat would bring, 5 bits of the counter."""

    name = "lookback_rnn"
    input_size = (1 + len(LOOKBACKS)) * (_NOTE_RANGE + _NUM_SPECIAL) + _LOOKBACK_COUNTER_BITS + 2

    def inputs(self, example: EncodedExample) -> Vectors:
        """Inputs, shape [num_steps, 121]; see `melody_vectors.lookback_inputs`."""
        return melody_vectors.lookback_inputs(
            example.events, self.num_events, LOOKBACKS, _LOOKBACK_COUNTER_BITS
        )


class AttentionRnnEncoding(_RepeatingEncoding):
    """attention_rnn: what sounds, its direction and keys; labels 0..35 pitch, 36 none, 37 off."""

    name = "attention_rnn"
    input_size = melody_vectors.key_input_size(_NOTE_RANGE)

    def inputs(self, example: EncodedExample) -> Vectors:
        """Inputs, shape [num_steps, 74]; see `melody_vectors.key_inputs`."""
        return melody_vectors.key_inputs(example.events, _NOTE_RANGE, self.min_note)

    def _single_labels(self, events: Events) -> Events:
        labels = np.where(events >= FIRST_PITCH, events - FIRST_PITCH, events + _NOTE_RANGE)
        return labels.astype(np.int64)

    def _single_event(self, label: int) -> int:
        return label - _NOTE_RANGE if label >= _NOTE_RANGE else label + FIRST_PITCH
