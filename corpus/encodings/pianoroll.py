"""Binary piano rolls: which keys sound at each step.

Source: the project report "Deep Symphony" (GAN, DCRNN) and Shaofanl/DeepSymphony: pictures of
128 keys by T steps, 1 where a key is on, T = 128 in training. Here a row is a step and a column
a key, lowest first. Notes outside the range of keys are left out, and so are drums. A roll does
not say whether a key is held or struck again: decoded, what touches is one note. The report moves
songs to C major beforehand; the `key` of the tracks' table is there for that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings import rolls, tempo_grid
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.tempo_grid import Steps, UnusablePieceError

_VELOCITY = 90
_MAX_PITCH = 127


class PianorollEncoding:
    """Binary piano rolls, cropped to a range of pitches."""

    name = "pianoroll"
    version = "1"
    reasons: tuple[str, ...] = (*tempo_grid.REASONS, "out_of_range", "silent")

    def __init__(
        self,
        *,
        steps_per_quarter: int = 4,
        min_pitch: int = 0,
        max_pitch: int = _MAX_PITCH,
        max_steps: int = 128,
    ) -> None:
        """Makes the encoding.

        Args:
          steps_per_quarter: of the grid, which follows the tempos.
          min_pitch, max_pitch: the lowest and the highest key, both MIDI and both in it.
          max_steps: steps of an example; 0 leaves pieces whole.

        Raises:
          ValueError: a setting is out of range.
        """
        if not 0 <= min_pitch < max_pitch <= _MAX_PITCH:
            raise ValueError(f"keys from {min_pitch} to {max_pitch}; choose two of 0 to 127")
        tempo_grid.check_settings(steps_per_quarter, max_steps)
        self._steps_per_quarter = steps_per_quarter
        self._min_pitch = min_pitch
        self._max_steps = max_steps
        self.input_size = max_pitch - min_pitch + 1
        self.num_events = self.num_classes = (2,) * self.input_size

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The roll of all pitched instruments; a long one in parts, silent parts left out."""
        try:
            notes = tempo_grid.on_tempo_grid(
                piece, self._steps_per_quarter, max_steps=tempo_grid.MAX_DENSE_STEPS
            )
        except UnusablePieceError as error:
            return tempo_grid.nothing(error.reason)
        key = notes.pitch - self._min_pitch
        notes = notes.take((key >= 0) & (key < self.input_size))
        if not len(notes.start):
            return tempo_grid.nothing("out_of_range")
        roll = np.zeros((int(notes.end.max()), self.input_size), np.int8)
        rolls.fill(notes, notes.pitch - self._min_pitch, roll)
        found = EncodedPiece()
        for part in tempo_grid.parts_of(len(roll), self._max_steps):
            if roll[part].any():
                made_by = tempo_grid.described(part, len(roll), "steps")
                events = (roll[part] != rolls.REST).astype(np.int64)
                found.examples.append(EncodedExample(events, made_by=made_by))
            else:
                found.dropped["silent"] += 1
        return found

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """The roll, shape [num_steps, keys]."""
        return example.events.astype(np.float32)

    def labels(self, example: EncodedExample) -> Steps:
        """The roll, shape [num_steps, keys]."""
        return example.events

    def label_to_event(self, label: Steps, events: Steps) -> Steps:
        """Labels are events."""
        return label

    def tokens(self, example: EncodedExample) -> list[str]:
        """The MIDI pitches that sound at each step, as `60,64,67`."""
        return [
            ",".join(str(self._min_pitch + key) for key in np.flatnonzero(row).tolist())
            for row in example.events
        ]

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of a roll."""
        seconds = tempo_grid.step_seconds(qpm, self._steps_per_quarter)
        notes = sorted(rolls.roll_notes((example.events * rolls.HOLD).tolist()))
        return tempo_grid.to_sequence(
            [(s * seconds, e * seconds, self._min_pitch + key, _VELOCITY) for s, e, key in notes],
            qpm,
        )
