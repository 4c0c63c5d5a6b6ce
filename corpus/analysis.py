"""What a score is like: the numbers that a researcher filters a corpus by.

`describe` computes them from the arrays of `corpus.notes`, `content_hash` says whether two scores
have the same notes. Pitched notes are those that are no drums. Sources of facts: the key profiles
are D. Temperley's, counted in the Kostka and Payne textbook (Music and Probability, MIT Press
2007, chapter 6): the share of segments in which a scale degree sounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare, bare_inline
from corpus.notes import Flags, Floats, Ints, NoteArrays

DEFAULT_QPM = 120.0  # of a MIDI file that states no tempo
GRID_TOLERANCE = 1 / 128  # quarter notes: half a tick where a quarter has 64
GRIDS = (4, 12)  # positions a quarter: sixteenths; sixteenths and triplets of them

_NUM_PROGRAMS = 128
_NUM_PITCH_CLASSES = 12
_MAX_SECONDS = 1e9  # a time beyond (30 years) is noise; sums of such times stay finite

# Of sorting by buckets, as many as there are times: a piece leaves under 2 moves a time, and
# where there are many, numpy's sort is the quicker one.
MOVES_PER_TIME = 16

_MAJOR_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one score. Without notes, counts and shares are 0 and names empty.

    Attributes:
      num_notes: all notes, drums included.
      seconds: as the score states its length.
      qpm: the first tempo, quarter notes per minute; 120 where none is stated.
      median_qpm: the tempo that half of the time up to the last onset is no faster than: what a
        piece is played at, where a bar of setup or a ritardando has a tempo of its own.
      num_tempos, num_time_signatures: how many the score states.
      time_signature: the first, for instance `4/4`; empty where none is stated.
      key: for instance `A minor`, estimated from the notes; empty where no pitched note sounds
        or all keys fit alike.
      key_confidence: correlation of the notes with that key, -1..1.
      programs: sorted General MIDI programs of the pitched notes.
      num_instruments: instruments that play, drums included.
      has_drums, has_chords: whether there is a drum note; a chord symbol.
      polyphony: mean number of pitched notes that sound while any does.
      max_polyphony: most pitched notes that sound at once.
      pitch_min, pitch_max: of the pitched notes, MIDI numbers.
      on_grid_4, on_grid_12: share of the onsets, drums included, within GRID_TOLERANCE of a
        quarter note of a position of 4 and of 12 a quarter, by the score's tempos. Random
        onsets give 0.06 and 0.19; what was quantized gives 1, what was played is near random.
    """

    num_notes: int
    seconds: float
    qpm: float
    median_qpm: float
    num_tempos: int
    num_time_signatures: int
    time_signature: str
    key: str
    key_confidence: float
    programs: list[int]
    num_instruments: int
    has_drums: bool
    has_chords: bool
    polyphony: float
    max_polyphony: int
    pitch_min: int
    pitch_max: int
    on_grid_4: float
    on_grid_12: float


def describe(arrays: NoteArrays) -> Facts:
    """The facts of one score, in time linear in its notes save where most begin at once."""
    spans, runs = np.empty((2, len(arrays.start))), np.empty_like(arrays.instrument)
    weights, programs = np.zeros(_NUM_PITCH_CLASSES), np.zeros(_NUM_PROGRAMS, np.bool_)
    low, high, lasting, num_runs, num_drums = _scan(
        arrays.start, arrays.end, arrays.pitch, arrays.program, arrays.instrument, arrays.is_drum,
        spans, weights, programs, runs,
    )  # fmt: skip
    times, qpms = _tempo_map(arrays)
    on_grid = _on_grid(arrays.start, times, qpms, np.zeros(len(times)), np.empty_like(arrays.start))
    polyphony, most = _polyphony(_sorted(spans[0, :lasting]), _sorted(spans[1, :lasting]))
    key, confidence = estimate_key(weights)
    return Facts(
        num_notes=len(arrays.start),
        seconds=arrays.total_time,
        qpm=float(qpms[0]),
        median_qpm=_median_qpm(times, qpms, arrays.start),
        num_tempos=len(arrays.tempo_qpms),
        num_time_signatures=len(arrays.numerators),
        time_signature=_first_meter(arrays),
        key=key,
        key_confidence=confidence,
        programs=np.flatnonzero(programs).tolist(),
        num_instruments=len(set(runs[:num_runs].tolist())),
        has_drums=num_drums > 0,
        has_chords=arrays.num_chords > 0,
        polyphony=polyphony,
        max_polyphony=most,
        pitch_min=low,
        pitch_max=high,
        on_grid_4=on_grid[0],
        on_grid_12=on_grid[1],
    )


def _first_meter(arrays: NoteArrays) -> str:
    if not len(arrays.meter_times):
        return ""
    first = arrays.meter_times.argmin()
    return f"{arrays.numerators[first]}/{arrays.denominators[first]}"


