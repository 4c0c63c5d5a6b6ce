"""The benchmarks of training run, on sizes that take no time."""

from __future__ import annotations

import math
import re

import pytest
import torch

from benchmarks import gpu, training

torch.set_num_threads(1)
TINY = training.Size(2, 8, 5)


def rates(printed: str) -> dict[str, float]:
    """Label -> first figure of each row of a table."""
    rows = re.findall(r"^(\S.*?) {2,}([\d,]+) +[\d.]+", printed, re.MULTILINE)
    return {label: float(figure.replace(",", "")) for label, figure in rows}


def test_training_rows(capsys: pytest.CaptureFixture[str]) -> None:
    training.print_training((TINY,), 1, 0.0)
    printed = capsys.readouterr().out
    found = rates(printed)
    assert set(found) >= {"2 x 8 ours", "2 x 8 plain one-hot fp32 nn.LSTM"}
    assert all(rate > 0 for rate in found.values())
    assert re.search(r"bf16 product [\d,]+ GFLOP/s", printed)


def test_attention_and_sampling_rows(capsys: pytest.CaptureFixture[str]) -> None:
    training.print_attention(3, 1, 0.0)
    training.print_sampling(TINY, 3, 1, 0.0)
    found = rates(capsys.readouterr().out)
    wanted = {"cell", "parallel", "autograd", "ours", "nn.LSTM, a step a call"}
    assert set(found) == wanted
    assert all(rate > 0 for rate in found.values())


def test_the_training_step_trains() -> None:
    torch.manual_seed(0)
    step = training.training_step(TINY, batch=2)
    losses = [step() for _ in range(30)]
    assert losses[0] == pytest.approx(math.log(388), rel=0.05)
    assert losses[-1] < losses[0]


def test_operations_of_a_token_are_six_a_weight() -> None:
    model, _ = training._model(training.LARGE)
    kernels = sum(p.numel() for name, p in model.named_parameters() if "weight_" in name)
    kernels += model.get_parameter("logits_kernel").numel()
    assert training.LARGE.flops == 6 * kernels


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would measure")
def test_without_a_gpu_one_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 0
    assert capsys.readouterr().out == "bench-gpu: skipped, torch sees no CUDA device here\n"
