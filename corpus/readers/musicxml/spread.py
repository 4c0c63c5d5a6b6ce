"""Chord symbols that stand on one note, spread over the time until the next one.

Lead sheets write two symbols over a held note; MusicXML has them one after the other
before it, most programs without saying when the second comes in (676 pairs in 187 of
501 OpenEWLD files). note_seq puts both on one step, which its encoders refuse.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from corpus.readers.musicxml.mends import Mend

# Where a measure begins, and the length of its beats, in ticks.
Measure = tuple[int, int]


def spread(
    harmonies: list[tuple[int, str]],
    onsets: list[int],
    measures: list[Measure],
    end: int,
    mends: set[Mend],
) -> list[tuple[int, str]]:
    """Gives each chord symbol of a part a time of its own.

    Args:
      harmonies: (tick, figure), in the order of the document.
      onsets: ticks at which notes and rests begin.
      measures: the part's measures, by time.
      end: tick at which the part ends.
      mends: what was mended is added here.

    Returns:
      (tick, figure), by time; equal figures that followed each other on a tick are one.
    """
    if all(tick < later for (tick, _), (later, _) in pairwise(harmonies)):
        return harmonies  # Most parts: none of what follows is needed.
    figures: dict[int, list[str]] = {}
    for tick, figure in harmonies:
        shared = figures.setdefault(tick, [])
        if not shared or shared[-1] != figure:
            shared.append(figure)
    ticks = sorted(figures)
    if all(len(shared) == 1 for shared in figures.values()) or not measures:
        return [(tick, figures[tick][-1]) for tick in ticks]
    mends.add(Mend.SPREAD_CHORDS)
    limits = sorted({*onsets, *ticks, end})
    starts = [start for start, _ in measures]
    placed: list[tuple[int, str]] = []
    for tick in ticks:
        if len(figures[tick]) == 1:
            placed.append((tick, figures[tick][0]))
            continue
        after = bisect_right(limits, tick)
        limit = limits[after] if after < len(limits) else tick
        measure = measures[max(bisect_right(starts, tick) - 1, 0)]
        places = _places(tick, limit, len(figures[tick]), measure)
        placed += zip(places, figures[tick], strict=True)
    return placed


def _places(start: int, end: int, count: int, measure: Measure) -> list[int]:
    """`count` ticks in [start, end): equal shares, moved to beats or half or quarter beats."""
    shares = [start + index * (end - start) // count for index in range(count)]
    measure_start, beat = measure
    for grid in (beat, beat // 2, beat // 4):
        if grid > 0:
            places = [_snap(tick - measure_start, grid) + measure_start for tick in shares[1:]]
            if places[-1] < end and all(a < b for a, b in pairwise([start, *places])):
                return [start, *places]
    return shares if count <= end - start else list(range(start, start + count))


def _snap(tick: int, grid: int) -> int:
    return (2 * tick + grid) // (2 * grid) * grid
