"""The examples stage with several encodings, in both formats, and --show."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from corpus import example_proto, reports, shards
from corpus.config import Config
from corpus.encodings import ENCODINGS, EncodedExample, open_encoding
from corpus.example_proto import Example
from corpus.records import StageReport
from corpus.show import show
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from tests import makers
from tests.test_pipelines import run


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Subsets of a small corpus."""
    root = tmp_path_factory.mktemp("examples")
    source = makers.write_source(root / "scores", {f"Band {i}": 2 for i in range(12)})
    table = makers.write_table(root / "t.jsonl", {f"Band {i}": ["rock"] for i in range(12)})
    config = makers.config_for(root / "data", source, table, genres=("rock",))
    for stage in (IngestStage, GenresStage, SubsetsStage):
        makers.run_in_loop(stage(config))
    return config


def with_encoding(road: Config, name: str, form: str = "compact", **more: object) -> Config:
    examples = dataclasses.replace(road.examples, encoding=name, format=form, **more)  # type: ignore[arg-type]
    return dataclasses.replace(road, examples=examples)


def made(config: Config) -> StageReport:
    stage = ExamplesStage(config)
    makers.run_in_loop(stage)
    return reports.require(stage.folder, "examples")


def read(config: Config, split: str) -> list[Example]:
    folder = Path(ExamplesStage(config).folder) / "rock"
    paths = shards.list_shards(str(folder), split)
    return [example_proto.parse(record) for path in paths for record in shards.read_shard(path)]


@pytest.mark.parametrize("name", ["performance_with_dynamics", "notewise", "pianoroll", "abc_text"])
def test_other_encodings_go_the_same_road(road: Config, name: str) -> None:
    config = with_encoding(road, name)
    report = made(config)
    assert report.inputs == report.outputs == 24
    examples = read(config, "train")
    encoding = open_encoding(config.examples)
    assert len(examples) == report.details["examples"]["rock"]["train"]  # type: ignore[index]
    for example in examples[:4]:
        assert example.encoding == name
        assert example.made_by
        back = EncodedExample(example.events, example.controls)
        assert encoding.inputs(back).shape == (len(example.events), encoding.input_size)


@pytest.mark.parametrize(("way", "copies"), [("full", 3), ("magenta", 35)])
def test_augmentation_is_for_training_alone(road: Config, way: str, copies: int) -> None:
    config = with_encoding(road, "performance_with_dynamics", extraction=way)
    counted = made(config).details["examples"]
    tracks = reports.require(SubsetsStage(road).folder, "subsets").details["subsets"]
    assert isinstance(counted, dict)
    assert isinstance(tracks, dict)
    num = {split: tracks["rock"][split] for split in ("train", "validation")}
    a_piece = counted["rock"]["validation"] / num["validation"]
    assert a_piece == int(a_piece) >= 1
    assert counted["rock"]["train"] == copies * a_piece * num["train"]


def test_magentas_format_is_what_its_trainers_read(road: Config) -> None:
    config, compact = (
        with_encoding(road, "attention_rnn", form, extraction="magenta")
        for form in ("magenta", "compact")
    )
    made(config), made(compact)
    folder = Path(ExamplesStage(config).folder) / "rock"
    names = sorted({path.name.split("-")[0] for path in folder.iterdir()})
    assert names == ["eval_melodies", "test_melodies", "training_melodies"]
    encoding = open_encoding(config.examples)
    for split, theirs in (("train", "training_melodies"), ("validation", "eval_melodies")):
        records = [r for p in sorted(folder.glob(f"{theirs}-*")) for r in shards.read_shard(str(p))]
        examples = read(compact, split)
        assert len(records) == len(examples) > 0
        for record, example in zip(records, examples, strict=True):
            message = example_proto.SequenceExample.FromString(record)
            assert not message.context.feature
            lists = message.feature_lists.feature_list
            inputs = [list(step.float_list.value) for step in lists["inputs"].feature]
            back = EncodedExample(example.events)
            assert np.array_equal(inputs, encoding.inputs(back)[:-1])
            labels = [step.int64_list.value[0] for step in lists["labels"].feature]
            assert labels == encoding.labels(back)[1:].tolist()


def test_a_format_that_is_not_there_is_named(road: Config) -> None:
    with pytest.raises(ValueError, match="compact or magenta"):
        ExamplesStage(with_encoding(road, "attention_rnn", "x"))
    with pytest.raises(ValueError, match="Magenta has no encoding 'notewise'"):
        ExamplesStage(with_encoding(road, "notewise", "magenta"))


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_show_tells_what_a_score_gives(road: Config, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(makers.melody(1))
    lines = show(str(path), with_encoding(road, name).examples)
    assert "64 notes" in lines[0]
    assert any("dropped" in line or "steps" in line for line in lines)


def test_show_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(makers.melody(1))
    done = run("pipelines.examples", "--show", str(path), "--encoding", "notewise")
    assert done.returncode == 0, done.stderr
    assert "wait" in done.stdout
    for wrong, said in ((str(tmp_path / "no.mid"), "is no file"), (__file__, "not_a_score")):
        failed = run("pipelines.examples", "--show", wrong)
        assert failed.returncode == 2
        assert said in failed.stderr