def _tempo_map(arrays: NoteArrays) -> tuple[Floats, Floats]:
    """(times, tempos) in the order of time; a tempo of 0 or less is none."""
    if len(arrays.tempo_qpms) == 1 and arrays.tempo_qpms[0] > 0:  # Most scores, without sorting.
        return arrays.tempo_times, arrays.tempo_qpms
    stated = arrays.tempo_qpms > 0
    times, qpms = arrays.tempo_times[stated], arrays.tempo_qpms[stated]
    if not len(times):
        return np.zeros(1), np.full(1, DEFAULT_QPM)
    order = np.argsort(times, kind="stable")
    return times[order], qpms[order]


def _median_qpm(times: Floats, qpms: Floats, start: Floats) -> float:
    """The median of the tempos, each weighed by how long it holds until the last onset."""
    if len(qpms) == 1:
        return float(qpms[0])
    last = float(start.max(initial=0.0))
    edges = np.clip(np.append(times, last), -_MAX_SECONDS, min(last, _MAX_SECONDS))
    held = np.maximum(np.diff(edges), 0.0)
    order = np.argsort(qpms, kind="stable")
    passed = np.cumsum(held[order])
    return float(qpms[order][np.searchsorted(passed, passed[-1] / 2)])


def estimate_key(weights: npt.ArrayLike) -> tuple[str, float]:
    """(key, correlation with it) of how long each pitch class sounds, C first.

    Args:
      weights: (12,) durations in any unit.

    Returns:
      The key whose profile correlates best, the first of equals, major keys first; ("", 0.0)
      where all pitch classes sound equally long.
    """
    durations = np.asarray(weights, np.float64)
    total = float(durations.sum())
    centered = durations - total / _NUM_PITCH_CLASSES
    norm = math.sqrt(centered @ centered)
    if norm <= 1e-9 * total:
        return "", 0.0
    correlations = _KEY_PROFILES @ (centered / norm)
    best = int(correlations.argmax())
    return _KEY_NAMES[best], float(correlations[best])


def _key_profiles() -> Floats:
    """(24, 12): centered profiles of length 1, so that a product with one is a correlation."""
    rotated = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    centered = np.array(rotated) - np.mean(rotated, axis=1, keepdims=True)
    profiles: Floats = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    return profiles


_KEY_PROFILES = _key_profiles()
_KEY_NAMES = [f"{k} major" for k in _MAJOR_KEYS] + [f"{k} minor" for k in _MINOR_KEYS]


@bare
def _scan(
    start: Floats,
    end: Floats,
    pitch: Ints,
    program: Ints,
    instrument: Ints,
    is_drum: Flags,
    spans: Floats,
    weights: Floats,
    programs: Flags,
    runs: Ints,
) -> tuple[int, int, int, int, int]:
    """Fills in what is found in one pass.

    Args:
      spans: takes starts and ends of the pitched notes that last.
      weights: takes the seconds by pitch class.
      programs: takes which there are; one that General MIDI does not have is not listed.
      runs: takes the instrument of each run of notes of one instrument.

    Returns:
      (lowest pitch, highest, how many notes last, how many runs there are, how many drum notes).
    """
    lowest, highest, lasting, num_runs, num_drums = 2**31 - 1, -(2**31), 0, 0, 0
    for note in range(len(start)):
        if note == 0 or instrument[note] != instrument[note - 1]:
            runs[num_runs] = instrument[note]
            num_runs += 1
        if is_drum[note]:
            num_drums += 1
            continue
        lowest, highest = min(lowest, pitch[note]), max(highest, pitch[note])
        if 0 <= program[note] < _NUM_PROGRAMS:
            programs[np.uint64(program[note])] = True
        begins = min(max(start[note], 0.0), _MAX_SECONDS)
        ends = min(end[note], _MAX_SECONDS)
        if ends > begins:
            # For signed indexes numba looks whether they are negative.
            weights[np.uint64(pitch[note] % _NUM_PITCH_CLASSES)] += ends - begins
            spans[0, np.uint64(lasting)], spans[1, np.uint64(lasting)] = begins, ends
            lasting += 1
    if lowest > highest:
        lowest = highest = 0
    return lowest, highest, lasting, num_runs, num_drums


def _sorted(times: Floats) -> Floats:
    """The times in order."""
    in_order = np.empty_like(times)
    if not _sort(times, in_order, np.zeros(len(times), np.int32)):
        in_order = np.sort(times)
    return in_order


@bare
def _sort(times: Floats, in_order: Floats, buckets: Ints) -> bool:
    """Sorts into `in_order`; False, with nothing sorted, where the buckets do not help."""
    low, scale = count_buckets(times, buckets)
    if scale < 0:
        return False
    for time in times:
        bucket = np.uint64(np.int64((time - low) * scale))
        in_order[np.uint64(buckets[bucket])] = time
        buckets[bucket] += 1
    moves = 0
    for index in range(1, len(in_order)):
        time, place = in_order[index], index
        while place > 0 and in_order[place - 1] > time:
            in_order[place] = in_order[place - 1]
            place -= 1
        in_order[place] = time
        moves += index - place
        if moves > MOVES_PER_TIME * len(times):
            return False
    return True


