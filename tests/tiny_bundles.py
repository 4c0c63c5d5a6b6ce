"""Bundles of small models that have learned nothing, for what comes after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from corpus import tables
from corpus.config import ExamplesConfig, own_encoding
from corpus.encodings import Encoding, open_encoding
from corpus.layout import Layout
from trainers import bundle
from trainers.features import Feeding
from trainers.models import hparams_of, make_model
from trainers.models.base import SequenceModel

_SMALL = "rnn_layer_sizes=[16,16],embedding_size=8"


def tiny_model(
    model: str, genres: Sequence[str] = ("rock",), changes: str = _SMALL
) -> tuple[SequenceModel, Encoding]:
    """(a model with the weights of seed 0, the encoding that it reads)."""
    encoding = open_encoding(ExamplesConfig(encoding=own_encoding(model)))
    torch.manual_seed(0)
    made = make_model(model, Feeding.of(encoding, len(genres)), hparams_of(model, changes))
    return made.eval(), encoding


def write_bundle(
    data: str, model: str, genre: str = "rock", genres: Sequence[str] = (), changes: str = _SMALL
) -> str:
    """Writes the bundle of a `tiny_model` where training would; returns its path."""
    known = list(genres) or [genre]
    made, encoding = tiny_model(model, known, changes)
    plain = cast(Any, tables.plain)
    info = bundle.BundleInfo(
        model=model,
        hparams=plain(hparams_of(model, changes)),
        feeding=plain(Feeding.of(encoding, len(known))),
        examples=plain(ExamplesConfig(encoding=own_encoding(model))),
        genre=genre,
        genres=known,
        corpus_hash="",
        licenses={},
        train={},
        seed=0,
        step=0,
        metrics={},
        versions={},
    )
    path = Layout(data).bundle(model, genre)
    bundle.save(path, made.state_dict(), info)
    return path
