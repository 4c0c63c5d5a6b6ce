"""The Duration Net and the Velocity Net: what they are told, how they are trained."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing import event_accumulator

from corpus import config, shards, tables
from corpus.encodings.piece import read_piece
from corpus.layout import Layout
from corpus.records import TEST, TRAIN, VALIDATION
from tests.refine_music import SMALL, TRACKS, batch, make_corpus, no_config, score_of, song, trained
from tests.tiny_bundles import write_bundle
from trainers import refine
from trainers.bundle import BundleError
from trainers.refining import bundles, job, pieces, tasks, training
from trainers.refining.duration_features import NUM_CANDIDATES
from trainers.refining.likeness import LEAST, MOST, likeness
from trainers.refining.nets import DURATIONS, KINDS, VELOCITIES, Sequence, Told, VelocityNet
from trainers.refining.score import BeatMap, Floats, Score
from trainers.refining.training import DEFAULTS, Trainer
from trainers.refining.watch import Watch


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Config:
    monkeypatch.setattr(training, "EVAL_EVERY", 5)
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 5)
    return make_corpus(str(tmp_path / "data"))


def test_beats_follow_the_tempos() -> None:
    made = song(0)
    made.tempos.add(time=1.0, qpm=60)
    to_beats = BeatMap.of(read_piece(made.SerializeToString()))
    times = np.array([0.0, 0.5, 1.0, 3.0])
    assert to_beats(times).tolist() == [0.0, 1.0, 2.0, 4.0]
    assert to_beats.seconds(to_beats(times)).tolist() == times.tolist()


def test_like_notes_tell_the_length_that_they_shared() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([3, 7], 200)
    truth = np.where(group == 3, np.log(0.5), np.log(2.0))
    value: Floats = truth + np.log(rng.uniform(LEAST, MOST, 400))
    found = likeness(group, value, np.argsort(value))
    assert np.abs(found.mean - truth).max() < 0.04
    assert np.abs(found.middle - truth).max() < 0.02
    assert found.count.tolist() == [200.0] * 400


def test_a_note_alone_is_told_as_it_is() -> None:
    found = likeness(np.array([0]), np.array([0.3]), np.array([0]))
    assert found.count.tolist() == [1.0]
    assert abs(found.mean[0] - 0.3) < 0.02


def test_what_was_true_is_among_the_candidates() -> None:
    score = score_of(song(1))
    now = tasks.distorted(score, np.random.default_rng(0))
    told = tasks.told_durations(score, now)
    off = np.abs(told.numbers[:, :NUM_CANDIDATES] - told.target[:, None])
    assert np.mean(np.nanmin(off, axis=1) < 0.02) > 0.95
    assert now.min() > 0
    assert np.all((now / score.seconds >= LEAST) & (now / score.seconds <= MOST))


def test_the_velocity_net_is_told_no_velocity() -> None:
    made = song(2)
    before = tasks.told_velocities(score_of(made))
    for note in made.notes:
        note.velocity = 127 - note.velocity
    after = tasks.told_velocities(score_of(made))
    assert np.array_equal(before.numbers, after.numbers)
    assert not np.array_equal(before.target, after.target)


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_learns_a_batch_by_heart(kind: str) -> None:
    hparams = DEFAULTS[kind].changed(
        "dropout=0,learning_rate=0.02,weight_decay=0,rnn_layer_sizes=[32]"
    )
    trainer, told = Trainer(kind, hparams, 90, seed=0), batch(kind)
    before = training.error_of(trainer.net, kind, [told])
    for _ in range(90):
        trainer.step(told)
    assert training.error_of(trainer.net, kind, [told]) < 0.35 * before


def test_distorted_lengths_come_back_with_less_than_half_the_error(small: config.Config) -> None:
    work = job.Job(small, "rock", 40, SMALL + ",learning_rate=0.02")
    measured = work.train().details["metrics"]
    assert isinstance(measured, dict)
    tuned = measured["measured"]["rock"][DURATIONS]["tuned"]
    assert 0.09 < tuned["as_is"] < 0.11
    assert tuned["net"] < 0.5 * tuned["as_is"]
    assert tuned["net_off_grid"] != tuned["distorted_off_grid"]


def test_the_same_seed_gives_the_same_bytes(small: config.Config, tmp_path: Path) -> None:
    other = make_corpus(str(tmp_path / "other"))
    assert Path(trained(small)).read_bytes() == Path(trained(other)).read_bytes()
    reseeded = dataclasses.replace(other, seed=1)
    assert Path(trained(reseeded)).read_bytes() != Path(trained(small)).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_training_goes_on_to_the_same_bytes(
    kind: str, small: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(trained(make_corpus(str(tmp_path / "other")))).read_bytes()
    step, steps = Trainer.step, []

    def killed(self: Trainer, told: Told) -> float:
        if self.kind == kind and self.progress.step == 8:
            raise MemoryError
        return step(self, told)

    def counted(self: Trainer, told: Told) -> float:
        steps.append(self.kind)
        return step(self, told)

    monkeypatch.setattr(Trainer, "step", killed)
    with pytest.raises(MemoryError):
        trained(small)
    monkeypatch.setattr(Trainer, "step", counted)
    assert Path(trained(small)).read_bytes() == whole
    assert steps.count(kind) == 7
    assert steps.count(DURATIONS) == (7 if kind == DURATIONS else 0)
    assert not list(Path(Layout(small.data).model(job.MODEL, "rock")).glob("*checkpoint*"))


def test_trees_grow_once(
    small: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(trained(make_corpus(str(tmp_path / "other")))).read_bytes()
    step, grow, grown = Trainer.step, VelocityNet.grow, []

    def killed(self: Trainer, told: Told) -> float:
        if self.kind == VELOCITIES:
            raise MemoryError
        return step(self, told)

    def counted(self: VelocityNet, told: Sequence, seed: int) -> None:
        grown.append(len(told.target))
        grow(self, told, seed)

    monkeypatch.setattr(VelocityNet, "grow", counted)
    monkeypatch.setattr(Trainer, "step", killed)
    with pytest.raises(MemoryError):
        trained(small)
    monkeypatch.setattr(Trainer, "step", step)
    assert Path(trained(small)).read_bytes() == whole
    assert len(grown) == 1


def test_trees_have_a_say(small: config.Config) -> None:
    net = bundles.load_nets(trained(small))[0][VELOCITIES]
    assert isinstance(net, VelocityNet)
    told = batch(VELOCITIES)
    with torch.no_grad():
        before = net.guess(told)
        net.trees.base += 10.0
        after = net.guess(told)
        net.trees.grown.fill_(False)
        read = net.guess(told)
    assert torch.allclose(after - before, torch.tensor(4.0), atol=1e-3)
    assert not torch.allclose(read, before)


def test_a_wish_to_stop_is_kept_between_steps(
    small: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(trained(make_corpus(str(tmp_path / "other")))).read_bytes()
    step = Trainer.step

    def stopped(self: Trainer, told: Told) -> float:
        if self.progress.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, told)

    monkeypatch.setattr(Trainer, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained(small)
    path = Path(Layout(small.data).model(job.MODEL, "rock")) / "durations.checkpoint.safetensors"
    assert bundles.load(str(path))[1].steps == {DURATIONS: 7}
    monkeypatch.setattr(Trainer, "step", step)
    assert Path(trained(small)).read_bytes() == whole


def test_music_that_nobody_played_trains_too_and_is_said(tmp_path: Path) -> None:
    work = job.Job(make_corpus(str(tmp_path), flat=True), "rock", 6, SMALL)
    details = work.train().details
    assert isinstance(details["metrics"], dict)
    assert details["metrics"]["num_played"] == 0
    assert "no part has dynamics: the Velocity Net learns that there are none" in str(details)
    assert set(details["metrics"]["measured"]["rock"][VELOCITIES]) == {"tuned", "drums"}
    assert bundles.load_nets(work.bundle_path)[1].dynamics == 1.0


@pytest.mark.parametrize("count", [0, 1, 59, 60, 61, 84, 108])
def test_held_out_pieces_are_taken_from_all_over(
    count: int, small: config.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    (piece, *_), taken = pieces.find_pieces(small, ["rock"], TRAIN), []
    score = piece.score()

    def read(self: pieces.Piece) -> Score:
        taken.append(int(self.track_id))
        return score

    monkeypatch.setattr(pieces.Piece, "score", read)
    many = [dataclasses.replace(piece, track_id=str(number)) for number in range(count)]
    assert len(training.held_out_windows(VELOCITIES, many, 0)) == min(count, 60)
    assert taken == sorted(set(taken))
    assert all(number < count for number in taken)
    assert count == 0 or taken[-1] >= count - 2


def test_without_held_out_pieces_the_last_weights_are_kept(
    small: config.Config,
) -> None:
    folder = Path(Layout(small.data).subsets) / "rock"
    (folder / shards.shard_name(VALIDATION, 0, 1)).unlink()
    work = job.Job(small, "rock", 6, SMALL)
    metrics = work.train().details["metrics"]
    assert isinstance(metrics, dict)
    assert "no validation piece" in str(metrics["notes"])
    assert bundles.load_nets(work.bundle_path)[1].steps == {DURATIONS: 6, VELOCITIES: 6}


def test_what_is_done_is_not_done_again(
    small: config.Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--train", "--genre", "rock", "--steps", "6", "--hparams", SMALL]
    shared = [*no_config(tmp_path), "--set", f"data={small.data}"]
    assert refine.main([*arguments, *shared]) == 0
    first = capsys.readouterr().out
    assert refine.main([*arguments, *shared]) == 0
    second = capsys.readouterr().out
    assert "already done" in second
    assert first.splitlines()[1:] == second.splitlines()[1:]
    for words in ("as is", "constant of piece", "rock, tuned: distorted lengths come back"):
        assert words in first
    card = Path(Layout(small.data).model(job.MODEL, "rock")) / "MODEL_CARD.md"
    assert "percent of what a note lasted" in card.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_tensorboard_shows_losses_and_held_out_errors(kind: str, small: config.Config) -> None:
    trained(small)
    folder = Path(Layout(small.data).model(job.MODEL, "rock")) / kind
    board = event_accumulator.EventAccumulator(str(folder)).Reload()
    assert [scalar.step for scalar in board.Scalars("loss/train")] == list(range(1, 13))
    assert [scalar.step for scalar in board.Scalars("error/validation")] == [5, 10, 12]


def test_what_another_genre_holds_out_is_not_learned(small: config.Config) -> None:
    folder = Path(Layout(small.data).subsets)
    (folder / "jazz").mkdir()
    for split, source in ((TRAIN, TEST), (VALIDATION, VALIDATION), (TEST, TRAIN)):
        name = shards.shard_name(split, 0, 1)
        other = folder / "rock" / shards.shard_name(source, 0, 1)
        (folder / "jazz" / name).write_bytes(other.read_bytes())
    assert len(pieces.find_pieces(small, ["rock"], TRAIN)) == TRACKS[TRAIN]
    assert pieces.find_pieces(small, ["jazz", "rock"], TRAIN) == []
    assert len(pieces.find_pieces(small, ["jazz", "rock"], VALIDATION)) == TRACKS[VALIDATION]


def test_a_loss_that_is_no_number_is_said() -> None:
    trainer, told = Trainer(DURATIONS, DEFAULTS[DURATIONS], 10, seed=0), batch(DURATIONS)
    broken = dataclasses.replace(told, target=told.target * float("nan"))
    with pytest.raises(ValueError, match=r"durations: the loss is no number .* learning_rate"):
        trainer.step(broken)


def test_a_training_that_comes_apart_is_said() -> None:
    watch = Watch()
    for _ in range(60):
        watch.see(VELOCITIES, 1.0, 1.0, 0.01)
    watch.see(VELOCITIES, 1.0, 1000.0, 0.01)
    assert "1 of 61 gradients" in watch.notes(VELOCITIES)[0]
    with pytest.raises(ValueError, match=r"comes apart: the loss was 1\.00 and is"):
        _see_often(watch, 9.0)
    with pytest.raises(ValueError, match="gradient is no number"):
        Watch().see(VELOCITIES, 1.0, float("inf"), 0.01)


def _see_often(watch: Watch, loss: float) -> None:
    for _ in range(60):
        watch.see(VELOCITIES, loss, 1.0, 0.01)


def test_a_bundle_comes_back(small: config.Config) -> None:
    path = trained(small)
    nets, info = bundles.load_nets(path)
    assert set(nets) == set(KINDS)
    assert info.genre == "rock"
    assert info.metrics["num_train"] == TRACKS[TRAIN]
    again, _ = bundles.load_nets(path)
    told = batch(DURATIONS)
    with torch.no_grad():
        assert torch.equal(nets[DURATIONS].guess(told), again[DURATIONS].guess(told))


def test_foreign_bundles_are_refused(small: config.Config, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read the nets"):
        bundles.load_nets(str(tmp_path / "none.safetensors"))
    text = tmp_path / "text.safetensors"
    text.write_text("no bundle at all")
    with pytest.raises(BundleError, match="holds no refining nets"):
        bundles.load_nets(str(text))
    with pytest.raises(BundleError, match="a model that samples, not refining nets"):
        bundles.load_nets(write_bundle(str(tmp_path), "basic_rnn"))
    path = trained(small)
    tensors, info = bundles.load(path)
    bundles.save(path, tensors, dataclasses.replace(info, format=99))
    with pytest.raises(BundleError, match="format 99"):
        bundles.load_nets(path)
    strange = tensors["velocities.trees.feature"] + 10_000
    bundles.save(path, {**tensors, "velocities.trees.feature": strange}, info)
    with pytest.raises(BundleError, match="its trees ask for other columns"):
        bundles.load_nets(path)
    larger = {**info.hparams, DURATIONS: tables.plain(DEFAULTS[DURATIONS])}
    bundles.save(path, tensors, dataclasses.replace(info, hparams=larger))
    with pytest.raises(BundleError, match="does not fit its own header"):
        bundles.load_nets(path)
