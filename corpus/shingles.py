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

from corpus.analysis import MOVES_PER_TIME, count_buckets, mix
from corpus.compiled import bare, bare_inline
from corpus.notes import Flags, Floats, Ints, NoteArrays

Signature = npt.NDArray[np.uint32]
Shingles = npt.NDArray[np.uint64]
_Longs = npt.NDArray[np.int64]

SIGNATURE_SIZE = 128
MIN_SHINGLES = 16  # different ones: with fewer, a score says too little to be known again

_SEED = 1  # of the MinHash; another one makes other signatures
_WINDOW = (1 << 40) - 1  # five intervals of eight bits each
_NUM_INTERVALS = 5
_NUM_LINES = 256  # of instruments
# Onsets that are closer to the first of a group than this share of the usual distance between
# onsets belong to the group. Measured: 0.15 and 0.5 both find fewer jittered copies.
_TOGETHER = 0.3


def signature(arrays: NoteArrays) -> Signature | None:
    """(SIGNATURE_SIZE,) uint32, the same on every machine; None for too few shingles.

    It does not depend on the order of the notes. The hashing is rensa's, whose version is
    pinned; signatures of different versions must not be compared.
    """
    found = shingles(arrays)
    if not _are_enough(found, np.empty(MIN_SHINGLES, np.uint64)):
        return None
    digest = RMinHash.digest_matrix_from_flat_token_hashes(
        found, np.array([0, len(found)], np.uint64), SIGNATURE_SIZE, _SEED
    )
    return np.array(digest.to_rows()[0], np.uint32)


def shingles(arrays: NoteArrays) -> Shingles:
    """The shingles of a score, hashed, in any order and as often as they come."""
    num_notes = len(arrays.start)
    times, voices = np.empty((2, num_notes)), np.empty((2, num_notes), np.int64)
    count = _take_pitched(
        arrays.start, arrays.pitch, arrays.instrument, arrays.is_drum, times[0], voices[0]
    )
    times, voices = times[:, :count], voices[:, :count]
    if not _sort(*times, *voices, np.zeros(count, np.int32)):
        order = np.argsort(times[0])
        times[1], voices[1] = times[0, order], voices[0, order]
    steps = np.zeros(count, np.int64)
    num_steps = _count_steps(times[1], times[0], steps)
    lines, found = np.empty((3, count), np.int64), np.empty(3 * count, np.uint64)
    offsets = np.zeros((3, _NUM_LINES), np.int64)
    _draw_lines(steps, voices[1], lines, offsets)
    return found[: _find(lines, num_steps, offsets, found)]


@bare
def _are_enough(found: Shingles, different: Shingles) -> bool:
    """Whether there are as many different ones as `different` takes; MinHash minds no repeats."""
    count = 0
    for shingle in found:
        known = False
        for index in range(count):
            known |= different[index] == shingle
        if not known:
            different[count] = shingle
            count += 1
            if count == len(different):
                return True
    return False


@bare
def _take_pitched(
    start: Floats, pitch: Ints, instrument: Ints, is_drum: Flags, times: Floats, voices: _Longs
) -> int:
    """Fills in onset and voice of the notes that are no drums; returns how many there are.

    A voice is pitch and line in one number. Instruments 256 apart share a line, which happens in
    no score and harms none.
    """
    count = 0
    for note in range(len(start)):
        times[count] = start[note]
        voices[count] = np.int64(pitch[note]) << 8 | np.int64(instrument[note]) & 255
        count += not is_drum[note]
    return count


@bare
def _sort(
    times: Floats, in_order: Floats, voices: _Longs, voices_in_order: _Longs, buckets: Ints
) -> bool:
    """Sorts by time; False, with nothing sorted, where the buckets do not help."""
    low, scale = count_buckets(times, buckets)
    if scale < 0:
        return False
    for note in range(len(times)):
        bucket = np.uint64(np.int64((times[note] - low) * scale))
        begins = np.uint64(buckets[bucket])
        in_order[begins], voices_in_order[begins] = times[note], voices[note]
        buckets[bucket] += 1
    moves = 0
    for index in range(1, len(in_order)):
        time, voice, place = in_order[index], voices_in_order[index], index
        while place > 0 and in_order[place - 1] > time:
            in_order[place], voices_in_order[place] = (
                in_order[place - 1],
                voices_in_order[place - 1],
            )
            place -= 1
        in_order[place], voices_in_order[place] = time, voice
        moves += index - place
        if moves > MOVES_PER_TIME * len(times):
            return False
    return True


