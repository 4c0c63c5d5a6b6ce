"""Training jobs from examples to bundles: killed, resumed, swept, fine-tuned, side by side."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from corpus import files, reports
from corpus.config import Config, own_encoding
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from tests.test_pipelines import run, start
from trainers import bundle, engine, loading, training
from trainers.data import ALL_GENRES, index_examples
from trainers.features import collate
from trainers.job import Job

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Examples of two genres that share half of their artists."""
    root = tmp_path_factory.mktemp("train")
    source = makers.write_source(root / "s", {f"Band {i}": 3 for i in range(12)})
    genres = {f"Band {i}": ["rock"] if i % 2 else ["rock", "hip hop"] for i in range(12)}
    table = makers.write_table(root / "t.jsonl", genres)
    config = makers.config_for(root / "d", source, table, genres=("rock", "hip hop"))
    for stage in (IngestStage, GenresStage, SubsetsStage, ExamplesStage):
        makers.run_in_loop(stage(config))
    return config


def flags(config: Config) -> list[str]:
    """--set flags that give a command this configuration."""
    train = config.train
    values = [
        f"data={config.data}",
        f"seed={config.seed}",
        f"train.model={train.model}",
        f"train.hparams={train.hparams}",
        f"train.base={train.base}",
        f"train.num_steps={train.num_steps}",
        f"train.eval_every={train.eval_every}",
        f"train.checkpoint_every={train.checkpoint_every}",
    ]
    return [part for value in values for part in ("--set", value)]


def copy_of(config: Config, folder: Path, **train: object) -> Config:
    """The same corpus somewhere else, with other settings of the training."""
    shutil.copytree(config.data, folder)
    changed = dataclasses.replace(config.train, **train)  # type: ignore[arg-type]
    return dataclasses.replace(config, data=str(folder), train=changed)


def trained(config: Config, genre: str = "rock") -> Job:
    job = Job(config, genre)
    training.train(job)
    return job


def test_training_from_the_command_line(road: Config, tmp_path: Path) -> None:
    config = copy_of(road, tmp_path / "d")
    assert run("trainers.train", *flags(config), "--list").stdout.split() == ["rock", "hip_hop"]
    result = run("trainers.train", *flags(config), "--genre", "hip_hop")
    assert result.returncode == 0, result.stderr
    assert "validation" in result.stdout
    assert "fewer than a batch" not in result.stderr
    again = run("trainers.train", *flags(config), "--genre", "hip hop")
    assert "already done" in again.stdout
    assert list((tmp_path / "d" / "models").rglob("events.out.tfevents.*"))
    table = run("trainers.train", *flags(config), "--table")
    assert table.stdout.splitlines()[0].split()[:3] == ["genre", "variant", "examples"]
    assert table.stdout.splitlines()[2].startswith("hip hop")
    card = (tmp_path / "d/models/attention_rnn/hip_hop/MODEL_CARD.md").read_text()
    assert "| validation |" in card
    assert "attn_length: 6" in card
    other = run(
        "trainers.train", "--set", f"data={config.data}", "--list", "--set", "train.model=mono_rnn"
    )
    assert "holds no finished examples; run `make examples MODEL=mono_rnn` first" in other.stderr
    wrong = run("trainers.train", *flags(config), "--genre", "dron")
    assert wrong.returncode == 2
    assert "there are: rock, hip hop" in wrong.stderr


