"""Inputs that once broke a reader: they hung, ate memory or raised what nobody caught."""

from __future__ import annotations

import time
import zipfile
from io import BytesIO

import pytest

from corpus.readers import Score, read_score
from corpus.sources import tar_headers
from tests import makers


def read(data: bytes, name: str) -> tuple[Score, float]:
    """(first score, processor seconds that reading the file took)."""
    started = time.process_time()
    scores = read_score(data, name, "hostile")
    return scores[0], time.process_time() - started


def test_many_titles_take_no_time() -> None:
    """A proto keeps every old value of a field that is set over and over."""
    score, seconds = read(
        b"X:1\n" + b"T:a long title of a tune\n" * 40_000 + b"K:C\nCDEF|\n", "a.abc"
    )
    assert score.payload
    assert seconds < 2


def test_many_fields_are_too_big() -> None:
    score, seconds = read(b"X:1\nK:C\n" + b"K:Dmix\n" * 200_000 + b"CDEF|\n", "a.abc")
    assert score.reason == "too_big"
    assert seconds < 4


def test_damaged_lzma_is_a_damaged_archive() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("score.xml", makers.musicxml())
    data = bytearray(buffer.getvalue())
    start = data.index(b"score.xml") + len("score.xml")
    data[start + 4 : start + 9] = b"\xff" * 5
    score, _ = read(bytes(data), "a.mxl")
    assert score.reason == "damaged_archive"


@pytest.mark.parametrize("record", [b"11", b"000000000000", b"9x=1\n", b"99 a=b\n", b" "])
def test_pax_records_without_sense_end(record: bytes) -> None:
    with pytest.raises(ValueError, match="is cut"):
        tar_headers.parse_pax(record * 3)


@pytest.mark.parametrize("field", [b"-0000001000\0", b"0x10\0", b"1_0\0", b"9\0"])
def test_numbers_of_tar_headers_are_octal(field: bytes) -> None:
    assert tar_headers._number(field) is None
