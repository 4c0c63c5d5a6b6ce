"""Standard MIDI files -> serialized NoteSequences, as note_seq reads them, compiled.

A file that note_seq reads gives note_seq's bytes. A file that it refuses is read again
tolerantly, and what was mended is a warning (WARNINGS); what is truly broken is
rejected. Two kinds of files are read otherwise than by note_seq: with film-frame
(SMPTE) timing, whose division pretty_midi takes for a negative resolution, ticks are
seconds here; and notes that end after a day are left out, where pretty_midi makes a
table with one entry a tick (46 bytes with one long delta took 6.8 GB).
"""

from __future__ import annotations

import struct
import threading

import numpy as np

from corpus.readers.midi import tracks, wire, workspace
from corpus.readers.midi.workspace import MENDS, Rules, Table
from corpus.readers.results import ReadError, Score

MAX_SECONDS = 24 * 3600.0
MAX_PAYLOAD_BYTES = 96 << 20
_KEPT_BYTES = 20 << 20
_FRAME_RATES = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}

# Bit of workspace.counts[MENDS] -> (slug of the warning, what it says).
WARNINGS = {
    workspace.CLIPPED: ("clipped_bytes", "data bytes over 127 were read as 127"),
    workspace.BAD_META: ("ignored_meta", "a meta event without meaning was left out"),
    workspace.BAD_TRACK: ("broken_track", "a track was read up to where it is damaged"),
    workspace.BAD_LENGTH: ("wrong_length", "a track is longer or shorter than it says"),
    workspace.CUT_OFF: ("truncated", "the file ends too early; what is there was read"),
    workspace.EMPTY_TRACK: ("empty_track", "a track without a single event was left out"),
    workspace.BAD_SYSEX: ("ignored_sysex", "a damaged system message was left out"),
    workspace.FAR_TICK: ("far_tick", "an event lies further out than note_seq reads"),
    workspace.NOISE: ("noise_track", "a track full of bytes out of range was left out"),
    workspace.LOST_TIME: ("lost_time", "there is time before a meta event of unknown kind"),
}
SMPTE_TIMING = "smpte_timing"
LARGE_DIVISION = "large_division"
SHORT_HEADER = "short_header"
TYPE_2 = "midi_type_2"
FAR_NOTES = "far_notes"
# The other warnings, and what they say.
NOTES = {
    SMPTE_TIMING: "ticks are film frames; beats are as at 120 quarter notes a minute",
    LARGE_DIVISION: "a division over 32,767 was taken for ticks a quarter note",
    SHORT_HEADER: "bytes of the file header are missing; they were guessed",
    TYPE_2: "tracks of type 2, each a piece of its own, were read side by side as note_seq does",
    FAR_NOTES: "notes that end after 24 hours were left out",
}

_HEADER = struct.Struct(">4sIHhH")


class _Header:
    """The file header: where tracks begin, how many, and what a tick is."""

    def __init__(self, data: bytes) -> None:
        if len(data) < _HEADER.size:
            raise ReadError("truncated", "the file ends inside the MIDI header")
        name, size, self.format, self.num_tracks, division = _HEADER.unpack_from(data)
        if name != b"MThd":
            raise ReadError("not_midi", "the content does not begin as a MIDI file does")
        self.is_sound = size >= 6 and self.num_tracks > 0
        # A header that says that it is short or endless is six bytes long all the same.
        self.start = 8 + (size if 6 <= size <= len(data) - 8 else 6)
        self.is_short = False
        early = data.find(b"MTrk", 10, _HEADER.size + 3)
        if early > 0:  # Bytes are missing; the division is what stands before the track.
            self.is_short, self.is_sound, self.start, self.num_tracks = True, False, early, 0
            (division,) = struct.unpack_from(">H", data, early - 2)
        frame_rate = _FRAME_RATES.get(256 - (division >> 8), 0.0)
        self.has_tempos = not frame_rate
        # Frames are timed as at 120 quarter notes a minute, the tempo of none. A frame
        # rate that does not exist is a number of ticks too large for the format.
        self.resolution = frame_rate * (division & 0xFF) / 2 if frame_rate else float(division)
        self.is_large = self.has_tempos and division >= 0x8000
        if self.resolution == 0:
            raise ReadError("damaged_midi", f"the header has no time division: {division:#06x}")


