"""Adversarial models of piano rolls: their losses, samples, forms, keys and trainings."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from corpus.config import SampleConfig, TrainConfig
from corpus.encodings import EncodedExample
from corpus.encodings.pianoroll import PianorollEncoding
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models import GENERATORS, make_generator
from trainers.models.dcrnn import Dcrnn
from trainers.models.generative import Request, descend
from trainers.models.parts import roll_music
from trainers.models.parts.roll_forms import Part
from trainers.models.parts.roll_gan import CRITIC, GENERATOR, RollGan
from trainers.models.parts.roll_wgan import RollWgan

torch.set_num_threads(1)
MODELS = ("rnn_gan", "cnn_wgan", "dcrnn")
CONDITIONED = ("cnn_wgan", "dcrnn")
SMALL = "batch_size=4,length=16,num_keys=24,code_size=5,head_start=0"
SIZES = {
    "rnn_gan": ",rnn_layer_sizes=[12]",
    "cnn_wgan": ",channels=[4],hidden=8,strips=4,generator_channels=64",
    "dcrnn": ",channels=[4],hidden=8,strips=4,rnn_layer_sizes=[8,9]",
}
ENCODING = PianorollEncoding()


def model_of(name: str, changes: str = "", encoding: PianorollEncoding = ENCODING) -> RollGan:
    torch.manual_seed(0)
    feeding = Feeding.of(encoding)
    hparams = GENERATORS[name].hparams.changed(SMALL + SIZES[name]).changed(changes)
    model = make_generator(name, feeding, hparams)
    assert isinstance(model, RollGan)
    if isinstance(model, RollWgan):
        with torch.no_grad():  # or nothing would sound before it has learnt
            for player in (model.generator, model.mean_generator):
                player.get_parameter("strips.strip.bias").zero_()
    return model


def chords(count: int, num_steps: int = 32) -> list[np.ndarray[Any, Any]]:
    """Rolls of two chords of four beats each, in different keys."""
    rolls = []
    for number in range(count):
        roll = np.zeros((num_steps, 128), np.uint8)
        for step in range(num_steps):
            for key in (60, 64, 67) if step // 4 % 2 else (59, 62, 67):
                roll[step, key + number % 5] = 1
        rolls.append(roll)
    return rolls


def trainer_of(name: str, num_steps: int, changes: str = "") -> GenerativeTrainer:
    config = TrainConfig(
        model=name, num_steps=num_steps, eval_every=num_steps, checkpoint_every=2, patience=0,
        device="cpu", precision="fp32",
    )  # fmt: skip
    return GenerativeTrainer(model_of(name, changes), config, engine.Machine.of(config), seed=3)


def fit(trainer: GenerativeTrainer, rolls: list[np.ndarray[Any, Any]]) -> None:
    trainer.fit(
        Store.of(rolls), Store.of(rolls), on_step=lambda _: None, on_checkpoint=lambda: None
    )


def samples(model: RollGan, count: int = 2, seed: int = 1, **settings: Any) -> list[Any]:
    model.eval()
    config = dataclasses.replace(SampleConfig(), **settings)
    found = model.generate(Request(count, config, ENCODING, seed))
    return [example.events for example in found]


def test_losses_are_those_of_the_formulas() -> None:
    torch.manual_seed(1)
    real, conditions = (torch.rand(4, 16, 24) < 0.2).float(), torch.full((4, 12), 1 / 12)
    for name in MODELS:
        model = model_of(name)
        torch.manual_seed(7)
        made = model.made(conditions)
        torch.manual_seed(7)
        loss = model.generator_loss(conditions)
        scores = model.scores(made, conditions)
        wanted = -scores.sigmoid().log().mean() if name == "rnn_gan" else -scores.mean()
        torch.testing.assert_close(loss, wanted)
        assert model.scores(real, conditions).shape == (4,)


def test_a_critics_update_widens_the_gap() -> None:
    for name in MODELS:
        model = model_of(name, "critic_learning_rate=0.003")
        real, conditions = model._tensors(model._windows(chords(4), np.random.default_rng(0)))
        optimizers = model.optimizers()
        made = model.made(conditions).detach()
        gaps = []
        for _ in range(8):
            gap = model.scores(real, conditions).mean() - model.scores(made, conditions).mean()
            gaps.append(float(gap.detach()))
            descend(optimizers[CRITIC], -gap)
        assert gaps[-1] > gaps[0]
        assert GENERATOR in optimizers


@pytest.mark.parametrize("name", CONDITIONED)
def test_overfits_one_roll(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one roll in one key there is nothing else to make."""
    monkeypatch.setattr(RollWgan, "is_conditioned", False)
    trainer = trainer_of(name, 150, "learning_rate=0.005,critic_learning_rate=0.005,decay=0.9")
    roll = chords(1)[0][:16]
    fit(trainer, [roll])
    model = trainer.model
    assert isinstance(model, RollGan)
    wanted = roll_music.folded(roll, int(model.lowest), 24)
    score = trainer.score(Store.of([roll] * 8))
    assert score["real_density"] == pytest.approx(wanted.mean())
    made = np.stack(samples(model, 8))
    lowest = int(model.lowest)
    off = np.mean(made[:, :, lowest : lowest + 24] != wanted)
    assert off < 0.5 * wanted.mean()


