"""Note-wise text: what a pianist does next, and how long to wait.

Source: the posts "Notewise Generation" and "Clara", and mcleavey/musical-neural-net
(data/midi-to-encoding.py). Each step of a piece says, from the lowest key up, `p<key>` for a key
that is struck and, in the step where it sounds last, `endp<key>`; then comes a wait for the step.
Waits that follow each other are one `wait<n>`, of 2 * steps_per_quarter + 1 steps at most. A key
that is struck again while it sounds has no end before. Chamber pieces have a second player,
`v<key>` and `endv<key>`, said first in each step.

Classes: p from 0, endp, wait, then v and endv: 62 + 62 + 25 = 149 for one player with 62 keys and
12 steps a quarter, 273 for two. The classes of one player are the first ones of two, so that a
model of solo music can be trained on with chamber music. There are no others: padding and
starts belong to the trainer.

Differences: steps are the nearest ones (music21 rounds to sixteenths and triplets, then the
reference leaves fractions out); times count from the beginning of the piece, where it counts some
from that of a part; drums have no keys and are left out. Where a token is never ended, the note
lasts a quarter at most when decoded, 12 steps in the reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.encodings import rolls, tempo_grid
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.tempo_grid import UnusablePieceError

_VELOCITY = 90
_VIOLIN_PROGRAM = 40


class NotewiseEncoding(OneClassEncoding):
    """Note-wise text, for one player or two."""

    version = "1"
    feeds_events = True
    reasons: tuple[str, ...] = (*tempo_grid.REASONS, "not_chamber", "out_of_range")

    def __init__(
        self,
        *,
        steps_per_quarter: int = 12,
        note_range: int = 62,
        chamber: bool = False,
        max_steps: int = 1024,
    ) -> None:
        """Makes the encoding.

        Args:
          steps_per_quarter: the reference has 12 and 4.
          note_range: 62 keys from MIDI 33 or 38 from MIDI 45.
          chamber: two players, piano and violin; else all pitched instruments are one.
          max_steps: tokens of an example; 0 leaves pieces whole, as the reference does.

        Raises:
          ValueError: a setting is out of range.
        """
        tempo_grid.check_settings(steps_per_quarter, max_steps)
        rolls.check_range(note_range)
        self.name = "notewise_chamber" if chamber else "notewise"
        self._steps_per_quarter = steps_per_quarter
        self._num_keys = note_range
        self._num_players = 1 + chamber
        self._max_steps = max_steps
        self._max_wait = 2 * steps_per_quarter + 1
        self._tokens = self._vocabulary()
        self.num_events = self.num_classes = self.input_size = len(self._tokens)

    def _vocabulary(self) -> tuple[str, ...]:
        keys = range(self._num_keys)
        names = [f"p{key}" for key in keys] + [f"endp{key}" for key in keys]
        names += [f"wait{n}" for n in range(1, self._max_wait + 1)]
        if self._num_players > 1:
            names += [f"v{key}" for key in keys] + [f"endv{key}" for key in keys]
        return tuple(names)

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The piece, in training in twelve keys: from 6 semitones up to 5 down."""
        try:
            notes = tempo_grid.on_tempo_grid(piece, self._steps_per_quarter)
            roll = rolls.make_roll(notes, self._num_keys, chamber=self._num_players > 1)
        except UnusablePieceError as error:
            return tempo_grid.nothing(error.reason)
        found = EncodedPiece()
        for semitones in rolls.TRANSPOSITIONS if is_training else (0,):
            moved = rolls.transposed(roll, semitones) if semitones else roll
            num_strikes = int(np.count_nonzero(moved == rolls.STRIKE))
            if not num_strikes:
                found.dropped["out_of_range"] += 1
                continue
            tokens = np.empty(2 * num_strikes + len(moved), np.int64)
            tokens = tokens[: rolls.write_tokens(moved, self._max_wait, tokens)]
            key = f", transposed {semitones:+d}" if semitones else ""
            found.examples += [
                EncodedExample(
                    events=tokens[part],
                    made_by=tempo_grid.described(part, len(tokens), "tokens") + key,
                )
                for part in tempo_grid.parts_of(len(tokens), self._max_steps)
            ]
        return found

    def tokens(self, example: EncodedExample) -> list[str]:
        """The words of the text."""
        return [self._tokens[event] for event in example.events.tolist()]

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of tokens: a piano, and a violin where there are two players."""
        seconds = tempo_grid.step_seconds(qpm, self._steps_per_quarter)
        sequence = tempo_grid.to_sequence((), qpm)
        for player, notes in enumerate(self._notes(example.events.tolist())):
            tempo_grid.add_notes(
                sequence,
                [
                    (start * seconds, end * seconds, self._pitch(key), _VELOCITY)
                    for start, end, key in sorted(notes)
                ],
                program=_VIOLIN_PROGRAM if player == rolls.VIOLIN else 0,
                instrument=player,
            )
        return sequence

    def _pitch(self, key: int) -> int:
        return rolls.LOWEST_NOTES[self._num_keys] + key

    def _notes(self, tokens: list[int]) -> list[list[tuple[int, int, int]]]:
        """(start, end, key) in steps of the notes of each player."""
        keys, waits_end = self._num_keys, 2 * self._num_keys + self._max_wait
        notes: list[list[tuple[int, int, int]]] = [[] for _ in range(self._num_players)]
        begun: list[dict[int, int]] = [{} for _ in range(self._num_players)]
        now = 0
        for token in tokens:
            if 2 * keys <= token < waits_end:
                now += token - 2 * keys + 1
                continue
            player = int(token >= waits_end)
            is_end, key = divmod(token - waits_end * player, keys)
            start = begun[player].pop(key, None)
            if start is not None and (is_end or start < now):
                notes[player].append((start, now + is_end, key))
            if not is_end:
                begun[player][key] = now
        longest = self._steps_per_quarter
        for player, sounding in enumerate(begun):
            for key, start in sounding.items():
                notes[player].append((start, min(max(now, start + 1), start + longest), key))
        return notes
