"""Performances as the events of Deep Symphony, with its conditions.

Source: the project report "Deep Symphony" (Char-RNN and Conditional Char-RNN) and its code,
Shaofanl/DeepSymphony: ExampleCoder and the conditions of its CondStackedLSTM example. 363
classes: 0..127 note on, 128..255 note off, 256..355 time shifts of 10 ms to 1 s, 356..362
velocities of 1, 2, 4 .. 64, the power of 2 that a velocity reaches.

Where its code and its words differ, the words hold: a shift of k * 10 ms is class 255 + k, since
its shifts are "in (10ms, 1000ms)". The code writes a whole second as note off 127, and leaves out
what is below 10 ms at every message, so that its clock runs late; here times are put on the grid
once. At one time, what ends comes before what begins, low pitches first. As there, all
instruments are one and pedals are not heard; drums, which have no pitch, are left out.

A condition is what a model is told of the event to come: 32 numbers from the window of 50
events around it. 10 for the mean pitch of its notes on (one-hot: MIDI 50 to 90, rounded into
ten), 10 for the share of notes on (one-hot: a tenth to two tenths), and 12 for how the notes on
are spread over the pitch classes from C. Where a window has no note on, the first and the
last are zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings import tempo_grid
from corpus.encodings.one_class import one_hot
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, UnusableMeterError, quantize_absolute
from corpus.encodings.results import EncodedExample, EncodedPiece

STEPS_PER_SECOND = 100
NUM_EVENTS = 363
WINDOW = 50
CONDITION_SIZE = 32

_ON, _OFF, _SHIFT, _VELOCITY = 0, 128, 256, 356
_MAX_SHIFT = 100
_NUM_BINS = 10
_NUM_KEYS = 12
_DEFAULT_VELOCITY = 64
_LONGEST_SECONDS = 2.0  # of a note that is never ended, as the reference's player has it
_Longs = npt.NDArray[np.int64]
_Vectors = npt.NDArray[np.float32]

# The power of 2 that each MIDI velocity reaches.
_LEVELS = np.array([max(velocity.bit_length() - 1, 0) for velocity in range(128)])


class DeepSymphonyEncoding:
    """Deep Symphony's events; a long piece is cut into parts."""

    name = "deep_symphony"
    version = "1"
    num_events = NUM_EVENTS
    num_classes = NUM_EVENTS
    feeds_events = True
    reasons: tuple[str, ...] = ("unusable_meter", "too_long", "no_notes")

    def __init__(self, *, conditioned: bool = True, max_steps: int = 1024) -> None:
        """Makes the encoding.

        Args:
          conditioned: whether a model is told the condition of the next event.
          max_steps: events of a part; 0 leaves pieces whole, as the reference does.

        Raises:
          ValueError: a part would have less than two events.
        """
        tempo_grid.check_max_steps(max_steps)
        self._conditioned = conditioned
        self._max_steps = max_steps
        self.beside_size = CONDITION_SIZE * conditioned
        self.input_size = NUM_EVENTS + self.beside_size

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The parts of a piece; conditions look beyond the ends of a part, as windows do."""
        try:
            quantized = quantize_absolute(piece, STEPS_PER_SECOND)
        except UnusableMeterError:
            return tempo_grid.nothing("unusable_meter")
        if quantized.total_steps > tempo_grid.MAX_STEPS:
            return tempo_grid.nothing("too_long")
        events = _to_events(quantized, np.flatnonzero(tempo_grid.is_pitched(piece)))
        if not len(events) or len(events) > tempo_grid.MAX_STEPS:
            return tempo_grid.nothing("too_long" if len(events) else "no_notes")
        controls = {"condition": conditions(events)} if self._conditioned else {}
        found = EncodedPiece()
        for part in tempo_grid.parts_of(len(events), self._max_steps):
            found.examples.append(
                EncodedExample(
                    events=events[part],
                    controls={name: rows[part] for name, rows in controls.items()},
                    made_by="all pitched instruments, "
                    + tempo_grid.described(part, len(events), "events"),
                )
            )
        return found

    def inputs(self, example: EncodedExample) -> _Vectors:
        """Shape [num_steps, 363 or 395]: the event, and the condition of the next one.

        The last event has no next one and its own condition, which no model is asked about.
        """
        return np.hstack([one_hot(example.events, NUM_EVENTS), self.beside(example)])

    def beside(self, example: EncodedExample) -> _Vectors:
        """What inputs have beside the event, shape [num_steps, 0 or 32]."""
        if not self._conditioned:
            return np.zeros((len(example.events), 0), np.float32)
        condition = example.controls["condition"]
        following: _Vectors = np.concatenate([condition[1:], condition[-1:]])
        return following

    def labels(self, example: EncodedExample) -> _Longs:
        """Shape [num_steps]: the events."""
        return example.events

    def label_to_event(self, label: int, events: _Longs) -> int:
        """Labels are events."""
        return label

    def tokens(self, example: EncodedExample) -> list[str]:
        """What each event is, for people."""
        return [_TOKENS[event] for event in example.events.tolist()]

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of events; its times do not depend on the tempo.

        A note off ends the note of its pitch that has sounded longest. A note that is never ended
        lasts two seconds, and no longer than the piece.
        """
        now, velocity = 0, _DEFAULT_VELOCITY
        sounding: dict[int, list[tuple[int, int]]] = {}
        notes: list[tuple[float, float, int, int]] = []
        for event in example.events.tolist():
            if event >= _VELOCITY:
                velocity = 1 << (event - _VELOCITY)
            elif event >= _SHIFT:
                now += event - _SHIFT + 1
            elif event >= _OFF:
                begun = sounding.get(event - _OFF)
                if begun:
                    start, loudness = begun.pop(0)
                    notes.append(_note(start, now, event - _OFF, loudness))
            else:
                sounding.setdefault(event, []).append((now, velocity))
        longest = int(_LONGEST_SECONDS * STEPS_PER_SECOND)
        notes += [
            _note(start, min(now, start + longest), pitch, loudness)
            for pitch, begun in sounding.items()
            for start, loudness in begun
        ]
        return tempo_grid.to_sequence(sorted(notes), qpm)


