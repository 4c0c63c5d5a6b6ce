"""The process that `corpus.readers.guard` starts: reads scores with a memory limit.

Frames on stdin and stdout: little-endian uint32 length of a JSON header, the header,
then the bytes that the header announces. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import warnings
from typing import Any, BinaryIO

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


def _describe(score: Any) -> tuple[dict[str, Any], bytes]:
    """(header of a score, its serialized NoteSequence): what a Track row is made of."""
    if score.sequence is None:
        return {"tune": score.tune, "reason": score.reason, "detail": score.detail}, b""
    sequence = score.sequence
    body = sequence.SerializeToString(deterministic=True)
    signature = sequence.time_signatures[0] if sequence.time_signatures else None
    header = {
        "tune": score.tune,
        "reason": "",
        "track_id": score.track_id,
        "media": score.media,
        "title": score.title,
        "composer": score.composer,
        "warnings": score.warnings,
        "num_notes": len(sequence.notes),
        "seconds": sequence.total_time,
        "qpm": sequence.tempos[0].qpm if sequence.tempos else 120.0,
        "time_signature": f"{signature.numerator}/{signature.denominator}" if signature else "",
        "has_drums": any(note.is_drum for note in sequence.notes),
        "has_chords": bool(sequence.text_annotations),
        "programs": sorted({note.program for note in sequence.notes if not note.is_drum}),
        "num_bytes": len(body),
    }
    return header, body


def _answer(request: dict[str, Any], data: bytes) -> bytes:
    from corpus import readers

    path = request["path"].encode().decode("unicode_escape")
    described = [_describe(s) for s in readers.read_score(data, path, request["source"])]
    return frame({"scores": [head for head, _ in described]}, *(body for _, body in described))


def _failed(reason: str, detail: str) -> bytes:
    return frame({"scores": [{"tune": "", "reason": reason, "detail": detail}]})


def main() -> None:
    """Answers requests until stdin closes."""
    warnings.simplefilter("ignore")
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # A library that prints must not write into the frames.
    from corpus import readers

    assert readers.READERS
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
            answer = _answer(request, data)
        except MemoryError:
            answer = _failed("too_much_memory", "reading it takes more memory than is allowed")
        except Exception as error:
            answer = _failed("reader_failed", f"{type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_PROF, 0)
        stdout.write(answer)
        stdout.flush()


if __name__ == "__main__":
    main()
