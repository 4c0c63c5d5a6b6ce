"""Scores by chance that look like songs: for measurements where no music is at hand."""

from __future__ import annotations

import numpy as np

from corpus.notes import Floats, Ints, NoteArrays

_MAJOR = np.array((0, 2, 4, 5, 7, 9, 11))
_STEP = 0.25  # seconds: an eighth at 120
_PHRASE = 32  # steps


def _line(random: np.random.Generator, steps: int, center: int) -> Ints:
    """A walk up and down the scale, in phrases that come back now and then."""
    phrases = [np.cumsum(random.integers(-2, 3, _PHRASE)) for _ in range(max(steps // 64, 3))]
    order = random.integers(0, len(phrases), -(-steps // _PHRASE))
    degrees = np.concatenate([phrases[index] for index in order])[:steps] % 14
    pitches: Ints = center + _MAJOR[degrees % 7] + 12 * (degrees // 7)
    return pitches.astype(np.int32)


def make_score(random: np.random.Generator) -> NoteArrays:
    """A melody, a middle voice and a bass of 64 to 512 steps, with a drum on every beat."""
    steps = int(random.integers(64, 513))
    pitches = [_line(random, steps, center) for center in (72, 55, 36)]
    pitches.append(np.full(steps, 38, np.int32))
    kept = random.random((4, steps)) < np.array([[0.8], [0.5], [0.4], [0.5]])
    part, step = np.nonzero(kept)
    start: Floats = step.astype(np.float64) * _STEP
    instrument: Ints = part.astype(np.int32)
    nothing = np.zeros(0, np.int32)
    return NoteArrays(
        start=start,
        end=start + np.float64(0.9 * _STEP),
        pitch=np.stack(pitches)[kept],
        velocity=np.full(len(start), 80, np.int32),
        program=instrument * np.int32(8),
        instrument=instrument,
        is_drum=instrument == 3,
        tempo_times=np.zeros(1),
        tempo_qpms=np.full(1, 120.0),
        meter_times=np.zeros(0),
        numerators=nothing,
        denominators=nothing,
        key_times=np.zeros(0),
        keys=nothing,
        modes=nothing,
        total_time=steps * _STEP,
        ticks_per_quarter=220,
        num_chords=0,
        num_pitch_bends=0,
        num_control_changes=0,
    )
