"""`make bench`: the attention layer's own backward pass against autograd, in one run.

Both train attention_rnn's setting of the source text: batch 64, layers 64 and 64, attention
over 40 outputs, one thread. The peer is the same model run a step at a time, which is how
PyTorch users write a cell that nn.LSTM does not have.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from corpus.config import Config
from corpus.encodings import open_melody_encoding
from trainers.models import make_model
from trainers.models.attention_rnn import AttentionRnn


def _step_by_step(model: AttentionRnn, inputs: Tensor) -> Tensor:
    state = model.initial_state(len(inputs))
    logits = []
    for step in inputs.unbind(1):
        found, state = model.step(step, state)
        logits.append(found)
    return torch.stack(logits, 1)


def _seconds(
    run: Callable[[Tensor], Tensor], inputs: Tensor, labels: Tensor, repeats: int
) -> float:
    """The best of some forward and backward passes."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        logits = run(inputs)
        torch.autograd.backward(F.cross_entropy(logits.flatten(0, 1), labels.flatten()))
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """Prints one row a length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=4, help="passes, of which the best counts (default: 4)"
    )
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = Config()
    encoding = open_melody_encoding(config.examples)
    model = make_model(config.train, encoding).eval()
    print("steps  autograd tokens/s  ours tokens/s  ratio  largest difference of logits")
    for num_steps in (128, 511):
        inputs = torch.rand(config.train.batch_size, num_steps, encoding.input_size)
        labels = torch.randint(0, encoding.num_classes, inputs.shape[:2])
        with torch.no_grad():
            apart = float((_step_by_step(model, inputs) - model(inputs)).abs().max())
        peer = _seconds(lambda x: _step_by_step(model, x), inputs, labels, repeats)
        ours = _seconds(model, inputs, labels, repeats)
        tokens = labels.numel()
        print(
            f"{num_steps:5}  {tokens / peer:17,.0f}  {tokens / ours:13,.0f}  "
            f"{peer / ours:5.2f}  {apart:.1e}"
        )


if __name__ == "__main__":
    main()
