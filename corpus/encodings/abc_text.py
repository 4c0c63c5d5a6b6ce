"""Tunes as the characters of their ABC text, without headers.

Source: the project report "Deep Symphony" (WGAN with tricks), which trained on the Nottingham
tunes with "meta information" removed, and added it again to play what was generated. Classes: 0
for a new line, 1..95 for the printable characters of ASCII from the space on.

`encode_text` takes ABC as it was written. A score that was read has no such text any more,
only notes; for it `encode` writes a tune of its own, which is no one's: in C, with sixteenths
as the unit, one for each instrument that plays one note at a time, with the score's chord symbols.
Our reader reads it back to the same notes on the grid of sixteenths. Notes that overlap are cut at
the next one. Where an instrument rests for over four bars, or the meter changes, its tune
ends and another begins.

A body alone says neither meter nor key nor unit. `inline_fields` keeps those named as
inline fields, `[M:3/4]`, where they are not those of the header that decoding puts in
front (4/4, 1/16, C); the report kept none, and music in G comes back in C then.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np
from note_seq.protobuf import music_pb2

from corpus.encodings import tempo_grid
from corpus.encodings.abc_writer import STEPS_PER_QUARTER, write_bars
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.tempo_grid import GridNotes, Steps, UnusablePieceError
from corpus.readers import abc
from corpus.readers.abc import fields
from corpus.readers.abc.chords import chord_symbol

_HEADER = {"M": "4/4", "L": "1/16", "K": "C"}
_HEADER_LINES = "".join(["X:1\n", *(f"{letter}:{text}\n" for letter, text in _HEADER.items())])
_HEADER_QPM = 120.0
_FIRST, _LAST = 32, 126  # of ASCII's printable characters
_NUM_CHARACTERS = _LAST - _FIRST + 2
_BARS_PER_LINE = 4
_MAX_EMPTY_BARS = 4
_UNIT_STEPS = 4 * STEPS_PER_QUARTER  # of a whole note

_FIELD_LINE = re.compile(r"([A-Za-z]):(?![|:\]])\s*(.*)")
_INLINE_FIELD = re.compile(r"\[([MLK]):([^\]]*)\]")
_NO_CHARACTER = re.compile(r"[^\n -~]")

_LETTER = re.compile("[A-Ga-g]")
_NO_NOTES = re.compile(r'"[^"]*"|\[[A-Z]:[^\]]*\]')

_Tune = list[tuple[int, int, int]]


class AbcTextEncoding(OneClassEncoding):
    """Characters of ABC."""

    name = "abc_text"
    version = "1"
    num_events = _NUM_CHARACTERS
    num_classes = _NUM_CHARACTERS
    input_size = _NUM_CHARACTERS
    feeds_events = True
    reasons: tuple[str, ...] = (
        *tempo_grid.REASONS,
        "polyphonic",
        "several_voices",
        "silent",
        "unreadable_chord",
    )

    def __init__(
        self,
        *,
        inline_fields: str = "MLK",
        skyline: bool = False,
        max_steps: int = 1024,
        full: bool = False,
    ) -> None:
        """Makes the encoding.

        Args:
          inline_fields: which of meter `M`, unit `L` and key `K` stay in the text.
          skyline: whether an instrument that plays chords gives its highest notes; else nothing.
          max_steps: characters of an example, cut between bars (lines where the text is given);
            0 leaves tunes whole.
          full: as `skyline`.

        Raises:
          ValueError: a setting is out of range.
        """
        if not set(inline_fields) <= set(_HEADER):
            raise ValueError(f"inline_fields is {inline_fields!r}; choose of M, L and K")
        tempo_grid.check_max_steps(max_steps)
        self._inline_fields = inline_fields
        self._skyline = skyline or full
        self._max_steps = max_steps

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The tunes of a piece, by instrument and time."""
        found = EncodedPiece()
        try:
            notes = tempo_grid.on_tempo_grid(piece, STEPS_PER_QUARTER)
            meters = _meters(piece)
            chords = _chords(piece, found)
        except UnusablePieceError as error:
            return tempo_grid.nothing(error.reason)
        num_bars = 0
        for instrument in np.unique(notes.instrument).tolist():
            voice = notes.take(notes.instrument == instrument)
            if not self._skyline and (np.diff(voice.start) == 0).any():
                found.dropped["polyphonic"] += 1
                continue
            for begin, meter, tune in _tunes(tempo_grid.melody_of(voice), meters, found):
                steps_per_bar = _UNIT_STEPS * meter[0] // meter[1]
                num_bars += tune[-1][1] // steps_per_bar
                if num_bars > tempo_grid.MAX_STEPS:
                    found.dropped["too_long"] += 1
                    return found
                who = f"instrument {instrument}, from sixteenth {begin}"
                bars = write_bars(tune, _moved(chords, begin, tune[-1][1]), steps_per_bar)
                self._cut({"M": f"{meter[0]}/{meter[1]}"}, _lines(bars), who, found)
        return found

    def encode_text(self, text: str, made_by: str = "") -> EncodedPiece:
        """The bodies of the tunes of an ABC text; tunes of several voices are dropped."""
        found = EncodedPiece()
        for lines in abc.split_tunes(text)[1]:
            header, body = _header_and_body(lines, self._inline_fields)
            if "V" in header:
                found.dropped["several_voices"] += 1
            elif not body:
                found.dropped["silent"] += 1
            else:
                meter = header.get("M", _HEADER["M"])
                unit = fields.default_unit(fields.parse_meter(meter))
                stated = {"M": meter, "L": header.get("L", str(unit)), "K": header.get("K", "C")}
                self._cut(stated, body, made_by or f"tune {header.get('X', '')}".strip(), found)
        return found

    def _prefix(self, stated: dict[str, str]) -> str:
        return "".join(
            f"[{letter}:{text}]"
            for letter, text in stated.items()
            if letter in self._inline_fields and text != _HEADER[letter]
        )

    def _cut(
        self, stated: dict[str, str], chunks: list[str], who: str, found: EncodedPiece
    ) -> None:
        """Joins chunks to texts that are as long as the limit lets them be.

        Each begins with the fields that hold there: those stated, or changed since.
        """
        groups: list[list[str]] = [[self._prefix(stated)]]
        length = len(groups[0][0])
        for chunk in chunks:
            if self._max_steps and len(groups[-1]) > 1 and length + len(chunk) > self._max_steps:
                groups.append([self._prefix(stated)])
                length = len(groups[-1][0])
            groups[-1].append(chunk)
            length += len(chunk)
            stated = stated | dict(_INLINE_FIELD.findall(chunk))
        for index, group in enumerate(groups):
            text = _NO_CHARACTER.sub("", "".join(group).strip("\n"))
            if _LETTER.search(_NO_NOTES.sub("", text)):
                part = f", part {index + 1} of {len(groups)}" if len(groups) > 1 else ""
                found.examples.append(EncodedExample(_to_events(text), made_by=who + part))
            else:
                found.dropped["silent"] += 1

    def tokens(self, example: EncodedExample) -> list[str]:
        """The characters."""
        return list(self.text(example))

    def text(self, example: EncodedExample) -> str:
        """The body of the tune."""
        events = example.events
        return bytes(np.where(events, events + _FIRST - 1, ord("\n")).tolist()).decode("ascii")

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence that our ABC reader makes of the text; empty where it has no note.

        Raises:
          ValueError: the tempo is none.
        """
        slower = tempo_grid.step_seconds(qpm, 1) * _HEADER_QPM / 60.0
        body = "\n".join(filter(str.strip, self.text(example).splitlines()))
        score = abc.read(f"{_HEADER_LINES}{body}\n".encode("ascii"))[0]
        if score.reason:
            return tempo_grid.to_sequence((), qpm)
        sequence = music_pb2.NoteSequence.FromString(score.payload)
        if not sequence.tempos:
            _stretch(sequence, slower)
            sequence.tempos.add(qpm=qpm)
        return sequence


def _to_events(text: str) -> Steps:
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64)
    return np.where(codes == ord("\n"), 0, codes - _FIRST + 1)


def _stretch(sequence: Any, factor: float) -> None:
    sequence.total_time *= factor
    for note in sequence.notes:
        note.start_time *= factor
        note.end_time *= factor
    for event in itertools.chain(
        sequence.time_signatures, sequence.key_signatures,
        sequence.text_annotations, sequence.section_annotations,
    ):  # fmt: skip
        event.time *= factor


def _header_and_body(lines: list[str], inline_fields: str) -> tuple[dict[str, str], list[str]]:
    """(field -> text, lines of music): fields, words and comments are no music."""
    header: dict[str, str] = {}
    body: list[str] = []
    changed = ""
    for line in lines:
        line = line.partition("%")[0].rstrip("\\ \t")
        field = _FIELD_LINE.match(line)
        if not field:
            if line.strip():
                body.append(f"{changed}{line}\n")
                changed = ""
        elif not body or field[1] == "V":
            header[field[1]] = field[2]
        elif field[1] in inline_fields:
            changed += f"[{field[1]}:{field[2]}]"
    return header, body


def _lines(bars: list[str]) -> list[str]:
    """Bars with bar lines, four of them on a line."""
    return [
        bar + ("|" if index % _BARS_PER_LINE or index == len(bars) else "|\n")
        for index, bar in enumerate(bars, start=1)
    ]


def _meters(piece: Piece) -> list[tuple[int, int, int]]:
    """(step, numerator, denominator) of the meters in order, from step 0 on."""
    order = np.argsort(piece.meter_times, kind="stable")
    times = np.maximum(piece.meter_times[order], 0.0)
    steps = tempo_grid.steps_at(piece, times, STEPS_PER_QUARTER).tolist()
    written = zip(
        steps, piece.numerators[order].tolist(), piece.denominators[order].tolist(), strict=True
    )
    at_step = {0: (4, 4)} | {step: (num, den) for step, num, den in written}
    meters: list[tuple[int, int, int]] = []
    for step, meter in at_step.items():
        if not meters or meters[-1][1:] != meter:
            meters.append((step, *meter))
    return meters


def _chords(piece: Piece, found: EncodedPiece) -> list[tuple[int, str]]:
    """(step, figure) of the chords that our reader reads, in order; the last one of a step."""
    order = np.argsort(piece.chord_times, kind="stable")
    times = np.maximum(piece.chord_times[order], 0.0)
    steps = tempo_grid.steps_at(piece, times, STEPS_PER_QUARTER).tolist()
    chords: dict[int, str] = {}
    for step, at in zip(steps, order.tolist(), strict=True):
        figure = piece.chords[at]
        if (
            chord_symbol(figure) == figure
            and '"' not in figure
            and not _NO_CHARACTER.search(figure)
        ):
            chords[step] = figure
        else:
            found.dropped["unreadable_chord"] += 1
    return list(chords.items())


def _moved(chords: list[tuple[int, str]], begin: int, end: int) -> list[tuple[int, str]]:
    """The chords of a tune, from where it begins: the one that holds there, and those after."""
    first = bisect_right(chords, begin, key=lambda chord: chord[0])
    last = bisect_left(chords, begin + end, lo=first, key=lambda chord: chord[0])
    held = [(0, figure) for _, figure in chords[max(first - 1, 0) : first]]
    return held + [(step - begin, figure) for step, figure in chords[first:last]]


def _tunes(
    melody: GridNotes, meters: list[tuple[int, int, int]], found: EncodedPiece
) -> Iterator[tuple[int, tuple[int, int], _Tune]]:
    """(step, meter, notes from there) of each tune, which begins with the bar of its first note."""
    notes = list(
        zip(melody.start.tolist(), melody.end.tolist(), melody.pitch.tolist(), strict=True)
    )
    edges = [*(step for step, _, _ in meters[1:]), max(notes[-1][1], meters[-1][0] + 1)]
    at = 0
    for (first, num, den), edge in zip(meters, edges, strict=True):
        until = at
        while until < len(notes) and notes[until][0] < edge:
            until += 1
        inside, at = notes[at:until], until
        whole_bars = num > 0 and den > 0 and _UNIT_STEPS * num % den == 0
        if inside and not whole_bars:
            found.dropped["unusable_meter"] += 1
        elif inside:
            yield from _by_rests(inside, first, edge, (num, den))


def _by_rests(
    notes: _Tune, first: int, edge: int, meter: tuple[int, int]
) -> Iterator[tuple[int, tuple[int, int], _Tune]]:
    steps_per_bar = _UNIT_STEPS * meter[0] // meter[1]
    tune: _Tune = []
    begin = bar_end = 0
    for start, end, pitch in notes:
        if tune and start - bar_end >= (_MAX_EMPTY_BARS + 1) * steps_per_bar:
            yield begin, meter, tune
            tune = []
        if not tune:
            begin = start - (start - first) % steps_per_bar
        end = min(end, edge)
        bar_end = end + (first - end) % steps_per_bar
        tune.append((start - begin, end - begin, pitch))
    yield begin, meter, tune
