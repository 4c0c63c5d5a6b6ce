"""The ABC reader: hostile tunes, and agreement with note_seq on whole books."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import abc_parser, sequences_lib

from corpus.readers import abc
from corpus.readers.abc.chords import chord_symbol
from corpus.readers.abc.tokens import TOKENS, decode
from corpus.readers.results import ReadError
from tests import makers
from tests.abc_tunes import HEADER, score


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("C" * 60_000, "too_big"),
        ("C" * 110_000, "too_big"),
        ("z4|", "no_notes"),
        ("\n".join(f"V:{i}\nC" for i in range(70)), "too_big"),
        ("C\n" + "z||\n" * 60_000, "too_big"),
        ("L:4\nQ:1/4=1\n" + "C16\n" * 3000, "too_long"),
    ],
)
def test_a_tune_over_a_limit_is_a_rejection(body: str, reason: str) -> None:
    result = score(body)
    assert (result.reason, result.payload) == (reason, b"")
    assert result.detail.startswith("tune 1: ")


@pytest.mark.parametrize("length", ["99999999", "9" * 9999, "/99999999", "/" * 9999, "/0", "0"])
def test_impossible_lengths_are_made_possible(length: str) -> None:
    result = score(f"C{length}")
    (note,) = result.note_sequence().notes
    assert 0 < note.end_time <= 64 * 4
    assert result.warnings


def test_a_book_is_rejected_whole_only_where_it_is_none() -> None:
    with pytest.raises(ReadError, match="not_abc"):
        abc.read(b"hello")
    with pytest.raises(ReadError, match="too_big"):
        abc.read(b"X:1\nK:C\nC\n\n" * 20_001)
    with pytest.raises(ReadError, match="too_big"):
        abc.read(b" " * (9 << 20))
    with pytest.raises(ReadError, match="too_big"):
        abc.read(b"U:h=!x!\n" * 40 + b"\nX:1\nK:C\nC\n")


HOSTILE = (
    '"', "[", "[A", "{", "{a", "!a", ":", ":|", "(3", "9", "/", "^", ">", "+A^", "&", "| ", "C'",
    '["', '["a"A', "A-", "|1A:|2B||", "1,", "|[", "[V:1]", "_", "[=", "(3:2:3", "\\",
    "[K:H]", "z||", '"C"',
)  # fmt: skip


LONG = [unit * (90_000 // len(unit)) for unit in HOSTILE]
LONG += [start + unit * 90_000 for start in ("+A", "C", "[1", "|", "!", "(") for unit in "1/, "]


@pytest.mark.parametrize("line", LONG, ids=lambda line: str(line)[:6])
def test_a_long_line_takes_no_longer_than_its_length(line: str) -> None:
    line = f"{HEADER}{line}\n"
    started = time.process_time()
    abc.read(line.encode())
    assert time.process_time() - started < 2


@given(st.text(alphabet="CDEFGABcdgz|:[]()\"{}<>-123/ ^_=',~!+.&$\\%\nVKMLQP", max_size=120))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_reader(body: str) -> None:
    for result in abc.read((HEADER + body).encode()):
        assert bool(result.payload) != bool(result.reason)
        if result.payload:
            assert all(n.start_time <= n.end_time for n in result.note_sequence().notes)
            sequences_lib.expand_section_groups(result.note_sequence())


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_every_sign_has_a_meaning(line: str) -> None:
    tokens = TOKENS.findall(line)
    assert all(decode(token)[0] for token in tokens)
    assert not re.sub(r"[\s`$\\]", "", TOKENS.sub("", line))


AGREED = [
    "X:1\nT:A Tune\nC:Trad\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n",
    'X:2\nM:6/8\nQ:3/8=80\nK:Ador\n|:"Am"A2B c>de|"G"^GAB _B,=c2:|\nK:Em\n"D7"f/g//a3/2||e6:|\n',
    "X:3\nL:1/8\nK:Bb\nB>c d<e| [M:3/4][Q:1/4=77]f'g,,a|\nL:1/16\nbb|c::d3:|\n",
    "M:C|\n\nX:4\nL:1/8\nQ:100\nK:EMin\n(EF) ~G.A|uB2 vc2||d4|]\n",
]


def differences(expected: Any, got: Any) -> Iterator[str]:
    """What note_seq's reading of a tune and ours do not have in common."""
    near = pytest.approx
    if [n.pitch for n in expected.notes] != [n.pitch for n in got.notes]:
        yield "pitches"
    for name in ("start_time", "end_time"):
        times = [getattr(n, name) for n in expected.notes]
        if [getattr(n, name) for n in got.notes] != near(times, abs=1e-9):
            yield name
    for name in ("key_signatures", "time_signatures", "tempos"):
        fields = [{round(x.time, 9): str(x) for x in getattr(s, name)} for s in (expected, got)]
        values = [[re.sub(r"time: .*\n", "", v) for v in f.values()] for f in fields]
        if values[0] != values[1] or list(fields[0]) != near(list(fields[1]), abs=1e-8):
            yield name
    for theirs, ours in zip(expected.text_annotations, got.text_annotations, strict=True):
        if theirs.text != ours.text and chord_symbol(theirs.text) != ours.text:
            yield f"text {theirs.text}"
    for name in ("sequence_metadata", "source_info", "reference_number", "ticks_per_quarter"):
        if getattr(expected, name) != getattr(got, name):
            yield name


