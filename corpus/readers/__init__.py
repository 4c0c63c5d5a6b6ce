"""Bytes -> NoteSequence, one file a format.

`read_score` decides by extension and by the first bytes which reader takes a
file. A reader gives one result a score: a NoteSequence, or the reason why there
is none, in words that a musician understands. Readers are not safe against what
strangers may put in a file (memory, time): `corpus.readers.guard` is, and is what
the ingest stage uses.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib

from note_seq.protobuf import music_pb2

from corpus.readers import abc, midi, musicxml
from corpus.readers.results import READERS_BY_EXTENSION, ReadError, Score, media_of

READERS = {"midi": midi.read, "musicxml": musicxml.read, "abc": abc.read}

_MAX_UNPACKED_BYTES = 64 << 20

__all__ = ["READERS", "READERS_BY_EXTENSION", "ReadError", "Score", "media_of", "read_score"]


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
    if media == "midi" and not data.startswith((b"MThd", b"RIFF")):
        raise ReadError("not_midi", "named like a MIDI file, but the content is not MIDI")


def _note_sequence_id(path: str, media: str, source: str) -> tuple[str, str]:
    """(track_id, NoteSequence id), as note_seq's converter makes them from the file name."""
    track_id = hashlib.sha1(path.encode("utf-8", "surrogateescape")).hexdigest()
    return track_id, f"/id/{media}/{source}/{track_id}"


def read_score(data: bytes, path: str, source: str) -> list[Score]:
    """Reads every score of one file.

    Args:
      data: the whole file.
      path: its path below the source's root; the extension picks the reader.
      source: the source's name, which goes into the NoteSequence's id and collection.

    Returns:
      One result a score (a tune book has many), in the file's order; at least one.
    """
    try:
        media = media_of(path)
        if not data:
            raise ReadError("empty_file", "the file holds 0 bytes")
        if data.startswith(b"\x1f\x8b"):
            data = _unpack_gzip(data)
        _check_kind(data, media)
        scores = READERS[media](data)
    except ReadError as error:
        return [Score(reason=error.reason, detail=error.detail)]
    for score in scores:
        if score.sequence is None:
            continue
        if not score.sequence.notes:
            score.reject("no_notes", "the score was read, but there is no note in it")
            continue
        _finish(score, path, source, media)
    return scores


def _finish(score: Score, path: str, source: str, media: str) -> None:
    sequence = score.sequence
    assert isinstance(sequence, music_pb2.NoteSequence)
    name = f"{path}_{score.tune}" if score.tune else path
    score.media = media
    score.track_id, sequence.id = _note_sequence_id(name, media, source)
    sequence.filename = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    sequence.collection_name = source
