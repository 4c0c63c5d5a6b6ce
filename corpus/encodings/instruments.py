"""The notes of a piece by instrument."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit
from corpus.encodings.quantize import Steps

_NUM_KNOWN = 256  # instruments that have a place in a table

_Arrays = npt.NDArray[Any]  # int32 or int64: numba compiles for what it meets


def numbered(instrument: _Arrays) -> tuple[list[int], Steps]:
    """(instruments in Magenta's order, index into them for each note).

    Magenta goes through a Python set of numbers; the same set gives the same order.
    """
    ranks = np.full(_NUM_KNOWN, -1, np.int64)
    first_seen = np.empty(_NUM_KNOWN, np.int64)
    count = _list_instruments(instrument, ranks, first_seen)
    if count >= 0:
        instruments = list(set(first_seen[:count].tolist()))
        ranks[instruments] = np.arange(count)
        return instruments, ranks[instrument]
    instruments = list(set(instrument.tolist()))
    rank_of = {number: rank for rank, number in enumerate(instruments)}
    return instruments, np.array([rank_of[number] for number in instrument.tolist()], np.int64)


@njit()
def _list_instruments(instrument: _Arrays, ranks: Steps, first_seen: Steps) -> int:
    """Fills in the instruments as they come; returns how many, or -1 for too many."""
    count = 0
    for number in instrument:
        if not 0 <= number < len(ranks):
            return -1
        if ranks[number] < 0:
            ranks[number] = first_seen[count] = number
            count += 1
    return count


@njit()
def by_instrument(groups: Steps, num_groups: int) -> tuple[Steps, Steps]:
    """(notes by group, in their order; where each group ends)."""
    places = np.zeros(num_groups + 1, np.int64)
    for group in groups:
        places[group + 1] += 1
    for group in range(num_groups):
        places[group + 1] += places[group]
    order = np.empty(len(groups), np.int64)
    for note in range(len(groups)):
        order[places[groups[note]]] = note
        places[groups[note]] += 1
    return order, places[:num_groups]
