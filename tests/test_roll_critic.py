"""The critic of rolls, its penalty, and rolls that are 0 or 1."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainers.models.parts.roll_critic import Critic, penalty
from trainers.models.parts.roll_wgan import binary

torch.set_num_threads(1)


class _Linear(torch.nn.Module):
    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, rolls: Tensor, conditions: Tensor) -> Tensor:
        return (rolls * self.weights).sum((1, 2))


def test_the_penalty_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    weights, real, made = torch.randn(16, 24), torch.rand(3, 16, 24), torch.rand(3, 16, 24)
    found = penalty(_Linear(weights), real, made, torch.zeros(3, 12))
    torch.testing.assert_close(found, (weights.norm() - 1) ** 2)

    def squares(rolls: Tensor, _: Tensor) -> Tensor:
        return rolls.square().sum((1, 2))  # the gradient is 2 * real

    found = penalty(squares, real, real, torch.zeros(3, 12))
    torch.testing.assert_close(found, ((2 * real).flatten(1).norm(dim=1) - 1).square().mean())


def test_the_penalty_reaches_the_critics_weights() -> None:
    torch.manual_seed(0)
    critic = Critic(16, 24, (4, 4), 8).double()
    real, made = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    conditions = torch.rand(3, 12, dtype=torch.float64)
    weight = critic.hidden.weight

    def value() -> Tensor:
        torch.manual_seed(5)
        return penalty(critic, real, made, conditions)

    (slope,) = torch.autograd.grad(value(), weight)
    with torch.no_grad():
        weight[1, 2] += 1e-5
    after = float(value().detach())
    with torch.no_grad():
        weight[1, 2] -= 2e-5
    before = float(value().detach())
    assert float(slope[1, 2]) == pytest.approx((after - before) / 2e-5, rel=1e-3, abs=1e-7)


def test_binary_is_hard_and_has_the_gradient_of_the_probability() -> None:
    logits = torch.tensor([-2.0, -0.1, 0.1, 3.0], requires_grad=True)
    shown = binary(logits)
    assert shown.detach().round(decimals=6).tolist() == [0, 0, 1, 1]
    (slope,) = torch.autograd.grad(shown.sum(), logits)
    soft = logits.detach().sigmoid()
    torch.testing.assert_close(slope, soft * (1 - soft))
