"""Score -> MinHash signature, for finding near duplicates.

A shingle is a run of five intervals of a line: of the top of the whole texture, of its bottom, or
of the top of one instrument. Intervals make it blind to the key, and only the order of onsets
counts, so it is blind to tempo, rhythm, velocity, program and track as well. Notes that begin
almost together are one step of a line, which makes chords that were played comparable. A line that
moves by fewer than three different intervals (a trill, a scale, a drone) is common to strangers
and gives no shingle. Drums do not count, so a score of drums only has no signature.

Two scores are as alike as the Jaccard index of their sets of shingles, which two signatures
estimate by the share of places where they agree (standard error at most 0.044).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from corpus.compiled import njit
from corpus.notes import Floats, Ints, NoteArrays

Signature = npt.NDArray[np.uint32]
Shingles = npt.NDArray[np.uint64]
_Positions = npt.NDArray[np.int64]

SIGNATURE_SIZE = 128
MIN_SHINGLES = 16  # different ones: with fewer, a score says too little to be known again

_SEED = 1  # of the MinHash; another one makes other signatures
_WINDOW = (1 << 40) - 1  # five intervals of eight bits each
_NUM_INTERVALS = 5
# Onsets that are closer to the first of a group than this share of the usual distance between
# onsets belong to the group. Measured: 0.15 and 0.5 both find fewer jittered copies.
_TOGETHER = 0.3


def signature(arrays: NoteArrays) -> Signature | None:
    """(SIGNATURE_SIZE,) uint32, the same on every machine; None for too few shingles.

    It does not depend on the order of the notes. The hashing is rensa's, whose version is
    pinned; signatures of different versions must not be compared.
    """
    found = shingles(arrays)
    if not _are_enough(found):
        return None
    digest = RMinHash.digest_matrix_from_flat_token_hashes(
        found, np.array([0, len(found)], np.uint64), SIGNATURE_SIZE, _SEED
    )
    return np.array(digest.to_rows()[0], np.uint32)


def shingles(arrays: NoteArrays) -> Shingles:
    """The shingles of a score, hashed, in any order and as often as they come."""
    pitched = np.flatnonzero(~arrays.is_drum)
    order = pitched[np.argsort(arrays.start[pitched], kind="stable")]
    # Instruments 256 apart share a line, which happens in no score and harms none; sorting
    # single bytes takes no time.
    instrument = arrays.instrument[order].astype(np.uint8)
    by_instrument = np.argsort(instrument, kind="stable")
    steps = _steps(arrays.start[order])
    found: Shingles = _shingles(steps, arrays.pitch[order], instrument, by_instrument)
    return found


@njit()
def _are_enough(found: Shingles) -> bool:
    """Whether MIN_SHINGLES of them differ; a MinHash does not mind the repeats."""
    different = np.empty(MIN_SHINGLES, np.uint64)
    count = 0
    for shingle in found:
        if shingle not in different[:count]:
            different[count] = shingle
            count += 1
            if count == MIN_SHINGLES:
                return True
    return False


@njit()
def _steps(start: Floats) -> _Positions:
    """The number of the step that each of the sorted onsets belongs to.

    The usual distance is the geometric mean of the distances, each weighted by its length: it
    grows with the times, and neither chords that were not struck together nor a long silence
    moves it much.
    """
    total, weighted = 0.0, 0.0
    for note in range(1, len(start)):
        distance = start[note] - start[note - 1]
        if distance > 0:
            total += distance
            weighted += distance * np.log(distance)
    together = _TOGETHER * np.exp(weighted / total) if total > 0 else 0.0
    steps = np.zeros(len(start), np.int64)
    first = 0
    for note in range(1, len(start)):
        steps[note] = steps[note - 1]
        if start[note] - start[first] > together:
            steps[note] += 1
            first = note
    return steps


@njit()
def _shingles(
    steps: _Positions, pitch: Ints, instrument: npt.NDArray[np.uint8], by_instrument: _Positions
) -> Shingles:
    """The shingles of all lines."""
    num_notes = len(steps)
    found = np.empty(3 * num_notes, np.uint64)
    line = np.empty(num_notes, np.int64)
    count, length = 0, 0
    for sign in (1, -1):  # the bottom is the top upside down
        length = 0
        for note in range(num_notes):
            starts_step = note == 0 or steps[note] != steps[note - 1]
            length = _add_to_line(line, length, sign * pitch[note], starts_step)
        count = _add_shingles(line[:length], sign, found, count)
    length = 0
    for index in range(num_notes):
        note, before = by_instrument[index], by_instrument[index - 1]
        if index and instrument[note] != instrument[before]:
            count = _add_shingles(line[:length], 1, found, count)
            length = 0
        length = _add_to_line(
            line, length, pitch[note], length == 0 or steps[note] != steps[before]
        )
    return found[: _add_shingles(line[:length], 1, found, count)]


@njit()
def _add_to_line(line: _Positions, length: int, pitch: int, starts_step: bool) -> int:
    """Adds a note to a line that takes the highest of each step; returns its length."""
    if starts_step:
        line[length] = pitch
        return length + 1
    line[length - 1] = max(line[length - 1], pitch)
    return length


@njit()
def _add_shingles(line: _Positions, sign: int, found: Shingles, count: int) -> int:
    """Adds the shingles of one line; returns how many have been found."""
    window = np.int64(0)
    for step in range(1, len(line)):
        window = (window << 8 | (sign * (line[step] - line[step - 1])) & 255) & _WINDOW
        if step >= _NUM_INTERVALS and _is_lively(window):
            found[count] = _mix(np.uint64(window))
            count += 1
    return count


@njit()
def _is_lively(window: int) -> bool:
    """Whether there are three or more different intervals (modulo 64) among the five."""
    kinds = np.uint64(0)
    for place in range(0, 8 * _NUM_INTERVALS, 8):
        kinds |= np.uint64(1) << np.uint64((window >> place) & 63)
    kinds &= kinds - np.uint64(1)
    return bool(kinds & (kinds - np.uint64(1)))


@njit()
def _mix(value: np.uint64) -> np.uint64:
    """The finalizer of MurmurHash3 with D. Stafford's constants (variant 13).

    It stands in `corpus.analysis` too: numba's cache would not notice a change over there.
    """
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