def test_both_networks_of_the_rnn_gan_learn_where_the_other_stands_still() -> None:
    model = model_of("rnn_gan", "critic_learning_rate=0.5,learning_rate=0.01")
    optimizers = model.optimizers()
    real, conditions = model._tensors(model._windows(chords(4), np.random.default_rng(0)))
    made = model.made(conditions).detach()
    losses = []
    for _ in range(40):
        told = model.scores(real, conditions).sigmoid().log().mean()
        told = told + (1 - model.scores(made, conditions).sigmoid()).log().mean()
        losses.append(-float(told.detach()))
        descend(optimizers[CRITIC], -told)
    assert losses[0] == pytest.approx(2 * np.log(2), rel=0.1)
    assert losses[-1] < 0.1
    torch.manual_seed(0)
    before = float(model.generator_loss(conditions).detach())
    for _ in range(40):
        descend(optimizers[GENERATOR], model.generator_loss(conditions))
    assert float(model.generator_loss(conditions).detach()) < before / 4


@pytest.mark.parametrize("name", MODELS)
def test_saved_weights_make_the_same_music(name: str) -> None:
    trainer = trainer_of(name, 2)
    fit(trainer, chords(6))
    model = trainer.model
    assert isinstance(model, RollGan)
    fresh = model_of(name)
    fresh.load_state_dict(model.state_dict())
    for one, other in zip(samples(model), samples(fresh), strict=True):
        assert one.any()
        np.testing.assert_array_equal(one, other)
    assert int(fresh.lowest) == int(model.lowest) > 0


@pytest.mark.parametrize("name", MODELS)
def test_samples_repeat_by_seed_whatever_their_number(name: str) -> None:
    model = model_of(name)
    three = samples(model, 3)
    assert [each.shape for each in three] == [(16, 128)] * 3
    assert all(0.05 < each.mean() < 0.95 for each in np.stack(three)[:, :, :24])
    np.testing.assert_array_equal(three[0], samples(model, 1)[0])
    np.testing.assert_array_equal(np.stack(three), np.stack(samples(model, 3)))
    noise = torch.randn(2, 1, 5)
    conditions = torch.full((1, 12), 1 / 12)
    one, other = (model.logits([Part(each, 16)], conditions) for each in noise)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_stopped_training_ends_as_one_that_was_not(name: str) -> None:
    whole = trainer_of(name, 4)
    fit(whole, chords(6))
    kept: dict[str, Any] = {}
    stopped = trainer_of(name, 4)

    def keep() -> None:
        kept["tensors"] = {n: v.clone() for n, v in stopped.tensors().items()}
        kept["progress"] = dataclasses.asdict(stopped.progress)

    rolls = Store.of(chords(6))
    stopped.fit(rolls, rolls, on_step=lambda _: None, on_checkpoint=keep)
    assert kept["progress"]["step"] == 2
    again = trainer_of(name, 4)
    again.load(kept["tensors"], kept["progress"])
    fit(again, chords(6))
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[key], value, rtol=0, atol=0)


def test_the_critic_has_a_head_start() -> None:
    for name in MODELS:
        trainer = trainer_of(name, 3, "head_start=2")
        model = trainer.model
        assert isinstance(model, RollGan)
        (weight, *_), (critic, *_) = model.generator.parameters(), model.critic.parameters()
        seen: list[tuple[Tensor, Tensor]] = [(weight.detach().clone(), critic.detach().clone())]
        rolls = Store.of(chords(6))
        trainer.fit(
            rolls, rolls, on_checkpoint=lambda: None,
            on_step=lambda _, to=seen, of=(weight, critic): to.append(  # type: ignore[misc]
                (of[0].detach().clone(), of[1].detach().clone())
            ),
        )  # fmt: skip
        assert [torch.equal(one[0], seen[0][0]) for one in seen] == [True, True, True, False]
        assert not torch.equal(seen[1][1], seen[0][1])


def test_the_running_mean_follows_and_plays() -> None:
    trainer = trainer_of("dcrnn", 3, "decay=0.5")
    model = trainer.model
    assert isinstance(model, RollWgan)
    rolls = Store.of(chords(6))
    wanted = [mean.clone() for mean in model.mean_generator.parameters()]
    news: list[list[Tensor]] = []
    trainer.fit(
        rolls, rolls, on_checkpoint=lambda: None,
        on_step=lambda _: news.append([p.detach().clone() for p in model.generator.parameters()]),
    )  # fmt: skip
    for step, weights in enumerate(news):
        share = min(0.5, (step + 1) / (step + 10))
        wanted = [share * w + (1 - share) * new for w, new in zip(wanted, weights, strict=True)]
    for mean, value in zip(model.mean_generator.parameters(), wanted, strict=True):
        torch.testing.assert_close(mean, value)
        assert not mean.requires_grad
    assert model.eval().player is model.mean_generator
    assert model.train().player is model.generator


