"""Melodies as one number a sixteenth, as Zeldic RNN has them.

Source: the exercise "Make some music with an RNN" and its notebook, cpmpercussion/
creative-prediction, notebooks/3-zeldic-musical-RNN: 0..127 a note on of that pitch, and 128 and 129
for a note off and for nothing new. The exercise's text says that 128 is nothing and 129 the note
off, the notebook's code the other way round; the code made the data that people have, so it is
the default, and `note_off=129` is the text's order.

The melody is, as there, the highest note that begins on each sixteenth, of all instruments
together; `per_instrument` takes that of each instrument. It ends one step after its last note. A
new note ends the one before; in the notebook the note off of a long note stays where it was,
within the next note. A note shorter than half a step is a step long; there it is lost. Drums are
left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpus.encodings import tempo_grid
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.tempo_grid import GridNotes, Steps, UnusablePieceError

STEPS_PER_QUARTER = 4
_NUM_PITCHES = 128
_NUM_EVENTS = 130
_SPECIAL = (128, 129)
_BAR = 16
_VELOCITY = 90


class ZeldicEncoding(OneClassEncoding):
    """One number a sixteenth."""

    name = "zeldic"
    version = "1"
    num_events = _NUM_EVENTS
    num_classes = _NUM_EVENTS
    input_size = _NUM_EVENTS
    feeds_events = True
    reasons: tuple[str, ...] = (*tempo_grid.REASONS, "silent")

    def __init__(
        self, *, note_off: int = 128, per_instrument: bool = False, max_steps: int = 512
    ) -> None:
        """Makes the encoding.

        Args:
          note_off: 128 or 129; the other one is no event.
          per_instrument: a melody for each instrument, from the bar (of 16 steps) where it
            begins, instead of one for all from the beginning of the piece.
          max_steps: steps of an example; 0 leaves melodies whole, as the reference does.

        Raises:
          ValueError: a setting is out of range.
        """
        if note_off not in _SPECIAL:
            raise ValueError(f"note_off is {note_off}; choose 128, as the code has it, or 129")
        tempo_grid.check_settings(STEPS_PER_QUARTER, max_steps)
        self._note_off = note_off
        self._no_event = sum(_SPECIAL) - note_off
        self._per_instrument = per_instrument
        self._max_steps = max_steps

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The melodies of a piece, by instrument; parts without a note on are left out."""
        try:
            notes = tempo_grid.on_tempo_grid(piece, STEPS_PER_QUARTER)
        except UnusablePieceError as error:
            return tempo_grid.nothing(error.reason)
        found = EncodedPiece()
        num_steps = 0
        for who, part_notes, first in self._voices(notes):
            num_steps += int(part_notes.end.max()) - first
            if num_steps > tempo_grid.MAX_STEPS:  # of all instruments together
                found.dropped["too_long"] += 1
                break
            events = self._events(tempo_grid.melody_of(part_notes), first)
            for part in tempo_grid.parts_of(len(events), self._max_steps):
                if (events[part] < _NUM_PITCHES).any():
                    made_by = f"{who}, {tempo_grid.described(part, len(events), 'steps')}"
                    found.examples.append(EncodedExample(events[part], made_by=made_by))
                else:
                    found.dropped["silent"] += 1
        return found

    def _voices(self, notes: GridNotes) -> Iterator[tuple[str, GridNotes, int]]:
        if not self._per_instrument:
            yield "highest notes of all instruments", notes, 0
            return
        for instrument in np.unique(notes.instrument).tolist():
            voice = notes.take(notes.instrument == instrument)
            first = int(voice.start[0])
            yield f"highest notes of instrument {instrument}", voice, first - first % _BAR

    def _events(self, melody: GridNotes, first: int) -> Steps:
        events = np.full(int(melody.end[-1]) - first + 1, self._no_event, np.int64)
        events[melody.end - first] = self._note_off
        events[melody.start - first] = melody.pitch
        return events

    def tokens(self, example: EncodedExample) -> list[str]:
        """`on 60`, `off` or `-` a step."""
        names = {self._note_off: "off", self._no_event: "-"}
        return [names.get(event, f"on {event}") for event in example.events.tolist()]

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of a melody; its last note sounds to the end where nothing ends it."""
        seconds = tempo_grid.step_seconds(qpm, STEPS_PER_QUARTER)
        events = example.events
        at = np.append(np.flatnonzero(events != self._no_event), len(events)).tolist()
        return tempo_grid.to_sequence(
            [
                (start * seconds, end * seconds, int(events[start]), _VELOCITY)
                for start, end in itertools.pairwise(at)
                if events[start] < _NUM_PITCHES
            ],
            qpm,
        )
