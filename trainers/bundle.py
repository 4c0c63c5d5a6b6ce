"""A trained model in one file: weights as safetensors, everything else as JSON in its header.

The header's `genremill` entry holds what the model is made of, what
it was trained on and how well it did, so that the file alone is enough to sample from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corpus.config import ExamplesConfig
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.models import any_hparams
from trainers.weights import BundleError as BundleError
from trainers.weights import Format

FORMAT = 2


@dataclass(frozen=True)
class BundleInfo:
    """The header of a bundle.

    Attributes:
      model: a key of `trainers.models.MODELS` or `GENERATORS`; hparams: its hyperparameters.
      feeding: what its inputs and outputs are; see `Feeding`.
      examples: the examples' settings: encoding, extraction, settings.
      genre: what it was trained for; genres: all that it knows, by index.
      corpus_hash: of the examples' shards; licenses: license -> tracks to train on.
      train: further settings; seed: of the run; step: behind the weights.
      metrics: losses in nats per event, accuracies as shares, counts.
      versions: of what shaped the weights.
    """

    model: str
    hparams: dict[str, Any]
    feeding: dict[str, Any]
    examples: dict[str, Any]
    genre: str
    genres: list[str]
    corpus_hash: str
    licenses: dict[str, int]
    train: dict[str, Any]
    seed: int
    step: int
    metrics: dict[str, Any]
    versions: dict[str, str]
    format: int = FORMAT

    def typed_hparams(self) -> TypedHparams:
        """The hyperparameters that the model was made with."""
        return any_hparams(self.model).of(self.hparams)

    def typed_feeding(self) -> Feeding:
        """What the model is fed."""
        return Feeding(**_tuples(self.feeding))

    def examples_config(self) -> ExamplesConfig:
        """How its examples were made."""
        return ExamplesConfig(**_tuples(self.examples))


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows lists only."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def _check(info: BundleInfo) -> None:
    if not all(isinstance(genre, str) for genre in info.genres):
        raise TypeError("its genres are no names")
    info.typed_hparams(), info.typed_feeding(), info.examples_config()


_FORMAT = Format(
    key="genremill",
    number=FORMAT,
    info=BundleInfo,
    check=_check,
    what="model",
    foreign="is no GenreMill model",
    max_bytes=4 << 30,
    others={
        "genremill_refine": "holds nets that refine, not a model that samples; "
        "give it to `python -m trainers.refine --bundle`"
    },
)
save, load = _FORMAT.save, _FORMAT.load
