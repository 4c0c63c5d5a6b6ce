"""The file of a Duration Net and a Velocity Net: safetensors with a JSON header, no pickle."""

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
from torch import Tensor

from corpus import files, tables
from trainers.bundle import BundleError
from trainers.hparams import Hparams
from trainers.refining.nets import KINDS, RefineNet, make_net

FORMAT = 1  # raise it when features or nets change
_KEY, _SAMPLING_KEY = "genremill_refine", "genremill"
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class RefineInfo:
    """The header of a bundle.

    Attributes:
      hparams: name of a net -> its hyperparameters.
      genre: what it was trained for; genres: those whose pieces it learned from.
      corpus_hash: of the subsets' shards; licenses: license -> tracks to train on.
      seed: of the run; steps: name of a net -> the step behind its weights.
      metrics: what was measured; of a checkpoint, where the training stands.
      versions: of what shaped the weights.
    """

    hparams: dict[str, Any]
    genre: str
    genres: list[str]
    corpus_hash: str
    licenses: dict[str, int]
    seed: int
    steps: dict[str, int]
    metrics: dict[str, Any]
    versions: dict[str, str]
    format: int = FORMAT


def save(path: str, tensors: Mapping[str, Tensor], info: RefineInfo) -> str:
    """Writes a bundle atomically; the same content gives the same bytes. Returns its SHA-256."""
    header = {_KEY: json.dumps(tables.plain(info), sort_keys=True, ensure_ascii=True)}
    ordered = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    return files.write_bytes(path, safetensors.torch.save(ordered, header))


def load(path: str) -> tuple[dict[str, Tensor], RefineInfo]:
    """Reads a bundle.

    Raises:
      BundleError: it is missing, damaged, or none of refining nets.
    """
    try:
        with files.open_seekable(path) as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(f"cannot read the nets {path}: {error.strerror or error}") from error
    if len(data) > _MAX_BYTES:
        raise BundleError(f"{path} has over {_MAX_BYTES} bytes")
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        texts = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        if _KEY not in texts and _SAMPLING_KEY in texts:
            raise BundleError(
                f"{path} is a model that samples, not refining nets; "
                "train those with `python -m trainers.refine --train`"
            )
        info = _info(json.loads(texts[_KEY]), path)
    except BundleError:
        raise
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} holds no refining nets, or it is damaged: {error}") from error
    return tensors, info


def _info(header: dict[str, Any], path: str) -> RefineInfo:
    if header.get("format") != FORMAT:
        raise BundleError(
            f"{path} has format {header.get('format')}; this version reads {FORMAT}: train it again"
        )
    info = RefineInfo(**header)
    kinds = typing.get_type_hints(RefineInfo)
    for field in dataclasses.fields(info):
        value = getattr(info, field.name)
        if not isinstance(value, typing.get_origin(kinds[field.name]) or kinds[field.name]):
            raise TypeError(f"its {field.name} is {value!r:.40}")
    if set(info.hparams) != set(KINDS):
        raise TypeError(f"it holds {', '.join(map(str, info.hparams)) or 'nothing'}")
    for values in info.hparams.values():
        Hparams.of(values)
    return info


def joined(nets: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of several nets under names of their own."""
    return {f"{kind}.{name}": v for kind, weights in nets.items() for name, v in weights.items()}


def load_nets(path: str) -> tuple[dict[str, RefineNet], RefineInfo]:
    """(name -> net, ready to be used; the header) of a bundle.

    Whether the weights fit is seen before anything is allocated: sizes may be a stranger's.

    Raises:
      BundleError: as `load`, or its weights are of other nets.
    """
    tensors, info = load(path)
    nets: dict[str, RefineNet] = {}
    for kind in KINDS:
        mine = {
            name.removeprefix(f"{kind}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{kind}.")
        }
        try:
            hparams = Hparams.of(info.hparams[kind])
            with torch.device("meta"):
                wanted = make_net(kind, hparams).state_dict()
            if _kinds_of(mine) != _kinds_of(wanted):
                raise BundleError(f"{path} does not fit its own header: it has other weights")
            nets[kind] = make_net(kind, hparams)
            nets[kind].load_state_dict(mine)
        except BundleError:
            raise
        except (TypeError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} cannot be used: {error}") from error
        nets[kind].eval()
    return nets, info


def _kinds_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
