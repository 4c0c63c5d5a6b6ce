from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest

from corpus.sources import SOURCES, open_source
from corpus.sources.folder import FolderSource
from corpus.sources.music21_corpus import Music21CorpusSource
from tests.packing import MB, SCORES, everything, pack, write


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
        "packs/all.zip/ABBA/Waterloo~2.mid": ("ABBA", "Waterloo"),
        "Bach/chorales.tar.gz/1.mid": ("Bach", "1"),
        "ABBA.zip/Waterloo.mid": ("ABBA", "Waterloo"),
        "pack.tgz/Eminem - Stan.mid": ("Eminem", "Stan"),
    }
    for path, expected in cases.items():
        assert source.artist_and_title(path) == expected
    assert source.name == tmp_path.name
    assert FolderSource(f"{tmp_path}/").name == tmp_path.name


def test_every_file_is_listed_and_hidden_ones_too(tmp_path: Path) -> None:
    for path in ("b/x.mid", "a/y.MID", ".38 Special/z.mid", "a/cover.jpg", ".DS_Store"):
        write(tmp_path / path, b"x")
    listed = FolderSource(str(tmp_path)).list_files()
    assert [f.path for f in listed] == [
        ".38 Special/z.mid", ".DS_Store", "a/cover.jpg", "a/y.MID", "b/x.mid",
    ]  # fmt: skip


def test_what_is_no_file_is_listed_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x.mid", b"x")
    os.mkfifo(tmp_path / "a" / "pipe.mid")
    (tmp_path / "a" / "dangling.mid").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / os.fsdecode(b"caf\xe9.mid")).write_bytes(b"y")
    assert everything(FolderSource(str(tmp_path))) == {
        "a/x.mid": b"x",
        "a/pipe.mid": "not_a_file",
        "a/dangling.mid": "unreadable_file",
        "loop": "linked_folder",
        "caf\udce9.mid": b"y",
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
        open_source(str(root)).list_files()


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
    assert source.state() == open_source(name).state() != ""
    assert all(isinstance(content, bytes) for _, content in source.open_files(listed[:3], 9 * MB))


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


def test_patterns(tmp_path: Path) -> None:
    for name in ("a/x.mid", "a/b/y.mid", ".38/z.mid", "top.mid", "a/x.txt", "[1].mid"):
        write(tmp_path / "music" / name, b"x")
    write(tmp_path / "music/p.zip", pack("zip", {"q.mid": b"q", "r.mid": b"r"}))
    cases = {
        "**/*.mid": [".38/z.mid", "[1].mid", "a/b/y.mid", "a/x.mid", "top.mid"],
        "a/**/*.mid": ["b/y.mid", "x.mid"],
        "*/?.mid": [".38/z.mid", "a/x.mid"],
        "*.zip": ["p.zip/q.mid", "p.zip/r.mid"],
        "**/[xy].mid": ["a/b/y.mid", "a/x.mid"],
        "[1].mid": ["[1].mid"],
    }
    for pattern, expected in cases.items():
        source = open_source(str(tmp_path / "music" / pattern))
        assert [f.path for f in source.list_files()] == expected
        assert source.name == ("a" if pattern.startswith("a/") else "music")
    assert everything(open_source(str(tmp_path / "music/a/x.mid"))) == {"x.mid": b"x"}
    with pytest.raises(ValueError, match="pattern"):
        open_source(str(tmp_path / "*.kar")).list_files()


def test_several_sources_are_one(tmp_path: Path) -> None:
    folder = str(Path(write(tmp_path / "Amos, Tori/x.mid", b"x")).parent)
    first = write(tmp_path / "a/pack.tar", pack("tar", SCORES))
    second = write(tmp_path / "b/pack.zip", pack("zip", {"lmd/Eminem - Stan.mid": b"s"}))
    assert everything(open_source(folder)) == {"x.mid": b"x"}
    source = open_source(f"{first}, {second},{folder},music21_corpus")
    listed = [f for f in source.list_files() if f.source != "music21_corpus"]
    assert {f.source for f in listed} == {"pack", "pack_2", "Amos, Tori"}
    order = [listed[i] for i in (4, 0, 3, 2, 1)]
    read = list(pickle.loads(pickle.dumps(source)).open_files(order, MB))
    assert [file for file, _ in read] == order
    assert [data for _, data in read] == [b"x", b"one" * 900, b"s", b"", b"two"]
    assert source.artist_and_title("pack_2/Eminem - Stan.mid") == ("Eminem", "Stan")
    assert "public domain" in source.license_of("music21_corpus/bach/bwv1.6.mxl")
    assert source.genre_table == Music21CorpusSource().genre_table
    with pytest.raises(ValueError, match="'nowhere', one of several"):
        open_source(f"{first},nowhere").list_files()


def test_the_state_changes_with_what_is_there_and_reads_nothing(tmp_path: Path) -> None:
    write(tmp_path / "f/a/x.mid", b"x")
    write(tmp_path / "p.tar.gz", pack("tar.gz", SCORES))
    for name in ("f", "p.tar.gz"):
        place = str(tmp_path / name)
        states = [open_source(place).state(), open_source(place).state()]
        write(tmp_path / "md5_to_paths.json", name.encode())
        states.append(open_source(place).state())
        write(tmp_path / "f/a/x.mid" if name == "f" else tmp_path / name, b"\0not an archive")
        states.append(open_source(place).state())
        assert states[0] == states[1]
        assert len(set(states)) == 3
