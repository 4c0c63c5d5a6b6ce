"""The members of an archive as the files of a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from corpus.records import SourceFile
from corpus.sources import paths

MAX_MEMBERS = 1_000_000  # Lakh's largest has 178,561; a million listed take some 300 MB
MAX_NAME_CHARS = 1024
MAX_ALL_NAMES_CHARS = 128 << 20

_MAC_FOLDER = "__MACOSX"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, or a part of the archive that is lost.

    Attributes:
      name: as the archive spells it; empty for a loss that has no name.
      num_bytes: size of the content as the archive states it; nothing relies on it.
      reason, detail: set where the content cannot be read.
    """

    name: str
    num_bytes: int = 0
    reason: str = ""
    detail: str = ""


class Archive(Protocol):
    """An open archive. A member is known by its ordinal among `members()`."""

    def members(self) -> Iterator[Member]:
        """Every file in the archive's order; folders are left out. Never raises."""

    def read(self, ordinal: int, max_bytes: int) -> bytes:
        """The content of one member. Raises ReadError if it cannot be read or is larger."""

    def close(self) -> None:
        """Closes the file."""


def list_members(archive: Archive, source: str, url: str, prefix: str = "") -> list[SourceFile]:
    """Lists an archive with clean and distinct paths, without the folder that holds all of it.

    Args:
      archive: what is listed.
      source: name of the source.
      url: where the archive is.
      prefix: what every path begins with, for an archive inside a folder.
    """
    found: list[SourceFile] = []
    named = 0
    for ordinal, member in enumerate(archive.members()):
        named += len(member.name)
        if ordinal == MAX_MEMBERS or named > MAX_ALL_NAMES_CHARS:
            detail = f"what comes after the first {ordinal} files is not read"
            found.append(_as_file(Member("", 0, "too_many_files", detail), source, url, ordinal))
            break
        found.append(_as_file(_checked(member), source, url, ordinal))
    return _with_paths(found, prefix)


def _checked(member: Member) -> Member:
    """Rejects what is never worth opening."""
    name = member.name
    if len(name) > MAX_NAME_CHARS:
        detail = f"the name has {len(name)} characters, over {MAX_NAME_CHARS}"
        return Member(name[:100], member.num_bytes, "name_too_long", detail)
    if member.reason:
        return member
    parts = name.replace("\\", "/").split("/")
    if parts[-1].startswith("._") or _MAC_FOLDER in parts:
        detail = "what macOS keeps beside a file, not the file itself"
        return Member(name, member.num_bytes, "not_a_score", detail)
    if paths.archive_stem(name):
        detail = "an archive inside an archive is not opened; unpack it and give it as SOURCE"
        return Member(name, member.num_bytes, "nested_archive", detail)
    return member


def _as_file(member: Member, source: str, url: str, ordinal: int) -> SourceFile:
    path = paths.clean(member.name) if member.name else ""
    size, reason, detail = member.num_bytes, member.reason, member.detail
    return SourceFile(source, path, url, size, 0, ordinal, reason, detail)


def _shared_top(found: Iterable[SourceFile]) -> str:
    """`top/` where every file lies below that one folder; else empty."""
    top = ""
    for file in found:
        if not file.path or file.path.startswith(_MAC_FOLDER + "/"):
            continue
        first, slash, _ = file.path.partition("/")
        if not slash or (top and first != top):
            return ""
        top = first
    return top + "/" if top else ""


def _with_paths(found: list[SourceFile], prefix: str) -> list[SourceFile]:
    """Takes off the shared folder, puts on the prefix; in place, for there may be a million."""
    top = _shared_top(found)
    distinct = paths.DistinctPaths()
    for index, file in enumerate(found):
        inner = file.path.removeprefix(top) or f"({file.reject_reason})"
        found[index] = SourceFile(
            file.source, prefix + distinct.add(inner), file.url, file.num_bytes, 0,
            file.member, file.reject_reason, file.reject_detail,
        )  # fmt: skip
    return found
