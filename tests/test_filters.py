"""Expressions over the columns of tracks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from corpus import filters

TRACKS = pa.table(
    {
        "track_id": ["a", "b", "c"],
        "artist": ["O'Neil", "ABBA", "abba"],
        "qpm": [100.0, 150.0, 141.0],
        "has_drums": [True, False, True],
        "programs": pa.array([[1], [2, 3], []], pa.list_(pa.int64())),
    }
)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("", "abc"),
        ("  ", "abc"),
        ("has_drums and qpm > 140", "c"),
        ("not has_drums or qpm < 120", "ab"),
        ("list_contains(programs, 3)", "b"),
        ("len(programs) = 0", "c"),
        ("artist = 'O''Neil'", "a"),
        ("artist ilike 'abba'", "bc"),
        ("false", ""),
    ],
)
def test_what_matches(where: str, ids: str) -> None:
    assert filters.matching(TRACKS, where) == set(ids)


@pytest.mark.parametrize(
    "where",
    [
        "qpmm > 3",
        "qpm >",
        "1) union select 'x' from (select 1",
        "true; drop table tracks",
        "(select count(*) from read_csv('/etc/passwd')) > 0",
        "exists (select * from '/etc/passwd')",
        "qpm > 3 /*",
        "__import__('os').system('true')",
    ],
)
def test_what_is_no_condition_over_the_columns_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match=r"subsets\.where = .*the columns are track_id, artist"):
        filters.matching(TRACKS, where)
