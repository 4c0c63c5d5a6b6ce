"""Parsed MIDI -> the bytes of a serialized NoteSequence, compiled.

Byte for byte what protobuf's deterministic serialization gives for the message that
note_seq.midi_io fills: fields in the order of their numbers, zeros left out. Numbers
of fields and enum values are those of note_seq's music.proto.
"""

from __future__ import annotations

import numpy as np

from corpus.compiled import bare
from corpus.readers.midi import workspace as midi
from corpus.readers.midi.workspace import Table, Workspace

# Upper bounds on the bytes of one item of each kind, tag and length included.
_NOTE_BYTES, _EVENT_BYTES, _SIGNATURE_BYTES, _INSTRUMENT_BYTES, _FIXED_BYTES = 36, 40, 40, 16, 64

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_ENCODING_MIDI, _PARSER_PRETTY_MIDI = 3, 2
_INSTRUMENT_INFOS_TAG = (23 << 3 | _BYTES) & 0x7F | 0x80, (23 << 3 | _BYTES) >> 7

# Places in the array of facts that `write` fills.
BYTES, NOTES_WRITTEN, FAR_NOTES, NUM_FACTS = range(4)


@bare
def _put_varint(out: Table, pos: int, value: int) -> int:
    rest = np.uint64(value)
    while rest > np.uint64(127):
        out[pos] = np.uint8(rest & np.uint64(127)) | np.uint8(128)
        rest >>= np.uint64(7)
        pos += 1
    out[pos] = np.uint8(rest)
    return pos + 1


@bare
def _put_int(out: Table, pos: int, field: int, value: int) -> int:
    """An integer field; a negative number takes ten bytes, zero none."""
    if value == 0:
        return pos
    out[pos] = field << 3 | _VARINT
    return _put_varint(out, pos + 1, value)


@bare
def _put_double(out: Table, pos: int, field: int, value: float, cell: Table) -> int:
    """A float64 field; `cell` is one float64 that its bits are read back from."""
    if value == 0.0:
        return pos
    out[pos] = field << 3 | _FIXED64
    cell[0] = value
    bits = cell.view(np.uint64)[0]
    for i in range(8):
        out[pos + 1 + i] = np.uint8(bits >> np.uint64(8 * i))
    return pos + 9


@bare
def _begin(out: Table, pos: int, field: int) -> int:
    """Opens a message of under 128 bytes; its length is put in by `_end`."""
    out[pos] = field << 3 | _BYTES
    return pos + 2


@bare
def _end(out: Table, begin: int, pos: int) -> int:
    out[begin - 1] = pos - begin
    return pos


@bare
def _tempo_at(tempos: Table, count: int, tick: int, guess: int) -> int:
    """Index of the last tempo that begins at or before the tick."""
    if tempos[guess, midi.TEMPO_TICK] <= tick and (
        guess + 1 == count or tick < tempos[guess + 1, midi.TEMPO_TICK]
    ):
        return guess
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        if tempos[middle, midi.TEMPO_TICK] <= tick:
            low = middle
        else:
            high = middle
    return low


@bare
def _seconds(tempos: Table, tick: int, tempo: int) -> float:
    ticks = np.float64(tick) - tempos[tempo, midi.TEMPO_TICK]
    return tempos[tempo, midi.TEMPO_TIME] + tempos[tempo, midi.TEMPO_SCALE] * ticks


