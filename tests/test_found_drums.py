"""Drums off the drum channel: kits are found, and nothing that is pitched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import readers
from corpus.encodings.found_drums import found_drums, with_found_drums
from corpus.encodings.piece import Piece, read_piece
from tests import makers
from tests.encoding_pieces import StepNote, piece_of

BEAT, BAR = 48, 192  # steps; 96 a second, so that 2 steps are some 20 ms
KICK, SNARE, HAT, OPEN_HAT, RIDE, CRASH = 36, 38, 42, 46, 51, 49
MELODY = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76)
Struck = list[tuple[int, int]]  # (step, key)


def bars(pattern: Struck, count: int = 8, length: int = BAR) -> Struck:
    return [(bar * length + step, key) for bar in range(count) for step, key in pattern]


def eighths(key: int, beats: int = 4) -> Struck:
    return [(step, key) for step in range(0, beats * BEAT, BEAT // 2)]


def part(struck: Struck, *, program: int = 0, instrument: int = 3) -> list[StepNote]:
    return [StepNote(step, step + 10, key, 90, program, instrument) for step, key in struck]


def piece(*parts: list[StepNote]) -> Piece:
    return piece_of([note for notes in parts for note in notes], steps_per_second=96.0)


def instruments_found(*parts: list[StepNote]) -> list[int]:
    score = piece(*parts)
    found = np.unique(score.instrument[found_drums(score)])
    for instrument in found:  # all of its notes or none
        assert found_drums(score)[score.instrument == instrument].all()
    return [int(instrument) for instrument in found]


BEATS = [(0, KICK), (BEAT, SNARE), (2 * BEAT, KICK), (3 * BEAT, SNARE)]
ROCK = bars(BEATS + eighths(HAT))
FILL = [(7 * BAR + step * BEAT // 4, (38, 48, 45, 41)[step // 4]) for step in range(16)]
SWING = bars(
    [(beat * BEAT, RIDE) for beat in range(4)]
    + [(beat * BEAT + 32, RIDE) for beat in (1, 3)]
    + [(BEAT, 44), (3 * BEAT, 44), (0, KICK), (3 * BEAT + 32, 40), (BEAT, 40)]
)
CONGAS = bars([(0, 62), (36, 63), (BEAT, 62), (2 * BEAT + 24, 64), (3 * BEAT, 64)])
SPLIT = [
    bars([(0, KICK), (2 * BEAT, KICK)]),
    bars([(BEAT, SNARE), (3 * BEAT, SNARE)]),
    bars(eighths(HAT)),
]
KITS = {
    "rock with a fill and a crash": [*ROCK, *FILL, (0, CRASH), (4 * BAR, CRASH)],
    "swing": SWING,
    "kick on every beat, hats between": bars(
        [*((i * BEAT, KICK) for i in range(4)), (BEAT, 39), (3 * BEAT, 39), *eighths(OPEN_HAT)]
    ),
    "shaker for a hat": bars(BEATS + eighths(70)),
    "tambourine, side stick": bars(
        [(0, 35), (BEAT, 37), (2 * BEAT, 35), (3 * BEAT, 37), *eighths(54)]
    ),
    "waltz": bars([(0, KICK), (BEAT, SNARE), (2 * BEAT, SNARE), *eighths(HAT, 3)], 8, 3 * BEAT),
    "with congas": [*ROCK, *CONGAS],
    "with pitches that are no keys": [*ROCK, (0, 300), (BAR, -7), (BAR, 128)],
    "by hand": [(step + (7 * i) % 3, key) for i, (step, key) in enumerate(ROCK)],
}  # fmt: skip
WALK = [36, 40, 43, 42, 38, 42, 45, 40, 35, 38, 42, 46, 36, 38, 40, 42]
LOW_CHORDS = ((40, 47, 52, 56), (45, 52, 57, 61), (38, 45, 50, 54), (35, 42, 47, 51))  # E A D B
PITCHED = {
    "nothing but rests": [],
    "bass in D, eighths": bars([(i * 24, (38, 38, 42, 38, 40, 42, 36, 36)[i]) for i in range(8)]),
    "walking bass": [(i * BEAT, WALK[i % 16]) for i in range(128)],
    "bass on three keys of a kit": bars([(i * 24, (36, 42, 38, 42)[i % 4]) for i in range(8)]),
    "timpani": bars([(i * 24, 38 if i % 3 else 45) for i in range(8)]),
    "low chord of B minor, struck again": bars(
        [(beat * BEAT, k) for beat in range(4) for k in (35, 38, 42)]
    ),
    "low chord of B minor, its fifth between": bars(
        [(0, 35), (0, 38), (0, 42), (BEAT, 42), (2 * BEAT, 42)], 16
    ),
    "two low chords over one note": bars(
        [(beat * BEAT, k) for beat in range(4) for k in ((35, 42), (38, 42))[beat % 2]]
    ),
    "power chords": bars(
        [(beat * BEAT, k) for beat in range(4) for k in ((35, 42, 47), (38, 45, 50))[beat // 2]]
    ),
    "strumming": bars(
        [
            (beat * BEAT + i, k)
            for beat, chord in enumerate(LOW_CHORDS)
            for i, k in enumerate(chord)
        ]
    ),
    "stride": bars(
        [(0, 36), (2 * BEAT, 38), *((beat * BEAT, k) for beat in (1, 3) for k in (51, 54, 58))]
    ),
    "arpeggios": [(i * 12, 36 + (0, 4, 7, 10, 12, 15, 19, 22)[i % 8]) for i in range(512)],
    "scale through the kit": [(i * 12, 35 + i % 25) for i in range(500)],
}  # fmt: skip
DOUBTFUL = {
    "no snare": bars([(0, KICK), (2 * BEAT, KICK), *eighths(HAT)]),
    "no kick": bars([(BEAT, SNARE), (3 * BEAT, SNARE), *eighths(HAT)]),
    "nothing keeps time": bars([*BEATS, (0, CRASH)]),
    "hats beside the kick": bars(
        [(12, KICK), (BEAT, SNARE), (108, KICK), (3 * BEAT, SNARE), *eighths(HAT)]
    ),
    "hats beside the snare": bars(
        [(0, KICK), (60, SNARE), (2 * BEAT, KICK), (156, SNARE), *eighths(HAT)]
    ),
    "never together": bars([(step + 12, key) for step, key in BEATS] + eighths(HAT)),
    "half of it a melody": [*ROCK, *((i * 24, MELODY[i * 7 % 10]) for i in range(96))],
    "a bass on the same track": [*ROCK, *((i * 24, 28 + i * 5 % 12) for i in range(96))],
    "a quarter of it pitches that are no keys": [*ROCK, *((i * BEAT, 300 + i) for i in range(32))],
}


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("program", [0, 25, 118])
def test_a_kit_is_found_and_the_parts_beside_it_are_not(kit: str, program: int) -> None:
    bass = part([(i * BEAT, WALK[i % 16]) for i in range(128)], program=33, instrument=0)
    piano = part([(i * 24, MELODY[i * 3 % 10]) for i in range(200)], program=program, instrument=7)
    assert instruments_found(bass, part(KITS[kit], program=program), piano) == [3]


@pytest.mark.parametrize("name", [*PITCHED, *DOUBTFUL])
def test_what_is_pitched_or_doubtful_is_left_alone(name: str) -> None:
    assert instruments_found(part({**PITCHED, **DOUBTFUL}[name])) == []


def test_parts_that_make_a_kit_only_together_are_left_alone() -> None:
    """A bass on the keys of kick and snare, chords on those of cymbals: one program, few keys."""
    bass = part(bars(BEATS), program=38, instrument=0)
    for chord in ((49, 52, 57), (51, 55, 59), (51, 54), (44, 47, 51, 54)):
        chords = part(bars([(step, k) for step, k in eighths(0) for k in chord]), program=38)
        assert instruments_found(bass, chords) == []


def test_a_kit_that_is_split_is_found_where_one_program_has_all_of_it() -> None:
    crashes = part([(0, CRASH), (BAR, CRASH)], program=5, instrument=9)
    melody = part([(i * 24, MELODY[i % 10]) for i in range(99)], program=5, instrument=4)
    tracks = [part(struck, program=5, instrument=i) for i, struck in enumerate(SPLIT)]
    assert instruments_found(*tracks, crashes, melody) == [0, 1, 2, 9]
    others = [part(struck, program=4 + i, instrument=i) for i, struck in enumerate(SPLIT)]
    assert instruments_found(*others) == []


def test_a_track_of_a_split_kit_has_three_keys_at_most() -> None:
    hats = part(SPLIT[2], instrument=1)
    assert instruments_found(part([*bars(BEATS), (0, 41)], instrument=0), hats) == [0, 1]
    assert instruments_found(part([*bars(BEATS), (0, 41), (9, 43)], instrument=0), hats) == []


def test_a_kit_of_few_keys_lends_its_voices_to_no_other_part() -> None:
    few = part(bars(eighths(45)), instrument=1)
    assert instruments_found(part(ROCK, instrument=0), few) == [0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("name", ["never together", "low chord of B minor, struck again"])
def test_each_part_is_judged_by_its_own_strokes(name: str, order: tuple[int, int]) -> None:
    other = part({**PITCHED, **DOUBTFUL}[name], instrument=order[1])
    assert instruments_found(part(SWING, instrument=order[0]), other) == [order[0]]


def test_a_kit_and_a_split_kit_are_both_found() -> None:
    tracks = [part(struck, program=5, instrument=i) for i, struck in enumerate(SPLIT)]
    assert instruments_found(*tracks, part(KITS["swing"], instrument=6)) == [0, 1, 2, 6]


def test_the_limits_are_where_they_are_said_to_be() -> None:
    def found(struck: Struck) -> bool:
        return bool(instruments_found(part(struck)))

    assert found(ROCK[:32])
    assert not found(ROCK[:31])
    toms = [(i * 24, (41, 43, 45, 47, 48)[i % 5]) for i in range(200)]  # 80 of 200 lead
    leading = bars(BEATS[:2] + eighths(HAT))
    assert len(leading) == 80
    assert found(leading + toms[:120])
    assert not found(leading + toms[:121])
    melody = [(i * 24, MELODY[i % 10]) for i in range(100)]  # three of ten keys may be drums
    assert found(ROCK + melody[:10])
    assert not found(ROCK + melody[:30])
    rare = [(0, SNARE), (BEAT * 4, SNARE), (BEAT * 8, SNARE)]  # 3 of 100
    rest = [(i * 24, HAT) for i in range(70)] + [(i * BEAT, KICK) for i in range(27)]
    assert found(rare + rest)
    assert not found(rare[1:] + rest)


def test_notes_may_stand_in_any_order() -> None:
    score = piece(part(KITS["swing"]), part([(0, 60), (9, 62)], instrument=1))
    order = np.random.default_rng(5).permutation(len(score.pitch))
    names = ("start", "end", "pitch", "velocity", "program", "instrument", "is_drum")
    shuffled = dataclasses.replace(score, **{name: getattr(score, name)[order] for name in names})
    assert found_drums(score).sum() == len(KITS["swing"])
    assert found_drums(shuffled).tolist() == found_drums(score)[order].tolist()


def test_marks_are_kept_and_the_instruments_are_told() -> None:
    marked = [note._replace(instrument=9, is_drum=True) for note in part(ROCK)]
    bass = part([(i * BEAT, WALK[i % 16]) for i in range(128)], instrument=0)
    score = piece(bass, part(ROCK, instrument=5), part(SWING, instrument=2), marked)
    assert not (found_drums(score) & score.is_drum).any()
    after = with_found_drums(score)
    assert after.found_drums == (2, 5)
    assert np.array_equal(after.is_drum, score.instrument != 0)
    assert np.array_equal(after.pitch, score.pitch)
    assert not score.found_drums
    assert with_found_drums(after) is after
    before = dataclasses.replace(score, found_drums=(9,))
    assert with_found_drums(before).found_drums == (2, 5, 9)


@pytest.mark.parametrize("notes", [[], part([(0, 36)]), part(PITCHED["walking bass"])])
def test_a_piece_without_found_drums_is_given_back(notes: list[StepNote]) -> None:
    score = piece(notes)
    assert with_found_drums(score) is score
    assert found_drums(score).shape == score.pitch.shape
    assert found_drums(score).dtype == np.bool_


class Numbers(NamedTuple):
    """Numbers that no reader gives, but a stranger's bytes may have."""

    instruments: tuple[int, int, int, int]
    program: int