@bare
def _count_steps(start: Floats, distances: Floats, steps: _Longs) -> int:
    """Fills in the step that each of the sorted onsets belongs to; returns how many there are.

    The usual distance is the geometric mean of the distances, each weighted by its length: it
    grows with the times, and neither chords that were not struck together nor a long silence
    moves it much. `distances` takes those that are not 0.
    """
    count = 0
    for note in range(1, len(start)):
        distances[count] = start[note] - start[note - 1]
        count += distances[count] > 0
    total, weighted = 0.0, 0.0
    for distance in distances[:count]:
        total += distance
        weighted += distance * np.log(distance)
    together = _TOGETHER * np.exp(weighted / total) if total > 0 else 0.0
    step, first = 0, start[0] if len(start) else 0.0
    for note in range(len(start)):
        begins = start[note] - first > together
        step += begins
        first = start[note] if begins else first
        steps[note] = step
    return step + 1 if len(start) else 0


@bare
def _draw_lines(steps: _Longs, voices: _Longs, lines: _Longs, offsets: _Longs) -> None:
    """Fills in the pitch of each step of each line.

    Args:
      steps: the step of each note, in order.
      voices: of each note, as `_take_pitched` makes them.
      lines: (3, num_notes), takes the top, the bottom and, one behind the other, the tops of the
        instruments.
      offsets: (3, _NUM_LINES) zeros, takes where among those the line of each instrument begins
        and ends, and its last step.
    """
    top, bottom, tops = lines[0], lines[1], lines[2]
    begins, ends, last = offsets[0], offsets[1], offsets[2]
    for voice in voices:
        ends[np.uint64(voice & 255)] += 1
    offset = 0
    for line in range(_NUM_LINES):
        begins[line] = offset
        offset += ends[line]
        ends[line], last[line] = begins[line], -1
    before = -1
    for note in range(len(steps)):
        step, pitch = steps[note], voices[note] >> 8
        row, of = np.uint64(step), np.uint64(voices[note] & 255)
        top[row] = pitch if step != before else max(top[row], pitch)
        bottom[row] = pitch if step != before else min(bottom[row], pitch)
        ends[of] += last[of] != step
        at = np.uint64(ends[of] - 1)
        tops[at] = pitch if last[of] != step else max(tops[at], pitch)
        before = last[of] = step


@bare
def _find(lines: _Longs, num_steps: int, offsets: _Longs, found: Shingles) -> int:
    """Fills in the shingles of what `_draw_lines` drew; returns how many there are."""
    count: int = _add_shingles(lines[0, :num_steps], found, 0)
    count = _add_shingles(lines[1, :num_steps], found, count)
    for line in range(_NUM_LINES):
        if offsets[1, line] - offsets[0, line] > _NUM_INTERVALS:
            count = _add_shingles(lines[2, offsets[0, line] : offsets[1, line]], found, count)
    return count


@bare
def _add_shingles(line: _Longs, found: Shingles, count: int) -> int:
    """Adds the shingles of one line to `count` of them; returns how many there are then."""
    window = np.int64(0)
    for step in range(1, len(line)):
        window = (window << 8 | (line[step] - line[step - 1]) & 255) & _WINDOW
        if step >= _NUM_INTERVALS:
            found[count] = mix(np.uint64(window))  # Counted or written over by the next.
            count += _is_lively(window)
    return count


@bare_inline
def _is_lively(window: int) -> bool:
    """Whether there are three or more different intervals (modulo 64) among the five."""
    kinds = np.uint64(0)
    for place in range(0, 8 * _NUM_INTERVALS, 8):
        kinds |= np.uint64(1) << np.uint64((window >> place) & 63)
    kinds &= kinds - np.uint64(1)
    return bool(kinds & (kinds - np.uint64(1)))
