"""What is fed event by event is what an encoding makes of the whole sequence."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, EncodedExample, open_encoding
from corpus.encodings.results import Controls
from trainers.features import rows_of
from trainers.sampling.feeds import WholeFeed, feed_of

NUM_STEPS, ROWS = 150, 3
NAMES = [name for name in ENCODINGS if not name.startswith("miditok_") and name != "rnn-nade"]
# Their inputs depend on what was long ago.
REPEATING = ("lookback_rnn", "attention_rnn", "attention_improv")


def random_events(name: str, sizes: tuple[int, ...]) -> np.ndarray:
    """Events [steps, rows, columns]; all rows begin alike, melodies rest and repeat themselves."""
    generator = np.random.default_rng(5)
    shape = (NUM_STEPS, ROWS)
    events = np.stack([generator.integers(0, size, shape) for size in sizes], -1)
    if name in REPEATING:
        special = generator.integers(0, 2, events.shape)
        events = np.where(generator.random(events.shape) < 0.5, special, events)
        events[40:80], events[90:110] = events[24:64], events[58:78]
    events[0] = events[0, 0]
    return cast(np.ndarray, events)


def constant_controls(name: str, encoding: Any) -> Controls:
    generator = np.random.default_rng(6)
    if name.endswith("_improv"):
        return cast(Controls, encoding.controls_of(["C"] * 60 + ["Dm"] * 60))
    if name == "deep_symphony":
        row = generator.random((1, 32)).astype(np.float32)
        return {"condition": np.repeat(row, NUM_STEPS, 0)}
    if "conditioned" not in name:
        return {}
    histogram = generator.random((1, 12)).astype(np.float32)
    return {
        "density_bin": np.full(NUM_STEPS, 3),
        "pitch_class_histogram": np.repeat(histogram, NUM_STEPS, 0),
        "conditioning_is_off": np.zeros(NUM_STEPS, np.int64),
    }


@pytest.mark.parametrize("name", NAMES)
def test_feeds_are_the_encodings_inputs(name: str) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    sizes = encoding.num_events
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    events, controls = random_events(name, sizes), constant_controls(name, encoding)
    feed = feed_of(encoding, controls)
    assert not isinstance(feed, WholeFeed)
    first = feed.push(events[0, :1])
    feed.take(np.zeros(ROWS, np.int64))
    ids, vectors = (np.repeat(part[None], ROWS, 1) for part in first)
    for step in range(1, NUM_STEPS):
        if step == 77:  # some go on several times, as in a search
            rows = np.array([2, 0, 2])
            feed.take(rows)
            events, ids, vectors = events[:, rows], ids[:, rows], vectors[:, rows]
        more = feed.push(events[step])
        ids, vectors = (
            np.concatenate([ids, more[0][None]]),
            np.concatenate([vectors, more[1][None]]),
        )
    for row in range(ROWS):
        whole = events[:, row] if len(sizes) > 1 else events[:, row, 0]
        wanted = rows_of(encoding, EncodedExample(whole, controls))
        np.testing.assert_array_equal(ids[:, row], wanted[0])
        np.testing.assert_array_equal(vectors[:, row], wanted[1])


def test_an_unknown_encoding_is_fed_by_itself() -> None:
    encoding: Any = open_encoding(ExamplesConfig(encoding="lookback_rnn"))
    encoding.name = "something new"
    events = random_events("lookback_rnn", (encoding.num_events,))[:40]
    feed = feed_of(encoding, {})
    assert isinstance(feed, WholeFeed)
    got = [feed.push(now)[1] for now in events]
    for row in range(ROWS):
        wanted = encoding.inputs(EncodedExample(events[:, row, 0]))
        np.testing.assert_array_equal(np.stack(got)[:, row], wanted)
