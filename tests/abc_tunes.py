"""Short ABC tunes, read: what the tests of the ABC reader share."""

from __future__ import annotations

import pytest
from note_seq import sequences_lib

from corpus.readers import abc
from corpus.readers.results import Score

HEADER = "X:1\nM:4/4\nL:1/4\nQ:1/4=60\nK:C\n"  # a quarter note lasts a second


def score(body: str, header: str = HEADER) -> Score:
    (result,) = abc.read((header + body + "\n").encode())
    return result


def pitches(body: str, header: str = HEADER) -> list[int]:
    return [note.pitch for note in score(body, header).note_sequence().notes]


def spans(body: str, header: str = HEADER) -> list[tuple[float, float]]:
    notes = score(body, header).note_sequence().notes
    return [(round(n.start_time, 9), round(n.end_time, 9)) for n in notes]


def lengths(body: str, header: str = HEADER) -> list[float]:
    return [round(end - start, 6) for start, end in spans(body, header)]


def played(body: str, header: str = HEADER) -> str:
    """The letters of the notes in the order in which they are played."""
    expanded = sequences_lib.expand_section_groups(score(body, header).note_sequence())
    names = dict(zip((60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77), "CDEFGABcdef", strict=True))
    notes = sorted(expanded.notes, key=lambda note: note.start_time)
    assert notes[-1].end_time == pytest.approx(expanded.total_time)
    return "".join(names[note.pitch] for note in notes)
