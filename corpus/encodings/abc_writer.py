"""Melodies with chord symbols -> the body of an ABC tune in C with sixteenths as its unit.

Syntax: ABC standard 2.1, sections 4.1 to 4.20. An accidental holds to the end of its bar for all
octaves, as our reader has it; notes over a bar line or a change of chords are tied.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

STEPS_PER_QUARTER = 4

# Letter and alteration of each pitch class, in sharps.
_SPELLINGS = tuple(
    (name[0], len(name) - 1)
    for name in ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
)
_ACCIDENTALS = ("=", "^")
_MIDDLE_C = 60
_OCTAVE = 12

Melody = Sequence[tuple[int, int, int]]
Chords = Sequence[tuple[int, str]]


def write_bars(melody: Melody, chords: Chords, steps_per_bar: int) -> list[str]:
    """The bars of a melody, without bar lines, from step 0 to the end of its last note.

    Args:
      melody: (start, end, pitch) in sixteenths, one after the other.
      chords: (step, figure) in order, at most one a step.
      steps_per_bar: sixteenths of a bar.
    """
    end = melody[-1][1]
    bars: list[str] = [""] * -(-end // steps_per_bar)
    cuts = sorted({*range(0, end, steps_per_bar), *(step for step, _ in chords)})
    figures = dict(chords)
    altered: dict[str, int] = {}
    bar, now = -1, 0
    for begin, stop, pitch in _with_rests(melody):
        now = begin
        for cut in [*cuts[bisect_right(cuts, begin) : bisect_left(cuts, stop)], stop]:
            if now // steps_per_bar != bar:
                bar, altered = now // steps_per_bar, {}
            figure = f'"{figures[now]}"' if now in figures else ""
            sign = "z" if pitch is None else _spell(pitch, altered)
            length = str(cut - now) if cut - now > 1 else ""
            tie = "-" if pitch is not None and cut < stop else ""
            bars[bar] += f"{figure}{sign}{length}{tie}"
            now = cut
    return bars


def _with_rests(melody: Melody) -> list[tuple[int, int, int | None]]:
    filled: list[tuple[int, int, int | None]] = []
    now = 0
    for start, end, pitch in melody:
        if start > now:
            filled.append((now, start, None))
        filled.append((start, end, pitch))
        now = end
    return filled


def _spell(pitch: int, altered: dict[str, int]) -> str:
    """A note without its length; remembers its accidental for the bar."""
    octave, pitch_class = divmod(pitch - _MIDDLE_C, _OCTAVE)
    letter, shift = _SPELLINGS[pitch_class]
    accidental = _ACCIDENTALS[shift] if altered.get(letter, 0) != shift else ""
    altered[letter] = shift
    if octave > 0:
        return accidental + letter.lower() + "'" * (octave - 1)
    return accidental + letter + "," * -octave
