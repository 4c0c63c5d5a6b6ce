"""The trees of the Velocity Net: what scikit-learn grew, laid out anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from trainers.refining import trees
from trainers.refining.trees import Rows, Trees

COLUMNS = 5


def notes(count: int = 3000, seed: int = 0) -> tuple[Rows, Rows]:
    """Rows of a few round values, so that thresholds meet them, and what hangs on them."""
    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(0, 1, (count, COLUMNS)), 2).astype(np.float32)
    target = 60 + 20 * (rows[:, 0] > 0.3) * rows[:, 1] + rng.laplace(0, 2, count)
    return rows, target.astype(np.float32)


def grown(count: int = 3000, seed: int = 0) -> Trees:
    found = Trees(COLUMNS)
    found.grow(*notes(count), seed)
    return found


@pytest.mark.parametrize("count", [1, 7, 300, 3000])
def test_they_say_what_scikit_learn_says(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found, kept = Trees(COLUMNS), []
    take = found._take

    def keep(boosting: Any) -> None:
        kept.append(boosting)
        take(boosting)

    monkeypatch.setattr(found, "_take", keep)
    found.grow(*notes(count), 0)
    unseen = np.concatenate([notes(5000, 1)[0], notes(count)[0]])
    expected = kept[0].predict(unseen)
    np.testing.assert_allclose(found(torch.from_numpy(unseen)).numpy(), expected, atol=1e-3)


def test_they_learn_and_repeat() -> None:
    rows, target = notes(2000, 5)
    found = grown()
    error = np.abs(found(torch.from_numpy(rows)).numpy() - target).mean()
    assert error < 0.5 * np.abs(np.median(target) - target).mean()
    for name, value in grown().state_dict().items():
        assert torch.equal(value, found.state_dict()[name])
    assert not torch.equal(grown(seed=1).value, found.value)


def test_none_have_grown_at_first() -> None:
    found = Trees(COLUMNS)
    assert not found.grown
    assert (found(torch.randn(10, COLUMNS)) == 0).all()


def test_many_rows_are_read_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    found, rows = grown(), torch.from_numpy(notes(500, 2)[0])
    whole = found(rows)
    monkeypatch.setattr(trees, "_ROWS", 7)
    assert torch.equal(found(rows), whole)


@pytest.mark.parametrize("column", [-1, COLUMNS])
def test_a_column_that_there_is_not_is_noticed(column: int) -> None:
    found = grown()
    found.check()
    found.feature[3, 2] = column
    with pytest.raises(ValueError, match="other columns than 0 to 4"):
        found.check()


@pytest.mark.parametrize("threshold", [0.1, 0.3, 1 / 3, -0.7, 1.0, 0.0, 16777217.0])
def test_a_threshold_divides_float32_alike(threshold: float) -> None:
    rounded = trees._rounded_down(threshold)
    assert rounded <= threshold
    above = float(np.nextafter(np.float32(rounded), np.float32(np.inf)))
    assert above > threshold
