from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from corpus.sources import SOURCES, open_source
from corpus.sources.folder import FolderSource
from corpus.sources.music21_corpus import Music21CorpusSource
from tests import makers


def test_folder_layout(tmp_path: Path) -> None:
    source = FolderSource(str(tmp_path))
    cases = {
        "ABBA/Waterloo.mid": ("ABBA", "Waterloo"),
        ".38 Special/Hold On.1.mid": (".38 Special", "Hold On.1"),
        "Scott_Joplin/Maple_Leaf.MID": ("Scott Joplin", "Maple Leaf"),
        "Bach/Chorales/a.b.mxl": ("Bach", "a.b"),
        "Eminem - Stan.mid": ("Eminem", "Stan"),
        "stan.mid.gz": ("", "stan"),
        "AC-DC/T.N.T.mid": ("AC-DC", "T.N.T"),
    }
    for path, expected in cases.items():
        assert source.artist_and_title(path) == expected
    assert source.name == tmp_path.name
    assert FolderSource(f"{tmp_path}/").name == tmp_path.name


def test_every_file_is_listed_and_hidden_ones_too(tmp_path: Path) -> None:
    for path in ("b/x.mid", "a/y.MID", ".38 Special/z.mid", "a/cover.jpg", ".DS_Store"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    listed = FolderSource(str(tmp_path)).list_files()
    assert [f.path for f in listed] == [
        ".38 Special/z.mid", ".DS_Store", "a/cover.jpg", "a/y.MID", "b/x.mid",
    ]  # fmt: skip


def test_what_is_no_file_is_listed_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.mid").write_bytes(makers.midi())
    os.mkfifo(tmp_path / "a" / "pipe.mid")
    (tmp_path / "a" / "dangling.mid").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / os.fsdecode(b"caf\xe9.mid")).write_bytes(makers.midi())
    reasons = {f.path: f.reject_reason for f in FolderSource(str(tmp_path)).list_files()}
    assert reasons == {
        "a/x.mid": "",
        "a/pipe.mid": "not_a_file",
        "a/dangling.mid": "unreadable_file",
        "loop": "linked_folder",
        "caf\udce9.mid": "",
    }


@pytest.mark.parametrize("kind", ["missing", "no score", "empty", "file"])
def test_a_source_without_scores_says_so(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "source"
    if kind in ("no score", "empty"):
        root.mkdir()
    if kind == "no score":
        (root / "readme.txt").write_text("x")
    if kind == "file":
        root.write_text("x")
    words = {"missing": "no folder", "file": "is a file"}.get(kind, "none of them is a score")
    with pytest.raises(ValueError, match=words):
        FolderSource(str(root)).list_files()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_source_contract(name: str) -> None:
    source = open_source(name)
    assert source.name == name
    card = sys.modules[type(source).__module__].__doc__ or ""
    assert all(word in card for word in ("size:", "license:", "homepage:", "terms:"))
    listed = source.list_files()
    assert [f.path for f in listed] == sorted(f.path for f in listed)
    assert all(source.artist_and_title(f.path)[0] for f in listed)
    assert all(source.license_of(f.path) for f in listed)


def test_the_embedded_corpus_is_as_its_card_says() -> None:
    paths = [f.path for f in Music21CorpusSource().list_files()]
    assert sum(p.startswith("bach/") for p in paths) == 410
    assert sum(p.startswith("monteverdi/") for p in paths) == 49
    assert sum(p.startswith("trecento/") for p in paths) == 103
    assert sum(p.startswith(("haydn/", "mozart/", "beethoven/")) for p in paths) == 47
    source = Music21CorpusSource()
    assert source.artist_and_title("bach/bwv1.6.mxl") == ("Johann Sebastian Bach", "bwv1.6")
    assert source.artist_and_title("essenFolksong/han1.abc")[0] == "Han Chinese Folk Songs"
    assert "non-commercial" in source.license_of("essenFolksong/han1.abc")
