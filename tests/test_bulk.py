"""Large files over bad lines: what is there is not asked again, whatever the server does."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from corpus.crawl import partial
from corpus.crawl.frontier import Frontier
from tests.bulk_store import BIG, DATA, LENGTHLESS, OTHER, Store, checksum, open_store, sha256
from tests.fake_files import File, Trick


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with open_store(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.mark.parametrize("facts", ["", checksum(DATA)])
@pytest.mark.parametrize("cuts", [[100_000], [1, 50_000, 60_000, 70_000, 10, 20, 30, 40]])
def test_after_a_cut_the_rest_is_asked_and_nothing_else(
    store: Store, facts: str, cuts: Sequence[int]
) -> None:
    store.server.trick(BIG, *(Trick(cut=cut) for cut in cuts))
    report = store.run(facts)
    assert store.file.read_bytes() == DATA
    assert report.outputs == 1
    assert not store.part.exists()
    had = [sum(cuts[:i]) for i in range(len(cuts) + 1)]
    assert store.ranges == ["", *(f"bytes={n}-" for n in had[1:])]
    assert store.server.sent(BIG) == len(DATA)
    # Each brought something, so patience begins anew.
    assert store.pauses == [1.0] * len(cuts)


def test_pauses_grow_where_nothing_comes_and_a_later_run_goes_on(store: Store) -> None:
    store.server.trick(BIG, Trick(cut=70_000), Trick(500), Trick(cut=0), Trick(500))
    report = store.run()
    assert (store.reason(), report.details["failed"]) == ("server_error", 1)
    assert store.pauses == [1.0, 4.0, 16.0]
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.server.sent(BIG) == len(DATA)


def test_a_server_without_ranges_gives_the_whole_again(store: Store) -> None:
    store.server.trick(BIG, Trick(cut=200_000), Trick(whole=True, cut=100_000), Trick(whole=True))
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges == ["", "bytes=200000-", "bytes=200000-"]


def test_bytes_stay_where_a_server_forgets_ranges_once(store: Store) -> None:
    store.server.trick(BIG, Trick(cut=200_000), Trick(whole=True, cut=50_000))
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges[2] == "bytes=200000-"


def test_a_server_that_always_breaks_off_is_given_up(store: Store) -> None:
    store.server.trick(BIG, *[Trick(whole=True, cut=100_000)] * 20)
    store.run()
    assert store.reason() == "cut_body"
    assert len(store.server.asked) == 4


@pytest.mark.parametrize(
    ("facts", "second"), [("", ""), (f'sha256 = "{sha256(DATA)}"', "bytes=100000-")]
)
def test_without_validators_only_a_checksum_lets_us_resume(
    store: Store, facts: str, second: str
) -> None:
    store.server.files[BIG] = File(DATA, etag="", modified="")
    store.server.trick(BIG, Trick(cut=100_000))
    store.run(facts)
    assert store.file.read_bytes() == DATA
    assert store.ranges == ["", second]


@pytest.mark.parametrize("modified", ["Sat, 01 Aug 2026 10:00:00 GMT", ""])
def test_a_weak_etag_is_no_promise(store: Store, modified: str) -> None:
    store.server.files[BIG] = File(DATA, etag='W/"v1"', modified=modified)
    store.server.trick(BIG, Trick(cut=100_000))
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.server.asked[1].if_range == modified
    assert store.ranges == ["", "bytes=100000-" if modified else ""]


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize("facts", ["", checksum(OTHER)])
def test_a_file_that_changed_meanwhile_is_begun_anew(
    store: Store, facts: str, ignores: bool
) -> None:
    changed = File(OTHER, etag='"v2"', modified="Sun, 02 Aug 2026 10:00:00 GMT")
    store.server.trick(
        BIG, Trick(cut=100_000), Trick(becomes=changed, ignores_if_range=ignores, cut=150_000)
    )
    store.run(facts)
    assert store.file.read_bytes() == OTHER
    assert store.ranges == ["", "bytes=100000-", "" if ignores else "bytes=150000-"]


def test_a_file_that_changes_all_the_time_is_given_up(store: Store) -> None:
    for number in range(40):
        file = File(DATA, etag=f'"{number}"')
        store.server.trick(BIG, Trick(cut=100_000, becomes=file))
    store.run()
    assert store.reason() == "cut_body"
    assert len(store.server.asked) <= 8


def test_parts_of_two_versions_are_noticed_by_the_checksum(store: Store) -> None:
    store.server.files[BIG] = File(DATA, etag="")
    store.server.trick(BIG, Trick(cut=100_000), Trick(becomes=File(OTHER, etag="")))
    store.run(checksum(OTHER))
    assert store.file.read_bytes() == OTHER
    assert store.ranges == ["", "bytes=100000-", ""]


@pytest.mark.parametrize(
    ("part", "version", "ranges"),
    [
        (DATA, {"etag": '"v1"'}, [f"bytes={len(DATA)}-"]),  # 416: there is no more
        (DATA, {"etag": '"v1"', "num_bytes": len(DATA)}, []),
        (DATA + b"x", {"etag": '"v1"'}, [f"bytes={len(DATA) + 1}-", ""]),
        (DATA[:9], {"etag": '"v0"'}, ["bytes=9-"]),
        (b"x" * 9, {}, [""]),
    ],
)
def test_what_a_killed_run_left(
    store: Store, part: bytes, version: dict[str, object], ranges: list[str]
) -> None:
    store.note(part, **version)
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges == ranges
    assert not store.part.exists()


@pytest.mark.parametrize("damaged", [False, True])
def test_a_whole_part_is_known_by_its_checksum(store: Store, damaged: bool) -> None:
    store.note(DATA[:-1] + b"!" if damaged else DATA)
    store.run(checksum(DATA))
    assert store.file.read_bytes() == DATA
    assert store.ranges == ([""] if damaged else [])


def test_a_file_that_the_user_had_is_not_asked(store: Store) -> None:
    store.folder.mkdir(parents=True)
    store.file.write_bytes(DATA)
    assert store.run(checksum(DATA)).outputs == 1
    assert store.ranges == []


@pytest.mark.parametrize("facts", ["", checksum(DATA)])
@pytest.mark.parametrize("place", [(partial.Partial, "rename"), (Frontier, "settle")])
def test_killed_behind_the_last_byte(
    store: Store, facts: str, place: tuple[type, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(*place, killed)
        with pytest.raises(SystemExit):
            store.run(facts)
    assert store.run(facts).outputs == 1
    assert store.file.read_bytes() == DATA
    assert store.ranges == [""]


@pytest.mark.parametrize(
    ("lie", "ranges"),
    [
        ("bytes 250000-300001/300002", ["", "bytes=100000-", ""]),
        ("bytes 5-3/300002", ["", "bytes=100000-", ""]),
        ("nonsense", ["", "bytes=100000-", ""]),
        (f"bytes {'9' * 5000}-300001/300002", ["", "bytes=100000-", ""]),
        ("bytes 100000-300001/999999", ["", "bytes=100000-", ""]),
        ("bytes 100000-300001/*", ["", "bytes=100000-"]),
    ],
)
def test_a_content_range_that_lies(store: Store, lie: str, ranges: list[str]) -> None:
    store.server.trick(BIG, Trick(cut=100_000), Trick(headers={"Content-Range": lie}))
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges == ranges


def test_parts_that_are_shorter_or_begin_before_are_taken(store: Store) -> None:
    parts = {100_000: 150_000, 90_000: 200_000}
    store.server.trick(BIG, Trick(cut=100_000))
    for start, end in parts.items():
        said = f"bytes {start}-{end - 1}/{len(DATA)}"
        headers = {"Content-Range": said, "ETag": '"v1"'}
        store.server.trick(BIG, Trick(206, DATA[start:end], headers))
    store.run()
    assert store.file.read_bytes() == DATA
    assert store.ranges == ["", "bytes=100000-", "bytes=150000-", "bytes=200000-"]
    assert store.pauses == [1.0]


def test_a_body_without_a_length(store: Store) -> None:
    store.server.trick(BIG, Trick(headers=LENGTHLESS, cut=100_000))
    store.run(checksum(DATA))
    assert store.file.read_bytes() == DATA
    assert store.ranges == ["", "bytes=100000-"]


def _odd(dice: random.Random) -> Trick:
    """Anything that servers and lines do."""
    start = dice.choice([0, 100, 100_000, 299_999, 300_002])
    said = f"bytes {start}-{dice.choice([299_999, 300_001, 9])}/{dice.choice(['*', 300_002, 7])}"
    file = dice.choice([File(DATA), File(OTHER, '"v2"'), File(DATA, 'W/"v3"', "")])
    return dice.choice(
        [
            Trick(cut=dice.randrange(300_000), whole=dice.random() < 0.3),
            Trick(headers={"Content-Range": said}),
            Trick(headers=LENGTHLESS, cut=dice.randrange(300_000)),
            Trick(becomes=file, ignores_if_range=dice.random() < 0.3, cut=dice.randrange(300_000)),
            Trick(headers={"ETag": None, "Last-Modified": None}, cut=200_000),
            Trick(dice.choice([500, 502, 404, 204, 416, 429]), b"no"),
            Trick(416, headers={"Content-Range": f"bytes */{start}"}),
            Trick(200, b"<html>", {"Content-Type": "text/html"}),
            Trick(206, DATA[start:], {"Content-Range": said}),
        ]
    )


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_the_file_is_right_or_is_not_there(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(4):
        store.server.trick(BIG, *(_odd(dice) for _ in range(dice.randrange(6))))
        store.run(checksum(DATA), force=True)
        assert not store.file.exists() or store.file.read_bytes() == DATA
    store.server.trick(BIG, calm=True)
    store.server.files[BIG] = File(DATA)
    store.run(checksum(DATA), force=True)
    assert store.file.read_bytes() == DATA
    assert not store.part.exists()
