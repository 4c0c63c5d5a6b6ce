from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from corpus import config

ROOT = Path(__file__).parents[1]


def test_config_toml_has_every_key_with_its_default_and_a_comment() -> None:
    path = ROOT / "config.toml"
    assert config.load(str(path)) == config.Config()
    values = tomllib.loads(path.read_text("utf-8"))
    written = {k for k, v in values.items() if not isinstance(v, dict)}
    written |= {f"{s}.{k}" for s, v in values.items() if isinstance(v, dict) for k in v}
    assert written == set(config.all_keys())
    for line in path.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            assert "#" in line, f"no comment: {line}"


def test_settings_override_and_are_typed() -> None:
    loaded = config.load(
        None,
        [
            "seed=7",
            "force=true",
            "subsets.genres=metal, hip hop",
            "train.hparams=batch_size=8,rnn_layer_sizes=[32,16]",
            "examples.settings=min_bars=4,transpositions=[-1,0,1]",
            "scrape.only=[a, b]",
            "sample.primer_melody=60,-2,62",
            "sample.temperature=1.2",
            "data=some where",
        ],
    )
    assert (loaded.seed, loaded.force, loaded.data) == (7, True, "some where")
    assert loaded.subsets.genres == ("metal", "hip hop")
    assert loaded.train.hparams == "batch_size=8,rnn_layer_sizes=[32,16]"
    assert loaded.examples.settings == ("min_bars=4", "transpositions=[-1,0,1]")
    assert loaded.scrape.only == ("a", "b")
    assert loaded.sample.primer_melody == (60, -2, 62)
    assert loaded.sample.temperature == 1.2


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("ingest.sorce=x", "ingest.source"),
        ("nonsense=1", "known"),
        ("ingest=1", "section"),
        ("subsets.eval_ratio.x=1", "unknown configuration key"),
        ("seed=half", "whole number"),
        ("seed=1.5", "whole number"),
        ("force=maybe", "true or false"),
        ("subsets.eval_ratio=0.9", "between"),
        ("train.num_steps=-1", "between"),
        ("examples.shard_mb=0", "between"),
        ("just text", "key=value"),
    ],
)
def test_a_bad_setting_is_named(setting: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        config.load(None, [setting])


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        config.load(str(tmp_path / "missing.toml"))
    bad = tmp_path / "bad.toml"
    bad.write_text("seed = = 1")
    with pytest.raises(ValueError, match="not valid TOML"):
        config.load(str(bad))
    bad.write_text("[ingest]\nsorce = 'x'")
    with pytest.raises(ValueError, match=r"ingest\.source"):
        config.load(str(bad))
    bad.write_text("ingest = 1")
    with pytest.raises(ValueError, match="section"):
        config.load(str(bad))


def test_the_encoding_follows_the_model_unless_it_is_given() -> None:
    assert config.load(None).examples.encoding == "attention_rnn"
    drums = config.load(None, ["train.model=drum_kit"])
    assert (drums.examples.encoding, drums.model_name) == ("drum_kit", "drum_kit")
    text = config.load(None, ["train.model=char_rnn", "examples.encoding=abc_text"])
    assert text.model_name == "char_rnn.abc_text"
    assert config.load(None, ["train.model=char_rnn"]).model_name == "char_rnn"
