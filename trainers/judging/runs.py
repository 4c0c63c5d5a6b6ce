"""The longest run of words that a query shares with each of many lines, in linear time.

A suffix automaton of the query (Blumer et al., The smallest automaton recognizing the subwords
of a text, 1985) reads every line word by word and knows after each how long the run is that ends
there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit
from trainers.judging.music import Longs, Words

_NUM_WORDS = 1 << 16

_Table = npt.NDArray[np.int32]


def longest_runs(query: Words, words: Words, bounds: Longs) -> tuple[Longs, Longs]:
    """The longest run that a query shares with each line.

    Args:
      query: its words.
      words: of all lines, one line after the other.
      bounds: (num_lines + 1,) where the lines begin, and where the last one ends.

    Returns:
      (its length, where it ends in the query: the word behind it), both (num_lines,) int64.
    """
    known, letters = np.unique(query, return_inverse=True)
    letter_of = np.full(_NUM_WORDS, -1, np.int32)
    letter_of[known] = np.arange(len(known))
    size = max(2 * len(query), 1)
    following = np.full((size, max(len(known), 1)), -1, np.int32)
    link, length, end = (np.empty(size, np.int32) for _ in range(3))
    _build(letters.astype(np.int64), following, link, length, end)
    found: tuple[Longs, Longs] = _read(letter_of, following, link, length, end, words, bounds)
    return found


@njit()
def _build(letters: Longs, following: _Table, link: _Table, length: _Table, end: _Table) -> None:
    """Fills in the automaton; a state's `end` is where its words end for the first time."""
    link[0], length[0], end[0] = -1, 0, 0
    last, count = 0, 1
    for at in range(len(letters)):
        letter, new = letters[at], count
        count += 1
        length[new], end[new] = length[last] + 1, at + 1
        state = last
        while state >= 0 and following[state, letter] < 0:
            following[state, letter] = new
            state = link[state]
        if state < 0:
            link[new] = 0
        else:
            reached = following[state, letter]
            if length[state] + 1 == length[reached]:
                link[new] = reached
            else:
                copy = count
                count += 1
                following[copy] = following[reached]
                length[copy], link[copy], end[copy] = length[state] + 1, link[reached], end[reached]
                link[reached] = link[new] = copy
                while state >= 0 and following[state, letter] == reached:
                    following[state, letter] = copy
                    state = link[state]
        last = new


@njit()
def _read(
    letter_of: _Table,
    following: _Table,
    link: _Table,
    length: _Table,
    end: _Table,
    words: Words,
    bounds: Longs,
) -> Any:
    """(longest run, where it ends in the query) of each line."""
    longest = np.zeros(len(bounds) - 1, np.int64)
    ends = np.zeros(len(bounds) - 1, np.int64)
    for line in range(len(bounds) - 1):
        state, run = 0, 0
        for at in range(bounds[line], bounds[line + 1]):
            letter = letter_of[words[at]]
            if letter < 0:
                state, run = 0, 0
                continue
            while state > 0 and following[state, letter] < 0:
                state = link[state]
                run = length[state]
            if following[state, letter] >= 0:
                state = following[state, letter]
                run += 1
            if run > longest[line]:
                longest[line], ends[line] = run, end[state]
    return longest, ends