@pytest.mark.parametrize(
    "numbers",
    [
        Numbers((0, 2**31 - 1, -(2**31), 7), 5),
        Numbers((-1, -2, -3, -4), 127),
        Numbers((10**9, 10**9 + 1, 5, 3), 0),
    ],
)
def test_strange_numbers_of_instruments_do_no_harm(numbers: Numbers) -> None:
    *split, kit = numbers.instruments
    tracks = [
        part(s, program=numbers.program, instrument=i) for s, i in zip(SPLIT, split, strict=True)
    ]
    assert instruments_found(*tracks, part(ROCK, instrument=kit)) == sorted(numbers.instruments)


@pytest.mark.parametrize("program", [-1, 128, 2**31 - 1, -(2**31)])
def test_tracks_of_a_program_that_there_is_not_are_no_split_kit(program: int) -> None:
    tracks = [part(struck, program=program, instrument=i) for i, struck in enumerate(SPLIT)]
    assert instruments_found(*tracks) == []
    assert instruments_found(*tracks, part(ROCK, program=program, instrument=8)) == [8]
    usual = [part(struck, program=5, instrument=9 + i) for i, struck in enumerate(SPLIT)]
    assert instruments_found(*tracks, *usual) == [9, 10, 11]


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 400),
    low=st.integers(0, 40),
    width=st.integers(25, 88),
    grid=st.sampled_from([1, 6, 12, 24, BEAT]),
)
def test_random_notes_are_never_drums(
    seed: int, count: int, low: int, width: int, grid: int
) -> None:
    random = np.random.default_rng(seed)
    steps = random.integers(0, max(count // 2, 1), count) * grid
    pitches = random.integers(low, low + width, count)
    assert instruments_found(part(list(zip(steps.tolist(), pitches.tolist(), strict=True)))) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 9000), st.integers(-3, 300), st.integers(-2, 4))))
