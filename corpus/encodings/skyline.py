"""The melody of an instrument that plays several notes at a time: its skyline.

Of notes that begin together the highest is taken. One that begins while a higher one of the line
sounds, and ends no later, is accompaniment, so the tones of a held chord go and a legato that
descends stays. What lies far below its neighbors in the line is accompaniment that is heard
through a rest of the melody.

Measured on 371 lead sheets (OpenEWLD) whose chords were written into the melody's instrument in
14 ways: held, repeated and broken chords, with basses, below the melody and across it. 94 % of the
melody's notes come back, and 84 % of what comes is melody; of the highest note at every onset it is
97 % and 56 %. On the Nottingham tunes, which chose nothing here, it is 98 % and 95 %, not 99 % and
78 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit

_Steps = npt.NDArray[np.int64]
_Arrays = npt.NDArray[Any]
_Flags = npt.NDArray[np.bool_]

# Below the mean of the line around it by more than this many semitones a note is accompaniment.
_FAR_BELOW = 9
# The mean is over as many notes before and as many behind.
_NEIGHBORS = 16
# A longer note counts as one of this many steps in it.
_LONGEST = 16


@njit()
def leave_accompaniment_out(
    order: _Steps,
    stops: _Steps,
    start: _Steps,
    end: _Steps,
    pitch: _Arrays,
    sounds: _Flags,
) -> _Flags:
    """Silences what is no skyline, in instruments that strike several notes on one step.

    It takes time linear in the notes.

    Args:
      order: (num_notes,) notes by instrument, in the order of their starts.
      stops: (num_instruments,) where each ends in `order`.
      start, end: (num_notes,) steps.
      pitch: (num_notes,).
      sounds: (num_notes,) bool, whether a note counts; cleared for the accompaniment.

    Returns:
      (num_instruments,) bool: which ones are polyphonic.
    """
    polyphonic = np.zeros(len(stops), np.bool_)
    first = 0
    for group in range(len(stops)):
        notes = order[first : stops[group]]
        first = stops[group]
        if _is_polyphonic(notes, start, sounds):
            polyphonic[group] = True
            line = _highest(notes, start, end, pitch, sounds)
            _silence_what_is_low(line, start, end, pitch, sounds)
    return polyphonic


@njit()
def _is_polyphonic(notes: _Steps, start: _Steps, sounds: _Flags) -> bool:
    before = -1
    for note in notes:
        if sounds[note]:
            if before >= 0 and start[note] == start[before]:
                return True
            before = note
    return False


@njit()
def _highest(notes: _Steps, start: _Steps, end: _Steps, pitch: _Arrays, sounds: _Flags) -> _Steps:
    """The line, in order; all other notes are silenced."""
    line, count = np.empty(len(notes), np.int64), 0
    at = 0
    while at < len(notes):
        step, best = start[notes[at]], -1
        while at < len(notes) and start[notes[at]] == step:
            note = notes[at]
            at += 1
            if not sounds[note]:
                continue
            sounds[note] = False
            is_higher = best < 0 or pitch[note] > pitch[best]
            if is_higher or (pitch[note] == pitch[best] and end[note] > end[best]):
                best = note
        if best < 0:
            continue
        if count:
            above = line[count - 1]
            if pitch[above] > pitch[best] and end[above] > step and end[best] <= end[above]:
                continue
        sounds[best] = True
        line[count] = best
        count += 1
    return line[:count]


@njit()
def _silence_what_is_low(
    line: _Steps, start: _Steps, end: _Steps, pitch: _Arrays, sounds: _Flags
) -> None:
    """Silences notes far below the mean pitch of their neighbors, by how long those last."""
    lasting, weighted, known = 0, 0, 0
    for place in range(len(line)):
        while known < min(place + _NEIGHBORS + 1, len(line)):
            weight = min(end[line[known]] - start[line[known]], _LONGEST)
            lasting += weight
            weighted += weight * pitch[line[known]]
            known += 1
        gone = place - _NEIGHBORS - 1
        if gone >= 0:
            weight = min(end[line[gone]] - start[line[gone]], _LONGEST)
            lasting -= weight
            weighted -= weight * pitch[line[gone]]
        if (pitch[line[place]] + _FAR_BELOW) * lasting < weighted:
            sounds[line[place]] = False
