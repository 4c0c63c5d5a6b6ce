"""SeqGAN: likelihoods, draws, roll-outs, the policy's gradient, the training through its stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from corpus.config import Config, ExamplesConfig, SampleConfig, TrainConfig
from corpus.encodings import EncodedExample, open_encoding
from trainers import engine
from trainers.features import Feeding
from trainers.generative.health import Health
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models.generative import Material, Request, Turn
from trainers.models.parts import event_lstm, output_nats
from trainers.models.parts.event_lstm import EventLstm, Tables, drawn
from trainers.models.seqgan import SeqGan, SeqGanHparams
from trainers.proving import oracle

NUM_CLASSES, LENGTH = 11, 8
SMALL = SeqGanHparams(
    batch_size=8, length=LENGTH, stride=4, num_units=16, embedding_size=8, mle_share=0.4,
    critic_share=0.2, mle_batches=2, critic_batches=2, roll_outs=2, critic_embedding_size=8,
    filter_widths=(1, 3), num_filters=(4, 6), learning_rate=0.01, critic_rate=0.01,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def feeding(num_classes: int = NUM_CLASSES) -> Feeding:
    return Feeding("basic_rnn", "1", (num_classes,), 0, (num_classes,))


def made(hparams: SeqGanHparams = SMALL, num_classes: int = NUM_CLASSES) -> SeqGan:
    torch.manual_seed(1)
    return SeqGan(feeding(num_classes), hparams)


def scales(count: int = 12) -> list[Material]:
    """Pieces that go up class by class, from different ones."""
    return [((np.arange(16) + at) % NUM_CLASSES).astype(np.int16) for at in range(count)]


def trainer_of(
    model: SeqGan, num_steps: int, precision: str = "fp32", seed: int = 3
) -> GenerativeTrainer:
    config = TrainConfig(
        model="seqgan", num_steps=num_steps, eval_every=num_steps, checkpoint_every=1,
        patience=0, device="cpu", precision=precision,
    )  # fmt: skip
    return GenerativeTrainer(model, config, engine.Machine.of(config), seed)


def fit(trainer: GenerativeTrainer, stop_after: int = 0) -> None:
    """Trains on the scales to the end, or until so many steps are done."""

    def on_step(_: int) -> None:
        if trainer.progress.step == stop_after:
            raise KeyboardInterrupt

    store = Store.of(scales())
    trainer.fit(store, store, on_step=on_step, on_checkpoint=lambda: None)


def request(
    count: int = 3, seed: int = 5, encoding: str = "basic_rnn", **settings: float
) -> Request:
    config = dataclasses.replace(SampleConfig(), **settings)  # type: ignore[arg-type]
    return Request(count, config, open_encoding(ExamplesConfig(encoding)), seed)


def logits_of(model: EventLstm, ids: Tensor) -> Tensor:
    """By torch's layers, event by event."""
    start = torch.full((len(ids), 1), model.num_classes)
    output, _ = model.lstm(model.embedding(torch.cat([start, ids[:, :-1]], 1)))
    found: Tensor = model.output(output)
    return found


def test_nats_and_their_gradients_are_those_of_the_formula(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output_nats, "_NUMBERS", 40)  # four rows at once
    model = EventLstm(NUM_CLASSES, 4, 6, spread=1.0)
    ids, weights = torch.randint(0, NUM_CLASSES, (3, 5)), torch.randn(3, 5)
    weighted = model.nats(ids, weights)
    shares = logits_of(model, ids).log_softmax(2).gather(2, ids.unsqueeze(2)).squeeze(2)
    plain = -(shares * weights).sum()
    assert weighted.item() == pytest.approx(plain.item(), rel=1e-5)
    assert model.nats(ids).item() == pytest.approx(-shares.sum().item(), rel=1e-5)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(weighted, parameters),
        torch.autograd.grad(plain, parameters),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("num_classes", [64, 1280])
def test_draws_invert_the_distribution_function(num_classes: int) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(200, num_classes, dtype=torch.float64)
    logits[:, 10:20] = -torch.inf
    uniform = torch.rand(200, dtype=torch.float64)
    sums = torch.softmax(logits, 1).cumsum(1)
    expected = torch.searchsorted(sums, uniform.unsqueeze(1), right=True).squeeze(1)
    assert drawn(logits, uniform).tolist() == expected.tolist()


