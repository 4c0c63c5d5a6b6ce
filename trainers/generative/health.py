"""Notices a training of a generative model that comes apart, and says what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainers.models.generative import Metrics

CRITIC_GAP, GRADIENT = "critic_gap", "gradient"

_SETTLED = 40  # steps before which anything may happen
_WEIGHT = 0.02  # of a new value in a running mean
_SPIKE = 100.0  # times the usual length of a gradient
_FAR = 50.0  # times the usual gap between real and made, where a critic has won


@dataclass
class Health:
    """Follows gradients and critics.

    Attributes:
      num_steps: watched so far; num_spikes: gradients that were far too long.
      usual_gradient: running mean of their lengths, spikes aside; largest: the longest.
      usual_gap: running mean of the critic's gap, its size; num_gaps: of which there were so
        many, since a critic may begin late; num_won: steps at which it was many times as large.
    """

    num_steps: int = 0
    num_spikes: int = 0
    usual_gradient: float = 0.0
    largest: float = 0.0
    usual_gap: float = 0.0
    num_gaps: int = 0
    num_won: int = 0

    def see(self, metrics: Metrics, advice: str) -> None:
        """Takes a step's metrics.

        Raises:
          ValueError: one of them is no number.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"the training comes apart: {name} is no number after step {self.num_steps}; "
                    f"{advice}"
                )
        weight = max(_WEIGHT, 1.0 / (self.num_steps + 1))
        is_settled = self.num_steps >= _SETTLED
        if (length := metrics.get(GRADIENT)) is not None:
            is_spike = is_settled and length > _SPIKE * self.usual_gradient
            self.num_spikes += is_spike
            self.largest = max(self.largest, length)
            if not is_spike:
                self.usual_gradient += weight * (length - self.usual_gradient)
        if (gap := metrics.get(CRITIC_GAP)) is not None:
            weight = max(_WEIGHT, 1.0 / (self.num_gaps + 1))
            is_settled = self.num_gaps >= _SETTLED
            has_won = is_settled and abs(gap) > _FAR * max(self.usual_gap, 1e-3)
            self.num_won += has_won
            self.num_gaps += 1
            if not has_won:
                self.usual_gap += weight * (abs(gap) - self.usual_gap)
        self.num_steps += 1

    def notes(self) -> list[str]:
        """What a user should know at the end."""
        found = []
        if self.num_spikes:
            found.append(
                f"unstable: {self.num_spikes} of {self.num_steps} gradients were over {_SPIKE:g} "
                f"times as long as usual (the longest {self.largest:.3g}) and were clipped"
            )
        if self.num_won:
            found.append(
                f"the critic saturates: at {self.num_won} of {self.num_steps} steps it told real "
                f"from made {_FAR:g} times as clearly as usual ({self.usual_gap:.3g}); a lower "
                "learning rate of the critic or fewer of its steps may help"
            )
        return found
