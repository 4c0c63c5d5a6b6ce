from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from corpus.providers import msd
from corpus.providers.msd import MsdProvider, TrackAnswer

A, B, C, D = (f"TRAAAA{letter}128F9318786" for letter in "ABCD")
ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)

TAGTRAUM = f"""# tagtraum genre annotations
# TRAAAAK128F9318786\tRock

{A}\tRock\tPop
{B}\tNew Age
{C}\tJazz\r
"""
MAGD = f"% MAGD\n{A}\tPop_Rock\tRock\n{D}\tRnB\n"
SCORES = {A: {ONE: 0.7, TWO: 0.5}, B: {ONE: 0.9, THREE: 0.4}, D: {TWO: 0.6}}


def cls(tmp_path: Path, text: str | bytes = TAGTRAUM, name: str = "cd2.cls") -> str:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def scores(tmp_path: Path, table: Any = SCORES) -> str:
    path = tmp_path / "match_scores.json"
    path.write_text(table if isinstance(table, str) else json.dumps(table))
    return str(path)


def matched(track: str, md5: str) -> str:
    return f"lmd_matched/{track[2]}/{track[3]}/{track[4]}/{track}/{md5}.mid"


def test_a_folder_of_lakhs_names_the_track(tmp_path: Path) -> None:
    provider = MsdProvider([cls(tmp_path)])
    assert provider.labels("", matched(A, ONE)) == [
        TrackAnswer("Rock", 1.0, 1.0, A),
        TrackAnswer("Pop", 0.5, 1.0, A),
    ]
    assert provider.labels(ONE, matched(B, ONE)) == [TrackAnswer("New Age", 1.0, 1.0, B)]
    assert provider.labels(ONE, matched(C, ONE)) == [TrackAnswer("Jazz", 1.0, 1.0, C)]
    assert provider.labels(ONE, matched(D, ONE)) == []
    assert provider.labels(ONE, "1/" + ONE + ".mid") == []
    assert provider.all_genres() == {"Rock", "Pop", "New Age", "Jazz"}
    assert set(provider.bad_lines.values()) == {0}


def test_the_best_match_of_an_md5_is_its_track(tmp_path: Path) -> None:
    provider = MsdProvider([cls(tmp_path)], scores(tmp_path))
    assert provider.labels(ONE, "x.mid") == [TrackAnswer("New Age", 1.0, 0.9, B)]
    assert provider.labels(THREE, "") == [TrackAnswer("New Age", 1.0, 0.4, B)]
    assert provider.labels(ONE.upper(), "x.mid") == provider.labels(ONE, "x.mid")
    assert provider.labels("4" * 32, "x.mid") == []
    assert provider.labels("no md5 \udce9", "x.mid") == []


def test_a_match_without_labels_gives_way_to_the_next(tmp_path: Path) -> None:
    provider = MsdProvider([cls(tmp_path)], scores(tmp_path))
    found = provider.labels(TWO, "x.mid")
    assert [(a.genre, a.provider_id) for a in found] == [("Rock", A), ("Pop", A)]
    assert found[0].match_score == 0.5


def test_the_folder_goes_before_a_better_match_and_keeps_its_score(tmp_path: Path) -> None:
    provider = MsdProvider([cls(tmp_path)], scores(tmp_path))
    found = provider.labels(ONE, matched(A, ONE))
    assert {(a.provider_id, a.match_score) for a in found} == {(A, 0.7)}
    unlabelled = provider.labels(ONE, matched(D, ONE))
    assert [(a.provider_id, a.genre) for a in unlabelled] == [(B, "New Age")]


def test_several_files_add_up(tmp_path: Path) -> None:
    paths = [cls(tmp_path), cls(tmp_path, MAGD, "magd.cls")]
    for order in (paths, paths[::-1]):
        provider = MsdProvider(order)
        found = {(a.genre, a.weight) for a in provider.labels("", matched(A, ONE))}
        assert found == {("Rock", 1.0), ("Pop", 0.5), ("Pop_Rock", 1.0)}
        assert [a.genre for a in provider.labels("", matched(D, ONE))] == ["RnB"]


