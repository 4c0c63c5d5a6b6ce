"""What note_seq's encoders make of a melody, in linear time: input vectors and labels.

Events are classes: 0 no event (nothing happens), 1 note off, 2 and above pitches.
Source: note_seq 0.0.5, which makes each vector anew from all events before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit
from corpus.encodings.melody_search import FIRST_PITCH, IN_KEY, NO_EVENT, NOTE_OFF
from corpus.encodings.one_class import one_hot

Events = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

LOOKBACKS = (16, 32)
STEPS_PER_BAR = 16  # of the key-aware vectors, whatever the meter
NUM_RECENT = 3  # notes of which they tell the key
KEY_COUNTER_BITS = 7
_NUM_KEYS = len(IN_KEY)
# Columns of the key-aware vectors behind the one-hot pitch, from its end.
_SOUNDS, _IS_SILENT, _IS_ATTACK, _DIRECTION, _REPEATS = range(5)
_COUNTER = _REPEATS + len(LOOKBACKS)
_IS_BAR = _COUNTER + KEY_COUNTER_BITS
_KEYS = _IS_BAR + 1
_RECENT_KEYS = _KEYS + _NUM_KEYS
_NUM_OTHERS = _RECENT_KEYS + _NUM_KEYS


def repeats(events: Events, lookback: int) -> npt.NDArray[np.bool_]:
    """Whether each event is the one of `lookback` steps ago, shape [num_steps]."""
    same = np.zeros(len(events), np.bool_)
    same[lookback:] = events[lookback:] == events[:-lookback]
    return same


def counter(num_steps: int, num_bits: int) -> Vectors:
    """The bits of the number of the next step as 1 and -1, shape [num_steps, num_bits]."""
    bits = ((np.arange(num_steps)[:, None] + 1) >> np.arange(num_bits)) & 1
    return (2.0 * bits - 1.0).astype(np.float32)


def lookback_inputs(
    events: Events, num_events: int, lookbacks: Sequence[int], num_bits: int
) -> Vectors:
    """Inputs of note_seq's LookbackEventSequenceEncoderDecoder.

    Returns:
      Shape [num_steps, (1 + len(lookbacks)) * num_events + num_bits + len(lookbacks)]: the event,
      for each lookback the event that the next one would repeat (class 0 before the start), the
      counter of the next step, for each lookback whether the event is a repeat.
    """
    parts = [one_hot(events, num_events)]
    for lookback in lookbacks:
        repeated = np.zeros(len(events), np.int64)
        repeated[lookback - 1 :] = events[: max(len(events) - lookback + 1, 0)]
        parts.append(one_hot(repeated, num_events))
    parts.append(counter(len(events), num_bits))
    parts += [repeats(events, lookback)[:, None].astype(np.float32) for lookback in lookbacks]
    return np.concatenate(parts, axis=1)


def lookback_labels(labels: Events, events: Events, lookbacks: Sequence[int], first: int) -> Events:
    """Labels where repeats have classes of their own, the longest lookback before the others.

    A step without event within the longest lookback of the start counts as a repeat of it.

    Args:
      labels: of events that are no repeats, shape [num_steps].
      events: shape [num_steps], class 0 is no event.
      lookbacks: in steps, rising.
      first: label of a repeat of the first lookback.
    """
    labels = labels.copy()
    for index, lookback in enumerate(lookbacks):
        labels[repeats(events, lookback)] = first + index
    if lookbacks:
        begin = slice(0, lookbacks[-1])
        labels[begin][events[begin] == NO_EVENT] = first + len(lookbacks) - 1
    return labels


def key_input_size(note_range: int) -> int:
    """Columns of `key_inputs`."""
    return note_range + _NUM_OTHERS


def key_inputs(events: Events, note_range: int, min_note: int) -> Vectors:
    """Inputs of note_seq's KeyMelodyEncoderDecoder.

    Args:
      events: shape [num_steps], classes up to 1 + note_range.
      note_range: number of pitches.
      min_note: MIDI pitch of the lowest.

    Returns:
      Shape [num_steps, note_range + 38]: the sounding pitch, a note sounds, silence, attack,
      direction (1, -1 or 0), same as 16 and as 32 steps ago, 7 bits of the next step as 1 and -1,
      next step starts a bar, the best major keys so far, the best of the last 3 distinct notes.
    """
    vectors = np.zeros((len(events), key_input_size(note_range)), np.float32)
    for index, lookback in enumerate(LOOKBACKS):
        vectors[:, note_range + _REPEATS + index] = repeats(events, lookback)
    bits = slice(note_range + _COUNTER, note_range + _IS_BAR)
    vectors[:, bits] = counter(len(events), KEY_COUNTER_BITS)
    vectors[STEPS_PER_BAR - 1 :: STEPS_PER_BAR, note_range + _IS_BAR] = 1.0
    _fill_keys(events, note_range, min_note, IN_KEY, vectors)
    return vectors


@njit()
def _fill_keys(
    events: Events, note_range: int, min_note: int, in_key: Events, vectors: Vectors
) -> None:
    """Fills in what depends on all events so far."""
    fits = np.zeros(_NUM_KEYS, np.int64)
    recent_fits = np.zeros(_NUM_KEYS, np.int64)
    recent = np.full(NUM_RECENT, -1, np.int64)  # the latest note comes last
    sounding, is_attack, direction = -1, False, 0.0
    for step in range(len(events)):
        event, row = events[step], vectors[step]
        if event >= FIRST_PITCH:
            note = event - FIRST_PITCH
            if recent[-1] >= 0 and note != recent[-1]:
                direction = 1.0 if note > recent[-1] else -1.0
            _remember(recent, note)
            _add(fits, in_key[(note + min_note) % _NUM_KEYS])
            sounding, is_attack = note, True
        elif event == NOTE_OFF and recent[-1] >= 0:  # An attack goes on, as in note_seq.
            sounding = -1
        else:  # A note off before the first note is none.
            is_attack = False
        if sounding >= 0 and sounding + min_note > 0:  # note_seq takes pitch 0 for silence.
            row[sounding] = row[note_range + _SOUNDS] = 1.0
        else:
            row[note_range + _IS_SILENT] = 1.0
        row[note_range + _IS_ATTACK] = is_attack
        row[note_range + _DIRECTION] = direction
        _mark_best(fits, row[note_range + _KEYS : note_range + _RECENT_KEYS])
        recent_fits[:] = 0
        for note in recent:
            if note >= 0:
                _add(recent_fits, in_key[(note + min_note) % _NUM_KEYS])
        _mark_best(recent_fits, row[note_range + _RECENT_KEYS :])


@njit()
def _remember(recent: Events, note: int) -> None:
    """Puts a note behind the others; its older self, or the oldest note, goes."""
    place = 0
    for index in range(len(recent)):
        if recent[index] == note:
            place = index
    for index in range(place, len(recent) - 1):
        recent[index] = recent[index + 1]
    recent[-1] = note


@njit()
def _add(fits: Events, more: Events) -> None:
    for key in range(len(fits)):
        fits[key] += more[key]


@njit()
def _mark_best(fits: Events, row: Vectors) -> None:
    best = fits.max()
    for key in range(len(fits)):
        row[key] = fits[key] == best
