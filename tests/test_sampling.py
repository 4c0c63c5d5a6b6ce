"""Sequences grown event by event: what models are fed, what may follow, how long they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from corpus.config import ExamplesConfig, SampleConfig
from corpus.encodings import EncodedExample, Encoding, open_encoding
from tests.sampled_models import READERS, small_model
from trainers.features import Features, rows_of
from trainers.models.base import SequenceModel, State
from trainers.sampling import sampler
from trainers.sampling.beam import Search, grow
from trainers.sampling.decoding import ARGMAX, Draws, Strategy
from trainers.sampling.grammars import (
    Grammar,
    KeyboardGrammar,
    NoteGrammar,
    PolyphonyGrammar,
    TimedGrammar,
)
from trainers.sampling.lines import Beginning, Lines
from trainers.sampling.plans import Plan, make_plan

torch.set_num_threads(1)
NUM_STEPS = 40
NOTEWISE_TIMED = "performance_with_dynamics_and_note_encoding"
TIMED = [name for name in READERS if "performance" in name or name == "deep_symphony"]


def length_of(name: str) -> int:
    """Steps that are some dozens of events."""
    if name == NOTEWISE_TIMED:
        return 3000
    return 10 * NUM_STEPS if name in TIMED else NUM_STEPS


def plan_of(encoding: Encoding, **settings: Any) -> Plan:
    asked = SampleConfig(**{"num_steps": length_of(encoding.name), **settings})
    return make_plan(encoding, ExamplesConfig(encoding=encoding.name), asked)


def sampled(encoding: Encoding, num_outputs: int = 3, **settings: Any) -> list[EncodedExample]:
    model = small_model(encoding)[0]
    plan = plan_of(encoding, **settings)
    return list(
        sampler.sample(
            model, encoding, plan.beginning, plan.grammar, num_outputs=num_outputs, seed=4
        )
    )


@pytest.mark.parametrize("name", READERS)
def test_samples_are_valid_and_as_long_as_asked(name: str) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    plan = plan_of(encoding)
    found = sampled(encoding)
    assert len({example.events.tobytes() for example in found}) == len(found)
    sizes = encoding.num_events if isinstance(encoding.num_events, tuple) else None
    for example in found:
        events = example.events if sizes else example.events[:, None]
        assert events.dtype == np.int64
        assert (events >= 0).all()
        assert (events < np.array(sizes or (encoding.num_events,))).all()
        begun = plan.beginning.events
        if name != NOTEWISE_TIMED:  # cut at the end
            assert np.array_equal(example.events[: len(begun)], begun)
        sequence = plan.sequence(example)
        assert all(note.end_time > note.start_time for note in sequence.notes)
        steps = plan.grammar().steps_of(events)
        if name == NOTEWISE_TIMED:
            assert steps < length_of(name)
        else:
            assert steps == length_of(name)
        if name in TIMED:
            assert sequence.total_time <= length_of(name) / 100 + 1e-6


@pytest.mark.parametrize("name", READERS)
def test_a_sample_depends_on_seed_and_number_only(name: str) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    five, two = sampled(encoding, 5), sampled(encoding, 2)
    for one, other in zip(five, two, strict=False):
        assert np.array_equal(one.events, other.events)


@pytest.mark.parametrize("name", READERS)
def test_the_model_has_seen_what_was_sampled(name: str) -> None:
    """Its logits are those that it gives for the whole sequence at once."""
    encoding = open_encoding(ExamplesConfig(encoding=name))
    model = small_model(encoding)[0]
    plan = plan_of(encoding)
    with torch.inference_mode():
        lines = Lines(model, encoding, plan.grammar(), plan.beginning)
        lines.take(np.zeros(2, np.int64))
        draws = Draws(1, range(2))
        for _ in range(30):
            lines.extend(Strategy(), draws)
        events = lines.events(1)
        controls = {
            n: part[np.minimum(np.arange(len(events)), len(part) - 1)]
            for n, part in plan.beginning.controls.items()
        }
        ids, vectors = map(torch.from_numpy, rows_of(encoding, EncodedExample(events, controls)))
        features = Features(ids[None], vectors[None], torch.zeros(1, dtype=torch.int64))
        logits, _ = model(features, model.initial_state(1))
    np.testing.assert_allclose(lines.logits[1], logits[0, -1].numpy(), rtol=0, atol=2e-5)


class Stubborn(SequenceModel):
    """Always the same logits."""

    def __init__(self, logits: np.ndarray, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.class_sizes = sizes
        self._logits = torch.from_numpy(logits.astype(np.float32))

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, 1)

    def forward(self, features: Features, state: State) -> tuple[torch.Tensor, State]:
        raise NotImplementedError

    def step(self, features: Features, state: State) -> tuple[torch.Tensor, State]:
        return self._logits.expand(len(features.genre), -1).clone(), state


def stubborn_sample(name: str, liked: list[int], grammar: Grammar, first: Any) -> np.ndarray:
    """A sample of a model that likes these classes and nothing else."""
    encoding = open_encoding(ExamplesConfig(encoding=name))
    sizes = encoding.num_classes
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    logits = np.zeros(sum(sizes))
    logits[liked] = 50.0
    found = sampler.sample(
        Stubborn(logits, sizes), encoding, Beginning(np.array(first)), lambda: grammar,
        num_outputs=1, seed=0, strategy=Strategy(ARGMAX),
    )  # fmt: skip
    return next(iter(found)).events


def test_time_passes_in_a_performance_whatever_the_model_likes() -> None:
    events = stubborn_sample("performance_with_dynamics", [60], TimedGrammar(7), [256])
    shifts = np.flatnonzero(events >= 256)
    assert np.diff(shifts).max() <= 65
    assert (events[shifts] - 255).sum() == 7
    rows = stubborn_sample(
        "performance_with_dynamics_and_note_encoding",
        [0, 13, 13 + 77 + 60], NoteGrammar(5, 13), [[0, 0, 60, 9, 24, 39]],
    )  # fmt: skip
    begins = np.cumsum(rows[:, 0] * 77 + rows[:, 1])
    ends = begins + rows[:, 4] * 40 + rows[:, 5] + 1
    assert begins.max() == 4
    assert ends.max() == 5


def test_the_last_shift_is_cut() -> None:
    events = stubborn_sample("performance", [355], TimedGrammar(250), [60])
    assert events.tolist() == [60, 355, 355, 305]


def test_polyphony_is_written_as_its_encoder_writes_it() -> None:
    encoding = open_encoding(ExamplesConfig(encoding="polyphony"))
    for example in sampled(encoding, 4, num_steps=60):
        assert example.events[0] == 0
        steps = np.split(example.events[1:], np.flatnonzero(example.events[1:] == 2) + 1)
        sounding: set[int] = set()
        for step in steps[:-1]:
            notes = step[:-1]
            pitches = np.where(notes >= 131, notes - 131, notes - 3)
            assert (notes >= 3).all()
            assert (np.diff(pitches) < 0).all()
            assert set(pitches[notes >= 131].tolist()) <= sounding
            sounding = set(pitches.tolist())
        assert len(steps) == 61


def test_polyphony_plays_a_melody_at_its_steps() -> None:
    melody = [np.array([3 + 72]), np.array([131 + 72, 3 + 40]), np.zeros(0, np.int64)]
    likes = [2]  # ends every step at once
    events = stubborn_sample("polyphony", likes, PolyphonyGrammar(5, melody, 1), [0])
    assert events.tolist() == [0, 2, 75, 2, 203, 43, 2, 2, 2]


def test_no_resting_key_is_held() -> None:
    encoding = open_encoding(ExamplesConfig(encoding="chordwise"))
    for example in sampled(encoding, 3):
        held, before = example.events[1:] == 2, example.events[:-1] > 0
        assert (held <= before).all()
    likes = list(range(2, 3 * 62, 3))
    events = stubborn_sample("chordwise", likes, KeyboardGrammar(4), [[1] + [0] * 61])
    assert events[:, 0].tolist() == [1, 2, 2, 2]
    assert (events[:, 1:] < 2).all()


class Chain(Stubborn):
    """Logits that depend on the last event alone."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__(table, (len(table),))

    def step(self, features: Features, state: State) -> tuple[torch.Tensor, State]:
        return self._logits[features.ids[:, 0]].clone(), state