def test_any_notes_give_flags_of_whole_instruments(notes: list[tuple[int, int, int]]) -> None:
    score = piece([StepNote(a, a + 5, key, 90, i + 2, i) for a, key, i in notes])
    found = set(score.instrument[found_drums(score)].tolist())
    assert found_drums(score).tolist() == [i in found for i in score.instrument.tolist()]


def real_files(*folders: str) -> Iterator[tuple[str, Piece]]:
    """(path, piece) of the files that shares were not chosen on: every other one."""
    for folder in folders:
        root: Path = makers.SHARED / folder
        if not root.is_dir():
            pytest.skip(f"no {folder} beside this checkout")
        for path in sorted(root.rglob("*.mid"))[1::2]:
            for score in readers.read_score(path.read_bytes(), path.name, "x"):
                if not score.reason:
                    yield path.relative_to(root).as_posix(), read_piece(score.payload)


def test_real_songs_most_kits_are_found_and_nothing_pitched() -> None:
    """A kit of 82 strokes in an intermission is all that is found of what is not marked."""
    taken, num_drums, num_found, files, files_found = set(), 0, 0, 0, 0
    for path, score in real_files("clean_midi"):
        taken |= {(path, i) for i in with_found_drums(score).found_drums}
        bare = dataclasses.replace(score, is_drum=np.zeros_like(score.is_drum))
        found = found_drums(bare) & score.is_drum
        num_drums, num_found = num_drums + int(score.is_drum.sum()), num_found + int(found.sum())
        files, files_found = files + bool(score.is_drum.any()), files_found + bool(found.any())
    assert taken <= {("Weezer/Buddy Holly.mid", 8)}
    assert num_drums > 1_000_000
    assert num_found > 0.75 * num_drums
    assert files_found > 0.75 * files


def test_real_classical_and_jazz_nothing_is_taken() -> None:
    parts = 0
    for path, score in real_files("by_genre/classical", "by_genre/jazz"):
        assert with_found_drums(score) is score, path
        parts += len(np.unique(score.instrument))
    assert parts > 3000
