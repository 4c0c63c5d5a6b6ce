"""What a user gives to begin with, as notes and events: melodies, chords, drums, scores, texts."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from corpus import files, readers
from corpus.config import ExamplesConfig
from corpus.encodings import EncodedExample, Encoding, Events, open_encoding
from corpus.encodings.piece import Piece, read_piece

DEFAULT_QPM = 120.0
_VELOCITY = 100
_STEPS_PER_QUARTER = 4
_VIOLIN = 40
_NUM_PITCHES = 128
_FIRST_PITCH = 2  # the class of MIDI pitch 0 in mono_rnn

# What makes an encoding take a beginning whole, however short or long.
_WHOLE = {
    "mono_rnn": (
        "min_bars=0", "max_steps=1000000", "min_unique_pitches=1", "gap_bars=1000",
        "ignore_polyphonic_notes=true",
    ),
    "drums": ("min_bars=0", "max_steps=1000000", "gap_bars=1000"),
    "performances": ("min_events=1", "max_events=100000", "window_seconds=3600"),
    "polyphony": ("min_steps=0", "max_steps=1000000"),
    "tunes": ("max_steps=0", "skyline=true"),
}  # fmt: skip


def relaxed(config: ExamplesConfig, kind: str) -> Encoding:
    """The encoding of examples, as it takes a beginning."""
    extra = _WHOLE.get(kind, ("max_steps=0",))
    settings = (*config.settings, *extra)
    return open_encoding(dataclasses.replace(config, extraction="full", settings=settings))


def read_primer(path: str) -> tuple[Piece, float]:
    """(the piece, its first tempo) of a score.

    Raises:
      ValueError: it cannot be read, or it is no score.
    """
    try:
        data = files.read_bytes(path)
    except OSError as error:
        raise ValueError(f"cannot read the primer {path}: {error.strerror or error}") from error
    score = readers.read_score(data, path, "primer")[0]
    if score.reason:
        raise ValueError(f"the primer {path} cannot be used: {score.detail or score.reason}")
    piece = read_piece(score.payload)
    if not len(piece.start):
        raise ValueError(f"the primer {path} has no note")
    return piece, float(piece.tempo_qpms[0]) if len(piece.tempo_qpms) else DEFAULT_QPM


def chord_piece(pitches: Sequence[int], qpm: float, *, with_violin: bool = False) -> Piece:
    """Pitches that sound together for a quarter; the highest as a violin beside, if need be.

    Raises:
      ValueError: one is no MIDI pitch.
    """
    for pitch in pitches:
        if not 0 <= pitch < _NUM_PITCHES:
            raise ValueError(f"{pitch} in the primer pitches is no MIDI pitch; they are 0 to 127")
    played = [(pitch, 0) for pitch in pitches]
    if with_violin:
        played.append((max(pitches), _VIOLIN))
    return _piece([(0, _STEPS_PER_QUARTER, pitch, program) for pitch, program in played], qpm)


def melody_piece(melody: Sequence[int], qpm: float) -> Piece:
    """A melody in Magenta's events, a sixteenth each. Raises ValueError as `mono_events`."""
    events = mono_events(melody)
    changes = np.flatnonzero(events != 0).tolist()
    notes = [
        (first, last, int(events[first]) - _FIRST_PITCH, 0)
        for first, last in zip(changes, [*changes[1:], len(events)], strict=True)
        if events[first] >= _FIRST_PITCH
    ]
    return _piece(notes, qpm)


def _piece(notes: Sequence[tuple[int, int, int, int]], qpm: float) -> Piece:
    """A piece of (first step, step behind, pitch, program), in sixteenths."""
    from note_seq.protobuf import music_pb2

    seconds = 60.0 / qpm / _STEPS_PER_QUARTER
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.tempos.add(qpm=qpm)
    for start, end, pitch, program in notes:
        sequence.notes.add(
            start_time=start * seconds, end_time=end * seconds, pitch=pitch,
            velocity=_VELOCITY, program=program, instrument=int(program > 0),
        )  # fmt: skip
        sequence.total_time = max(sequence.total_time, end * seconds)
    return read_piece(sequence.SerializeToString())


