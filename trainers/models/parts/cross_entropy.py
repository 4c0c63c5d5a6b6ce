"""Cross entropy of many classes: on a processor one softmax gives the losses and their gradient.

torch's goes over a batch's logits four times more, and fills a matrix of zeros for every label.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from trainers.features import PADDING

_TINY = 1e-30  # below it a share of a softmax is rounded too much to take its logarithm


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum of negative log-likelihoods in nats, of labels that are no padding.

    Args:
      logits: [rows, classes], of any precision; labels: int64 [rows], PADDING where none is asked.
    """
    if logits.device.type != "cpu" or not logits.requires_grad:
        return F.cross_entropy(logits.float(), labels, ignore_index=PADDING, reduction="sum")
    found: Tensor = _CrossEntropy.apply(logits, labels)  # type: ignore[no-untyped-call]
    return found


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        slopes = torch.softmax(logits.float(), -1)
        is_asked = (labels != PADDING).unsqueeze(1)
        at = torch.where(is_asked, labels.unsqueeze(1), 0)
        likelihood = torch.where(is_asked, slopes.gather(1, at), 1.0)
        nats = -likelihood.log()
        if bool((likelihood < _TINY).any()):
            exact = torch.log_softmax(logits.float(), -1)
            nats = -torch.where(is_asked, exact.gather(1, at), 0.0)
        slopes.scatter_add_(1, at, torch.full_like(likelihood, -1.0))
        ctx.save_for_backward(slopes, is_asked)
        ctx.kind = logits.dtype
        return nats.sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        slopes, is_asked = ctx.saved_tensors
        return torch.mul(slopes, is_asked * gradient).to(ctx.kind), None
