"""What a person asks of a model while it plays, as the model can be asked.

Models that were trained with conditions are told: density and key of the conditioned performances,
pitch, density and key of Deep Symphony, the chord of the improv models, the genre of a model of
several. Of others the likely next events are weighed: notes near a pitch, notes of a key, more or
fewer notes than in the last seconds. A model of melodies in C plays in a key by moving what it
plays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence, Set
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corpus.encodings import EncodedExample, Encoding
from corpus.encodings import performance_controls as told
from corpus.encodings.chord_symbols import NO_CHORD
from corpus.encodings.magenta_improv import LeadSheetEncoding
from corpus.encodings.magenta_melody import MelodyEncoding
from corpus.encodings.magenta_performance import (
    CONFIGURATIONS,
    DENSITY_BOUNDS,
    HISTOGRAM,
    IS_OFF,
)
from corpus.encodings.magenta_performance import DENSITY as DENSITY_BIN
from corpus.encodings.results import Controls
from trainers.live.controls import (
    CHORD,
    DENSITY,
    GENRE,
    KEY,
    NOISE,
    PITCH,
    Control,
    ControlError,
    Value,
    scale_of,
)
from trainers.live.followers import Follower
from trainers.sampling.feeds import Feed, KeyFeed, OneHotFeed, feed_of

Longs = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]

_WINDOW_SECONDS = 3.0  # in which notes are counted for the density, as Magenta's controls do
_PITCH_SPREAD = 6.0  # semitones from the pitch asked for at which a note is 0.6 times as likely
_MOST_BIAS = 12.0  # nats, either way
_FEW = 0.25  # notes a second that make no difference to none
_URGE_PER_SECOND = 1.0
_OUTSIDE = 0.01  # of a pitch class that the key has not, before the model's own share
_NUM_KEYS = 12
_FIFTHS_UP = 7
_NO_NOTE = -1

# Deep Symphony's condition: ten bins of the mean pitch, ten of the density, twelve of the keys.
_BINS = 10
_LOWEST, _HIGHEST = 50.0, 90.0
_SPARSE, _DENSE = 1.0, 32.0  # notes a second that stand for its first and last bin


class _RowFeed:
    """Events with one row beside them, which may change at any time."""

    def __init__(self, row: Rows) -> None:
        self.row = row

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        return events, np.broadcast_to(self.row, (len(events), len(self.row)))

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""


class _ChordRowFeed:
    """A chord, which may change at any time, before what is fed of a melody."""

    def __init__(self, row: Rows, melody: Feed) -> None:
        self.row, self._melody = row, melody

    def push(self, events: Longs) -> tuple[Longs, Rows]:
        """As `Feed.push`."""
        ids, of_melody = self._melody.push(events)
        chord = np.broadcast_to(self.row, (len(events), len(self.row)))
        return ids, np.concatenate([chord, of_melody], 1)

    def take(self, rows: Longs) -> None:
        """As `Feed.take`."""
        self._melody.take(rows)


class _Telling(Protocol):
    """How a model is told.

    Attributes:
      names: of the controls that it is told.
    """

    names: frozenset[str]

    def row(self, values: dict[str, Value]) -> Rows:
        """What stands beside the next event."""


class _Performance:
    """The controls of a conditioned performance model; Magenta's defaults where nothing is said."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding: Any = encoding
        self._configuration = CONFIGURATIONS[encoding.name]
        ours = {DENSITY_BIN: DENSITY, HISTOGRAM: KEY}
        self.names = frozenset(ours[name] for name in self._configuration.controls)

    def row(self, values: dict[str, Value]) -> Rows:
        """As `_Telling.row`."""
        density = values.get(DENSITY, told.DEFAULT_NOTES_PER_SECOND)
        weights = values.get(KEY, (0.0,) * _NUM_KEYS)
        assert isinstance(density, float)
        assert isinstance(weights, tuple)
        is_off = not self.names & values.keys()
        controls: Controls = {
            DENSITY_BIN: told.density_bins([density], DENSITY_BOUNDS),
            HISTOGRAM: told.weigh_histogram([weights]),
            IS_OFF: np.array([int(is_off)]),
        }
        beside: Rows = self._encoding.beside(EncodedExample(np.zeros(1, np.int64), controls))
        return beside.reshape(-1)