@pytest.mark.parametrize("num_classes", [64, 1280])
def test_a_class_that_cannot_be_is_never_drawn(num_classes: int) -> None:
    logits = torch.zeros(2, num_classes)
    logits[:, 3:] = logits[:, 0] = -torch.inf
    assert drawn(logits, torch.tensor([0.0, 1.0])).tolist() == [1, 2]


def test_steps_give_what_the_layers_give_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_lstm, "_NUMBERS", 128)  # two rows at once
    model = EventLstm(NUM_CLASSES, 4, 6, spread=1.0)
    uniform = torch.rand(5, 7)
    tables = model.tables(temperature=0.7)
    sampled = tables.sample(uniform)
    logits = logits_of(model, sampled.ids) / 0.7
    for at, (h, _) in enumerate(sampled.states):
        stepwise = (h @ tables.weight + tables.bias)[:, :NUM_CLASSES]
        assert torch.allclose(stepwise, logits[:, at], atol=1e-4)
    sums = logits.softmax(2).cumsum(2)
    expected = (sums <= uniform.unsqueeze(2)).sum(2)
    assert sampled.ids.tolist() == expected.tolist()


def test_roll_outs_go_on_from_every_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = EventLstm(NUM_CLASSES, 4, 6, spread=1.0).tables()
    # With the same numbers again, a roll-out must go where its sequence went.
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(shape, 0.37))
    sampled = tables.sample(torch.full((3, 6), 0.37))
    finished = tables.roll_out(sampled, 2)
    assert torch.equal(finished, sampled.ids.repeat(5, 2, 1))


def test_roll_outs_keep_the_beginning_and_vary_the_rest() -> None:
    torch.manual_seed(0)
    tables = EventLstm(NUM_CLASSES, 4, 6).tables()
    sampled = tables.sample(torch.rand(4, 9))
    finished = tables.roll_out(sampled, 3)
    assert finished.shape == (8, 12, 9)
    for number, rows in enumerate(finished.view(8, 3, 4, 9), start=1):
        assert torch.equal(rows[..., :number], sampled.ids[:, :number].expand(3, 4, number))
    assert len(np.unique(finished[0, :, 1:].numpy(), axis=0)) > 8


def test_rewards_are_what_the_critic_thinks_of_the_roll_outs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = made()
    monkeypatch.setattr(model.critic, "chances", lambda ids: (ids == 2).double().mean(1))
    torch.manual_seed(2)
    tables = model.generator.tables()
    sampled = tables.sample(torch.rand(4, LENGTH))
    torch.manual_seed(9)
    turn = Turn(0, 1, lambda _: [], np.random.default_rng(0), {})
    rewards = model._rewards(turn, tables, sampled)
    torch.manual_seed(9)
    finished = tables.roll_out(sampled, SMALL.roll_outs)
    for row in range(4):
        for at in range(LENGTH - 1):
            of_row = finished[at, row::4]
            assert float(rewards[row, at]) == pytest.approx(float((of_row == 2).double().mean()))
        assert float(rewards[row, -1]) == float((sampled.ids[row] == 2).double().mean())


def test_advantages() -> None:
    rewards = torch.rand(6, LENGTH)
    assert torch.equal(made(SMALL.changed("baseline=False"))._advantages(rewards), rewards)
    found = made()._advantages(rewards)
    assert torch.allclose(found.mean(0), torch.zeros(LENGTH), atol=1e-6)
    assert float(found.square().mean()) == pytest.approx(1.0, rel=1e-4)


def test_the_policy_follows_the_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    hparams = "mle_share=0,critic_share=0,policy_rate=0.02,batch_size=16,critic_batches=1"
    model = made(SMALL.changed(hparams))
    monkeypatch.setattr(model.critic, "chances", lambda ids: (ids == 2).double().mean(1).float())
    trainer = trainer_of(model, 40)
    fit(trainer)
    assert trainer.progress.last["reward"] > 0.6  # a class of eleven has a share of 0.09


def test_it_overfits_a_batch_by_likelihood() -> None:
    trainer = trainer_of(made(SMALL.changed("mle_share=1,mle_batches=8")), 40)
    fit(trainer)
    # Which of 11 scales it is the first event says; nothing else is left to guess.
    assert trainer.progress.last["loss"] < 1.15 * np.log(NUM_CLASSES) / LENGTH


