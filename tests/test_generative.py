"""The loop of models that make pieces whole: material, resuming, what is noticed and said."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from corpus import files, reports, tables
from corpus.config import MODEL_ENCODINGS, Config, TrainConfig
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from tests.toy_generator import Toy, ToyHparams
from trainers import bundle, engine, loading, sample, train, training
from trainers.features import Feeding
from trainers.generative.health import Health
from trainers.generative.material import Pools, Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.job import Job
from trainers.models import GENERATORS, Generator

torch.set_num_threads(1)
FEEDING = Feeding("toy", "1", (5,), 0, (5,))


def material(count: int = 20) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return [rng.choice(5, 8, p=[0.6, 0.1, 0.1, 0.1, 0.1]).astype(np.int16) for _ in range(count)]


def trainer_of(num_steps: int = 30, **more: Any) -> GenerativeTrainer:
    config = TrainConfig(
        model="seqgan", num_steps=num_steps, eval_every=10, checkpoint_every=7, **more
    )
    torch.manual_seed(0)
    machine = engine.Machine(torch.device("cpu"), is_bf16=False)
    return GenerativeTrainer(Toy(FEEDING, ToyHparams()), config, machine, seed=3)


def fit(trainer: GenerativeTrainer, **given: Any) -> GenerativeTrainer:
    store = Store.of(material())
    nothing = {"on_step": lambda _: None, "on_checkpoint": lambda: None}
    trainer.fit(store, store, **{**nothing, **given})
    return trainer


def test_draws_depend_on_seed_and_step_only() -> None:
    store = Store.of([np.array([at]) for at in range(50)])
    first, again = (Pools(store, 1) for _ in range(2))
    first.drawer(0)(10)
    drawn = np.concatenate(first.drawer(7)(30))
    assert np.array_equal(drawn, np.concatenate(again.drawer(7)(30)))
    assert len(set(drawn.tolist())) == 30
    assert not np.array_equal(drawn, np.concatenate(Pools(store, 2).drawer(7)(30)))
    assert len(first.drawer(3)(200)) == 200  # more than there are


def test_a_corpus_beyond_a_pool_is_seen_whole() -> None:
    read: list[int] = []

    def reading(which: Any) -> list[np.ndarray[Any, Any]]:
        read.extend(which)
        return [np.array([at]) for at in which]

    pools = Pools(Store(5000, reading), 0)
    for step in range(0, 64 * 3, 16):
        pools.drawer(step)(4)
    assert sorted(read) == list(range(5000))


def test_a_stopped_training_goes_on_to_the_same_weights() -> None:
    whole = fit(trainer_of())
    stopped = trainer_of()
    saved: list[tuple[dict[str, torch.Tensor], Any]] = []

    def save() -> None:
        plain = tables.plain(stopped.progress)
        saved.append(({k: v.clone() for k, v in stopped.tensors().items()}, plain))

    fit(stopped, on_checkpoint=save)
    resumed = trainer_of()
    resumed.load(*saved[2])
    assert resumed.progress.step == 21
    fit(resumed)
    assert torch.equal(resumed.model.logits, whole.model.logits)  # type: ignore[arg-type]
    assert resumed.progress == whole.progress
    assert resumed.model.seen == 20
    assert whole.progress.history[-1]["validation_entropy"] < np.log(5)


def test_the_best_weights_are_kept_and_patience_ends_it() -> None:
    trainer = trainer_of(num_steps=4000, patience=2)
    fit(trainer)
    now = trainer.progress
    assert now.step < 4000
    assert now.num_stale == 2
    assert trainer.score(Store.of(material()))["loss"] == pytest.approx(now.best_loss)


def test_what_comes_apart_is_said() -> None:
    health = Health()
    for step in range(60):
        length = 500.0 if step == 50 else 1.0
        gap = 100.0 if step > 55 else 1.0
        health.see({"gradient": length, "critic_gap": gap}, "")
    spikes, won = health.notes()
    assert "1 of 60 gradients" in spikes
    assert "the critic saturates: at 4 of 60 steps" in won
    with pytest.raises(ValueError, match="critic is no number after step 60; lower it"):
        health.see({"critic": float("nan")}, "lower it")
    assert Health().notes() == []


@pytest.fixture(scope="module")
def toy_road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """Melodies of two genres, and the toy among the models."""
    root = tmp_path_factory.mktemp("toy")
    source = makers.write_source(root / "s", {f"Band {i}": 3 for i in range(12)})
    table = makers.write_table(root / "t.jsonl", {f"Band {i}": ["rock"] for i in range(12)})
    config = makers.config_for(root / "d", source, table, genres=("rock",))
    config = dataclasses.replace(
        config,
        examples=dataclasses.replace(config.examples, encoding="mono_rnn"),
        train=dataclasses.replace(
            config.train, model="toy", hparams="", num_steps=12, eval_every=4, checkpoint_every=5
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GENERATORS, "toy", Generator("toy", "Toy", 10))
        patch.setattr(Generator, "load", lambda self: Toy)
        patch.setitem(MODEL_ENCODINGS, "toy", "mono_rnn")
        for stage in (IngestStage, GenresStage, SubsetsStage, ExamplesStage):
            makers.run_in_loop(stage(config))
        yield config


def test_from_examples_to_samples(toy_road: Config, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--set", f"data={toy_road.data}", "--set", "train.model=toy",
        "--set", "examples.encoding=mono_rnn", "--set", "train.num_steps=12",
    ]  # fmt: skip
    assert train.main([*flags, "--genre", "rock", "--hparams", "length=16"]) == 0
    job_folder = Path(toy_road.data, "models/toy/rock")
    card = (job_folder / "MODEL_CARD.md").read_text()
    assert "A toy." in card
    assert "| entropy of events, nats |" in card
    assert "length: 16" in card
    assert sample.main([*flags, "--num_outputs", "4", "--num_steps", "64"]) == 0
    report = reports.read(str(Path(toy_road.data, "samples/toy/rock")))
    assert report is not None
    assert report.outputs + sum(report.rejected.values()) == 4
    before = dict(report.files)
    assert sample.main([*flags, "--num_outputs", "2", "--num_steps", "64"]) == 0
    again = reports.read(str(Path(toy_road.data, "samples/toy/rock")))
    assert again is not None
    assert all(before[name] == digest for name, digest in again.files.items())
    with pytest.raises(ValueError, match="form is of no use to toy; it takes num_outputs"):
        sample.main([*flags, "--form", "ABA"])
    with pytest.raises(ValueError, match="unknown hyperparameter 'lengt'; did you mean length"):
        train.main([*flags, "--genre", "rock", "--hparams", "lengt=16"])
    with pytest.raises(ValueError, match="toy can use none of them"):
        train.main([*flags, "--genre", "rock", "--hparams", "length=100000"])
    with pytest.raises(ValueError, match="toy is trained for each genre by itself"):
        Job(toy_road, "all")
    capsys.readouterr()


def test_a_bundle_is_no_model_that_predicts(toy_road: Config) -> None:
    job = Job(toy_road, "rock")
    training.train(job)
    model, _, info = loading.load_any(job.bundle_path)
    assert isinstance(model, Toy)
    assert not model.training
    assert set(info.metrics["figures"]) == {"train", "validation", "test"}
    with pytest.raises(bundle.BundleError, match="makes pieces whole"):
        loading.load_model(job.bundle_path)


def test_a_killed_job_goes_on_to_the_same_bytes(toy_road: Config) -> None:
    job = Job(toy_road, "rock")
    training.train(job)
    whole = files.read_bytes(job.bundle_path)
    config = dataclasses.replace(toy_road, force=True)
    forced = Job(config, "rock")
    trainer = forced.trainer()

    class StoppedError(Exception):
        pass

    save = Job.save_checkpoint

    def save_and_stop(self: Job, trainer: Any) -> None:
        save(self, trainer)
        raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "save_checkpoint", save_and_stop)
        with pytest.raises(StoppedError):
            training.train(forced)
    assert files.exists(job.checkpoint_path)
    assert not files.exists(job.bundle_path)
    job.resume(trainer)
    assert trainer.progress.step == 5
    training.train(Job(toy_road, "rock"))
    assert files.read_bytes(job.bundle_path) == whole
