"""Reading files from strangers: in a child process with a memory and a time limit.

A file that makes the reader grow, hang or die costs one rejection and a restart of
the child, never the run.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

from corpus.readers import child

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_START_SECONDS = 120.0
# The child counts its own processor time; the clock is only for one that does not run at all.
_PATIENCE = 10


@dataclass(frozen=True)
class ReadResult:
    """One score of a file: facts for its track row and the serialized NoteSequence."""

    facts: dict[str, Any]
    payload: bytes

    @property
    def reason(self) -> str:
        """Empty for a score that was read."""
        return str(self.facts["reason"])

    @property
    def tune(self) -> str:
        """Name of the tune in its book; empty for a file of one score."""
        return str(self.facts["tune"])

    @classmethod
    def rejected(cls, reason: str, detail: str) -> ReadResult:
        """A whole file that gave nothing."""
        return cls({"tune": "", "reason": reason, "detail": detail}, b"")


class GuardedReader:
    """Reads scores in a child process; restarts it when a file breaks it."""

    def __init__(self, *, max_memory_mb: int, max_seconds: float) -> None:
        self._max_memory_mb = max_memory_mb
        self._max_seconds = max_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> GuardedReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def read(self, data: bytes, path: str, source: str) -> list[ReadResult]:
        """Reads every score of a file; whatever happens ends as a result with a reason."""
        request = {
            "path": path.encode("unicode_escape").decode(),
            "source": source,
            "num_bytes": len(data),
        }
        process = self._started()
        deadline = time.monotonic() + _PATIENCE * self._max_seconds
        try:
            self._send(process, child.frame(request, data), deadline)
            return self._receive(process, deadline)
        except TimeoutError:
            self.close()
            return [self._too_slow()]
        except (EOFError, BrokenPipeError):
            out_of_time = process.wait() == -signal.SIGPROF
            self.close()
            if out_of_time:
                return [self._too_slow()]
            return [ReadResult.rejected("reader_crashed", "the reader died of this file")]

    def _too_slow(self) -> ReadResult:
        return ReadResult.rejected("too_slow", f"reading it takes over {self._max_seconds:g} s")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            root = str(Path(__file__).resolve().parents[2])
            paths = [root, os.environ.get("PYTHONPATH", "")]
            limits = [str(self._max_memory_mb), str(self._max_seconds)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "corpus.readers.child", *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )
            try:
                self._receive_header(self._process, time.monotonic() + _START_SECONDS)
            except (EOFError, TimeoutError) as error:
                self.close()
                raise RuntimeError(
                    "the reader process does not start; `python -m corpus.readers.child 512 60` "
                    "shows why"
                ) from error
        return self._process

    def _send(self, process: subprocess.Popen[bytes], message: bytes, deadline: float) -> None:
        assert process.stdin is not None
        descriptor = process.stdin.fileno()
        os.set_blocking(descriptor, False)
        view = memoryview(message)
        while view:
            _, ready, _ = select.select([], [descriptor], [], _left(deadline))
            if not ready:
                raise TimeoutError
            view = view[os.write(descriptor, view) :]

    def _read(self, process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        pieces = bytearray()
        while len(pieces) < count:
            ready, _, _ = select.select([descriptor], [], [], _left(deadline))
            if not ready:
                raise TimeoutError
            piece = os.read(descriptor, min(count - len(pieces), 1 << 20))
            if not piece:
                raise EOFError
            pieces += piece
        return bytes(pieces)

    def _receive_header(self, process: subprocess.Popen[bytes], deadline: float) -> dict[str, Any]:
        (length,) = child.LENGTH.unpack(self._read(process, child.LENGTH.size, deadline))
        header: dict[str, Any] = json.loads(self._read(process, length, deadline))
        return header

    def _receive(self, process: subprocess.Popen[bytes], deadline: float) -> list[ReadResult]:
        scores = self._receive_header(process, deadline)["scores"]
        return [
            ReadResult(facts, self._read(process, facts.get("num_bytes", 0), deadline))
            for facts in scores
        ]


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)


class ReaderPool:
    """Several guarded readers that work side by side; answers come in the order asked."""

    def __init__(self, num_readers: int, *, max_memory_mb: int, max_seconds: float) -> None:
        self._readers = [
            GuardedReader(max_memory_mb=max_memory_mb, max_seconds=max_seconds)
            for _ in range(num_readers)
        ]
        self._idle: SimpleQueue[GuardedReader] = SimpleQueue()
        for reader in self._readers:
            self._idle.put(reader)
        self._threads = ThreadPoolExecutor(num_readers)

    def close(self) -> None:
        """Ends the readers."""
        self._threads.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.close()

    def map(
        self, ask: Callable[[GuardedReader, Item], Answer], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Answer]]:
        """(item, answer) in order, a few items ahead of the consumer, so memory is bounded."""
        ahead = 2 * len(self._readers)
        waiting: deque[tuple[Item, Future[Answer]]] = deque()
        for item in items:
            waiting.append((item, self._threads.submit(self._ask, ask, item)))
            if len(waiting) >= ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        for rest, future in waiting:
            yield rest, future.result()

    def _ask(self, ask: Callable[[GuardedReader, Item], Answer], item: Item) -> Answer:
        reader = self._idle.get()
        try:
            return ask(reader, item)
        finally:
            self._idle.put(reader)
