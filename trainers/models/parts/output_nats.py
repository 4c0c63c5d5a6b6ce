"""Likelihoods under a wide output layer, part by part, so that logits never leave the cache.

Of thousands of classes the logits are most of what a model computes and keeps. Here each part of
the rows is multiplied, turned into probabilities and back into gradients before the next one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_NUMBERS = 1 << 19  # logits of a part


def output_nats(
    states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, weights: Tensor
) -> Tensor:
    """The weighted sum of negative log-likelihoods of labels, in nats.

    Args:
      states: [rows, units]; of bfloat16 where logits shall be.
      weight, bias: [classes, units], [classes], of the output layer.
      labels: int64 [rows]; weights: float32 [rows], without gradients.
    """
    if states.device.type != "cpu":
        logits = F.linear(states, weight, bias).float()
        return (F.cross_entropy(logits, labels, reduction="none") * weights).sum()
    found: Tensor = _OutputNats.apply(  # type: ignore[no-untyped-call]
        states, weight, bias, labels, weights
    )
    return found


class _OutputNats(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, weights: Tensor
    ) -> Tensor:
        kind, needed = states.dtype, any(ctx.needs_input_grad)
        matrix, offset = weight.to(kind), bias.to(kind)
        total = torch.zeros((), dtype=torch.float32)
        to_states = torch.empty_like(states)
        to_weight = torch.zeros_like(weight)
        to_bias = torch.zeros_like(bias)
        rows = max(_NUMBERS // len(weight), 1)
        for first in range(0, len(states), rows):
            part = slice(first, first + rows)
            wanted, scale = labels[part, None], weights[part, None]
            logits = torch.addmm(offset, states[part], matrix.T).float()
            shares = torch.softmax(logits, 1)
            # The likeliest class has a share that no rounding spoils.
            of_all = logits.amax(1, keepdim=True) - shares.amax(1, keepdim=True).log()
            total += ((of_all - logits.gather(1, wanted)) * scale).sum()
            if needed:
                shares.mul_(scale).scatter_add_(1, wanted, -scale)
                rounded = shares.to(kind)
                to_states[part] = rounded @ matrix
                to_weight += rounded.T @ states[part]
                to_bias += shares.sum(0)
        ctx.save_for_backward(to_states, to_weight, to_bias)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        to_states, to_weight, to_bias = ctx.saved_tensors
        return to_states * gradient, to_weight * gradient, to_bias * gradient, None, None
