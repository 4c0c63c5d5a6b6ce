"""What may follow in a sequence of an encoding, and when it is long enough.

A model gives every class some share. What its encoding could never write is forbidden here, so
that every sample is a valid sequence, and so is what would go on for ever: time must pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpus.encodings import Encoding

Longs = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Events of one moment, of which nobody plays as many: then time passes.
_MOST_AT_ONCE = 64

_FORBIDDEN = np.float32(-np.inf)
_NONE = -1

# Performances and Deep Symphony's events: shifts of 1 to 100 steps.
_SHIFT, _MAX_SHIFT = 256, 100
_NEAR_PARTS = 77  # of a note's row: its shift is 77 of the first column and the second
_SHORT_PARTS = 40  # its duration is 40 of the fifth column, and the sixth, and one
# Polyphony.
_STEP_END, _NEW, _HELD, _PITCHES = 2, 3, 131, 128
# Chordwise keys.
_REST, _HOLD, _STATES = 0, 2, 3


class Grammar:
    """Sequences of so many events, of which every one is possible.

    Attributes:
      done: [rows], which sequences are long enough.
    """

    def __init__(self, num_steps: int) -> None:
        """Takes how long sequences become; in which unit is a matter of the grammar."""
        self.num_steps = num_steps
        self.done: Flags = np.zeros(1, np.bool_)
        self._num_events = 0

    @property
    def num_left(self) -> int | None:
        """Events that are missing; None where their number cannot be known before."""
        return self.num_steps - self._num_events

    def push(self, events: Longs) -> None:
        """Follows new events [rows, columns]."""
        self._num_events += 1
        self.done = np.full(len(events), self._num_events >= self.num_steps)

    def forbid(self, logits: Logits) -> None:
        """Writes minus infinity into logits [rows, sum of classes] of what cannot come next."""

    def forced(self) -> Longs | None:
        """[rows]: what comes next whatever the model says, -1 for nothing; None for none at all."""
        return None

    def take(self, rows: Longs) -> None:
        """Goes on with some of the sequences, some of them several times."""
        self.done = self.done[rows]

    def finished(self, events: Longs) -> Longs:
        """A whole sequence [num_events, columns], cut to its length."""
        return events

    def steps_of(self, events: Longs) -> int:
        """How long a sequence [num_events, columns] is."""
        return len(events)


class TimedGrammar(Grammar):
    """Events among which some let time pass: performances, Deep Symphony. Steps are 10 ms."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps)
        self._now = np.zeros(1, np.int64)
        self._at_once = np.zeros(1, np.int64)

    def push(self, events: Longs) -> None:
        """As `Grammar.push`."""
        passed = self._shifts(events)
        self._now = self._now + passed
        self._at_once = np.where(passed > 0, 0, self._at_once + 1)
        self.done = self._now >= self.num_steps

    @property
    def num_left(self) -> int | None:
        """As `Grammar.num_left`."""
        return None

    def _shifts(self, events: Longs) -> Longs:
        """How many steps each event [rows, columns] lets pass."""
        classes = events[:, 0]
        is_shift = (classes >= _SHIFT) & (classes < _SHIFT + _MAX_SHIFT)
        return np.where(is_shift, classes - _SHIFT + 1, 0)

    def forbid(self, logits: Logits) -> None:
        """As `Grammar.forbid`."""
        full = self._at_once >= _MOST_AT_ONCE
        if full.any():
            logits[full, :_SHIFT] = _FORBIDDEN
            logits[full, _SHIFT + _MAX_SHIFT :] = _FORBIDDEN

    def take(self, rows: Longs) -> None:
        """As `Grammar.take`."""
        super().take(rows)
        self._now, self._at_once = self._now[rows], self._at_once[rows]

    def steps_of(self, events: Longs) -> int:
        """As `Grammar.steps_of`."""
        return int(self._shifts(events).sum())

    def finished(self, events: Longs) -> Longs:
        """As `Grammar.finished`: what is left over of the last shift goes."""
        ends = np.cumsum(self._shifts(events))
        last = int(np.searchsorted(ends, self.num_steps))
        if last == len(ends):
            return events
        cut = events[: last + 1].copy()
        cut[last, 0] -= ends[last] - self.num_steps
        return cut


class NoteGrammar(TimedGrammar):
    """Rows of a note each: shift, pitch, velocity, duration."""

    def _shifts(self, events: Longs) -> Longs:
        shifts: Longs = events[:, 0] * _NEAR_PARTS + events[:, 1]
        return shifts

    def __init__(self, num_steps: int, first_size: int) -> None:
        """Takes the number of classes of the first column, too."""
        super().__init__(num_steps)
        self._second = first_size

    def forbid(self, logits: Logits) -> None:
        """As `Grammar.forbid`."""
        logits[self._at_once >= _MOST_AT_ONCE, self._second] = _FORBIDDEN

    def finished(self, events: Longs) -> Longs:
        """As `Grammar.finished`: no note begins at the end or sounds beyond it."""
        begins = np.cumsum(self._shifts(events))
        inside = begins < self.num_steps
        cut, left = events[inside].copy(), self.num_steps - begins[inside] - 1
        lasts = np.minimum(cut[:, 4] * _SHORT_PARTS + cut[:, 5], left)
        cut[:, 4], cut[:, 5] = np.divmod(lasts, _SHORT_PARTS)
        return cut