def searched(search: Search, num_steps: int, seed: int = 0, count: int = 3) -> list[list[int]]:
    """Samples of one_drum of a chain in which the likely beginning has no likely end."""
    table = np.log(np.array([[0.5, 0.5], [0.02, 0.98]]))
    encoding = open_encoding(ExamplesConfig(encoding="one_drum"))
    found = sampler.sample(
        Chain(table), encoding, Beginning(np.array([0])), lambda: Grammar(num_steps),
        num_outputs=count, seed=seed, search=search,
    )  # fmt: skip
    return [example.events.tolist() for example in found]


def test_a_wide_search_finds_the_likeliest() -> None:
    assert searched(Search(8, 8, 1), 9) == [[0] + [1] * 8] * 3
    assert searched(Search(4, 4, 3), 9) == [[0] + [1] * 8] * 3
    drawn = [sum(events) for seed in range(9) for events in searched(Search(), 9, seed)]
    assert min(drawn) < 8
    assert searched(Search(1, 1, 5), 9) == searched(Search(), 9)


@pytest.mark.parametrize(
    ("num_steps", "each", "expected"),
    [(9, 3, [2, 3, 3]), (10, 3, [3, 3, 3]), (3, 5, [2]), (5, 1, [1, 1, 1, 1])],
)
def test_the_first_round_of_a_search_takes_the_remainder(
    monkeypatch: pytest.MonkeyPatch, num_steps: int, each: int, expected: list[int]
) -> None:
    rounds: list[int] = []
    take, extend = Lines.take, Lines.extend

    def branching(lines: Lines, rows: Any) -> None:
        take(lines, rows)
        if len(rows) == 6:
            rounds.append(0)

    def counting(lines: Lines, strategy: Strategy, draws: Draws) -> None:
        rounds[-1] += 1
        extend(lines, strategy, draws)

    monkeypatch.setattr(Lines, "take", branching)
    monkeypatch.setattr(Lines, "extend", counting)
    searched(Search(2, 3, each), num_steps, count=1)
    assert rounds == expected


