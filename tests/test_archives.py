"""Archives as sources: sound ones, strange ones, large ones."""

from __future__ import annotations

import contextlib
import pickle
import struct
import tarfile
import tracemalloc
from pathlib import Path
from typing import BinaryIO

import pytest

from corpus import files
from corpus.sources import open_source, paths, streams
from corpus.sources.folder import FolderSource
from tests import makers
from tests.packing import KINDS, MB, SCORES, everything, pack, write


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_its_folder(tmp_path: Path, kind: str, scheme: str) -> None:
    url = scheme + write(tmp_path / f"my_music.{kind}", pack(kind, SCORES, "clean_midi/"))
    source = open_source(url)
    assert source.name == "my_music"
    assert everything(source) == SCORES
    assert source.artist_and_title("Queen/39.mid") == ("Queen", "39")
    assert [f.member for f in source.list_files()] == [0, 1, 2]
    backwards = list(source.open_files(source.list_files()[::-1], MB))
    assert [content for _, content in backwards] == list(SCORES.values())[::-1]
    assert everything(pickle.loads(pickle.dumps(source))) == SCORES


@pytest.mark.skipif(not makers.SHARED.exists(), reason="no shared data beside this checkout")
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_lakhs_own_files_come_out_of_an_archive_as_they_are(tmp_path: Path, kind: str) -> None:
    folder = everything(FolderSource(str(makers.SHARED / "clean_midi")), 9 * MB)
    content = {path: data for path, data in folder.items() if isinstance(data, bytes)}
    assert len(content) == 1389
    url = write(tmp_path / f"clean_midi.{kind}", pack(kind, content, "clean_midi/"))
    assert everything(open_source(url), 9 * MB) == content


def test_a_folder_opens_its_archives_but_none_inside_them(tmp_path: Path) -> None:
    content = {
        kind: {path: kind.encode() + data for path, data in SCORES.items()} for kind in KINDS
    }
    for kind in KINDS:
        write(tmp_path / f"packs/p.{kind}", pack(kind, {"in.zip": b"", **content[kind]}, "top/"))
    write(tmp_path / "a.mid", b"a")
    write(tmp_path / "none.zip", pack("zip", {}))
    read = everything(FolderSource(str(tmp_path)))
    assert read.pop("a.mid") == b"a"
    assert read.pop("none.zip") == "empty_archive"
    assert len(read) == 5 * 4
    for kind in KINDS:
        assert read[f"packs/p.{kind}/in.zip"] == "nested_archive"
        assert {p: read[f"packs/p.{kind}/{p}"] for p in SCORES} == content[kind]


def test_strange_names_become_clean_and_distinct_paths(tmp_path: Path) -> None:
    odd = ["../../etc/x.mid", "/abs/x.mid", "C:\\win\\x.mid", "a/./x.mid", "a/x.mid", "a/x~2.mid",
           "é/ß.mid", "n" * 1100 + ".mid", "__MACOSX/a/._x.mid", "..",
           "q/" + "l" * 200 + ".mid"]  # fmt: skip
    expected = ["etc/x.mid", "abs/x.mid", "win/x.mid", "a/x.mid", "a/x~2.mid", "a/x~2~2.mid",
                "é/ß.mid", "n" * 100, "__MACOSX/a/._x.mid", "unnamed", odd[-1]]  # fmt: skip
    for kind in ("zip", "tar"):
        url = write(tmp_path / f"odd.{kind}", pack(kind, dict.fromkeys(odd, b"x")))
        listed = open_source(url).list_files()
        assert [f.path for f in listed] == expected
        reasons = {f.path: f.reject_reason for f in listed if f.reject_reason}
        assert reasons == {"n" * 100: "name_too_long", "__MACOSX/a/._x.mid": "not_a_score"}


def test_names_in_the_code_pages_of_their_archives(tmp_path: Path) -> None:
    data = pack("zip", {"caf1.mid": b"x", "caf22.mid": b"y"})
    data = data.replace(b"caf1.mid", "caf\x82".encode("latin-1") + b".mid").replace(
        b"caf22.mid", "café.mid".encode()
    )
    paths = [f.path for f in open_source(write(tmp_path / "a.zip", data)).list_files()]
    assert paths == ["café.mid", "café~2.mid"]  # Code page 437, then UTF-8 without its flag.
    tar = pack("tar", {"\udcff.mid": b"x"})
    assert open_source(write(tmp_path / "a.tar", tar)).list_files()[0].path == "\udcff.mid"


