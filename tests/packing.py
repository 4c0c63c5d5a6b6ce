"""Archives of made-up scores, and everything that a source gives."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from corpus.readers.results import ReadError
from corpus.sources import Source

MB = 1_000_000
SCORES = {"ABBA/Waterloo.mid": b"one" * 900, "Queen/Killer Queen.mid": b"two", "Queen/39.mid": b""}
TARS = ("tar", "tar.gz", "tar.xz", "tar.bz2")
KINDS = ("zip", *TARS)


def pack(kind: str, content: Mapping[str, bytes], top: str = "") -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(top + name, data)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    packers: dict[str, Callable[[bytes], bytes]] = {
        "tar.gz": gzip.compress,
        "tar.xz": lzma.compress,
        "tar.bz2": bz2.compress,
    }
    return packers.get(kind, bytes)(buffer.getvalue())


def write(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def everything(source: Source, max_bytes: int = MB) -> dict[str, bytes | str]:
    """Path -> content, or the reason why there is none."""
    listed = source.list_files()
    read = list(source.open_files(listed, max_bytes))
    assert [file for file, _ in read] == listed
    assert all(isinstance(c, bytes) or c.detail for _, c in read)
    return {f.path: c.reason if isinstance(c, ReadError) else c for f, c in read}
