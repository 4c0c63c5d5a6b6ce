"""Real music to hold samples against: held-out pieces as the model's encoding keeps them.

A model of melodies would be known at once beside a whole band, so a piece is encoded and decoded
again: that is what the model would have learned of it. The file itself can be heard, too.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpus import files, notes, shards, tables
from corpus.config import Config
from corpus.encodings import EncodedExample, Encoding, extraction, open_encoding
from corpus.layout import Layout
from corpus.notes import NoteArrays
from corpus.records import TEST, TRAIN, VALIDATION, GenreLabel, Track
from viz import music, pieces
from viz.pieces import Member

logger = logging.getLogger(__name__)

_SPAN = re.compile(r"([\d.]+) s to [\d.]+ s")
_MIN_NOTES = 8
_MAX_TRIES = 6


@dataclass(frozen=True)
class Excerpt:
    """A stretch of a held-out piece.

    Attributes:
      name: artist and title; split: where the piece stands.
      arrays: as the encoding keeps it; made_by: which part of the piece that is.
      file_music: the same length of the file itself, packed.
    """

    name: str
    split: str
    arrays: NoteArrays
    made_by: str
    file_music: str


class RealMusic:
    """The pieces of a run."""

    def __init__(self, config: Config) -> None:
        self._config, self._place = config, Layout(config.data)
        self._encoding: Encoding = open_encoding(config.examples)
        self._members: dict[str, list[Member]] = {}
        if files.exists(self._place.labels_table) and files.exists(self._place.tracks_table):
            tracks = tables.read_table(self._place.tracks_table, Track)
            labels = tables.read_table(self._place.labels_table, GenreLabel)
            self._members = pieces.members(tracks, labels)

    def held_out(self, genre: str, count: int, seconds: float, qpm: float) -> list[Excerpt]:
        """At most so many excerpts of about a length: of the test split, else of validation.

        Args:
          genre: whose.
          count: how many at most; a piece gives one.
          seconds: how long they should be.
          qpm: the tempo where the encoding knows none, quarter notes a minute.
        """
        for split in (TEST, VALIDATION):
            mine = [m for m in self._members.get(genre, []) if m.split == split]
            order = pieces.choose(mine, len(mine), self._config.seed)
            order.sort(key=lambda member: self._draw(member.track.track_id))
            found: list[Excerpt] = []
            for member in order:
                if len(found) < count:
                    found += self._excerpts(member, seconds, qpm)
            if found:
                return found
        return []

    def training_music(self, genre: str, name: str, where: str, seconds: float) -> str:
        """So much of a training piece, packed; empty where it is not in the corpus.

        Args:
          genre: whose training split it stands in.
          name: as the evaluation names it: `Artist - Title`, or the path.
          where: words about the place in it, as examples have them in `made_by`.
          seconds: how long.
        """
        for member in self._members.get(genre, []):
            if member.split == TRAIN and name in (dashed(member.track), member.track.path):
                return self._packed(member.track, where, seconds)
        return ""

    def _excerpts(self, member: Member, seconds: float, qpm: float) -> Iterator[Excerpt]:
        """One excerpt of a piece, or none where its encoding gives too little."""
        try:
            record = self._record(member.track)
            found = self._longest(record, seconds, qpm, member.track.track_id)
        except Exception:
            logger.warning("%s gives no excerpt", member.track.path, exc_info=True)
            return
        if found is not None:
            arrays, made_by = found
            packed = self._packed(member.track, made_by, seconds)
            yield Excerpt(dashed(member.track), member.split, arrays, made_by, packed)

    def _longest(
        self, record: bytes, seconds: float, qpm: float, track_id: str
    ) -> tuple[NoteArrays, str] | None:
        """The first drawn example that is long enough, else the longest of some."""
        piece = extraction.read(record, self._config.examples.way)
        examples = self._encoding.encode(piece).examples
        drawn = sorted(range(len(examples)), key=lambda at: self._draw(f"{track_id} example {at}"))
        best: tuple[float, NoteArrays, str] | None = None
        for at in drawn[:_MAX_TRIES]:
            arrays = self._decoded(examples[at], qpm)
            length = sounding(arrays)
            if len(arrays.start) >= _MIN_NOTES and (best is None or length > best[0]):
                best = length, arrays, examples[at].made_by
            if best and best[0] >= seconds:
                break
        return best[1:] if best else None

    def _decoded(self, example: EncodedExample, qpm: float) -> NoteArrays:
        sequence = self._encoding.decode(example, qpm)
        return notes.parse(sequence.SerializeToString(deterministic=True))

    def _record(self, track: Track) -> bytes:
        path = files.join(self._place.notesequences, track.shard)
        return next(iter(shards.read_records_at(path, [track.offset])))

    def _packed(self, track: Track, where: str, seconds: float) -> str:
        """So much of the file itself, from the place that the words name, or the first note."""
        try:
            arrays = notes.parse(self._record(track))
        except (ValueError, OSError):
            return ""
        said = _SPAN.search(where)
        begin = float(said[1]) if said else music.first_onset(arrays)
        return music.pack(arrays, begin=begin, seconds=seconds)

    def _draw(self, what: str) -> str:
        return hashlib.sha256(f"{self._config.seed} {what}".encode()).hexdigest()


def dashed(track: Track) -> str:
    """What a piece is called: artist and title, or its path."""
    return " - ".join(filter(None, (track.artist, track.title))) or track.path


def sounding(arrays: NoteArrays) -> float:
    """Seconds from the first onset to the last end."""
    if not len(arrays.start):
        return 0.0
    return float(arrays.end.max()) - music.first_onset(arrays)


def tempo(samples: Sequence[NoteArrays]) -> float:
    """The first tempo of the first sample that states one, quarter notes a minute; else 120."""
    stated = (float(arrays.tempo_qpms[0]) for arrays in samples if len(arrays.tempo_qpms))
    return next(stated, 120.0)
