"""WARC files as a source, whoever wrote them and whatever became of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from corpus.crawl.fetch import Head
from corpus.crawl.frontier import Frontier
from corpus.crawl.records import Body
from corpus.crawl.warc import WarcWriter
from corpus.readers.results import ReadError
from corpus.sources.opening import open_source
from corpus.sources.warc_archive import WarcArchive, read_record
from corpus.sources.web_paths import path_of
from tests.makers import melody, musicxml

MAX = 10**6
SONGS = [melody(number) for number in range(3)]


class Foreign:
    """A WARC file in memory, by warcio's own writer; `ends` has where each record ends."""

    def __init__(self, *, packed: bool = True, version: str = "1.0") -> None:
        self._buffer = io.BytesIO()
        self._writer = WARCWriter(self._buffer, gzip=packed, warc_version=version)
        self.ends: list[int] = []
        self._put(self._writer.create_warcinfo_record("x", {"software": "theirs"}))

    def _put(self, record: object) -> None:
        self._writer.write_record(record)
        self.ends.append(self._buffer.tell())

    def add(
        self, url: str, body: bytes, kind: str = "response", status: str = "200 OK", **headers: str
    ) -> None:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        http = StatusAndHeaders(status, named, protocol="HTTP/1.1") if kind == "response" else None
        make = self._writer.create_warc_record
        record = make(url, kind, io.BytesIO(body), length=len(body), http_headers=http)
        self._put(record)

    def songs(self) -> Foreign:
        for number, song in enumerate(SONGS):
            self.add(f"http://a.example/{number}.mid", song)
        return self

    @property
    def data(self) -> bytes:
        return self._buffer.getvalue()


def write(folder: Path, data: bytes, name: str = "x.warc.gz") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def listed(path: str) -> list[tuple[str, str]]:
    """(path or nothing, reason) of every member."""
    return [(member.name, member.reason) for member in WarcArchive(path).members()]


def contents(path: str) -> list[bytes | str]:
    """What each member gives: bytes, or the reason why there are none."""
    found: list[bytes | str] = []
    with closing(WarcArchive(path)) as archive:
        for ordinal, member in enumerate(list(archive.members())):
            try:
                found.append(member.reason or archive.read(ordinal, MAX))
            except ReadError as error:
                found.append(error.reason)
    return found


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_replies_and_resources_are_members(tmp_path: Path, packed: bool, version: str) -> None:
    made = Foreign(packed=packed, version=version)
    made.add("http://a.example/1.mid", SONGS[0])
    made.add("http://a.example/1.mid", b"via: http://a.example/", "metadata")
    made.add("http://a.example/gone.mid", b"no", status="404 Not Found")
    made.add("http://a.example/moved.mid", b"", status="301 Moved")
    made.add("file:///mine/2.mid", SONGS[1], "resource")
    made.add("http://a.example/", b"<html>", Content_Type="text/html")
    made.add("http://a.example/get?id=3", SONGS[2])
    path = write(tmp_path, made.data, "x.warc.gz" if packed else "x.warc")
    assert [name for name, _ in listed(path)] == [
        "a.example/1.mid", "mine/2.mid", "a.example/index.html", "a.example/get@id=3.mid"
    ]  # fmt: skip
    assert contents(path) == [SONGS[0], SONGS[1], b"<html>", SONGS[2]]


def test_members_are_read_in_any_order_and_within_a_limit(tmp_path: Path) -> None:
    path = write(tmp_path, Foreign().songs().data)
    with closing(WarcArchive(path)) as archive:
        assert [archive.read(ordinal, MAX) for ordinal in (2, 0, 0, 1, 2)] == [
            SONGS[ordinal] for ordinal in (2, 0, 0, 1, 2)
        ]
        with pytest.raises(ReadError, match="over"):
            archive.read(1, len(SONGS[1]) - 1)
        assert archive.read(1, len(SONGS[1])) == SONGS[1]
        with pytest.raises(ReadError, match="shorter than when it was listed"):
            archive.read(3, MAX)


@pytest.mark.parametrize("name", ["x.warc.gz", "x.warc"])
def test_a_warc_file_is_a_source(tmp_path: Path, name: str) -> None:
    made = Foreign(packed=name.endswith("gz")).songs()
    made.add("http://a.example/bach/air", musicxml())
    source = open_source(write(tmp_path, made.data, name))
    files = source.list_files()
    assert [file.path for file in files] == ["0.mid", "1.mid", "2.mid", "bach/air.musicxml"]
    wanted = [*SONGS, musicxml()]
    assert [content for _, content in source.open_files(files, MAX)] == wanted
    assert source.state() == open_source(str(tmp_path / name)).state()