class _DeepSymphony:
    """Deep Symphony's condition of the next event; zeros where nothing is said."""

    names = frozenset((PITCH, DENSITY, KEY))

    def row(self, values: dict[str, Value]) -> Rows:
        """As `_Telling.row`."""
        row = np.zeros(2 * _BINS + _NUM_KEYS, np.float32)
        pitch, density, weights = (values.get(name) for name in (PITCH, DENSITY, KEY))
        if isinstance(pitch, float):
            row[_bin((pitch - _LOWEST) / (_HIGHEST - _LOWEST))] = 1.0
        if isinstance(density, float):
            octaves = np.log2(max(density, _SPARSE) / _SPARSE) / np.log2(_DENSE / _SPARSE)
            row[_BINS + _bin(float(octaves))] = 1.0
        if isinstance(weights, tuple):
            row[2 * _BINS :] = told.weigh_histogram(weights)
        return row


def _bin(share: float) -> int:
    return int(np.rint(np.clip(share, 0.0, 1.0) * (_BINS - 1)))


class _Chords:
    """The chord of the next step; none where nothing is said."""

    names = frozenset((CHORD,))

    def __init__(self, encoding: LeadSheetEncoding) -> None:
        self._encoding = encoding

    def row(self, values: dict[str, Value]) -> Rows:
        """As `_Telling.row`. Raises ValueError for what is no chord."""
        figure = str(values.get(CHORD) or NO_CHORD)
        controls = self._encoding.controls_of([figure])
        return self._encoding.chord_vectors.vectors(controls["chords"]).reshape(-1)