class PolyphonyGrammar(Grammar):
    """Polyphony's steps: from the highest note down, and only what sounds goes on.

    Notes of a melody can be given that stand at the beginning of their steps.
    """

    def __init__(self, num_steps: int, melody: Sequence[Longs] = (), melody_from: int = 0) -> None:
        """Takes the events of a melody, an array a step, and the step where it begins."""
        super().__init__(num_steps)
        self._melody = [np.asarray(events, np.int64) for events in melody]
        self._melody_from = melody_from
        self._step = np.zeros(1, np.int64)
        self._place = np.zeros(1, np.int64)  # in the melody's events of this step
        self._lowest = np.full(1, _PITCHES)
        self._before = np.zeros((1, _PITCHES), np.bool_)  # what sounded in the last step
        self._now = np.zeros((1, _PITCHES), np.bool_)

    def push(self, events: Longs) -> None:
        """As `Grammar.push`."""
        forced = self.forced()
        classes = events[:, 0]
        is_given = np.zeros(len(classes), np.bool_) if forced is None else forced == classes
        is_end, is_note = classes == _STEP_END, classes >= _NEW
        pitch = np.where(classes >= _HELD, classes - _HELD, classes - _NEW)
        self._lowest = np.where(is_note & ~is_given, pitch, self._lowest)
        self._now[is_note, pitch[is_note]] = True
        self._place = self._place + is_given
        self._before[is_end] = self._now[is_end]
        self._now[is_end] = False
        self._lowest = np.where(is_end, _PITCHES, self._lowest)
        self._place = np.where(is_end, 0, self._place)
        self._step = self._step + is_end
        self.done = self._step >= self.num_steps

    def forbid(self, logits: Logits) -> None:
        """As `Grammar.forbid`: neither start nor end, no note twice, none above the last one."""
        above = np.arange(_PITCHES) >= self._lowest[:, None]
        logits[:, :_STEP_END] = _FORBIDDEN
        logits[:, _NEW:_HELD][above | self._now] = _FORBIDDEN
        logits[:, _HELD:][above | self._now | ~self._before] = _FORBIDDEN

    @property
    def num_left(self) -> int | None:
        """As `Grammar.num_left`."""
        return None

    def forced(self) -> Longs | None:
        """As `Grammar.forced`: the notes of the melody at the beginning of its steps."""
        if not self._melody:
            return None
        found = np.full(len(self._step), _NONE)
        for row, (step, place) in enumerate(zip(self._step, self._place, strict=True)):
            at = step - self._melody_from
            if 0 <= at < len(self._melody) and place < len(self._melody[at]):
                found[row] = self._melody[at][place]
        return found

    def take(self, rows: Longs) -> None:
        """As `Grammar.take`."""
        super().take(rows)
        for name in ("_step", "_place", "_lowest", "_before", "_now"):
            setattr(self, name, getattr(self, name)[rows])

    def finished(self, events: Longs) -> Longs:
        """As `Grammar.finished`: what follows the last step's end goes."""
        ends = np.flatnonzero(events[:, 0] == _STEP_END)
        return events[: ends[self.num_steps - 1] + 1] if len(ends) > self.num_steps else events

    def steps_of(self, events: Longs) -> int:
        """As `Grammar.steps_of`."""
        return int((events[:, 0] == _STEP_END).sum())


class KeyboardGrammar(Grammar):
    """Keys of three states: what rests cannot be held."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps)
        self._rests: Flags = np.zeros((1, 0), np.bool_)

    def push(self, events: Longs) -> None:
        """As `Grammar.push`."""
        super().push(events)
        self._rests = events == _REST

    def forbid(self, logits: Logits) -> None:
        """As `Grammar.forbid`."""
        logits[:, _HOLD::_STATES][self._rests] = _FORBIDDEN

    def take(self, rows: Longs) -> None:
        """As `Grammar.take`."""
        super().take(rows)
        self._rests = self._rests[rows]


def grammar_of(encoding: Encoding, num_steps: int) -> Grammar:
    """The grammar of an encoding; where none is known every event can follow."""
    name = encoding.name
    if name == "performance_with_dynamics_and_note_encoding":
        sizes = encoding.num_events
        assert isinstance(sizes, tuple)
        return NoteGrammar(num_steps, sizes[0])
    if "performance" in name or name == "deep_symphony":
        return TimedGrammar(num_steps)
    if name == "polyphony":
        return PolyphonyGrammar(num_steps)
    return KeyboardGrammar(num_steps) if name == "chordwise" else Grammar(num_steps)
