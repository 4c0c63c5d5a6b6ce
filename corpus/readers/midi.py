"""Standard MIDI files, by note_seq (which reads by pretty_midi and mido).

Before note_seq sees a file, what is known to hurt it is handled: a RIFF wrapper is
taken off, film-frame (SMPTE) timing is rejected because pretty_midi turns it into
nonsense (measured: 62 notes ending at -0.0086 s), and a tick beyond pretty_midi's
own limit is rejected because a table with one entry a tick is made (46 bytes with
one long delta made 6.8 GB).
"""

from __future__ import annotations

import struct

import pretty_midi
from note_seq import midi_io

from corpus.readers.results import ReadError, Score

# pretty_midi's own limit, which note_seq raises to 1e10 on import.
_MAX_TICK = 10_000_000

_HEADER = struct.Struct(">4sIHHH")

# Parts of the messages of mido and pretty_midi -> the reason and words for a musician.
_CAUSES = (
    ("MemoryError", "too_much_memory", "reading it takes more memory than is allowed"),
    ("largest tick", "too_long", "an event lies so far out that the file must be damaged"),
    ("data byte must be in range", "damaged_midi", "a data byte is over 127: the file is damaged"),
    ("Could not decode key", "bad_key_signature", "a key signature that does not exist"),
    ("no MTrk", "damaged_midi", "a track header is missing: the file is damaged or cut off"),
    ("EOFError", "truncated", "the file ends in the middle of a track"),
    ("no clip", "damaged_midi", "the file is damaged"),
)


def _unwrap_riff(data: bytes) -> bytes:
    """The MIDI file inside a RIFF container (.rmi)."""
    start = data.find(b"MThd")
    if data[8:12] != b"RMID" or start < 0:
        raise ReadError("not_midi", "a RIFF file, but there is no MIDI data in it")
    return data[start:]


def _check_header(data: bytes) -> None:
    if len(data) < _HEADER.size:
        raise ReadError("truncated", "the file ends inside the MIDI header")
    _, _, _, num_tracks, division = _HEADER.unpack_from(data)
    if num_tracks == 0:
        raise ReadError("no_notes", "a MIDI file without a track")
    if division & 0x8000:
        raise ReadError(
            "smpte_timing", "the times are film frames (SMPTE), not beats: there is no tempo to use"
        )
    if division == 0:
        raise ReadError("damaged_midi", "the header says 0 ticks per quarter note")


def read(data: bytes) -> list[Score]:
    """Reads one MIDI file.

    Raises:
      ReadError: it gives no score.
    """
    if data.startswith(b"RIFF"):
        data = _unwrap_riff(data)
    _check_header(data)
    pretty_midi.pretty_midi.MAX_TICK = _MAX_TICK
    try:
        return [Score(sequence=midi_io.midi_to_note_sequence(data))]
    except midi_io.MIDIConversionError as error:
        text = str(error)
        for part, reason, detail in _CAUSES:
            if part in text:
                raise ReadError(reason, detail) from error
        raise ReadError("damaged_midi", f"the MIDI data cannot be read ({text})") from error
