"""Any text as its bytes, which are the characters of most texts: for models that write.

256 classes, the bytes of UTF-8; a letter beyond ASCII is two to four of them. No byte is unknown,
so every text can be learned, and a prompt may hold what no training text had.

A score is no text: `encode` gives nothing. `python -m trainers.text` calls `encode_text`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from corpus.encodings import tempo_grid
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece, Events

NUM_BYTES = 256
_LEAST_MAX_STEPS = 8  # two of the longest characters
_MIN_STEPS = 2  # one to see and one to predict


class TextEncoding(OneClassEncoding):
    """Bytes of UTF-8."""

    name = "text"
    version = "1"
    num_events = NUM_BYTES
    num_classes = NUM_BYTES
    input_size = NUM_BYTES
    feeds_events = True
    reasons: tuple[str, ...] = ("no_text",)
    suffix = ".txt"  # of files with what is sampled

    def __init__(self, *, max_steps: int = 1024) -> None:
        """Makes the encoding.

        Args:
          max_steps: bytes of an example at most; 0 leaves texts whole.

        Raises:
          ValueError: an example would not hold two characters.
        """
        if max_steps and max_steps < _LEAST_MAX_STEPS:
            raise ValueError(f"examples of {max_steps} bytes; choose at least 8, or 0 for no limit")
        self._max_steps = max_steps

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Nothing: a score is no text."""
        return tempo_grid.nothing("no_text")

    def encode_text(self, text: str, made_by: str = "text") -> Iterator[EncodedExample]:
        """The parts of a text one after the other; none of them overlap.

        A text of one byte has none: nothing in it can be predicted.
        """
        data = text.encode("utf-8", "replace")
        for begin, end in _parts(data, self._max_steps or len(data)):
            events = np.frombuffer(data[begin:end], np.uint8).astype(np.int64)
            place = f"{made_by}, bytes {begin} to {end - 1} of {len(data)}"
            yield EncodedExample(events, made_by=place)

    def tokens(self, example: EncodedExample) -> list[str]:
        """The bytes: those of ASCII as characters, others as two digits."""
        return [chr(e) if e < 128 else f"{e:02x}" for e in example.events.tolist()]

    def prompt(self, text: str) -> Events:
        """The events of a text that a model goes on from.

        Raises:
          ValueError: there is none.
        """
        if not text:
            raise ValueError("the prompt is empty; give at least one character")
        return np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int64)

    def text(self, example: EncodedExample) -> str:
        """The text; bytes that are no UTF-8 become U+FFFD, as do those of a letter cut in two."""
        return bytes(example.events.tolist()).decode("utf-8", "replace")

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """A NoteSequence without notes: a text is read, not played."""
        return tempo_grid.to_sequence((), qpm)


def _parts(data: bytes, max_bytes: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of parts that are as long as may be, of two bytes at least.

    Each ends behind a line, or else behind a word, if one ends in its last quarter; never within
    a character.
    """
    begin = 0
    while len(data) - begin >= _MIN_STEPS:
        end = min(begin + max_bytes, len(data))
        if end < len(data):
            end = min(end, len(data) - _MIN_STEPS)
            late = begin + max_bytes * 3 // 4
            behind = data.rfind(b"\n", late, end) + 1 or data.rfind(b" ", late, end) + 1
            end = behind or _character_end(data, end)
        yield begin, end
        begin = end


def _character_end(data: bytes, end: int) -> int:
    """The last end of a character at or before `end`."""
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return end
