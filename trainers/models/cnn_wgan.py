"""Convolutional Wasserstein model of rolls: windows of a fixed length, each made at once.

Source: the project report "Deep Symphony", which puts a convolutional critic and the improved
Wasserstein loss in the place of its recurrent pair; see `roll_wgan`. What its generator was before
the DCRNN is not told. Here deconvolutions double the steps four times and strips of an octave make
the keys, of the maps that have a step for a beat, repeated, and of those of single steps.

A longer piece is several windows. Without a form their noise goes from one vector to another in
equal strides; in a form a part's window begins again until the part is over.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.features import Feeding
from trainers.models.parts import roll_forms
from trainers.models.parts.roll_forms import Part
from trainers.models.parts.roll_music import BEAT, OCTAVE
from trainers.models.parts.roll_wgan import RollWgan, Strips, WganHparams, centered

_KERNEL, _STRIDE = 4, 2
_NUM_DOUBLINGS = 4
_BEATS_AT = _NUM_DOUBLINGS - 2  # which maps have a step for each beat of 4
_FEWEST = 8  # of the first layer's maps, the last has one


@dataclass(frozen=True)
class CnnHparams(WganHparams):
    """Hyperparameters of the convolutional model, beside those of all Wasserstein models.

    For a GPU and for examples of whole pieces: `length=128,num_keys=120,code_size=200,
    channels=[32,64,128,128],hidden=200,generator_channels=512`, 40,000 steps.

    Attributes:
      generator_channels: maps that the first deconvolution gets; each later one gets half as
        many, but no fewer than an eighth.
    """

    limits: ClassVar = WganHparams.limits | {"generator_channels": (16, 8192)}

    generator_channels: int = 256


class CnnWgan(RollWgan):
    """Deconvolutions over time, and strips."""

    defaults = CnnHparams()
    about = (
        "Windows of four bars in a scale that is asked for; a longer piece is windows one after "
        "the other. On Bach's chorales, two seeds of two CPU minutes: entropies within 7 % of "
        "held-out rolls, 94 to 96 % of notes in the asked scale (chance is 58 %; much of it is "
        "built in, since a key's logit begins from what is asked), but 73 % consonances where "
        "Bach has 89 %. No voices are led."
    )

    def __init__(self, feeding: Feeding, hparams: CnnHparams) -> None:
        super().__init__(feeding, hparams, Painter(hparams))

    def logits(self, parts: Sequence[Part], conditions: Tensor) -> Tensor:
        """A window for each part, from its beginning on as often as needed."""
        found = []
        for part in parts:
            window = self.player(part.noise, conditions)
            times = -(-part.num_steps // self.hparams.length)
            found.append(window.repeat(1, times, 1)[:, : part.num_steps])
        return torch.cat(found, 1)

    def parts(self, form: str, num_steps: int, rng: np.random.Generator) -> list[Part]:
        """Of one sample; noise that goes on where there is no form."""
        if form or num_steps <= self.hparams.length:
            return super().parts(form, num_steps, rng)
        return roll_forms.gliding(num_steps, self.hparams.length, self.hparams.code_size, rng)


class Painter(nn.Module):
    """(noise [batch, size], conditions [batch, 12]) -> logits [batch, length, keys]."""

    def __init__(self, hparams: CnnHparams) -> None:
        super().__init__()
        first = hparams.generator_channels
        sizes = [max(first >> at, first // _FEWEST) for at in range(_NUM_DOUBLINGS + 1)]
        self._first = (sizes[0], hparams.length >> _NUM_DOUBLINGS)
        self.enter = nn.Linear(hparams.code_size + OCTAVE, self._first[0] * self._first[1])
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(before, after, _KERNEL, _STRIDE, padding=1)
            for before, after in itertools.pairwise(sizes)
        )
        size = sizes[_BEATS_AT] + sizes[-1]
        self.norm = nn.LayerNorm(size)
        self.strips = Strips(size, hparams)

    def forward(self, noise: Tensor, conditions: Tensor) -> Tensor:
        """One window."""
        entered = self.enter(torch.cat([noise, centered(conditions)], 1))
        maps = [F.relu(entered.view(-1, *self._first))]
        for layer in self.layers:
            maps.append(F.relu(layer(maps[-1])))
        lasting = maps[_BEATS_AT].repeat_interleave(BEAT, 2)
        heard = self.norm(torch.cat([lasting, maps[-1]], 1).transpose(1, 2))
        logits: Tensor = self.strips(heard, conditions)
        return logits