def unwrap_riff(data: bytes) -> bytes:
    """The MIDI file inside a RIFF container (.rmi); anything else as it is.

    Raises:
      ReadError: a RIFF file of another kind.
    """
    if not data.startswith(b"RIFF"):
        return data
    start = data.find(b"MThd")
    if data[8:12] != b"RMID" or start < 0:
        raise ReadError("not_midi", "a RIFF file, but there is no MIDI data in it")
    return data[start:]


class MidiReader:
    """Reads MIDI files one after the other, in arrays that it keeps. One thread at a time."""

    def __init__(self, *, count_lost_time: bool = False) -> None:
        self._count_lost_time = count_lost_time
        self._room = 0
        self._work = workspace.make_workspace(0)
        self._out = np.empty(0, np.uint8)
        self._facts = np.zeros(wire.NUM_FACTS, np.int64)

    def read(self, data: bytes) -> Score:
        """Reads one file, bare or in a RIFF container.

        Returns:
          The score: payload without id, filename and collection name, and warnings.

        Raises:
          ReadError: it gives no score.
        """
        data = unwrap_riff(data)
        header = _Header(data)
        array = np.frombuffer(data, np.uint8)
        try:
            return self._read(header, array)
        finally:
            if self._out.size > _KEPT_BYTES:  # One big file must not hold its memory.
                self._make_room(0)

    @property
    def num_notes(self) -> int:
        """Notes of the file that was read last."""
        return int(self._facts[wire.NOTES_WRITTEN])

    def _make_room(self, num_bytes: int) -> None:
        self._room = num_bytes
        self._work = workspace.make_workspace(num_bytes)
        self._out = np.empty(10 * num_bytes, np.uint8)

    def _read(self, header: _Header, data: Table) -> Score:
        if data.size > self._room:
            self._make_room(data.size)
        work = self._work
        strict, tolerant = (
            Rules(header.resolution, header.has_tempos, mending, self._count_lost_time)
            for mending in (False, True)
        )
        reader = "midi"
        if not header.is_sound or not tracks.parse(
            data, header.start, header.num_tracks, strict, work
        ):
            reader = "midi-tolerant"
            num_tracks = header.num_tracks if header.num_tracks > 0 else data.size // 8
            tracks.parse(data, header.start, num_tracks, tolerant, work)
        mends = int(work.counts[MENDS])
        score = Score(media="midi", reader=reader, payload=self._write(header, data))
        score.warnings = [slug for bit, (slug, _) in WARNINGS.items() if mends & bit]
        others = {
            SMPTE_TIMING: not header.has_tempos,
            LARGE_DIVISION: header.is_large,
            SHORT_HEADER: header.is_short,
            TYPE_2: header.format == 2 and header.num_tracks > 1,
            FAR_NOTES: self._facts[wire.FAR_NOTES] > 0,
        }
        score.warnings += [slug for slug, applies in others.items() if applies]
        if not self._facts[wire.NOTES_WRITTEN]:
            raise self._no_notes(mends)
        return score

    def _write(self, header: _Header, data: Table) -> bytes:
        arguments = (data, header.resolution, MAX_SECONDS, self._work)
        room = wire.write(*arguments, self._out, self._facts)
        if room > self._out.size:
            if room > MAX_PAYLOAD_BYTES:
                raise ReadError("too_big", f"the score would take {room >> 20} MB")
            self._out = np.empty(room, np.uint8)
            wire.write(*arguments, self._out, self._facts)
        return self._out[: self._facts[wire.BYTES]].tobytes()

    def _no_notes(self, mends: int) -> ReadError:
        if self._facts[wire.FAR_NOTES]:
            return ReadError("too_long", f"every note ends after {MAX_SECONDS / 3600:.0f} hours")
        for bit in (workspace.CUT_OFF, workspace.BAD_TRACK, workspace.NOISE):
            if mends & bit:
                slug, words = WARNINGS[bit]
                return ReadError(slug, f"no note could be saved: {words}")
        return ReadError("no_notes", "the score was read, but there is no note in it")


_LOCAL = threading.local()


def read(data: bytes) -> list[Score]:
    """Reads one MIDI file, bare or in a RIFF container.

    Raises:
      ReadError: it gives no score.
    """
    if not hasattr(_LOCAL, "reader"):
        _LOCAL.reader = MidiReader()
    return [_LOCAL.reader.read(data)]
