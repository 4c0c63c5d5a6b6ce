"""A score in a ZIP archive that a stranger packed: compressed MusicXML (.mxl) and its likes.

The container file is a hint, no more: 93 of 502 OpenEWLD files have one that is not
well-formed. Nothing is written to disk, so names cannot lead anywhere.
"""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from typing import NamedTuple

from corpus.readers.results import ReadError

# Scores pack 10:1 to 60:1; small files of one repeated bar may do better.
_MAX_RATIO = 200
_UNSUSPICIOUS_BYTES = 1 << 20
_CONTAINER = "META-INF/container.xml"
_CONTAINER_BYTES = 1 << 16
_FULL_PATH = re.compile(rb"""full-path\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_DIRECTORY_ENTRY = b"PK\1\2"
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip


class Packing(NamedTuple):
    """What an archive of one kind holds.

    Attributes:
      name: of the kind, as files of it end.
      extensions: of scores.
      passed_over: how the paths of members begin that are not the score.
      max_members: how many members there may be.
    """

    name: str
    extensions: tuple[str, ...]
    passed_over: tuple[str, ...]
    max_members: int


MXL = Packing(".mxl", (".xml", ".musicxml"), ("meta-inf/", "__macosx"), 256)


def unpack(data: bytes, max_bytes: int, packing: Packing = MXL) -> bytes:
    """The XML text of the score in an archive.

    Args:
      data: the archive.
      max_bytes: how long the text may be.
      packing: what kind of archive it is.

    Raises:
      ReadError: `damaged_archive`, or `too_big`.
    """
    # Counted before the archive is opened: its directory alone can fill the memory.
    if data.count(_DIRECTORY_ENTRY) > packing.max_members:
        raise ReadError("too_big", f"an archive of more than {packing.max_members} files")
    name = packing.name
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = _read(archive, _score_member(archive, packing), max_bytes)
    except RuntimeError as error:  # A password is needed, or a method of packing unknown here.
        raise ReadError(
            "damaged_archive", f"the {name} archive cannot be opened: {error}"
        ) from error
    except _DAMAGE as error:
        raise ReadError("damaged_archive", f"the {name} archive is damaged: {error}") from error
    if text.startswith(b"PK"):
        raise ReadError("damaged_archive", f"an archive within the {name} archive")
    return text


def side_file(data: bytes, path: str, max_bytes: int) -> bytes:
    """A file that stands beside the score in an archive; empty where it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive, archive.getinfo(path), max_bytes)
    except (KeyError, ReadError, *_DAMAGE):
        return b""


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    """A member's content. Sizes are counted, not believed."""
    by_ratio = max(_UNSUSPICIOUS_BYTES, _MAX_RATIO * info.compress_size)
    limit = min(max_bytes, by_ratio)
    with archive.open(info) as stream:
        content = stream.read(limit + 1)
    if len(content) <= limit:
        return content
    if by_ratio < max_bytes:
        raise ReadError("too_big", f"unpacks to more than {_MAX_RATIO} times its size")
    raise ReadError("too_big", f"unpacks to more than {max_bytes >> 20} MB")


def _score_member(archive: zipfile.ZipFile, packing: Packing) -> zipfile.ZipInfo:
    """The score file; of several the one that the container names, else the first."""
    scores = {
        info.filename: info
        for info in archive.infolist()
        if info.filename.lower().endswith(packing.extensions)
        and not info.filename.lower().startswith(packing.passed_over)
    }
    if not scores:
        what = packing.extensions[0]
        raise ReadError("damaged_archive", f"the {packing.name} archive holds no {what} score")
    if len(scores) > 1:
        for path in _container_paths(archive):
            if path in scores:
                return scores[path]
    return next(iter(scores.values()))


def _container_paths(archive: zipfile.ZipFile) -> list[str]:
    """The paths of the container file, as far as they can be made out."""
    try:
        content = _read(archive, archive.getinfo(_CONTAINER), _CONTAINER_BYTES)
    except (KeyError, ReadError, *_DAMAGE):
        return []  # The score beside it may be whole.
    return [
        (double or single).decode("utf-8", "replace")
        for double, single in _FULL_PATH.findall(content)
    ]