class Steering:
    """The wishes of a person, kept for one model that plays one piece.

    Attributes:
      noise: temperature of the softmax; genre: index of the genre.
      feed: what the model is fed.
    """

    def __init__(
        self, encoding: Encoding, follower: Follower, genres: Sequence[str], noise: float
    ) -> None:
        """Nothing is asked for yet.

        Args:
          encoding: of the model.
          follower: of the piece.
          genres: that the model knows, in its order.
          noise: the temperature where nothing else is asked for.
        """
        self._encoding, self._follower, self._genres = encoding, follower, list(genres)
        self._usual_noise = self.noise = noise
        self.genre = 0
        self._values: dict[str, Value] = {}
        self._telling = _telling_of(encoding)
        melody = encoding.melody if isinstance(encoding, LeadSheetEncoding) else encoding
        self._is_in_c = isinstance(melody, MelodyEncoding) and melody.key is not None
        self._row_feed: _RowFeed | _ChordRowFeed | None = None
        self.feed: Feed = self._make_feed()
        self._struck: deque[float] = deque()
        self._urge, self._urged_at = 0.0, 0.0

    def _make_feed(self) -> Feed:
        if self._telling is None:
            return feed_of(self._encoding, {})
        row = self._telling.row({})
        if isinstance(self._encoding, LeadSheetEncoding):
            melody = self._encoding.melody
            is_key = melody.name == "attention_rnn"
            inner = KeyFeed(melody) if is_key else OneHotFeed(melody.num_events)
            self._row_feed = _ChordRowFeed(row, inner)
        else:
            self._row_feed = _RowFeed(row)
        return self._row_feed

    @property
    def _is_told(self) -> frozenset[str]:
        return self._telling.names if self._telling else frozenset()

    def apply(self, control: Control) -> None:
        """Takes a wish up.

        Raises:
          ControlError: this model has no way to fulfil it; nothing has changed then.
        """
        name, value = control.name, control.value
        if name == NOISE:
            self.noise = self._usual_noise if value is None else float(value)  # type: ignore[arg-type]
        elif name == GENRE:
            self.genre = self._genre(value)
        else:
            self._require(name)
            changed = {key: kept for key, kept in self._values.items() if key != name}
            if value is not None:
                changed[name] = value
            if self._row_feed is not None and self._telling is not None:
                try:
                    self._row_feed.row = self._telling.row(changed)
                except ValueError as error:
                    raise ControlError(str(error)) from error
            self._values = changed
            if name == DENSITY:
                self._urge, self._urged_at = 0.0, self._follower.now
            if name == KEY and self._is_in_c:
                self._follower.moved_by = _moved_by(value)

    def _genre(self, value: Value) -> int:
        if value is None:
            return 0
        if value in self._genres:
            return self._genres.index(str(value))
        known = ", ".join(self._genres)
        more = "" if len(self._genres) > 1 else "; a model of all genres can: train --genre all"
        raise ControlError(f"this model cannot play {value}; it knows {known}{more}")

    def _require(self, name: str) -> None:
        """Raises ControlError for what cannot be asked of this model."""
        if name in self._is_told:
            return
        classes = np.arange(8)
        can = {
            PITCH: not self._follower.is_drums,
            KEY: not self._follower.is_drums,
            DENSITY: bool(self._follower.struck(classes).any()),
        }
        if not can.get(name, False):
            raise ControlError(f"a model of {self._encoding.name} cannot be asked for a {name}")

    def heard(self, seconds: Iterable[float]) -> None:
        """Counts notes that begin then."""
        self._struck.extend(seconds)

    def bias(self, events: Longs, logits: Rows) -> Rows | None:
        """What is added to the logits of classes; None for nothing.

        Which notes are likely leaves it as it is how likely notes are; that is the density's.

        Args:
          events: the event that each class stands for, [classes].
          logits: of the classes, [classes], before any is forbidden.
        """
        asked = self._values.keys() - self._is_told
        if not asked:
            return None
        bias = np.zeros(len(events))
        pitches = self._follower.pitches(events)
        notes = np.flatnonzero(pitches >= 0)
        if asked & {PITCH, KEY} and len(notes):
            heard = pitches[notes] + self._follower.moved_by
            bias[notes] = _rebalanced(self._which(heard, asked), logits[notes])
        density = self._values[DENSITY] if DENSITY in asked else None
        if isinstance(density, float):
            push = self._follower.struck(events) * self._towards(density)
            bias += np.clip(push, -_MOST_BIAS, _MOST_BIAS)
        return bias.astype(np.float32)

    def _which(self, pitches: Longs, asked: Set[str]) -> npt.NDArray[np.float64]:
        """How much likelier each pitch is to become, as a logarithm."""
        bias = np.zeros(len(pitches))
        pitch, weights = (self._values[n] if n in asked else None for n in (PITCH, KEY))
        if isinstance(pitch, float):
            bias -= 0.5 * ((pitches - pitch) / _PITCH_SPREAD) ** 2
        if isinstance(weights, tuple):
            share = np.array(weights) / max(weights)
            bias += np.log(np.maximum(share, _OUTSIDE))[pitches % _NUM_KEYS]
        return bias

    def _towards(self, density: float) -> float:
        """How much likelier notes are to become, as a logarithm.

        What is missing in the last seconds counts at once, and adds up as long as it is missing.
        """
        now = self._follower.now
        while self._struck and self._struck[0] < now - _WINDOW_SECONDS:
            self._struck.popleft()
        present = len(self._struck) / min(max(now, 1.0), _WINDOW_SECONDS)
        missing = float(np.log((density + _FEW) / (present + _FEW)))
        self._urge += _URGE_PER_SECOND * missing * (now - self._urged_at)
        self._urge = min(max(self._urge, -_MOST_BIAS), _MOST_BIAS)
        self._urged_at = now
        return missing + self._urge


def _rebalanced(bias: npt.NDArray[np.float64], logits: Rows) -> npt.NDArray[np.float64]:
    """The bias, moved so that all classes together are as likely as they were."""
    before, after = np.logaddexp.reduce(logits), np.logaddexp.reduce(logits + bias)
    return np.asarray(bias + before - after)


def _telling_of(encoding: Encoding) -> _Telling | None:
    if isinstance(encoding, LeadSheetEncoding):
        return _Chords(encoding)
    if not getattr(encoding, "beside_size", 0):
        return None
    if encoding.name == "deep_symphony":
        return _DeepSymphony()
    return _Performance(encoding) if encoding.name in CONFIGURATIONS else None


def _moved_by(value: Value) -> int:
    """Semitones, -5 to 6, from C to the major key that fits weights best."""
    if not isinstance(value, tuple):
        return 0
    in_c = np.array(scale_of("C"))
    # By fifths from C, so that of equals the one with fewer signs is taken.
    fifths = sorted(range(-5, 7), key=abs)
    fits = {n: float(np.roll(in_c, n * _FIFTHS_UP) @ np.array(value)) for n in fifths}
    key = max(fifths, key=lambda n: fits[n]) * _FIFTHS_UP % _NUM_KEYS
    return key - _NUM_KEYS if key > _NUM_KEYS // 2 else key
