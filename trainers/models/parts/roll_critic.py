"""Critics of piano rolls, and the penalty on their gradients.

Sources: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017) for the penalty, its
factor of 10 and Adam's 0.5 and 0.9; Shaofanl/DeepSymphony (`DCRNN_model.py`) for the network: a
stack of 5 x 5 convolutions over the roll, another over how similar each two of its steps are, and
the condition beside what they find. There max-pooling halves the maps, here strides do, which is
less to compute. The condition is a second map beside the roll, too, so that a critic sees at each
note whether it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.models.parts.roll_music import OCTAVE

Scorer = Callable[[Tensor, Tensor], Tensor]

_SLOPE = 0.2
_KERNEL = 5
_USUAL_KEYS = 4.0  # that sound at once; brings similarities to about 1


class Critic(nn.Module):
    """(rolls [batch, num_steps, keys], conditions [batch, 12]) -> scores [batch]."""

    def __init__(self, num_steps: int, num_keys: int, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        halved = [max(count // 2, 1) for count in channels]
        self.roll, of_roll = _stack(2, channels, (num_steps, num_keys))
        self.similarity, of_similarity = _stack(1, halved, (num_steps, num_steps))
        self.hidden = nn.Linear(of_roll + of_similarity + OCTAVE, hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, rolls: Tensor, conditions: Tensor) -> Tensor:
        """Scores; high for what seems real."""
        planes = conditions.repeat(1, rolls.shape[2] // OCTAVE)[:, None].expand_as(rolls)
        seen = self.roll(torch.stack([rolls, planes], 1))
        similar = self.similarity((rolls @ rolls.transpose(1, 2))[:, None] / _USUAL_KEYS)
        found = torch.cat([seen.flatten(1), similar.flatten(1), conditions], 1)
        scores: Tensor = self.score(F.leaky_relu(self.hidden(found), _SLOPE))
        return scores[:, 0]


def _stack(maps: int, channels: Sequence[int], size: tuple[int, int]) -> tuple[nn.Sequential, int]:
    """Convolutions that halve both sides of maps, and how many numbers leave them."""
    layers: list[nn.Module] = []
    for count in channels:
        layers += [
            nn.Conv2d(maps, count, _KERNEL, stride=2, padding=_KERNEL // 2),
            nn.LeakyReLU(_SLOPE),
        ]
        maps, size = count, (-(-size[0] // 2), -(-size[1] // 2))
    return nn.Sequential(*layers), maps * size[0] * size[1]


def penalty(critic: Scorer, real: Tensor, made: Tensor, conditions: Tensor) -> Tensor:
    """() how far the critic's gradients, between real and made rolls, are from a length of 1.

    For each pair a point on the line between both is drawn, from torch's generator.
    """
    share = torch.rand(len(real), 1, 1, device=real.device)
    between = (share * real + (1.0 - share) * made).requires_grad_()
    scores = critic(between, conditions).sum()
    (slope,) = torch.autograd.grad(scores, between, create_graph=True)
    lengths: Tensor = slope.flatten(1).norm(dim=1)
    return (lengths - 1.0).square().mean()
