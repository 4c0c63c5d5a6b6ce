"""Exact duplicates: tracks whose source bytes are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from corpus.records import Track


def first_of_each(tracks: Iterable[Track]) -> list[Track]:
    """The tracks without those that repeat the bytes of an earlier one among them."""
    first: dict[str, Track] = {}
    for track in tracks:
        first.setdefault(track.duplicate_of or track.track_id, track)
    return list(first.values())


def mark_duplicates(tracks: Iterable[Track]) -> list[Track]:
    """Sets `duplicate_of` on every track that repeats the bytes of an earlier one.

    Tunes of one book share the book's MD5, so the tune's name belongs to the key.
    Nothing is removed. Order is kept; the first of each kind is the one kept.
    """
    first: dict[tuple[str, str], str] = {}
    marked: list[Track] = []
    for track in tracks:
        kept = first.setdefault((track.md5, track.tune), track.track_id)
        same = kept == track.track_id
        marked.append(track if same else dataclasses.replace(track, duplicate_of=kept))
    return marked
