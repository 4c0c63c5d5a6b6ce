"""The process that `corpus.readers.guard` starts: reads scores with a memory limit.

Frames on stdin and stdout: little-endian uint32 length of a JSON header, the header,
then the bytes that the header announces. Nothing is pickled.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import struct
import sys
import warnings
from typing import Any, BinaryIO

from corpus import compiled, readers
from corpus.readers.results import Score

LENGTH = struct.Struct("<I")


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Reads `count` bytes.

    Raises:
      EOFError: the stream ends first.
    """
    pieces: list[bytes] = []
    while count:
        piece = stream.read(count)
        if not piece:
            raise EOFError("the other side of the pipe is gone")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def frame(header: dict[str, Any], *bodies: bytes) -> bytes:
    """One message: its header, and the bytes that the header announces."""
    text = json.dumps(header).encode()
    return b"".join((LENGTH.pack(len(text)), text, *bodies))


def _limit_memory(max_memory_mb: int) -> None:
    """Allows this process so much more address space than it has now."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
    except (ImportError, OSError):
        return  # Not Linux: the time limit still holds.
    limit = pages * os.sysconf("SC_PAGE_SIZE") + (max_memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _header(score: Score) -> dict[str, Any]:
    return {
        "tune": score.tune,
        "reason": score.reason,
        "detail": score.detail,
        "title": score.title,
        "composer": score.composer,
        "media": score.media,
        "reader": score.reader,
        "warnings": score.warnings,
        "num_bytes": len(score.payload),
    }


def _answer(scores: list[Score]) -> bytes:
    return frame({"scores": [_header(s) for s in scores]}, *(s.payload for s in scores))


def _failed(reason: str, detail: str) -> bytes:
    return _answer([Score(reason=reason, detail=detail)])


def main() -> None:
    """Answers requests until stdin closes."""
    warnings.simplefilter("ignore")
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # A library that prints must not write into the frames.
    compiled.once_per_machine(lambda: importlib.import_module("corpus.readers.musicxml.scan"))
    for module in (readers.READERS[media] for media in readers.READERS if media != readers.MIDI):
        importlib.import_module(module)
    _limit_memory(int(sys.argv[1]))
    max_seconds = float(sys.argv[2])
    stdout.write(frame({"ready": True}))
    stdout.flush()
    while length := stdin.read(LENGTH.size):
        request = json.loads(read_exactly(stdin, LENGTH.unpack(length)[0]))
        data = read_exactly(stdin, request["num_bytes"])
        # The kernel ends a process that spins, even where Python no longer can. Processor
        # time, not the clock: what is too slow does not depend on what else is running.
        signal.setitimer(signal.ITIMER_PROF, max_seconds)
        try:
            answer = _answer(readers.read_prepared(readers.Prepared(request["media"], data)))
        except MemoryError:
            answer = _failed("too_much_memory", "reading it takes more memory than is allowed")
        except Exception as error:
            answer = _failed("reader_failed", f"{type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_PROF, 0)
        stdout.write(answer)
        stdout.flush()


if __name__ == "__main__":
    main()
