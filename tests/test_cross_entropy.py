"""Our cross entropy against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from trainers.features import PADDING
from trainers.models.parts.cross_entropy import cross_entropy


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 300.0])  # shares of a softmax that are 0 in float32
def test_losses_and_gradients_are_torchs(dtype: torch.dtype, scale: float) -> None:
    torch.manual_seed(0)
    logits = (scale * torch.randn(50, 30)).to(dtype)
    labels = torch.randint(0, 30, (50,))
    labels[::7] = PADDING
    one, other = (logits.clone().requires_grad_() for _ in range(2))
    ours = cross_entropy(one, labels)
    theirs = F.cross_entropy(other.float(), labels, ignore_index=PADDING, reduction="sum")
    assert torch.isfinite(ours)
    torch.testing.assert_close(ours, theirs)
    torch.autograd.backward(0.25 * ours)
    torch.autograd.backward(0.25 * theirs)
    assert one.grad is not None
    assert one.grad.dtype == dtype
    torch.testing.assert_close(one.grad, other.grad)
    assert not one.grad[::7].any()


def test_what_is_no_number_stays_none() -> None:
    logits = torch.full((2, 3), float("nan"), requires_grad=True)
    assert torch.isnan(cross_entropy(logits, torch.tensor([0, 1])))
