"""The two networks of pix2pix, and its losses.

Source: Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional Adversarial
Networks" (2017): kernels of 4 by 4 with a stride of 2, leaky ones on the way down.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Noise = Callable[[Tensor], Tensor]

_REACHES = (24, 12)  # keys of the outermost kernels
_SILENT = -4.0  # logit that every cell begins with: about one in fifty sounds
_GROUPS = 4
_NOISY_LAYERS = 3  # innermost ones of the decoder, as in the paper
_MOST_CHANNELS = 8  # times the first layer's
_LEAK = 0.2


class Unet(nn.Module):
    """Facades -> logits of cells; each layer of the decoder sees the encoder's of its size.

    Kernels are 4 by 4, but those next to the roll reach over an octave up and down, and the next
    ones over half of it: which keys fit is told by the keys that sound, most of all.

    Args:
      channels: of the first layer; each further one has twice as many, up to 8 times.
      depth: layers that halve steps and keys.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        sizes = _sizes(channels, depth)
        reaches = [*_REACHES, *[4] * depth][:depth]
        self.down = nn.ModuleList(
            nn.Conv2d(before, size, (4, reach), 2, (1, reach // 2 - 1))
            for before, size, reach in zip([1, *sizes[:-1]], sizes, reaches, strict=True)
        )
        self.down_norms = nn.ModuleList(map(nn.BatchNorm2d, sizes[1:]))
        made = [*sizes[-2::-1], 1]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(size * (2 if layer else 1), new, (4, reach), 2, (1, reach // 2 - 1))
            for layer, (size, new, reach) in enumerate(
                zip(sizes[::-1], made, reaches[::-1], strict=True)
            )
        )
        self.up_norms = nn.ModuleList(map(nn.BatchNorm2d, made[:-1]))
        nn.init.constant_(list(self.up[-1].parameters())[1], _SILENT)

    def forward(self, facade: Tensor, noise: Noise) -> Tensor:
        """Logits of cells.

        Args:
          facade: [batch, num_steps, keys], multiples of 2 ** depth; the logits have its shape.
          noise: what is laid on the innermost layers of the decoder.
        """
        seen = self._encoded(facade.unsqueeze(1))
        output = seen.pop()
        for layer, (up, norm) in enumerate(zip(self.up, self.up_norms, strict=False)):
            output = norm(up(torch.cat([output, seen.pop()], 1) if layer else output))
            output = F.relu(noise(output) if layer < _NOISY_LAYERS else output)
        logits: Tensor = self.up[-1](torch.cat([output, *seen], 1))
        return logits.squeeze(1).float()

    def _encoded(self, rolls: Tensor) -> list[Tensor]:
        """What each layer of the encoder makes; the paper has no norm in the first."""
        seen = [F.leaky_relu(self.down[0](rolls), _LEAK)]
        for down, norm in zip(self.down[1:], self.down_norms, strict=True):
            seen.append(F.leaky_relu(norm(down(seen[-1])), _LEAK))
        return seen


class PatchCritic(nn.Module):
    """(facade, roll) -> logits of being real, one for each patch.

    Args:
      channels: of the first layer; each further one has twice as many, up to 8 times.
      depth: layers that halve steps and keys; two more see the patches whole.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 2
        for layer, size in enumerate(_sizes(channels, depth + 1)):
            layers.append(nn.Conv2d(before, size, 4, 2 if layer < depth else 1, 1))
            layers += [_group_norm(size)] if layer else []
            layers.append(nn.LeakyReLU(_LEAK))
            before = size
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))

    def forward(self, facade: Tensor, roll: Tensor) -> Tensor:
        """Both [batch, num_steps, keys] -> [batch, 1, patches, patches]."""
        scores: Tensor = self.layers(torch.stack([facade, roll], 1))
        return scores.float()


def _sizes(channels: int, depth: int) -> list[int]:
    return [channels * min(1 << layer, _MOST_CHANNELS) for layer in range(depth)]


def _group_norm(channels: int) -> nn.Module:
    """Of each roll by itself: a critic that saw batches could tell whole batches apart."""
    return nn.GroupNorm(next(g for g in (_GROUPS, 2, 1) if channels % g == 0), channels)


def rounded(probabilities: Tensor) -> Tensor:
    """0 or 1, whichever is nearer; the gradient is that of the probabilities."""
    return (probabilities > 0.5).float() + probabilities - probabilities.detach()


def reconstruction_loss(
    logits: Tensor, truth: Tensor, blank: Tensor, positive_weight: float
) -> Tensor:
    """Nats per dropped cell: the cross entropy of blank cells, sounding ones weighing more.

    Args:
      logits, truth, blank: float [batch, num_steps, keys]; the latter two of 0 and 1.
      positive_weight: of a sounding cell.
    """
    nats = F.binary_cross_entropy_with_logits(
        logits, truth, reduction="none", pos_weight=logits.new_tensor(positive_weight)
    )
    return (nats * blank).sum() / (truth * blank).sum().clamp(min=1.0)


def critic_loss(real: Tensor, made: Tensor) -> Tensor:
    """The mean cross entropy of a critic's logits, halved, as the paper does to slow it down."""
    return 0.5 * (F.softplus(-real).mean() + F.softplus(made).mean())


def generator_loss(made: Tensor) -> Tensor:
    """Nats of the critic's taking what was made for real."""
    return F.softplus(-made).mean()


def quiet(values: Tensor) -> Tensor:
    """No noise."""
    return values


def noise_of(rate: float, rng: np.random.Generator | None = None) -> Noise:
    """Dropout of that share; its draws are torch's unless random numbers are given."""
    if not rate:
        return quiet
    own = None
    if rng is not None:
        own = torch.Generator().manual_seed(int(rng.integers(1 << 62)))

    def dropped(values: Tensor) -> Tensor:
        mask = torch.rand(values.shape, generator=own) >= rate
        return values * (mask.to(values.device, values.dtype) / (1.0 - rate))

    return dropped
