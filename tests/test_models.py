"""What holds of every model in the registry, and that one learns a source as well as can be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from corpus.config import MODEL_ENCODINGS, ExamplesConfig, TrainConfig
from corpus.encodings import EncodedExample, open_encoding
from trainers import engine
from trainers.data import Feeder
from trainers.features import PADDING, Batch, Features, Feeding, collate
from trainers.hparams import Hparams
from trainers.models import MODELS, hparams_of, make_model, settled
from trainers.models.base import SequenceModel, nats
from trainers.models.event_rnn import EventRnn
from trainers.piano_rolls import RollIndex

torch.set_num_threads(1)
FP32 = engine.Machine(torch.device("cpu"), is_bf16=False)
BF16 = engine.Machine(torch.device("cpu"), is_bf16=True)
DETERMINISTIC = (
    "dropout_keep_prob=1,weight_drop=0,input_drop=0,embedding_drop=0,hidden_drop=0,"
    "activation_penalty=0,slowness_penalty=0"
)


def feeding_of(name: str, num_genres: int = 1) -> Feeding:
    encoding = open_encoding(ExamplesConfig(encoding=MODEL_ENCODINGS.get(name, name)))
    return Feeding.of(encoding, num_genres)


def small(name: str) -> Hparams:
    """The model's own kind, with few units."""
    hparams = hparams_of(name, "genre_embedding_size=3,bptt=0")
    sizes = [12] * len(hparams.rnn_layer_sizes)
    if hparams.embedding_size:
        sizes[-1] = 8 if hparams.rnn_layer_sizes[-1] == hparams.embedding_size else 12
        hparams = hparams.changed("embedding_size=8")
    if hparams.attn_length:
        hparams = hparams.changed("attn_length=5")
    return dataclasses.replace(hparams, rnn_layer_sizes=tuple(sizes))


def batch_of(feeding: Feeding, lengths: tuple[int, ...], seed: int = 0) -> Batch:
    """Random inputs and labels, of examples of these lengths."""
    draw = np.random.default_rng(seed)
    count, longest = len(lengths), max(lengths)

    def classes(sizes: tuple[int, ...]) -> Tensor:
        columns = [draw.integers(0, size, (count, longest)) for size in sizes]
        stacked = np.stack(columns, -1) if sizes else np.zeros((count, longest, 0), np.int64)
        return torch.from_numpy(stacked)

    vectors = draw.integers(0, 2, (count, longest, feeding.vector_size)).astype(np.float32)
    genre = torch.from_numpy(draw.integers(0, feeding.num_genres, count))
    ids, labels = classes(feeding.id_sizes), classes(feeding.class_sizes)
    if feeding.id_sizes:  # no two examples begin alike, so there is no doubt what follows
        ids[:, 0, 0] = torch.arange(count) % feeding.id_sizes[0]
    for row, length in enumerate(lengths):
        labels[row, length:] = PADDING
    return Batch(Features(ids, torch.from_numpy(vectors), genre), labels)


def made(name: str, changes: str = "", num_genres: int = 1) -> tuple[SequenceModel, Feeding]:
    torch.manual_seed(0)
    feeding = feeding_of(name, num_genres)
    return make_model(name, feeding, small(name).changed(changes)), feeding


