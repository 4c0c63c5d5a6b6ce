"""Parts in ticks -> one serialized NoteSequence in seconds.

Notes and chord symbols are most of a score, and few of them differ in more than their
times: protobuf serializes each kind once, and the times are put between (see `_Clock.moments`).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import numpy as np
from note_seq import constants
from note_seq.protobuf import music_pb2

from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.notes import Sound
from corpus.readers.musicxml.parts import Part
from corpus.readers.results import ReadError

MAX_SECONDS = 24 * 3600.0

_DEFAULT_QPM = 120.0
# Where the times are put. A time is always eight bytes, so that lengths stay as they are, but
# zero is not written at all: what begins at tick 0 is serialized whole. No text can hold the
# bytes of this one, nor can small numbers: six are NUL.
_SOME_TIME = -1.0
_FLOAT64 = struct.Struct("<d")
_SOME_BYTES = _FLOAT64.pack(_SOME_TIME)
_CHORD_SYMBOL = music_pb2.NoteSequence.TextAnnotation.CHORD_SYMBOL


class Plays(Protocol):
    """Who plays a part."""

    name: str
    channel: int
    program: int


# Number of the part, channel, program.
Performer = tuple[int, int, int]


class _Clock(dict[int, float]):
    """Tick -> seconds, by one list of tempo changes for all parts; remembers what it told."""

    def __init__(self, tempos: list[tuple[int, float]], resolution: int) -> None:
        self._ticks = [0]
        self._seconds = [0.0]
        self._seconds_a_tick = [60 / _DEFAULT_QPM / resolution]
        for tick, qpm in tempos:
            self._seconds.append(self[tick])
            self._ticks.append(tick)
            self._seconds_a_tick.append(60 / qpm / resolution)

    def __missing__(self, tick: int) -> float:
        at = bisect_right(self._ticks, tick) - 1
        seconds = self._seconds[at] + (tick - self._ticks[at]) * self._seconds_a_tick[at]
        self[tick] = seconds
        return seconds

    def moments(self, ticks: Iterable[int]) -> list[bytes]:
        """Of each tick the seconds as protobuf writes a float64."""
        asked = np.fromiter(ticks, np.int64)
        at = np.searchsorted(self._ticks, asked, side="right") - 1
        begin, beginning = np.array(self._ticks)[at], np.array(self._seconds)[at]
        seconds = beginning + (asked - begin) * np.array(self._seconds_a_tick)[at]
        moments: list[bytes] = seconds.astype("<f8").view("V8").tolist()
        return moments


def _first_at_each_tick(
    parts: Iterable[list[tuple[int, Any]]], mends: set[Mend], differing: Mend
) -> list[tuple[int, Any]]:
    """(tick, what stands there) of all parts by time; of the first part where they differ."""
    found: dict[int, Any] = {}
    for part in parts:
        own = dict(part)  # The last one that a part writes at a tick counts.
        for tick, value in own.items():
            if found.setdefault(tick, value) != value:
                mends.add(differing)
    return sorted(found.items())


def _serialized(sequence: Any) -> bytes:
    return bytes(sequence.SerializeToString(deterministic=True))


class SequenceWriter:
    """Writes parts into a NoteSequence; a writer is used once."""

    def __init__(
        self, parts: list[Part], resolution: int, mends: set[Mend], *, is_musicxml: bool = True
    ) -> None:
        self._parts = parts
        self._is_musicxml = is_musicxml
        self._mends = mends
        tempos = (part.tempos for part in parts)
        self._tempos = _first_at_each_tick(tempos, mends, Mend.TEMPO_OF_ALL)
        self._seconds = _Clock(self._tempos, resolution)
        self._pieces: list[bytes] = []

    def write(self, players: Sequence[Plays]) -> bytes:
        """The message, as protobuf's deterministic serialization has it: fields by number.

        Args:
          players: one to each part.

        Raises:
          ReadError: `too_long`.
        """
        total_time = self._seconds[max((part.end for part in self._parts), default=0)]
        if total_time > MAX_SECONDS:
            raise ReadError("too_long", f"the score takes over {MAX_SECONDS / 3600:.0f} hours")
        self._write_signatures()
        for index, (part, player) in enumerate(zip(self._parts, players, strict=True)):
            self._write_notes(index, part, player)
        self._write_facts(total_time, players)
        self._write_chords()
        return b"".join(self._pieces)

    def _write_signatures(self) -> None:
        """The fields before the notes: resolution, meters, keys and tempos."""
        sequence = music_pb2.NoteSequence(ticks_per_quarter=constants.STANDARD_PPQ)
        meters = (part.meters for part in self._parts)
        for tick, meter in _first_at_each_tick(meters, self._mends, Mend.METERS_DIFFER):
            sequence.time_signatures.add(
                time=self._seconds[tick], numerator=meter.numerator, denominator=meter.denominator
            )
        keys = dict.fromkeys(key for part in self._parts for key in part.keys)
        for tick, key in sorted(keys):
            signature = sequence.key_signatures.add(time=self._seconds[tick], key=key.tonic)
            signature.mode = signature.MINOR if key.is_minor else signature.MAJOR
        if not keys:
            sequence.key_signatures.add()
        for tick, qpm in self._tempos:
            sequence.tempos.add(time=self._seconds[tick], qpm=qpm)
        if not self._tempos:
            sequence.tempos.add(qpm=_DEFAULT_QPM)
        self._pieces.append(_serialized(sequence))

    def _write_notes(self, index: int, part: Part, player: Plays) -> None:
        pieces = self._pieces
        performer = index, player.channel, player.program
        ticks = chain.from_iterable((start, end) for start, end, _, _ in part.notes)
        moments = iter(self._seconds.moments(ticks))
        for (start, end, velocity, sound), starting, ending in zip(
            part.notes, moments, moments, strict=True
        ):
            if start == 0:
                pieces.append(_note(0.0, self._seconds[end], velocity, sound, performer))
            else:
                before, between, after = _untimed_note(velocity, sound, performer)
                pieces += (before, starting, between, ending, after)

    def _write_facts(self, total_time: float, players: Sequence[Plays]) -> None:
        """The fields between the notes and the chord symbols."""
        sequence = music_pb2.NoteSequence(total_time=total_time)
        source = sequence.source_info
        source.source_type = source.SCORE_BASED
        if self._is_musicxml:
            source.encoding_type = source.MUSIC_XML
            source.parser = source.MAGENTA_MUSIC_XML
        for index, player in enumerate(players):
            sequence.part_infos.add(part=index, name=player.name)
        self._pieces.append(_serialized(sequence))

    def _write_chords(self) -> None:
        chords = (part.chords for part in self._parts)
        for tick, figure in _first_at_each_tick(chords, self._mends, Mend.CHORDS_DIFFER):
            if tick == 0:
                self._pieces.append(_chord(0.0, figure))
            else:
                before, after = _untimed_chord(figure)
                self._pieces += (before, _FLOAT64.pack(self._seconds[tick]), after)


def _note(start: float, end: float, velocity: int, sound: Sound, performer: Performer) -> bytes:
    """A message that has only this note."""
    sequence = music_pb2.NoteSequence()
    note = sequence.notes.add(pitch=sound.pitch, velocity=velocity, start_time=start, end_time=end)
    note.numerator, note.denominator = sound.value
    note.part, note.instrument, note.program = performer
    note.voice = sound.voice
    note.is_drum = sound.is_drum
    return _serialized(sequence)


@lru_cache(maxsize=1 << 14)
def _untimed_note(velocity: int, sound: Sound, performer: Performer) -> list[bytes]:
    """What stands before the start of such a note, between its start and its end, and after."""
    return _note(_SOME_TIME, _SOME_TIME, velocity, sound, performer).split(_SOME_BYTES)


def _chord(time: float, figure: str) -> bytes:
    """A message that has only this chord symbol."""
    sequence = music_pb2.NoteSequence()
    sequence.text_annotations.add(time=time, text=figure, annotation_type=_CHORD_SYMBOL)
    return _serialized(sequence)


@lru_cache(maxsize=1 << 12)
def _untimed_chord(figure: str) -> list[bytes]:
    """What stands before the time of such a chord symbol, and after."""
    return _chord(_SOME_TIME, figure).split(_SOME_BYTES)