def as_one_instrument(piece: Piece) -> Piece:
    """All that is pitched as one piano."""
    kept = ~piece.is_drum
    return dataclasses.replace(
        piece,
        start=piece.start[kept],
        end=piece.end[kept],
        pitch=piece.pitch[kept],
        velocity=piece.velocity[kept],
        program=np.zeros_like(piece.program[kept]),
        instrument=np.zeros_like(piece.instrument[kept]),
        is_drum=piece.is_drum[kept],
    )


def examples(encoding: Encoding, piece: Piece) -> list[EncodedExample]:
    """The examples of a beginning.

    Raises:
      ValueError: the encoding makes nothing of it.
    """
    found = encoding.encode(piece)
    if not found.examples:
        reasons = ", ".join(sorted(found.dropped)) or "nothing in it"
        raise ValueError(f"{encoding.name} makes nothing of the primer: {reasons}")
    return found.examples


def encoded(encoding: Encoding, piece: Piece) -> Events:
    """The events of the first example of a beginning; raises ValueError as `examples`."""
    return examples(encoding, piece)[0].events


def melody_of(piece: Piece) -> list[int]:
    """The melody of a score in Magenta's events: that of the instrument with most notes.

    Raises:
      ValueError: there is none.
    """
    settings = ExamplesConfig(encoding="mono_rnn")
    found = relaxed(settings, "mono_rnn").encode(piece).examples
    if not found:
        raise ValueError("there is no melody in the primer; every instrument is drums or silent")
    best = max(found, key=lambda example: int((example.events >= _FIRST_PITCH).sum()))
    events: list[int] = (best.events - _FIRST_PITCH).tolist()
    return events


def mono_events(melody: Sequence[int]) -> Events:
    """Events of mono_rnn: 0 no event, 1 note off, 2 + MIDI pitch.

    Raises:
      ValueError: one is no melody event, or there is no note.
    """
    encoding: Any = open_encoding(ExamplesConfig(encoding="mono_rnn"))
    events, _ = encoding.primer(melody)
    return cast(Events, events)


def drum_events(encoding: Encoding, text: str) -> Events:
    """The events of drums that are written as `[(36,), (), (42, 46)]`, a set of pitches a step.

    Raises:
      ValueError: they cannot be read, there are none, or the kit lacks one.
    """
    advice = "write a list of sets of pitches, as [(36,), (), (42,)]"
    try:
        steps = ast.literal_eval(text)
        sets = [(step,) if isinstance(step, int) else tuple(step) for step in steps]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"the primer drums {text!r} cannot be read; {advice}") from error
    if not sets:
        raise ValueError(f"the primer drums {text!r} have no step; {advice}")
    kit: Any = encoding
    bits = {pitch: bit for bit, pitches in enumerate(kit.types) for pitch in pitches}
    for pitch in (pitch for one in sets for pitch in one):
        if isinstance(pitch, bool) or not isinstance(pitch, int) or pitch not in bits:
            raise ValueError(
                f"{pitch!r} in the primer drums is no drum of {encoding.name}; "
                f"it has the pitches {', '.join(map(str, sorted(bits)))}"
            )
    classes = [sum({1 << bits[pitch] for pitch in one}) for one in sets]
    return np.array(classes, np.int64)


def text_events(encoding: Encoding, text: str) -> Events:
    """The events of a text.

    Raises:
      ValueError: the encoding has no such character.
    """
    if hasattr(encoding, "prompt"):
        return cast(Events, cast(Any, encoding).prompt(text))
    known = cast(Any, encoding).text(EncodedExample(np.arange(cast(int, encoding.num_events))))
    for character in text:
        if character not in known:
            raise ValueError(f"{character!r} in the primer text is no character of {encoding.name}")
    return np.array([known.index(character) for character in text], np.int64)
