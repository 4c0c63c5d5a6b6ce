"""Chords for a piece that has none, as note_seq 0.0.5's `infer_chords_for_sequence` finds them.

A hidden Markov model over pairs of a key and a chord: a chord explains the pitch classes that
sound while it holds, and chords and keys are slow to change. Viterbi's algorithm finds the
likeliest pairs. Sums and ties are those of note_seq, so that the chords are the same; what makes
it faster is that the transitions are computed once, and compiled code.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from note_seq import constants

from corpus.compiled import bare
from corpus.encodings.chord_symbols import NO_CHORD, NUM_PITCH_CLASSES
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import (
    Quantized,
    Steps,
    UnusableMeterError,
    change_times,
    parts_at,
    quantize,
)
from corpus.notes import Flags, Floats, Ints

# Longer progressions are refused, as note_seq does: one of 1000 chords takes up to a second.
MAX_CHORDS = 1000
# Meter -> chords a bar.
CHORDS_PER_BAR = {(2, 2): 1, (2, 4): 1, (3, 4): 1, (4, 4): 2, (6, 8): 2}

_ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_KINDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "+": (0, 4, 8),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
}
# No chord, then every kind on C, every kind on C#, and so on.
_FIGURES = (NO_CHORD, *(root + kind for root in _ROOTS for kind in _KINDS))
_NUM_CHORDS = len(_FIGURES)
_NUM_KEYS = NUM_PITCH_CLASSES


class ChordInferenceError(ValueError):
    """No chords can be inferred for a piece."""


@dataclass(frozen=True, slots=True)
class ChordModel:
    """The probabilities of the model.

    Attributes:
      key_change_prob: that the key changes from one chord to the next.
      chord_change_prob: that the chord changes where it may.
      chord_pitch_out_of_key_prob: that a note of a chord is not in the key.
      chord_note_concentration: how closely notes follow the chord; 0 is not at all.
    """

    key_change_prob: float = 0.001
    chord_change_prob: float = 0.5
    chord_pitch_out_of_key_prob: float = 0.01
    chord_note_concentration: float = 100.0


_DEFAULT_MODEL = ChordModel()


def infer_chords(
    piece: Piece,
    *,
    steps_per_quarter: int = 4,
    chords_per_bar: int | None = None,
    model: ChordModel = _DEFAULT_MODEL,
) -> Piece:
    """The piece with inferred chords, each where it begins.

    Args:
      piece: of one meter and tempo, without chords.
      steps_per_quarter: chords last whole steps of this grid.
      chords_per_bar: None for what is usual in the meter.
      model: its probabilities.

    Raises:
      ChordInferenceError: the piece has chords or is empty, there are more than MAX_CHORDS, or
        the bar cannot be divided like that.
      UnusableMeterError: as `quantize`.
    """
    _refuse_chords(piece)
    seconds = _seconds_per_chord(
        quantize(piece, steps_per_quarter), steps_per_quarter, chords_per_bar
    )
    frames = piece.total_time / seconds
    if not 0 < frames <= MAX_CHORDS:
        raise ChordInferenceError(
            f"there would be {frames:g} chords; it must be more than 0 and at most {MAX_CHORDS}"
        )
    num_frames = math.ceil(frames)
    times: Floats = seconds * np.arange(num_frames, dtype=np.float64)
    pitches = _pitch_vectors(piece, times[1:], num_frames)
    chord_loglik = model.chord_note_concentration * np.dot(pitches, _chord_vectors().T)
    path = _likeliest(chord_loglik, model)
    chords = path % _NUM_CHORDS
    changes = np.flatnonzero(np.diff(chords, prepend=-1))
    return dataclasses.replace(
        piece,
        chord_times=times[changes],
        chords=tuple([_FIGURES[chord] for chord in chords[changes].tolist()]),
    )


def infer_chords_by_parts(piece: Piece, *, model: ChordModel = _DEFAULT_MODEL) -> Piece:
    """The piece with chords inferred for each part of one meter and tempo.

    A part for which none can be inferred has `NO_CHORD`.

    Args:
      piece: without chords.
      model: its probabilities.

    Raises:
      ChordInferenceError: the piece has chords.
    """
    _refuse_chords(piece)
    times: list[Floats] = []
    chords: list[str] = []
    for begin, part in parts_at(piece, change_times(piece), with_controls=False):
        try:
            inferred = infer_chords(part, model=model)
        except (ChordInferenceError, UnusableMeterError):
            times.append(np.array([begin]))
            chords.append(NO_CHORD)
        else:
            times.append(inferred.chord_times + begin)
            chords += inferred.chords
    chord_times = np.concatenate(times) if times else piece.chord_times
    return dataclasses.replace(piece, chord_times=chord_times, chords=tuple(chords))


def _refuse_chords(piece: Piece) -> None:
    if piece.chords:
        raise ChordInferenceError(f"the piece has chords already, the first is {piece.chords[0]!r}")


def _seconds_per_chord(
    quantized: Quantized, steps_per_quarter: int, chords_per_bar: int | None
) -> float:
    if chords_per_bar is None:
        meter = quantized.numerator, quantized.denominator
        if meter not in CHORDS_PER_BAR:
            raise ChordInferenceError(
                f"how many chords a bar of {meter[0]}/{meter[1]} has is not known; "
                "say chords_per_bar"
            )
        chords_per_bar = CHORDS_PER_BAR[meter]
    if chords_per_bar < 1 or quantized.qpm <= 0:
        raise ChordInferenceError(f"{chords_per_bar} chords a bar at {quantized.qpm:g} qpm")
    steps = quantized.steps_per_bar / chords_per_bar
    if steps != round(steps):
        raise ChordInferenceError(f"a chord would last {steps:g} steps, which is not whole")
    steps_per_second = steps_per_quarter * quantized.qpm / 60.0
    return int(steps) / steps_per_second


def _pitch_vectors(piece: Piece, bounds: Floats, num_frames: int) -> Floats:
    """Unit vectors of how long each pitch class sounds, [num_frames, 12]; 0 where none does."""
    taken = ~piece.is_drum & ~np.isin(piece.program, constants.UNPITCHED_PROGRAMS)
    vectors = np.zeros((num_frames, NUM_PITCH_CLASSES))
    first = np.searchsorted(bounds, piece.start, "right")
    last = np.searchsorted(bounds, piece.end, "left")
    _add_durations(piece.start, piece.end, piece.pitch, taken, first, last, bounds, vectors)
    norms = np.linalg.norm(vectors, axis=1)
    sounding = norms > 0
    vectors[sounding] /= norms[sounding, np.newaxis]
    return vectors


@bare
def _add_durations(
    start: Floats,
    end: Floats,
    pitch: Ints,
    taken: Flags,
    first: Steps,
    last: Steps,
    bounds: Floats,
    vectors: Floats,
) -> None:
    for note in range(len(start)):
        if not taken[note]:
            continue
        key = pitch[note] % NUM_PITCH_CLASSES
        if first[note] >= last[note]:
            vectors[first[note], key] += end[note] - start[note]
            continue
        vectors[first[note], key] += bounds[first[note]] - start[note]
        for frame in range(first[note] + 1, last[note]):
            vectors[frame, key] += bounds[frame] - bounds[frame - 1]
        vectors[last[note], key] += end[note] - bounds[last[note] - 1]


@functools.cache
def _chord_masks() -> npt.NDArray[np.bool_]:
    """[num_chords, 12]: the pitch classes of each chord."""
    masks = np.zeros((_NUM_CHORDS, NUM_PITCH_CLASSES), bool)
    kinds = [(root, steps) for root in range(NUM_PITCH_CLASSES) for steps in _KINDS.values()]
    for chord, (root, steps) in enumerate(kinds, start=1):
        masks[chord, [(root + step) % NUM_PITCH_CLASSES for step in steps]] = True
    return masks


@functools.cache
def _chord_vectors() -> Floats:
    vectors = _chord_masks().astype(np.float64)
    vectors[1:] /= np.linalg.norm(vectors[1:], axis=1)[:, np.newaxis]
    return vectors


@functools.lru_cache(maxsize=8)
def _log_probabilities(model: ChordModel) -> tuple[Floats, Floats]:
    """(of chords in keys, [12, chords]; of steps from pair to pair, [12 * chords, 12 * chords])."""
    keys = np.zeros((_NUM_KEYS, NUM_PITCH_CLASSES), bool)
    for key in range(_NUM_KEYS):
        keys[key, [(key + step) % NUM_PITCH_CLASSES for step in _MAJOR_SCALE]] = True
    masks = _chord_masks().astype(np.int32)
    in_key, out_of_key = keys.astype(np.int32) @ masks.T, (~keys).astype(np.int32) @ masks.T
    outside = model.chord_pitch_out_of_key_prob
    in_keys = (1 - outside) ** in_key * outside**out_of_key
    in_keys /= in_keys.sum(axis=1)[:, np.newaxis]

    stay, change = 1 - model.key_change_prob, model.chord_change_prob
    shape = (_NUM_KEYS, _NUM_CHORDS, _NUM_KEYS, _NUM_CHORDS)
    steps = np.broadcast_to(model.key_change_prob / 11 * in_keys, shape).copy()
    for key in range(_NUM_KEYS):
        shares = in_keys[key] / (_NUM_CHORDS - 1)
        steps[key, :, key] = stay * (change * (in_keys[key] + shares[:, np.newaxis]))
        np.fill_diagonal(steps[key, :, key], stay * (1 - change))
    num_pairs = _NUM_KEYS * _NUM_CHORDS
    with np.errstate(divide="ignore"):
        return np.log(in_keys), np.log(steps.reshape(num_pairs, num_pairs))


def _likeliest(chord_loglik: Floats, model: ChordModel) -> Steps:
    """The likeliest pair, key * num_chords + chord, for each row of [num_frames, num_chords]."""
    in_keys, steps = _log_probabilities(model)
    num_frames, num_pairs = len(chord_loglik), len(steps)
    logliks = (-np.log(_NUM_KEYS) + in_keys + chord_loglik[0]).reshape(num_pairs)
    parents = np.zeros((num_frames, num_pairs), np.int64)
    path = np.zeros(num_frames, np.int64)
    _viterbi(chord_loglik, steps, logliks, np.empty(num_pairs), parents)
    path[-1] = np.argmax(logliks)
    for frame in range(num_frames - 1, 0, -1):
        path[frame - 1] = parents[frame, path[frame]]
    return path


@bare
def _viterbi(
    chord_loglik: Floats, steps: Floats, logliks: Floats, best: Floats, parents: Steps
) -> None:
    """Takes `logliks` from the first frame to the last; `parents` are the first of equal ones."""
    num_pairs, num_chords = len(logliks), chord_loglik.shape[1]
    for frame in range(1, len(chord_loglik)):
        parent = parents[frame]
        for pair in range(num_pairs):
            best[pair] = logliks[0] + steps[0, pair]
        for before in range(1, num_pairs):
            so_far = logliks[before]
            for pair in range(num_pairs):
                loglik = so_far + steps[before, pair]
                is_better = loglik > best[pair]
                best[pair] = loglik if is_better else best[pair]
                parent[pair] = before if is_better else parent[pair]
        for pair in range(num_pairs):
            logliks[pair] = best[pair] + chord_loglik[frame, pair % num_chords]