def without_ties(lines: list[str]) -> list[str]:
    """The same music where each tied note is struck anew, as note_seq plays it."""
    return [
        line
        if re.match("[A-Za-z]:|%", line)
        else re.sub(r'"[^"]*"|-', lambda m: m[0] if m[0] != "-" else "", line)
        for line in lines
    ]


@pytest.mark.parametrize("book", AGREED)
def test_we_read_what_note_seq_reads(book: str) -> None:
    header, (lines,) = abc.split_tunes(book)
    expected = abc_parser.ABCTune(header + lines).note_sequence
    (result,) = abc.read(book.encode())
    assert list(differences(expected, result.note_sequence())) == []
    assert list(result.note_sequence().section_groups) == list(expected.section_groups)
    assert result.note_sequence().total_time == pytest.approx(expected.total_time, abs=1e-9)


def books() -> list[Path]:
    """Books at hand: the Nottingham database, and some of those that music21 ships."""
    found = sorted((makers.SHARED / "nottingham_abc").glob("*.abc"))
    spec = importlib.util.find_spec("music21")
    if spec and spec.origin:
        found += sorted((Path(spec.origin).parent / "corpus").rglob("*.abc"))[::25]
    return found


def note_seq_sequence(lines: list[str]) -> Any:
    try:
        return abc_parser.ABCTune(lines).note_sequence
    except Exception:  # it refuses much, with many kinds of errors
        return None


@pytest.mark.skipif(not books(), reason="no book at hand")
def test_whole_books_are_read_and_agree_with_note_seq() -> None:
    compared, differing, refused = 0, [], []
    for path in books():
        header, tunes = abc.split_tunes(path.read_text("latin-1"))
        for lines in map(without_ties, tunes):
            (result,) = abc.read("\n".join([*header, "", *lines, ""]).encode())
            if result.note_sequence() is None:
                refused.append((path.name, lines[0], result.detail))
                continue
            expected = note_seq_sequence(header + lines)
            # note_seq takes `A>>B` for something other than the standard does, loses a broken
            # rhythm at the end of a line, and takes the `[` after a bar line for a bar line.
            odd = any(re.search(r">>|<<|[<>]\s*\\?$|\|\[", line) for line in lines)
            if expected is not None and not odd:
                compared += 1
                differing += [
                    (path.name, lines[0], d) for d in differences(expected, result.note_sequence())
                ]
    assert refused == []
    assert differing == []
    assert compared > 20
