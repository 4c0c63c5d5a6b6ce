"""ABC tune books, one score a tune, by note_seq's parser.

note_seq's parser knows no rests, grace notes, tuplets or parts; a tune that has one
is rejected with what stopped it. Splitting the book into tunes is ours, so that one
bad or repeated tune number does not cost the others.
"""

from __future__ import annotations

import re

from note_seq import abc_parser

from corpus.readers.results import ReadError, Score

_FIELD = re.compile(r"^[A-Za-z]:")
_MAX_TUNES = 20_000


def split_tunes(text: str) -> tuple[list[str], list[list[str]]]:
    """(file header, tunes): a tune runs from its `X:` line to a blank line or the next `X:`.

    Text between tunes is free text, as the ABC standard 2.1 has it.
    """
    header: list[str] = []
    tunes: list[list[str]] = []
    inside = False
    for line in map(str.strip, text.splitlines()):
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


def _field(lines: list[str], letter: str) -> str:
    return next((x[2:].partition("%")[0].strip() for x in lines if x.startswith(letter + ":")), "")


def _read_tune(header: list[str], lines: list[str], tune: str) -> Score:
    score = Score(tune=tune, title=_field(lines, "T"), composer=_field(lines, "C"))
    try:
        score.sequence = abc_parser.ABCTune(header + lines).note_sequence
    except abc_parser.ABCParseError as error:
        name = type(error).__name__.removesuffix("Error")
        score.reject("unsupported_abc", f"tune {tune}: {name}: {error}")
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
        text = data.decode("latin-1")
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
