"""What the full extraction does to a piece before it is encoded, and to drums and polyphony."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import readers
from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, extraction, open_encoding
from corpus.encodings.base import FULL, MAGENTA
from corpus.encodings.magenta_drums import DrumKitEncoding
from corpus.encodings.magenta_pianoroll import PianorollEncoding
from corpus.encodings.magenta_polyphony import STEP_END, PolyphonyEncoding
from corpus.encodings.parts import even_bars
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import quantize
from corpus.encodings.tempo_grid import on_tempo_grid
from tests import makers
from tests.encoding_pieces import StepNote, piece_of, step_notes

TEMPOS = st.lists(
    st.tuples(st.integers(0, 40).map(float), st.sampled_from([60.0, 90.0, 97.3, 180.0])),
    min_size=1,
    max_size=5,
    unique_by=lambda tempo: tempo[0],
)


def beats(count: int, *, each: int = 4, pitch: int = 36, is_drum: bool = True) -> list[StepNote]:
    return [StepNote(each * i, each * i + 1, pitch, is_drum=is_drum) for i in range(count)]


@given(step_notes(), TEMPOS)
@settings(max_examples=100, deadline=None)
def test_on_one_tempo_each_note_stays_on_its_beat(
    notes: list[StepNote], tempos: list[tuple[float, float]]
) -> None:
    piece = piece_of(notes, tempos=tempos, steps_per_second=7.3)
    straight = extraction.one_tempo(piece)
    assert len(np.unique(straight.tempo_qpms)) <= 1 or straight is piece
    if notes:
        wanted, found = on_tempo_grid(piece, 4), on_tempo_grid(straight, 4)
        # A note between two steps may go to either, by the last bit of a sum.
        assert np.abs(np.sort(wanted.start) - np.sort(found.start)).max() <= 1
        beat = quantize(straight, 4)
        assert np.abs(np.sort(beat.start_step) - np.sort(wanted.start)).max() <= 1


def test_the_tempo_that_lasts_longest_is_kept() -> None:
    tempos = [(0.0, 60.0), (2.0, 90.0), (12.0, 180.0)]
    piece = piece_of(beats(20), tempos=tempos, steps_per_second=1)
    straight = extraction.one_tempo(piece)
    assert straight.tempo_qpms.tolist() == [180.0]
    assert extraction.one_tempo(straight) is straight
    once = piece_of(beats(20), tempos=[(0.0, 60.0), (5.0, 60.0)], steps_per_second=1)
    assert extraction.one_tempo(once) is once


@pytest.mark.parametrize("tempo", [(0.0, 0.0), (0.0, -3.0), (-1.0, 60.0)])
def test_tempos_that_cannot_be_used_stay(tempo: tuple[float, float]) -> None:
    piece = piece_of(beats(4), tempos=[tempo, (1.0, 90.0)])
    assert extraction.one_tempo(piece) is piece


def test_a_meter_of_no_whole_steps_becomes_common_time() -> None:
    piece = piece_of(beats(4))
    meters = dataclasses.replace(
        piece,
        meter_times=np.arange(5.0),
        numerators=np.array([3, 5, 0, 7, 6], np.int32),
        denominators=np.array([4, 32, 4, 0, 8], np.int32),
    )
    changed = extraction.on_one_grid(meters, 4)
    assert changed.numerators.tolist() == [3, 4, 4, 4, 6]
    assert changed.denominators.tolist() == [4, 4, 4, 4, 8]


@given(st.integers(1, 3000), st.sampled_from([1, 7, 12, 16, 40]), st.integers(2, 600))
def test_even_bars_cover_everything(num_steps: int, bar: int, max_steps: int) -> None:
    parts = list(even_bars(num_steps, bar, max_steps))
    assert [s for first, length in parts for s in range(first, first + length)] == list(
        range(num_steps)
    )
    assert all(0 < length <= max_steps for _, length in parts)
    if bar <= max_steps:
        assert all(first % bar == 0 for first, _ in parts)
        bars = [-(-length // bar) for _, length in parts]
        assert max(bars, default=0) - min(bars, default=0) <= 1


def test_drums_go_on_through_tempos_and_beyond_the_longest_example() -> None:
    tempos = [(0.0, 120.0), (9.0, 121.0), (17.0, 119.0)]
    piece = piece_of(beats(200), tempos=tempos)
    assert all(e.events.any() for e in DrumKitEncoding().encode(piece).examples)
    whole = DrumKitEncoding(full=True, max_steps=128).encode(piece).examples
    cut = sum(int(e.events.astype(bool).sum()) for e in whole)
    assert cut == 200
    assert max(len(e.events) for e in whole) <= 128
    magenta = DrumKitEncoding(max_steps=128).encode(piece).examples
    assert sum(len(e.events) for e in magenta) < sum(len(e.events) for e in whole)


def _programs(piece: Piece) -> list[str]:
    encoded = PolyphonyEncoding(full=True).encode(piece)
    return [example.made_by for example in encoded.examples]


def test_polyphony_takes_each_program_by_itself() -> None:
    notes = [
        StepNote(4 * i, 4 * i + 4, 60 + i % 12, program=program, instrument=instrument)
        for i in range(64)
        for instrument, program in ((0, 0), (1, 0), (2, 33))
    ]
    piece = piece_of([*notes, *beats(64)])
    assert PolyphonyEncoding().encode(piece).dropped == {"more_than_one_program": 1}
    assert _programs(piece) == [
        "program 0, 0.0 s to 32.0 s, transposed +0",
        "program 33, 0.0 s to 32.0 s, transposed +0",
    ]
    trained = PolyphonyEncoding(full=True, augment=1).encode(piece, is_training=True)
    assert len(trained.examples) == 4


@pytest.mark.parametrize("maker", [PolyphonyEncoding, PianorollEncoding])
def test_a_long_part_is_cut_at_bars_and_silence_is_left_out(maker: type) -> None:
    notes = [StepNote(4 * i, 4 * i + 4, 60 + i % 12) for i in range(100)]
    later = [StepNote(n.start + 4000, n.end + 4000, n.pitch) for n in notes]
    piece = piece_of(notes + later)
    encoding = maker(full=True, max_steps=256)
    examples = encoding.encode(piece).examples
    assert len(examples) == 4
    onsets = []
    for example in examples:
        sequence = encoding.decode(example, 120.0)
        onsets.append([(round(n.start_time * 8), n.pitch) for n in sequence.notes])
    assert [len(o) for o in onsets] == [48, 52, 48, 52]
    assert onsets[0][:2] == [(0, 60), (4, 61)]
    assert onsets[1][0] == (0, 60)


def test_polyphony_counts_steps_of_the_window_only() -> None:
    piece = piece_of([StepNote(0, 400, 60), *(StepNote(4 * i, 4 * i + 2, 70) for i in range(100))])
    (example,) = PolyphonyEncoding(full=True).encode(piece).examples
    assert example.events.tolist().count(STEP_END) == 400


def test_variants_are_drawn_by_the_notes() -> None:
    one, other = piece_of(beats(8)), piece_of(beats(8, pitch=38))
    variants = list(range(100))
    drawn = extraction.draw_variants(one, variants, 5)
    assert drawn == sorted(set(drawn)) == extraction.draw_variants(one, variants, 5)
    assert len(drawn) == 5
    assert drawn != extraction.draw_variants(other, variants, 5)
    assert extraction.draw_variants(one, [1, 2], 5) == [1, 2]


def test_which_way_is_the_default() -> None:
    assert ExamplesConfig().way == FULL
    assert ExamplesConfig(format="magenta").way == MAGENTA
    assert ExamplesConfig(format="magenta", extraction=FULL).way == FULL
    with pytest.raises(ValueError, match="'most'"):
        open_encoding(ExamplesConfig(extraction="most"))


def test_only_the_full_way_looks_for_drums() -> None:
    (score,) = readers.read_score(makers.melody(1), "a.mid", "t")
    assert extraction.read(score.payload, MAGENTA).found_drums == ()
    assert extraction.read(score.payload, FULL).found_drums == ()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("min_bar=4", "did you mean min_bars"),
        ("zzz=4", "it has min_bars=7"),
        ("min_bars", "name=value"),
        ("min_bars=x", "a whole number"),
        ("min_bars=-1", "between 0 and 1000"),
        ("gap_bars=true", "a number"),
        ("full=true", "no setting 'full'"),
        ("gap_bars=1e999", "a number, not inf"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_encoding(ExamplesConfig(settings=(setting,)))


def test_settings_reach_the_encoding() -> None:
    few = ("transpositions=[-1,0]", "min_steps=16", "max_steps=64")
    encoding = open_encoding(ExamplesConfig(encoding="polyphony", settings=few, extraction=MAGENTA))
    piece = piece_of([StepNote(4 * i, 4 * i + 4, 60) for i in range(8)])
    assert len(encoding.encode(piece).examples) == 2
    for value, part in (("x", "a list of numbers"), ("[0.5]", "whole"), ("[999]", "between")):
        wrong = ExamplesConfig(encoding="polyphony", settings=(f"transpositions={value}",))
        with pytest.raises(ValueError, match=part):
            open_encoding(wrong)


def test_every_encoding_tells_its_settings() -> None:
    for name, entry in ENCODINGS.items():
        if not name.startswith("miditok"):
            assert not {"full", "name"} & set(entry.settings())
