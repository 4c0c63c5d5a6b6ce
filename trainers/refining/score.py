"""A score as the refining nets see it: part by part, in order of time, in beats and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings.piece import Piece

Floats = npt.NDArray[np.floating[Any]]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_USUAL_QPM, _USUAL_BAR = 120.0, 4.0
_SLOWEST, _FASTEST = 5.0, 2000.0  # quarters per minute; what lies outside is no tempo but a trick
MAX_SECONDS = 600.0  # of a note; a longer one is a hanging note, and no context tells of it
MIN_SECONDS = 0.001
_VOLUME, _EXPRESSION = 7, 11  # numbers of controls
USUAL_VOLUME, USUAL_EXPRESSION = 100.0, 127.0  # where a file says nothing, as General MIDI has it
_AT_ONCE = 1e-3  # seconds; a control so little after a note's beginning is of it


@dataclass(frozen=True)
class BeatMap:
    """Seconds <-> quarter notes by the tempos of a score.

    Attributes:
      times: (num_tempos,) seconds, from 0 on; beats: the same in quarters.
      rates: (num_tempos,) quarters a second from there on.
    """

    times: Floats
    beats: Floats
    rates: Floats

    @classmethod
    def of(cls, notes: Piece) -> BeatMap:
        """The tempos of a score; 120 where it begins without one."""
        order = np.argsort(notes.tempo_times, kind="stable")
        times = np.maximum(np.concatenate([[0.0], notes.tempo_times[order]]), 0.0)
        qpms = np.concatenate([[_USUAL_QPM], notes.tempo_qpms[order]])
        rates = np.clip(qpms, _SLOWEST, _FASTEST) / 60.0
        last_of_time = np.concatenate([np.diff(times) > 0, [True]])
        times, rates = times[last_of_time], rates[last_of_time]
        beats = np.concatenate([[0.0], np.cumsum(np.diff(times) * rates[:-1])])
        return cls(times, beats, rates)

    def __call__(self, seconds: Floats) -> Floats:
        """(n,) quarters of (n,) seconds."""
        row = np.maximum(np.searchsorted(self.times, seconds, side="right") - 1, 0)
        return self.beats[row] + (seconds - self.times[row]) * self.rates[row]

    def seconds(self, beats: Floats) -> Floats:
        """(n,) seconds of (n,) quarters."""
        row = np.maximum(np.searchsorted(self.beats, beats, side="right") - 1, 0)
        return self.times[row] + (beats - self.beats[row]) / self.rates[row]


@dataclass(frozen=True)
class Score:
    """The notes of a score that have a length, sorted by part, beginning and pitch.

    Attributes:
      order: (n,) index of each into the notes that it was made of.
      start, end: (n,) seconds; beat: (n,) quarters of the beginnings.
      pitch, velocity, program: (n,) int64; is_drum: (n,) bool.
      part: (n,) int64, 0 and up: one instrument with one program, drums by themselves.
      in_bar: (n,) quarters since the bar line; bar: (n,) quarters of the bar.
      qpm: (n,) quarters per minute where each begins.
      volume, expression: (n,) 0 to 127, as the controls of that name stand where each begins.
      to_beats: the tempos.
    """

    order: Longs
    start: Floats
    end: Floats
    beat: Floats
    pitch: Longs
    velocity: Longs
    program: Longs
    is_drum: Flags
    part: Longs
    in_bar: Floats
    bar: Floats
    qpm: Floats
    volume: Floats
    expression: Floats
    to_beats: BeatMap

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of(cls, notes: Piece) -> Score:
        """A score; notes of no length, of a wrong one or before the beginning are left out."""
        lasts = notes.end - notes.start
        sound = (lasts >= MIN_SECONDS) & (lasts <= MAX_SECONDS) & (notes.start >= 0)
        keys = notes.instrument.astype(np.int64) << 8 | np.clip(notes.program, 0, 127) << 1
        keys = keys | notes.is_drum
        kept = np.flatnonzero(sound)
        order = kept[np.lexsort((notes.pitch[kept], notes.start[kept], keys[kept]))]
        start = notes.start[order]
        to_beats = BeatMap.of(notes)
        beat = to_beats(start)
        in_bar, bar = _bars(notes, to_beats, beat)
        row = np.maximum(np.searchsorted(to_beats.times, start, side="right") - 1, 0)
        return cls(
            order=order.astype(np.int64),
            start=start,
            end=notes.end[order],
            beat=beat,
            pitch=np.clip(notes.pitch[order], 0, 127).astype(np.int64),
            velocity=np.clip(notes.velocity[order], 1, 127).astype(np.int64),
            program=np.clip(notes.program[order], 0, 127).astype(np.int64),
            is_drum=notes.is_drum[order],
            part=np.unique(keys[order], return_inverse=True)[1].astype(np.int64).reshape(-1),
            in_bar=in_bar,
            bar=bar,
            qpm=to_beats.rates[row] * 60.0,
            volume=_control(notes, order, _VOLUME, USUAL_VOLUME),
            expression=_control(notes, order, _EXPRESSION, USUAL_EXPRESSION),
            to_beats=to_beats,
        )

    @property
    def seconds(self) -> Floats:
        """(n,) how long each note lasts."""
        return self.end - self.start

    def beats(self, seconds: Floats) -> Floats:
        """(n,) quarters that the notes last, if they last so many seconds."""
        return np.maximum(self.to_beats(self.start + seconds) - self.beat, 1e-4)


def mean_of(group: Longs, values: Floats) -> Floats:
    """(n,) mean of each note's group."""
    count = np.bincount(group)
    means: Floats = np.bincount(group, weights=values) / np.maximum(count, 1)
    return means[group]


def _control(notes: Piece, order: Longs, number: int, usual: float) -> Floats:
    """(n,) value of a control of each note's instrument where it begins; `usual` before any."""
    which = np.flatnonzero(notes.control_numbers == number)
    if not len(which):
        return np.full(len(order), usual)
    times = np.maximum(notes.control_times[which], 0.0)
    instruments = notes.control_instruments[which].astype(np.int64)
    # Instruments side by side on one line of time.
    start, mine = notes.start[order] + _AT_ONCE, notes.instrument[order].astype(np.int64)
    span = max(float(times.max()), float(start.max(initial=0.0))) + 1.0
    by_time = np.lexsort((times, instruments))
    line = instruments[by_time] * span + times[by_time]
    at = np.searchsorted(line, mine * span + start, side="right") - 1
    last = which[by_time[np.maximum(at, 0)]]
    is_set = (at >= 0) & (notes.control_instruments[last] == mine)
    return np.where(is_set, np.clip(notes.control_values[last], 0, 127), usual)


def _bars(notes: Piece, to_beats: BeatMap, beat: Floats) -> tuple[Floats, Floats]:
    """(quarters since the bar line, quarters of the bar) of each note."""
    order = np.argsort(notes.meter_times, kind="stable")
    begins = np.concatenate([[0.0], to_beats(np.maximum(notes.meter_times[order], 0.0))])
    over = np.maximum(notes.denominators[order], 1)
    lengths = np.concatenate([[_USUAL_BAR], 4.0 * notes.numerators[order] / over])
    lengths = np.where((lengths >= 0.25) & (lengths <= 32), lengths, _USUAL_BAR)
    row = np.maximum(np.searchsorted(begins, beat + 1e-6, side="right") - 1, 0)
    since = beat - begins[row]
    bar = lengths[row]
    # A note a hair before the bar line is one on it.
    return np.where(bar - since % bar < 1e-3, 0.0, since % bar), bar
