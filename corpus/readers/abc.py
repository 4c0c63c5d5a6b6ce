"""ABC tune books, one score a tune, by note_seq's parser.

note_seq's parser knows no rests, grace notes, tuplets or parts. Rests are most of what
it stumbles over (6,285 of the 8,126 tunes of music21's books that it refuses), so a
rest goes to it as a note far below any instrument and is taken out of the result;
grace notes are left out. A tune with a tuplet or a part is rejected with what stopped
it. Splitting the book into tunes is ours, so that one bad or repeated tune number does
not cost the others.
"""

from __future__ import annotations

import re
from typing import Any

from note_seq import abc_parser

from corpus.readers.results import ReadError, Score

_FIELD = re.compile(r"^[A-Za-z]:")
_MAX_TUNES = 20_000

# What stands in quotes, decorations and inline fields is kept; grace notes and
# back-ticks (spacing) are dropped; z and x are rests.
_TOKEN = re.compile(r"""(?P<kept>"[^"]*"|![^!]*!|\[[A-Za-z]:[^\]]*\])|\{[^}]*\}|`|(?P<rest>[zx])""")
_REST_NOTE = "C,,,,"  # MIDI pitch 12
_HIGHEST_REST = 20


def split_tunes(text: str) -> tuple[list[str], list[list[str]]]:
    """(file header, tunes): a tune runs from its `X:` line to a blank line or the next `X:`.

    Text between tunes is free text, as the ABC standard 2.1 has it.
    """
    header: list[str] = []
    tunes: list[list[str]] = []
    inside = False
    for line in map(str.strip, re.split(r"\r\n|\r|\n", text)):
        if line.startswith("X:"):
            tunes.append([line])
            inside = True
        elif not line:
            inside = False
        elif inside:
            tunes[-1].append(line)
        elif not tunes and _FIELD.match(line):
            header.append(line)
    return header, tunes


def _mend(line: str) -> str:
    """A line of music with rests as notes that no instrument has, and without grace notes."""
    if _FIELD.match(line):
        return line
    music, percent, comment = line.partition("%")
    mended = _TOKEN.sub(lambda m: m["kept"] or (_REST_NOTE if m["rest"] else ""), music)
    return mended + percent + comment


def _remove_rests(sequence: Any) -> None:
    sounding = [note for note in sequence.notes if note.pitch > _HIGHEST_REST]
    if len(sounding) < len(sequence.notes):
        kept = [type(note).FromString(note.SerializeToString()) for note in sounding]
        del sequence.notes[:]
        sequence.notes.extend(kept)
        sequence.total_time = max((note.end_time for note in kept), default=0.0)


def _field(lines: list[str], letter: str) -> str:
    return next((x[2:].partition("%")[0].strip() for x in lines if x.startswith(letter + ":")), "")


def _read_tune(header: list[str], lines: list[str], tune: str) -> Score:
    score = Score(tune=tune, title=_field(lines, "T"), composer=_field(lines, "C"))
    try:
        mended = [_mend(line) for line in header + lines]
        score.sequence = abc_parser.ABCTune(mended).note_sequence
        _remove_rests(score.sequence)
    except abc_parser.ABCParseError as error:
        name = type(error).__name__.removesuffix("Error")
        score.reject("unsupported_abc", f"tune {tune}: {name}: {error}")
    except MemoryError:
        raise
    except Exception as error:
        score.reject("unsupported_abc", f"tune {tune}: {type(error).__name__}: {error}")
    return score


def read(data: bytes) -> list[Score]:
    """Reads every tune of a book.

    Raises:
      ReadError: there is no tune in the file at all, or too many.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    header, tunes = split_tunes(text)
    if not tunes:
        raise ReadError("not_abc", "no tune in the file: no line starts with X:")
    if len(tunes) > _MAX_TUNES:
        raise ReadError("too_big", f"a book of {len(tunes)} tunes, over {_MAX_TUNES}; split it")
    scores: list[Score] = []
    times: dict[str, int] = {}
    for lines in tunes:
        number = _field(lines, "X") or "0"
        times[number] = times.get(number, 0) + 1
        tune = number if times[number] == 1 else f"{number}-{times[number]}"
        scores.append(_read_tune(header, lines, tune))
    return scores