def _token(event: int) -> str:
    if event >= _VELOCITY:
        return f"velocity {1 << (event - _VELOCITY)}"
    if event >= _SHIFT:
        return f"shift {(event - _SHIFT + 1) * 1000 // STEPS_PER_SECOND} ms"
    return f"off {event - _OFF}" if event >= _OFF else f"on {event}"


_TOKENS = tuple(map(_token, range(NUM_EVENTS)))


def _note(start: int, end: int, pitch: int, velocity: int) -> tuple[float, float, int, int]:
    end = max(end, start + 1)
    return start / STEPS_PER_SECOND, end / STEPS_PER_SECOND, pitch, velocity


def _to_events(quantized: Quantized, kept: _Longs) -> _Longs:
    """The events of the notes with these indexes."""
    pitch = quantized.pitch[kept].astype(np.int64)
    start = quantized.start_step[kept]
    end = np.maximum(quantized.end_step[kept], start + 1)
    level = _LEVELS[np.minimum(quantized.velocity[kept], 127)]
    steps = np.concatenate([end, start])
    codes = np.concatenate([pitch + _OFF, pitch + _ON])
    is_on = np.repeat([False, True], len(kept))
    levels = np.concatenate([level, level])
    order = np.lexsort((levels, codes, is_on, steps))
    steps, codes, is_on, levels = steps[order], codes[order], is_on[order], levels[order]
    turns = np.zeros(len(order), bool)  # where the velocity is another than that of the note before
    turns[is_on] = np.diff(levels[is_on], prepend=-1) != 0
    waits = np.diff(steps, prepend=0)
    num_shifts = -(-waits // _MAX_SHIFT)
    ends = np.cumsum(num_shifts + turns + 1)
    total = int(ends[-1]) if len(ends) else 0
    events = np.full(total, _SHIFT + _MAX_SHIFT - 1, np.int64)
    events[ends - 1] = codes
    events[ends[turns] - 2] = _VELOCITY + levels[turns]
    partial = waits % _MAX_SHIFT > 0
    events[(ends - 2 - turns)[partial]] = _SHIFT + waits[partial] % _MAX_SHIFT - 1
    return events


def conditions(events: _Longs) -> _Vectors:
    """The condition of each event, float32 [num_events, 32]."""
    num = len(events)
    at = np.flatnonzero(events < _OFF)
    # Rows: notes on so far, the sum of their pitches, how many there were of each pitch class.
    so_far = np.zeros((2 + _NUM_KEYS, num + 1), np.int32)
    so_far[0, 1 + at] = 1
    so_far[1, 1 + at] = events[at]
    so_far[2 + events[at] % _NUM_KEYS, 1 + at] = 1
    np.cumsum(so_far, axis=1, out=so_far)
    first = np.clip(np.arange(num) - WINDOW // 2, 0, max(num - WINDOW, 0))
    sums = so_far[:, np.minimum(first + WINDOW, num)] - so_far[:, first]
    count = sums[0]
    rows = np.zeros((num, CONDITION_SIZE), np.float32)
    heard = np.flatnonzero(count)
    mean = sums[1, heard] / count[heard]
    rows[heard, np.rint((np.clip(mean / 10.0, 5.0, 9.0) - 5.0) / 4.0 * 9.0).astype(np.int64)] = 1.0
    density = np.clip(count / WINDOW * 10.0, 1.0, 2.0)
    bins = np.rint((density - 1.0) * 9.0).astype(np.int64)
    rows[np.arange(num), _NUM_BINS + bins] = 1.0
    rows[:, 2 * _NUM_BINS :] = (sums[2:] / np.maximum(count, 1)).T
    return rows
