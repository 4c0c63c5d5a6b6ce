"""The skyline of an instrument that plays several notes at a time."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import readers
from corpus.encodings.chord_symbols import UnknownChordError, chord_symbol
from corpus.encodings.piece import read_piece
from corpus.encodings.quantize import Quantized, UnusableMeterError, quantize
from corpus.encodings.skyline import leave_accompaniment_out
from tests.encoding_pieces import StepNote, step_notes
from tests.test_quantize import real_files

Note = tuple[int, int, int]  # start, end, pitch


def skyline(notes: list[Note]) -> list[Note]:
    """What is left of one instrument's notes, in the order of their starts."""
    ordered = sorted(notes, key=lambda note: note[0])
    columns = np.array(ordered, np.int64).reshape(-1, 3).T.copy()
    sounds = np.ones(len(ordered), bool)
    order, stops = np.arange(len(ordered)), np.array([len(ordered)])
    pitch = columns[2].astype(np.int32)
    leave_accompaniment_out(order, stops, columns[0], columns[1], pitch, sounds)
    return list(itertools.compress(ordered, sounds.tolist()))


def slow_skyline(notes: list[Note]) -> list[Note]:
    """The same by its definition."""
    line: list[Note] = []
    for _, group in itertools.groupby(sorted(notes, key=lambda n: n[0]), lambda n: n[0]):
        start, end, pitch = max(group, key=lambda n: (n[2], n[1]))
        if line and line[-1][2] > pitch and start < line[-1][1] >= end:
            continue
        line.append((start, end, pitch))
    kept = []
    for index, note in enumerate(line):
        near = line[max(index - 16, 0) : index + 17]
        weights = [min(n[1] - n[0], 16) for n in near]
        mean = np.average([n[2] for n in near], weights=weights)
        if note[2] + 9 > mean - 1e-9:
            kept.append(note)
    return kept


@given(step_notes(max_size=60, max_start=60))
@settings(max_examples=200, deadline=None)
def test_it_is_what_its_definition_says(notes: list[StepNote]) -> None:
    plain = [(n.start, n.end, n.pitch) for n in notes]
    if len({start for start, _, _ in plain}) == len(plain):
        assert skyline(plain) == sorted(plain)
    else:
        assert skyline(plain) == slow_skyline(plain)


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(72, 80)), min_size=2, max_size=40),
    st.lists(st.integers(36, 71), min_size=1, max_size=4),
    st.integers(0, 1),
)
@settings(max_examples=100, deadline=None)
def test_a_melody_above_held_chords_comes_back(
    melody: list[tuple[int, int]], chord: list[int], overlap: int
) -> None:
    line: list[Note] = []
    at = 0
    for length, pitch in melody:
        line.append((at, at + length + overlap, pitch))
        at += length
    chords = [(start, end, pitch) for start, end, _ in line[::2] for pitch in chord]
    assert skyline(line + chords) == line


def test_legato_stays_and_what_sounds_below_goes() -> None:
    struck = [(0, 4, 60), (0, 4, 72)]
    descending = [(4, 9, 74), (8, 13, 72), (12, 17, 71)]
    below = [(5, 7, 67), (9, 13, 65), (13, 15, 62)]
    assert skyline(struck + descending + below) == [struck[1], *descending]


def test_accompaniment_through_a_rest_of_the_melody_goes() -> None:
    melody = [(4 * i, 4 * i + 4, 76 + i % 5) for i in range(40) if not 16 <= i < 20]
    bass = [(4 * i, 4 * i + 4, 48 + i % 3) for i in range(40)]
    assert skyline(melody + bass) == melody
    # By itself the same bass is a melody.
    assert skyline(bass) == bass


def test_each_instrument_has_its_own() -> None:
    start = np.array([0, 0, 0, 4, 4, 8], np.int64)
    pitch = np.array([60, 72, 50, 51, 64, 65], np.int32)
    order, stops = np.array([0, 1, 4, 5, 2, 3]), np.array([4, 6])
    sounds = np.array([True, True, True, True, False, True])
    polyphonic = leave_accompaniment_out(order, stops, start, start + 2, pitch, sounds)
    assert polyphonic.tolist() == [True, False]
    assert sounds.tolist() == [False, True, True, True, False, True]


def with_broken_chords(part: Quantized) -> tuple[list[Note], list[Note]]:
    """(a lead sheet's melody, its chords in eighths from C below middle C up); may be empty."""
    rows = zip(part.start_step.tolist(), part.end_step.tolist(), part.pitch.tolist(), strict=True)
    order = np.argsort(part.chord_steps, kind="stable").tolist()
    bounds = [*part.chord_steps[order].tolist(), part.total_steps]
    chords = []
    for index, (begin, end) in zip(order, itertools.pairwise(bounds), strict=True):
        try:
            symbol = chord_symbol(part.chords[index])
        except UnknownChordError:
            continue
        tones = sorted(48 + tone for tone in symbol.pitch_classes or ())
        for beat, step in enumerate(range(begin, end, 2) if tones else ()):
            chords.append((step, min(step + 2, end), tones[beat % len(tones)]))
    return sorted(rows), chords


def test_melodies_of_real_lead_sheets_come_back_from_among_their_chords() -> None:
    wanted, found, right, highest, right_highest = 0, 0, 0, 0, 0
    for path in real_files("leadsheets", 60):
        for score in readers.read_score(path.read_bytes(), path.name, "real"):
            try:
                part = quantize(read_piece(score.payload), 4)
            except UnusableMeterError:  # several meters
                continue
            melody, chords = with_broken_chords(part)
            truth = {(start, pitch) for start, _, pitch in melody}
            line = {(start, pitch) for start, _, pitch in skyline(melody + chords)}
            tops: dict[int, int] = {}
            for start, _, pitch in melody + chords:
                tops[start] = max(pitch, tops.get(start, 0))
            wanted, found, right = wanted + len(truth), found + len(line), right + len(truth & line)
            highest += len(tops)
            right_highest += len(truth & tops.items())
    assert wanted > 3000
    assert right / wanted > 0.95
    assert right / found > right_highest / highest + 0.3
