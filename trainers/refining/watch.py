"""Notices a training that comes apart, and says what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_SETTLED = 40  # steps before which a loss may do anything
_RISE = 3.0  # nats above the lowest mean: far more than batches differ by
_SPIKE = 100.0  # times the usual length of a gradient
_WEIGHT = 0.05  # of a new value in a running mean


@dataclass
class Watch:
    """Follows losses and gradients.

    Attributes:
      mean_loss: running mean, nats; lowest: its lowest value.
      usual_norm: running mean of gradients' lengths, spikes aside.
      num_steps: watched so far; num_spikes: gradients that were far too long.
      largest: the longest gradient.
    """

    mean_loss: float = 0.0
    lowest: float = field(default=math.inf)
    usual_norm: float = 0.0
    num_steps: int = 0
    num_spikes: int = 0
    largest: float = 0.0

    def see(self, kind: str, loss: float, norm: float, rate: float) -> None:
        """Takes a step's loss and the length of its gradient before it is clipped.

        Raises:
          ValueError: one is no number, or the loss has risen far above what it was.
        """
        advice = f"lower learning_rate (now {rate:g}) or clip_norm with --hparams"
        for name, value in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(value):
                raise ValueError(
                    f"{kind}: the {name} is no number after step {self.num_steps}; {advice}"
                )
        weight = max(_WEIGHT, 1.0 / (self.num_steps + 1))
        self.mean_loss += weight * (loss - self.mean_loss)
        is_spike = self.num_steps >= _SETTLED and norm > _SPIKE * self.usual_norm
        self.num_spikes += is_spike
        self.largest = max(self.largest, norm)
        if not is_spike:
            self.usual_norm += weight * (norm - self.usual_norm)
        self.num_steps += 1
        if self.num_steps < _SETTLED:
            return
        self.lowest = min(self.lowest, self.mean_loss)
        if self.mean_loss > self.lowest + _RISE:
            raise ValueError(
                f"{kind}: the training comes apart: the loss was {self.lowest:.2f} and is "
                f"{self.mean_loss:.2f} at step {self.num_steps}; {advice}"
            )

    def notes(self, kind: str) -> list[str]:
        """What a user should know at the end."""
        if not self.num_spikes:
            return []
        return [
            f"{kind}: {self.num_spikes} of {self.num_steps} gradients were over {_SPIKE:g} times "
            f"as long as usual (the longest {self.largest:.3g}) and were clipped"
        ]