def test_a_search_keeps_likelihood_states_and_events_together() -> None:
    encoding = open_encoding(ExamplesConfig(encoding="mono_rnn"))
    model = small_model(encoding)[0]
    with torch.inference_mode():
        lines = Lines(model, encoding, Grammar(12), Beginning(np.array([62])))
        grow(lines, 2, Strategy(), Draws(2, range(2 * 3 * 2)), Search(3, 2, 4))
        for row in range(2):
            events = lines.events(row)
            features = Features(
                torch.from_numpy(events)[None, :, None], torch.zeros(1, 12, 0),
                torch.zeros(1, dtype=torch.int64),
            )  # fmt: skip
            logits, _ = model(features, model.initial_state(1))
            shares = torch.log_softmax(logits[0].double(), -1)
            wanted = sum(float(shares[at, event]) for at, event in enumerate(events[1:].tolist()))
            assert lines.likelihood[row] == pytest.approx(wanted, abs=1e-4)
            np.testing.assert_allclose(lines.logits[row], logits[0, -1].numpy(), atol=1e-5)


def test_many_samples_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = open_encoding(ExamplesConfig(encoding="basic_rnn"))
    whole = sampled(encoding, 7)
    monkeypatch.setattr(sampler, "_MOST_ROWS", 3)
    for one, other in zip(whole, sampled(encoding, 7), strict=True):
        assert np.array_equal(one.events, other.events)
