"""Large files that are not what they have to be, or more than there is room for."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus import reports
from tests.bulk_store import BIG, DATA, LENGTHLESS, OTHER, Store, checksum, open_store, sha256
from tests.fake_files import File, Trick

HTML = b"<!doctype html><html><title>Sign in</title><p>This network wants you to sign in"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with open_store(tmp_path, monkeypatch) as opened:
        yield opened


def test_a_wrong_size_is_seen_before_the_bytes_come(store: Store) -> None:
    store.note(DATA[:1000], etag='"v1"')
    store.run("num_bytes = 300000")
    assert store.reason() == "wrong_size"
    assert not store.file.exists()
    assert len(store.ranges) == 1
    store.run(f"num_bytes = {len(DATA)}")
    assert store.file.read_bytes() == DATA
    assert store.ranges[-1] == "bytes=1000-"


def test_a_wrong_checksum_costs_one_download(store: Store) -> None:
    store.run(f'sha256 = "{"0" * 64}"')
    assert (store.reason(), store.file.exists()) == ("wrong_checksum", False)
    store.run(f'sha256 = "{"0" * 64}"')
    assert store.ranges == [""]
    store.run(f'sha256 = "{sha256(DATA)}"', force=True)  # the description was wrong
    assert store.file.read_bytes() == DATA
    assert store.ranges == [""]


def test_the_wrong_file_is_asked_anew_by_force(store: Store) -> None:
    store.server.trick(BIG, Trick(200, OTHER))
    store.run(checksum(DATA))
    assert store.reason() == "wrong_checksum"
    store.run(checksum(DATA), force=True)
    assert store.file.read_bytes() == DATA


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/gzip"])
@pytest.mark.parametrize("facts", ["", "num_bytes = 300002"])
def test_a_web_page_in_place_of_the_archive(store: Store, kind: str, facts: str) -> None:
    store.server.trick(BIG, Trick(200, HTML, {"Content-Type": kind}))
    store.run(facts)
    assert store.reason() in ("not_an_archive", "wrong_size")
    assert len(store.ranges) == 1
    assert not store.file.exists()
    store.run(facts)
    assert store.file.read_bytes() == DATA


def test_a_web_page_in_place_of_the_rest_costs_nothing(store: Store) -> None:
    store.server.trick(BIG, Trick(cut=100_000), Trick(200, HTML, {"Content-Type": "text/html"}))
    store.run()
    assert store.reason() == "not_an_archive"
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges[-1] == "bytes=100000-"


def test_a_missing_file_and_an_empty_one(store: Store) -> None:
    store.server.trick(BIG, Trick(200, b""), Trick(404, b"gone"))
    store.run()
    assert store.reason() == "empty_file"
    store.run()
    assert store.reason() == "not_found"
    assert not store.file.exists()


@pytest.mark.parametrize("etag", ['"v1"', ""])
def test_a_days_megabytes(store: Store, etag: str) -> None:
    data = b"\x1f\x8b" + bytes(2_500_000)
    store.server.files[BIG] = File(data, etag=etag)
    for day in (1, 2, 3):
        report = store.run(daily_mb=1.0)
        assert (reports.RESUME_AFTER in report.details) == (day < 3)
        # Looked at after every part of 64 KiB.
        assert store.server.sent(BIG) <= day * (1_000_000 + 65_536)
        with contextlib.closing(sqlite3.connect(store.data / "raw" / "hosts.sqlite")) as book:
            book.execute("UPDATE requests SET at = at - 86401")
            book.commit()
    assert store.file.read_bytes() == data
    assert store.server.sent(BIG) == len(data)


def test_a_file_that_is_too_large(store: Store) -> None:
    store.run("num_bytes = 300002", max_file_mb=0.2)
    assert (store.reason(), store.ranges) == ("too_big", [])
    store.run("", max_file_mb=0.2, force=True)
    assert (store.reason(), len(store.ranges)) == ("too_big", 1)
    store.server.trick(BIG, Trick(headers=LENGTHLESS))
    store.run("", max_file_mb=0.2, force=True)
    assert (store.reason(), len(store.ranges)) == ("too_big", 2)
    assert not store.part.exists()
    # The limit is of the file, not of what one reply brings.
    shutil.rmtree(store.folder)
    store.note(DATA[:200_000], etag='"v1"')
    store.run("", max_file_mb=0.2)
    assert store.reason() == "too_big"


@pytest.mark.parametrize("facts", ["", checksum(DATA)])
def test_takedowns(store: Store, facts: str) -> None:
    (store.data / "deny.txt").write_text(sha256(DATA))
    store.note(DATA[:1000], etag='"v1"')
    store.run(facts)
    assert store.reason() == "taken_down"
    assert not store.file.exists()
    assert not store.part.exists()
    assert store.ranges == ([] if facts else ["bytes=1000-"])


def test_the_pause_that_a_server_asks_for(store: Store) -> None:
    store.server.trick(BIG, Trick(429, headers={"Retry-After": "37"}))
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.pauses == [37.0]


def test_a_full_disk_is_no_broken_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        free = shutil.disk_usage("/")._replace(free=1000)
        patch.setattr(shutil, "disk_usage", lambda _: free)
        with pytest.raises(ValueError, match="0 MB are free"):
            store.run()
    store.server.trick(BIG, Trick(cut=100_000), Trick(500), Trick(500), Trick(500))
    store.run()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _no_room)
        with pytest.raises(ValueError, match="No space left on device; what came so far is kept"):
            store.run()
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges[-1] == "bytes=100000-"


def _no_room(_: int, __: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_memory_does_not_grow_with_the_file(store: Store) -> None:
    store.server.files[BIG] = File(b"\x1f\x8b" + bytes(40_000_000))
    tracemalloc.start()
    try:
        store.run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert store.file.stat().st_size == 40_000_002
    assert peak < 8_000_000


@pytest.mark.parametrize("facts", ["", checksum(DATA)])
def test_a_visit_again_asks_whether_it_changed(store: Store, facts: str) -> None:
    store.run(facts)
    store.run(facts, revisit_days=1e-9)
    assert [asked.status for asked in store.server.asked] == ([200] if facts else [200, 304])
    if not facts:
        store.server.trick(BIG, Trick(becomes=File(OTHER, '"v2"'), cut=100_000), Trick(500))
        store.run(facts, revisit_days=1e-9)
        assert store.ranges[-1] == "bytes=100000-"
    assert store.file.read_bytes() == (DATA if facts else OTHER)
    assert store.run(facts).details["scores"] == 1


def test_what_was_had_stays_where_it_can_no_longer_be_had(store: Store) -> None:
    store.run()
    store.server.files[BIG] = File(OTHER, '"v2"')
    store.server.trick(BIG, Trick(cut=100_000), Trick(404), Trick(500))
    store.run(revisit_days=1e-9)
    assert (store.file.read_bytes(), store.reason()) == (DATA, "")
    store.run(revisit_days=1e-9)
    assert store.file.read_bytes() == OTHER
    assert store.server.sent(BIG) == len(DATA) + len(OTHER)


def test_a_server_that_calls_an_archive_packed_for_the_way(store: Store) -> None:
    packed = gzip.compress(DATA)
    store.server.files[BIG] = File(packed)
    headers = {"Content-Encoding": "x-gzip"}
    store.server.trick(BIG, Trick(cut=100_000, headers=headers), Trick(headers=headers))
    store.run(checksum(packed))
    assert store.file.read_bytes() == packed


def test_a_file_that_moved_keeps_its_name_and_its_checksum(store: Store) -> None:
    store.server.files["/moved/content"] = File(DATA)
    store.server.trick(BIG, Trick(302, headers={"Location": "/moved/content"}))
    store.run(checksum(DATA))
    assert store.file.read_bytes() == DATA