def test_the_critic_learns_to_tell_noise_from_scales() -> None:
    trainer = trainer_of(made(SMALL.changed("mle_share=0,critic_share=1,critic_batches=8")), 30)
    fit(trainer)
    assert trainer.progress.last["critic_gap"] > 1.0
    model = trainer.model
    assert isinstance(model, SeqGan)
    scale = torch.arange(LENGTH)[None]
    shuffled = scale[:, torch.tensor([3, 1, 6, 4, 0, 7, 2, 5])]
    assert float(model.critic.chances(scale)) > float(model.critic.chances(shuffled))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_training_goes_on_to_the_same_weights(precision: str) -> None:
    whole = trainer_of(made(), 10, precision)
    fit(whole)
    for stop_after in (2, 5, 8):  # within each of the stages
        first = trainer_of(made(), 10, precision)
        with pytest.raises(KeyboardInterrupt):
            fit(first, stop_after)
        tensors = {name: value.clone() for name, value in first.tensors().items()}
        second = trainer_of(made(), 10, precision)
        second.load(tensors, dataclasses.asdict(first.progress))
        fit(second)
        assert second.progress.step == 10
        for name, value in whole.tensors().items():
            assert torch.equal(value, second.tensors()[name]), name


def test_stages_report_what_is_watched() -> None:
    trainer = trainer_of(made(), 10)
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, 4)
    assert set(trainer.progress.last) == {"loss", "gradient"}
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, 6)
    assert set(trainer.progress.last) == {"loss", "critic_gap"}
    fit(trainer)
    assert set(trainer.progress.last) == {"loss", "critic_gap", "gradient", "reward"}
    assert "validation_nats_per_event" in trainer.progress.history[-1]
    assert "validation_loss" not in trainer.progress.history[-1]


def test_figures() -> None:
    model = made().eval()
    found = model.examine(scales(), np.random.default_rng(0))
    assert set(found) == set(model.figures)
    assert found["nats_per_event"] == pytest.approx(np.log(NUM_CLASSES), abs=0.2)
    assert found["entropy"] == pytest.approx(np.log(NUM_CLASSES), abs=0.2)
    places = [piece[at : at + LENGTH] for piece in scales() for at in (0, 4, 8)]
    grams = [tuple(p[at : at + 4].tolist()) for p in places for at in range(5)]
    assert found["real_distinct_4"] == pytest.approx(len(set(grams)) / len(grams))
    assert found["distinct_4"] > 0.9
    assert 0 <= found["bleu"] < 0.5
    assert found == model.examine(scales(), np.random.default_rng(0))


def test_material_fills_a_window() -> None:
    model = made()
    assert model.material(EncodedExample(np.arange(LENGTH - 1))) is None
    kept = model.material(EncodedExample(np.arange(LENGTH)))
    assert kept is not None
    assert kept.dtype == np.int16
    assert kept.tolist() == list(range(LENGTH))
    wide = made(num_classes=40_000).material(EncodedExample(np.full(LENGTH, 39_999)))
    assert wide is not None
    assert wide.tolist() == [39_999] * LENGTH


def test_windows_begin_at_strides() -> None:
    trainer = trainer_of(made(SMALL.changed("mle_share=1")), 2)
    seen: list[Tensor] = []
    generator = trainer.model.generator
    assert isinstance(generator, EventLstm)
    plain = generator.nats
    generator.nats = lambda ids: (seen.append(ids), plain(ids))[1]  # type: ignore[assignment,method-assign,misc,func-returns-value]
    ramps = [np.arange(100, 100 + 25, dtype=np.int16) % NUM_CLASSES for _ in range(9)]
    store = Store.of(ramps)
    trainer.fit(store, store, on_step=lambda _: None, on_checkpoint=lambda: None)
    firsts = {int(ids[row, 0]) for ids in seen for row in range(len(ids))}
    assert firsts == {(100 + at) % NUM_CLASSES for at in (0, 4, 8, 12, 16)}


def test_samples_repeat_and_do_not_depend_on_how_many_there_are() -> None:
    model = made(num_classes=38)
    four = model.generate(request(4, num_steps=20))
    one = model.generate(request(1, num_steps=20))
    assert [len(sample.events) for sample in four] == [20] * 4
    assert np.array_equal(one[0].events, four[0].events)
    again = model.generate(request(4, num_steps=20))
    assert all(np.array_equal(a.events, b.events) for a, b in zip(four, again, strict=True))
    other = model.generate(request(4, seed=6, num_steps=20))
    assert not np.array_equal(four[0].events, other[0].events)
    assert len(model.generate(request(1))[0].events) == 4 * LENGTH
    assert request().encoding.decode(four[0]).notes


