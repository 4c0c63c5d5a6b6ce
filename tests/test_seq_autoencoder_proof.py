"""The proof of the sequential autoencoders: its songs, rows, verdicts and table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from corpus.config import Config, ExamplesConfig, TrainConfig
from corpus.encodings import open_encoding
from corpus.records import TEST, TRAIN, VALIDATION
from trainers.models.parts.seq_autoencoder_nets import NONE, SeqAutoencoderHparams
from trainers.models.seq_autoencoder import ContinuousSeqAutoencoder
from trainers.proving import seq_autoencoder as proof

ENCODING = open_encoding(ExamplesConfig(encoding="basic_rnn"))
CONTINUOUS = ContinuousSeqAutoencoder.defaults
assert isinstance(CONTINUOUS, SeqAutoencoderHparams)
SMALL = dataclasses.replace(CONTINUOUS, batch_size=16, num_units=24, embedding_size=8)


def abc_of(count: int) -> str:
    """Tunes of sixteen bars, each with other notes."""
    rng = np.random.default_rng(0)
    tunes = []
    for number in range(count):
        bars = ["".join(rng.choice(list("CDEFGABc"), 4)) for _ in range(16)]
        tunes.append(f"X:{number + 1}\nT:t\nM:4/4\nL:1/4\nK:C\n" + "|".join(bars) + "|\n")
    return "\n".join(tunes)


def test_the_proof_reads_songs_and_deals_each_once(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(abc_of(60))
    (tmp_path / "b.abc").write_text(abc_of(60))  # the same again
    found = proof.read_songs(str(tmp_path), ENCODING)
    assert sum(map(len, found.values())) == 60
    assert all(len(found[split]) >= 2 for split in (TRAIN, VALIDATION, TEST))


def test_the_proof_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(abc_of(1))
    with pytest.raises(ValueError, match="some fifty"):
        proof.read_songs(str(tmp_path), ENCODING)


def test_verdicts_compare_the_order_with_the_report() -> None:
    same = list(proof.verdicts(proof.PUBLISHED))
    assert all(line.endswith("as in the report") for line in same[:3])
    assert same[3].endswith("reached")
    other = {**proof.PUBLISHED, proof.CONTINUOUS: (0.04, 0.2, 1.45)}
    lines = list(proof.verdicts(other))
    assert "only continuity below continuous" in lines[1]
    assert "only continuity below continuous" in lines[2]
    assert lines[3].endswith("missed")


def test_the_four_rows_differ_in_the_two_losses() -> None:
    found = proof.rows(SMALL)
    assert list(found) == list(proof.PUBLISHED)
    has = {
        label: (of.continuity != NONE, of.quantization_weight > 0) for label, of in found.items()
    }
    assert has == {
        proof.VANILLA: (False, False),
        proof.CONTINUOUS: (True, True),
        proof.ONLY_CONTINUITY: (True, False),
        proof.ONLY_QUANTIZATION: (False, True),
    }


def test_a_training_of_the_proof_repeats(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(abc_of(40))
    found = proof.read_songs(str(tmp_path), ENCODING)
    first, second = (proof.run((SMALL, 0), found, 4) for _ in range(2))
    assert first.test == second.test
    assert set(proof.FIGURES) <= set(first.test)


@pytest.mark.slow
def test_the_proof_prints_its_table(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(abc_of(40))
    config = dataclasses.replace(
        Config(), train=TrainConfig(num_steps=3, hparams="num_units=8,batch_size=8")
    )
    lines = list(proof.prove(str(tmp_path), config))
    assert sum(line.startswith(proof.CONTINUOUS) for line in lines) == proof.NUM_SEEDS + 3
    assert lines[-2].startswith("aim of continuous")
