"""`make bench-gpu`: training and sampling on a CUDA device; one line where there is none.

Seconds on the clock, the best of some rounds; the device is waited for before each look at it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import torch

from benchmarks.peers import Work
from benchmarks.training import LARGE, Size, attention_step, sampling_steps, training_step

_BATCHES = (64, 256, 1024)
_ROUNDS = 5


def best_seconds(work: Work) -> float:
    """Seconds on the clock, the best of some rounds after a first one that does not count."""
    best = float("inf")
    for turn in range(_ROUNDS + 1):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if turn:
            best = min(best, time.perf_counter() - started)
    return best


def _product(kind: torch.dtype) -> float:
    """Operations a second of a large matrix product."""
    side = 8192
    one, other = (torch.randn(side, side, device="cuda", dtype=kind) for _ in range(2))
    return 2 * side**3 / best_seconds(lambda: one @ other)


def print_training(size: Size, batches: Sequence[int]) -> None:
    """Tokens a second of our trainer, in both precisions, and the share of the device's limit."""
    print(f"{f'training, {size}, V = 388':28} {'fp32':>11} {'bf16':>11} {'of bf16 product':>16}")
    limit = _product(torch.bfloat16)
    for batch in batches:
        tokens = batch * size.num_steps
        full, half = (
            tokens / best_seconds(training_step(size, batch, "cuda", kind))
            for kind in ("fp32", "bf16")
        )
        share = half * size.flops / limit
        print(f"B = {batch:<24} {full:11,.0f} {half:11,.0f} {share:16.0%}", flush=True)


def print_attention(num_steps: int) -> None:
    """Tokens a second of both kinds of attention layer, batch 64, 64 units over 40 outputs."""
    for kind in ("cell", "parallel"):
        work, tokens = attention_step(kind, num_steps, "cuda")
        print(f"attention, {kind:17} {tokens / best_seconds(work):11,.0f} tokens/s", flush=True)


def print_sampling(size: Size, num_rows: int, num_steps: int) -> None:
    """Events a second of many sequences side by side."""
    events = num_rows * num_steps / best_seconds(sampling_steps(size, num_rows, num_steps, "cuda"))
    print(f"sampling, B = {num_rows:<14} {events:11,.0f} events/s", flush=True)


def main(argv: Sequence[str]) -> int:
    """Prints the tables; returns the exit code."""
    argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0]).parse_args(argv)
    if not torch.cuda.is_available():
        print("bench-gpu: skipped, torch sees no CUDA device here")
        return 0
    print(torch.cuda.get_device_name())
    print_training(LARGE, _BATCHES)
    print_attention(512)
    print_sampling(LARGE, 256, 200)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
