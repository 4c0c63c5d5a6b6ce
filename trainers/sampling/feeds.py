"""What a model is fed while sequences grow: what `rows_of` would give for the newest event.

An encoding makes the inputs of whole sequences. Asked anew after every event, it would go over all
of them each time; here what later inputs depend on is kept instead, for all sequences side by
side. `feed_of` knows which encoding needs what; what it does not know is fed by the encoding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from corpus.encodings import EncodedExample, Encoding
from corpus.encodings.results import Controls
from trainers.features import feeds_events, rows_of

Longs = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]

_REPEAT_STEPS = 16, 32  # the lookbacks of Magenta's melodies
_KEYS = 12


class Feed(Protocol):
    """Follows sequences; all begin with the same event, and the first push says how many."""

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """(ids [rows, columns], vectors [rows, size]) behind new events [rows, event columns]."""

    def take(self, rows: Longs) -> None:
        """Goes on with some of the sequences, some of them several times."""


def feed_of(encoding: Encoding, controls: Controls) -> Feed:
    """How the sequences of an encoding are fed, given what its model is told beside them.

    Args:
      encoding: of the sequences.
      controls: as examples have them; those of events beyond their last are those of the last.
    """
    makers: dict[str, Callable[[], Feed]] = {
        "lookback_rnn": lambda: LookbackFeed(_size(encoding.num_events), 5),
        "attention_rnn": lambda: KeyFeed(encoding),
        "drum_kit": lambda: EventFeed(Counter(6)),
        "basic_improv": lambda: ChordFeed(encoding, controls, OneHotFeed(_melody_size(encoding))),
        "chord_pitches_improv": lambda: ChordFeed(
            encoding, controls, OneHotFeed(_melody_size(encoding))
        ),
        "attention_improv": lambda: ChordFeed(encoding, controls, KeyFeed(_melody(encoding))),
    }
    if encoding.name in makers:
        return makers[encoding.name]()
    if feeds_events(encoding) and not getattr(encoding, "beside_size", 0):
        return EventFeed()
    if encoding.name.startswith(_EACH_BY_ITSELF) and not controls:
        return LastFeed(encoding)
    is_constant = all((part == part[:1]).all() for part in controls.values())
    if feeds_events(encoding) and controls and is_constant:
        return EventFeed(Constant(encoding, controls))
    return WholeFeed(encoding, controls)


# Their inputs show the event of that very step and nothing else.
_EACH_BY_ITSELF = (
    "performance_with_dynamics_and_modulo_encoding", "chordwise", "pianoroll", "miditok_",
)  # fmt: skip


def _size(sizes: Any) -> int:
    return int(sizes)


def _melody(encoding: Encoding) -> Encoding:
    return cast(Encoding, cast(Any, encoding).melody)


def _melody_size(encoding: Encoding) -> int:
    return _size(_melody(encoding).num_events)


class Counter:
    """The bits of the number of the next step, as 1 and -1; the same for all sequences."""

    def __init__(self, num_bits: int) -> None:
        steps = np.arange(1, (1 << num_bits) + 1)[:, None]
        self._table = ((steps >> np.arange(num_bits) & 1) * 2.0 - 1.0).astype(np.float32)
        self._step = 0

    def next(self, count: int) -> Rows:
        """[count, bits]."""
        row = self._table[self._step % len(self._table)]
        self._step += 1
        return np.broadcast_to(row, (count, len(row)))


class Constant:
    """What a model is told at every step of all sequences."""

    def __init__(self, encoding: Encoding, controls: Controls) -> None:
        twice = {name: np.repeat(part[:1], 2, 0) for name, part in controls.items()}
        columns = encoding.num_events
        shape = (2, len(columns)) if isinstance(columns, tuple) else (2,)
        beside = cast(Any, encoding).beside(EncodedExample(np.zeros(shape, np.int64), twice))
        self._row: Rows = beside[0]

    def next(self, count: int) -> Rows:
        """[count, size]."""
        return np.broadcast_to(self._row, (count, len(self._row)))


class EventFeed:
    """The events themselves, and something beside them."""

    def __init__(self, beside: Counter | Constant | None = None) -> None:
        self._beside = beside

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        count = len(events)
        beside = np.zeros((count, 0), np.float32)
        return events, beside if self._beside is None else self._beside.next(count)

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""


class LastFeed:
    """The input vector that an encoding makes of the last event alone."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._is_row = isinstance(encoding.num_events, tuple)

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`; the sequences' events stand in for the steps of one."""
        steps = events if self._is_row else events[:, 0]
        return _no_ids(len(events)), self._encoding.inputs(EncodedExample(steps))

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""


class OneHotFeed:
    """One-hot events."""

    def __init__(self, num_events: int) -> None:
        self._table = np.eye(num_events, dtype=np.float32)

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        return _no_ids(len(events)), self._table[events[:, 0]]

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""


class _Past:
    """The last events of sequences of one column."""

    def __init__(self) -> None:
        self._events: deque[Longs] = deque(maxlen=max(_REPEAT_STEPS) + 1)

    def push(self, events: Longs) -> None:
        self._events.append(events[:, 0])

    def ago(self, steps: int) -> Longs | None:
        """The events of so many steps ago; None where there were none."""
        return self._events[-1 - steps] if steps < len(self._events) else None

    def repeats(self) -> Rows:
        """Whether the last event is that of each lookback ago, [rows, lookbacks]."""
        now = self._events[-1]
        found = np.zeros((len(now), len(_REPEAT_STEPS)), np.float32)
        for column, steps in enumerate(_REPEAT_STEPS):
            before = self.ago(steps)
            if before is not None:
                found[:, column] = before == now
        return found

    def take(self, rows: Longs) -> None:
        self._events = deque((events[rows] for events in self._events), self._events.maxlen)


class LookbackFeed:
    """`melody_vectors.lookback_inputs`: the event, what a repeat would bring, counter, repeats."""

    def __init__(self, num_events: int, num_bits: int) -> None:
        self._table = np.eye(num_events, dtype=np.float32)
        self._counter, self._past = Counter(num_bits), _Past()

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        self._past.push(events)
        count = len(events)
        parts = [self._table[events[:, 0]]]
        for steps in _REPEAT_STEPS:
            due = self._past.ago(steps - 1)
            parts.append(self._table[np.zeros(count, np.int64) if due is None else due])
        parts += [self._counter.next(count), self._past.repeats()]
        return _no_ids(count), np.concatenate(parts, 1)

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""
        self._past.take(rows)


class KeyFeed:
    """`melody_vectors.key_inputs`: what sounds, where it goes, repeats, counter, keys."""

    def __init__(self, encoding: Encoding) -> None:
        from corpus.encodings import melody_search

        melody: Any = encoding
        self._min_note, self._range = int(melody.min_note), int(melody.max_note - melody.min_note)
        self._first, self._off = melody_search.FIRST_PITCH, melody_search.NOTE_OFF
        self._in_key = np.asarray(melody_search.IN_KEY)
        self._counter, self._past = Counter(7), _Past()
        self._step = 0
        self._fits = np.zeros((1, _KEYS), np.int64)
        self._recent = np.full((1, 3), -1, np.int64)  # distinct notes, the latest last
        self._sounding = np.full(1, -1, np.int64)
        self._direction = np.zeros(1, np.float32)
        self._is_attack = np.zeros(1, np.bool_)

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        self._past.push(events)
        self._follow(events[:, 0])
        self._step += 1
        count = len(events)
        sounds = (self._sounding >= 0) & (self._sounding + self._min_note > 0)
        pitch = np.zeros((count, self._range), np.float32)
        pitch[np.flatnonzero(sounds), self._sounding[sounds]] = 1.0
        parts = [
            pitch,
            np.stack([sounds, ~sounds, self._is_attack], 1).astype(np.float32),
            self._direction[:, None],
            self._past.repeats(),
            self._counter.next(count),
            np.full((count, 1), self._step % 16 == 0, np.float32),
            _best(self._fits),
            _best(self._recent_fits()),
        ]
        return _no_ids(count), np.concatenate(parts, 1)

    def _follow(self, events: Longs) -> None:
        has_notes = self._recent[:, -1] >= 0
        ends = (events == self._off) & has_notes
        starts = events >= self._first
        self._sounding[ends] = -1
        self._is_attack[~ends] = False
        which = np.flatnonzero(starts)
        if not len(which):
            return
        notes = events[which] - self._first
        last = self._recent[which, -1]
        turns = (last >= 0) & (notes != last)
        way = np.where(notes > last, 1.0, -1.0)
        self._direction[which] = np.where(turns, way, self._direction[which])
        self._fits[which] += self._in_key[(notes + self._min_note) % _KEYS]
        self._sounding[which], self._is_attack[which] = notes, True
        before = self._recent[which]
        place = np.where(before[:, 2] == notes, 2, np.where(before[:, 1] == notes, 1, 0))
        self._recent[which, 0] = np.where(place == 0, before[:, 1], before[:, 0])
        self._recent[which, 1] = np.where(place == 2, before[:, 1], before[:, 2])
        self._recent[which, 2] = notes

    def _recent_fits(self) -> Longs:
        fits = self._in_key[(self._recent + self._min_note) % _KEYS]
        found: Longs = np.where((self._recent >= 0)[:, :, None], fits, 0).sum(1)
        return found

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""
        self._past.take(rows)
        for name in ("_fits", "_recent", "_sounding", "_direction", "_is_attack"):
            setattr(self, name, getattr(self, name)[rows])


class ChordFeed:
    """The chord of the next step, before what is fed of a melody."""

    def __init__(self, encoding: Encoding, controls: Controls, melody: Feed) -> None:
        vectors = cast(Any, encoding).chord_vectors
        self._chords: Rows = vectors.vectors(controls["chords"])
        self._melody = melody
        self._step = 0

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        self._step = min(self._step + 1, len(self._chords) - 1)
        ids, of_melody = self._melody.push(events)
        chord = np.broadcast_to(self._chords[self._step], (len(events), self._chords.shape[1]))
        return ids, np.concatenate([chord, of_melody], 1)

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""
        self._melody.take(rows)


class WholeFeed:
    """What the encoding makes of all events so far, for encodings that are not known here."""

    def __init__(self, encoding: Encoding, controls: Controls) -> None:
        self._encoding, self._controls = encoding, controls
        self._is_row = isinstance(encoding.num_events, tuple)
        self._events: list[Longs] = []

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        self._events.append(events)
        whole = np.stack(self._events, 1)
        steps = np.arange(whole.shape[1])
        controls = {n: part[np.minimum(steps, len(part) - 1)] for n, part in self._controls.items()}
        ids, vectors = [], []
        for row in whole if self._is_row else whole[:, :, 0]:
            of_ids, of_vectors = rows_of(self._encoding, EncodedExample(row, controls))
            ids.append(of_ids[-1])
            vectors.append(of_vectors[-1])
        return np.stack(ids), np.stack(vectors)

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""
        self._events = [events[rows] for events in self._events]


def _no_ids(count: int) -> Longs:
    return np.zeros((count, 0), np.int64)


def _best(fits: Longs) -> Rows:
    """1 for the largest of each row, all that are."""
    best: Rows = (fits == fits.max(1, keepdims=True)).astype(np.float32)
    return best
