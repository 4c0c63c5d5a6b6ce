"""Inputs to break: small files of every format, and real ones where there are some."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.fuzz_mutations import DIALECTS, Mutator
from corpus import readers
from corpus.readers import musescore
from corpus.readers.musicxml import mxl
from corpus.readers.results import ReadError

KINDS = ("midi", "musicxml", "mxl", "abc", "archive", "musescore", "mscz")
# Compressed scores: extension -> kind, and what they hold.
_PACKED = {".mxl": "mxl", ".mscz": "mscz"}
_PLAIN = {"mxl": "musicxml", "mscz": "musescore"}
_GOLDEN = Path(__file__).parents[1] / "tests" / "data" / "golden"
_MAX_START_BYTES = 64 << 10  # larger starting points cost time and reach no other code
_MAX_STARTS = 200


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


_MSCX_NOTES = (
    "<Chord><dots>1</dots><durationType>quarter</durationType><Note><pitch>60</pitch><tpc>14</tpc>"
    "</Note></Chord>",
    "<Chord><durationType>half</durationType><duration>1/4</duration><Note><play>0</play><pitch>62"
    "</pitch></Note></Chord><Rest><durationType>measure</durationType><duration>4/4</duration>"
    "</Rest>",
    "<Harmony><root>13</root><name>m7b5</name><base>20</base></Harmony><Chord><acciaccatura/>"
    "<durationType>eighth</durationType><Note><pitch>61</pitch></Note></Chord>",
    '<Tempo><tempo>1.5</tempo></Tempo><Spanner type="Ottava"><Ottava><subtype>8va</subtype>'
    "</Ottava></Spanner><KeySig><accidental>-3</accidental><mode>minor</mode></KeySig>",
)
_MSCX_NEW = (
    "<Tuplet><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet><location><fractions>"
    '1/8</fractions></location><Chord><durationType>eighth</durationType><Note><Spanner type="Tie">'
    "<next/></Spanner><pitch>70</pitch></Note></Chord><endTuplet/>"
)
_MSCX_OLD = (
    '<Tuplet id="1"><normalNotes>4</normalNotes><actualNotes>7</actualNotes></Tuplet><Chord>'
    "<Tuplet>1</Tuplet><track>1</track><durationType>16th</durationType><Note><Tie id='2'/><pitch>"
    "70</pitch></Note></Chord><tick>480</tick><Chord><durationType>eighth</durationType><Note>"
    "<endSpanner id='2'/><pitch>70</pitch></Note></Chord>"
)


def _synthetic_mscx(random: Random) -> bytes:
    """A small score of two parts, of one of MuseScore's versions."""
    version = random.choice(("1.14", "2.06", "3.02", "4.60"))
    signature = "<TimeSig><sigN>6</sigN><sigD>8</sigD></TimeSig>"
    staves = []
    for number in (1, 2, 3):
        made = [random.choice(_MSCX_NOTES) for _ in range(4)]
        new = f"<voice>{signature}{''.join(made)}{_MSCX_NEW}</voice><voice>{made[0]}</voice>"
        body = new if version > "3" else signature + "".join(made) + _MSCX_OLD
        rests = '<Measure len="3/8"><multiMeasureRest>2</multiMeasureRest></Measure>'
        measures = f'<Measure len="5/8">{body}</Measure>{rests}<Measure>{body}</Measure>'
        staves.append(f'<Staff id="{number}">{measures}</Staff>')
    part = (
        "<Part>{}<Instrument><longName>B<sym>accidentalFlat</sym></longName><transposeChromatic>-2"
        '</transposeChromatic><useDrumset>{}</useDrumset><Channel><program value="71"/></Channel>'
        "</Instrument></Part>"
    )
    parts = part.format("<Staff/><Staff/>", 0) + part.format("<Staff/>", 1)
    score = (
        "<Division>480</Division><siglist><sig tick='0'><nom>6</nom><denom>8</denom></sig>"
        f"</siglist><metaTag name='workTitle'>Café</metaTag>{parts}{''.join(staves)}"
        f"<Score>{staves[0]}</Score>"
    )
    score = score if version < "2" else f"<Score>{score}</Score>"
    return f'<?xml version="1.0"?><museScore version="{version}">{score}</museScore>'.encode()


def _mscz(random: Random, xml: bytes) -> bytes:
    path = random.choice(("score.mscx", "Excerpts/1/score.mscx"))
    container = f"<container><rootfiles><rootfile full-path='{path}'/></rootfiles></container>"
    style = b"<museScore><Style><concertPitch>1</concertPitch></Style></museScore>"
    members = [("META-INF/container.xml", container.encode()), ("score_style.mss", style)]
    return _zip(random, [*members, (path, xml), ("Excerpts/2/b.mscx", xml), ("c.mscx", xml)])


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


_PACKERS_OF = {"mxl": _mxl, "mscz": _mscz}


@dataclass
class Inputs:
    """Makes input after input from their numbers; `starts` are the starting points of a kind."""

    starts: dict[str, list[bytes]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str = "") -> Inputs:
        """The synthetic starting points, those of the repository, and a folder's smaller ones."""
        random = Random(0)
        makers = {
            "midi": _synthetic_midi, "musicxml": _synthetic_xml, "abc": _synthetic_abc,
            "musescore": _synthetic_mscx,
        }  # fmt: skip
        inputs = cls({kind: [make(random) for _ in range(8)] for kind, make in makers.items()})
        for packed, plain in _PLAIN.items():
            inputs.starts[packed] = [_PACKERS_OF[packed](random, x) for x in inputs.starts[plain]]
        inputs._add(_GOLDEN)
        if folder:
            inputs._add(Path(folder))
        return inputs

    def _add(self, folder: Path) -> None:
        found: dict[str, list[Path]] = {kind: [] for kind in self.starts}
        for path in sorted(folder.rglob("*")):
            media = readers.READERS_BY_EXTENSION.get(path.suffix.lower(), "")
            if media and path.is_file():
                found[_PACKED.get(path.suffix.lower(), media)].append(path)
        for kind, paths in found.items():
            for path in paths[:: len(paths) // _MAX_STARTS + 1]:
                self._add_start(kind, path.read_bytes())

    def _add_start(self, kind: str, data: bytes) -> None:
        if kind == "abc":  # A tune at a time: a book takes as long as its tunes together.
            tunes = re.split(rb"\r?\n\s*\n(?=X:)", data)
            self.starts[kind] += tunes[:: len(tunes) // 20 + 1]
        elif len(data) <= _MAX_START_BYTES:
            self.starts[kind].append(data)
        if kind in _PLAIN:
            packing = mxl.MXL if kind == "mxl" else musescore.MSCZ
            with contextlib.suppress(ReadError):
                self._add_start(_PLAIN[kind], mxl.unpack(data, 4 * _MAX_START_BYTES, packing))

    def make(self, number: int) -> tuple[str, bytes]:
        """(file name, content) of an input; the same for the same number and starting points."""
        random = Random(number)
        kind = kind_of(number)
        if kind == "archive":
            return self._archive(random)
        data = random.choice(self.starts[kind])
        if kind in _PLAIN and random.random() < 0.5:
            plain = _PLAIN[kind]
            text = self._mutated(random, plain, random.choice(self.starts[plain]))
            data = _PACKERS_OF[kind](random, text)
        if kind not in _PLAIN or random.random() < 0.4:
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
