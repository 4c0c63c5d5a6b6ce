"""Which tracks are the same music: the same bytes, the same notes, or nearly the same notes.

Nothing is removed here. Every track learns who represents its cluster and at which step it was
found to be a duplicate, so that a user may leave out `bytes` and `notes` and keep `near`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus import clusters
from corpus.records import Track

SAME_BYTES, SAME_NOTES, NEAR = "bytes", "notes", "near"


@dataclass(frozen=True, slots=True)
class Tracks:
    """Columns of a corpus, one entry a track, in any order.

    Attributes:
      track_ids: different for every track.
      md5s, tunes: of the file's bytes; the tune's name within its book, else empty.
      content_hashes: as `corpus.analysis.content_hash` makes them.
      num_notes: of each track.
      has_warnings: whether something was mended while reading.
      paths: below the source's root.
      signatures: (num_tracks, SIGNATURE_SIZE) uint32, as `corpus.shingles.signature` makes them.
      has_signature: (num_tracks,) bool; False where there is none.
    """

    track_ids: Sequence[str]
    md5s: Sequence[str]
    tunes: Sequence[str]
    content_hashes: Sequence[str]
    num_notes: Sequence[int]
    has_warnings: Sequence[bool]
    paths: Sequence[str]
    signatures: clusters.Signatures
    has_signature: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Columns in the order of the tracks.

    Attributes:
      cluster: track_id of the track that represents the cluster; its own for most.
      duplicate_of: the same, but empty for the representative itself.
      duplicate_kind: the first step that found a better track with the same music: `bytes`,
        `notes` or `near`; empty for the representative. Leaving out some kinds therefore leaves
        one track of each group that those kinds make.
    """

    cluster: list[str]
    duplicate_of: list[str]
    duplicate_kind: list[str]


def find_duplicates(tracks: Tracks, threshold: float = clusters.THRESHOLD) -> Duplicates:
    """Finds duplicates in three steps; independent of the order of the tracks.

    A cluster is represented by its track without warnings, with the most notes, with the smallest
    path (as bytes), in this order of importance.

    Args:
      tracks: the columns.
      threshold: least similarity of near duplicates, 0..1; above 1 the step is left out.
    """
    preferred = _order_of_preference(tracks)
    leaders = np.arange(len(preferred))
    kinds = np.full(len(preferred), "", "<U5")
    keys: list[tuple[str, Sequence[Hashable]]] = [
        (SAME_BYTES, list(zip(tracks.md5s, tracks.tunes, strict=True))),
        (SAME_NOTES, tracks.content_hashes),
    ]
    for kind, key in keys:
        _join(leaders, kinds, kind, _first_with_key(key, preferred[kinds[preferred] == ""]))
    if threshold <= 1:
        lasting = tracks.has_signature & (kinds == "")
        found = clusters.find_clusters(tracks.signatures, lasting, preferred, threshold)
        _join(leaders, kinds, NEAR, found)
    cluster = [tracks.track_ids[leader] for leader in leaders.tolist()]
    of = ["" if kind == "" else leader for leader, kind in zip(cluster, kinds, strict=True)]
    return Duplicates(cluster, of, kinds.tolist())


def _order_of_preference(tracks: Tracks) -> clusters.Rows:
    """Rows, the best first."""
    keys = [
        (warned, -notes, path.encode("utf-8", "surrogateescape"), tune, track_id)
        for warned, notes, path, tune, track_id in zip(
            tracks.has_warnings, tracks.num_notes, tracks.paths, tracks.tunes, tracks.track_ids,
            strict=True,
        )
    ]  # fmt: skip
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def _first_with_key(keys: Sequence[Hashable], rows: clusters.Rows) -> clusters.Rows:
    """For each of all rows the first of `rows` with the same key; itself for other rows."""
    first: dict[Hashable, int] = {}
    found = np.arange(len(keys))
    for row in rows.tolist():
        found[row] = first.setdefault(keys[row], row)
    return found


def _join(
    leaders: clusters.Rows, kinds: npt.NDArray[np.str_], kind: str, found: clusters.Rows
) -> None:
    """Puts the clusters of whoever follows someone into that one's cluster."""
    kinds[found != np.arange(len(found))] = kind
    leaders[:] = found[leaders]


def one_of_each(tracks: Sequence[Track]) -> list[Track]:
    """One track of each cluster, in the order given.

    The one that represents the cluster, if it is among the tracks, else the first.
    """
    kept: dict[str, Track] = {}
    for track in tracks:
        cluster = track.duplicate_of or track.track_id
        if cluster not in kept or not track.duplicate_of:
            kept[cluster] = track
    chosen = {track.track_id for track in kept.values()}
    return [track for track in tracks if track.track_id in chosen]
