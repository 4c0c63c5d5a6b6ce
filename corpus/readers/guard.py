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
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from corpus.readers import Prepared, child
from corpus.readers.results import Score

_START_SECONDS = 120.0
# The child counts its own processor time; the clock is only for one that does not run at all.
_PATIENCE = 10


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

    def read(self, prepared: Prepared) -> list[Score]:
        """Reads every score of a file; whatever happens ends as a score or as a reason."""
        request = {"media": prepared.media, "num_bytes": len(prepared.data)}
        process = self._started()
        deadline = time.monotonic() + _PATIENCE * self._max_seconds
        try:
            self._send(process, child.frame(request, prepared.data), deadline)
            return self._receive(process, deadline)
        except TimeoutError:
            self.close()
            return [self._too_slow()]
        except (EOFError, BrokenPipeError):
            out_of_time = process.wait() == -signal.SIGPROF
            self.close()
            if out_of_time:
                return [self._too_slow()]
            return [Score(reason="reader_crashed", detail="the reader died of this file")]

    def _too_slow(self) -> Score:
        detail = f"reading it takes over {self._max_seconds:g} s"
        return Score(reason="too_slow", detail=detail)

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

    def _receive(self, process: subprocess.Popen[bytes], deadline: float) -> list[Score]:
        scores = []
        for header in self._receive_header(process, deadline)["scores"]:
            payload = self._read(process, header.pop("num_bytes"), deadline)
            scores.append(Score(payload=payload, **header))
        return scores


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)


class ReaderPool:
    """Several guarded readers that work side by side."""

    def __init__(self, num_readers: int, *, max_memory_mb: int, max_seconds: float) -> None:
        self.num_readers = num_readers
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

    def submit(self, prepared: Prepared) -> Future[list[Score]]:
        """Has the next reader that is free read the file."""
        return self._threads.submit(self._read, prepared)

    def _read(self, prepared: Prepared) -> list[Score]:
        reader = self._idle.get()
        try:
            return reader.read(prepared)
        finally:
            self._idle.put(reader)
