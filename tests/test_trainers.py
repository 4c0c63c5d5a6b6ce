from __future__ import annotations

import dataclasses
import io
import os
import signal
import time
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import safetensors.torch
import torch
from torch import nn

from corpus import files, reports
from corpus.config import Config, ExamplesConfig, TrainConfig
from corpus.encodings import open_melody_encoding
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from tests.test_pipelines import run, start
from trainers import bundle, data, engine, sample
from trainers import train as training
from trainers.models import MODELS, make_model
from trainers.models.attention_rnn import AttentionRnn

torch.set_num_threads(1)
ENCODING = open_melody_encoding(ExamplesConfig())
SMALL = TrainConfig(batch_size=4, rnn_layer_sizes=(6, 7), attn_length=5, dropout_keep_prob=1.0)


def step_by_step(model: AttentionRnn, inputs: torch.Tensor) -> torch.Tensor:
    state = model.initial_state(len(inputs))
    state = torch.utils._pytree.tree_map(lambda tensor: tensor.to(inputs.dtype), state)
    logits = []
    for inputs_of_step in inputs.unbind(1):
        found, state = model.step(inputs_of_step, state)
        logits.append(found)
    return torch.stack(logits, 1)


@pytest.mark.parametrize("num_steps", [1, 4, 13])
def test_the_scan_is_the_cell_step_by_step_gradients_included(num_steps: int) -> None:
    torch.manual_seed(3)
    model = AttentionRnn(SMALL, 9, 4).double()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    inputs = torch.randn(3, num_steps, 9, dtype=torch.double, requires_grad=True)
    one, other = model(inputs), step_by_step(model, inputs)
    torch.testing.assert_close(one, other)
    weight = torch.randn_like(one)
    wanted = [inputs, *model.parameters()]
    for got, expected in zip(
        torch.autograd.grad((one * weight).sum(), wanted, materialize_grads=True),
        torch.autograd.grad((other * weight).sum(), wanted, materialize_grads=True),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


def test_initial_weights_are_tensorflows() -> None:
    torch.manual_seed(0)
    model = make_model(TrainConfig(), ENCODING)
    lstm = model.rest[0]
    assert isinstance(lstm, nn.LSTM)
    weights = {name: value.detach() for name, value in lstm.named_parameters()}
    assert weights["bias_ih_l0"].tolist() == [0.0] * 64 + [1.0] * 64 + [0.0] * 128
    assert not weights["bias_hh_l0"].any()
    limit = (6 / (64 + 64 + 4 * 64)) ** 0.5
    assert 0.95 * limit < float(weights["weight_ih_l0"].abs().max()) <= limit


def tiny_melodies(count: int = 6) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, ENCODING.num_events, 20 + i) for i in range(count)]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_overfits_one_batch(name: str) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, model=name, rnn_layer_sizes=(32, 32), batch_size=3)
    model = make_model(config, ENCODING)
    batch = data.collate(tiny_melodies(3), ENCODING)
    adam = torch.optim.Adam(model.parameters(), 0.02)
    first = last = float(engine.batch_loss(model, batch).detach())
    for _ in range(120):
        loss = engine.batch_loss(model, batch)
        adam.zero_grad()
        torch.autograd.backward(loss)
        adam.step()
        last = float(loss.detach())
    assert first > 3.0
    assert last < 0.1 * first


def test_gradients_are_clipped_a_variable_at_a_time() -> None:
    model = nn.Linear(2, 2)
    model.weight.grad, model.bias.grad = torch.full((2, 2), 30.0), torch.full((2,), 0.1)
    engine.clip_each(model, 3.0)
    assert float(model.weight.grad.norm()) == pytest.approx(3.0)
    assert model.bias.grad.tolist() == pytest.approx([0.1, 0.1])


def test_padding_costs_nothing() -> None:
    torch.manual_seed(0)
    model = make_model(SMALL, ENCODING).eval()
    sequences = tiny_melodies(5)
    together = engine.evaluate(model, sequences, 5, ENCODING)
    alone = engine.evaluate(model, sequences, 1, ENCODING)
    assert together is not None
    assert alone is not None
    assert together.loss == pytest.approx(alone.loss, rel=1e-5)
    assert together.num_events == alone.num_events == sum(len(s) - 1 for s in sequences)
    assert engine.evaluate(model, [], 4, ENCODING) is None


