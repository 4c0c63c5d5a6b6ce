"""Several processes that train one model, as torchrun starts them; one process is the usual case.

Each takes every n-th row of a batch; gradients are added up before each update, so all keep the
same weights. Under torchrun, `python -m trainers.train` becomes `torchrun --nproc-per-node 4 -m
trainers.train`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import torch
from torch import distributed, nn


def rank() -> int:
    """Which of the processes this is; 0 where there is one."""
    return distributed.get_rank() if _is_shared() else 0


def _is_shared() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def device_of(kind: str) -> torch.device:
    """The device of this process; of several CUDA devices its own."""
    if kind == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device(kind)


@contextlib.contextmanager
def joined(kind: str) -> Iterator[None]:
    """Joins the other processes, if torchrun has started any."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def my_part(rows: Sequence[int]) -> Sequence[int]:
    """The rows of a batch that this process takes; at least one, which may be another's too."""
    if not _is_shared():
        return rows
    size = distributed.get_world_size()
    return rows[rank() % len(rows) :: size] if len(rows) >= size else rows[:1]


def total(count: int, device: torch.device) -> int:
    """The sum over all processes."""
    return int(sum_of(float(count), device))


def sum_of(value: float, device: torch.device) -> float:
    """The sum over all processes."""
    if not _is_shared():
        return value
    tensor = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(tensor)
    return float(tensor)


def add_gradients(model: nn.Module) -> None:
    """Adds up the gradients of all processes."""
    if _is_shared():
        for parameter in model.parameters():
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad)
