"""What is lost of a damaged archive, and what is not."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
from pathlib import Path

import pytest

from corpus.sources import open_source
from tests.packing import KINDS, SCORES, TARS, everything, pack, write


def test_broken_members_of_a_zip_do_not_end_it(tmp_path: Path) -> None:
    names = ["crc", "method", "locked", "cut", "fine"]
    plain = {f"a/{name}.mid": os.urandom(500) for name in names}
    data = bytearray(pack("zip", plain))
    local = [
        data.find(b"PK\x03\x04", at) for at in (data.find(f"a/{n}".encode()) - 30 for n in names)
    ]
    central = [data.rfind(f"a/{n}".encode()) - 46 for n in names]
    data[local[0] + 60] ^= 0xFF
    struct.pack_into("<H", data, central[1] + 10, 9)
    struct.pack_into("<H", data, central[2] + 8, 1)
    data[local[3]] = 0
    link = zipfile.ZipInfo("a/link.mid")
    link.external_attr = 0o120777 << 16
    url = write(tmp_path / "a.zip", bytes(data))
    with zipfile.ZipFile(url, "a") as archive:
        archive.writestr(link, "target")
    assert everything(open_source(url)) == {
        "crc.mid": "damaged_archive", "method.mid": "unsupported_compression",
        "locked.mid": "encrypted", "cut.mid": "damaged_archive", "fine.mid": plain["a/fine.mid"],
        "link.mid": "link",
    }  # fmt: skip


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2,
                                    zipfile.ZIP_LZMA])  # fmt: skip
def test_a_zip_without_its_directory_is_salvaged(tmp_path: Path, method: int) -> None:
    content = {f"a/{i}.mid": os.urandom(3000) for i in range(4)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    whole = (tmp_path / "a.zip").read_bytes()
    expected = {f"{i}.mid": content[f"a/{i}.mid"] for i in range(4)}
    assert everything(open_source(str(tmp_path / "a.zip"))) == expected
    url = write(tmp_path / "cut.zip", whole[: whole.find(b"PK\x01\x02") - 1000])
    read = everything(open_source(url))
    assert read.pop("(damaged_archive)") == "damaged_archive"
    assert read.pop("3.mid") == "truncated_archive"
    assert read == {path: expected[path] for path in list(expected)[:3]}


def test_a_zip_written_to_a_pipe_is_salvaged_too(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation("a pipe")

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in SCORES.items():
            archive.writestr(name, data)
    whole = pipe.getvalue()
    read = everything(open_source(write(tmp_path / "a.zip", whole[: whole.find(b"PK\x01\x02")])))
    assert read.pop("(damaged_archive)") == "damaged_archive"
    assert read == SCORES


def test_a_damaged_tar_header_costs_one_member(tmp_path: Path) -> None:
    content = {f"{i}.mid": os.urandom(2000) for i in range(5)}
    data = bytearray(pack("tar", content))
    data[2 * 2560 + 150] ^= 0xFF  # In the checksum of the third header; 5 blocks a member.
    read = everything(open_source(write(tmp_path / "a.tar", bytes(data))))
    assert read == {**content, "2.mid": "damaged_archive"}


@pytest.mark.parametrize("kind", TARS)
def test_a_truncated_tar_is_read_up_to_the_cut(tmp_path: Path, kind: str) -> None:
    noise = random.Random(0)
    content = {f"a/{i}.mid": noise.randbytes(400_000) for i in range(6)}
    data = pack(kind, content)
    read = everything(open_source(write(tmp_path / f"a.{kind}", data[: len(data) // 2])))
    whole = {path: value for path, value in read.items() if isinstance(value, bytes)}
    assert 1 <= len(whole) < 6
    assert all(value == content["a/" + path] for path, value in whole.items())
    assert [v for v in read.values() if isinstance(v, str)] == ["truncated_archive"]
    ends_well = pack("tar", content)[:-10240]
    url = write(tmp_path / "mark.tar", ends_well[: -(-400_000 // 512) * 512 * 2 + 1024])
    assert everything(open_source(url))["(truncated_archive)"] == "truncated_archive"


def test_joined_archives_are_read_to_the_end(tmp_path: Path) -> None:
    parts = [pack("tar.gz", {f"{i}.mid": b"x" * i}) for i in range(3)]
    url = write(tmp_path / "a.tar.gz", b"".join(parts) + b"trailing")
    assert everything(open_source(url)) == {f"{i}.mid": b"x" * i for i in range(3)}


def test_what_claims_to_be_an_archive_and_is_none(tmp_path: Path) -> None:
    for kind in KINDS:
        for number, data in enumerate((b"", b"<html>no</html>" * 99, b"PK\x03\x04", b"\x1f\x8b")):
            url = write(tmp_path / f"{number}.{kind}", data)
            with pytest.raises(ValueError, match=r"none of them is a score.*; "):
                open_source(url).list_files()
    write(tmp_path / "a.mid", b"a")
    read = everything(open_source(str(tmp_path)))
    assert read.pop("a.mid") == b"a"
    assert {path.partition("/")[0] for path in read} == {
        f"{n}.{k}" for n in range(4) for k in KINDS
    }
    assert set(read.values()) <= {"damaged_archive", "truncated_archive"}
