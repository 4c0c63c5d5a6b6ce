"""The proof of the models of piano rolls: what it reads, runs and says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.config import Config, TrainConfig
from corpus.records import TEST, TRAIN, VALIDATION
from tests import makers
from trainers import models
from trainers.models.generative import Metrics
from trainers.models.parts import roll_music
from trainers.proving import rolls

SMALL = "batch_size=4,length=16,num_keys=24,code_size=5,channels=[4],hidden=8,strips=4"


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> rolls.Rolls:
    folder = tmp_path_factory.mktemp("scores")
    for number in range(40):
        song = makers.tiny_midi([48 + (number + 2 * at) % 24 for at in range(20)])
        (folder / f"Somebody - Song {number}.mid").write_bytes(song)
    return rolls.read_rolls(str(folder))


def test_pieces_are_dealt_out_once(read: rolls.Rolls) -> None:
    counts = {split: len(found) for split, found in read.items()}
    assert sum(counts.values()) == 40
    assert counts[TRAIN] > counts[VALIDATION] > 0
    assert counts[TEST] > 0
    splits = [rolls.split_of(f"bach/bwv{number}.mxl") for number in range(2000)]
    assert 150 < splits.count(TEST) < 250
    assert 150 < splits.count(VALIDATION) < 250


def test_too_few_scores(tmp_path: Path) -> None:
    (tmp_path / "Somebody - Song.mid").write_bytes(makers.midi())
    with pytest.raises(ValueError, match=r"gives no rolls of .*; some fifty scores"):
        rolls.read_rolls(str(tmp_path))


def test_a_run_of_a_small_model(read: rolls.Rolls, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = models.GENERATORS["cnn_wgan"]
    small = entry.load().defaults.changed(SMALL + ",generator_channels=64")
    monkeypatch.setattr(entry.load(), "defaults", small)
    for name, value in (("_KEYS", ("C", "f#")), ("_LONG", 80), ("_NUM_SAMPLES", 2)):
        monkeypatch.setattr(rolls, name, value)
    found = rolls.run(rolls.Job("CNN WGAN", "cnn_wgan", 3, 2), read)
    assert found.seconds > 0
    assert set(rolls.COLUMNS) <= set(found.figures)
    assert found.figures["real_distinct_keys"] > 1
    assert found.same == 0.0  # windows of one noise
    untrained = rolls.run(rolls.Job("untrained", "cnn_wgan", 3, 0), read)
    assert untrained.figures["critic_gap"] != found.figures["critic_gap"]
    assert untrained.figures["real_key_entropy"] == found.figures["real_key_entropy"]


def result(model: str, **changes: Any) -> tuple[rolls.Job, rolls.Result]:
    figures: Metrics = dict.fromkeys(rolls.COLUMNS, 2.0)
    figures |= {f"real_{name}": 4.0 for name in rolls.COLUMNS}
    made = rolls.Result(figures, 0.75, True, 0.1, 0.9, 1.0, 12.3, ["unstable"])
    return rolls.Job(model, model, 7, 5), dataclasses.replace(made, **changes)


def test_the_tables() -> None:
    found = [result("dcrnn"), result("rnn_gan", in_key=float("nan"), repeats=False)]
    real, own, dcrnn, rnn = [line.split() for line in rolls.figure_lines(found)][1:]
    assert real[:3] == ["real,", "all", "keys"]
    assert own[:3] == ["real,", "own", "keys"]
    assert real.count("4") == own.count("4") == len(rolls.COLUMNS)
    assert dcrnn == ["dcrnn", "7", *["2"] * len(rolls.COLUMNS), "12"]
    assert rnn[0] == "rnn_gan"
    asked, _, first, second, *notes = rolls.demand_lines(found)
    assert "0.583" in asked
    assert first.split() == [
        "dcrnn", "7", "-50%", "-50%", "-50%", "0.75", "0.583", "yes", "0.1", "0.9", "1",
    ]  # fmt: skip
    assert "no" in second.split()
    assert notes == ["dcrnn, seed 7: unstable", "rnn_gan, seed 7: unstable"]


def test_the_trainings_follow_the_configuration() -> None:
    config = dataclasses.replace(Config(), seed=5, train=TrainConfig(num_steps=9))
    found = rolls.jobs(config)
    assert [job.seed for job in found if job.label == "DCRNN"] == [5, 6, 7]
    assert {job.num_steps for job in found} == {9, 0}
    default = rolls.jobs(Config())
    assert default[0].num_steps == models.GENERATORS["dcrnn"].num_steps
    assert {job.model for job in found} == {"dcrnn", "cnn_wgan", "rnn_gan"}


def test_in_key_is_counted_from_c() -> None:
    """Rolls of C major only are all in C and less in F#."""
    events = np.zeros((1, 4, 128), np.int64)
    events[0, :, [60, 64, 67, 71]] = 1
    assert roll_music.in_scales(list(events), [0]) == 1.0
    assert roll_music.in_scales(list(events), [6]) == 0.25
