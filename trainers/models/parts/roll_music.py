"""Binary piano rolls as arrays: windows of them, their scale, and figures that show a collapse.

A roll is [num_steps, keys], 0 or 1. The pitch class of a key is its number modulo 12: class 0 is
that of the lowest key, whichever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Roll = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

OCTAVE = 12
BEAT = 4  # steps, as `pianoroll` has them unless it is told otherwise
CHANCE = 7 / OCTAVE  # share of a scale's notes among all

_MAJOR = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], np.float32)
_CONSONANCES = {0, 3, 4, 5, 7, 8, 9}  # semitones, within an octave
SCALES: Floats = np.stack([np.roll(_MAJOR, at) for at in range(OCTAVE)])


def onbeat(roll: npt.NDArray[Any]) -> int:
    """The step, under BEAT, from which beats count: where most keys begin or end."""
    changes = np.zeros(len(roll), np.int64)
    changes[1:] = (roll[1:] != roll[:-1]).sum(1)
    return int(np.argmax([changes[at::BEAT].sum() for at in range(BEAT)]))


def starts(roll: npt.NDArray[Any], length: int) -> range:
    """Where windows of a roll may begin: on its beats, or anywhere if no window fits so."""
    latest = len(roll) - length
    return range(onbeat(roll), latest + 1, BEAT) or range(latest + 1)


def folded(roll: npt.NDArray[Any], lowest: int, num_keys: int, up: int = 0) -> Roll:
    """The keys from `lowest` on, [num_steps, num_keys], all notes moved up before.

    Notes that lie outside are moved into the outermost octave; `num_keys` is octaves.
    """
    steps, keys = np.nonzero(roll)
    keys = keys + (up - lowest)
    within = keys % OCTAVE
    keys = np.where(keys < 0, within, keys)
    keys = np.where(keys >= num_keys, num_keys - OCTAVE + within, keys)
    found = np.zeros((len(roll), num_keys), np.uint8)
    found[steps, keys] = 1
    return found


def lowest_key(counts: npt.NDArray[Any], num_keys: int, spread: int) -> int:
    """From which key on `num_keys` hold the most notes, if all are moved up to `spread` keys.

    Args:
      counts: [keys] how often each sounds.
      num_keys: that are kept.
      spread: up and down, each way as often.
    """
    if len(counts) <= num_keys:
        return 0
    moved = np.convolve(counts, np.ones(2 * spread + 1), "same")
    held = np.convolve(moved, np.ones(num_keys), "valid")
    best = np.flatnonzero(held >= held.max() * (1 - 1e-9))
    return int(best[len(best) // 2])


def histogram(roll: npt.NDArray[Any]) -> Floats:
    """[12] shares of the pitch classes; zeros for a silent roll."""
    counts = by_class(roll.sum(0, dtype=np.int64))
    total: Floats = (counts / max(counts.sum(), 1)).astype(np.float32)
    return total


def by_class(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[12] sums of what stands at each key."""
    padded = np.zeros(-(-len(counts) // OCTAVE) * OCTAVE, counts.dtype)
    padded[: len(counts)] = counts
    summed: npt.NDArray[Any] = padded.reshape(-1, OCTAVE).sum(0)
    return summed


def scale_of(shares: npt.NDArray[Any]) -> int:
    """The major scale, by its tonic's class, that holds the most of a histogram [12]."""
    return int(np.argmax(SCALES @ shares))


def in_scales(rolls: Sequence[npt.NDArray[Any]], scales: Sequence[int]) -> float:
    """Share of notes in the scale of each roll, mean over the rolls that are not silent."""
    shares = [
        float(histogram(roll) @ SCALES[scale])
        for roll, scale in zip(rolls, scales, strict=True)
        if roll.any()
    ]
    return float(np.mean(shares)) if shares else 0.0


def scale_figures(
    made: Sequence[npt.NDArray[Any]], real: Sequence[npt.NDArray[Any]]
) -> dict[str, float]:
    """How far rolls are in the scales of the real ones whose histograms they were made for."""
    asked = [scale_of(histogram(roll)) for roll in real]
    others = asked[1:] + asked[:1]
    return {
        "in_scale": in_scales(made, asked),
        "in_other_scale": in_scales(made, others),
        "real_in_scale": in_scales(real, asked),
    }


def entropy(counts: npt.NDArray[Any]) -> float:
    """Bits, of counts or shares."""
    total = counts.sum()
    if not total:
        return 0.0
    shares = counts[counts > 0] / total
    return float(-(shares * np.log2(shares)).sum())


def apart(rolls: npt.NDArray[Any], others: npt.NDArray[Any]) -> float:
    """Share of cells that sound in only one of two rolls, of those that sound at all.

    Mean over the pairs of [batch, num_steps, keys].
    """
    rolls, others = rolls.astype(bool), others.astype(bool)
    either = (rolls | others).sum((1, 2))
    return float(np.mean((rolls ^ others).sum((1, 2)) / np.maximum(either, 1)))


def consonant(rolls: npt.NDArray[Any]) -> float:
    """Share of consonances among all two notes that sound together; 0 where none do."""
    rolls = rolls.astype(np.float32)
    counts = [
        float((rolls[..., at:] * rolls[..., : rolls.shape[-1] - at]).sum())
        for at in range(1, rolls.shape[-1])
    ]
    good = sum(count for at, count in enumerate(counts, 1) if at % OCTAVE in _CONSONANCES)
    return good / max(sum(counts), 1.0)


def figures(rolls: Sequence[npt.NDArray[Any]]) -> dict[str, float]:
    """What shows whether rolls are all the same, or poor.

    Returns:
      density: share of cells that sound.
      class_entropy: bits of the pitch classes of a roll, mean over the rolls.
      key_entropy: bits of the keys of all rolls together.
      chord_entropy: bits of the sets of keys that sound together, of all steps of all rolls.
      distinct_keys: of a roll, mean.
      distinct_rolls: how many different ones, by the number of all.
      apart: of each two neighbors, as `apart` says; 0 where all are the same.
      changes: share of steps at which a key begins or ends.
      consonant: share of thirds, fourths, fifths, sixths and octaves, of all two notes that sound
        together.
    """
    stacked = np.stack(rolls).astype(bool)
    chords = np.packbits(stacked, -1).reshape(-1, -(-stacked.shape[-1] // 8))
    _, chord_counts = np.unique(chords, axis=0, return_counts=True)
    return {
        "density": float(stacked.mean()),
        "class_entropy": float(np.mean([entropy(histogram(roll)) for roll in stacked])),
        "key_entropy": entropy(stacked.sum((0, 1))),
        "chord_entropy": entropy(chord_counts),
        "distinct_keys": float(stacked.any(1).sum(1).mean()),
        "distinct_rolls": len({roll.tobytes() for roll in stacked}) / len(stacked),
        "apart": apart(stacked, np.roll(stacked, 1, 0)),
        "changes": float((stacked[:, 1:] != stacked[:, :-1]).any(-1).mean()),
        "consonant": consonant(stacked),
    }
