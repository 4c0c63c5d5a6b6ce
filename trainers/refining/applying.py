"""A file's notes made better: lengths that fit, velocities as somebody would play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corpus import encodings, files, readers
from corpus.encodings.piece import Piece, read_piece
from trainers.refining import predicting
from trainers.refining.midi_edit import MidiEdit, NotPlainError
from trainers.refining.nets import DURATIONS, VELOCITIES, RefineNet
from trainers.refining.score import Flags, Floats, Longs, Score
from trainers.refining.velocity_features import levels


@dataclass(frozen=True)
class Wish:
    """What is to be done to a file.

    Attributes:
      durations, velocities: which of the two.
      drums: whether to drums, too.
      keeps_level: whether parts keep their mean velocity; else the net says how loud they are.
      strength: what a velocity's distance from its part's mean is multiplied by.
    """

    durations: bool
    velocities: bool
    drums: bool = False
    keeps_level: bool = True
    strength: float = 1.0


@dataclass(frozen=True)
class Refined:
    """A refined file.

    Attributes:
      midi: its bytes.
      num_notes: how many were refined; num_lengths, num_velocities: how many of them changed.
      mean_stretch: mean change of a length, as a share; mean_shift: of a velocity.
      warnings: what a user should know.
    """

    midi: bytes
    num_notes: int
    num_lengths: int
    num_velocities: int
    mean_stretch: float
    mean_shift: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Change:
    """(num_notes,) each, in the order of the score that was read: what becomes of its notes."""

    ratios: Floats
    velocities: Longs


def read(path: str) -> tuple[bytes, readers.Score]:
    """(the file's bytes, unpacked; its first score).

    Raises:
      ValueError: it cannot be read; the reader's reason is in the message.
      OSError: it is not there.
    """
    data = files.read_bytes(path)
    try:
        prepared = readers.prepare(data, path)
    except readers.ReadError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    score = readers.read_prepared(prepared)[0]
    if score.reason:
        raise ValueError(f"{path} cannot be read: {score.reason}: {score.detail}")
    return prepared.data, score


def refine(nets: Mapping[str, RefineNet], path: str, wish: Wish) -> Refined:
    """Refines a file; the same file, nets and wish give the same bytes.

    Raises:
      ValueError, OSError: as `read`.
    """
    data, read_score = read(path)
    piece = read_piece(read_score.payload)
    score = Score.of(piece)
    chosen = np.ones(len(score), np.bool_) if wish.drums else ~score.is_drum
    change = _change(nets, piece, score, wish, chosen)
    warnings = [] if chosen.any() else ["there is no note to refine; --drums refines drums, too"]
    try:
        if read_score.media != readers.MIDI:
            raise NotPlainError(f"it is {read_score.media}")
        midi = _edited(data, piece, change)
    except NotPlainError as error:
        warnings.append(f"the file is written anew, since {error}; texts and channels may differ")
        midi = _rewritten(read_score, change)
    return _refined(midi, piece, score, chosen, change, tuple(warnings))


def _change(
    nets: Mapping[str, RefineNet], piece: Piece, score: Score, wish: Wish, chosen: Flags
) -> _Change:
    ratios = np.ones(len(piece.start))
    velocities = piece.velocity.astype(np.int64)
    which = score.order[chosen]
    if wish.durations:
        found = predicting.restored(nets[DURATIONS], score, score.seconds)
        ratios[which] = (found / score.seconds)[chosen]
    if wish.velocities:
        loud = predicting.velocities(nets[VELOCITIES], score)
        if wish.keeps_level:
            loud = predicting.at_level(score, loud, levels(score, score.velocity * 1.0))
        mean = levels(score, loud)
        loud = mean + wish.strength * (loud - mean)
        velocities[which] = np.clip(np.rint(loud), 1, 127).astype(np.int64)[chosen]
    return _Change(ratios, velocities)


def _edited(data: bytes, piece: Piece, change: _Change) -> bytes:
    """The file itself, with other ends and velocities."""
    edit = MidiEdit(data)
    place = edit.match(
        piece.start, piece.pitch.astype(np.int64), piece.is_drum,
        piece.velocity.astype(np.int64), piece.end,
    )  # fmt: skip
    ratios, velocities = np.empty(len(place)), np.empty(len(place), np.int64)
    ratios[place], velocities[place] = change.ratios, change.velocities
    return edit.changed(ratios, velocities)


def _rewritten(read_score: readers.Score, change: _Change) -> bytes:
    """A new file of all that the reader has found."""
    sequence = read_score.note_sequence()
    for note, ratio, velocity in zip(sequence.notes, change.ratios, change.velocities, strict=True):
        note.end_time = note.start_time + (note.end_time - note.start_time) * float(ratio)
        note.velocity = int(velocity)
    ends = [note.end_time for note in sequence.notes]
    sequence.total_time = max([sequence.total_time, *ends])
    return encodings.to_midi(sequence)


def _refined(
    midi: bytes,
    piece: Piece,
    score: Score,
    chosen: Flags,
    change: _Change,
    warnings: tuple[str, ...],
) -> Refined:
    which = score.order[chosen]
    stretch = np.abs(change.ratios[which] - 1.0)
    shift = np.abs(change.velocities[which] - piece.velocity[which])
    return Refined(
        midi=midi,
        num_notes=len(which),
        num_lengths=int((stretch > 0.005).sum()),
        num_velocities=int((shift > 0).sum()),
        mean_stretch=float(stretch.mean()) if len(which) else 0.0,
        mean_shift=float(shift.mean()) if len(which) else 0.0,
        warnings=warnings,
    )
