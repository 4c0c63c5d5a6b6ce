"""Messages of a channel -> notes, control changes and instruments, as pretty_midi pairs them."""

from __future__ import annotations

from corpus.compiled import bare, bare_inline
from corpus.readers.midi.workspace import (
    BEND_FIRST,
    CONTROL_FIRST,
    CURRENT_PROGRAM,
    END,
    EVENT_NEXT,
    EVENT_TICK,
    EVENT_VALUE,
    EVENTS,
    FREE,
    INFO,
    INSTRUMENT,
    INSTRUMENTS,
    IS_DRUM,
    KEYS,
    LIST,
    LISTS,
    NAME,
    NAME_AT,
    NAME_BYTES,
    NAME_LENGTH,
    NOTE_ONS,
    NOTES,
    NUM_CHAINED,
    NUM_NOTES,
    ON_NEXT,
    ON_TICK,
    ON_VELOCITY,
    OPEN_FIRST,
    OPEN_LAST,
    PROGRAM,
    SEEN_IN,
    START,
    STRAY_LIST,
    TRACK,
    Table,
)

_DRUM_CHANNEL = 9


@bare
def _new_list(counts: Table, lists: Table) -> int:
    index = counts[LISTS]
    counts[LISTS] += 1
    for column in range(NUM_CHAINED):
        lists[index, column] = -1
    lists[index, NUM_CHAINED] = 0
    return index


@bare_inline
def _instrument(
    counts: Table, instruments: Table, lists: Table, slots: Table, channels: Table, channel: int
) -> int:
    """The instrument that a note-off on the channel belongs to, made if there is none."""
    program = channels[channel, CURRENT_PROGRAM]
    slot = channel * KEYS + program
    found = slots[slot, INSTRUMENT]
    if found >= 0:
        return found
    found = counts[INSTRUMENTS]
    counts[INSTRUMENTS] += 1
    slots[slot, INSTRUMENT] = found
    instruments[found, PROGRAM] = program
    instruments[found, IS_DRUM] = channel == _DRUM_CHANNEL
    instruments[found, NAME] = counts[NAME_AT]
    instruments[found, NAME_LENGTH] = counts[NAME_BYTES]
    instruments[found, NUM_NOTES] = 0
    stray = channels[channel, STRAY_LIST]
    instruments[found, LIST] = stray if stray >= 0 else _new_list(counts, lists)
    return found


@bare_inline
def _note_on(
    tick: int, counts: Table, opened: Table, slots: Table, slot: int, velocity: int
) -> None:
    index = counts[FREE]
    if index >= 0:  # Rows of closed notes serve again: few notes sound at once.
        counts[FREE] = opened[index, ON_NEXT]
    else:
        index = counts[NOTE_ONS]
        counts[NOTE_ONS] += 1
    opened[index, ON_TICK] = tick
    opened[index, ON_VELOCITY] = velocity
    opened[index, ON_NEXT] = -1
    if slots[slot, OPEN_FIRST] < 0:
        slots[slot, OPEN_FIRST] = index
    else:
        opened[slots[slot, OPEN_LAST], ON_NEXT] = index
    slots[slot, OPEN_LAST] = index


@bare_inline
def _note_off(
    tick: int,
    counts: Table,
    opened: Table,
    notes: Table,
    instruments: Table,
    lists: Table,
    slots: Table,
    channels: Table,
    channel: int,
    pitch: int,
) -> None:
    slot = channel * KEYS + pitch
    index = slots[slot, OPEN_FIRST]
    if index < 0:
        return
    closed = False
    # Ticks never fall, so the note-ons of this very tick are the end of the chain.
    while index >= 0 and opened[index, ON_TICK] != tick:
        closed = True
        instrument = _instrument(counts, instruments, lists, slots, channels, channel)
        note = counts[NOTES]
        counts[NOTES] += 1
        notes[note, START] = opened[index, ON_TICK]
        notes[note, END] = tick
        notes[note, INFO] = instrument << 16 | pitch << 8 | opened[index, ON_VELOCITY]
        instruments[instrument, NUM_NOTES] += 1
        after = opened[index, ON_NEXT]
        opened[index, ON_NEXT] = counts[FREE]
        counts[FREE] = index
        index = after
    slots[slot, OPEN_FIRST] = index if closed else -1


@bare_inline
def _chain_event(
    tick: int,
    counts: Table,
    events: Table,
    instruments: Table,
    lists: Table,
    slots: Table,
    channels: Table,
    channel: int,
    value: int,
    first: int,
) -> None:
    """Appends to the bends or control changes (`first`) of the channel's instrument."""
    instrument = slots[channel * KEYS + channels[channel, CURRENT_PROGRAM], INSTRUMENT]
    if instrument >= 0:
        chain = instruments[instrument, LIST]
    else:
        if channels[channel, STRAY_LIST] < 0:
            channels[channel, STRAY_LIST] = _new_list(counts, lists)
        chain = channels[channel, STRAY_LIST]
    event = counts[EVENTS]
    counts[EVENTS] += 1
    events[event, EVENT_TICK] = tick
    events[event, EVENT_VALUE] = value
    events[event, EVENT_NEXT] = -1
    if lists[chain, first] < 0:
        lists[chain, first] = event
    else:
        events[lists[chain, first + 1], EVENT_NEXT] = event
    lists[chain, first + 1] = event
    lists[chain, NUM_CHAINED] += 1


@bare
def _begin_channel(counts: Table, slots: Table, channels: Table, channel: int) -> None:
    """Forgets what the channel did in the track before."""
    for slot in range(channel * KEYS, (channel + 1) * KEYS):
        slots[slot, OPEN_FIRST] = slots[slot, OPEN_LAST] = slots[slot, INSTRUMENT] = -1
    channels[channel, STRAY_LIST] = -1
    channels[channel, CURRENT_PROGRAM] = 0
    channels[channel, SEEN_IN] = counts[TRACK]


@bare_inline
def channel_message(
    tick: int,
    status: int,
    first: int,
    second: int,
    counts: Table,
    opened: Table,
    notes: Table,
    events: Table,
    instruments: Table,
    lists: Table,
    slots: Table,
    channels: Table,
) -> None:
    kind, channel = status & 0xF0, status & 0x0F
    if channels[channel, SEEN_IN] != counts[TRACK]:
        _begin_channel(counts, slots, channels, channel)
    if kind == 0x90 and second > 0:
        _note_on(tick, counts, opened, slots, channel * KEYS + first, second)
    elif kind == 0x90 or kind == 0x80:
        _note_off(tick, counts, opened, notes, instruments, lists, slots, channels, channel, first)
    elif kind == 0xB0:
        value = first << 8 | second
        _chain_event(
            tick, counts, events, instruments, lists, slots, channels, channel, value, CONTROL_FIRST
        )
    elif kind == 0xE0:
        value = (first | second << 7) - 8192
        _chain_event(
            tick, counts, events, instruments, lists, slots, channels, channel, value, BEND_FIRST
        )
    elif kind == 0xC0:
        channels[channel, CURRENT_PROGRAM] = first