@bare
def _put_signatures(work: Workspace, resolution: float, out: Table, pos: int) -> int:
    """Fields 5, 6 and 7: time signatures, key signatures, tempos."""
    counts, tempos, cell = work.counts, work.tempos, work.cell
    for i in range(counts[midi.TIMES]):
        row = work.times[i]
        time = _seconds(tempos, row[0], _tempo_at(tempos, counts[midi.TEMPOS], row[0], 0))
        begin = _begin(out, pos, 5)
        pos = _put_double(out, begin, 1, time, cell)
        pos = _put_int(out, pos, 2, row[1])
        pos = _end(out, begin, _put_int(out, pos, 3, np.int64(1) << row[2]))
    for i in range(counts[midi.KEYS_SIGNED]):
        row = work.keys[i]
        time = _seconds(tempos, row[0], _tempo_at(tempos, counts[midi.TEMPOS], row[0], 0))
        begin = _begin(out, pos, 6)
        pos = _put_double(out, begin, 1, time, cell)
        tonic = (7 * row[1] + (9 if row[2] else 0)) % 12
        pos = _put_int(out, pos, 2, tonic)
        pos = _end(out, begin, _put_int(out, pos, 3, row[2]))
    for i in range(counts[midi.TEMPOS]):
        begin = _begin(out, pos, 7)
        pos = _put_double(out, begin, 1, tempos[i, midi.TEMPO_TIME], cell)
        qpm = 60.0 / (tempos[i, midi.TEMPO_SCALE] * resolution)
        pos = _end(out, begin, _put_double(out, pos, 2, qpm, cell))
    return pos


@bare
def _order_by_instrument(work: Workspace) -> None:
    """Fills `order`: instrument after instrument, each one's notes in reading order."""
    counts, instruments, notes, order = work.counts, work.instruments, work.notes, work.order
    place = 0
    for i in range(counts[midi.INSTRUMENTS]):
        instruments[i, midi.PLACE] = place
        place += instruments[i, midi.NUM_NOTES]
    for note in range(counts[midi.NOTES]):
        instrument = notes[note, midi.INFO] >> 16
        order[instruments[instrument, midi.PLACE]] = note
        instruments[instrument, midi.PLACE] += 1


@bare
def _put_notes(work: Workspace, max_seconds: float, out: Table, pos: int, facts: Table) -> int:
    """Fields 8 and 9: notes and the end of the last one."""
    notes, instruments, tempos, order = work.notes, work.instruments, work.tempos, work.order
    num_tempos, cell = work.counts[midi.TEMPOS], work.cell
    _order_by_instrument(work)
    total = 0.0
    start_tempo, end_tempo = 0, 0
    for i in range(work.counts[midi.NOTES]):
        note = order[i]
        info, end_tick = notes[note, midi.INFO], notes[note, midi.END]
        end_tempo = _tempo_at(tempos, num_tempos, end_tick, end_tempo)
        end = _seconds(tempos, end_tick, end_tempo)
        if end > max_seconds:
            facts[FAR_NOTES] += 1
            continue
        start_tick = notes[note, midi.START]
        start_tempo = _tempo_at(tempos, num_tempos, start_tick, start_tempo)
        total = max(total, end)
        instrument = info >> 16
        begin = _begin(out, pos, 8)
        pos = _put_int(out, begin, 1, info >> 8 & 0xFF)
        pos = _put_int(out, pos, 2, info & 0xFF)
        pos = _put_double(out, pos, 3, _seconds(tempos, start_tick, start_tempo), cell)
        pos = _put_double(out, pos, 4, end, cell)
        pos = _put_int(out, pos, 7, instrument)
        pos = _put_int(out, pos, 8, instruments[instrument, midi.PROGRAM])
        pos = _end(out, begin, _put_int(out, pos, 9, instruments[instrument, midi.IS_DRUM]))
    facts[NOTES_WRITTEN] = work.counts[midi.NOTES] - facts[FAR_NOTES]
    return _put_double(out, pos, 9, total, cell)


