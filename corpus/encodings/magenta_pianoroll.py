"""RNN-NADE's piano rolls: which of a piano's 88 keys sound at each step.

Source of facts: Magenta 2.1.4, pianoroll_rnn_nade (`PianorollSequence` and its data set's
pipeline). A piece is split at every change of meter and tempo, put on a grid of 4 steps a quarter
and moved by -4 to 4 semitones, for training and for evaluation. Each part of one program and at
least 80 steps is one example, cut at 2048 steps.

Events are stored as two integers of 44 bits a step, the lower keys first. A model is given the 88
keys of a step and predicts those of the next one, which are the next row of `inputs`. Magenta's
labels, which its own model does not read, are sums of powers of two that ran over: the lowest 64
keys as the bits of a signed integer. `labels` gives them like that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq import pianoroll_lib

from corpus.compiled import bare
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, Steps
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.transposed import (
    REASONS,
    OneProgramEncoding,
    transpositions,
)
from corpus.notes import Ints

LOWEST_KEY, NUM_KEYS = 21, 88
_KEYS_A_COLUMN = NUM_KEYS // 2

_Roll = npt.NDArray[np.uint8]
_BITS = 1 << np.arange(_KEYS_A_COLUMN, dtype=np.int64)


class PianorollEncoding(OneProgramEncoding):
    """Magenta 2.1.4's `rnn-nade` and `rnn-nade_attn`, which read the same examples.

    Args:
      min_steps: shorter parts are dropped.
      max_steps: longer parts are cut, and what is behind is left out; in full it is not.
      transpositions, full, augment: see `OneProgramEncoding`.
    """

    name = "rnn-nade"
    version = "2"
    num_events = (1 << _KEYS_A_COLUMN, 1 << _KEYS_A_COLUMN)
    num_classes = 1 << NUM_KEYS
    input_size = NUM_KEYS
    reasons: tuple[str, ...] = (*REASONS, "too_short")

    def __init__(
        self,
        *,
        min_steps: int = 80,
        max_steps: int = 2048,
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
                continue
            for amount, pitch in transpositions(quantized, semitones, found.dropped):
                events = _pack(self._roll(quantized, pitch))
                made_by = f"{place}, transposed {amount:+d}"
                found.examples.append(EncodedExample(events, made_by=made_by))
        return found

    def _roll(self, quantized: Quantized, pitch: Ints) -> _Roll:
        total_steps = quantized.total_steps
        roll = np.zeros((NUM_KEYS, min(total_steps, self._max_steps)), np.uint8)
        _strike(quantized.start_step, quantized.end_step, pitch, total_steps, roll)
        return roll

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """1 for each key that sounds, shape [num_steps, 88], the lowest key first."""
        return _unpack(example.events).astype(np.float32)

    def labels(self, example: EncodedExample) -> npt.NDArray[np.int64]:
        """Magenta's labels, shape [num_steps]: of 88 keys the lowest 64, as bits."""
        low, high = example.events[:, 0], example.events[:, 1]
        labels: npt.NDArray[np.int64] = low | high << _KEYS_A_COLUMN
        return labels

    def label_to_event(self, label: npt.ArrayLike, events: Steps) -> Steps:
        """The event of the keys that a model has chosen.

        Args:
          label: (88,), not 0 where a key sounds.
          events: those before, which do not matter.

        Returns:
          (2,) int64.
        """
        event: Steps = _pack((np.asarray(label) != 0)[:, None].astype(np.uint8))[0]
        return event

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of the events, velocity 100, program 0.

        A key that sounds at two steps that follow each other is one note.
        """
        frames = [tuple(np.flatnonzero(frame).tolist()) for frame in _unpack(example.events)]
        roll = pianoroll_lib.PianorollSequence(
            events_list=frames, steps_per_quarter=self._steps_per_quarter
        )
        return roll.to_sequence(qpm=qpm)


@bare
def _strike(start: Steps, end: Steps, pitch: Ints, total_steps: int, roll: _Roll) -> None:
    """Fills in a roll [88, num_steps], which may hold only the first of all steps.

    Before a note its key is silent for one step, so that it is heard to be struck again. Notes
    are taken in order: a later one silences one that is already there. The step before the first
    one is the last one, as Magenta has it.
    """
    num_steps = roll.shape[1]
    for note in range(len(start)):
        key = pitch[note] - LOWEST_KEY
        if 0 <= key < NUM_KEYS:
            before = start[note] - 1 if start[note] else total_steps - 1
            if before < num_steps:
                roll[key, before] = 0
            for step in range(start[note], min(end[note], num_steps)):
                roll[key, step] = 1


def _pack(roll: _Roll) -> Steps:
    """Rows of keys, [88, num_steps] -> events, [num_steps, 2]."""
    halves = roll.reshape(2, _KEYS_A_COLUMN, -1).astype(np.int64)
    events: Steps = np.einsum("hks,k->sh", halves, _BITS)
    return events


def _unpack(events: Steps) -> npt.NDArray[np.int64]:
    """Events, [num_steps, 2] -> keys, [num_steps, 88]."""
    keys: npt.NDArray[np.int64] = (events[:, :, None] >> np.arange(_KEYS_A_COLUMN)) & 1
    return keys.reshape(len(events), NUM_KEYS)
