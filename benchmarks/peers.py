"""A peer's code in a process of its own, where nothing of ours changes how it runs.

Our trainers tell the C library to keep memory that was freed (`trainers.memory`), which would help
the peer as much; those who write it do not get that.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch

Work = Callable[[], object]
Round = Callable[[float], float]  # at least so many processor seconds -> those of one call


def round_of(work: Work) -> Round:
    """Rounds of some work in this process; it is done once beforehand."""
    work()

    def seconds(least: float) -> float:
        count, started = 0, time.process_time()
        while not count or time.process_time() - started < least:
            work()
            count += 1
        return (time.process_time() - started) / count

    return seconds


@contextmanager
def elsewhere(maker: Callable[..., Work], *given: object) -> Iterator[Round]:
    """Rounds of the work that `maker(*given)` makes in a new process of one thread."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, maker, given), daemon=True)
    process.start()
    theirs.close()

    def seconds(least: float) -> float:
        ours.send(least)
        found: float = ours.recv()
        return found

    try:
        yield seconds
    finally:
        ours.close()
        process.join()


def _serve(asked: Connection, maker: Callable[..., Work], given: tuple[object, ...]) -> None:
    torch.set_num_threads(1)
    measured = round_of(maker(*given))
    while True:
        try:
            least = asked.recv()
        except EOFError:
            return
        asked.send(measured(least))
