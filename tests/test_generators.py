"""What holds of every model that makes pieces whole: from examples to samples, stopped or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from corpus import files, names, reports
from corpus.config import MODEL_ENCODINGS, Config, SampleConfig
from corpus.encodings import open_encoding
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from trainers import bundle, loading, sample, training
from trainers.features import Feeding
from trainers.job import Job
from trainers.models import GENERATORS, MODELS, any_hparams, make_generator
from trainers.sampling import families

torch.set_num_threads(1)
_ROLLS = "batch_size=3,length=16,num_keys=24,code_size=5,head_start=0"
SMALL = {
    "seq_autoencoder": "batch_size=4,embedding_size=8,num_units=12",
    "continuous_seq_autoencoder": "batch_size=4,embedding_size=8,num_units=12",
    "seqgan": "batch_size=4,length=16,num_units=8,embedding_size=4,roll_outs=2",
    "wgan_abc": "batch_size=3,length=12,units=8,embedding_size=4",
    "rnn_gan": _ROLLS + ",rnn_layer_sizes=[6,6]",
    "cnn_wgan": _ROLLS + ",channels=[2,2,2],generator_channels=16,hidden=4",
    "dcrnn": _ROLLS + ",channels=[2,2,2],rnn_layer_sizes=[6,6],strips=2,hidden=4",
    "pix2pix": "batch_size=2,channels=4,depth=3,critic_channels=4",
}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Examples of one genre in every encoding that is read."""
    root = tmp_path_factory.mktemp("whole")
    source = makers.write_source(root / "s", {f"Band {i}": 2 for i in range(8)})
    table = makers.write_table(root / "t.jsonl", {f"Band {i}": ["rock"] for i in range(8)})
    config = makers.config_for(root / "d", source, table, genres=("rock",))
    for stage in (IngestStage, GenresStage, SubsetsStage):
        makers.run_in_loop(stage(config))
    for encoding in sorted({MODEL_ENCODINGS[model] for model in GENERATORS}):
        makers.run_in_loop(ExamplesStage(with_encoding(config, encoding)))
    return config


def with_encoding(config: Config, encoding: str) -> Config:
    return dataclasses.replace(
        config, examples=dataclasses.replace(config.examples, encoding=encoding)
    )


def config_of(config: Config, model: str, **train: Any) -> Config:
    """The run, for a small model of a kind."""
    settings = {
        "model": model, "hparams": SMALL[model], "num_steps": 6, "eval_every": 3,
        "checkpoint_every": 2, **train,
    }  # fmt: skip
    changed = dataclasses.replace(config.train, **settings)
    return dataclasses.replace(with_encoding(config, MODEL_ENCODINGS[model]), train=changed)


class _StoppedError(Exception):
    pass


@pytest.mark.parametrize("name", GENERATORS)
def test_a_stopped_training_goes_on_and_samples_repeat(
    name: str, road: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(road, name)
    job = Job(config, "rock")
    training.train(job)
    whole = files.read_bytes(job.bundle_path)
    save = Job.save_checkpoint

    def save_and_stop(self: Job, trainer: Any) -> None:
        save(self, trainer)
        raise _StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Job, "save_checkpoint", save_and_stop)
        with pytest.raises(_StoppedError):
            training.train(Job(dataclasses.replace(config, force=True), "rock"))
    training.train(Job(config, "rock"))
    assert files.read_bytes(job.bundle_path) == whole
    report = reports.read(job.folder)
    assert report is not None
    card = files.read_bytes(files.join(job.folder, "MODEL_CARD.md")).decode()
    entry = GENERATORS[name].load()
    assert entry.about
    assert entry.about in card
    assert all(words in card for words in entry.figures.values())
    flags = [
        "--set", f"data={config.data}", "--set", f"train.model={name}",
        "--set", f"examples.encoding={MODEL_ENCODINGS[name]}",
    ]  # fmt: skip
    assert sample.main([*flags, "--num_outputs", "3"]) == 0
    first = reports.read(str(Path(config.data, "samples", name, "rock")))
    assert first is not None
    assert first.outputs + sum(first.rejected.values()) == 3
    assert sample.main([*flags, "--num_outputs", "2"]) == 0
    second = reports.read(str(Path(config.data, "samples", name, "rock")))
    assert second is not None
    assert all(first.files[each] == digest for each, digest in second.files.items())
    capsys.readouterr()


@pytest.mark.parametrize("name", GENERATORS)
def test_weights_that_do_not_fit_are_seen_before_anything_is_made(
    name: str, road: Config, tmp_path: Path
) -> None:
    config = config_of(road, name)
    encoding = open_encoding(config.examples)
    feeding = Feeding.of(encoding)
    with torch.device("meta"):
        wanted = make_generator(name, feeding, any_hparams(name)).state_dict()
    assert all(tensor.is_meta for tensor in wanted.values())
    with pytest.raises(bundle.BundleError, match="it has other weights"):
        loading.build(name, feeding, any_hparams(name), {"x": torch.zeros(1)}, "x.safetensors")


@pytest.mark.parametrize("name", GENERATORS)
def test_what_a_model_takes_are_settings_and_hyperparameters_are_limited(name: str) -> None:
    model = GENERATORS[name].load()
    known = {field.name for field in dataclasses.fields(SampleConfig)}
    assert set(model.takes) <= known
    fields = {field.name: field.type for field in dataclasses.fields(model.defaults)}
    numbers = {each for each, kind in fields.items() if kind in ("int", "float")}
    assert numbers <= set(model.defaults.limits)
    assert any_hparams(
        name, ",".join(f"{each}={getattr(model.defaults, each)}" for each in numbers)
    )


@pytest.mark.parametrize("setting", families.WHOLE_ONLY)
def test_settings_of_such_models_are_of_no_use_to_others(setting: str) -> None:
    usual = getattr(SampleConfig(), setting)
    other = "x" if isinstance(usual, str) else usual + 1
    value: Any = {setting: other}
    changed = dataclasses.replace(SampleConfig(), **value)
    encoding = open_encoding(with_encoding(Config(), "mono_rnn").examples)
    with pytest.raises(ValueError, match=f"{setting} is of no use to a model that predicts events"):
        families.check(encoding, changed)
    takers = [name for name, entry in GENERATORS.items() if setting in entry.load().takes]
    assert takers


def test_no_name_is_of_two_kinds() -> None:
    assert not MODELS.keys() & GENERATORS.keys()
    assert len({names.slug(each) for each in GENERATORS}) == len(GENERATORS)
