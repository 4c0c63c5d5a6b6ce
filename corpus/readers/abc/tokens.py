"""The signs of a line of ABC music, and what each stands for.

`TOKENS.findall(line)` cuts a line into signs; `decode(sign)` says what one is. The same
few thousand signs make up a whole library of tunes, so decoding is cached.

Signs: ABC standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1, section 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

_PARTS_OF_NOTE = re.compile(r"(\^{1,2}|_{1,2}|=)?([A-Ga-g])([',]*)(\d*)(/*)(\d*)(\s*-)?")
_IN_CHORD = re.compile(rf'{_PARTS_OF_NOTE.pattern}|"([^"]*)"')
_PARTS_OF_LENGTH = re.compile(r"(\d*)(/*)(\d*)$")
_PARTS_OF_BAR = re.compile(r"(:*)([\[|\]]*)(:*)[ \t]*\[?[ \t]*([\d,.-]*)")
_NUMBER_OR_RANGE = re.compile(r"(\d+)(?:-(\d+))?")

_PITCHES = dict(zip("CDEFGABcdefgab", (0, 2, 4, 5, 7, 9, 11) * 2, strict=True))
_SHIFTS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
# Symbols of the standard, and `R`, `J` that players use; others only where `U:` defines them.
_STANDARD_SYMBOLS = frozenset(".~HLMOPSTuvJR")
_OTHER_SYMBOLS = frozenset("IKNQUVWhijklmnopqrstw")

_DIGITS = 6  # More digits than that are no length that a person wrote.
_MAX_HALVINGS = 12
MAX_PASSES = 16


class Note(NamedTuple):
    """One written note.

    Attributes:
      shift: what its accidental says, in semitones; None where it has none.
      letter: `A` to `G`, which is what accidentals last for.
      pitch: MIDI pitch without any accidental.
      num, den: length in unit note lengths.
    """

    shift: int | None
    letter: str
    pitch: int
    num: int
    den: int


class Chord(NamedTuple):
    """Notes that begin together; `tied` says which of them are tied to the next ones."""

    notes: tuple[Note, ...]
    tied: tuple[bool, ...]
    texts: tuple[str, ...]


class Bar(NamedTuple):
    """A bar line.

    Attributes:
      lines: strokes and brackets in it; two or more end a section.
      backward: how often what stands before it is played, 0 where it is no repeat.
      forward: the same for what comes after it.
      endings: the passes that the ending after it is for.
    """

    lines: int
    backward: int
    forward: int
    endings: tuple[int, ...]


class Tuplet(NamedTuple):
    """`p` notes in the time of `q`, for the next `r`; `q` is 0 where the meter decides."""

    p: int
    q: int
    r: int


Token = tuple[str, Any]


def _length(number: str, slashes: str, divisor: str) -> tuple[int, int]:
    """Length as a fraction: `3/2`, `/`, `//`, `/4`, `3/`."""
    num = int(number[:_DIGITS]) if number else 1
    if divisor:
        den = int(divisor[:_DIGITS]) << min(max(len(slashes) - 1, 0), _MAX_HALVINGS)
        return (num, den) if den else (0, 1)
    return num, 1 << min(len(slashes), _MAX_HALVINGS)


def _note(match: re.Match[str]) -> Note:
    accidental, name, octaves = match.group(1, 2, 3)
    pitch = (60 if name.isupper() else 72) + _PITCHES[name]
    pitch += 12 * (octaves.count("'") - octaves.count(","))
    shift = _SHIFTS[accidental] if accidental else None
    return Note(shift, name.upper(), pitch, *_length(*match.group(4, 5, 6)))


def _note_alone(token: str) -> Token:
    match = _PARTS_OF_NOTE.match(token)
    assert match
    return "note", _note(match)


def _chord(token: str) -> Token:
    inside, _, outer = token[1:].rpartition(token[-1] if token[0] == "+" else "]")
    match_of_length = _PARTS_OF_LENGTH.match(outer)
    assert match_of_length
    num, den = _length(*match_of_length.groups())
    notes, tied, texts = [], [], []
    for match in _IN_CHORD.finditer(inside):
        if match.group(2):
            note = _note(match)
            notes.append(note._replace(num=note.num * num, den=note.den * den))
            tied.append(bool(match.group(7)))
        else:
            texts.append(match.group(8))
    if not notes:
        return ("rest", (num, den)) if "z" in inside or "x" in inside else ("unreadable", token)
    return "chord", Chord(tuple(notes), tuple(tied), tuple(texts))


def passes_of(endings: str) -> tuple[int, ...]:
    """The passes that `1`, `1,3` or `1-3` name."""
    found: set[int] = set()
    for first, last in _NUMBER_OR_RANGE.findall(endings):
        start = int(first[:_DIGITS])
        found.update(range(start, min(int(last[:_DIGITS] or start), MAX_PASSES) + 1))
    return tuple(sorted(n for n in found if 0 < n <= MAX_PASSES))


def _bar(token: str) -> Token:
    match = _PARTS_OF_BAR.match(token)
    assert match
    before, lines, after, endings = match.groups()
    if not lines:
        before = after = ":" * (len(before) // 2)
    elif lines.endswith("[") and endings:
        lines = lines[:-1]
    backward, forward = (min(len(c) + 1, MAX_PASSES) if c else 0 for c in (before, after))
    return "bar", Bar(len(lines), backward, forward, passes_of(endings))


def _tuplet(token: str) -> Token:
    p, q, r = (int(part[:_DIGITS] or 0) for part in (token[1:] + "::").split(":")[:3])
    if not (2 <= p <= (64 if q else 9) and q <= 64 and r <= 64):
        return "unreadable", token
    return "tuplet", Tuplet(p, q, r or p)


def _rest(token: str) -> Token:
    if token[0] == "y":
        return "ignored", None  # space on paper
    match = _PARTS_OF_LENGTH.search(token)
    assert match
    length = _length(*match.groups())
    return ("rest", length) if token[0] in "zx" else ("bars_of_rest", length[0])


def _broken(token: str) -> Token:
    known = len(set(token)) == 1 and len(token) <= 3
    return ("broken", token) if known else ("unreadable", token)


def _single(sign: str) -> Token:
    if sign == "-":
        return "tie", None
    if sign == "&":
        return "overlay", None
    if sign == ":":
        return "colon", sign
    if sign in _STANDARD_SYMBOLS or sign == "!":  # alone, the old sign for a line break
        return "ignored", None
    return ("symbol" if sign in _OTHER_SYMBOLS else "unreadable"), sign


_LENGTH = r"\d*(?:/+\d*)?"
_NOTE = rf"(?:\^{{1,2}}|_{{1,2}}|=)?[A-Ga-g][',]*{_LENGTH}"
_ENDINGS = r"\d+(?:[,.-]+\d+)*[,.]*"

# What a sign looks like, and what reads it; the first that fits counts. No pattern can match
# in two ways at one place, and each stops at the sign that would begin it anew: a line is cut
# in a time that grows with its length only.
_RULES: tuple[tuple[str, Callable[[str], Token]], ...] = (
    (_NOTE, _note_alone),
    (rf"[zxZXy]{_LENGTH}", _rest),
    (r"\[\|\]", lambda _: ("bar", Bar(1, 0, 0, ()))),  # drawn invisible
    (rf":*(?:\[\|+|\|)[|\]]*+:*+(?:[ \t]*+(?:\[[ \t]*+)?{_ENDINGS})?", _bar),
    (rf"::+|\[[ \t]*{_ENDINGS}", _bar),
    (r"\[[A-Za-z]:[^\[\]]*\]", lambda token: ("field", (token[1], token[3:-1].strip()))),
    (rf"""\[(?=[^\[\]|:"]*[A-Ga-gzx"])(?:"[^"]*"|[^\[\]|"])*\]{_LENGTH}""", _chord),
    (_ENDINGS, lambda token: ("number", token)),
    (r'"[^"]*"', lambda token: ("text", token[1:-1])),
    (r"\{[^{}]*\}", lambda _: ("grace", None)),
    (r"\(\d+(?::\d*){0,2}", _tuplet),
    (r"!(?:D\.?[CS]\.?|dacapo|dacoda|dalsegno)[^!|\s]{0,16}!", lambda _: ("jump", None)),
    (r"[()]|![^!|\s]{1,32}!|\+(?:f+|[A-Ga-g.]*[H-Zh-z][A-Za-z.]*)\+", lambda _: ("ignored", None)),
    (rf"\+(?:{_NOTE})+\+", _chord),
    (r"[<>]+", _broken),
    (r"[^\s`$\\]", _single),
)
_READERS = tuple((re.compile(pattern), read) for pattern, read in _RULES)

TOKENS = re.compile("|".join(pattern for pattern, _ in _RULES))


def decode(token: str) -> Token:
    """(kind, value) of one sign; the kind names the method of `Voice` that plays it.

    Besides these there are `field`, whose value is (letter, content), and `symbol`, which is
    unreadable unless the tune defines it.
    """
    return next(read(token) for pattern, read in _READERS if pattern.fullmatch(token))


# Long signs are texts or no music at all, and would make the cache large.
CACHED_LENGTH = 24
decode_cached = lru_cache(maxsize=1 << 14)(decode)
