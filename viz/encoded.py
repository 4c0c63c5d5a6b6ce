"""What every encoding makes of a piece, by some processes side by side."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from corpus import command, files, shards
from corpus.config import Config, ExamplesConfig
from corpus.encodings import ENCODINGS, EncodedPiece, Encoding, extraction, open_encoding
from corpus.encodings.piece import Piece
from corpus.encodings.reasons import Teller
from corpus.layout import Layout
from viz import music

logger = logging.getLogger(__name__)

_PIECES_A_WORKER = 8  # fewer are read sooner than a process starts
_SLOW_MODULE = "miditok_tokens"  # each tokenizer takes longer than all other encodings


@dataclass(frozen=True)
class Encoded:
    """What an encoding makes of a piece.

    Attributes:
      examples, steps: how many; steps of all examples together.
      dropped: what gave no example and why, in words; empty for nothing.
    """

    name: str
    examples: int
    steps: int
    dropped: str


@dataclass(frozen=True)
class ReadPiece:
    """What a page shows of a piece.

    Attributes:
      music: as `viz.music` packs it; empty where it cannot be read.
      encoded: a row an encoding.
      reason, detail: why it cannot be read.
    """

    music: str = ""
    encoded: tuple[Encoded, ...] = ()
    reason: str = ""
    detail: str = ""


class Reader:
    """Reads pieces, with the encodings of `asked_for`.

    The configured encoding has its settings, the others have their defaults.

    Raises:
      ValueError: one of them cannot be opened as it is set.
    """

    def __init__(self, config: Config) -> None:
        self._way = config.examples.way
        asked = [_asked(config.examples, name) for name in asked_for(config)]
        self._opened = [(open_encoding(each), Teller.of(each)) for each in asked]

    def read(self, place: tuple[str, int]) -> ReadPiece:
        """The piece of a shard's path and an offset in it."""
        path, offset = place
        try:
            (record,) = shards.read_records_at(path, [offset])
            packed = music.pack(record)
            piece = extraction.read(record, self._way)
        except (ValueError, OSError) as error:
            return ReadPiece(reason="unreadable", detail=str(error))
        if not packed:
            return ReadPiece(reason="no_notes", detail="no note that can be played")
        with _without_collector():
            return ReadPiece(packed, tuple(self._encoded(piece)))

    def _encoded(self, piece: Piece) -> Iterator[Encoded]:
        for encoding, teller in self._opened:
            made = _encode(piece, encoding)
            steps = sum(len(example.events) for example in made.examples)
            dropped = teller.dropped(+made.dropped)
            yield Encoded(encoding.name, len(made.examples), steps, dropped)


def asked_for(config: Config) -> list[str]:
    """Names of the encodings that pieces are shown in: MidiTok's only where they are in use.

    In use is what is configured, and what examples were made in.
    """
    place = Layout(config.data)
    used = {*files.list_folders(place.examples("")), config.examples.encoding}
    return [n for n, entry in ENCODINGS.items() if entry.module != _SLOW_MODULE or n in used]


def _encode(piece: Piece, encoding: Encoding) -> EncodedPiece:
    """As the examples stage encodes what is not to train on."""
    try:
        return encoding.encode(piece)
    except Exception:
        logger.warning("%s failed at a piece", encoding.name, exc_info=True)
        return EncodedPiece(dropped=Counter(encoder_failed=1))


def read_all(config: Config, places: Sequence[tuple[str, int]]) -> Iterator[ReadPiece]:
    """Reads pieces in their order, with as many processes as `beam.num_workers` says.

    Raises:
      ValueError: as `Reader`.
      RunError: a process was killed.
    """
    workers = min(config.beam.num_workers, len(places) // _PIECES_A_WORKER)
    if workers < 2:
        yield from map(Reader(config).read, places)
        return
    # A fork would copy the state of numba's and Arrow's threads.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawning, _open_reader, (config,)) as pool:
        try:
            yield from pool.map(_read, places)
        except BrokenProcessPool as error:
            raise command.RunError(
                f"one of {workers} processes that read pieces was killed, for want of memory "
                "perhaps; try beam.num_workers=1"
            ) from error


_reader: Reader | None = None


def _open_reader(config: Config) -> None:
    global _reader
    _reader = Reader(config)


def _read(place: tuple[str, int]) -> ReadPiece:
    assert _reader is not None
    return _reader.read(place)


def _asked(examples: ExamplesConfig, name: str) -> ExamplesConfig:
    settings = examples.settings if name == examples.encoding else ()
    return replace(examples, encoding=name, extraction=examples.way, settings=settings)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """MidiTok makes objects by the hundred thousand, and Python would look for cycles in them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
