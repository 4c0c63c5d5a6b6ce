"""A trained model in one file: weights as safetensors, everything else as JSON in its header.

No pickle is read or written. The header's `genremill` entry holds the model's and
encoding's names and versions, the training settings, genre, hash of the examples,
license notice and metrics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from corpus import config as configuration
from corpus import files, tables

FORMAT = 1
_KEY = "genremill"
_MAX_BUNDLE_BYTES = 4 << 30


class BundleError(ValueError):
    """A file that is no bundle of ours, or a damaged one."""


@dataclass(frozen=True)
class BundleInfo:
    """The header of a bundle.

    Attributes:
      vocabulary: sizes that fix the meaning of the weights: input_size, num_classes,
        num_events, encoding_version.
      step: training steps behind the weights.
      metrics: losses in nats per event, accuracies as shares, counts.
    """

    model: str
    encoding: str
    vocabulary: dict[str, Any]
    train: dict[str, Any]
    genre: str
    corpus_hash: str
    seed: int
    step: int
    metrics: dict[str, Any]
    versions: dict[str, str]
    format: int = FORMAT

    def train_config(self) -> configuration.TrainConfig:
        """The settings that the model was made with."""
        settings = dict(self.train)
        settings["rnn_layer_sizes"] = tuple(settings["rnn_layer_sizes"])
        return configuration.TrainConfig(**settings)


def save(path: str, tensors: Mapping[str, torch.Tensor], info: BundleInfo) -> None:
    """Writes a bundle atomically; the same content gives the same bytes."""
    # Sorted and in one header key: safetensors keeps the order of a metadata map of one.
    header = {_KEY: json.dumps(tables.plain(info), sort_keys=True, ensure_ascii=True)}
    ordered = {name: tensors[name].detach().contiguous() for name in sorted(tensors)}
    files.write_bytes(path, safetensors.torch.save(ordered, header))


def load(path: str) -> tuple[dict[str, torch.Tensor], BundleInfo]:
    """Reads a bundle.

    Raises:
      BundleError: it is missing, damaged, or not one of ours.
    """
    try:
        data = files.read_bytes(path)
    except OSError as error:
        raise BundleError(f"cannot read the model {path}: {error.strerror or error}") from error
    if len(data) > _MAX_BUNDLE_BYTES:
        raise BundleError(f"{path} has {len(data)} bytes, over {_MAX_BUNDLE_BYTES}")
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])["__metadata__"][_KEY]
        info = BundleInfo(**json.loads(header))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} is no GenreMill model, or it is damaged: {error}") from error
    if info.format != FORMAT:
        raise BundleError(f"{path} has format {info.format}; this version reads {FORMAT}")
    return tensors, info
