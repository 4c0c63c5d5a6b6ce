"""The file of a Duration Net and a Velocity Net: safetensors with a JSON header, no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainers.hparams import Hparams
from trainers.refining.nets import KINDS, RefineNet, VelocityNet, make_net
from trainers.weights import BundleError, Format, require_fit

FORMAT = 3  # raise it when features or nets change


@dataclass(frozen=True)
class RefineInfo:
    """The header of a bundle.

    Attributes:
      hparams: name of a net -> its hyperparameters.
      genre: what it was trained for; genres: those whose pieces it learned from.
      corpus_hash: of the subsets' shards; licenses: license -> tracks to train on.
      dynamics: how much of the dynamics that the Velocity Net finds counts, where parts keep their
        mean; chosen on held-out pieces.
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
    dynamics: float = 1.0
    format: int = FORMAT


def _check(info: RefineInfo) -> None:
    if set(info.hparams) != set(KINDS):
        raise TypeError(f"it holds {', '.join(map(str, info.hparams)) or 'nothing'}")
    for values in info.hparams.values():
        Hparams.of(values)


_FORMAT = Format(
    key="genremill_refine",
    number=FORMAT,
    info=RefineInfo,
    check=_check,
    what="nets",
    foreign="holds no refining nets",
    max_bytes=1 << 30,
    others={
        "genremill": "is a model that samples, not refining nets; "
        "train those with `python -m trainers.refine --train`"
    },
)
save, load = _FORMAT.save, _FORMAT.load


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
            require_fit(path, mine, wanted)
            nets[kind] = make_net(kind, hparams)
            nets[kind].load_state_dict(mine)
            if isinstance(net := nets[kind], VelocityNet):
                net.trees.check()
        except BundleError:
            raise
        except (TypeError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} cannot be used: {error}") from error
        nets[kind].eval()
    return nets, info
