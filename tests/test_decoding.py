from __future__ import annotations

import numpy as np
import pytest

from trainers.sampling.decoding import ARGMAX, BEST_GUESS, FULL, TOP_P, TRUNCATED, Draws, Strategy

SHARES = np.array([0.05, 0.4, 0.1, 0.25, 0.2])
MANY = 20_000


def shares_of(strategy: Strategy) -> np.ndarray:
    """How often each class is chosen."""
    logits = np.tile(np.log(SHARES).astype(np.float32), (MANY, 1))
    uniform = (np.arange(MANY) + 0.5) / MANY
    chosen, nats = strategy.choose(logits, uniform)
    warm = SHARES ** (1 / strategy.temperature)
    np.testing.assert_allclose(nats, np.log(warm / warm.sum())[chosen], rtol=1e-5)
    return np.bincount(chosen, minlength=len(SHARES)) / MANY


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy(FULL), SHARES),
        (Strategy(FULL, temperature=0.5), SHARES**2 / (SHARES**2).sum()),
        (Strategy(ARGMAX, temperature=3.0), [0, 1, 0, 0, 0]),
        (Strategy(TRUNCATED, top_n=2), [0, 40 / 65, 0, 25 / 65, 0]),
        (Strategy(TRUNCATED), SHARES),
        (Strategy(TOP_P, top_p=0.6), [0, 40 / 65, 0, 25 / 65, 0]),
        (Strategy(TOP_P, top_p=0.66), [0, 40 / 85, 0, 25 / 85, 20 / 85]),
        (Strategy(TOP_P, top_p=0.0), [0, 1, 0, 0, 0]),
        (
            Strategy(BEST_GUESS, top_n=2, guess_share=0.1),
            [0, 0.9 + 0.1 * 40 / 65, 0, 0.1 * 25 / 65, 0],
        ),
        (Strategy(BEST_GUESS, guess_share=0.0), [0, 1, 0, 0, 0]),
    ],
)
def test_shares_are_those_of_the_strategy(strategy: Strategy, expected: np.ndarray) -> None:
    np.testing.assert_allclose(shares_of(strategy), expected, atol=2e-3)


@pytest.mark.parametrize("kind", [FULL, ARGMAX, BEST_GUESS, TRUNCATED, TOP_P])
@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
def test_what_is_forbidden_is_never_chosen(kind: str, number: float) -> None:
    logits = np.full((1, 6), -np.inf, np.float32)
    logits[0, [1, 3]] = (80.0, -80.0)
    chosen, nats = Strategy(kind, guess_share=1.0).choose(logits, np.array([number]))
    assert chosen[0] in (1, 3)
    assert np.isfinite(nats).all()


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(ValueError, match=r"best_guess, full.*'greedy'"):
        Strategy("greedy")


def test_a_rows_numbers_do_not_depend_on_the_others() -> None:
    several, alone = Draws(3, range(5)), Draws(3, [4])
    for count in (1, 700, 6, 1500, 1, 3):
        numbers = several.next(count)
        assert numbers.shape == (5, count)
        assert np.array_equal(numbers[4:], alone.next(count))
        assert len(np.unique(numbers)) == numbers.size
    assert not np.array_equal(Draws(4, [4]).next(3), Draws(3, [4]).next(3))
