"""pix2pix: facades, losses, learning, coming back, going on, samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from corpus.config import Config, SampleConfig, TrainConfig
from corpus.encodings import EncodedExample
from corpus.encodings.pianoroll import PianorollEncoding
from corpus.records import TEST, TRAIN, VALIDATION
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models import make_generator
from trainers.models.generative import Request, Turn
from trainers.models.parts.facades import Filled, Notes, Roll, facade_of
from trainers.models.parts.pix2pix_nets import (
    critic_loss,
    generator_loss,
    noise_of,
    reconstruction_loss,
    rounded,
)
from trainers.models.pix2pix import Pix2pix, Pix2pixHparams
from trainers.proving import blanks

ENCODING = PianorollEncoding(min_pitch=48, max_pitch=78)
SMALL = Pix2pixHparams(batch_size=4, channels=8, depth=3, critic_channels=4)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def triads(seed: int, num_steps: int = 40) -> Roll:
    """Chords of three keys that move every four steps, with a rest after each."""
    rng = np.random.default_rng(seed)
    roll = np.zeros((num_steps, ENCODING.input_size), np.uint8)
    for start in range(0, num_steps, 4):
        for key in int(rng.integers(20)) + np.array([0, 4, 7]):
            roll[start : start + 3, key] = 1
    return roll


def small(changes: str = "") -> Pix2pix:
    torch.manual_seed(0)
    model = make_generator("pix2pix", Feeding.of(ENCODING), SMALL.changed(changes))
    assert isinstance(model, Pix2pix)
    return model


def config(num_steps: int) -> TrainConfig:
    return TrainConfig(
        model="pix2pix", num_steps=num_steps, eval_every=2, checkpoint_every=2, patience=0,
        device="cpu", precision="fp32",
    )  # fmt: skip


def trainer(num_steps: int) -> GenerativeTrainer:
    setting = config(num_steps)
    return GenerativeTrainer(small(), setting, engine.Machine.of(setting), seed=3)


def fit(running: GenerativeTrainer) -> None:
    music, held_out = ([triads(n, 30 + n) for n in which] for which in (range(9), range(20, 23)))
    running.fit(
        Store.of(music), Store.of(held_out), on_step=lambda _: None, on_checkpoint=lambda: None
    )


def request(count: int, seed: int = 0, primer: tuple[Roll, ...] = (), **more: object) -> Request:
    settings = dataclasses.replace(SampleConfig(), **more)  # type: ignore[arg-type]
    examples = [EncodedExample(roll.astype(np.int64)) for roll in primer]
    return Request(count, settings, ENCODING, seed, primer=examples)


def examined(model: Pix2pix, music: list[Roll]) -> dict[str, float]:
    with torch.no_grad():
        return model.eval().examine(music, np.random.default_rng(0))


def test_notes_are_runs_in_a_key() -> None:
    roll = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], np.uint8)
    notes = Notes.of(roll)
    assert notes.number.tolist() == [[0, -1, 2], [0, 1, -1], [-1, 1, 3]]
    assert notes.lengths.tolist() == [2, 2, 1, 1]
    assert notes.roll(np.array([True, False, False, True])).tolist() == [
        [1, 0, 0], [1, 0, 0], [0, 0, 1],
    ]  # fmt: skip
    assert len(Notes.of(np.zeros_like(roll))) == 0


def test_facades_lose_whole_notes_and_the_share_that_was_asked() -> None:
    roll = np.concatenate([triads(seed) for seed in range(20)])
    notes = Notes.of(roll)
    facade = facade_of(roll, 0.3, np.random.default_rng(0))
    kept = notes.shares(facade != 0)
    assert set(kept.tolist()) == {0.0, 1.0}
    assert 0.6 < kept.mean() < 0.8
    assert np.array_equal(facade, facade & roll)
    assert np.array_equal(facade_of(roll, 0.0, np.random.default_rng(0)), roll)
    assert not facade_of(roll, 1.0, np.random.default_rng(0)).any()


def test_filled_by_hand() -> None:
    truth = np.array([[1, 1, 0, 1]] * 4, np.uint8)
    facade, made = truth.copy(), truth.copy()
    facade[:, 1:] = 0
    made[2:, 1] = 0  # half of one note, nothing of the other, and one that is wrong
    made[:, 3] = 0
    made[0, 2] = 1
    found = Filled.of(truth, facade, made)
    assert (found.dropped, found.restored, found.added, found.right) == (2, 1, 2, 1)
    assert (found.recall, found.precision, found.f1) == (0.5, 0.5, 0.5)
    assert found.cells_f1 == pytest.approx(2 * 2 / (8 + 3))
    assert found.roll_f1 == pytest.approx(2 * 6 / (12 + 7))
    both = Filled.all([found, found])
    assert (both.dropped, both.cells) == (4, 16)
    assert Filled.of(truth, facade, facade).f1 == 0.0


def test_losses_are_their_formulas() -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal((2, 8, 8)))
    truth, blank = (torch.from_numpy(rng.integers(0, 2, (2, 8, 8)) * 1.0) for _ in range(2))
    p = 1 / (1 + np.exp(-logits.numpy()))
    y, b = truth.numpy(), blank.numpy()
    nats = -(3 * y * np.log(p) + (1 - y) * np.log(1 - p))
    found = reconstruction_loss(logits, truth, blank, 3.0)
    assert float(found) == pytest.approx((nats * b).sum() / (y * b).sum())
    real, made = logits[0], logits[1]
    halved = -(np.log(p[0]).mean() + np.log(1 - p[1]).mean()) / 2
    assert float(critic_loss(real, made)) == pytest.approx(halved)
    assert float(generator_loss(made)) == pytest.approx(-np.log(p[1]).mean())


def test_rounding_lets_the_gradient_through() -> None:
    values = torch.tensor([0.2, 0.7], requires_grad=True)
    made = rounded(values)
    assert made.tolist() == pytest.approx([0.0, 1.0])
    (made * torch.tensor([3.0, 5.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == [3.0, 5.0]


def test_noise_drops_its_share_and_keeps_the_mean() -> None:
    noisy = noise_of(0.25, np.random.default_rng(0))(torch.ones(100, 100))
    assert float((noisy == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert float(noisy.mean()) == pytest.approx(1.0, abs=0.02)


def test_a_batch_is_learned_by_heart() -> None:
    model = small("dropout=0,transpose=0,adversarial=0.1,learning_rate=0.01,drop=[0.5,0.5]")
    music = [triads(seed, 24) for seed in range(2)]
    optimizers, found = model.optimizers(), []
    for step in range(60):
        turn = Turn(step, 120, lambda _: music, np.random.default_rng(0), optimizers)
        found.append(model.update(turn))
    assert {"loss", "gradient", "critic_gap"} <= found[0].keys()
    assert found[-1]["loss"] < 0.01 * found[0]["loss"]
    rng = np.random.default_rng(0)
    music = [model._moved(roll, rng) for roll in music]
    given = [facade_of(roll, rng.uniform(0.5, 0.5), rng) for roll in music]
    likely = model.eval().probabilities(given)
    made = [blanks.filled(*each, 0.35) for each in zip(given, likely, strict=True)]
    assert Filled.all(map(Filled.of, music, given, made)).f1 > 0.95
    shown = examined(model, music)
    assert shown["f1"] == pytest.approx(
        2 * shown["restored"] * shown["precision"] / (shown["restored"] + shown["precision"])
    )


def test_without_the_critic_nothing_of_it_moves() -> None:
    model = small("adversarial=0")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    music = [triads(seed) for seed in range(4)]
    model.update(Turn(0, 9, lambda _: music, np.random.default_rng(0), model.optimizers()))
    moved = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    assert any(name.startswith("generator") for name in moved)
    assert not any(name.startswith("critic") for name in moved)


def test_a_stopped_training_goes_on_to_the_same_weights() -> None:
    whole, begun, resumed = trainer(4), trainer(4), trainer(4)
    fit(whole)
    saved: list[tuple[dict[str, Tensor], dict[str, object]]] = []

    def keep() -> None:
        copied = {name: value.clone() for name, value in begun.tensors().items()}
        saved.append((copied, dataclasses.asdict(begun.progress)))

    music, held_out = ([triads(n, 30 + n) for n in which] for which in (range(9), range(20, 23)))
    begun.fit(Store.of(music), Store.of(held_out), on_step=lambda _: None, on_checkpoint=keep)
    resumed.load(*saved[0])
    assert resumed.progress.step == 2
    fit(resumed)
    ends = resumed.model.state_dict()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, ends[name]), name
    assert "validation_f1" in whole.progress.history[0]


def test_samples_come_back_with_the_weights_and_by_the_seed() -> None:
    running = trainer(2)
    fit(running)
    model = running.model.eval()
    asked = request(3, num_steps=90)
    made = model.generate(asked)
    assert [sample.events.shape for sample in made] == [(90, ENCODING.input_size)] * 3
    assert made[0].made_by.endswith("filled in")
    fresh = small()
    fresh.load_state_dict(model.state_dict())
    again = fresh.eval().generate(asked)
    alone = model.generate(dataclasses.replace(asked, count=1))
    assert all(map(_same, made, again))
    assert _same(made[0], alone[0])
    assert not _same(made[0], made[1])
    assert not _same(made[0], model.generate(request(1, seed=1, num_steps=90))[0])


def _same(a: EncodedExample, b: EncodedExample) -> bool:
    return np.array_equal(a.events, b.events)


def test_kept_notes_of_a_primer_stay() -> None:
    model, roll = small("threshold=0.3").eval(), triads(5, 50)
    (made,) = model.generate(request(1, primer=(roll,), drop=0.0))
    assert (made.events >= roll).all()
    assert f"of {len(Notes.of(roll))} notes" in made.made_by
    (cut,) = model.generate(request(1, primer=(roll,), drop=0.0, num_steps=20))
    assert len(cut.events) == 20
    (longer,) = model.generate(request(1, primer=(roll,), drop=0.0, num_steps=70))
    assert (longer.events[:50] >= roll).all()
    assert len(longer.events) == 70


@pytest.mark.parametrize(("num_steps", "num_keys"), [(256, 128), (512, 128), (33, 12)])
def test_any_size_is_filled(num_steps: int, num_keys: int) -> None:
    encoding = PianorollEncoding(max_pitch=num_keys - 1, max_steps=512)
    model = Pix2pix(Feeding.of(encoding), SMALL).eval()
    roll = np.zeros((num_steps, num_keys), np.uint8)
    roll[3:9, 5] = roll[20:30, 7] = 1
    assert model.probabilities([roll, roll[:20]])[1].shape == (20, num_keys)
    kept = model.material(EncodedExample(roll.astype(np.int64)))
    assert kept is not None
    assert np.array_equal(kept, roll)
    assert model.material(EncodedExample(roll[:9].astype(np.int64))) is None
    model.prepare([roll] * 40)
    settings = SampleConfig(drop=0.01, num_steps=num_steps)
    assert model.generate(Request(1, settings, encoding, 0))[0].events.shape == roll.shape


def test_errors_name_the_value() -> None:
    for wrong in ("drop=[0.5]", "drop=[0.9,0.1]", "drop=[0,0]"):
        with pytest.raises(ValueError, match=r"drop is \[.*drop=\[0.2,0.8\]"):
            small(wrong)
    with pytest.raises(ValueError, match="between 0 and 1"):
        small("drop=[0.5,1.5]")
    model = small().eval()
    with pytest.raises(ValueError, match="drop is 0 without a primer"):
        model.generate(request(1, drop=0.0))
    with pytest.raises(ValueError, match=r"\(40, 12\).*31 keys"):
        model.generate(request(1, primer=(triads(0)[:, :12],)))


def test_the_proof_finds_what_it_is_told() -> None:
    rolls = [np.pad(triads(seed, 128), ((0, 0), (30, 67))) for seed in range(12)]
    neighbors = blanks.Neighbors(rolls[:8])
    assert neighbors.likeness([np.roll(rolls[2], 3, 1)]).tolist() == pytest.approx([1.0])
    given = blanks.facades(rolls[:2], 0.5, 0)
    votes = neighbors.votes(given, 1)
    assert all(map(np.array_equal, votes, rolls[:2]))
    splits = {TRAIN: rolls[:8], VALIDATION: [rolls[0], rolls[8]], TEST: rolls[9:]}
    said = list(blanks._without_copies(splits, neighbors))
    assert said[1].startswith("1 validation rolls; 1 are")
    assert len(splits[VALIDATION]) == 1
    copy, *_, nearest, _ = (blanks.chosen(m, rolls[:4]) for m in _few(neighbors))
    for drop in (0.25, 0.75):
        assert blanks.tested(copy, rolls[:4], drop).f1 == 0.0
        assert blanks.tested(copy, rolls[:4], drop).roll_f1 > 0.2
        assert blanks.tested(nearest, rolls[:4], drop).f1 > 0.95
    with pytest.raises(ValueError, match="no/such/folder"):
        next(blanks.prove("no/such/folder", Config()))


def _few(neighbors: blanks.Neighbors) -> list[blanks.Method]:
    return [
        dataclasses.replace(method, fillers=method.fillers[:1])
        for method in blanks.baselines(neighbors)
    ]
