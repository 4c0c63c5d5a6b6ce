"""ABC tune books, one score a tune.

The reader is ours: `tokens` cuts lines into signs, `voice` plays them, `form`
finds the order of the sections, `tune` holds a tune together, `write` makes a
NoteSequence of it. note_seq's own parser refuses most of the ABC that there is, as it knows
no rests, tuplets, chords, endings, parts or voices. Tests compare the two where it reads.
"""

from __future__ import annotations

import codecs
import re

from corpus.readers.abc.tune import Tune
from corpus.readers.results import ReadError, Score

# What the warnings of a tune say.
WARNINGS = {
    "bad_header_line": "a line of the header is no field",
    "bad_field": "a field could not be read",
    "odd_tempo": "a tempo that nobody can play was left out",
    "unended_block": "a %%begin block is never ended",
    "macros": "macros (m:) were not carried out",
    "bad_duration": "notes of impossible length were made possible",
    "bad_pitch": "notes that no MIDI instrument can play were left out",
    "bad_chord": "a text that begins like a chord symbol was kept as a text",
    "grace_notes": "grace notes were left out",
    "jumps": "jumps (D.C., D.S.) were not followed",
    "unknown_signs": "signs that could not be read were skipped",
    "odd_repeat": "repeats are opened and closed in an order that makes no sense",
    "bad_part_order": "the order of the parts could not be made out",
}

_FIELD = re.compile(r"^[A-Za-z]:")
# Fields of a file's header that are defaults of its tunes.
_DEFAULTS = frozenset("CKLMQTU")
_MAX_DEFAULTS = 32
_MAX_TUNES = 20_000
_MAX_BYTES = 8 << 20


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


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _field(lines: list[str], letter: str) -> str:
    return next((x[2:].partition("%")[0].strip() for x in lines if x.startswith(letter + ":")), "")


def _read_tune(header: list[str], lines: list[str], name: str) -> Score:
    score = Score(tune=name, title=_field(lines, "T"), composer=_field(lines, "C"))
    tune = Tune()
    try:
        tune.read(header + lines)
        score.sequence = tune.sequence()
    except ReadError as error:
        score.reject(error.reason, f"tune {name}: {error.detail}")
    else:
        score.warnings += tune.warnings
        if score.sequence is None:
            score.reject("no_notes", f"tune {name}: there is no note in it")
        score.serialize()  # A proto takes 20 times the memory of its bytes, and books are long.
    return score


def read(data: bytes) -> list[Score]:
    """Reads every tune of a book.

    Raises:
      ReadError: there is no tune in the file at all, or too many.
    """
    if len(data) > _MAX_BYTES:
        raise ReadError("too_big", f"a book of over {_MAX_BYTES >> 20} MB; split it")
    header, tunes = split_tunes(_decode(data))
    if not tunes:
        raise ReadError("not_abc", "no tune in the file: no line starts with X:")
    if len(tunes) > _MAX_TUNES:
        raise ReadError("too_big", f"a book of {len(tunes)} tunes, over {_MAX_TUNES}; split it")
    header = [line for line in header if line[0] in _DEFAULTS]
    if len(header) > _MAX_DEFAULTS:
        raise ReadError("too_big", f"a file header of {len(header)} fields, over {_MAX_DEFAULTS}")
    scores: list[Score] = []
    times: dict[str, int] = {}
    for lines in tunes:
        number = _field(lines, "X") or "0"
        times[number] = times.get(number, 0) + 1
        name = number if times[number] == 1 else f"{number}-{times[number]}"
        scores.append(_read_tune(header, lines, name))
    return scores
