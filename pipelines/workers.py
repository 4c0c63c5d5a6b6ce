"""Worker processes on this machine, for RUNNER=multiprocess.

Beam's own worker processes each import Beam and are served from the launching process: they
take seconds longer to start and end than these, which have only the stage. Whoever
is free takes the next lane of work, so that no worker waits for another's half.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from typing import Any

from corpus.stages import Piece, ShardResult, Stage

_pool: ProcessPoolExecutor | None = None


class _Worker:
    """What a worker process keeps."""

    stage: Stage[Any]
    is_set_up = False


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # It was killed. What is half done must not go on beside the next run.


def _begin(stage: Stage[Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent ends its workers.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Worker.stage = stage


def _set_up() -> None:
    if not _Worker.is_set_up:
        _Worker.stage.setup()
        Finalize(None, _Worker.stage.teardown, exitpriority=1)
        _Worker.is_set_up = True


def _do(lane: Sequence[Piece[Any]]) -> list[ShardResult]:
    _set_up()
    return [_Worker.stage.do(piece) for piece in lane]


@contextlib.contextmanager
def running(stage: Stage[Any], count: int) -> Iterator[None]:
    """Keeps `count` workers for a stage; they get ready while this process goes on."""
    global _pool
    # A server that has imported the stage forks the workers; it has no threads that forking breaks.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([type(stage).__module__])
    _pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(stage,))
    try:
        for _ in range(count):
            _pool.submit(_set_up)  # What goes wrong here goes wrong in `_do` as well, and is told.
        yield
    finally:
        _pool.shutdown(cancel_futures=True)
        _pool = None


def no_more_work() -> None:
    """Lets the workers end while this process goes on."""
    assert _pool is not None, "the workers are not running"
    _pool.shutdown(wait=False)


def submit(lane: Sequence[Piece[Any]]) -> Future[list[ShardResult]]:
    """Has the next worker that is free do the pieces of a lane, in their order."""
    assert _pool is not None, "the workers are not running"
    return _pool.submit(_do, lane)
