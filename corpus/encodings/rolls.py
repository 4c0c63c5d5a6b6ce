"""Keyboards of a step each: 0 for a key at rest, 1 where it is struck, 2 while it is held.

Source of facts: mcleavey/musical-neural-net (data/midi-to-encoding.py). Keys are counted from
the lowest note of a range; notes outside are moved into it by octaves. A chamber piece has two
players, piano and violin; the violin plays nothing below key 22. A key that is struck again while
it sounds is struck there, whatever the order of the notes; the reference lets the note that it
reads last have its way.

There, music21 says which instrument a track is; here it is General MIDI's program: piano,
harpsichord and harp are the piano, what is bowed, blown softly or sung (see VIOLIN_PROGRAMS) the
violin, and a chamber piece with any other instrument is left out, as it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare
from corpus.encodings.tempo_grid import GridNotes, Steps, UnusablePieceError

Roll = npt.NDArray[np.int8]

REST, STRIKE, HOLD = 0, 1, 2
PIANO, VIOLIN = 0, 1
# The lowest MIDI note of each range of keys.
LOWEST_NOTES = {62: 33, 38: 45}
VIOLIN_LOWEST_KEY = 22
# Up and down, in the order of the reference's files.
TRANSPOSITIONS = tuple(range(6, -6, -1))

# Pianos, harpsichord, clavinet; harp.
PIANO_PROGRAMS = (*range(8), 46)
# Strings; their ensembles; voices; horn; oboe, English horn, bassoon, clarinet; flute, recorder.
VIOLIN_PROGRAMS = (*range(40, 46), 48, 49, 52, 53, 60, 68, 69, 70, 71, 73, 74)

_OCTAVE = 12


def check_range(note_range: int) -> None:
    """Raises ValueError for a range of notes that the reference does not have."""
    if note_range not in LOWEST_NOTES:
        raise ValueError(f"a range of {note_range} notes; choose {sorted(LOWEST_NOTES)}")


def make_roll(notes: GridNotes, note_range: int, *, chamber: bool) -> Roll:
    """The roll of a piece: int8, [num_steps, players, note_range].

    The last step is the one after all notes. One player is a piano, whatever plays; two are
    piano and violin.

    Raises:
      UnusablePieceError: `not_chamber` for a chamber piece that has another instrument, or
        lacks one of the two.
    """
    player = _players(notes.program) if chamber else np.zeros(len(notes.start), np.int64)
    key = fold(notes.pitch - LOWEST_NOTES[note_range], 0, note_range)
    key = np.where(player == VIOLIN, fold(key, VIOLIN_LOWEST_KEY, note_range), key)
    num_players = 1 + chamber
    roll = np.zeros((int(notes.end.max()) + 1, num_players, note_range), np.int8)
    fill(notes, player * note_range + key, roll.reshape(len(roll), num_players * note_range))
    return roll


def fill(notes: GridNotes, column: Steps, roll: Roll) -> None:
    """Writes notes into a roll of rests, [num_steps, columns]; strikes go before holding."""
    _fill(notes.start, notes.end, column, np.zeros(roll.shape[1], np.int64), roll)


def fold(key: Steps, lowest: int, note_range: int) -> Steps:
    """Moves keys by octaves into lowest <= key < note_range, which is over an octave."""
    up = np.maximum(-(-(lowest - key) // _OCTAVE), 0)
    down = np.maximum(-(-(key - note_range + 1) // _OCTAVE), 0)
    folded: Steps = key + _OCTAVE * (up - down)
    return folded


def transposed(roll: Roll, semitones: int) -> Roll:
    """The roll moved up; what leaves the keyboard is lost, as in the reference."""
    moved = np.zeros_like(roll)
    num_keys = roll.shape[2]
    if semitones >= 0:
        moved[:, :, semitones:] = roll[:, :, : num_keys - semitones]
    else:
        moved[:, :, :semitones] = roll[:, :, -semitones:]
    return moved


def _players(program: npt.NDArray[np.int32]) -> Steps:
    violin = np.isin(program, VIOLIN_PROGRAMS)
    if not (violin | np.isin(program, PIANO_PROGRAMS)).all() or violin.all() or not violin.any():
        raise UnusablePieceError("not_chamber")
    return np.where(violin, VIOLIN, PIANO)


@bare
def _fill(start: Steps, end: Steps, column: Steps, filled: Steps, roll: Roll) -> None:
    """Writes notes, in order of their beginnings, into a roll [num_steps, columns].

    `filled` is the step up to which a column has been written, so that no cell is written for
    each of the notes that sound on it.
    """
    for note in range(len(start)):
        at = column[note]
        roll[start[note], at] = STRIKE
        for step in range(max(start[note] + 1, filled[at]), end[note]):
            roll[step, at] = HOLD
        filled[at] = max(filled[at], end[note])


@bare
def write_tokens(roll: Roll, max_wait: int, tokens: Steps) -> int:
    """Writes the note-wise tokens of a roll; returns how many.

    Classes: strike of the piano, its ends, waits from 1 to max_wait; then the violin's strikes
    and ends. `tokens` must have room for a wait a step and two tokens a strike.
    """
    num_steps, num_players, num_keys = roll.shape
    count, waits = 0, 0
    for step in range(num_steps):
        for player in range(num_players - 1, -1, -1):
            base = 0 if player == PIANO else 2 * num_keys + max_wait
            for key in range(num_keys):
                if roll[step, player, key] == REST:
                    continue
                is_strike = roll[step, player, key] == STRIKE
                is_end = step + 1 == num_steps or roll[step + 1, player, key] == REST
                if (is_strike or is_end) and waits:
                    tokens[count] = 2 * num_keys + waits - 1
                    count += 1
                    waits = 0
                if is_strike:
                    tokens[count] = base + key
                    count += 1
                if is_end:
                    tokens[count] = base + num_keys + key
                    count += 1
        waits += 1
        if waits == max_wait:
            tokens[count] = 2 * num_keys + waits - 1
            count += 1
            waits = 0
    if waits:
        tokens[count] = 2 * num_keys + waits - 1
        count += 1
    return count


def roll_notes(roll: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """(start, end, key) of the notes of a roll [num_steps, keys], in order of their ends.

    What is held without having been struck, as a cut or a model leaves it, begins where it is
    first held.
    """
    begun: dict[int, int] = {}
    notes: list[tuple[int, int, int]] = []
    for step, row in enumerate(roll):
        for key, state in enumerate(row):
            if key in begun and state != HOLD:
                notes.append((begun.pop(key), step, key))
            if state != REST and key not in begun:
                begun[key] = step
    return notes + [(start, len(roll), key) for key, start in begun.items()]
