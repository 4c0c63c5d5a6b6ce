"""The GAN that writes ABC: what it learns of, its losses by plain formulas, training, samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from corpus.config import Config, SampleConfig, TrainConfig
from corpus.encodings import EncodedExample
from corpus.encodings.abc_text import AbcTextEncoding
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models.generative import Material, Request, Turn
from trainers.models.parts.wgan_abc_nets import Critic, Generator, between, penalty
from trainers.models.parts.wgan_abc_text import FIELDS, divergence, groups, window, window_starts
from trainers.models.wgan_abc import SOFT, WganAbc, WganAbcHparams
from trainers.proving import abc_tunes

SMALL = WganAbcHparams(
    batch_size=8, length=8, units=16, embedding_size=8, curriculum=0.5, helping=0.5, penalty=1.0,
    learning_rate=0.01, critic_learning_rate=0.02, average=0.9, critic_steps=2,
)  # fmt: skip
ENCODING = AbcTextEncoding()
TUNE = '[M:3/4][K:G]GAB|[M:2/4]"G"d2 c2|:e3 d|1 cB AG:|2 G4|]'


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def example(text: str) -> EncodedExample:
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
    return EncodedExample(np.where(codes == 10, 0, codes - 31))


def text_of(characters: np.ndarray) -> str:
    return ENCODING.text(EncodedExample(characters.astype(np.int64)))


def made(hparams: WganAbcHparams = SMALL) -> WganAbc:
    torch.manual_seed(1)
    return WganAbc(Feeding.of(ENCODING), hparams)


def material(model: WganAbc, *texts: str) -> list[Material]:
    found = [model.material(example(text)) for text in texts]
    return [piece for piece in found if piece is not None]


def tunes() -> list[str]:
    """Tunes of four bars each, in which notes go up."""
    notes = "CDEFGAB"
    return [
        "[K:G]" + "|".join("".join(notes[(at + bar + i) % 7] for i in range(3)) for bar in range(4))
        for at in range(7)
    ]


def trainer_of(model: WganAbc, num_steps: int) -> GenerativeTrainer:
    config = TrainConfig(
        model="wgan_abc", num_steps=num_steps, eval_every=num_steps, checkpoint_every=1,
        patience=0, device="cpu", precision="fp32",
    )  # fmt: skip
    return GenerativeTrainer(model, config, engine.Machine.of(config), 3)


def fit(trainer: GenerativeTrainer, stop_after: int = 0, texts: list[str] | None = None) -> None:
    def on_step(_: int) -> None:
        if trainer.progress.step == stop_after:
            raise KeyboardInterrupt

    assert isinstance(trainer.model, WganAbc)
    store = Store.of(material(trainer.model, *(texts or tunes())))
    trainer.fit(store, store, on_step=on_step, on_checkpoint=lambda: None)


def request(count: int = 3, seed: int = 5, **settings: float) -> Request:
    return Request(count, SampleConfig(**settings), ENCODING, seed)  # type: ignore[arg-type]


def samples(model: WganAbc, count: int = 3, seed: int = 5, **settings: float) -> list[str]:
    return [ENCODING.text(each) for each in model.generate(request(count, seed, **settings))]


def turn(step: int, num_steps: int = 10, seed: int = 0) -> Turn:
    return Turn(step, num_steps, lambda count: [], np.random.default_rng(seed), {})


# What it learns of.


def test_windows_begin_with_bars_and_hold_no_field() -> None:
    model = made()
    (piece,) = material(model, TUNE)
    text = text_of(piece[0])
    assert text == '[M:3/4][K:G]GAB|"G"d2 c2|:e3 d|1 cB AG:|2 G4|]'
    starts = window_starts(piece).tolist()
    assert [text[at : at + 4] for at in starts] == ["GAB|", '"G"d', "e3 d"]
    rng = np.random.default_rng(0)
    assert {text_of(window(piece, 8, rng)) for _ in range(50)} == {
        text[at : at + 8] for at in starts
    }


def test_music_shorter_than_a_window_is_of_no_use() -> None:
    model = made()
    assert model.material(example("[K:G]CDEFGAB")) is None
    assert model.material(example("[K:G]CDEFGABc")) is not None


def test_prepare_keeps_the_characters_and_the_commonest_fields() -> None:
    model = made()
    model.prepare(material(model, "[K:G]CDEF|GA|", "[K:D]CDE|F|GA|", "[K:G]CCCCDDDD"))
    assert {chr(at + 31) for at in model.known.nonzero()[:, 0].tolist()} == set("CDEFGA|")
    for text in samples(model, 4, num_steps=20):
        assert text.startswith("[K:G]")
        assert len(text) == 25
        assert set(text[5:]) <= set("CDEFGA|")


def test_fields_that_are_too_many_are_left_out() -> None:
    model = made()
    model.prepare(material(model, "[K:G]" * 20 + "CDEFGABc"))
    assert all(len(text) == 8 for text in samples(model))


def test_groups_and_divergence_by_hand() -> None:
    texts = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6]])
    one = groups(texts)
    assert one == {(1, 2, 3, 4): 2, (2, 3, 4, 5): 1, (2, 3, 4, 6): 1}
    assert divergence(one, one) == 0.0
    assert divergence(one, groups(texts + 10)) == pytest.approx(np.log(2))
    half = groups(np.array([[1, 2, 3, 4]]))
    expected = 0.5 * (0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(2)) + 0.5 * np.log(1 / 0.75)
    assert divergence(one, half) == pytest.approx(expected)


# Nets and losses.


def test_a_step_by_hand_is_torchs_gru() -> None:
    critic = Critic(5, 4, 6)
    characters = torch.randint(5, (3, 7))
    states = critic.read(characters)
    state = torch.zeros(3, 6)
    for at in range(7):
        state = critic.step(critic.embed(characters[:, at]), state)
        torch.testing.assert_close(state, states[:, at])
    one_hot = F.one_hot(characters, 5).float()
    lengths = torch.tensor([1, 4, 7])
    expected = critic.score(states)[torch.arange(3), lengths - 1]
    torch.testing.assert_close(critic.score_ends(one_hot, lengths), expected)


def test_a_helped_critic_reads_real_characters_and_a_made_one() -> None:
    critic = Critic(5, 4, 6)
    real, other = torch.randint(5, (2, 3, 6)).unbind()
    said = F.one_hot(other, 5).float()
    scores = critic.score_next(said, critic.before(critic.read(real)))
    for at in range(6):
        text = torch.cat([real[:, :at], other[:, at : at + 1]], 1)
        torch.testing.assert_close(scores[:, at], critic.score(critic.read(text))[:, -1])


def test_a_helped_generator_says_what_it_says_step_by_step() -> None:
    generator = Generator(5, 4, 6)
    real, state = torch.randint(5, (3, 4)), torch.randn(3, 6)
    logits = generator.helped(real, state)
    embedded = generator.first(3)
    for at in range(4):
        state = generator.step(embedded, state)
        torch.testing.assert_close(logits[:, at], generator.leave(state))
        embedded = generator.embed(real[:, at])


def test_penalty_of_a_known_slope() -> None:
    slope = torch.tensor([3.0, 4.0], requires_grad=True)
    inputs = torch.randn(6, 1, 2, requires_grad=True)
    found = penalty((inputs * slope).sum((1, 2)), inputs)
    assert float(found.detach()) == pytest.approx(16.0)
    found.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(slope.grad, 2 * 4 * slope.detach() / 5)


def test_points_lie_between_real_and_made() -> None:
    points = between(torch.zeros(50, 2, 3), torch.ones(50, 2, 3))
    assert points.requires_grad
    assert float(points.min()) >= 0
    assert float(points.max()) <= 1
    assert all(len(row.unique()) == 1 for row in points)


@pytest.mark.parametrize("is_helped", [True, False])
def test_critic_loss_is_penalty_minus_gap(is_helped: bool) -> None:
    model = made(dataclasses.replace(SMALL, penalty=0.0))
    real = torch.randint(96, (8, 6))
    loss, gap = model._critic_loss(real, is_helped)
    assert float(loss.detach()) == pytest.approx(-gap)
    torch.manual_seed(4)
    without, _ = model._critic_loss(real, is_helped)
    model.hparams = dataclasses.replace(SMALL, penalty=10.0)
    torch.manual_seed(4)
    penalized, _ = model._critic_loss(real, is_helped)
    with torch.no_grad():
        model.critic.leave.weight.zero_()
    flat, _ = model._critic_loss(real, is_helped)
    assert float(penalized.detach()) > float(without.detach())
    assert float(flat.detach()) == pytest.approx(10.0, abs=1e-3)  # a slope of 0 is 1 away


@pytest.mark.parametrize("output", ["soft", "straight"])
@pytest.mark.parametrize("is_helped", [True, False])
def test_the_generator_learns_from_the_critic_only(output: str, is_helped: bool) -> None:
    model = made(dataclasses.replace(SMALL, output=output))
    loss = model._generator_loss(torch.randint(96, (8, 6)), is_helped)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(each.grad is not None for each in model.generator.parameters())
    assert all(each.grad is None and each.requires_grad for each in model.critic.parameters())


def test_outputs_are_distributions_or_characters() -> None:
    logits = torch.randn(200, 96)
    soft = made(dataclasses.replace(SMALL, output=SOFT))._said(logits)
    torch.testing.assert_close(soft, logits.softmax(-1))
    drawn = made()._said(logits)
    assert ((drawn == 0) | ((drawn - 1).abs() < 1e-5)).all()
    assert torch.allclose(drawn.sum(-1), torch.ones(200))
    assert not torch.equal(drawn.argmax(-1), logits.argmax(-1))


def test_curriculum_lengths_help_and_rates() -> None:
    model = made(dataclasses.replace(SMALL, length=16, curriculum=0.5, helping=0.25))
    assert [model._length(turn(step)) for step in (0, 2, 4, 5, 9)] == [4, 8, 13, 16, 16]
    shares = [np.mean([model._is_helped(turn(at, seed=s)) for s in range(400)]) for at in (0, 5)]
    assert shares[0] == 1.0
    assert shares[1] == pytest.approx(0.25, abs=0.06)
    at_once = made(dataclasses.replace(SMALL, curriculum=0.0))
    assert at_once._length(turn(0)) == 8
    optimizers = model.optimizers()
    rates = []
    for step in (0, 5, 10):
        model._set_rates(dataclasses.replace(turn(step), optimizers=optimizers))
        rates.append(optimizers["critic"].param_groups[0]["lr"])
    assert rates == pytest.approx([0.02, 0.02, 0.002])


# Training and samples.


def test_overfits_one_batch() -> None:
    model = made(dataclasses.replace(SMALL, helping=0.8, curriculum=0.2, noise=0.1))
    texts = ["[K:G]CDEF|CDEF|CDEF|"]
    store = Store.of(material(model, *texts))
    trainer = trainer_of(model, 150)
    fresh = trainer.score(store)
    fit(trainer, texts=texts)
    found = trainer.score(store)
    assert fresh["loss"] > 0.6
    assert found["loss"] < 0.1
    assert found["bleu"] > 0.9
    assert not trainer.notes()
    (tune,) = model.generate(request(1, num_steps=10))
    pitches = [note.pitch for note in ENCODING.decode(tune).notes]
    assert pitches == [60, 62, 64, 66, 60, 62, 64, 66]  # F is sharp in G, which stands in front


def test_state_dict_brings_samples_back() -> None:
    model = made()
    fit(trainer_of(model, 4))
    torch.manual_seed(9)
    other = WganAbc(Feeding.of(ENCODING), SMALL)
    assert samples(other) != samples(model)
    other.load_state_dict(model.state_dict())
    assert samples(other) == samples(model)


@pytest.mark.parametrize("output", ["soft", "straight"])
def test_samples_repeat_and_do_not_depend_on_how_many(output: str) -> None:
    model = made(dataclasses.replace(SMALL, output=output, noise=5.0))
    fit(trainer_of(model, 4))
    many = samples(model, 20)
    assert samples(model, 20) == many
    assert samples(model, 3) == many[:3]
    assert samples(model, 17) == many[:17]
    assert samples(model, 20, seed=6) != many
    assert len(set(many)) > 1
    assert [FIELDS.sub("", text)[:8] for text in samples(model, 3, num_steps=30)] == [
        FIELDS.sub("", text) for text in many[:3]
    ]


def test_a_low_temperature_takes_the_likeliest() -> None:
    model = made()
    fit(trainer_of(model, 20))
    model.hparams = dataclasses.replace(SMALL, noise=0.0)
    assert len(set(samples(model, 10, temperature=1e-4))) == 1
    assert len(set(samples(model, 10))) > 1


def test_soft_output_has_no_temperature() -> None:
    model = made(dataclasses.replace(SMALL, output=SOFT))
    with pytest.raises(ValueError, match=r"temperature is 0\.5.*output=straight"):
        model.generate(request(temperature=0.5))


def test_a_resumed_training_ends_with_the_same_weights() -> None:
    whole = trainer_of(made(), 6)
    fit(whole)
    part = trainer_of(made(), 6)
    with pytest.raises(KeyboardInterrupt):
        fit(part, stop_after=3)
    torch.manual_seed(7)
    later = trainer_of(WganAbc(Feeding.of(ENCODING), SMALL), 6)
    later.load(part.tensors(), dataclasses.asdict(part.progress))
    fit(later)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, later.model.state_dict()[name]), name


def test_hyperparameters_are_checked() -> None:
    with pytest.raises(ValueError, match="output is soft or straight, not 'hard'"):
        WganAbc.defaults.changed("output=hard")
    with pytest.raises(ValueError, match="length"):
        WganAbc.defaults.changed("length=2")


# The proof.


def test_judgments_of_texts() -> None:
    assert abc_tunes.is_read("CDE")
    assert not abc_tunes.is_read("|||")
    assert abc_tunes.is_clean('"G"CDE|F"A')
    assert not abc_tunes.is_clean('"G CDE|F|')
    assert not abc_tunes.is_clean("CDEF")
    eighth = 0.125  # a sixteenth of a whole note at 120
    assert abc_tunes.bar_lengths("C2DE|F3 z|:G/2G/2G|A") == pytest.approx(
        [4 * eighth, 4 * eighth, 2 * eighth]
    )


def test_a_chain_goes_by_the_characters_before() -> None:
    (text, *_) = abc_tunes.chain(["CDECDE"], 2, 12, 0)
    assert text == "CDECDECDECDE"
    assert set("".join(abc_tunes.chain(["CCDE"], 1, 30, 0))) == set("CDE")


def test_a_folder_without_tunes_is_said(tmp_path: Path) -> None:
    for data in ("", str(tmp_path)):
        with pytest.raises(ValueError, match=r"no \.abc file in .*--data FOLDER"):
            next(abc_tunes.prove(data, Config()))


def test_the_table_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    bars = [["".join(rng.choice(list("CDEFGAB"), 4)) for _ in range(24)] for _ in range(40)]
    book = "\n\n".join(
        f"X:{at}\nT:tune\nM:4/4\nK:G\n" + "|".join(each) + "|" for at, each in enumerate(bars)
    )
    (tmp_path / "book.abc").write_text(book)
    monkeypatch.setattr(abc_tunes, "SEEDS", (0,))
    hparams = "batch_size=4,units=8,embedding_size=4"
    config = Config(train=TrainConfig(num_steps=2, hparams=hparams))
    lines = list(abc_tunes.prove(str(tmp_path), config))
    assert lines[0].startswith("40 tunes of 1 files, ")
    rows = {line.split(",")[0][:26].strip(): line[26:].split() for line in lines if "." in line}
    assert float(rows["held-out tunes"][1]) > 0.5
    assert float(rows["wgan_abc"][2]) < float(rows["held-out tunes"][1])
    assert "0.931" in lines[-1]
