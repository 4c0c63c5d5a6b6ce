"""`python -m benchmarks.fuzz`: broken inputs by the hundred thousand; none may break a reader.

An input is made from its number alone (and from the files of --seeds), so a failure is named by
its number and comes back with `--reproduce NUMBER`. Inputs number N to N + 4 are of the five
KINDS in turn. Every score of an input must end as a payload that `corpus.notes.parse` takes, or
as a reason with a detail, within the limits of processor time and memory. Child processes do the
work: what hangs or kills one is counted, and the next child goes on behind it.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import faulthandler
import gzip
import importlib
import io
import json
import lzma
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO, Any

from corpus import notes, readers
from corpus.readers.musicxml import mxl
from corpus.readers.results import ReadError, Score
from corpus.sources import open_source
from corpus.sources.paths import ARCHIVE_EXTENSIONS

KINDS = ("midi", "musicxml", "mxl", "abc", "archive")
READ = "read"  # how a score that was read is counted, beside the reasons of the others

_GOLDEN = Path(__file__).parents[1] / "tests" / "data" / "golden"
_MAX_INPUT_BYTES = 256 << 10
_MAX_START_BYTES = 64 << 10  # larger starting points cost time and reach no other code
_WINDOW = 16 << 10  # of a text, that is taken apart at a time
_MAX_STARTS = 200
_MAX_MEMBER_BYTES = 16_000_000  # the ingest stage's default
_CHUNK = 2000  # inputs a child reads, so that its peak of memory says something
_PATIENCE = 30  # of the clock, in multiples of the processor time: other work may be in the way
_DIGITS = re.compile(rb"\d+")
_TRACEBACK = "Traceback (most recent call last):"
_SLUG = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Dialect:
    """What is worth putting into inputs of one kind, and where.

    Attributes:
      endings: of file names.
      words: bytes that mean something.
      anchor: what headers are found by.
      places: where their numbers stand, in bytes from there.
      piece: what a text is made of; None for a kind that is no text.
      pairs: what opens and closes.
    """

    endings: tuple[str, ...]
    words: tuple[bytes, ...]
    anchor: re.Pattern[bytes]
    places: Sequence[int] = range(47)
    piece: re.Pattern[bytes] | None = None
    pairs: tuple[tuple[bytes, bytes], ...] = ()


_NUMBERS = (
    b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\x7f", b"\x7f\xff", b"\0\0\0\0",
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80",
    b"\x81\x80\x80\0", b"\x80" * 9 + b"\x01", b"\xff" * 8, b"\xff" * 12, b"\0" * 64,
)  # fmt: skip
_WRITTEN_NUMBERS = (
    b"0", b"-1", b"1", b"127", b"128", b"65536", b"2147483648", b"99999999999999999999", b"1e308",
    b"1e-300", b"0.0000001", b"nan", b"inf", b"-0", b"1/0", b"3.5", b"9" * 5000, b" ", b"",
    "\u0663\u00b2".encode(), b"0x10", b"1_0",
)  # fmt: skip
_TAR_NUMBERS = (
    b"77777777777\0", b"-0000001000\0", b"-1\0", b"\x80" + b"\xff" * 11, b"\xff" * 12,
    b"00000000001\0", b"00004000000\0",
)  # fmt: skip
_XML_WORDS = (
    b"<chord/>", b"<rest/>", b"<grace/>", b"<duration>0</duration>", b"<backup>", b"<measure>",
    b"<divisions>0</divisions>", b"<voice>9</voice>", b'<sound tempo="0"/>', b"</part>", b"&amp;",
    b"&lol;", b"<!ENTITY a 'b'>", b"<![CDATA[", b"]]>", b"<!--", b"<?x?>", b'xmlns="urn:x"',
    b"<transpose><chromatic>99</chromatic></transpose>", b"<senza-misura/>", b"\xef\xbf\xbf",
)  # fmt: skip
_ABC_WORDS = (
    b"\nX:1\n", b"\nK:", b"\nV:2\n", b"\nP:A(BC)3", b"\nM:none\n", b"\nM:0/4\n", b"\nL:1/0\n",
    b"\nQ:1/4=0\n", b"\nm:~n=abc\n", b"\nU:H=!x!\n", b"\n%%beginps\n", b"\\\n", b"&", b"|:", b":|",
    b"::", b"[1,3-9", b"(9:1:99", b"////////////////", b"''''''''", b"{", b"!", b'"^', b"[V:3]",
    b"[K:C clef=bass]", b"!D.C.!", b"z99999", b"Z99999", b"\xef\xbb\xbf", b"\xff\xfe", b"-", b"<>",
)  # fmt: skip
_MIDI_WORDS = (
    b"MTrk\0\0\0\x04", b"MThd", b"\xff\x2f\0", b"\xff\x51\x03\0\0\0", b"\xff\x51\x03\xff\xff\xff",
    b"\xff\x58\x04\0\xff\0\0", b"\xff\x59\x02\x80\x7f", b"\xf0\xff\xff\xff\x7f", b"\xf7\0", b"\xf1",
    b"\0\x90\x40\x40", b"\0\xc0\xff", b"\0\xe0\0\x80", b"\xff\x7f\x01\0", b"\xb0\x65\0\xb0\x64\0",
)  # fmt: skip
_PACK_WORDS = (
    b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08", b"\x1f\x8b\x08\0",
    b"\xfd7zXZ\0", b"BZh9", b"ustar\0", b"ustar  \0", b"x", b"g", b"L", b"S", b"5", b"\x01\0\x1c\0",
    b"30 size=99999999999999999999\n", b"11 size=-9\n", b"20 path=../../x.mid\n", *_TAR_NUMBERS,
)  # fmt: skip
_ZIP_ANCHOR = re.compile(rb"PK[\1-\7]")
_TAGS = ("note", "measure", "part", "attributes", "harmony", "direction", "score-partwise", "x")

DIALECTS = {
    "midi": Dialect((".mid", ".kar", ".rmi"), _MIDI_WORDS, re.compile(rb"MT[hr][dk]"), range(17)),
    "musicxml": Dialect(
        (".xml", ".musicxml"), _XML_WORDS, re.compile(rb"="), range(9),
        re.compile(rb"<[^>]*>?|[^<]+"),
        tuple((f"<{tag}>".encode(), f"</{tag}>".encode()) for tag in _TAGS),
    ),
    "mxl": Dialect((".mxl",), _PACK_WORDS, _ZIP_ANCHOR),
    "abc": Dialect(
        (".abc",), _ABC_WORDS, re.compile(rb"\n[A-Z]:"), range(13),
        re.compile(rb"\n|\d+|[A-Za-z]:|[^\d\n]"),
        ((b"(", b")"), (b"[", b"]"), (b"{", b"}"), (b"|:", b":|"), (b'"', b'"'), (b"(3", b"")),
    ),
    "zip": Dialect((".zip",), _PACK_WORDS, _ZIP_ANCHOR),
    "tar": Dialect(
        (".tar", ".tar.gz", ".tar.xz", ".tbz2"), _PACK_WORDS, re.compile(rb"ustar"),
        (-257, -157, -133, -133, -121, -109, -101, -101, 0, 88, *range(-257, 255, 15)),
    ),
}  # fmt: skip


class Mutator:
    """Changes inputs of one kind, a few steps at a time."""

    def __init__(self, random: Random, kind: str, others: Sequence[bytes]) -> None:
        self._random = random
        self._dialect = DIALECTS[kind]
        self._others = others
        steps: list[Callable[[bytes], bytes]] = [
            self._flip, self._put, self._put, self._aim, self._aim, self._noise, self._delete,
            self._repeat, self._move, self._truncate, self._splice,
        ]  # fmt: skip
        if self._dialect.piece:
            steps += 10 * [self._edit] + 4 * [self._renumber]
        self._steps = steps

    def mutate(self, data: bytes) -> bytes:
        """The input after one to thirty steps."""
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 6, 30))):
            data = self._random.choice(self._steps)(data)[:_MAX_INPUT_BYTES]
        return data

    def _at(self, length: int) -> int:
        return self._random.randrange(length + 1)

    def _block(self, data: bytes) -> tuple[int, int]:
        at = self._at(len(data))
        return at, at + self._random.randint(1, self._random.choice((1, 4, 16, 64, 512, 8192)))

    def _flip(self, data: bytes) -> bytes:
        at = self._at(len(data))
        flipped = (byte ^ 1 << self._random.randrange(8) for byte in data[at : at + 1])
        return data[:at] + bytes(flipped) + data[at + 1 :]

    def _put(self, data: bytes, at: int | None = None) -> bytes:
        word = self._random.choice(_NUMBERS + self._dialect.words)
        at = self._at(len(data)) if at is None else at
        return data[:at] + word + data[at + self._random.choice((0, len(word))) :]

    def _aim(self, data: bytes) -> bytes:
        """Changes a number close to the beginning of something."""
        found = [match.start() for match in self._dialect.anchor.finditer(data)]
        if not found:
            return self._put(data)
        at = self._random.choice(found) + self._random.choice(self._dialect.places)
        return self._put(data, max(at, 0))

    def _noise(self, data: bytes) -> bytes:
        at, end = self._block(data)
        return data[:at] + self._random.randbytes(end - at) + data[at:]

    def _delete(self, data: bytes) -> bytes:
        at, end = self._block(data)
        return data[:at] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        at, end = self._block(data)
        return data[:at] + data[at:end] * self._times(end - at) + data[at:]

    def _move(self, data: bytes) -> bytes:
        at, end = self._block(data)
        rest = data[:at] + data[end:]
        to = self._at(len(rest))
        return rest[:to] + data[at:end] + rest[to:]

    def _truncate(self, data: bytes) -> bytes:
        return data[: self._at(len(data))]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._others)
        return data[: self._at(len(data))] + other[self._at(len(other)) :]

    def _times(self, num_bytes: int) -> int:
        often = 20_000 if self._random.random() < 0.02 else 30
        return min(self._random.choice((1, 2, 3, often)), _MAX_INPUT_BYTES // max(num_bytes, 1))

    def _edit(self, data: bytes) -> bytes:
        """Drops, repeats, moves or wraps an element, a line or a few pieces of a text."""
        assert self._dialect.piece is not None
        offset = self._at(max(len(data) - _WINDOW, 0))
        pieces = self._dialect.piece.findall(data, offset, offset + _WINDOW)
        start, end = self._span(pieces)
        before, block, after = pieces[:start], b"".join(pieces[start:end]), pieces[end:]
        opening, closing = self._random.choice(self._dialect.pairs)
        depth = self._times(len(opening))
        to = self._at(len(before))
        edited = self._random.choice((
            [*before, *after],
            [*before, block * self._times(len(block)), *pieces[start:]],
            [*before[:to], block, *before[to:], *after],
            [*before, opening * depth, block, closing * depth, *after],
        ))  # fmt: skip
        return data[:offset] + b"".join(edited) + data[offset + _WINDOW :]

    def _span(self, pieces: Sequence[bytes]) -> tuple[int, int]:
        start = self._at(max(len(pieces) - 1, 0))
        opening = re.match(rb"<([\w-]+)", b"".join(pieces[start : start + 1]))
        closing = b"</" + opening[1] + b">" if opening else b"\n"
        if self._random.random() < 0.7 and closing in pieces[start:]:
            return start, pieces.index(closing, start) + 1
        return start, min(start + self._random.randint(1, 8), len(pieces))

    def _renumber(self, data: bytes) -> bytes:
        match = _DIGITS.search(data, self._at(len(data)))
        if match is None:
            return data
        return data[: match.start()] + self._random.choice(_WRITTEN_NUMBERS) + data[match.end() :]


def _synthetic_midi(random: Random) -> bytes:
    """A band that does a little of everything that MIDI has."""
    heads = [
        b"\0\xff\x03\x05Piano\0\xff\x51\x03\x07\xa1\x20\0\xff\x58\x04\x03\x02\x18\x08\0\xff\x59\x02\xfd\x01",
        b"\0\xc1\x21\0\xb1\x07\x64\0\xe1\x11\x41\0\xf0\x05\x7e\x7f\x09\x01\xf7\0\xff\x05\x02la\0\xff\x7f\x01\x41",
    ]
    chunks = []
    for number, head in enumerate(heads):
        events = [head]
        for _ in range(random.randint(1, 40)):
            channel, pitch = random.choice((number, number, 9)), random.randrange(128)
            length = random.choice((b"\x60", b"\x81\x40", b"\0"))
            events.append(bytes((random.randrange(2), 0x90 | channel, pitch, 64)))
            events.append(length + bytes((0x80 | channel, pitch, 0)))
        track = b"".join(events) + b"\0\xff\x2f\0"
        chunks.append(b"MTrk" + struct.pack(">I", len(track)) + track)
    division = random.choice((96, 480, 0xE728))
    return b"MThd" + struct.pack(">IHHH", 6, random.randrange(3), 2, division) + b"".join(chunks)


_XML_NOTE = (
    "<note><pitch><step>{}</step><alter>{}</alter><octave>4</octave></pitch><duration>{}</duration>"
    "<voice>1</voice><type>eighth</type><time-modification><actual-notes>3</actual-notes>"
    "<normal-notes>2</normal-notes></time-modification><tie type='start'/></note>"
)
_XML_PART = (
    "<part id='P{}'><measure number='1'><attributes><divisions>6</divisions><key><fifths>-2"
    "</fifths><mode>minor</mode></key><time><beats>3</beats><beat-type>4</beat-type></time>"
    "<transpose><chromatic>-2</chromatic></transpose></attributes><direction><sound tempo='96.5'"
    " dynamics='80'/></direction><harmony><root><root-step>B</root-step><root-alter>-1</root-alter>"
    "</root><kind text='7'>dominant</kind><bass><bass-step>D</bass-step></bass></harmony>{}<backup>"
    "<duration>6</duration></backup><forward><duration>2</duration></forward>{}<note><chord/><pitch>"
    "<step>E</step><octave>5</octave></pitch><duration>4</duration></note><note><rest/><duration>6"
    "</duration></note></measure><measure number='2'><barline><repeat direction='backward'/>"
    "</barline>{}</measure></part>"
)


def _synthetic_xml(random: Random) -> bytes:
    """A small score of two parts, now and then in an encoding that is rare."""
    parts = []
    for number in range(2):
        made = [_XML_NOTE.format(random.choice("CDEFGAB"), random.randint(-1, 1), 2) for _ in "123"]
        parts.append(_XML_PART.format(number, *made))
    listed = "".join(
        f"<score-part id='P{n}'><part-name>{n}</part-name><midi-instrument id='I{n}'><midi-channel>"
        f"{n + 1}</midi-channel><midi-program>{n + 7}</midi-program></midi-instrument></score-part>"
        for n in range(2)
    )
    encoding = random.choice(("UTF-8", "UTF-8", "UTF-8", "UTF-16", "ISO-8859-1"))
    text = (
        f"<?xml version='1.0' encoding='{encoding}'?><score-partwise><work><work-title>Caf\u00e9"
        f"</work-title></work><part-list>{listed}</part-list>{''.join(parts)}</score-partwise>"
    )
    return text.encode(encoding)


_ABC_BODIES = (
    '|:"Am"A2 (3Bcd [CEG]2-|[CEG]2 {g}a>b c\'/2 ^d,,:|1 z4 :|2 !trill!~A4 |]\n',
    'V:1\nA/B/c & E2|"^slow" x2 [K:D] [M:3/4] F4/3 (5:4:5abcde ||\nV:2 clef=bass\nC,8|D,8|]\n',
    "P:A\nABcd|\nP:B\n[Q:1/4=90]efga|-a4 D.C. Z2 |[1,3 a4:|[2 b4::\nw:la la\n%%MIDI program 5\n",
)


def _synthetic_abc(random: Random) -> bytes:
    """A book of three tunes."""
    tunes = [
        f"X:{n}\nT:Tune {n}\nC:Nobody\nM:{random.choice(('C|', '6/8', '4/4'))}\nL:1/8\n"
        f"Q:{random.choice(('1/4=120', '3/8=60', '140'))}\nP:A2(AB)2\nm:~n2=n/n/n\nU:T=!trill!\n"
        f"K:{random.choice(('G', 'Ddor', 'F#m', 'HP', 'C ^f'))}\n{body}"
        for n, body in enumerate(_ABC_BODIES)
    ]
    return "\n".join(tunes).encode()


def _mxl(random: Random, xml: bytes) -> bytes:
    path = random.choice(("score.xml", "a/b.musicxml", "META-INF/score.xml"))
    container = f"<container><rootfiles><rootfile full-path='{path}'/></rootfiles></container>"
    return _zip(
        random, [("META-INF/container.xml", container.encode()), (path, xml), ("b.xml", xml)]
    )


_NAMES = (
    "Abba/Waterloo.mid", "Abba/Waterloo.mid", "Bach/1.abc", "Bach/2.xml", "3.mxl", "4.mid.gz",
    "../../up.mid", "/root.mid", "C:\\disk.mid", "a\\..\\..\\b.mid", "nul\0.mid", "\u00e9.mid", "",
    "inner.zip", "__MACOSX/._a.mid", "long/" * 300 + "a.mid", "deep/" * 30 + "a.mid", "folder/",
    ".hidden.mid", "..mid", "a.txt", "\udcff.mid", "md5_to_paths.json", "match_scores.json",
)  # fmt: skip


def _zip(random: Random, members: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.external_attr = random.choice((0, 0, 0, 0o100644, 0o120777, 0o010644)) << 16
            archive.writestr(info, data, random.choice((0, 8, 8, 8, 12, 14)))
        archive.comment = random.choice((b"", b"", b"comment PK\5\6", bytes(70)))
    return buffer.getvalue()


def _tar(random: Random, members: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    layout = random.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name[-90:] if layout == tarfile.USTAR_FORMAT else name)
            info.size = len(data)
            info.type = random.choice((b"0", b"0", b"0", b"0", b"0", b"7", b"\0", *_TAR_KINDS))
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


_TAR_KINDS = tuple(bytes([kind]) for kind in b"123456DKLMSVXgx")
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": lambda data: gzip.compress(data, 1, mtime=0),
    ".tar.xz": lambda data: lzma.compress(data, preset=0),
    ".tbz2": lambda data: bz2.compress(data, 1),
}


def _with_checksums(tar: bytes) -> bytes:
    """The tar with headers that are believed, whatever was changed in them."""
    data = bytearray(tar)
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


@dataclass
class Inputs:
    """Makes input after input from their numbers; `starts` are the starting points of a kind."""

    starts: dict[str, list[bytes]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str = "") -> Inputs:
        """The synthetic starting points, those of the repository, and a folder's smaller ones."""
        random = Random(0)
        makers = {"midi": _synthetic_midi, "musicxml": _synthetic_xml, "abc": _synthetic_abc}
        inputs = cls({kind: [make(random) for _ in range(8)] for kind, make in makers.items()})
        inputs.starts["mxl"] = [_mxl(random, xml) for xml in inputs.starts["musicxml"]]
        inputs._add(_GOLDEN)
        if folder:
            inputs._add(Path(folder))
        return inputs

    def _add(self, folder: Path) -> None:
        found: dict[str, list[Path]] = {kind: [] for kind in self.starts}
        for path in sorted(folder.rglob("*")):
            media = readers.READERS_BY_EXTENSION.get(path.suffix.lower(), "")
            if media and path.is_file():
                found["mxl" if path.suffix.lower() == ".mxl" else media].append(path)
        for kind, paths in found.items():
            for path in paths[:: len(paths) // _MAX_STARTS + 1]:
                self._add_start(kind, path.read_bytes())

    def _add_start(self, kind: str, data: bytes) -> None:
        if kind == "abc":  # A tune at a time: a book takes as long as its tunes together.
            tunes = re.split(rb"\r?\n\s*\n(?=X:)", data)
            self.starts[kind] += tunes[:: len(tunes) // 20 + 1]
        elif len(data) <= _MAX_START_BYTES:
            self.starts[kind].append(data)
        if kind == "mxl":
            with contextlib.suppress(ReadError):
                self._add_start("musicxml", mxl.unpack(data, 4 * _MAX_START_BYTES))

    def make(self, number: int) -> tuple[str, bytes]:
        """(file name, content) of an input; the same for the same number and starting points."""
        random = Random(number)
        kind = kind_of(number)
        if kind == "archive":
            return self._archive(random)
        data = random.choice(self.starts[kind])
        if kind == "mxl" and random.random() < 0.5:
            text = self._mutated(random, "musicxml", random.choice(self.starts["musicxml"]))
            data = _mxl(random, text)
        if kind != "mxl" or random.random() < 0.4:
            data = self._mutated(random, kind, data)
        if random.random() < 0.02:
            data = gzip.compress(data, 1, mtime=0)[: random.choice((-1, 99, len(data)))]
        return "input" + random.choice(DIALECTS[kind].endings), data

    def _mutated(self, random: Random, kind: str, data: bytes) -> bytes:
        return Mutator(random, kind, self.starts.get(kind, [data])).mutate(data)

    def _archive(self, random: Random) -> tuple[str, bytes]:
        members = []
        for _ in range(random.randint(1, 6)):
            start = random.choice(self.starts[random.choice(("midi", "midi", "abc", "mxl"))])
            members.append((random.choice(_NAMES), start[:8192]))
        if random.random() < 0.4:
            name, data = "input.zip", _zip(random, members)
            return name, self._mutated(random, "zip", data)
        ending = random.choice(DIALECTS["tar"].endings)
        data = _tar(random, members)
        if random.random() < 0.8:
            data = self._mutated(random, "tar", data)
        if random.random() < 0.8:
            data = _with_checksums(data)
        data = _PACKERS[ending](data)
        if random.random() < 0.3:
            data = self._mutated(random, "tar", data)
        return "input" + ending, data


def kind_of(number: int) -> str:
    """Which of KINDS the input with a number is."""
    return KINDS[number % len(KINDS)]


class BrokenPromiseError(AssertionError):
    """A score, or a list of files, that is not what was promised."""


def _expect(holds: object, words: str) -> None:
    if not holds:
        raise BrokenPromiseError(words)


def check_score(score: Score) -> str:
    """READ, or the reason of a score; raises where it is neither fit for use nor explained."""
    for text in (score.detail, score.tune, score.title, score.composer):
        text.encode()
    if score.reason:
        _expect(_SLUG.fullmatch(score.reason), f"the reason is no slug: {score.reason!r}")
        _expect(score.detail, f"no detail says why: {score.reason}")
        _expect(not score.payload, f"rejected, but with a payload: {score.reason}")
        return score.reason
    _expect(len(notes.parse(score.payload).pitch), "a payload without notes")
    _expect(len(score.track_id) == 40, f"no track id: {score.track_id!r}")
    _expect(all(map(_SLUG.fullmatch, score.warnings)), f"a warning is no slug: {score.warnings}")
    return READ


def _examine_archive(path: Path) -> Counter[str]:
    source = open_source(str(path))
    try:
        listed = source.list_files()
    except ValueError as error:
        _expect(str(error).startswith("SOURCE "), f"{type(error).__name__}: {error}")
        return Counter(["no_source"])
    names = [file.path for file in listed]
    _expect(len(set(names)) == len(names), "two files have one path")
    for name in names:
        _expect(not {"", ".", ".."} & set(name.split("/")), f"a path leads out: {name!r}")
    counts: Counter[str] = Counter()
    opened = source.open_files(listed, _MAX_MEMBER_BYTES)
    for file, (given, content) in zip(listed, opened, strict=True):
        _expect(given == file, "files come in another order than asked")
        if isinstance(content, ReadError):
            counts[check_score(Score.rejected(content))] += 1
        else:
            counts += examine(file.path, content)
    return counts


def examine(name: str, data: bytes) -> Counter[str]:
    """Reads all scores of a file and checks what comes back; how many had which reason."""
    scores = readers.read_score(data, name, "fuzz")
    _expect(scores, "nothing came back")
    return Counter(map(check_score, scores))


def _attempt(name: str, data: bytes, folder: Path) -> tuple[Counter[str], str]:
    """(reasons, what went wrong)."""
    try:
        if not name.endswith(ARCHIVE_EXTENSIONS):
            return examine(name, data), ""
        (folder / name).write_bytes(data)
        return _examine_archive(folder / name), ""
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)[-2:]
        where = ", ".join(f"{Path(place.filename).name}:{place.lineno}" for place in places)
        return Counter(), f"{type(error).__name__}: {str(error)[:300]} ({where})"


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _guard(max_mb: int) -> None:
    """Has this process say where it was when it is ended, and not take all of the memory."""
    faulthandler.enable()
    for reason in (signal.SIGPROF, signal.SIGALRM):
        faulthandler.register(reason, chain=True)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 2 * (max_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _watch_time(seconds: float) -> None:
    """Has the kernel end this process after so much processor time, or so long; 0 calls it off."""
    signal.setitimer(signal.ITIMER_PROF, 2 * seconds)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE * seconds)


def work(options: argparse.Namespace) -> None:
    """What a child does: reads its inputs and says a line of JSON about each."""
    inputs = Inputs.load(options.seeds)
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("midi", "musicxml", "abc"):
            importlib.import_module(readers.READERS[kind])
            _attempt(f"a{DIALECTS[kind].endings[0]}", inputs.starts[kind][0], Path(folder))
        _guard(options.memory_mb)
        imports_mb = _peak_mb()
        print("ready", flush=True)
        for number in range(*options.child):
            line = read_input(inputs, number, options.seconds_limit, Path(folder))
            print(json.dumps(line | {"imports_mb": imports_mb}), flush=True)
            if line["peak_mb"] > options.memory_mb:
                return  # The peak is that of this input; the next child has one of its own.


def _line(number: int, **told: Any) -> dict[str, Any]:
    """What a child, or its parent, tells about one input."""
    return {
        "number": number, "bytes": 0, "ms": 0.0, "peak_mb": 0.0, "imports_mb": 0.0, "counts": {},
        "problem": "", **told,
    }  # fmt: skip


def read_input(inputs: Inputs, number: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Reads one input within the limit of time."""
    name, data = inputs.make(number)
    _watch_time(seconds)
    started = time.process_time()
    counts, problem = _attempt(name, data, folder)
    ms = 1000 * (time.process_time() - started)
    _watch_time(0)
    told = {"ms": ms, "peak_mb": _peak_mb(), "counts": counts, "problem": problem}
    return _line(number, bytes=len(data), **told)


@dataclass
class Row:
    """What came of the inputs of one kind; `reasons` counts scores, READ among them."""

    inputs: int = 0
    megabytes: float = 0.0
    slowest_ms: float = 0.0
    peak_mb: float = 0.0
    imports_mb: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: Mapping[str, Any], options: argparse.Namespace) -> None:
        """Adds what was said about one input."""
        self.inputs += 1
        self.megabytes += line["bytes"] / 1e6
        self.slowest_ms = max(self.slowest_ms, line["ms"])
        self.peak_mb = max(self.peak_mb, line["peak_mb"])
        self.imports_mb = max(self.imports_mb, line["imports_mb"])
        self.reasons.update(line["counts"])
        problem = line["problem"]
        if not problem and line["ms"] > 1000 * options.seconds_limit:
            problem = f"slow: {line['ms']:.0f} ms for {line['bytes']} bytes"
        if not problem and line["peak_mb"] > options.memory_mb:
            problem = f"memory: {line['peak_mb']:.0f} MB for {line['bytes']} bytes"
        if problem:
            self.failures.append((line["number"], problem))


def child_command(chunk: range, options: argparse.Namespace) -> list[str]:
    """The command line of a child that reads these inputs."""
    return [
        sys.executable, "-m", "benchmarks.fuzz", "--seeds", options.seeds,
        "--seconds-limit", str(options.seconds_limit), "--memory-mb", str(options.memory_mb),
        "--child", str(chunk.start), str(chunk.stop), str(chunk.step),
    ]  # fmt: skip


def watch(chunk: range, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Has children read the inputs of a chunk, and says what came of each.

    Raises:
      RuntimeError: a child ends before it reads anything.
    """
    told: list[dict[str, Any]] = []
    while len(told) < len(chunk):
        command = child_command(chunk[len(told) :], options)
        # What a child that was killed leaves behind goes with the folder.
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=os.environ | {"TMPDIR": folder}
            ) as process:
                assert process.stdout is not None
                if not process.stdout.readline():
                    raise RuntimeError(f"no child starts{_tail(errors)}")
                lines = list(map(json.loads, process.stdout))
            told += lines
            if process.returncode or not lines:
                problem = _death(process.returncode) + _tail(errors)
                if len(told) == len(chunk):  # It read all, and died of what that left behind.
                    told.pop()
                told.append(_line(chunk[len(told)], problem=problem))
    return told


def _death(status: int) -> str:
    words = {-signal.SIGPROF: "endless", -signal.SIGALRM: "stands still"}
    if status in words:
        return words[status]
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _tail(errors: IO[bytes]) -> str:
    """Where the child was: the innermost calls come first in a crash, last in an exception."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines()]
    return "; ".join(["", *(lines[-3:] if lines[:1] == [_TRACEBACK] else lines[:5])])


def fuzz(options: argparse.Namespace) -> dict[str, Row]:
    """Reads all inputs, some workers side by side; a row a kind."""
    every = range(options.seed, options.seed + options.inputs)
    chunks = []
    for offset in range(len(KINDS)):
        of_kind = every[offset :: len(KINDS)]
        chunks += [of_kind[at : at + _CHUNK] for at in range(0, len(of_kind), _CHUNK)]
    rows = {kind: Row() for kind in KINDS}
    with ThreadPoolExecutor(options.workers) as threads:
        for told in threads.map(lambda chunk: watch(chunk, options), chunks):
            for line in told:
                rows[kind_of(line["number"])].add(line, options)
    return rows


def print_table(rows: Mapping[str, Row]) -> None:
    """A row a kind, then the failures."""
    print("kind       inputs     MB    read  rejected for the most frequent reasons")
    for kind, row in rows.items():
        rejected = Counter({r: n for r, n in row.reasons.items() if r != READ}).most_common(5)
        reasons = ", ".join(f"{reason} {count}" for reason, count in rejected)
        print(f"{kind:8} {row.inputs:8} {row.megabytes:6.0f} {row.reasons[READ]:7}  {reasons}")
    print("\nkind      slowest ms  peak MB  of that imports  failures")
    for kind, row in rows.items():
        times = f"{row.slowest_ms:10.0f} {row.peak_mb:8.0f} {row.imports_mb:16.0f}"
        print(f"{kind:8} {times} {len(row.failures):9}")
    for kind, row in rows.items():
        for number, problem in row.failures:
            print(f"{kind} {number}: {problem}")


def save(numbers: Sequence[int], options: argparse.Namespace) -> None:
    """Writes inputs to a folder, named by their numbers."""
    inputs, folder = Inputs.load(options.seeds), Path(options.save)
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        name, data = inputs.make(number)
        (folder / name.replace("input", str(number))).write_bytes(data)


def reproduce(options: argparse.Namespace) -> int:
    """Reads one input in this process, and says what came of it."""
    _guard(options.memory_mb)
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs.load(options.seeds)
        line = read_input(inputs, options.reproduce, options.seconds_limit, Path(folder))
    row = Row()
    row.add(line, options)
    print_table({kind_of(options.reproduce): row})
    return int(bool(row.failures))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds-limit", type=float, default=2.0, help="processor time an input")
    parser.add_argument("--memory-mb", type=int, default=512, help="of a whole child")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", default="", help="folder of scores to start from")
    parser.add_argument("--save", help="folder for the inputs that fail")
    parser.add_argument("--reproduce", type=int, metavar="NUMBER", help="reads one input")
    parser.add_argument("--child", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # zipfile's, of names that come twice
    if options.child:
        work(options)
        return 0
    if options.reproduce is not None:
        return reproduce(options)
    rows = fuzz(options)
    print_table(rows)
    failures = [failure for row in rows.values() for failure in row.failures]
    if options.save:
        save([number for number, _ in failures], options)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