def test_jobs_are_commands_that_a_scheduler_can_run(road: Config, tmp_path: Path) -> None:
    config = copy_of(road, tmp_path / "d")
    sweep = ("--sweep", "rnn_layer_sizes=[4],[6] dropout=0,0.5")
    printed = run("trainers.train", *flags(config), "--jobs", *sweep)
    jobs = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [job["job"] for job in jobs][:5] == ["rock~0", "rock~1", "rock~2", "rock~3", "hip_hop~0"]
    assert jobs[0]["examples"]["train"] > 0
    for job in jobs[:2]:
        done = subprocess.run(
            [sys.executable, *job["command"][1:]], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    table = run("trainers.train", *flags(config), "--table", *sweep).stdout
    assert len(table.splitlines()) == 4
    assert "rnn_layer_sizes=[4] dropout=0.5" in table
    assert run("trainers.train", *flags(config), "--check", *sweep).returncode == 0
    for what in ("--check", "--list", "--jobs"):  # make asks these before it starts any job
        wrong = run("trainers.train", *flags(config), what, "--hparams", "batch_siz=3")
        assert "did you mean batch_size?" in wrong.stderr


def test_same_seed_same_weights_other_seed_others(road: Config, tmp_path: Path) -> None:
    found: list[bytes] = []
    for seed in (1, 1, 2):
        config = dataclasses.replace(copy_of(road, tmp_path / str(len(found))), seed=seed)
        found.append(files.read_bytes(trained(config).bundle_path))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_killed_training_goes_on_to_the_same_weights(road: Config, tmp_path: Path) -> None:
    long = {"num_steps": 60, "checkpoint_every": 5, "eval_every": 10, "patience": 0}
    job = trained(copy_of(road, tmp_path / "whole", **long))
    killed = copy_of(road, tmp_path / "killed", **long)
    stopped = Job(killed, "rock")
    process = start(
        "trainers.train", *flags(killed), "--set", "train.patience=0", "--genre", "rock"
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not files.exists(stopped.checkpoint_path):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not files.exists(stopped.bundle_path), "it was too quick to be killed"
    trainer = stopped.trainer()
    stopped.resume(trainer)
    assert trainer.progress.step >= 5
    training.train(stopped)
    assert files.read_bytes(stopped.bundle_path) == files.read_bytes(job.bundle_path)
    assert not files.exists(stopped.checkpoint_path)
    report = reports.read(stopped.folder)
    assert report is not None
    assert stopped.done() == report


def test_a_bundle_comes_back_with_the_same_logits(road: Config, tmp_path: Path) -> None:
    config = copy_of(road, tmp_path / "d")
    job = trained(config)
    model, encoding, info = loading.load_model(job.bundle_path)
    assert info.genre == "rock"
    assert info.typed_hparams() == job.base.hparams
    assert info.metrics["test_loss"] > 0
    assert sum(info.licenses.values()) > 0
    index = index_examples(config, "rock", "test")
    batch = collate(index.read([0, 1]), encoding, job.base.feeding)
    again, _, _ = loading.load_model(job.bundle_path)
    one, _ = model(batch.features, model.initial_state(2))
    other, _ = again(batch.features, again.initial_state(2))
    assert torch.equal(one, other)


@pytest.fixture(scope="module")
def job(road: Config, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A trained model."""
    return trained(copy_of(road, tmp_path_factory.mktemp("job") / "d"))


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        ("missing", "cannot read the model"),
        ("cut", "no GenreMill model"),
        ("foreign", "no GenreMill model"),
        ("text", "no GenreMill model"),
        ("encoding", "cannot be used"),
        ("version", "train it again"),
        ("format", "format 99"),
        ("shape", "does not fit its own header"),
        ("field", "no GenreMill model"),
        ("huge", "it has other weights"),
        ("many", "over 64"),
        ("kind", "its genres is 3"),
    ],
)
def test_a_bad_bundle_is_named(job: Job, tmp_path: Path, damage: str, part: str) -> None:
    path = tmp_path / "m.safetensors"
    tensors, info = bundle.load(job.bundle_path)
    changed: dict[str, dict[str, object]] = {
        "encoding": {"examples": {**info.examples, "encoding": "x"}},
        "version": {"feeding": {**info.feeding, "version": "0"}},
        "format": {"format": 99},
        "field": {"hparams": {"zzz": 1}},
        # 65,536 units would be 68 GB, were they allocated before they are looked at.
        "huge": {"hparams": {**info.hparams, "rnn_layer_sizes": [65_536]}},
        "many": {"hparams": {**info.hparams, "rnn_layer_sizes": [8] * 65}},
        "kind": {"genres": 3},
    }
    bundle.save(str(path), tensors, dataclasses.replace(info, **changed.get(damage, {})))  # type: ignore[arg-type]
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_bytes(b"hello")
    elif damage == "foreign":
        path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    elif damage == "shape":
        bundle.save(str(path), {"logits_bias": torch.zeros(3)}, info)
    with pytest.raises(bundle.BundleError, match=part):
        loading.load_model(str(path))


def test_one_model_of_all_genres_and_a_small_genre_from_it(road: Config, tmp_path: Path) -> None:
    config = copy_of(road, tmp_path / "d")
    base = trained(config, ALL_GENRES)
    _, _, info = loading.load_model(base.bundle_path)
    assert info.genres == ["hip hop", "rock"]
    whole = index_examples(config, ALL_GENRES, "train")
    alone = [index_examples(config, genre, "train") for genre in info.genres]
    assert len(whole) + whole.num_held_out == sum(map(len, alone))
    assert set(whole.genre.tolist()) == {0, 1}
    tuned = copy_of(config, tmp_path / "t", base=ALL_GENRES, num_steps=3)
    tuned_job = trained(tuned, "hip hop")
    assert tuned_job.base.tensors is not None
    trainer = tuned_job.trainer()
    assert isinstance(trainer, engine.Trainer)
    assert trainer.feeder.genre_ids == (0,)
    scratch = Job(copy_of(config, tmp_path / "s", num_steps=3), "hip hop")
    assert tuned_job.config_hash != scratch.config_hash


def test_a_genre_that_the_base_does_not_know_is_the_mean_of_those(job: Job, road: Config) -> None:
    tensors, info = bundle.load(job.bundle_path)
    several = dataclasses.replace(
        info, genres=["a", "b"], feeding={**info.feeding, "num_genres": 2}
    )
    path = str(Path(job.folder) / "several.safetensors")
    table = torch.arange(32.0).reshape(2, 16)
    bundle.save(path, {**tensors, "inputs.genres.weight": table}, several)
    base = loading.open_base(path, "attention_rnn", "c", job.encoding, "")
    assert base.genres == ["a", "b", "c"]
    assert base.feeding.num_genres == 3
    assert base.tensors is not None
    assert base.tensors["inputs.genres.weight"][2].tolist() == table.mean(0).tolist()
    with pytest.raises(bundle.BundleError, match="no base for a basic_rnn"):
        loading.open_base(path, "basic_rnn", "c", job.encoding, "")


def test_tracks_that_any_genre_holds_out_are_not_learnt_by_the_model_of_all(road: Config) -> None:
    from corpus import example_proto, shards

    index = index_examples(road, ALL_GENRES, "train")
    kept = set()
    for at in range(len(index)):
        path, offset = index.paths[index.shard[at]], int(index.offset[at])
        (record,) = shards.read_records_at(path, [offset])
        kept.add(example_proto.parse(record).track_id)
    held_out = set()
    for split in ("validation", "test"):
        for genre in ("rock", "hip_hop"):
            folder = f"{road.data}/examples/attention_rnn/{genre}"
            for path in shards.list_shards(folder, split):
                held_out |= {example_proto.parse(r).track_id for r in shards.read_shard(path)}
    assert held_out
    assert not kept & held_out


def test_two_processes_learn_what_one_learns(road: Config, tmp_path: Path) -> None:
    exact = {"precision": "fp32", "hparams": road.train.hparams + ",dropout=0"}
    alone = trained(copy_of(road, tmp_path / "one", **exact))
    shared = copy_of(road, tmp_path / "two", **exact)
    result = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            "-m", "trainers.train", *flags(shared), "--set", "train.precision=fp32",
            "--genre", "rock",
        ],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("train rock: done") == 1
    one, _ = bundle.load(alone.bundle_path)
    two, _ = bundle.load(Job(shared, "rock").bundle_path)
    for name, weights in one.items():
        torch.testing.assert_close(weights, two[name], rtol=1e-3, atol=1e-4)


def test_models_find_their_encoding() -> None:
    assert own_encoding("char_rnn") == "deep_symphony"
    assert own_encoding("polyphony") == "polyphony"


def test_nothing_to_learn_is_said_at_once(road: Config, tmp_path: Path) -> None:
    config = copy_of(road, tmp_path / "d")
    job = Job(config, "rock")
    for path in (tmp_path / "d/examples/attention_rnn/rock").glob("train-*"):
        path.unlink()
    with pytest.raises(ValueError, match="rock: no training example"):
        training.train(job)


@pytest.mark.parametrize(
    ("losses", "num_steps", "is_said"),
    [((3.0, 2.0), 8, True), ((2.0, 1.995), 8, False), ((3.0, 2.0), 12, False), ((2.0,), 8, False)],
)
def test_a_loss_that_was_still_falling_is_said(
    losses: tuple[float, ...], num_steps: int, *, is_said: bool
) -> None:
    history: list[engine.Metrics] = [{"step": 4, "validation_loss": loss} for loss in losses]
    progress = engine.Progress(step=8, history=history)
    metrics: dict[str, object] = {"train_loss": losses[-1], "validation_loss": losses[-1]}
    notes = training._describe(progress, metrics, num_steps)
    assert [note for note in notes if "train.num_steps=32 would give more" in note] == notes
    assert bool(notes) == is_said
