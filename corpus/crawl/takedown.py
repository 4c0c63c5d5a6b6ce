"""Takes out of the store what a new list of takedowns names."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

from warcio.archiveiterator import ArchiveIterator

from corpus.crawl.frontier import Frontier
from corpus.crawl.warc import recover
from corpus.deny import DETAIL, REASON, DenyList

_CHUNK = 1 << 20
_PART = re.compile(r"(?:~(\d+))?(\.warc\.gz)$")


def take_down(folder: str, frontier: Frontier, deny: DenyList) -> int:
    """Removes bytes that the list names from the WARC files and the folder; returns how many.

    A WARC file is written anew without them, under a new name, and booked at once; a killed run
    leaves a file that is not booked, which the next one removes.
    """
    remove_unbooked(folder, frontier)
    denied = [
        stored
        for stored in (frontier.held() if deny else ())
        if stored.sha256 in deny or stored.md5 in deny
    ]
    for name in sorted({stored.warc for stored in denied if stored.warc}):
        offsets = {stored.offset for stored in denied if stored.warc == name}
        _rewrite(folder, name, offsets, frontier)
    for stored in denied:
        if not stored.warc and stored.path and os.path.exists(os.path.join(folder, stored.path)):
            os.remove(os.path.join(folder, stored.path))
    frontier.take_down({stored.sha256 for stored in denied}, REASON, DETAIL)
    return len({stored.sha256 for stored in denied})


def remove_unbooked(folder: str, frontier: Frontier) -> None:
    """Removes files of ours that a killed run did not get to book; others are not touched."""
    booked = {name for name, _, _ in frontier.warcs()}
    ours = {_PART.sub("", name) for name in booked}
    for name in os.listdir(folder):
        if name.endswith(".warc.gz") and name not in booked and _PART.sub("", name) in ours:
            os.remove(os.path.join(folder, name))


def _rewrite(folder: str, name: str, denied: set[int], frontier: Frontier) -> None:
    for host in {owner for warc, owner, _ in frontier.warcs() if warc == name}:
        recover(folder, host, frontier)
    renamed = _PART.sub(lambda m: f"~{int(m[1] or 0) + 1}{m[2]}", name)
    moved: dict[int, int] = {}
    source, target = os.path.join(folder, name), os.path.join(folder, renamed)
    with open(source, "rb") as read, open(target, "wb") as write:
        for offset, length in _spans(source):
            if offset not in denied:
                moved[offset] = write.tell()
                _copy(read, write, offset, length)
        size = write.tell()
    frontier.rename_warc(name, renamed, size, moved)
    os.remove(source)


def _spans(path: str) -> list[tuple[int, int]]:
    """(offset, length) of every record."""
    spans = []
    with open(path, "rb") as file:
        records = ArchiveIterator(file)
        for _ in records:
            offset = records.get_record_offset()
            spans.append((offset, records.get_record_length()))
    return spans


def _copy(read: BinaryIO, write: BinaryIO, offset: int, length: int) -> None:
    read.seek(offset)
    while length > 0:
        piece = read.read(min(length, _CHUNK))
        if not piece:
            break
        write.write(piece)
        length -= len(piece)