@bare_inline
def count_buckets(times: Floats, buckets: Ints) -> tuple[float, float]:
    """Where to put times so that few are left out of order.

    Bucket `int((time - low) * scale)` takes what lies in one part of the time between the first
    and the last; parts are equal, as onsets are spread over a piece. Afterwards `buckets` says
    where in the order each begins.

    Args:
      times: any, finite.
      buckets: zeros, as many as times.

    Returns:
      (low, scale); scale is -1 where buckets do not help: all times are equal, or too far apart.
    """
    low, high = np.inf, -np.inf
    for time in times:
        low, high = min(low, time), max(high, time)
    if not low < high:
        return low, -1.0
    scale = (len(buckets) - 1) / (high - low)
    if not 0 < scale < np.inf:
        return low, -1.0
    for time in times:
        buckets[np.uint64(np.int64((time - low) * scale))] += 1
    place = 0
    for bucket in range(len(buckets)):
        count = buckets[bucket]
        buckets[bucket] = place
        place += count
    return low, scale


@bare
def _polyphony(starts: Floats, ends: Floats) -> tuple[float, int]:
    """(mean while something sounds, most) notes at once, of sorted starts and sorted ends.

    When a note ends as number n, more than m sound if the start number n + m lies before.
    """
    most, num_notes = 0, len(starts)
    total, busy, since = 0.0, 0.0, 0.0
    for ended in range(num_notes):
        if ended == 0 or starts[ended] >= ends[ended - 1]:
            since = starts[ended]
        while ended + most < num_notes and starts[ended + most] < ends[ended]:
            most += 1
        total += ends[ended] - starts[ended]
        if ended + 1 == num_notes or starts[ended + 1] >= ends[ended]:
            busy += ends[ended] - since
    return (total / busy if busy > 0 else 0.0), most


@bare
def _on_grid(
    start: Floats, times: Floats, qpms: Floats, quarters: Floats, positions: Floats
) -> tuple[float, float]:
    """Share of the onsets that lie on each of the GRIDS.

    Args:
      start: the onsets, seconds.
      times, qpms: the tempos in the order of time.
      quarters: zeros, one a tempo; takes the quarter note that each begins at.
      positions: takes the quarter note of each onset.
    """
    for index in range(1, len(times)):
        held = times[index] - times[index - 1]
        quarters[index] = quarters[index - 1] + held * qpms[index - 1] / 60
    current, until = 0, -np.inf
    since = origin = times[0]
    qpm, quarter = qpms[0], quarters[0]
    for note in range(len(start)):
        if not since <= start[note] < until:
            current = max(np.searchsorted(times, start[note], side="right") - 1, 0)
            origin, qpm, quarter = times[current], qpms[current], quarters[current]
            since = origin if current else -np.inf
            until = times[current + 1] if current + 1 < len(times) else np.inf
        positions[note] = quarter + (start[note] - origin) * qpm / 60
    on_coarse, on_fine = 0, 0
    for position in positions:  # A loop of its own, as the processor then takes four at a time.
        on_coarse += _is_on(position, GRIDS[0])
        on_fine += _is_on(position, GRIDS[1])
    count = max(len(start), 1)
    return on_coarse / count, on_fine / count


@bare_inline
def _is_on(position: float, per_quarter: int) -> bool:
    scaled = position * per_quarter
    return bool(abs(scaled - np.floor(scaled + 0.5)) <= GRID_TOLERANCE * per_quarter)


def content_hash(arrays: NoteArrays) -> str:
    """128 bits as hex, the same for scores with the same notes in any order.

    A note is its start and end to the millisecond, its pitch, its program and whether it is a
    drum; velocities, instruments, tempos and names do not count.
    """
    low, high = _hash_notes(arrays.start, arrays.end, arrays.pitch, arrays.program, arrays.is_drum)
    return f"{high:016x}{low:016x}"


@bare
def mix(value: np.uint64) -> np.uint64:
    """The finalizer of MurmurHash3 with D. Stafford's constants (variant 13)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@bare
def _milliseconds(seconds: float) -> np.uint64:
    """Rounded; what is too large for 64 bits counts as the limit."""
    return np.uint64(np.int64(np.floor(min(max(seconds * 1000, -9e15), 9e15) + 0.5)))


@bare
def _hash_notes(
    start: Floats, end: Floats, pitch: Ints, program: Ints, is_drum: Flags
) -> tuple[np.uint64, np.uint64]:
    """Two sums of mixed notes: what is added up does not depend on the order."""
    low = high = mix(np.uint64(len(start)))
    for note in range(len(start)):
        kind = np.uint64(np.int64(program[note])) << np.uint64(33)
        kind ^= np.uint64(np.int64(pitch[note])) << np.uint64(1) | np.uint64(is_drum[note])
        value = mix(_milliseconds(start[note]) ^ np.uint64(0x9E3779B97F4A7C15))
        value = mix(value ^ _milliseconds(end[note])) + kind
        low += mix(value)
        high += mix(value ^ np.uint64(0xD1B54A32D192ED03))
    return low, high
