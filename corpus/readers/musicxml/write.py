"""Parts in ticks -> one NoteSequence in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from note_seq import constants
from note_seq.protobuf import music_pb2

from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.parts import Part
from corpus.readers.musicxml.players import Player
from corpus.readers.results import ReadError

MAX_SECONDS = 24 * 3600.0

_DEFAULT_QPM = 120.0
_CHORD_SYMBOL = music_pb2.NoteSequence.TextAnnotation.CHORD_SYMBOL


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
        elapsed = (tick - self._ticks[at]) * self._seconds_a_tick[at]
        self[tick] = seconds = self._seconds[at] + elapsed
        return seconds


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


class SequenceWriter:
    """Writes parts into a NoteSequence.

    Attributes:
      sequence: what was written.
    """

    def __init__(self, parts: list[Part], resolution: int, mends: set[Mend]) -> None:
        self._parts = parts
        self._mends = mends
        tempos = (part.tempos for part in parts)
        self._tempos = _first_at_each_tick(tempos, mends, Mend.TEMPO_OF_ALL)
        self._seconds = _Clock(self._tempos, resolution)
        self.sequence = music_pb2.NoteSequence(ticks_per_quarter=constants.STANDARD_PPQ)
        source = self.sequence.source_info
        source.source_type = source.SCORE_BASED
        source.encoding_type = source.MUSIC_XML
        source.parser = source.MAGENTA_MUSIC_XML

    def write(self, players: list[Player]) -> None:
        """Writes everything; there is a player to each part.

        Raises:
          ReadError: `too_long`.
        """
        self.sequence.total_time = self._seconds[max((part.end for part in self._parts), default=0)]
        if self.sequence.total_time > MAX_SECONDS:
            raise ReadError("too_long", f"the score takes over {MAX_SECONDS / 3600:.0f} hours")
        self._write_signatures()
        self._write_chords()
        for index, (part, player) in enumerate(zip(self._parts, players, strict=True)):
            self.sequence.part_infos.add(part=index, name=player.name)
            self._write_notes(index, part, player)

    def _write_signatures(self) -> None:
        meters = (part.meters for part in self._parts)
        for tick, meter in _first_at_each_tick(meters, self._mends, Mend.METERS_DIFFER):
            self.sequence.time_signatures.add(
                time=self._seconds[tick], numerator=meter.numerator, denominator=meter.denominator
            )
        keys = dict.fromkeys(key for part in self._parts for key in part.keys)
        for tick, key in sorted(keys):
            signature = self.sequence.key_signatures.add(time=self._seconds[tick], key=key.tonic)
            signature.mode = signature.MINOR if key.is_minor else signature.MAJOR
        if not keys:
            self.sequence.key_signatures.add()
        for tick, qpm in self._tempos:
            self.sequence.tempos.add(time=self._seconds[tick], qpm=qpm)
        if not self._tempos:
            self.sequence.tempos.add(qpm=_DEFAULT_QPM)

    def _write_chords(self) -> None:
        chords = (part.chords for part in self._parts)
        for tick, figure in _first_at_each_tick(chords, self._mends, Mend.CHORDS_DIFFER):
            chord = self.sequence.text_annotations.add()
            chord.time, chord.text = self._seconds[tick], figure
            chord.annotation_type = _CHORD_SYMBOL

    def _write_notes(self, index: int, part: Part, player: Player) -> None:
        add, seconds = self.sequence.notes.add, self._seconds
        for start, end, pitch, velocity, voice, is_drum, value in part.notes:
            note = add()
            note.pitch, note.velocity = pitch, velocity
            note.start_time, note.end_time = seconds[start], seconds[end]
            note.numerator, note.denominator = value
            note.part, note.voice = index, voice
            note.instrument, note.program = player.channel, player.program
            if is_drum:
                note.is_drum = True
