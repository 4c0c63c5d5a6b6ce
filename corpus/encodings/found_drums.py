"""Drums that are not marked as such: kits on another channel than the one that MIDI keeps for them.

Programs and names tell little: most parts of General MIDI's percussive programs (112 to 119) are
pitched or play keys of their own, and a kit stands under any program. So a part is judged by how a
kit is played, which no pitched part does for long:

- it has a kick, a snare and something that keeps time (hi-hat, ride, tambourine, shaker), and the
  leading key of each makes up much of it together; a bass line or a chord has many keys instead;
- kick and snare are struck together with what keeps time, which a bass line never has, but also
  apart, which a chord never is;
- hardly a note is beyond the kit, but for three keys at most (congas, a cowbell). So drums with a
  melody on the same track are left alone.

A kit may be split, one track a drum. Instruments of one program with few keys each, all of the kit,
are judged as if they were one, with the hi-hat alone for keeping time.

The keys are those of the percussion map of General MIDI (RP-003 of the MIDI Association). Shares
were chosen on one half of 1,389 files of Lakh and checked on the other: with their marks taken off,
drums are found in 76 of 100 files that have some, 76 of 100 of their notes; of the parts without a
mark one was taken, and is a kit. Of 1,294 classical, jazz and hip-hop files none was.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare, njit
from corpus.encodings.piece import Piece
from corpus.notes import Flags, Floats, Ints

_Longs = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]

_KICK, _SNARE, _TIME = 1, 2, 4  # voices of a kit, as bits
_KICK_KEYS, _SNARE_KEYS = (35, 36), (37, 38, 39, 40)  # with side stick and clap
_HAT_KEYS = (42, 44, 46)
_TIME_KEYS = (*_HAT_KEYS, 51, 53, 59, 54, 69, 70, 82)  # ride, tambourine, cabasa, maracas, shaker
_FIRST_KEY, _LAST_KEY = 35, 59  # the kit: all drums and cymbals; above are hand drums
_NUM_KEYS = 128
_NUM_PROGRAMS = 128

# Which keys a part has, as bits from the first key of the kit on, and one for any other key.
_BEYOND = 1 << 62
_KICKS = sum(1 << key - _FIRST_KEY for key in _KICK_KEYS)
_SNARES = sum(1 << key - _FIRST_KEY for key in _SNARE_KEYS)

# Two bars of eighths with what goes along; less tells too little.
_MIN_STROKES = 32
# Of all strokes, for each voice: a kick or a snare less often is what a passing note is too.
_MIN_SHARE = 0.03
# Of all strokes, for the leading keys of the three voices. Of 20,000 pitched parts the nearest that
# is like a kit otherwise has 0.31: low chords of a guitar.
_MIN_LEADING = 0.4
# Of all strokes, beyond the kit and the three leading keys there: a fill, but no melody.
_MAX_BEYOND = 0.1
# Of the strokes of a kick or a snare, together with what keeps time.
_MIN_TOGETHER = 0.1
# Of the strokes of a kick without a snare, and of what keeps time without either.
_MIN_APART = 0.05
# Seconds: what is nearer is struck together, by hand too. From 5 to 45 ms give the same kits.
_TOGETHER = 0.02
# Of a track of a split kit: the drums of one foot or hand (kick and snare, the three hats).
_MAX_TRACK_KEYS = 3


def _voices(time_keys: tuple[int, ...]) -> _Bytes:
    """The voice of each key, shape [128]; 0 where it is none of the three."""
    table = np.zeros(_NUM_KEYS, np.uint8)
    for voice, keys in ((_KICK, _KICK_KEYS), (_SNARE, _SNARE_KEYS), (_TIME, time_keys)):
        table[list(keys)] = voice
    return table


_KIT_VOICES, _SPLIT_KIT_VOICES = _voices(_TIME_KEYS), _voices(_HAT_KEYS)


def found_drums(piece: Piece) -> Flags:
    """Which notes are of instruments that are plainly drums, though not marked so.

    What is doubtful is left as it is: a kit without cymbals, a conga, single strokes.

    Args:
      piece: with notes in any order.

    Returns:
      (num_notes,) bool; never where `is_drum` is set.
    """
    part, num_parts = _numbered(piece.instrument)
    part[piece.is_drum] = -1
    is_kit, has_few_keys = _kits(piece, part, num_parts, _KIT_VOICES)
    found = _notes_of(is_kit, part)
    is_track = has_few_keys & ~is_kit
    if np.count_nonzero(is_track) > 1:
        is_program = (piece.program >= 0) & (piece.program < _NUM_PROGRAMS)
        of_track = _notes_of(is_track, part) & is_program
        part = np.where(of_track, piece.program, -1).astype(np.int64)
        is_kit, _ = _kits(piece, part, _NUM_PROGRAMS, _SPLIT_KIT_VOICES)
        found |= _notes_of(is_kit, part)
    return found


def with_found_drums(piece: Piece) -> Piece:
    """The piece with the drums of `found_drums` marked, and their instruments in that field.

    Returns:
      `piece` itself where none are found.
    """
    found = found_drums(piece)
    if not found.any():
        return piece
    instruments = {*piece.found_drums, *np.unique(piece.instrument[found]).tolist()}
    return dataclasses.replace(
        piece, is_drum=piece.is_drum | found, found_drums=tuple(sorted(instruments))
    )


def _numbered(instrument: Ints) -> tuple[_Longs, int]:
    """(number of each note's instrument from 0 on, how many numbers there are)."""
    if not len(instrument):
        return np.zeros(0, np.int64), 0
    low, high = int(instrument.min()), int(instrument.max())
    if high - low > 2 * len(instrument):  # no reader numbers so, but the bytes may be anyone's
        distinct, numbers = np.unique(instrument, return_inverse=True)
        return numbers.astype(np.int64), len(distinct)
    return instrument.astype(np.int64) - low, high - low + 1


def _notes_of(is_taken: Flags, part: _Longs) -> Flags:
    """Which notes are of the parts that are taken."""
    if not is_taken.any():
        return np.zeros(len(part), np.bool_)
    of_taken: Flags = is_taken[part] & (part >= 0)
    return of_taken


def _kits(piece: Piece, part: _Longs, num_parts: int, voices: _Bytes) -> tuple[Flags, Flags]:
    """For each part: (whether it is a kit, whether it has few keys, all of the kit).

    `part` is negative for notes of none. Linear in the notes, but for sorting those of likely kits.
    """
    is_kit, has_few_keys = _likely_kits(piece.pitch, part, num_parts, voices)
    notes = np.flatnonzero(_notes_of(is_kit, part))
    if len(notes):
        notes = notes[np.lexsort((piece.start[notes], part[notes]))]
        struck = voices[np.clip(piece.pitch[notes], 0, _NUM_KEYS - 1)]  # the outer have no voice
        _keep_kits(piece.start[notes], struck, part[notes], is_kit)
    return is_kit, has_few_keys


@njit()
def _likely_kits(pitch: Ints, part: _Longs, num_parts: int, voices: _Bytes) -> tuple[Flags, Flags]:
    """For each part: (whether its keys are those of a kit, whether they are few and of the kit)."""
    num_strokes, keys = np.zeros(num_parts, np.int64), np.zeros(num_parts, np.int64)
    for note in range(len(part)):
        if part[note] >= 0:
            num_strokes[part[note]] += 1
            is_of_kit = _FIRST_KEY <= pitch[note] <= _LAST_KEY
            keys[part[note]] |= 1 << (pitch[note] - _FIRST_KEY) if is_of_kit else _BEYOND
    is_kit, has_few_keys = np.zeros(num_parts, np.bool_), np.zeros(num_parts, np.bool_)
    row, num_rows = np.full(num_parts, -1, np.int64), 0
    for index in range(num_parts):
        has_few_keys[index] = _are_few(keys[index])
        # Most parts have no kick or no snare at all, and are not looked at again.
        if num_strokes[index] >= _MIN_STROKES and keys[index] & _KICKS and keys[index] & _SNARES:
            row[index], num_rows = num_rows, num_rows + 1
    counts = np.zeros((num_rows, _NUM_KEYS + 1), np.int64)
    if num_rows:
        for note in range(len(part)):
            if part[note] >= 0 and row[part[note]] >= 0:
                key = pitch[note] if 0 <= pitch[note] < _NUM_KEYS else _NUM_KEYS
                counts[row[part[note]], key] += 1
    for index in range(num_parts):
        if row[index] >= 0:
            is_kit[index] = _has_keys_of_kit(counts[row[index]], num_strokes[index], voices)
    return is_kit, has_few_keys


@bare
def _are_few(keys: int) -> bool:
    """Whether the keys of a part are of the kit, and few."""
    if keys & _BEYOND:
        return False
    for _ in range(_MAX_TRACK_KEYS):
        keys &= keys - 1
    return keys == 0


@bare
def _has_keys_of_kit(counts: _Longs, num_strokes: int, voices: _Bytes) -> bool:
    """Whether strokes on the keys, and last on what is no key, are as those of a kit."""
    num_leading = 0
    for voice in (_KICK, _SNARE, _TIME):
        total, leading = 0, 0
        for key in range(len(voices)):
            if voices[key] == voice:
                total, leading = total + counts[key], max(leading, counts[key])
        if total < _MIN_SHARE * num_strokes:
            return False
        num_leading += leading
    num_beyond, first, second, third = 0, 0, 0, 0  # and the leading ones of them
    for key in range(len(counts)):
        if not _FIRST_KEY <= key <= _LAST_KEY:
            num_beyond += counts[key]
        if not _FIRST_KEY <= key <= _LAST_KEY and key < _NUM_KEYS:
            third = max(third, min(second, counts[key]))
            second = max(second, min(first, counts[key]))
            first = max(first, counts[key])
    num_beyond -= first + second + third
    is_led = num_leading >= _MIN_LEADING * num_strokes
    return is_led and num_beyond <= _MAX_BEYOND * num_strokes


@njit()
def _keep_kits(times: Floats, struck: _Bytes, part: _Longs, is_kit: Flags) -> None:
    """Clears the flag of each part whose voices do not go together and apart as those of a kit.

    Notes stand in the order of parts, then of times.
    """
    stroke = 0
    while stroke < len(times):
        index = part[stroke]
        counts = np.zeros(_KICK + _SNARE + _TIME + 1, np.int64)  # of times, by the voices there
        while stroke < len(times) and part[stroke] == index:
            begin, sounding = times[stroke], 0
            while (
                stroke < len(times) and part[stroke] == index and times[stroke] - begin <= _TOGETHER
            ):
                sounding |= int(struck[stroke])
                stroke += 1
            counts[sounding] += 1
        is_kit[index] = _is_struck_as_kit(counts)


@bare
def _is_struck_as_kit(counts: _Longs) -> bool:
    """Whether it is, by how often each set of voices is struck together; sets are bits."""
    all_three = counts[_KICK | _SNARE | _TIME]
    with_kick, with_snare = counts[_KICK | _TIME], counts[_SNARE | _TIME]
    kicks_apart = counts[_KICK] + with_kick
    kicks = kicks_apart + counts[_KICK | _SNARE] + all_three
    snares = counts[_SNARE] + counts[_KICK | _SNARE] + with_snare + all_three
    keeping_time = counts[_TIME] + with_kick + with_snare + all_three
    is_together = (
        with_kick + all_three >= _MIN_TOGETHER * kicks
        and with_snare + all_three >= _MIN_TOGETHER * snares
    )
    is_apart = kicks_apart >= _MIN_APART * kicks and counts[_TIME] >= _MIN_APART * keeping_time
    return bool(is_together and is_apart)