def test_batches_cover_every_epoch_and_depend_on_the_step_only() -> None:
    sequences = tiny_melodies(10)
    stream = data.BatchStream(sequences, 3, seed=5)
    drawn = [stream.indices(step) for step in range(40)]
    again = data.BatchStream(sequences, 3, seed=5)
    assert [again.indices(step) for step in reversed(range(40))] == drawn[::-1]
    assert sorted(i for batch in drawn for i in batch) == sorted(list(range(10)) * 12)
    other = data.BatchStream(sequences, 3, seed=6)
    assert [other.indices(step) for step in range(40)] != drawn


def info(**changes: object) -> bundle.BundleInfo:
    vocabulary = {
        "input_size": ENCODING.input_size,
        "num_classes": ENCODING.num_classes,
        "num_events": ENCODING.num_events,
        "encoding_version": ENCODING.version,
    }
    made = bundle.BundleInfo(
        "attention_rnn", "attention_rnn", vocabulary, dataclasses.asdict(SMALL), "rock", "hash",
        0, 1, {}, {},
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_a_bundle_comes_back_with_the_same_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = make_model(SMALL, ENCODING).eval()
    path = str(tmp_path / "m.safetensors")
    bundle.save(path, model.state_dict(), info())
    first = Path(path).read_bytes()
    bundle.save(path, model.state_dict(), info())
    assert Path(path).read_bytes() == first
    loaded, header = sample.load_model(path, ENCODING)
    assert header == info(train=header.train)
    assert header.train_config() == SMALL
    batch = data.collate(tiny_melodies(2), ENCODING)
    assert torch.equal(model(batch.inputs), loaded(batch.inputs))


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        ("missing", "cannot read the model"),
        ("cut", "no GenreMill model"),
        ("foreign", "no GenreMill model"),
        ("text", "no GenreMill model"),
        ("encoding", "train it again"),
        ("format", "format 99"),
        ("shape", "does not fit its own header"),
    ],
)
def test_a_bad_bundle_is_named(tmp_path: Path, damage: str, part: str) -> None:
    path = tmp_path / "m.safetensors"
    model = make_model(SMALL, ENCODING)
    changed: dict[str, dict[str, object]] = {
        "encoding": {"encoding": "performance"},
        "format": {"format": 99},
    }
    bundle.save(str(path), model.state_dict(), info(**changed.get(damage, {})))
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_bytes(b"hello")
    elif damage == "foreign":
        path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    elif damage == "shape":
        bundle.save(str(path), {"first.input_bias": torch.zeros(3)}, info())
    with pytest.raises(bundle.BundleError, match=part):
        sample.load_model(str(path), ENCODING)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Examples of two genres, and one genre without any."""
    root = tmp_path_factory.mktemp("train")
    source = makers.write_source(root / "s", {f"Band {i}": 3 for i in range(12)} | {"Drone": 12})
    for path in (source / "Drone").iterdir():
        number = int(path.stem.split()[1])
        path.write_bytes(makers.midi([60 + number, 62 + number] * 40))
    genres = {f"Band {i}": ["rock"] if i % 2 else ["rock", "hip hop"] for i in range(12)}
    table = makers.write_table(root / "t.jsonl", genres | {"Drone": ["drone"]})
    config = makers.config_for(root / "d", source, table, genres=("rock", "hip hop", "drone"))
    for stage in (IngestStage, GenresStage, SubsetsStage, ExamplesStage):
        makers.run_in_loop(stage(config))
    return config


def flags(config: Config) -> list[str]:
    """--set flags that give a command this configuration."""
    train, sampled = config.train, config.sample
    values = [
        f"data={config.data}",
        f"train.batch_size={train.batch_size}",
        f"train.rnn_layer_sizes={list(train.rnn_layer_sizes)}",
        f"train.attn_length={train.attn_length}",
        f"train.num_steps={train.num_steps}",
        f"train.eval_every={train.eval_every}",
        f"train.checkpoint_every={train.checkpoint_every}",
        f"sample.num_outputs={sampled.num_outputs}",
        f"sample.num_steps={sampled.num_steps}",
    ]
    return [part for value in values for part in ("--set", value)]


def copy_of(config: Config, folder: Path) -> Config:
    import shutil

    shutil.copytree(config.data, folder)
    return dataclasses.replace(config, data=str(folder))


def test_train_and_sample_from_the_command_line(road: Config, tmp_path: Path) -> None:
    config = copy_of(road, tmp_path / "d")
    listed = run("trainers.train", *flags(config), "--list")
    assert listed.stdout.split() == ["rock", "hip_hop"]
    assert "drone: left out" in listed.stderr
    for genre in ("rock", "hip_hop"):
        result = run("trainers.train", *flags(config), "--genre", genre)
        assert result.returncode == 0, result.stderr
        assert "validation" in result.stdout
    again = run("trainers.train", *flags(config), "--genre", "hip hop")
    assert "already done" in again.stdout
    sampled = run("trainers.sample", *flags(config))
    assert sampled.returncode == 0, sampled.stderr
    midis = sorted((tmp_path / "d" / "samples").rglob("*.mid"))
    assert len(midis) == 6
    for path in midis:
        song = pretty_midi.PrettyMIDI(io.BytesIO(path.read_bytes()))
        notes = [note for instrument in song.instruments for note in instrument.notes]
        assert notes[0].pitch == 60
        assert song.get_end_time() <= 40 * 0.125 + 0.01
    first = {path: path.read_bytes() for path in midis}
    forced = run("trainers.sample", *flags(config), "--set", "force=true")
    assert forced.returncode == 0
    assert first == {path: path.read_bytes() for path in midis}
    assert list((tmp_path / "d" / "models").rglob("events.out.tfevents.*"))


def test_an_empty_training_set_is_said_at_once(road: Config) -> None:
    result = run("trainers.train", *flags(road), "--genre", "drone")
    assert result.returncode == 2
    assert "drone: no training example (train 0" in result.stderr
    result = run("trainers.train", *flags(road), "--genre", "dron")
    assert "there are: rock, hip hop, drone" in result.stderr


def test_same_seed_same_weights_other_seed_others(road: Config, tmp_path: Path) -> None:
    found: list[bytes] = []
    for seed in (1, 1, 2):
        config = dataclasses.replace(copy_of(road, tmp_path / str(len(found))), seed=seed)
        job = training.Job(config, "rock")
        training.train(job)
        found.append(files.read_bytes(job.bundle_path))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_killed_training_goes_on_to_the_same_weights(road: Config, tmp_path: Path) -> None:
    long = dataclasses.replace(road.train, num_steps=60, checkpoint_every=5)
    whole = dataclasses.replace(copy_of(road, tmp_path / "whole"), train=long)
    job = training.Job(whole, "rock")
    training.train(job)
    killed = dataclasses.replace(copy_of(road, tmp_path / "killed"), train=long)
    stopped = training.Job(killed, "rock")
    process = start("trainers.train", *flags(killed), "--genre", "rock")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not files.exists(stopped.checkpoint_path):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not files.exists(stopped.bundle_path), "it was too quick to be killed"
    torch.manual_seed(0)
    model = make_model(long, ENCODING)
    assert stopped.resume(model, engine.AdamState(model, 0.001)).step >= 5
    training.train(stopped)
    assert files.read_bytes(stopped.bundle_path) == files.read_bytes(job.bundle_path)
    assert not files.exists(stopped.checkpoint_path)
    report = reports.read(stopped.folder)
    assert report is not None
    assert stopped.done() == report


def test_sampling_is_valid_seeded_and_keeps_the_primer() -> None:
    torch.manual_seed(0)
    model = make_model(SMALL, ENCODING).eval()
    config = dataclasses.replace(Config().sample, num_outputs=4, num_steps=50)
    primer = np.array([14, 0, 16])
    one, same, other = (
        sample.sample_events(model, ENCODING, primer, config, seed) for seed in (1, 1, 2)
    )
    assert [s.tolist() for s in one] == [s.tolist() for s in same]
    assert [s.tolist() for s in one] != [s.tolist() for s in other]
    assert one[0].tolist() != one[1].tolist()
    for events in one:
        assert len(events) == 50
        assert events[:3].tolist() == [14, 0, 16]
        assert 0 <= events.min() <= events.max() < ENCODING.num_events


def test_a_diverging_training_is_named() -> None:
    model = make_model(SMALL, ENCODING)
    with torch.no_grad():
        model.logits_bias.fill_(float("nan"))
    adam = engine.AdamState(model, 0.001)
    with pytest.raises(ValueError, match="learning_rate"):
        engine.fit(
            model, adam, engine.Progress(), tiny_melodies(), [], ENCODING, SMALL, 0,
            on_step=lambda *_: None, on_checkpoint=lambda *_: None,
        )  # fmt: skip


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ValueError, match="known: attention_rnn"):
        make_model(dataclasses.replace(SMALL, model="x"), ENCODING)
