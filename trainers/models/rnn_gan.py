"""RNN-GAN: a recurrent generator and a recurrent critic. A baseline that is known to fail.

Source: the project report "Deep Symphony" ("a song consisting of only one single chord") and
Shaofanl/DeepSymphony (`legacy/v1/model_Grnn_Drnn.py`): the noise is fed at the first step and
zeros after it, two LSTMs of 512 units and one of the keys make probabilities, two of 512 judge
them, the loss is that of the first GANs, windows have 96 steps. After ten steps of its own the
critic learns in one of three, by plain gradients; the generator has Adam.

Nothing is done here to save it: it stands beside the models with a convolutional critic, with
figures that show what it lost. It knows no scale, so rolls stay in their keys.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from trainers.features import Feeding
from trainers.models.generative import Metrics, Turn, descend
from trainers.models.parts.roll_forms import Part
from trainers.models.parts.roll_gan import CRITIC, RollGan, RollHparams


@dataclass(frozen=True)
class RnnGanHparams(RollHparams):
    """Hyperparameters of the RNN-GAN, beside those that all models of rolls share.

    Setting of the source, for a GPU: `length=96,num_keys=120,code_size=200,
    critic_learning_rate=0.0005,rnn_layer_sizes=[512,512]`, 1,000 steps.

    Attributes:
      rnn_layer_sizes: units of each layer, of the generator and of the critic.
    """

    limits: ClassVar = RollHparams.limits | {"rnn_layer_sizes": (1, 4096)}

    learning_rate: float = 0.0005
    critic_learning_rate: float = 0.01
    generator_steps: int = 2
    head_start: int = 10
    rnn_layer_sizes: tuple[int, ...] = (96, 96)


class RnnGan(RollGan):
    """LSTMs that make rolls, and LSTMs that judge them."""

    defaults = RnnGanHparams()
    about = (
        "A baseline that is known to fail, no tool for music. On Bach's chorales, one seed of two "
        "CPU minutes: 5.2 bits of chords where held-out rolls have 9.1, two samples differ in "
        "53 % of their notes (real ones in 89 %), notes are in any scale about as often as by "
        "chance, and a long sample dies away."
    )

    def __init__(self, feeding: Feeding, hparams: RnnGanHparams) -> None:
        super().__init__(feeding, hparams)
        sizes, keys = hparams.rnn_layer_sizes, hparams.num_keys
        self.generator = StackedLstm((hparams.code_size, *sizes), keys)
        self.critic = StackedLstm((keys, *sizes), 1)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the generator, plain gradients for the critic."""
        critic = SGD(self.critic.parameters(), self.hparams.critic_learning_rate)
        return super().optimizers() | {CRITIC: critic}

    def logits(self, parts: Sequence[Part], conditions: Tensor) -> Tensor:
        """The noise of a part at its first step, zeros after it; the state goes on."""
        course = [F.pad(part.noise[:, None], (0, 0, 0, part.num_steps - 1)) for part in parts]
        found: Tensor = self.generator(torch.cat(course, 1))
        return found

    def shown(self, logits: Tensor) -> Tensor:
        """The probabilities."""
        return logits.sigmoid()

    def scores(self, rolls: Tensor, conditions: Tensor) -> Tensor:
        """Log-odds of being real, after the last step."""
        found: Tensor = self.critic(rolls)[:, -1, 0]
        return found

    def train_critic(self, real: Tensor, conditions: Tensor, turn: Turn) -> Metrics:
        """One update by how well real rolls are told from made ones."""
        with torch.no_grad():
            made = self.made(conditions)
        of_real, of_made = self.scores(real, conditions), self.scores(made, conditions)
        loss = F.softplus(-of_real).mean() + F.softplus(of_made).mean()
        descend(turn.optimizers[CRITIC], loss)
        gap = of_real.mean() - of_made.mean()
        return {"loss": float(loss.detach()), "critic_gap": float(gap.detach())}

    def generator_loss(self, conditions: Tensor) -> Tensor:
        """Negative log-likelihood of being taken for real."""
        return F.softplus(-self.scores(self.made(conditions), conditions)).mean()


class StackedLstm(nn.Module):
    """Layers of LSTMs, and a dense one: [batch, num_steps, sizes[0]] -> [.., num_outputs]."""

    def __init__(self, sizes: Sequence[int], num_outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.LSTM(before, after, batch_first=True) for before, after in itertools.pairwise(sizes)
        )
        self.leave = nn.Linear(sizes[-1], num_outputs)

    def forward(self, entering: Tensor) -> Tensor:
        """Every step's."""
        for layer in self.layers:
            entering, _ = layer(entering)
        left: Tensor = self.leave(entering)
        return left