def test_zips_are_read_as_they_were_downloaded(tmp_path: Path) -> None:
    path = tmp_path / "cd2.cls.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cd2.cls", TAGTRAUM)
        archive.writestr("__MACOSX/._cd2.cls", b"\0")
    provider = MsdProvider([str(path)])
    assert [a.genre for a in provider.labels("", matched(A, ONE))] == ["Rock", "Pop"]


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cd1.cls", TAGTRAUM)
        archive.writestr("cd2.cls", TAGTRAUM)
    with pytest.raises(ValueError, match=r"both\.zip.*cd1\.cls, cd2\.cls"):
        MsdProvider([str(path)])


def test_what_comes_out_of_a_zip_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msd, "MAX_CLS_BYTES", 1000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cd2.cls", TAGTRAUM + "#" * 10_000)
    with pytest.raises(ValueError, match=r"bomb\.zip"):
        MsdProvider([str(path)])
    with pytest.raises(ValueError, match=r"big\.cls"):
        MsdProvider([cls(tmp_path, TAGTRAUM + "#" * 10_000, "big.cls")])


def test_bad_lines_are_counted(tmp_path: Path) -> None:
    bad = f"{A}\nTRxyz\tRock\n{B}\t\n"
    good = "".join(f"TRAAAA{c}128F9318786\tRock\n" for c in "EFGH")
    path = cls(tmp_path, bad + good + "  \n")
    table = {**SCORES, "nonsense": {ONE: 0.9}, C: {"short": 0.5, THREE: 1.5}}
    provider = MsdProvider([path], scores(tmp_path, table))
    assert provider.bad_lines == {path: 3, str(tmp_path / "match_scores.json"): 3}
    assert [a.genre for a in provider.labels("", matched("TRAAAAE128F9318786", ONE))] == ["Rock"]


@pytest.mark.parametrize(
    "text",
    ["", "# only comments\n", "a,b\n" * 9, "\0\x01" * 99, TAGTRAUM + "x\n" * 9, b"PK\x03\x04 cut",
     f"{A}\tTRAIN\n{B}\tTEST\n", b"\xff\xfe" + TAGTRAUM.encode("utf-16-le")],
    ids=["empty", "comments", "csv", "binary", "mixed", "damaged zip", "partition", "utf-16"],
)  # fmt: skip
def test_a_wrong_file_is_named(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"wrong\.cls"):
        MsdProvider([cls(tmp_path, text, "wrong.cls")])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.cls"):
        MsdProvider([str(tmp_path / "missing.cls")])
    with pytest.raises(ValueError, match=r"missing\.json"):
        MsdProvider([cls(tmp_path)], str(tmp_path / "missing.json"))
    with pytest.raises(ValueError, match="tagtraum"):
        MsdProvider([])


@pytest.mark.parametrize("table", ["", "[]", '{"a": [1]}', "{}", '{"TR": {"x": "y"}}'])
def test_a_wrong_match_table_is_named(tmp_path: Path, table: str) -> None:
    with pytest.raises(ValueError, match=r"match_scores\.json"):
        MsdProvider([cls(tmp_path)], scores(tmp_path, table))


def test_too_many_genres_are_no_genres(tmp_path: Path) -> None:
    lines = [f"TR{i:05d}".translate(str.maketrans("0123456789", "ABCDEFGHIJ")) for i in range(5000)]
    text = "".join(f"{line}128F9318786\tgenre {i}\n" for i, line in enumerate(lines))
    with pytest.raises(ValueError, match="4096"):
        MsdProvider([cls(tmp_path, text)])


def test_the_content_hash_follows_the_content(tmp_path: Path) -> None:
    path = cls(tmp_path)
    before = MsdProvider([path]).content_hash()
    assert MsdProvider([path]).content_hash() == before
    with_scores = MsdProvider([path], scores(tmp_path)).content_hash()
    cls(tmp_path, TAGTRAUM + f"{D}\tRap\n")
    after = MsdProvider([path]).content_hash()
    assert len({before, with_scores, after}) == 3
