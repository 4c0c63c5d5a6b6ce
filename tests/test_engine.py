"""Reading examples, batches, and the training loop."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from corpus import example_proto, shards
from corpus.config import Config, ExamplesConfig, TrainConfig
from corpus.encodings import EncodedExample, Encoding, open_encoding
from trainers import engine
from trainers.data import BatchStream, ExampleIndex, Feeder
from trainers.features import PADDING, Feeding, collate
from trainers.hparams import Hparams
from trainers.models import make_model
from trainers.models.base import SequenceModel, nats

torch.set_num_threads(1)

ENCODING = open_encoding(ExamplesConfig(encoding="basic_rnn"))
FEEDING = Feeding.of(ENCODING)
SMALL = Hparams(batch_size=4, rnn_layer_sizes=(8,), dropout_keep_prob=1.0)
MACHINE = engine.Machine(torch.device("cpu"), is_bf16=False)


def melodies(count: int = 6, *, shortest: int = 20) -> list[EncodedExample]:
    generator = np.random.default_rng(0)
    size = FEEDING.class_sizes[0]
    return [EncodedExample(generator.integers(0, size, shortest + i)) for i in range(count)]


def index_of(folder: Path, examples: list[EncodedExample], genres: int = 1) -> ExampleIndex:
    """The examples in two shards, and an index of them."""
    rows, paths = [], []
    for shard, half in enumerate((examples[::2], examples[1::2])):
        path = str(folder / f"train-{shard:05d}-of-00002.tfrecord")
        records = [
            example_proto.serialize(
                example_proto.Example(e.events, "g", "t", "train", "basic_rnn", "", e.controls)
            )
            for e in half
        ]
        shards.write_shard(path, records)
        paths.append(path)
        offset = 0
        for number, (example, record) in enumerate(zip(half, records, strict=True)):
            rows.append((shard, offset, len(example.events), number % genres))
            offset += shards.HEADER_BYTES + len(record) + shards.FOOTER_BYTES
    columns = np.array(rows, np.int64).reshape(-1, 4)
    return ExampleIndex(tuple(paths), columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3])


def trainer_of(config: TrainConfig, hparams: Hparams = SMALL) -> engine.Trainer:
    torch.manual_seed(0)
    model = make_model("basic_rnn", FEEDING, hparams)
    return engine.Trainer(model, hparams, config, Feeder(ENCODING, FEEDING), MACHINE, seed=1)


def fit(trainer: engine.Trainer, train: ExampleIndex, validation: ExampleIndex) -> None:
    trainer.fit(train, validation, on_step=lambda _: None, on_checkpoint=lambda: None)


def test_an_index_reads_what_is_asked(tmp_path: Path) -> None:
    examples = melodies(7)
    index = index_of(tmp_path, examples)
    by_place = examples[::2] + examples[1::2]
    for which in ([0], [6, 0, 3], [2, 2, 5]):
        found = index.read(which)
        assert [e.events.tolist() for e in found] == [by_place[at].events.tolist() for at in which]


def test_batches_cover_every_epoch_and_depend_on_the_step_only() -> None:
    lengths = [20 + i for i in range(10)]
    stream = BatchStream(lengths, 3, seed=5)
    drawn = [stream.indices(step) for step in range(40)]
    again = BatchStream(lengths, 3, seed=5)
    assert [again.indices(step) for step in reversed(range(40))] == drawn[::-1]
    assert sorted(i for batch in drawn for i in batch) == sorted(list(range(10)) * 12)
    other = BatchStream(lengths, 3, seed=6)
    assert [other.indices(step) for step in range(40)] != drawn


def test_a_batch_sees_each_event_and_is_asked_for_the_next() -> None:
    first, second = melodies(2, shortest=5)
    batch = collate([first, second], ENCODING, FEEDING)
    assert batch.features.ids[0, :4, 0].tolist() == first.events[:-1].tolist()
    assert batch.labels[0, :4, 0].tolist() == first.events[1:].tolist()
    assert batch.labels[0, 4, 0] == PADDING
    assert batch.num_events == 4 + 5
    assert batch.features.vectors.shape == (2, 5, 0)


@pytest.mark.parametrize(
    "name", ["drum_kit", "deep_symphony", "density_conditioned_performance_with_dynamics"]
)
def test_what_is_fed_beside_events_is_what_inputs_have(name: str) -> None:
    """Inputs are the event one-hot and the rest; both ways tell a model the same."""
    encoding: Encoding = open_encoding(ExamplesConfig(encoding=name))
    feeding = Feeding.of(encoding)
    generator = np.random.default_rng(3)
    events = generator.integers(0, min(feeding.class_sizes[0], 300), 40)
    controls: dict[str, np.ndarray[Any, Any]] = {
        "condition": generator.random((40, 32), np.float32),
        "density_bin": generator.integers(0, 8, 40),
    }
    example = EncodedExample(events, controls)
    batch = collate([example], encoding, feeding)
    inputs = encoding.inputs(example)[:-1]
    one_hot = np.eye(feeding.id_sizes[0], dtype=np.float32)[events[:-1]]
    rest = batch.features.vectors[0].numpy()
    sides = [np.hstack([one_hot, rest]), np.hstack([rest, one_hot])]
    assert any(np.array_equal(inputs, side) for side in sides)


def test_truncated_backpropagation_sees_the_whole_piece() -> None:
    """The loss is that of whole pieces, since the state goes on; only gradients are cut."""
    torch.manual_seed(0)
    model = make_model("basic_rnn", FEEDING, SMALL)
    batch = collate(melodies(4), ENCODING, FEEDING)
    losses = []
    for bptt in (0, 5):
        model.zero_grad()
        hparams = dataclasses.replace(SMALL, bptt=bptt)
        losses.append(engine.backward(model, batch, hparams, MACHINE))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    gradient = model.get_parameter("logits_bias").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_gradients_are_clipped_each_or_all_together() -> None:
    model = nn.Linear(2, 2)
    for how, expected in (("variable", 3.0), ("global", 3.0)):
        model.weight.grad, model.bias.grad = torch.full((2, 2), 30.0), torch.full((2,), 0.1)
        engine.clip(model, 3.0, how)
        assert model.weight.grad is not None
        assert model.bias.grad is not None
        assert float(model.weight.grad.norm()) == pytest.approx(expected, rel=1e-4)
        kept = 0.1 if how == "variable" else 0.1 * 3.0 / 60.0
        assert model.bias.grad.tolist() == pytest.approx([kept, kept], rel=1e-2)


def test_the_learning_rate_may_fall() -> None:
    falling = dataclasses.replace(SMALL, schedule="cosine", learning_rate=2.0)
    rates = [engine.learning_rate(falling, step, 100) for step in (0, 50, 100)]
    assert rates == pytest.approx([2.0, 1.01, 0.02])
    assert engine.learning_rate(SMALL, 77, 100) == SMALL.learning_rate


def test_the_loss_is_the_mean_over_events(tmp_path: Path) -> None:
    """By hand, a column at a time; padding costs nothing, whatever the batches are."""
    trainer = trainer_of(TrainConfig())
    index = index_of(tmp_path, melodies(5))
    scores = []
    for batch_size in (1, 5):
        batches = trainer.feeder.all_batches(index, batch_size)
        scores.append(engine.evaluate(trainer.model, batches, SMALL, MACHINE))
    one, other = scores
    assert one is not None
    assert other is not None
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.num_events == other.num_events == sum(19 + i for i in range(5))
    assert engine.evaluate(trainer.model, [], SMALL, MACHINE) is None


def test_nats_of_several_columns_add_up() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([[[1, 0], [PADDING, PADDING]]])
    for sizes in ((3, 2), (3, 3)):
        logits = torch.randn(1, 2, sum(sizes))
        first, second = torch.split(logits[0, 0], list(sizes))
        expected = -(first.log_softmax(0)[1] + second.log_softmax(0)[0])
        assert float(nats(logits, labels, sizes)) == pytest.approx(float(expected), rel=1e-5)


def test_training_ends_when_it_no_longer_helps_and_keeps_the_best(tmp_path: Path) -> None:
    config = TrainConfig(num_steps=400, eval_every=5, patience=2)
    hparams = dataclasses.replace(SMALL, rnn_layer_sizes=(64,), learning_rate=0.03)
    trainer = trainer_of(config, hparams)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    train, validation = melodies(4), melodies(9)[5:]
    held_out = index_of(tmp_path / "b", validation)
    fit(trainer, index_of(tmp_path / "a", train), held_out)
    now = trainer.progress
    assert now.step < 400
    assert now.num_stale == 2
    assert now.best_step == now.step - 10
    score = trainer.score(held_out)
    assert score is not None
    assert score.loss == pytest.approx(now.best_loss, rel=1e-5)
    losses = [entry["validation_loss"] for entry in now.history]
    assert min(losses) == now.best_loss < losses[-1]


def test_without_validation_it_goes_to_the_end(tmp_path: Path) -> None:
    trainer = trainer_of(TrainConfig(num_steps=7, eval_every=3, patience=1))
    none = np.zeros(0, np.int64)
    nothing = ExampleIndex((), none, none, none, none)
    fit(trainer, index_of(tmp_path, melodies()), nothing)
    assert trainer.progress.step == 7
    assert math.isinf(trainer.progress.best_loss)


def test_a_diverging_training_is_named(tmp_path: Path) -> None:
    trainer = trainer_of(TrainConfig(num_steps=1, eval_every=1, checkpoint_every=1))
    with torch.no_grad():
        trainer.model.get_parameter("logits_bias").fill_(float("nan"))
    index = index_of(tmp_path, melodies())
    with pytest.raises(ValueError, match="learning_rate"):
        fit(trainer, index, index)


@pytest.mark.parametrize(
    ("changes", "part"),
    [({"device": "tpu"}, "not 'tpu'"), ({"precision": "int8"}, "not 'int8'")],
)
def test_a_machine_that_does_not_exist_is_named(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        engine.Machine.of(dataclasses.replace(Config().train, **changes))


def test_no_model_reads_every_encoding() -> None:
    with pytest.raises(ValueError, match="no model reads"):
        Feeding.of(open_encoding(ExamplesConfig(encoding="rnn-nade")))
    with pytest.raises(ValueError, match="reads the encoding basic_rnn, not polyphony"):
        make_model(
            "basic_rnn", Feeding.of(open_encoding(ExamplesConfig(encoding="polyphony"))), SMALL
        )


def test_a_model_of_genres_is_told_the_genre() -> None:
    torch.manual_seed(0)
    feeding = Feeding.of(ENCODING, num_genres=3)
    model: SequenceModel = make_model("basic_rnn", feeding, SMALL)
    examples = [melodies(1)[0]] * 3
    batch = collate(examples, ENCODING, feeding, genres=[0, 1, 1])
    logits, _ = model(batch.features, model.initial_state(3))
    assert not torch.allclose(logits[0], logits[1])
    assert torch.equal(logits[1], logits[2])
