"""Chord-wise steps: which keys are struck, held or at rest.

Source: the posts on chord-wise generation and mcleavey/musical-neural-net. There, a step is one
word a player, `p` or `v` and a digit a key (0 rest, 1 strike, 2 hold; the violin's word first),
and the vocabulary is whatever words the training set has. A piece alone cannot know that, so an
event here is the keyboard itself, a column a key; `words` gives the words, and who wants their
vocabulary counts those of the training set.

What the reference trains on are the words without holding (2 becomes 0), in which a word of
rests only is written as one of 52 letters: how many keys were struck in the ten words before,
so that rests are not all alike. `durations=False` gives those: no column ever is 2, `words` writes
the letters, and decoding makes every note two steps long, as there. The letters are in no
column, since they follow from the columns before.

Chamber pieces have the violin's columns first, then the piano's.
"""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings import rolls, tempo_grid
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.tempo_grid import Steps, UnusablePieceError

_VELOCITY = 90
_VIOLIN_PROGRAM = 40
_STEPS_WITHOUT_DURATION = 2
_REST_LETTERS = string.ascii_lowercase + string.ascii_uppercase
_WORDS_BEFORE_REST = 10
_NUM_STATES = 3


class ChordwiseEncoding:
    """The keyboard at each step, for one player or two."""

    name = "chordwise"
    version = "1"
    reasons: tuple[str, ...] = (*tempo_grid.REASONS, "not_chamber", "out_of_range", "silent")

    def __init__(
        self,
        *,
        steps_per_quarter: int = 4,
        note_range: int = 62,
        chamber: bool = False,
        durations: bool = True,
        max_steps: int = 512,
    ) -> None:
        """Makes the encoding.

        Args:
          steps_per_quarter: the reference has 4 and 12.
          note_range: 62 keys from MIDI 33 or 38 from MIDI 45.
          chamber: two players, violin and piano; else all pitched instruments are one.
          durations: whether keys are held; False for what the reference trains on.
          max_steps: steps of an example; 0 leaves pieces whole, as the reference does.

        Raises:
          ValueError: a setting is out of range.
        """
        tempo_grid.check_settings(steps_per_quarter, max_steps)
        rolls.check_range(note_range)
        self._steps_per_quarter = steps_per_quarter
        self._num_keys = note_range
        self._chamber = chamber
        self._durations = durations
        self._max_steps = max_steps
        num_columns = note_range * (1 + chamber)
        self.num_events = self.num_classes = (_NUM_STATES,) * num_columns
        self.input_size = 2 * num_columns

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The piece, in training in twelve keys: from 6 semitones up to 5 down."""
        try:
            notes = tempo_grid.on_tempo_grid(
                piece, self._steps_per_quarter, max_steps=tempo_grid.MAX_DENSE_STEPS
            )
            roll = rolls.make_roll(notes, self._num_keys, chamber=self._chamber)
        except UnusablePieceError as error:
            return tempo_grid.nothing(error.reason)
        if not self._durations:
            roll[roll == rolls.HOLD] = rolls.REST
        found = EncodedPiece()
        for semitones in rolls.TRANSPOSITIONS if is_training else (0,):
            moved = rolls.transposed(roll, semitones) if semitones else roll
            if moved.any():
                key = f", transposed {semitones:+d}" if semitones else ""
                self._cut(moved[:, ::-1].reshape(len(moved), -1), key, found)
            else:
                found.dropped["out_of_range"] += 1
        return found

    def _cut(self, rows: rolls.Roll, key: str, found: EncodedPiece) -> None:
        for part in tempo_grid.parts_of(len(rows), self._max_steps):
            if not rows[part].any():
                found.dropped["silent"] += 1
                continue
            made_by = tempo_grid.described(part, len(rows), "steps") + key
            found.examples.append(EncodedExample(rows[part].astype(np.int64), made_by=made_by))

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """Shape [num_steps, 2 * columns]: the keys that are struck, then those that are held."""
        struck, held = example.events == rolls.STRIKE, example.events == rolls.HOLD
        return np.hstack([struck, held]).astype(np.float32)

    def labels(self, example: EncodedExample) -> Steps:
        """The events, shape [num_steps, columns]."""
        return example.events

    def label_to_event(self, label: Steps, events: Steps) -> Steps:
        """Labels are events."""
        return label

    def words(self, example: EncodedExample) -> list[str]:
        """The words of the reference's text, one a step and player."""
        players = "vp" if self._chamber else "p"
        rows = example.events.reshape(-1, self._num_keys)
        num_strikes = np.append(0, np.cumsum((rows == rolls.STRIKE).sum(axis=1))).tolist()
        words = []
        for index, row in enumerate(rows.tolist()):
            keys = "".join(map(str, row))
            if not self._durations and not any(row):
                struck = num_strikes[index] - num_strikes[max(index - _WORDS_BEFORE_REST, 0)]
                keys = _REST_LETTERS[min(struck, len(_REST_LETTERS) - 1)]
            words.append(players[index % len(players)] + keys)
        return words

    tokens = words

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of steps: a piano, and a violin where there are two players."""
        seconds = tempo_grid.step_seconds(qpm, self._steps_per_quarter)
        sequence = tempo_grid.to_sequence((), qpm)
        for player in range(1 + self._chamber):
            first = (self._chamber - player) * self._num_keys
            roll = example.events[:, first : first + self._num_keys].tolist()
            tempo_grid.add_notes(
                sequence,
                [
                    (start * seconds, end * seconds, self._pitch(key), _VELOCITY)
                    for start, end, key in self._notes(roll)
                ],
                program=_VIOLIN_PROGRAM if player == rolls.VIOLIN else 0,
                instrument=player,
            )
        return sequence

    def _pitch(self, key: int) -> int:
        return rolls.LOWEST_NOTES[self._num_keys] + key

    def _notes(self, roll: list[list[int]]) -> list[tuple[int, int, int]]:
        notes = sorted(rolls.roll_notes(roll))
        if self._durations:
            return notes
        last = _STEPS_WITHOUT_DURATION - 1
        again = {(start - last, key) for start, _, key in notes}
        return [(start, end + last * ((start, key) not in again), key) for start, end, key in notes]
