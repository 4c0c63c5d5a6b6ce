"""The grid that follows every tempo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.encodings import tempo_grid
from corpus.encodings.quantize import quantize
from tests.encoding_pieces import StepNote, piece_of, step_notes


@given(step_notes(), st.sampled_from([4, 12]), st.sampled_from([61.0, 97.3, 120.0, 240.0]))
@settings(max_examples=100, deadline=None)
def test_one_tempo_gives_the_quantizers_steps(
    notes: list[StepNote], steps_per_quarter: int, qpm: float
) -> None:
    piece = piece_of(notes, tempos=[(0.0, qpm)], steps_per_second=17.3)
    quantized = quantize(piece, steps_per_quarter)
    grid = tempo_grid.on_tempo_grid(piece, steps_per_quarter)
    rows = zip(quantized.start_step, quantized.end_step, quantized.pitch, strict=True)
    expected = sorted((int(s), int(e), int(p)) for s, e, p in rows)
    assert sorted(zip(grid.start, grid.end, grid.pitch, strict=True)) == expected
    assert (np.diff(grid.start) >= 0).all()


def test_steps_follow_the_tempos() -> None:
    # 120 to 2 s (4 quarters), 60 to 4 s (2 quarters), then 240: a quarter each 0.25 s.
    tempos = [(4.0, 240.0), (2.0, 30.0), (2.0, 60.0)]
    piece = piece_of([StepNote(s, s + 1, 60) for s in (0, 1, 2, 3, 4, 5)], tempos=tempos,
                     steps_per_second=1)  # fmt: skip
    grid = tempo_grid.on_tempo_grid(piece, 4)
    assert grid.start.tolist() == [0, 8, 16, 20, 24, 40]
    assert grid.end.tolist() == [8, 16, 20, 24, 40, 56]


@pytest.mark.parametrize(
    ("tempos", "notes", "reason"),
    [
        ([(0.0, 0.0)], [StepNote(0, 1, 60)], "unusable_meter"),
        ([(0.0, -1.0)], [StepNote(0, 1, 60)], "unusable_meter"),
        ([(-1.0, 120.0)], [StepNote(0, 1, 60)], "unusable_meter"),
        ([(0.0, 120.0)], [StepNote(-1, 1, 60)], "unusable_meter"),
        ([(0.0, 1e300), (9.0, 1e308), (1e9, 1.0)], [StepNote(0, 8 * 10**9, 60)], "too_long"),
        ([(0.0, 120.0)], [StepNote(0, 9, 60, is_drum=True)], "no_notes"),
        ([(0.0, 120.0)], [StepNote(0, 9, 200)], "no_notes"),
        ([(0.0, 120.0)], [], "no_notes"),
    ],
)
def test_damage_has_a_reason(
    tempos: list[tuple[float, float]], notes: list[StepNote], reason: str
) -> None:
    with pytest.raises(tempo_grid.UnusablePieceError) as error:
        tempo_grid.on_tempo_grid(piece_of(notes, tempos=tempos), 4)
    assert error.value.reason == reason
    assert reason in tempo_grid.REASONS


def test_a_note_that_ends_before_it_begins_is_a_step_long() -> None:
    grid = tempo_grid.on_tempo_grid(piece_of([StepNote(8, 2, 60), StepNote(9, 9, 60)]), 4)
    assert (grid.end - grid.start).tolist() == [1, 1]


@given(st.integers(1, 5000), st.integers(2, 600))
def test_parts_cover_everything_evenly(num_steps: int, max_steps: int) -> None:
    parts = list(tempo_grid.parts_of(num_steps, max_steps))
    assert [step for part in parts for step in range(num_steps)[part]] == list(range(num_steps))
    sizes = {part.stop - part.start for part in parts}
    assert max(sizes) <= max_steps
    assert max(sizes) - min(sizes) <= 1
    assert list(tempo_grid.parts_of(num_steps, 0)) == [slice(0, num_steps)]


def test_no_tempo_is_no_tempo() -> None:
    with pytest.raises(ValueError, match="above 0"):
        tempo_grid.step_seconds(0.0, 4)
