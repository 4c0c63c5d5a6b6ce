"""Ways to break a file, by the words of its format."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

_MAX_INPUT_BYTES = 256 << 10
_WINDOW = 16 << 10  # of a text, that is taken apart at a time
_DIGITS = re.compile(rb"\d+")


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
_MSCX_WORDS = (
    b"<voice>", b"</voice>", b"<Tuplet>", b"<endTuplet/>", b"<acciaccatura/>", b"<tick>-9</tick>",
    b"<location><fractions>-9/1</fractions></location>", b"<duration>1/999999999</duration>",
    b"<dots>9</dots>", b"<Division>0</Division>", b"<stretchN>3</stretchN><stretchD>1</stretchD>",
    b"<multiMeasureRest>1</multiMeasureRest>", b"<Score>", b"</Score>",
    b"<useDrumset>1</useDrumset>", b"<concertKey>8</concertKey>", b"<custom>1</custom>",
    b"<pitch>128</pitch>", b"&lol;", b"<!ENTITY a 'b'>", b"<![CDATA[", b"<!--", b'xmlns="urn:x"',
    b"<Measure>", b"</Measure>",
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
_MSCX_TAGS = ("Measure", "voice", "Chord", "Note", "Tuplet", "Spanner", "Staff", "Part", "Score")
_TAGS = ("note", "measure", "part", "attributes", "harmony", "direction", "score-partwise", "x")

DIALECTS = {
    "midi": Dialect((".mid", ".kar", ".rmi"), _MIDI_WORDS, re.compile(rb"MT[hr][dk]"), range(17)),
    "musicxml": Dialect(
        (".xml", ".musicxml"), _XML_WORDS, re.compile(rb"="), range(9),
        re.compile(rb"<[^>]*>?|[^<]+"),
        tuple((f"<{tag}>".encode(), f"</{tag}>".encode()) for tag in _TAGS),
    ),
    "mxl": Dialect((".mxl",), _PACK_WORDS, _ZIP_ANCHOR),
    "musescore": Dialect(
        (".mscx",), _MSCX_WORDS, re.compile(rb"="), range(9), re.compile(rb"<[^>]*>?|[^<]+"),
        tuple((f"<{tag}>".encode(), f"</{tag}>".encode()) for tag in _MSCX_TAGS),
    ),
    "mscz": Dialect((".mscz",), _PACK_WORDS, _ZIP_ANCHOR),
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