def step_by_step(model: SequenceModel, features: Features) -> Tensor:
    state = model.initial_state(len(features.genre))
    logits = []
    for step in range(features.ids.shape[1]):
        one = Features(features.ids[:, step], features.vectors[:, step], features.genre)
        found, state = model.step(one, state)
        logits.append(found)
    return torch.stack(logits, 1)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_overfits_one_batch(name: str) -> None:
    torch.manual_seed(0)
    feeding = feeding_of(name)
    hparams = small(name).changed(DETERMINISTIC)
    wider = tuple(max(size, 48) for size in hparams.rnn_layer_sizes)
    if hparams.embedding_size:
        is_tied = hparams.rnn_layer_sizes[-1] == hparams.embedding_size
        hparams = hparams.changed(f"embedding_size={48 if is_tied else 24}")
    model = make_model(name, feeding, dataclasses.replace(hparams, rnn_layer_sizes=wider))
    batch = batch_of(feeding, (5, 4))
    adam = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for _ in range(300):
        adam.zero_grad()
        losses.append(engine.backward(model, batch, hparams, FP32))
        adam.step()
        if losses[-1] < 0.1 * losses[0]:
            return
    pytest.fail(f"from {losses[0]:.3f} to {losses[-1]:.3f} nats only")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_forward_is_step_by_step(name: str) -> None:
    model, feeding = made(name, num_genres=3)
    features = batch_of(feeding, (13, 13)).features
    with torch.no_grad():
        whole, _ = model.eval()(features, model.initial_state(2))
        torch.testing.assert_close(whole, step_by_step(model, features), atol=1e-5, rtol=1e-4)
        if model.goes_on:
            first, state = model(features.part(slice(0, 5)), model.initial_state(2))
            second, _ = model(features.part(slice(5, 13)), state)
            torch.testing.assert_close(torch.cat([first, second], 1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_logits_depend_on_all_that_is_fed(name: str) -> None:
    model, feeding = made(name, num_genres=2)
    features = batch_of(feeding, (4,)).features
    other = batch_of(feeding, (4,), seed=1).features

    def last(changed: Features) -> Tensor:
        with torch.no_grad():
            logits, _ = model.eval()(changed, model.initial_state(1))
        assert isinstance(logits, Tensor)
        return logits[:, -1]

    before = last(features)
    changes = {"genre": 1 - features.genre, "ids": other.ids, "vectors": other.vectors}
    for what, value in changes.items():
        if value.shape[-1]:
            assert not torch.equal(last(features._replace(**{what: value})), before), what


@pytest.mark.parametrize("name", sorted(MODELS))
def test_comes_back_from_its_weights(name: str, tmp_path: Path) -> None:
    import safetensors.torch

    model, feeding = made(name, num_genres=2)
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(model.state_dict(), path)
    torch.manual_seed(1)
    other = make_model(name, feeding, small(name))
    features = batch_of(feeding, (6, 6)).features
    with torch.no_grad():
        wanted, _ = model.eval()(features, model.initial_state(2))
        fresh, _ = other.eval()(features, other.initial_state(2))
        assert not torch.equal(fresh, wanted)
        other.load_state_dict(safetensors.torch.load_file(path))
        again, _ = other(features, other.initial_state(2))
    assert torch.equal(again, wanted)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_padding_costs_nothing(name: str) -> None:
    model, feeding = made(name)
    lengths = (9, 4, 1)
    batch = batch_of(feeding, lengths)
    together = engine.evaluate(model, [batch], small(name), FP32)
    alone = [
        Batch(
            Features(*(part[row : row + 1] for part in batch.features)).part(slice(0, length)),
            batch.labels[row : row + 1, :length],
        )
        for row, length in enumerate(lengths)
    ]
    each = engine.evaluate(model, alone, small(name), FP32)
    assert together is not None
    assert each is not None
    assert together.num_events == each.num_events == sum(lengths)
    assert together.loss == pytest.approx(each.loss, rel=1e-5)
    assert together.accuracy == each.accuracy


def train_step(name: str, machine: engine.Machine, seed: int) -> tuple[float, dict[str, Tensor]]:
    model, feeding = made(name)
    torch.manual_seed(seed)
    hparams = small(name)
    loss = engine.backward(model.train(), batch_of(feeding, (9, 9)), hparams, machine)
    grads = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    assert grads.keys() == dict(model.named_parameters()).keys()
    return loss, grads


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_seeded_step_repeats_and_every_weight_learns(name: str) -> None:
    loss, grads = train_step(name, FP32, 7)
    again, same = train_step(name, FP32, 7)
    assert again == loss
    assert all(torch.equal(grads[key], same[key]) for key in grads)
    assert all(bool(torch.isfinite(grad).all()) for grad in grads.values())
    if "dropout_keep_prob=1.0" not in repr(small(name)):
        assert train_step(name, FP32, 8)[0] != loss


@pytest.mark.parametrize("name", sorted(MODELS))
def test_bf16_is_near_fp32(name: str) -> None:
    exact, _ = train_step(name, FP32, 7)
    near, grads = train_step(name, BF16, 7)
    assert near == pytest.approx(exact, rel=0.02)
    assert all(bool(torch.isfinite(grad).all()) for grad in grads.values())


class Symbols:
    """An encoding of plain symbols."""

    name, version, feeds_events = "symbols", "1", True

    def __init__(self, count: int) -> None:
        self.num_events = self.num_classes = self.input_size = count

    def labels(self, example: EncodedExample) -> np.ndarray:
        return example.events


def markov_chain(num_symbols: int, seed: int) -> np.ndarray:
    """Probabilities [before, last, next] of a chain of second order that is far from uniform."""
    draw = np.random.default_rng(seed)
    return draw.dirichlet(np.full(num_symbols, 0.5), (num_symbols, num_symbols))


def drawn(chain: np.ndarray, count: int, num_steps: int, seed: int) -> list[np.ndarray]:
    """Sequences of the chain, which begin anyhow."""
    draw = np.random.default_rng(seed)
    cumulative = chain.cumsum(-1)
    symbols = np.zeros((count, num_steps), np.int64)
    symbols[:, :2] = draw.integers(0, len(chain), (count, 2))
    for step in range(2, num_steps):
        rows = cumulative[symbols[:, step - 2], symbols[:, step - 1]]
        below = rows < draw.random((count, 1))
        symbols[:, step] = np.minimum(below.sum(-1), len(chain) - 1)
    return list(symbols)


def test_a_chain_of_second_order_is_learnt_to_within_two_percent() -> None:
    chain = markov_chain(4, seed=2)
    torch.manual_seed(0)
    feeding = Feeding("symbols", "1", (4,), 0, (4,))
    hparams = Hparams(
        batch_size=32, rnn_layer_sizes=(32,), embedding_size=8, dropout_keep_prob=1.0,
        learning_rate=0.01, schedule="cosine",
    )  # fmt: skip
    encoding: object = Symbols(4)
    config = TrainConfig(num_steps=240, eval_every=60, checkpoint_every=10**6, device="cpu")
    trainer = engine.Trainer(
        EventRnn(feeding, hparams), hparams, config,
        Feeder(encoding, feeding),  # type: ignore[arg-type]
        FP32, seed=0,
    )  # fmt: skip
    train, validation, test = (
        RollIndex.of([EncodedExample(row) for row in drawn(chain, count, 102, seed)])
        for seed, count in enumerate((640, 64, 640))
    )
    trainer.fit(train, validation, on_step=lambda _: None, on_checkpoint=lambda: None)
    held_out = collate(test.examples, encoding, feeding)  # type: ignore[arg-type]
    labels = held_out.labels[:, 1:]  # the first symbols are drawn from elsewhere
    with torch.no_grad():
        logits, _ = trainer.model.eval()(held_out.features, trainer.model.initial_state(640))
        found = float(nats(logits[:, 1:], labels, (4,))) / labels.numel()
    # The same held-out symbols under the true probabilities: the entropy, but for the draw.
    rows = np.stack([example.events for example in test.examples])
    entropy = -np.log(chain[rows[:, :-2], rows[:, 1:-1], rows[:, 2:]]).mean()
    of_last_symbol = -np.log(chain.mean(0)[rows[:, 1:-1], rows[:, 2:]]).mean()
    assert 1.2 * entropy < of_last_symbol  # two symbols back matter
    assert found < 1.02 * entropy
    assert found > 0.99 * entropy


def test_what_is_left_to_the_model_is_the_models_own() -> None:
    own = settled(TrainConfig(model="drum_kit"))
    assert (own.num_steps, own.eval_every, own.checkpoint_every) == (40, 10, 10)
    asked = settled(TrainConfig(model="drum_kit", num_steps=3, checkpoint_every=7))
    assert (asked.num_steps, asked.eval_every, asked.checkpoint_every) == (3, 1, 7)
    with pytest.raises(ValueError, match="unknown model"):
        settled(TrainConfig(model="drums"))
