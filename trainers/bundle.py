"""A trained model in one file: weights as safetensors, everything else as JSON in its header.

No pickle is read or written. The header's `genremill` entry holds what the model is made of, what
it was trained on and how well it did, so that the file alone is enough to sample from.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from corpus import files, tables
from corpus.config import ExamplesConfig
from trainers.features import Feeding
from trainers.hparams import Hparams

FORMAT = 2
_KEY = "genremill"
_MAX_BUNDLE_BYTES = 4 << 30


class BundleError(ValueError):
    """A file that is no bundle of ours, or a damaged one."""


@dataclass(frozen=True)
class BundleInfo:
    """The header of a bundle.

    Attributes:
      model: a key of `trainers.models.MODELS`; hparams: its hyperparameters.
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

    def typed_hparams(self) -> Hparams:
        """The hyperparameters that the model was made with."""
        return Hparams.of(self.hparams)

    def typed_feeding(self) -> Feeding:
        """What the model is fed."""
        return Feeding(**_tuples(self.feeding))

    def examples_config(self) -> ExamplesConfig:
        """How its examples were made."""
        return ExamplesConfig(**_tuples(self.examples))


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows lists only."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def save(path: str, tensors: Mapping[str, torch.Tensor], info: BundleInfo) -> None:
    """Writes a bundle atomically; the same content gives the same bytes."""
    # Sorted and in one header key: safetensors keeps the order of a metadata map of one.
    header = {_KEY: json.dumps(tables.plain(info), sort_keys=True, ensure_ascii=True)}
    ordered = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    files.write_bytes(path, safetensors.torch.save(ordered, header))


def load(path: str) -> tuple[dict[str, torch.Tensor], BundleInfo]:
    """Reads a bundle.

    Raises:
      BundleError: it is missing, damaged, or not one of ours.
    """
    try:
        with files.open_seekable(path) as file:
            data = file.read(_MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise BundleError(f"cannot read the model {path}: {error.strerror or error}") from error
    if len(data) > _MAX_BUNDLE_BYTES:
        raise BundleError(f"{path} has over {_MAX_BUNDLE_BYTES} bytes")
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_KEY])
        if header.get("format") != FORMAT:
            raise BundleError(
                f"{path} has format {header.get('format')}; this version reads {FORMAT}: "
                "train it again"
            )
        info = BundleInfo(**header)
        _check_kinds(info)
        info.typed_hparams(), info.typed_feeding(), info.examples_config()
    except BundleError:
        raise
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} is no GenreMill model, or it is damaged: {error}") from error
    return tensors, info


def _check_kinds(info: BundleInfo) -> None:
    """Raises TypeError where a field is of another kind than it is told to be."""
    kinds = typing.get_type_hints(BundleInfo)
    for field in dataclasses.fields(info):
        kind, value = kinds[field.name], getattr(info, field.name)
        if not isinstance(value, typing.get_origin(kind) or kind):
            raise TypeError(f"its {field.name} is {value!r:.40}")
    if not all(isinstance(genre, str) for genre in info.genres):
        raise TypeError("its genres are no names")
