"""Deconvolutional RNN: a sparse layer of the music, repeated, and a dense one that plays it.

Source: the project report "Deep Symphony" and Shaofanl/DeepSymphony (`DCRNN_model.py`,
`examples/DCRNN_RhythmGAN.py`, `examples/DCRNN_cond.py`): RNNa makes few steps of the noise, each
is repeated, RNNb refines them, strips of an octave make the keys. There RNNa and RNNb are LSTMs of
64 and 32 units, the noise has 200 numbers (100 with a condition), 5 updates of the generator (2)
follow one of the critic, learning rates are 0.0005 (0.0008) and 0.001, batches of 32 rolls of 128
steps (64), 40,000 updates, keys 0 to 127 in C major; samples of 640 steps. The report repeats
three times, the class by default 8 and 2 times, the examples not at all.

The noise of a step is fed at that step, so it may change while the music goes on, and a piece may
be longer than those that were learnt from: the state is kept.

Decided here, beside what `roll_wgan` says:
- A step is told where it is within 4 to 64 steps: the critic's windows begin on beats.
- Noise and place are multiplied before RNNa, or it would have to find out by itself how to make
  much of a noise that never changes.
- The strips are told what RNNa said beside what RNNb says, so that what lasts for a beat need not
  go through both.
- A step of RNNa is a beat of 4 steps, and each network is updated once a step: with two updates
  of the generator for one of the critic, samples soon became much alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers.features import Feeding
from trainers.models.parts.roll_forms import Part
from trainers.models.parts.roll_music import BEAT, OCTAVE
from trainers.models.parts.roll_wgan import RollWgan, Strips, WganHparams, centered

_PERIODS = (4, 8, 16, 32, 64)  # steps


@dataclass(frozen=True)
class DcrnnHparams(WganHparams):
    """Hyperparameters of the DCRNN, beside those of all Wasserstein models.

    Setting of the source, for a GPU and for examples of whole pieces: `length=128,num_keys=120,
    code_size=200,generator_steps=5,learning_rate=0.0005,rnn_layer_sizes=[64,32],repeats=3,
    channels=[32,64,128,128],hidden=200`, 40,000 steps.

    Attributes:
      rnn_layer_sizes: units of RNNa and of RNNb.
      repeats: steps that one step of RNNa lasts.
    """

    limits: ClassVar = WganHparams.limits | {"rnn_layer_sizes": (1, 4096), "repeats": (1, 64)}

    rnn_layer_sizes: tuple[int, ...] = (64, 64)
    repeats: int = BEAT


class Dcrnn(RollWgan):
    """Two LSTMs, one for a beat and one for a step, and strips."""

    defaults = DcrnnHparams()
    about = (
        "Chordal music in a scale that is asked for; it goes on as long as wanted, repeats every "
        "four bars while its noise stays the same, and follows a form as ABCAB. On Bach's "
        "chorales, three seeds of two CPU minutes: entropies within 8 % of held-out rolls, 94 to "
        "96 % of notes in the asked scale (chance is 58 %; 92 % before training, since a key's "
        "logit begins from what is asked), but 73 to 81 % consonances where Bach has 89 %, and "
        "more movement than his. No voices are led."
    )

    def __init__(self, feeding: Feeding, hparams: DcrnnHparams) -> None:
        super().__init__(feeding, hparams, Player(hparams))

    def logits(self, parts: Sequence[Part], conditions: Tensor) -> Tensor:
        """The noise of each part at each of its steps; the state goes on."""
        course = [part.noise[:, None].expand(-1, part.num_steps, -1) for part in parts]
        found: Tensor = self.player(torch.cat(course, 1), conditions)
        return found


class Player(nn.Module):
    """(noise [batch, num_steps, size], conditions [batch, 12]) -> logits of keys."""

    def __init__(self, hparams: DcrnnHparams) -> None:
        super().__init__()
        if len(hparams.rnn_layer_sizes) != 2:
            raise ValueError(
                f"rnn_layer_sizes are those of RNNa and RNNb, not {hparams.rnn_layer_sizes}"
            )
        sparse, dense = hparams.rnn_layer_sizes
        beside = OCTAVE + 2 * len(_PERIODS)
        self._repeats = hparams.repeats
        self.noise = nn.Linear(hparams.code_size + OCTAVE, sparse)
        self.place = nn.Linear(2 * len(_PERIODS), sparse)
        self.rnn_a = nn.LSTM(sparse + beside, sparse, batch_first=True)
        self.rnn_b = nn.LSTM(sparse + beside, dense, batch_first=True)
        self.norm = nn.LayerNorm(sparse + dense)
        self.strips = Strips(sparse + dense, hparams)

    def forward(self, noise: Tensor, conditions: Tensor) -> Tensor:
        """[batch, num_steps, keys]."""
        batch, num_steps, _ = noise.shape
        told = centered(conditions)[:, None].expand(-1, num_steps, -1)
        beside = torch.cat([told, places(num_steps, noise.device).expand(batch, -1, -1)], -1)
        sparse = beside[:, :: self._repeats]
        entering = self.noise(torch.cat([noise, told], -1)[:, :: self._repeats])
        entering = entering * self.place(sparse[..., OCTAVE:])
        structure, _ = self.rnn_a(torch.cat([entering, sparse], -1))
        repeated = structure.repeat_interleave(self._repeats, 1)[:, :num_steps]
        felt, _ = self.rnn_b(torch.cat([repeated, beside], -1))
        heard = self.norm(torch.cat([repeated, felt], -1))
        logits: Tensor = self.strips(heard, conditions)
        return logits


def places(num_steps: int, device: torch.device) -> Tensor:
    """[num_steps, 10] where each step is within each period, as sines and cosines."""
    at = torch.arange(num_steps, device=device, dtype=torch.float32)[:, None]
    turns = 2 * math.pi * at / torch.tensor(_PERIODS, device=device)
    return torch.cat([turns.sin(), turns.cos()], 1)
