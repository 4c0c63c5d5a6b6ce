"""Copies of a score as people make them: what a search for near duplicates should find."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from corpus.notes import Flags, Floats, NoteArrays

Perturbation = Callable[[NoteArrays, np.random.Generator], NoteArrays]

_LEAD_SHARE = 0.05  # of the pitched notes: less is an ornament, not a lead
_QUANTIZE_TO = 12  # positions a quarter


def keep(arrays: NoteArrays, kept: Flags | npt.NDArray[np.intp]) -> NoteArrays:
    """The score with the notes chosen by a mask or by positions."""
    columns = ("start", "end", "pitch", "velocity", "program", "instrument", "is_drum")
    return dataclasses.replace(arrays, **{name: getattr(arrays, name)[kept] for name in columns})


def _beat(arrays: NoteArrays) -> float:
    """Seconds of a quarter note at the first tempo."""
    return 60 / float(arrays.tempo_qpms[0]) if len(arrays.tempo_qpms) else 0.5


def _shift(arrays: NoteArrays, seconds: Floats) -> NoteArrays:
    """Every note moved by its own number of seconds, lengths kept."""
    return dataclasses.replace(arrays, start=arrays.start + seconds, end=arrays.end + seconds)


def transposed(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """Up or down by 1 to 5 semitones; drums stay."""
    steps = random.integers(1, 6) * random.choice((-1, 1))
    return dataclasses.replace(arrays, pitch=arrays.pitch + np.where(arrays.is_drum, 0, steps))


def _stretched(factor: float) -> Perturbation:
    def stretch(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
        return dataclasses.replace(
            arrays,
            start=arrays.start * factor,
            end=arrays.end * factor,
            tempo_qpms=arrays.tempo_qpms / factor,
            tempo_times=arrays.tempo_times * factor,
        )

    return stretch


def requantized(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """Onsets and ends moved to 12 positions a quarter of the first tempo; no note vanishes."""
    step = _beat(arrays) / _QUANTIZE_TO
    start = np.round(arrays.start / step) * step
    end = np.maximum(np.round(arrays.end / step) * step, start + step)
    return dataclasses.replace(arrays, start=start, end=end)


def _excerpt(share: float) -> Perturbation:
    def cut(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
        length = float(arrays.start.max())
        begins = random.uniform(0, (1 - share) * length)
        inside = (arrays.start >= begins) & (arrays.start <= begins + share * length)
        return _shift(keep(arrays, inside), np.full(np.count_nonzero(inside), -begins))

    return cut


def reorchestrated(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """Every instrument gets a program by chance."""
    programs = random.integers(0, 128, int(arrays.instrument.max()) + 1, dtype=np.int32)
    return dataclasses.replace(arrays, program=programs[arrays.instrument])


def merged(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """All pitched notes on one piano, in the order of time; no drums."""
    order = np.flatnonzero(~arrays.is_drum)
    found = keep(arrays, order[np.argsort(arrays.start[order], kind="stable")])
    nothing = np.zeros_like(found.program)
    return dataclasses.replace(found, program=nothing, instrument=nothing)


def without_lead(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """Without the instrument that plays highest on average, and more than an ornament."""
    pitched = ~arrays.is_drum
    instruments = np.unique(arrays.instrument[pitched])
    parts = [pitched & (arrays.instrument == instrument) for instrument in instruments]
    parts = [part for part in parts if part.sum() >= _LEAD_SHARE * pitched.sum()]
    if len(parts) < 2:
        return arrays
    lead = max(parts, key=lambda part: float(arrays.pitch[part].mean()))
    return keep(arrays, ~lead)


def notes_deleted(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """2 % of the notes are missing."""
    return keep(arrays, random.random(len(arrays.start)) >= 0.02)


def pitches_changed(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """5 % of the pitched notes are off by 1 or 2 semitones."""
    wrong = (random.random(len(arrays.start)) < 0.05) & ~arrays.is_drum
    steps = random.choice(np.array((-2, -1, 1, 2), np.int32), len(arrays.start))
    return dataclasses.replace(arrays, pitch=arrays.pitch + np.where(wrong, steps, 0))


def jittered(arrays: NoteArrays, random: np.random.Generator) -> NoteArrays:
    """Every note is early or late by up to 2 % of a quarter."""
    return _shift(arrays, random.uniform(-0.02, 0.02, len(arrays.start)) * _beat(arrays))


PERTURBATIONS: dict[str, Perturbation] = {
    "transposed": transposed,
    "tempo x1.1": _stretched(1 / 1.1),
    "times x2": _stretched(2.0),
    "requantized to 12 a quarter": requantized,
    "70 % excerpt": _excerpt(0.7),
    "50 % excerpt": _excerpt(0.5),
    "other programs": reorchestrated,
    "tracks merged": merged,
    "lead dropped": without_lead,
    "2 % of the notes deleted": notes_deleted,
    "5 % of the pitches changed": pitches_changed,
    "onsets jittered by 2 %": jittered,
}
