"""Sequential autoencoders: losses of codes, training, and paths through codes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from corpus.config import ExamplesConfig, SampleConfig, TrainConfig
from corpus.encodings import EncodedExample, Events, open_encoding
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Pools, Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models import make_generator
from trainers.models.generative import Material, Request
from trainers.models.parts.code_walks import between, walk
from trainers.models.parts.seq_autoencoder_nets import (
    CROSS,
    HINGE,
    NONE,
    PLAIN,
    SeqAutoencoderHparams,
    continuous_loss,
    quantization_loss,
    signs,
    strangers_loss,
)
from trainers.models.seq_autoencoder import ContinuousSeqAutoencoder, SeqAutoencoder

NUM_CLASSES, WINDOW, BITS = 9, 4, 6
SMALL = SeqAutoencoderHparams(
    batch_size=16, window=WINDOW, stride=WINDOW, code_bits=BITS, num_units=24, embedding_size=8,
    learning_rate=0.01, continuity=CROSS, continuity_weight=0.003, quantization_weight=0.002,
)  # fmt: skip
ENCODING = open_encoding(ExamplesConfig(encoding="basic_rnn"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(hparams: SeqAutoencoderHparams = SMALL, seed: int = 1) -> SeqAutoencoder:
    torch.manual_seed(seed)
    feeding = Feeding("basic_rnn", "1", (NUM_CLASSES,), 0, (NUM_CLASSES,))
    return SeqAutoencoder(feeding, hparams).eval()


def songs(count: int = 12, num_steps: int = 20) -> list[Material]:
    """Pieces of scales and repeats, whose windows resemble their neighbors."""
    rng = np.random.default_rng(5)
    starts = rng.integers(NUM_CLASSES, size=count)
    return [
        ((np.arange(num_steps) // 2 + start) % NUM_CLASSES).astype(np.int32) for start in starts
    ]


def trainer_of(model: SeqAutoencoder, num_steps: int) -> GenerativeTrainer:
    config = TrainConfig(
        model="seq_autoencoder", num_steps=num_steps, eval_every=num_steps, checkpoint_every=1,
        patience=0, device="cpu", precision="fp32",
    )  # fmt: skip
    return GenerativeTrainer(model, config, engine.Machine.of(config), 3)


def fit(trainer: GenerativeTrainer) -> None:
    store = Store.of(songs())
    trainer.fit(store, store, on_step=lambda _: None, on_checkpoint=lambda: None)


def request(
    count: int = 2,
    seed: int = 7,
    primer: Events | None = None,
    target: Events | None = None,
    **settings: object,
) -> Request:
    asked = dataclasses.replace(SampleConfig(), **settings)  # type: ignore[arg-type]
    given = [[] if events is None else [EncodedExample(events)] for events in (primer, target)]
    return Request(count, asked, ENCODING, seed, *given)


def events_of(model: SeqAutoencoder, asked: Request) -> list[list[int]]:
    return [example.events.tolist() for example in model.generate(asked)]


def codes(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(5, BITS, generator=generator) * 2 - 1).requires_grad_()


def plain_loss(kind: str, first: np.ndarray, second: np.ndarray, margin: float) -> float:
    """The same by loops."""
    total = 0.0
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        square = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
        to_next = sum((x - (1 if y >= 0 else -1)) ** 2 for x, y in zip(a, b, strict=True))
        from_here = sum(((1 if x >= 0 else -1) - y) ** 2 for x, y in zip(a, b, strict=True))
        total += {
            NONE: 0.0,
            PLAIN: square,
            HINGE: max(square - margin, 0.0),
            CROSS: max(to_next - margin, 0.0) + max(from_here - margin, 0.0),
        }[kind]
    return total / len(first)


@pytest.mark.parametrize("kind", [NONE, PLAIN, HINGE, CROSS])
def test_continuous_losses_are_as_by_hand(kind: str) -> None:
    first, second = codes(0), codes(1)
    loss = continuous_loss(kind, first, second, 3.0)
    expected = plain_loss(kind, first.detach().numpy(), second.detach().numpy(), 3.0)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_cross_pulls_codes_to_their_neighbors_corners() -> None:
    first, second = codes(0), codes(1)
    continuous_loss(CROSS, first, second, 0.0).backward()  # type: ignore[no-untyped-call]
    assert first.grad is not None
    assert second.grad is not None
    torch.testing.assert_close(first.grad, 2 * (first - signs(second)).detach() / len(first))
    torch.testing.assert_close(second.grad, 2 * (second - signs(first)).detach() / len(first))


def test_strangers_are_pushed_apart_up_to_the_margin() -> None:
    first = torch.tensor([[0.5, -0.5], [1.0, 1.0]])
    second = torch.tensor([[1.0, 0.25], [-1.0, -1.0]])
    to_corner, from_corner = 0.25 + 2.25, 0.0 + 1.5625  # of the first two; the others are 8 apart
    expected = ((3.0 - to_corner) + (3.0 - from_corner)) / 2
    assert float(strangers_loss(first, second, 3.0)) == pytest.approx(expected)


def test_quantization_is_the_squared_distance_from_the_corner() -> None:
    code = torch.tensor([[0.5, -1.0, 0.0], [1.0, 1.0, -0.25]])
    assert float(quantization_loss(code)) == pytest.approx(((0.25 + 1.0) + 0.5625) / 2)


def test_overfits_a_few_songs() -> None:
    trainer = trainer_of(made(dataclasses.replace(SMALL, continuity=NONE)), 250)
    fit(trainer)
    figures = trainer.score(Store.of(songs()))
    assert figures["reconstruction"] < 0.02
    assert figures["binarized"] < 0.02
    assert figures["restored"] > 0.99


def test_codes_of_neighbors_come_nearer() -> None:
    far, near = (
        trainer_of(made(dataclasses.replace(SMALL, continuity_weight=weight)), 120)
        for weight in (0.0, 0.02)
    )
    fit(far)
    fit(near)
    store = Store.of(songs())
    assert near.score(store)["distance"] < far.score(store)["distance"] - 0.5


def test_the_decoder_of_signs_does_not_reach_the_encoder() -> None:
    first, second = made(), made()
    with torch.no_grad():
        for parameter in second.binarized_decoder.parameters():
            parameter.mul_(1.5)
    for model in (first, second):
        fit(trainer_of(model, 3))
    for name, value in first.encoder.state_dict().items():
        assert torch.equal(value, second.encoder.state_dict()[name]), name
    changed = second.binarized_decoder.logits.weight
    assert not torch.equal(changed, first.binarized_decoder.logits.weight)


def test_the_decoder_of_signs_learns_at_its_own_rate() -> None:
    once, twice = (made(dataclasses.replace(SMALL, binarized_rate=rate)) for rate in (1.0, 2.0))
    trainers = [trainer_of(model, 3) for model in (once, twice)]
    for trainer in trainers:
        trainer._step(Pools(Store.of(songs()), 3))
    before = made()
    first, second = (
        model.binarized_decoder.state.weight - before.binarized_decoder.state.weight
        for model in (once, twice)
    )
    torch.testing.assert_close(second, 2 * first, rtol=1e-3, atol=1e-5)
    for name, value in once.encoder.state_dict().items():
        assert torch.equal(value, twice.encoder.state_dict()[name]), name


@torch.no_grad()
def test_figures_are_as_by_hand_and_no_pair_spans_two_songs() -> None:
    model, pieces = made(), [songs()[0][:12], songs()[3][:10]]
    distances, nats = [], []
    for piece in pieces:
        windows = [piece[at : at + WINDOW] for at in range(0, len(piece) - WINDOW + 1, WINDOW)]
        batch = torch.from_numpy(np.stack(windows)).long()
        corners = signs(model.encoder(batch))
        distances += (corners[1:] != corners[:-1]).sum(1).tolist()
        logits = model.binarized_decoder(corners, batch).log_softmax(2)
        nats += (-logits.gather(2, batch.unsqueeze(2))).flatten().tolist()
    figures = model.examine(pieces, np.random.default_rng(0))
    assert figures["distance"] == pytest.approx(np.mean(distances))
    assert figures["binarized"] == pytest.approx(np.mean(nats), rel=1e-5)


def test_the_same_after_its_weights_went_into_another() -> None:
    trainer = trainer_of(made(), 5)
    fit(trainer)
    other = made(seed=2)
    other.load_state_dict(trainer.model.state_dict())
    assert isinstance(trainer.model, SeqAutoencoder)
    assert events_of(trainer.model.eval(), request()) == events_of(other, request())


def test_a_resumed_training_ends_with_the_same_weights() -> None:
    whole = trainer_of(made(), 6)
    fit(whole)
    first = trainer_of(made(), 6)
    for _ in range(3):
        first._step(Pools(Store.of(songs()), 3))
    second = trainer_of(made(seed=9), 6)
    second.load(
        {name: value.clone() for name, value in first.tensors().items()},
        dataclasses.asdict(first.progress),
    )
    fit(second)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_samples_repeat_and_do_not_depend_on_their_number() -> None:
    model = made()
    fit(trainer_of(model, 20))
    model.eval()

    def sampled(count: int, seed: int = 7) -> list[list[int]]:
        return events_of(model, request(count, seed, num_steps=70, walk="random", flips=3))

    two, three = sampled(2), sampled(3)
    assert two == three[:2]
    assert two == sampled(2)
    assert three[0] != three[1]
    assert [len(events) for events in two] == [70, 70]
    assert sampled(2, seed=8) != two


def test_a_random_walk_flips_so_many_bits() -> None:
    path = walk("random", np.ones(16, np.float32), 50, 3, 0.0, np.random.default_rng(0))
    assert ((path[1:] != path[:-1]).sum(1) == 3).all()
    whole = walk("random", np.ones(16, np.float32), 9, 0, 1.0, np.random.default_rng(0))
    assert ((whole[1:] != whole[:-1]).sum(1) == 16).all()


def test_a_walk_about_a_theme_goes_back_to_it_after_four_steps() -> None:
    start = np.ones(16, np.float32)
    rng = np.random.default_rng(0)
    paths = [walk("theme", start, 5, 2, 0.0, rng) for _ in range(400)]
    back = np.mean([(path[4] == start).all() for path in paths])
    # Four flips of two bits come back by themselves in a percent of the walks.
    assert back == pytest.approx(0.8, abs=0.06)
    assert all(((path[1:4] != path[:3]).sum(1) == 2).all() for path in paths)
    long = walk("theme", start, 4001, 2, 0.0, np.random.default_rng(1))[::4]
    stays = (long[1:] == long[:-1]).all(1).mean()
    assert 0.5 < stays < 0.9
    assert len(np.unique(long, axis=0)) > 50  # themes change


@pytest.mark.parametrize(("num_codes", "expected"), [(0, 4), (4, 4), (2, 2), (9, 9), (1, 1)])
def test_a_path_between_codes_flips_what_is_different(num_codes: int, expected: int) -> None:
    start, end = np.ones(6, np.float32), np.array([1, -1, -1, 1, 1, -1], np.float32)
    path = between(start[None], end[None], num_codes, np.random.default_rng(0))
    assert len(path) == expected
    assert (path[0] == start).all()
    assert num_codes == 1 or (path[-1] == end).all()
    away = (path != start).sum(1)
    assert (np.diff(away) >= 0).all()
    assert num_codes != 0 or away.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("num_codes", "expected"), [(0, 9), (40, 40), (5, 5)])
def test_a_path_between_pieces_has_both_pieces_windows(num_codes: int, expected: int) -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.choice([-1, 1], (count, 8)).astype(np.float32) for count in (9, 7))
    path = between(first, second, num_codes, np.random.default_rng(1))
    at = np.arange(expected)
    beside, goal = first[at % 9], second[(at - expected) % 7]
    assert len(path) == expected
    assert (path[0] == first[0]).all()
    assert (path[-1] == second[-1]).all()
    assert ((path == beside) | (path == goal)).all()
    for bit in range(8):
        is_over = (path[:, bit] == goal[:, bit])[::-1]
        is_not = path[:, bit] == beside[:, bit]
        since = expected - (len(is_over) if is_over.all() else int(is_over.argmin()))
        assert is_not[:since].all()  # once over, always over


def test_a_primer_is_where_walks_begin_and_a_target_where_they_end() -> None:
    model = made(dataclasses.replace(SMALL, continuity=NONE))
    fit(trainer_of(model, 250))
    model.eval()
    primer, target = (songs()[at].astype(np.int64) for at in (0, 1))
    from_primer = events_of(model, request(1, primer=primer, num_steps=40))[0]
    assert from_primer[:WINDOW] == primer[:WINDOW].tolist()
    found = events_of(model, request(1, primer=primer, target=target))[0]
    assert found[:WINDOW] == primer[:WINDOW].tolist()
    whole = len(target) // WINDOW * WINDOW
    assert found[-WINDOW:] == target[whole - WINDOW : whole].tolist()
    assert len(found) == 7 * WINDOW  # all of the six bits change over
    long = events_of(model, request(1, primer=primer, target=target, num_steps=41))[0]
    assert len(long) == 41


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"walk": "moonwalk"}, "moonwalk"),
        ({"flips": 7}, "sample.flips is 7, but a code has 6 bits"),
        ({"target": np.zeros(8, np.int64)}, "primer_midi"),
        ({"primer": np.zeros(3, np.int64)}, "the primer has 3 events"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made().generate(request(**settings))  # type: ignore[arg-type]


def test_material_is_two_windows_or_more_of_one_class_a_step() -> None:
    model = made()
    assert model.material(EncodedExample(np.zeros(2 * WINDOW - 1, np.int64))) is None
    assert model.material(EncodedExample(np.zeros(2 * WINDOW, np.int64))) is not None
    with pytest.raises(ValueError, match="2 columns"):
        model.material(EncodedExample(np.zeros((20, 2), np.int64)))
    with pytest.raises(ValueError, match="several classes"):
        SeqAutoencoder(Feeding("pianoroll", "1", (2, 2), 0, (2, 2)), SMALL)


@pytest.mark.parametrize("name", ["basic_rnn", "mono_rnn", "attention_rnn", "polyphony"])
def test_encodings_of_one_class_a_step_are_read_and_written(name: str) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    torch.manual_seed(0)
    model = make_generator("continuous_seq_autoencoder", Feeding.of(encoding), SMALL).eval()
    assert isinstance(model, ContinuousSeqAutoencoder)
    asked = dataclasses.replace(request(1, num_steps=64), encoding=encoding)
    (example,) = model.generate(asked)
    assert encoding.decode(example).total_time >= 0
    assert model.material(example) is not None


def test_the_continuous_model_has_both_losses_of_codes() -> None:
    of = ContinuousSeqAutoencoder.defaults
    assert isinstance(of, SeqAutoencoderHparams)
    assert of.continuity == CROSS
    assert min(of.continuity_weight, of.quantization_weight) > 0
    assert of.changed("continuity=hinge").continuity == HINGE
    with pytest.raises(ValueError, match="sideways"):
        of.changed("continuity=sideways")


def test_strangers_keep_apart_only_where_neighbors_come_near() -> None:
    first, second, third = (codes(seed).detach() for seed in (1, 2, 3))
    found = made()._losses(first, second, third)
    expected = SMALL.strangers_weight * strangers_loss(first, third, SMALL.strangers_margin)
    assert float(found["strangers"]) == pytest.approx(float(expected))
    alone = dataclasses.replace(SMALL, continuity=NONE)
    assert "strangers" not in made(alone)._losses(first, second, third)


def test_the_losses_of_codes_rise_as_asked() -> None:
    of = dataclasses.replace(SMALL, continuity_rise=0.5, quantization_rise=0.0, margin=0.0)
    model, first, second, third = made(of), *(codes(seed).detach() for seed in (1, 2, 3))
    begun, halfway, whole = (model._losses(first, second, third, done) for done in (0.0, 0.25, 0.5))
    assert float(begun["continuity"]) == 0.0
    assert float(halfway["continuity"]) == pytest.approx(float(whole["continuity"]) / 2)
    expected = of.quantization_weight * float(quantization_loss(first))
    assert float(begun["quantization"]) == pytest.approx(expected)
    later = made(dataclasses.replace(of, quantization_rise=0.5))._losses(first, second, third, 0.25)
    assert float(later["quantization"]) == pytest.approx(expected / 2)
    assert model._losses(first, second, third) == model._losses(first, second, third, 1.0)
