"""What is judged and what it is held against: samples, and real music cut and decoded alike."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from corpus import example_proto, files, names, readers, shards, tables
from corpus.config import Config
from corpus.encodings import EncodedExample, Encoding, extraction, open_encoding
from corpus.encodings.piece import Piece, read_piece
from corpus.layout import Layout
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, Track
from trainers.judging.music import Music, music_of
from trainers.judging.originality import spread

HELD_OUT = (VALIDATION, TEST)
_MAX_PER_PIECE = 8  # examples of a piece that are kept, where some of all are picked
_QPM = 120.0  # any would do: music is measured in quarters
_MIDI_ENDINGS = tuple(e for e, kind in readers.READERS_BY_EXTENSION.items() if kind == readers.MIDI)
_NUM_LOOKED_AT = 20  # examples that tell how many instruments an encoding has


class Gatherer:
    """Reads samples and the examples of genres.

    Attributes:
      encoding: of the examples.
      dropped: reason -> what could not be read or decoded, so far.
    """

    def __init__(self, config: Config) -> None:
        self.layout = Layout(config.data)
        self.encoding: Encoding = open_encoding(config.examples)
        self._examples = config.examples
        self.dropped: Counter[str] = Counter()

    def names(self) -> dict[str, str]:
        """Track -> artist and title, or its path; nothing where the table of tracks is gone."""
        if not files.exists(self.layout.tracks_table):
            return {}
        tracks = tables.read_table(self.layout.tracks_table, Track)
        return {
            track.track_id: " - ".join(filter(None, (track.artist, track.title))) or track.path
            for track in tracks
        }

    def real(self, genre: str, splits: Sequence[str]) -> Iterator[Music]:
        """Every example of some splits, decoded."""
        for example in self._read(genre, splits):
            yield from self._decode(example)

    def some(
        self,
        genre: str,
        splits: Sequence[str],
        most: int,
        rng: np.random.Generator,
        without: Collection[str] = (),
    ) -> list[Music]:
        """Some examples, decoded, of as many tracks as there are.

        Args:
          genre: whose.
          splits: of these.
          most: how many at most.
          rng: picks them.
          without: tracks that are left out.
        """
        picked: dict[str, list[example_proto.Example]] = {}
        seen: Counter[str] = Counter()
        for example in self._read(genre, splits):
            track = example.track_id
            if track in without:
                continue
            seen[track] += 1
            mine = picked.setdefault(track, [])
            if len(mine) < _MAX_PER_PIECE:
                mine.append(example)
            elif (at := int(rng.integers(0, seen[track]))) < _MAX_PER_PIECE:
                mine[at] = example
        flat = [example for mine in picked.values() for example in mine]
        order = spread([_Owned(str(at), e.track_id) for at, e in enumerate(flat)], rng)[:most]
        return [music for at in order for music in self._decode(flat[int(at.name)])]

    def tracks(self, genre: str, splits: Sequence[str]) -> set[str]:
        """The tracks of some splits."""
        return {example.track_id for example in self._read(genre, splits)}

    def samples(self, genre: str, folder: str, listed: Sequence[str]) -> list[Music]:
        """The samples of a genre.

        Args:
          genre: whose.
          folder: of its samples.
          listed: names of the MIDI files in it.
        """
        most = self._num_instruments(genre)
        return [
            music_of(_first_instruments(piece, most), name)
            for name in listed
            for piece in self._pieces(files.read_bytes(files.join(folder, name)), name)
        ]

    def foreign(self, genre: str, folder: str) -> list[Music]:
        """The music of a folder of MIDI files, from wherever.

        A file with more instruments than an example has is encoded, and what the encoding finds
        in it is taken, so that alike is compared with alike.
        """
        most = self._num_instruments(genre)
        found: list[Music] = []
        for name in files.list_names(folder, recursive=True):
            if not name.lower().endswith(_MIDI_ENDINGS):
                continue
            for piece in self._pieces(files.read_bytes(files.join(folder, name)), name):
                if len(np.unique(piece.instrument)) <= most:
                    found.append(music_of(piece, name))
                    continue
                encoded = self.encoding.encode(piece)
                found += [
                    music_of(self._to_piece(example), name, example.made_by)
                    for example in encoded.examples
                ]
                if not encoded.examples:
                    reasons = ", ".join(encoded.dropped)
                    self.dropped[f"{name}: nothing for {self.encoding.name} ({reasons})"] += 1
        return found

    def _read(self, genre: str, splits: Sequence[str]) -> Iterator[example_proto.Example]:
        folder = files.join(self.layout.examples(self._examples.encoding), names.slug(genre))
        for split in splits:
            for path in shards.list_shards(folder, split):
                yield from map(example_proto.parse, shards.read_shard(path))

    def _decode(self, example: example_proto.Example) -> Iterator[Music]:
        encoded = EncodedExample(example.events, example.controls, example.made_by)
        try:
            piece = self._to_piece(encoded)
        except ValueError as error:
            self.dropped[f"examples that cannot be decoded, as: {error}"] += 1
            return
        if len(piece.pitch):
            yield music_of(piece, example.track_id, example.made_by)

    def _to_piece(self, example: EncodedExample) -> Piece:
        sequence: Any = self.encoding.decode(example, _QPM)
        return read_piece(sequence.SerializeToString())

    def _num_instruments(self, genre: str) -> int:
        """The most that an example has."""
        found = [1]
        for example, _ in zip(self._read(genre, SPLITS), range(_NUM_LOOKED_AT), strict=False):
            encoded = EncodedExample(example.events, example.controls)
            found.append(len(np.unique(self._to_piece(encoded).instrument)))
        return max(found)

    def _pieces(self, data: bytes, name: str) -> Iterator[Piece]:
        """The piece of a MIDI file; one that cannot be read, or has no note, is counted."""
        for score in readers.read_score(data, name, "evaluate"):
            if score.reason:
                self.dropped[f"{name}: {score.reason}: {score.detail}"] += 1
                continue
            piece = extraction.read(score.payload, self._examples.way)
            if len(piece.pitch):
                yield piece
            else:
                self.dropped[f"{name}: no notes"] += 1


@dataclasses.dataclass(frozen=True, slots=True)
class _Owned:
    name: str
    owner: str


def _first_instruments(piece: Piece, most: int) -> Piece:
    """The piece with its first instruments only: chords are laid under a sample of a melody."""
    kept = np.isin(piece.instrument, np.unique(piece.instrument)[:most])
    per_note = ("start", "end", "pitch", "velocity", "program", "instrument", "is_drum")
    return dataclasses.replace(piece, **{name: getattr(piece, name)[kept] for name in per_note})


def held_out_anywhere(gatherer: Gatherer, genres: Sequence[str]) -> set[str]:
    """Tracks that are held out for some genre."""
    return set().union(*(gatherer.tracks(genre, HELD_OUT) for genre in genres))


def training_music(gatherer: Gatherer, genres: Sequence[str]) -> Iterator[Music]:
    """All that a model of some genres has learnt from."""
    for genre in genres:
        yield from gatherer.real(genre, [TRAIN])
