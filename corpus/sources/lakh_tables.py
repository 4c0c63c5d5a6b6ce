"""Lakh's tables, read without building what a stranger's JSON asks for.

The JSON is walked token by token: only the shape that is expected is kept, anything else is
an error, so memory is a small multiple of the file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

MD5_TO_PATHS = "md5_to_paths.json"
MATCH_SCORES = "match_scores.json"
UNIQUE_TRACKS = "unique_tracks.txt"
MAX_TABLE_BYTES = {
    MD5_TO_PATHS: 64 << 20,  # has some 30 MB
    MATCH_SCORES: 64 << 20,  # has some 8 MB
    UNIQUE_TRACKS: 128 << 20,  # has 84 MB
}

_MAX_PATHS = 32  # of one file; the vote is decided by then
_BETWEEN_PATHS = "\0"  # One text a file takes half the memory of a list.

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_MD5 = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,4})?")
_TRACK_LINE = re.compile(rb"^(TR[A-Z]{5}[0-9A-F]{11})<SEP>[^\n<]*<SEP>", re.MULTILINE)
_TRACK_TYPE = "S18"
_SHORTEST_LINE = 28  # the track and two separators

T = TypeVar("T")


class _Json:
    """A position in a JSON text."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._at = 0
        try:
            self._text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} is no UTF-8 text; download it again") from error

    def wrong(self, expected: str) -> ValueError:
        """What is said of anything unexpected."""
        return ValueError(
            f"{self._name} is not Lakh's: character {self._at} should begin {expected}; "
            "download it again"
        )

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> bool:
        """Passes over a sign if it is the next."""
        found = self.peek() == sign
        self._at += found
        return found

    def string(self) -> str:
        """The next value, which has to be a string."""
        if self.peek() != '"':
            raise self.wrong("a text")
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except ValueError as error:
            raise self.wrong("a text") from error
        return str(value)

    def number(self) -> float:
        """The next value, which has to be a number."""
        self.peek()
        match = _NUMBER.match(self._text, self._at)
        if match is None or not math.isfinite(float(match[0])):
            raise self.wrong("a number")
        self._at = match.end()
        return float(match[0])

    def strings(self) -> Iterator[str]:
        """The next value, which has to be a list of strings."""
        return self._items("[", "]", "a list of texts", self.string)

    def fields(self, value: Callable[[], T]) -> Iterator[tuple[str, T]]:
        """The next value, which has to be an object."""
        return self._items("{", "}", "an object in braces", lambda: self._field(value))

    def _field(self, value: Callable[[], T]) -> tuple[str, T]:
        key = self.string()
        if not self.take(":"):
            raise self.wrong("a colon")
        return key, value()

    def _items(self, first: str, last: str, kind: str, item: Callable[[], T]) -> Iterator[T]:
        if not self.take(first):
            raise self.wrong(kind)
        if self.take(last):
            return
        while True:
            yield item()
            if self.take(last):
                return
            if not self.take(","):
                raise self.wrong(f"a comma or {last}")


class OriginalPaths:
    """MD5 -> original paths, of `{"<md5>": ["E/Artist - Song.mid", …], …}`.

    Raises:
      ValueError: the content has another shape.
    """

    def __init__(self, data: bytes | None, name: str) -> None:
        self._joined: dict[str, str] = {}
        text = _Json(b"{}" if data is None else data, name)
        for md5, joined in text.fields(
            lambda: _BETWEEN_PATHS.join(list(text.strings())[:_MAX_PATHS])
        ):
            if _MD5.fullmatch(md5):
                self._joined[md5] = joined

    def get(self, md5: str) -> list[str]:
        """The paths in the table's order, the first 32; none for an unknown file."""
        joined = self._joined.get(md5, "")
        return joined.split(_BETWEEN_PATHS) if joined else []


def read_match_scores(data: bytes | None, name: str) -> dict[tuple[str, str], float]:
    """(track, MD5) -> score, of `{"TR…": {"<md5>": 0.7, …}, …}`.

    Raises:
      ValueError: the content has another shape.
    """
    text = _Json(b"{}" if data is None else data, name)
    scores: dict[tuple[str, str], float] = {}
    for track, matches in text.fields(lambda: list(text.fields(text.number))):
        scores.update({(track, md5): score for md5, score in matches})
    return scores


class TrackNames:
    """Track of the Million Song Dataset -> (artist, title); a million lines in some 110 MB.

    Raises:
      ValueError: the content holds no line of the shape `TR…<SEP>SO…<SEP>artist<SEP>title`.
    """

    def __init__(self, data: bytes | None, name: str) -> None:
        self._data = data or b""
        tracks, starts = self._index()
        if data is not None and not len(tracks):
            raise ValueError(
                f"{name} holds no line like TRAAAGR128F425B14B<SEP>SO…<SEP>artist<SEP>title; "
                "download it again"
            )
        order = np.argsort(tracks, kind="stable")
        self._tracks, self._starts = tracks[order], starts[order]

    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        count = min(self._data.count(b"\n") + 1, len(self._data) // _SHORTEST_LINE)
        tracks = np.zeros(count, _TRACK_TYPE)
        starts = np.zeros(count, np.int64)
        used = 0
        for line in _TRACK_LINE.finditer(self._data):
            tracks[used], starts[used] = line[1], line.end()
            used += 1
        return tracks[:used], starts[:used]

    def get(self, track: str) -> tuple[str, str]:
        """(artist, title); empty where the track is unknown."""
        key = np.bytes_(track.encode("ascii"))
        at = int(np.searchsorted(self._tracks, key))
        if at == len(self._tracks) or self._tracks[at] != key:
            return "", ""
        start = int(self._starts[at])
        end = self._data.find(b"\n", start)
        line = self._data[start : end if end >= 0 else len(self._data)].decode("utf-8", "replace")
        artist, _, title = line.partition("<SEP>")
        return " ".join(artist.split()), " ".join(title.split())