def test_equal_letters_make_equal_windows() -> None:
    (events,) = samples(model_of("cnn_wgan"), 1, form="ABCAB", num_steps=80)
    a, b, c, again, last = np.split(events, 5)
    np.testing.assert_array_equal(a, again)
    np.testing.assert_array_equal(b, last)
    assert (a != b).any()
    assert (b != c).any()
    np.testing.assert_array_equal(samples(model_of("cnn_wgan"), 1)[0], a)


def test_the_recurrent_generator_goes_on() -> None:
    """A longer piece begins as the short one; a form's noise is heard where its part begins."""
    model = model_of("dcrnn").eval()
    assert isinstance(model, Dcrnn)
    noise, conditions = torch.randn(2, 1, 5), torch.full((1, 12), 1 / 12)
    short = model.logits([Part(noise[0], 16)], conditions)
    long = model.logits([Part(noise[0], 80)], conditions)
    changed = model.logits([Part(noise[0], 16), Part(noise[1], 16)], conditions)
    torch.testing.assert_close(long[:, :16], short)
    torch.testing.assert_close(changed[:, :16], short)
    assert not torch.allclose(long[:, 16:32], changed[:, 16:])
    assert [len(events) for events in samples(model, 1, form="ABCAB")] == [80]
    assert [len(events) for events in samples(model, 1, num_steps=37)] == [37]


def test_each_beat_has_one_structure() -> None:
    model = model_of("dcrnn", "repeats=3").eval()
    assert isinstance(model, Dcrnn)
    lengths: list[int] = []
    model.mean_generator.rnn_a.register_forward_hook(  # type: ignore[union-attr]
        lambda _, given, __: lengths.append(given[0].shape[1])
    )
    assert model.logits([Part(torch.randn(1, 5), 16)], torch.zeros(1, 12)).shape == (1, 16, 24)
    assert lengths == [6]  # 18 steps, of which 16 are kept


def test_strips_play_the_same_octave_everywhere() -> None:
    strips = model_of("dcrnn").generator.strips
    assert isinstance(strips, torch.nn.Module)
    with torch.no_grad():
        octaves = strips.octaves
        assert isinstance(octaves, torch.nn.Linear)
        octaves.weight[4:] = octaves.weight[:4]
        octaves.bias[4:] = octaves.bias[:4]
        logits = strips(torch.randn(2, 3, 17), torch.rand(2, 12))
    torch.testing.assert_close(logits[..., :12], logits[..., 12:])


def test_rolls_are_learnt_in_all_keys_with_their_histograms() -> None:
    model = model_of("dcrnn")
    model.prepare(chords(5))
    rng = np.random.default_rng(0)
    rolls, conditions = model._tensors(model._windows(chords(1) * 200, rng))
    assert len({roll.argmax() for roll in conditions.numpy()}) == 12
    np.testing.assert_allclose(conditions.sum(1), 1, rtol=1e-6)
    by_class = rolls.sum(1).reshape(200, 2, 12).sum(1)
    torch.testing.assert_close(conditions, by_class / by_class.sum(1, keepdim=True))
    unconditioned = model_of("rnn_gan")
    kept = unconditioned._windows(chords(1) * 9, rng)
    assert len({roll_music.histogram(roll).tobytes() for roll in kept}) == 1


def test_figures_are_all_explained() -> None:
    for name in MODELS:
        model = model_of(name).eval()
        model.prepare(chords(6))
        found = model.examine(chords(6), np.random.default_rng(0))
        assert set(found) == set(model.figures)
        assert found["real_in_scale"] == 1.0
        assert all(np.isfinite(value) for value in found.values())


def test_what_is_no_material() -> None:
    model = model_of("dcrnn")
    silent = np.zeros((32, 128), np.int64)
    assert model.material(EncodedExample(silent)) is None
    assert model.material(EncodedExample(chords(1)[0][:15].astype(np.int64))) is None
    kept = model.material(EncodedExample(chords(1)[0].astype(np.int64)))
    assert kept is not None
    assert kept.dtype == np.uint8


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"form": "AB2"}, "AB2"),
        ({"form": "ABCAB", "num_steps": 16}, "16 steps are too few"),
        ({"key": "H"}, "'H' is no key"),
        ({"key": "C", "pitch_class_histogram": (1.0,) * 12}, "give one of them"),
        ({"pitch_class_histogram": (1.0, 2.0)}, r"\[1.0, 2.0\]"),
        ({"pitch_class_histogram": (-1.0,) * 12}, "twelve weights"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], words: str) -> None:
    for name in CONDITIONED:
        with pytest.raises(ValueError, match=words):
            samples(model_of(name), 1, **settings)


def test_hyperparameters_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="not 30 and 16"):
        model_of("dcrnn", "num_keys=30")
    with pytest.raises(ValueError, match="not 24 and 40"):
        model_of("cnn_wgan", "length=40")
    with pytest.raises(ValueError, match=r"RNNa and RNNb, not \(8,\)"):
        model_of("dcrnn", "rnn_layer_sizes=[8]")
    with pytest.raises(ValueError, match="between 1 and 100, not 0"):
        model_of("rnn_gan", "critic_steps=0")
