"""--show: what a piece looks like encoded, for people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpus import readers
from corpus.config import ExamplesConfig
from corpus.encodings import (
    ENCODINGS,
    EncodedExample,
    Encoding,
    extraction,
    open_encoding,
    settings,
)
from corpus.encodings.piece import Piece

_SHOWN_EXAMPLES, _SHOWN_STEPS = 3, 64
_ROLL_COLUMNS = 96
_LEVELS = " ▁▂▃▄▅▆▇█"


def show(path: str, config: ExamplesConfig) -> list[str]:
    """Lines about every score of a file: its examples, their classes, a picture, what was dropped.

    Raises:
      ValueError: the file is not there, or nothing in it can be read.
    """
    encoding = open_encoding(config)
    if not os.path.isfile(path):
        raise ValueError(f"{path!r} is no file; give a score")
    with open(path, "rb") as file:
        scores = readers.read_score(file.read(), os.path.basename(path), "show")
    lines: list[str] = []
    for score in scores:
        if score.reason:
            lines.append(f"{path} {score.tune}: {score.reason}: {score.detail}".strip())
            continue
        piece = extraction.read(score.payload, config.way)
        lines += _of_score(piece, f"{path} {score.tune}".strip(), encoding)
    if all(score.reason for score in scores):
        raise ValueError("; ".join(lines))
    return lines


def encodings() -> Iterator[str]:
    """A line an encoding: its name, and its settings with their defaults."""
    for name, entry in ENCODINGS.items():
        try:
            known = entry.settings()
        except ValueError as error:
            yield f"{name}  ({error})"
            continue
        listed = "  ".join(f"{key}={settings.shown(value)}" for key, value in known.items())
        yield f"{name}  {listed}"


def _of_score(piece: Piece, name: str, encoding: Encoding) -> Iterator[str]:
    encoded = encoding.encode(piece)
    found, notes = len(encoded.examples), len(piece.pitch)
    yield f"{name}: {notes} notes -> {found} examples of {encoding.name}"
    yield f"  classes {_sizes(encoding.num_classes)}, input vector {encoding.input_size}"
    for example in encoded.examples[:_SHOWN_EXAMPLES]:
        yield from _of_example(example, encoding)
    if found > _SHOWN_EXAMPLES:
        yield f"  and {found - _SHOWN_EXAMPLES} more"
    for reason, count in encoded.dropped.most_common():
        yield f"  dropped: {count} x {reason}"


def _sizes(sizes: int | tuple[int, ...]) -> str:
    if isinstance(sizes, int):
        return f"{sizes:,}"
    is_even = len(set(sizes)) == 1
    return f"{len(sizes)} x {sizes[0]}" if is_even else " x ".join(map(str, sizes))


def _of_example(example: EncodedExample, encoding: Encoding) -> Iterator[str]:
    yield f"  {len(example.events)} steps: {example.made_by}"
    yield "    " + " ".join(_words(example, encoding)[:_SHOWN_STEPS])
    for name, rows in example.controls.items():
        shown = np.array2string(rows[:4], precision=2, separator=",").replace("\n", "")
        yield f"    {name}, shape {list(rows.shape)}: {shown} ..."
    for line in _roll(encoding.decode(example, 120.0)):
        yield "    |" + line


def _words(example: EncodedExample, encoding: Encoding) -> list[str]:
    """The events as the encoding names them; else as their classes."""
    name: Any = getattr(encoding, "tokens", None)
    if name is not None:
        return [str(word) for word in name(example)]
    rows = example.events.reshape(len(example.events), -1)
    return [",".join(map(str, row[row > 0] if len(row) > 8 else row)) or "." for row in rows]


def _roll(sequence: Any) -> list[str]:
    """A picture: a line three semitones, from high to low; darker is more of the time."""
    if not sequence.notes:
        return []
    low = min(note.pitch for note in sequence.notes) // 3
    high = max(note.pitch for note in sequence.notes) // 3
    filled = np.zeros((high - low + 1, _ROLL_COLUMNS))
    width = max(sequence.total_time, 1e-9) / _ROLL_COLUMNS
    for note in sequence.notes:
        first = min(int(note.start_time / width), _ROLL_COLUMNS - 1)
        last = min(int(note.end_time / width), _ROLL_COLUMNS - 1)
        filled[high - note.pitch // 3, first : last + 1] += 1
    levels = np.minimum(filled * 4, len(_LEVELS) - 1).astype(int)
    return ["".join(_LEVELS[level] for level in row) for row in levels]
