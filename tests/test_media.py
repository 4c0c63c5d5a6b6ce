"""What bytes are, whatever they are called."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.crawl import media
from corpus.crawl.media import sniff, unwrapped_type
from tests.makers import melody, musicxml, mxl

XML = "application/vnd.recordare.musicxml+xml"
MXL = "application/vnd.recordare.musicxml"
ABC = "text/vnd.abc"
OTHER = "application/octet-stream"
TUNE = "X:1\nT:A Tune\nM:4/4\nK:C\nCDEF|\n"


def tar(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("a.mid")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", OTHER),
        (b" \r\n", OTHER),
        (b"\0\1\2", OTHER),
        (b"some words", "text/plain"),
        (melody(1), media.MIDI),
        (b"MThd", media.MIDI),
        (b"RIFF\0\0\0\0RMIDdata" + melody(1), media.MIDI),
        (b"RIFF\0\0\0\0WAVEfmt ", OTHER),
        (musicxml(), XML),
        (b"\xef\xbb\xbf" + musicxml(), XML),
        (musicxml().decode().replace("UTF-8", "UTF-16").encode("utf-16"), XML),
        (b"<!-- <html> -->\n<score-timewise version='3.0'>", XML),
        (mxl({"META-INF/container.xml": b"", "a.xml": musicxml()}), MXL),
        (mxl({"a.mscx": b""}), "application/x-musescore"),
        (b'<?xml version="1.0"?>\n<museScore version="4.0">', "application/x-musescore+xml"),
        (mxl({"a.mid": melody(1)}), media.ZIP),
        (b"PK\x03\x04", media.ZIP),
        (TUNE.encode(), ABC),
        (b"\xef\xbb\xbf" + TUNE.encode(), ABC),
        (TUNE.replace("\n", "\r").encode(), ABC),
        (TUNE.replace("\n", "\r\n").encode(), ABC),
        (TUNE.encode("utf-16"), ABC),
        (b"% a book\n\n  X: 12\nK:C\n", ABC),
        (b"X:1\nno key", "text/plain"),
        (b"T:1\nK:C\nMAX:1", "text/plain"),
        (b"<!DOCTYPE html><p>X:1\nK:C", media.HTML),
        (b"\n\n<HTML lang=de>", media.HTML),
        ("<html>".encode("utf-16"), media.HTML),
        (b"<pre>no page</pre>", "text/plain"),
        (gzip.compress(b"a", mtime=0), "application/gzip"),
        (bz2.compress(b"a"), "application/x-bzip2"),
        (lzma.compress(b"a"), "application/x-xz"),
        (b"%PDF-1.4", "application/pdf"),
        (b"\x89PNG\r\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
    ],
)
def test_what_it_is(data: bytes, wanted: str) -> None:
    assert sniff(data) == wanted
    assert media.is_score(wanted) == (wanted in (media.MIDI, XML, MXL, ABC) or "muse" in wanted)


@pytest.mark.parametrize("data", [melody(1), musicxml(), TUNE.encode()])
def test_one_packed_score_is_a_score(data: bytes) -> None:
    assert unwrapped_type(gzip.compress(data, mtime=0)) == sniff(data) == unwrapped_type(data)


@pytest.mark.parametrize("data", [b"", b"words", tar(melody(1)), gzip.compress(melody(1))])
def test_other_packed_things_are_archives(data: bytes) -> None:
    assert unwrapped_type(gzip.compress(data, mtime=0)) == "application/gzip"


def test_a_cut_or_damaged_pack_is_an_archive() -> None:
    packed = gzip.compress(melody(1))
    damaged = packed[:-4] + bytes(4)
    for data in (packed[:10], packed[:-1], damaged, b"\x1f\x8b\x08" + b"\xff" * 50):
        assert unwrapped_type(data) == "application/gzip"


def test_a_bomb_is_opened_a_little() -> None:
    began = time.monotonic()
    packed = gzip.compress(b"MThd" + bytes(200 << 20), 1)
    packing = time.monotonic() - began
    assert unwrapped_type(packed) == media.MIDI
    assert time.monotonic() - began - packing < 10


def test_a_zip_of_many_members_is_no_score() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
        archive.writestr("META-INF/container.xml", b"")
    assert sniff(buffer.getvalue()) == media.ZIP


HEADS = (b"", b"MThd", b"RIFF", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xff\xfe", b"\xfe\xff", b"<")


@given(st.sampled_from(HEADS), st.binary(max_size=200))
def test_any_bytes_are_something(head: bytes, rest: bytes) -> None:
    for data in (head + rest, gzip.compress(head + rest, mtime=0)):
        assert "/" in sniff(data)
        assert "/" in unwrapped_type(data)


ARCHIVE = mxl({"META-INF/container.xml": b"<a/>", "a.xml": musicxml()})


@given(st.integers(0, len(ARCHIVE) - 1), st.binary(min_size=1, max_size=8))
def test_any_damage_to_a_zip_leaves_a_zip(at: int, junk: bytes) -> None:
    damaged = b"PK\x03\x04" + (ARCHIVE[:at] + junk + ARCHIVE[at + len(junk) :])[4:]
    assert sniff(damaged) in (media.ZIP, MXL, "application/x-musescore")
    assert sniff(ARCHIVE[: max(at, 4)]) in (media.ZIP, MXL)