def test_headers_that_sum_signed_bytes_are_sound(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo("é.mid").tobuf(tarfile.GNU_FORMAT, "utf-8"))
    checksum = int(header[148:154], 8) - 256 * len("é".encode())
    header[148:154] = b"%06o" % checksum
    url = write(tmp_path / "a.tar", bytes(header) + bytes(1024))
    assert everything(open_source(url)) == {"é.mid": b""}


def test_what_a_tar_holds_beside_files_is_rejected(tmp_path: Path) -> None:
    kinds = {b"1": "link", b"2": "link", b"3": "not_a_file", b"6": "not_a_file", b"5": "",
             b"S": "sparse_file"}  # fmt: skip
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for kind in kinds:
            info = tarfile.TarInfo(f"d/{kind.decode()}.mid")
            info.type, info.linkname = kind, "d/x.mid"
            tar.addfile(info)
        sparse = tarfile.TarInfo("d/pax.mid")
        sparse.pax_headers = {"GNU.sparse.major": "1"}
        tar.addfile(sparse)
        tar.addfile(tarfile.TarInfo("d/x.mid"))
    read = everything(open_source(str(tmp_path / "a.tar")))
    expected = {f"{k.decode()}.mid": reason for k, reason in kinds.items() if reason}
    assert read == {**expected, "pax.mid": "sparse_file", "x.mid": b""}


@pytest.mark.parametrize("kind", KINDS)
def test_bombs_and_big_members_cost_no_memory(tmp_path: Path, kind: str) -> None:
    content = {"a.mid": b"a", "bomb.mid": bytes(40 * MB), "z.mid": b"z"}
    source = open_source(write(tmp_path / f"a.{kind}", pack(kind, content)))
    del content["bomb.mid"]
    tracemalloc.start()
    read = everything(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.pop("bomb.mid") in ("archive_bomb", "too_big")
    assert read == content
    assert peak < 16 * MB  # xz keeps a window of 8 MB.


def test_a_tar_that_unpacks_for_ever_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HARMLESS_BYTES", 2 << 20)
    data = pack("tar.gz", {"a.mid": b"a", "endless.mid": bytes(30 * MB), "z.mid": b"z"})
    read = everything(open_source(write(tmp_path / "a.tar.gz", data)))
    assert read == {"a.mid": b"a", "endless.mid": "archive_bomb"}


def test_members_of_a_zip_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    data = bytearray(pack("zip", {"a.mid": bytes(900), "b.mid": b"b", "c.mid": b"c"}))
    second = data.rfind(b"b.mid") - 46
    struct.pack_into("<I", data, second + 42, 0)
    read = everything(open_source(write(tmp_path / "a.zip", bytes(data))))
    assert read == {"a.mid": bytes(900), "b.mid": "archive_bomb", "c.mid": b"c"}


def test_twenty_thousand_members_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {f"top/{i % 9}/{i}.mid": b"%d" % i * 150 for i in range(20_000)}
    source = open_source(write(tmp_path / "a.tar.gz", pack("tar.gz", content)))
    listed = source.list_files()
    assert len(listed) == 20_000
    opened: list[str] = []
    open_seekable = files.open_seekable

    def counted(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
        opened.append(path)
        return open_seekable(path)

    monkeypatch.setattr(files, "open_seekable", counted)
    tracemalloc.start()
    for at in range(0, 20_000, 500):
        for file, data in source.open_files(listed[at : at + 500], MB):
            assert data == content["top/" + file.path]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MB
    assert len(opened) == 2  # To see its first bytes, then for one pass over all of it.
    assert next(source.open_files(listed[7:8], MB))[1] == content["top/7/7.mid"]
    assert len(opened) == 3


def test_distinct_paths_stay_linear() -> None:
    distinct = paths.DistinctPaths()
    made = [distinct.add("a/x.mid") for _ in range(50_000)]
    assert len(set(made)) == 50_000
    assert made[:2] == ["a/x.mid", "a/x~2.mid"]
