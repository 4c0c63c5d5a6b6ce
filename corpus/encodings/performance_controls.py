"""What a performance model can be told beside the events: how dense the music is, which pitches.

Source: note_seq 0.0.5's `performance_controls`. Each is looked up in a window of time that begins
at an event; events of one moment share what the first of them saw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare
from corpus.encodings.performance_events import MAX_SHIFT, NOTE_OFF, NUM_PITCHES, SHIFT, Longs
from corpus.notes import Flags, Floats

NUM_PITCH_CLASSES = 12
DEFAULT_NOTES_PER_SECOND = 15.0  # Magenta's, where a person says nothing


def density_bins(notes_per_second: npt.ArrayLike, bounds: Sequence[float]) -> Longs:
    """The bin of each density: how many of the sorted `bounds` it reaches."""
    return np.searchsorted(np.array(bounds), np.asarray(notes_per_second), "right")


def weigh_histogram(counts: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Weights that sum up to 1, of one pitch class histogram, [12], or of several, [steps, 12].

    Where all is 0, every pitch class has the same weight.
    """
    values = np.asarray(counts, np.float64)
    totals = np.zeros(values.shape[:-1])
    for pitch_class in range(NUM_PITCH_CLASSES):  # one after the other, as the reference rounds
        totals = totals + values[..., pitch_class]
    totals, is_silent = totals[..., None], (totals <= 0)[..., None]
    weights = np.where(is_silent, 1.0, values) / np.where(is_silent, NUM_PITCH_CLASSES, totals)
    return np.asarray(weights, np.float32)


def notes_per_second(events: Longs, steps_per_second: int, window_seconds: float) -> Floats:
    """The density of notes that begin in the window at each event, shape [num_events].

    The part of a window that lies behind the last event does not count.
    """
    densities = np.empty(len(events))
    window = round(window_seconds * steps_per_second)
    _find_densities(events, window, float(steps_per_second), densities)
    return densities


def pitch_class_seconds(
    events: Longs, steps_per_second: int, window_seconds: float, prior: float
) -> Floats:
    """How long each pitch class sounds in the window at each event, and `prior`, [num_events, 12].

    A shift that begins in the window counts as a whole.
    """
    histograms = np.empty((len(events), NUM_PITCH_CLASSES))
    window = round(window_seconds * steps_per_second)
    sounding = np.zeros((2, NUM_PITCHES), np.bool_), np.zeros((2, NUM_PITCH_CLASSES), np.int64)
    _find_histograms(events, window, float(steps_per_second), prior, sounding, histograms)
    return histograms


@bare
def _find_densities(events: Longs, window: int, steps_per_second: float, densities: Floats) -> None:
    for first in range(len(events)):
        if first and not SHIFT <= events[first - 1] < SHIFT + MAX_SHIFT:
            densities[first] = densities[first - 1]
            continue
        steps, notes, at = 0, 0, first
        while steps < window and at < len(events):
            event = events[at]
            if event < NOTE_OFF:
                notes += 1
            elif SHIFT <= event < SHIFT + MAX_SHIFT:
                steps += event - SHIFT + 1
            at += 1
        steps = min(steps, window)
        densities[first] = notes * steps_per_second / steps if steps else 0.0


@bare
def _find_histograms(
    events: Longs,
    window: int,
    steps_per_second: float,
    prior: float,
    sounding: tuple[Flags, Longs],
    histograms: Floats,
) -> None:
    """`sounding` are (pitches, how many of each class): now, and later in the window."""
    pitches, counts = sounding
    for first in range(len(events)):
        _sound(events[first], pitches[0], counts[0])
        if first and not SHIFT <= events[first - 1] < SHIFT + MAX_SHIFT:
            for pitch_class in range(NUM_PITCH_CLASSES):
                histograms[first, pitch_class] = histograms[first - 1, pitch_class]
            continue
        for pitch in range(NUM_PITCHES):
            pitches[1, pitch] = pitches[0, pitch]
        for pitch_class in range(NUM_PITCH_CLASSES):
            counts[1, pitch_class] = counts[0, pitch_class]
            histograms[first, pitch_class] = prior
        steps, at = 0, first
        while steps < window and at < len(events):
            _sound(events[at], pitches[1], counts[1])
            if SHIFT <= events[at] < SHIFT + MAX_SHIFT:
                shift = events[at] - SHIFT + 1
                for pitch_class in range(NUM_PITCH_CLASSES):
                    for _ in range(counts[1, pitch_class]):  # added up as the reference rounds
                        histograms[first, pitch_class] += shift / steps_per_second
                steps += shift
            at += 1


@bare
def _sound(event: int, pitches: Flags, counts: Longs) -> None:
    """Follows one event, if it is a note."""
    if event < NOTE_OFF and not pitches[event]:
        pitches[event] = True
        counts[event % NUM_PITCH_CLASSES] += 1
    elif NOTE_OFF <= event < SHIFT and pitches[event - NOTE_OFF]:
        pitches[event - NOTE_OFF] = False
        counts[(event - NOTE_OFF) % NUM_PITCH_CLASSES] -= 1
