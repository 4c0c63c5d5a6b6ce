"""Bytes -> serialized NoteSequences, one reader a format.

`prepare` decides by extension and by the first bytes which reader takes a file. A reader
gives one result a score: a NoteSequence, or the reason why there is none, in words that
a musician understands. The MIDI reader is safe against whatever strangers put in a file,
the others keep to limits of their own; the ingest stage runs those in a child process
with limits of memory and time besides (`corpus.readers.guard`).
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from corpus.readers.results import READERS_BY_EXTENSION, ReadError, Score, media_of

MIDI = "midi"
# Imported when first used: all but MIDI build protos, and to import note_seq takes seconds.
READERS = {
    MIDI: "corpus.readers.midi",
    "musicxml": "corpus.readers.musicxml",
    "abc": "corpus.readers.abc",
    "musescore": "corpus.readers.musescore",
}

_MAX_UNPACKED_BYTES = 64 << 20
_ID, _FILENAME, _COLLECTION_NAME = 1, 2, 3  # fields of note_seq's NoteSequence

__all__ = [
    "MIDI", "READERS", "READERS_BY_EXTENSION", "Prepared", "ReadError", "Score", "identify",
    "media_of", "prepare", "read_prepared", "read_score",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """The bytes of a score file, unpacked, and the reader that takes them."""

    media: str
    data: bytes


def _unpack_gzip(data: bytes) -> bytes:
    """The content of a gzip file, up to a limit (a musician's .mid is often a .mid.gz)."""
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(_MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError("damaged_archive", f"the gzip file cannot be unpacked: {error}") from error
    if len(content) > _MAX_UNPACKED_BYTES:
        raise ReadError("too_big", f"unpacks to more than {_MAX_UNPACKED_BYTES >> 20} MB")
    return content


def _check_kind(data: bytes, media: str) -> None:
    """Rejects a file whose content is plainly something else than its name says."""
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise ReadError("not_a_score", "the content is a web page, not a score")
    if media == MIDI and not data.startswith((b"MThd", b"RIFF")):
        raise ReadError("not_midi", "named like a MIDI file, but the content is not MIDI")


def prepare(data: bytes, path: str) -> Prepared:
    """Finds the reader of a file and takes off a gzip wrapper.

    Raises:
      ReadError: no reader takes it.
    """
    media = media_of(path)
    if not data:
        raise ReadError("empty_file", "the file holds 0 bytes")
    if data.startswith(b"\x1f\x8b"):
        data = _unpack_gzip(data)
    _check_kind(data, media)
    return Prepared(media, data)


def read_prepared(prepared: Prepared) -> list[Score]:
    """Every score of a file, in its order; at least one, if only with the reason why not."""
    read: Callable[[bytes], list[Score]] = importlib.import_module(READERS[prepared.media]).read
    try:
        scores = read(prepared.data)
    except ReadError as error:
        return [Score.rejected(error)]
    for score in scores:
        score.media = prepared.media
        score.serialize()
    return scores


def _text_field(number: int, text: str) -> bytes:
    """A string field on protobuf's wire."""
    encoded = text.encode("utf-8")
    length, rest = bytearray(), len(encoded)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([number << 3 | 2]) + bytes(length) + encoded


def identify(score: Score, path: str, source: str) -> None:
    """Gives a score its track id, and its NoteSequence id, filename and collection name.

    Ids are made from the path as note_seq's converter makes them; a tune of a book adds
    `_` and its name. The three fields are the first of the message, so they are put
    before its bytes.
    """
    name = f"{path}_{score.tune}" if score.tune else path
    score.track_id = hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest()
    filename = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    fields = (
        (_ID, f"/id/{score.media}/{source}/{score.track_id}"),
        (_FILENAME, filename),
        (_COLLECTION_NAME, source),
    )
    score.payload = b"".join(_text_field(*field) for field in fields if field[1]) + score.payload


def read_score(data: bytes, path: str, source: str) -> list[Score]:
    """Reads every score of one file, in this process.

    Args:
      data: the whole file.
      path: its path below the source's root; the extension picks the reader.
      source: the source's name, which goes into the NoteSequence's id and collection.

    Returns:
      One result a score (a tune book has many), in the file's order; at least one.
    """
    try:
        prepared = prepare(data, path)
    except ReadError as error:
        return [Score.rejected(error)]
    scores = read_prepared(prepared)
    for score in scores:
        if not score.reason:
            identify(score, path, source)
    return scores
