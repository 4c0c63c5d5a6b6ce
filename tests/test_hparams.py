"""Hyperparameters and sweeps as users write them."""

from __future__ import annotations

import pytest

from trainers import sweep
from trainers.hparams import Hparams, parse
from trainers.models import MODELS, hparams_of


@pytest.mark.parametrize(
    "text",
    [
        "batch_size=64,rnn_layer_sizes=[64,64]",
        " rnn_layer_sizes = [64, 64] , batch_size = 64 ",
        "{'batch_size':64,'rnn_layer_sizes':[64,64]}",
        '{"rnn_layer_sizes": (64, 64), "batch_size": 64.0}',
    ],
)
def test_both_spellings_are_read(text: str) -> None:
    assert parse(text) == {"batch_size": 64, "rnn_layer_sizes": (64, 64)}


def test_kinds_of_values() -> None:
    assert parse("") == {}
    assert parse("residual=true,clip=global,learning_rate=1e-3,rnn_layer_sizes=32") == {
        "residual": True, "clip": "global", "learning_rate": 0.001, "rnn_layer_sizes": (32,),
    }  # fmt: skip
    assert parse("dropout=0.25") == {"dropout_keep_prob": 0.75}
    assert Hparams().changed("attn_length=3").attn_length == 3


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("batch_siz=3", "did you mean batch_size"),
        ("zzz=3", "known: batch_size"),
        ("batch_size=x", "a whole number, not 'x'"),
        ("batch_size=0", "between 1 and 65536"),
        ("rnn_layer_sizes=[]", "a list of numbers"),
        ("rnn_layer_sizes=[64,-1]", "between 1 and 65536"),
        ("rnn_layer_sizes=[64,1.5]", "a list of whole numbers"),
        ("batch_size=1e999", "a whole number"),
        ("learning_rate=1e999", "a number, not inf"),
        ("attention=sideways", "cell or parallel"),
        ("dropout=1", "between 0 and 0.99"),
        ("batch_size 3", "cannot be read from"),
        ("{'batch_size':", "cannot be read"),
        ("{'batch_size': open('x')}", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part.replace("[", r"\[")):
        parse(text)


def test_defaults_of_magentas_models() -> None:
    """Layers, batch, what is kept, attention and clipping of magenta 2.1.4's default_configs."""

    def row(model: str) -> tuple[object, ...]:
        h = MODELS[model].hparams
        return h.rnn_layer_sizes, h.batch_size, h.dropout_keep_prob, h.attn_length, h.clip_norm

    assert row("basic_rnn") == ((128, 128), 128, 0.5, 0, 5.0)
    assert row("attention_rnn") == ((128, 128), 128, 0.5, 40, 3.0)
    assert row("drum_kit") == ((256, 256, 256), 128, 0.5, 32, 3.0)
    assert row("basic_improv") == ((64, 64), 128, 0.5, 0, 5.0)
    assert row("attention_improv") == ((128, 128, 128), 128, 0.5, 40, 3.0)
    assert row("chord_pitches_improv") == ((256, 256, 256), 128, 0.5, 0, 3.0)
    assert row("performance_with_dynamics") == ((512, 512, 512), 64, 1.0, 0, 3.0)
    assert row("polyphony") == ((256, 256, 256), 64, 0.5, 0, 5.0)
    assert hparams_of("basic_rnn").learning_rate == 0.001
    with pytest.raises(ValueError, match="known: basic_rnn"):
        hparams_of("x")


def test_a_sweep_is_every_combination() -> None:
    found = sweep.variants("rnn_layer_sizes=[64,64],[128,128] dropout=0,0.5")
    assert [variant.hparams for variant in found] == [
        "rnn_layer_sizes=[64,64],dropout=0",
        "rnn_layer_sizes=[64,64],dropout=0.5",
        "rnn_layer_sizes=[128,128],dropout=0",
        "rnn_layer_sizes=[128,128],dropout=0.5",
    ]
    assert [variant.index for variant in found] == [0, 1, 2, 3]
    assert len({variant.folder for variant in found}) == 4
    assert sweep.variants("") == []
    assert [v.words for v in sweep.variants("key=C,Eb,f")] == ["key=C", "key=Eb", "key=f"]


@pytest.mark.parametrize("text", ["x", "a=", "a=1 b", "a=[1,2", " ".join(["a=1,2"] * 11)])
def test_a_sweep_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="the sweep"):
        sweep.variants(text)
