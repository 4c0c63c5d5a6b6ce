"""Rolls by a Wasserstein critic: what the convolutional and the recurrent generator share.

Sources: the project report "Deep Symphony" and Shaofanl/DeepSymphony (`DCRNN_model.py`,
`examples/DCRNN_cond.py`): the improved Wasserstein loss, a critic of convolutions, strips of an
octave as the last layer of a generator, the histogram of the pitch classes as a condition.

Decided here, for a few minutes on a processor instead of 40,000 updates:
- What is made is 0 or 1 at once, and its gradient is the probability's (a straight-through
  estimator: Bengio, Leonard and Courville, 2013; Dong and Yang, 2018, for rolls). There a tanh is
  cut at a threshold afterwards, and the critic learns to tell soft from hard.
- A key's logit begins from the logarithm of the share that its pitch class is asked to have.
- Each roll is learnt in one of all twelve keys, drawn anew each time.
- The weights that samples are made of are a running mean of the generator's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers.features import Feeding
from trainers.models.generative import Metrics, Turn, descend
from trainers.models.parts import roll_critic
from trainers.models.parts.roll_critic import Critic
from trainers.models.parts.roll_gan import CRITIC, RollGan, RollHparams
from trainers.models.parts.roll_music import OCTAVE

_FAINT = 0.05  # added to shares before their logarithm, as to what is usual of a key
_SPARSE, _LIVELY = -3.0, 3.0  # a key's logit at first: about what real rolls have of 1
_EARLY = 10  # steps after which the running mean is about as slow as asked


@dataclass(frozen=True)
class WganHparams(RollHparams):
    """Hyperparameters of a Wasserstein model, beside those that all models of rolls share.

    Attributes:
      penalty: factor of the penalty on the critic's gradients.
      channels: maps of each convolution of the critic over the roll; half as many over its
        similarity to itself.
      hidden: units of the critic's dense layer.
      strips: ways to play an octave, which the last layer of the generator mixes.
      decay: share of the old weights in the running mean after a step.
    """

    limits: ClassVar = RollHparams.limits | {
        "penalty": (0, 1000),
        "channels": (1, 1024),
        "hidden": (1, 4096),
        "strips": (1, 1024),
        "decay": (0, 0.99999),
    }

    penalty: float = 10.0
    channels: tuple[int, ...] = (16, 32, 32)
    hidden: int = 100
    strips: int = 32
    decay: float = 0.97


class RollWgan(RollGan):
    """A generator of rolls, its running mean, and a critic of convolutions."""

    takes: ClassVar = ("form", "key", "pitch_class_histogram")
    is_conditioned = True

    def __init__(self, feeding: Feeding, hparams: WganHparams, generator: nn.Module) -> None:
        super().__init__(feeding, hparams)
        self.wgan = hparams
        self.generator = generator
        self.mean_generator = copy.deepcopy(generator).requires_grad_(False)
        self.critic = Critic(hparams.length, hparams.num_keys, hparams.channels, hparams.hidden)

    @property
    def player(self) -> nn.Module:
        """The generator while it learns; else its running mean."""
        return self.generator if self.training else self.mean_generator

    def shown(self, logits: Tensor) -> Tensor:
        """0 or 1."""
        return binary(logits)

    def scores(self, rolls: Tensor, conditions: Tensor) -> Tensor:
        """The critic's."""
        found: Tensor = self.critic(rolls, conditions)
        return found

    def train_critic(self, real: Tensor, conditions: Tensor, turn: Turn) -> Metrics:
        """One update: the gap between real and made wide, the gradients about 1 long."""
        with torch.no_grad():
            made = self.made(conditions)
        scores = self.scores(torch.cat([real, made]), conditions.repeat(2, 1))
        gap = scores[: len(real)].mean() - scores[len(real) :].mean()
        off = roll_critic.penalty(self.scores, real, made, conditions)
        loss = self.wgan.penalty * off - gap
        descend(turn.optimizers[CRITIC], loss)
        return {"loss": float(loss.detach()), "critic_gap": float(gap.detach())}

    def generator_loss(self, conditions: Tensor) -> Tensor:
        """The scores of what is made, with the sign turned."""
        return -self.scores(self.made(conditions), conditions).mean()

    def update(self, turn: Turn) -> Metrics:
        """As of all models of rolls; the running mean follows."""
        metrics = super().update(turn)
        share = min(self.wgan.decay, (turn.step + 1) / (turn.step + _EARLY))
        with torch.no_grad():
            for mean, new in zip(
                self.mean_generator.parameters(), self.generator.parameters(), strict=True
            ):
                mean.lerp_(new, 1.0 - share)
        return metrics


class Strips(nn.Module):
    """What is felt at each step -> logits of its keys, an octave a strip.

    Each octave has numbers of its own, of which the same deconvolution, 12 wide and with a stride
    of 12, makes 12 keys: chords are learnt once for all octaves.
    """

    def __init__(self, size: int, hparams: WganHparams) -> None:
        super().__init__()
        self._octaves, self._strips = hparams.num_keys // OCTAVE, hparams.strips
        self.octaves = nn.Linear(size + OCTAVE, self._octaves * self._strips)
        self.strip = nn.ConvTranspose1d(self._strips, 1, OCTAVE, stride=OCTAVE)
        self.asked = nn.Parameter(torch.ones(()))
        assert self.strip.bias is not None
        with torch.no_grad():
            self.strip.weight.mul_(_LIVELY)
            self.strip.bias.fill_(_SPARSE)

    def forward(self, felt: Tensor, conditions: Tensor) -> Tensor:
        """[batch, num_steps, keys] of [batch, num_steps, size] and [batch, 12]."""
        batch, num_steps, _ = felt.shape
        told = centered(conditions)[:, None].expand(-1, num_steps, -1)
        octaves = self.octaves(torch.cat([felt, told], -1))
        flat = octaves.reshape(batch * num_steps, self._octaves, self._strips).transpose(1, 2)
        keys = self.strip(flat).reshape(batch, num_steps, -1)
        usual = (OCTAVE * conditions + _FAINT).log().repeat(1, self._octaves)
        logits: Tensor = keys + self.asked * usual[:, None]
        return logits


def centered(conditions: Tensor) -> Tensor:
    """Conditions with a mean of 0 and a size of about 1, as networks like it."""
    return OCTAVE * conditions - 1.0


def binary(logits: Tensor) -> Tensor:
    """1 where logits are above 0, else 0; the gradient is that of the probability."""
    soft = logits.sigmoid()
    return (logits > 0).to(soft.dtype) + soft - soft.detach()
