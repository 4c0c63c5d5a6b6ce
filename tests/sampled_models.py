"""Small models of every encoding, with random weights, and bundles of them."""

from __future__ import annotations

from typing import Any

import torch

from corpus import tables
from corpus.config import MODEL_ENCODINGS, ExamplesConfig
from corpus.encodings import ENCODINGS, Encoding, open_encoding
from trainers import bundle
from trainers.features import Feeding
from trainers.hparams import Hparams
from trainers.models import MODELS, make_model
from trainers.models.base import SequenceModel

# An encoding and a model that reads it.
READERS = {
    encoding: next(
        (model for model in MODELS if MODEL_ENCODINGS.get(model, model) == encoding), "char_rnn"
    )
    for encoding in [*ENCODINGS, "text"]
    if not encoding.startswith("miditok_") and encoding != "rnn-nade"
}
SMALL = {
    "rnn_layer_sizes": (12, 10), "embedding_size": 6, "attn_length": 4, "dropout_keep_prob": 1.0
}  # fmt: skip


def small_model(encoding: Encoding, genres: int = 1) -> tuple[SequenceModel, Feeding, Hparams]:
    """A model, in evaluation, whose logits differ enough to tell classes apart."""
    torch.manual_seed(7)
    name = READERS[encoding.name]
    changes = dict(SMALL)
    if not MODELS[name].hparams.attn_length:
        changes["attn_length"] = 0
    if not MODELS[name].hparams.embedding_size:
        changes["embedding_size"] = 0
    hparams = Hparams(**{**vars(MODELS[name].hparams), **changes})
    feeding = Feeding.of(encoding, genres)
    model = make_model(name, feeding, hparams)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape)
    return model.eval(), feeding, hparams


def write_bundle(
    path: str, encoding: str = "basic_rnn", genres: tuple[str, ...] = ("rock",)
) -> str:
    """A bundle of such a model; returns its path."""
    config = ExamplesConfig(encoding=encoding)
    model, feeding, hparams = small_model(open_encoding(config), len(genres))
    plain: Any = tables.plain
    info = bundle.BundleInfo(
        model=READERS[encoding],
        hparams=plain(hparams),
        feeding=plain(feeding),
        examples=plain(config),
        genre=genres[0] if len(genres) == 1 else "all",
        genres=list(genres),
        corpus_hash="none",
        licenses={},
        train={},
        seed=0,
        step=3,
        metrics={},
        versions={},
    )
    bundle.save(path, model.state_dict(), info)
    return path