@bare
def _put_events(work: Workspace, column: int, field: int, out: Table, pos: int) -> int:
    """Field 10 (pitch bends) or 11 (control changes), instrument after instrument."""
    events, instruments, tempos = work.events, work.instruments, work.tempos
    num_tempos, cell = work.counts[midi.TEMPOS], work.cell
    tempo = 0
    for instrument in range(work.counts[midi.INSTRUMENTS]):
        program = instruments[instrument, midi.PROGRAM]
        is_drum = instruments[instrument, midi.IS_DRUM]
        event = work.lists[instruments[instrument, midi.LIST], column]
        while event >= 0:
            tick, value = events[event, midi.EVENT_TICK], events[event, midi.EVENT_VALUE]
            tempo = _tempo_at(tempos, num_tempos, tick, tempo)
            begin = _begin(out, pos, field)
            pos = _put_double(out, begin, 1, _seconds(tempos, tick, tempo), cell)
            shift = 0
            if field == 11:  # A control change has two numbers where a bend has one.
                pos = _put_int(out, pos, 2, value >> 8)
                value &= 0xFF
                shift = 1
            pos = _put_int(out, pos, 2 + shift, value)
            pos = _put_int(out, pos, 3 + shift, instrument)
            pos = _put_int(out, pos, 4 + shift, program)
            pos = _end(out, begin, _put_int(out, pos, 5 + shift, is_drum))
            event = events[event, midi.EVENT_NEXT]
    return pos


@bare
def _varint_size(value: int) -> int:
    size = 1
    while value > 127:
        value >>= 7
        size += 1
    return size


@bare
def _put_names(work: Workspace, data: Table, out: Table, pos: int) -> int:
    """Field 23: names of instruments; Latin-1 in the file, UTF-8 here."""
    for instrument in range(work.counts[midi.INSTRUMENTS]):
        first = work.instruments[instrument, midi.NAME]
        name = data[first : first + work.instruments[instrument, midi.NAME_LENGTH]]
        if name.size == 0:
            continue
        size = name.size
        for byte in name:
            size += byte > 127
        length = 1 + _varint_size(size) + size
        if instrument:
            length += 1 + _varint_size(instrument)
        out[pos], out[pos + 1] = _INSTRUMENT_INFOS_TAG
        pos = _put_varint(out, pos + 2, length)
        pos = _put_int(out, pos, 1, instrument)
        out[pos] = 2 << 3 | _BYTES
        pos = _put_varint(out, pos + 1, size)
        for byte in name:
            if byte > 127:
                out[pos] = 0xC0 | byte >> 6
                out[pos + 1] = 0x80 | byte & 0x3F
                pos += 2
            else:
                out[pos] = byte
                pos += 1
    return pos


@bare
def _room_needed(work: Workspace) -> int:
    """An upper bound on the bytes of the whole message."""
    counts, instruments, lists = work.counts, work.instruments, work.lists
    room = _FIXED_BYTES + counts[midi.NOTES] * _NOTE_BYTES
    signatures = counts[midi.TIMES] + counts[midi.KEYS_SIGNED] + counts[midi.TEMPOS]
    room += signatures * _SIGNATURE_BYTES
    for i in range(counts[midi.INSTRUMENTS]):
        room += lists[instruments[i, midi.LIST], midi.NUM_CHAINED] * _EVENT_BYTES
        room += 2 * instruments[i, midi.NAME_LENGTH] + _INSTRUMENT_BYTES
    return room


@bare
def write(
    data: Table, resolution: float, max_seconds: float, work: Workspace, out: Table, facts: Table
) -> int:
    """Writes what `tracks.parse` left in `work`.

    Args:
      data: the file that was parsed; names are taken from it.
      resolution: ticks per quarter note.
      max_seconds: notes that end later are left out and counted.
      work: the `Workspace`.
      out: uint8 array for the message.
      facts: int64 array, filled as the constants above say.

    Returns:
      Bytes that `out` must have at least; if it has fewer, nothing was written.
    """
    facts[:] = 0
    room = _room_needed(work)
    if room > out.size:
        return room
    pos = _put_int(out, 0, 4, np.int64(round(resolution)))
    pos = _put_signatures(work, resolution, out, pos)
    pos = _put_notes(work, max_seconds, out, pos, facts)
    pos = _put_events(work, midi.BEND_FIRST, 10, out, pos)
    pos = _put_events(work, midi.CONTROL_FIRST, 11, out, pos)
    begin = _begin(out, pos, 13)
    pos = _put_int(out, begin, 2, _ENCODING_MIDI)
    pos = _end(out, begin, _put_int(out, pos, 3, _PARSER_PRETTY_MIDI))
    facts[BYTES] = _put_names(work, data, out, pos)
    return room