def test_a_low_temperature_takes_the_likeliest() -> None:
    model = made()
    (cold,) = model.generate(request(1, temperature=0.01, num_steps=LENGTH))
    ids = torch.from_numpy(cold.events)[None]
    assert torch.equal(logits_of(model.generator, ids).argmax(2), ids)


def test_weights_come_back() -> None:
    model = made(num_classes=38)
    other = SeqGan(feeding(38), SMALL)
    other.load_state_dict(model.state_dict())
    a, b = model.generate(request()), other.generate(request())
    assert all(np.array_equal(x.events, y.events) for x, y in zip(a, b, strict=True))


def test_labels_that_are_no_events_are_never_made() -> None:
    encoding = open_encoding(ExamplesConfig("lookback_rnn"))
    torch.manual_seed(0)
    model = SeqGan(Feeding.of(encoding), SMALL)
    assert model.num_classes == 40
    samples = model.generate(request(8, encoding="lookback_rnn", num_steps=64))
    assert max(sample.events.max() for sample in samples) < 38


def test_errors_name_the_value() -> None:
    with pytest.raises(ValueError, match=r"width 9 is wider than a window of 8"):
        made(SMALL.changed("filter_widths=[2,9]"))
    with pytest.raises(ValueError, match=r"num_filters has 2 numbers, filter_widths 3"):
        made(SMALL.changed("filter_widths=[1,2,3]"))
    with pytest.raises(ValueError, match=r"roll_outs.*0"):
        SMALL.changed("roll_outs=0")
    assert SMALL.changed("num_filters=[5]").filters == [(1, 5), (3, 5)]


def test_tables_do_not_follow_the_weights() -> None:
    model = EventLstm(64, 4, 6)
    tables = model.tables()
    before = [getattr(tables, field.name).clone() for field in dataclasses.fields(Tables)]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    for field, value in zip(dataclasses.fields(Tables), before, strict=True):
        assert torch.equal(getattr(tables, field.name), value)


TINY = oracle.Setting(
    num_classes=30, length=6, num_units=8, num_sequences=100, num_judged=50, num_epochs=2,
    more_epochs=1, critic_steps=1, turns=2, temperatures=(0.5,),
    hparams="filter_widths=[1,2],num_filters=[4],roll_outs=2,critic_batches=1,batch_size=16",
)  # fmt: skip


def test_the_oracle_prints_its_table() -> None:
    lines = list(oracle.table(TINY, [4, 5]))
    assert len(lines) == 2 + 6 + 5 + 1 + 6 + len(oracle.PUBLISHED)
    assert sum("epochs of likelihood" in line for line in lines) == 2  # a seed's, and the mean
    assert lines[-1].endswith("8.68")
    without_seconds = [line[:86] for line in lines]
    assert without_seconds == [line[:86] for line in oracle.table(TINY, [4, 5])]


def test_the_oracle_finds_its_own_sequences_likeliest() -> None:
    trial = oracle.Trial(TINY, 0)
    own, *others = trial.figures(is_long=True)
    assert own.seconds == 0
    assert all(own.held_out < each.held_out for each in others)
    assert all(own.oracle < each.oracle for each in others)


def test_a_temperature_is_that_of_sampling() -> None:
    model = EventLstm(NUM_CLASSES, 4, 6, spread=1.0)
    uniform = torch.rand(9, 7)
    cooler = oracle._at(model, 0.5)
    made_cooler = cooler.tables().sample(uniform).ids
    assert torch.equal(made_cooler, model.tables(temperature=0.5).sample(uniform).ids)
    assert not torch.equal(made_cooler, model.tables().sample(uniform).ids)


def test_the_oracle_reads_no_data() -> None:
    with pytest.raises(ValueError, match="leave out 'x'"):
        list(oracle.prove("x", Config()))


def test_a_critic_that_begins_late_is_given_time() -> None:
    health = Health()
    for _ in range(100):
        health.see({"gradient": 1.0}, "")
    for step in range(60):
        health.see({"critic_gap": 0.001 + 0.05 * step}, "")
    assert health.notes() == []
    health.see({"critic_gap": 200.0}, "")
    assert "at 1 of 161 steps" in health.notes()[0]