def test_what_we_wrote_is_read(tmp_path: Path) -> None:
    url, date = "http://a.example/1.mid", "2026-01-01T00:00:00Z"
    head = Head(url, 200, "OK", (("Content-Encoding", "gzip"),))
    with (
        closing(Frontier(str(tmp_path / "crawl.sqlite"))) as frontier,
        closing(WarcWriter(str(tmp_path), "a.example", frontier, ())) as writer,
    ):
        digest = hashlib.sha256(SONGS[0]).hexdigest()
        written = writer.response(head, SONGS[0], digest, date)
        writer.revisit(head, digest, date, Body(written.warc, written.offset, url, date))
        writer.resource("file:///2.mid", SONGS[1], digest, date, "audio/midi")
    path = str(tmp_path / written.warc)
    assert contents(path) == SONGS[:2]
    assert read_record(path, written.offset, MAX) == SONGS[0]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("chunked", [True, False])
def test_packing_for_the_way_is_taken_off(tmp_path: Path, coding: str, chunked: bool) -> None:
    packed = gzip.compress(SONGS[0]) if coding == "gzip" else zlib.compress(SONGS[0])
    headers = {"Content_Encoding": coding}
    if chunked:
        packed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
        headers["Transfer_Encoding"] = "chunked"
    made = Foreign()
    made.add("http://a.example/1.mid", packed, **headers)
    assert contents(write(tmp_path, made.data)) == [SONGS[0]]


@pytest.mark.parametrize("packed", [True, False])
def test_what_is_cut_anywhere_is_said(tmp_path: Path, packed: bool) -> None:
    made = Foreign(packed=packed).songs()
    begin, name = made.ends[-2], "x.warc.gz" if packed else "x.warc"
    for end in range(begin, len(made.data)):
        found = contents(write(tmp_path, made.data[:end], name))
        assert found[:2] == SONGS[:2]
        rest = found[2:]
        at_blank_line = made.data[:end].endswith(b"\r\n\r\n") and not packed
        if end > begin and not at_blank_line:
            assert rest
        if rest != [SONGS[2]]:
            assert {*rest} - {b"", SONGS[2]} <= {"truncated_archive", "damaged_archive"}
            assert rest == [] or isinstance(rest[-1], str)


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b"", []),
        (b"junk " * 100_000, ["damaged_archive"]),
        (bytes(1000), ["damaged_archive"]),
        (b"\x1f\x8b", ["damaged_archive"]),
        (b"\x1f\x8b\x08" + bytes(100), ["damaged_archive"]),
        (gzip.compress(b"junk"), ["damaged_archive"]),
    ],
)
def test_what_is_no_warc_file(tmp_path: Path, data: bytes, reasons: list[str]) -> None:
    members = list(WarcArchive(write(tmp_path, data)).members())
    assert [member.reason for member in members][-1:] == reasons
    for member in members:
        assert len(member.detail) < 300
        assert "\n" not in member.detail


def test_one_pack_around_all_is_damage_that_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(Foreign(packed=False).songs().data))
    assert listed(path)[-1] == ("", "damaged_archive")


@pytest.mark.parametrize(
    "url", ["http://[/1.mid", "http://a\\b/1.mid", "urn:x", "//", "%zz%00", "."]
)
def test_an_odd_address_costs_nothing_but_its_name(tmp_path: Path, url: str) -> None:
    made = Foreign()
    made.add(url, SONGS[0], "resource")
    made.add("http://a.example/2.mid", SONGS[1])
    path = write(tmp_path, made.data)
    assert contents(path) == SONGS[:2]
    name = listed(path)[0][0]
    assert name.endswith(".mid")
    assert not name.startswith("/")
    assert not {"", ".", ".."} & set(name.split("/"))


def test_paths_of_addresses() -> None:
    assert (
        path_of("https://a.example:8080/b%20c/../d.mid?x=/../y")
        == "a.example_8080/b c/d@x=_.._y.mid"
    )
    assert path_of("http://a.example/../../etc/passwd") == "a.example/etc/passwd"
    assert path_of("http://a.example/x", "audio/midi") == "a.example/x.mid"
    assert path_of("http://a.example/x.MID.gz", "audio/midi") == "a.example/x.MID.gz"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    made, bomb = Foreign(), gzip.compress(bytes(200 << 20), 1)
    made.add("http://a.example/bomb.mid", bomb, Content_Encoding="gzip")
    made.add("http://a.example/2.mid", SONGS[1])
    began = time.monotonic()
    assert contents(write(tmp_path, made.data)) == ["too_big", SONGS[1]]
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("packed", [True, False])
def test_any_damage_ends_as_bytes_or_as_a_reason(
    tmp_path: Path, packed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    made, chance = Foreign(packed=packed).songs(), random.Random(7)
    made.add("http://a.example/z.mid", gzip.compress(SONGS[0]), Content_Encoding="gzip")
    for _ in range(300):
        data = bytearray(made.data)
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(50)] = chance.randbytes(chance.randrange(50))
        path = write(tmp_path, bytes(data), "x.warc.gz" if packed else "x.warc")
        assert all(isinstance(found, (bytes, str)) for found in contents(path))
    capsys.readouterr()


@pytest.mark.parametrize("offset", [1, 50, 10**9])
def test_a_place_where_no_record_begins(tmp_path: Path, offset: int) -> None:
    path = write(tmp_path, Foreign().songs().data)
    with pytest.raises(ReadError):
        read_record(path, offset, MAX)
    with pytest.raises(OSError, match="No such file"):
        read_record(path + ".none", 0, MAX)
