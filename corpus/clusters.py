"""Signatures -> clusters of near duplicates: locality-sensitive hashing, then leaders.

Two signatures are compared where they agree in all rows of at least one band. With 64 bands of
2 rows, two scores whose shingles have a Jaccard index of 0.3 are compared with a probability of
0.998, strangers (0.004) with 0.001. Each score joins the most similar leader among the scores
that are preferred to it, or else becomes a leader. A cluster is therefore no wider than its
leader's reach: where A is like B and B like C, A and C are not put together unless they are alike.

Two matrices of 4 bytes a band and score are kept; 176,581 scores take 2 s and 160 MB.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit
from corpus.shingles import SIGNATURE_SIZE

Signatures = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]
_Buckets = npt.NDArray[np.int32]

NUM_BANDS = 64
_ROWS_OF_BAND = SIGNATURE_SIZE // NUM_BANDS

# Share of equal places. Measured: 52 pairs in 2,646 MIDI files, none of them plainly wrong, and
# 242 in 4,031 folk tunes, some 5 of them doubtful. At 0.25 there are 7 and 44 pairs more, of which
# one and some 10 are doubtful; at 0.4 a fifth of the pairs is lost.
THRESHOLD = 0.3

# Leaders of one bucket that a score is compared with, most preferred first. What shares a bucket
# with more of them has a pattern of all the world, and would cost the square of their number.
_MAX_LEADERS_OF_BUCKET = 256


def find_clusters(
    signatures: Signatures,
    has_signature: npt.NDArray[np.bool_],
    preferred: Rows,
    threshold: float = THRESHOLD,
) -> Rows:
    """The row of the leader of each row's cluster, its own where it leads or has no signature.

    Args:
      signatures: (num_scores, SIGNATURE_SIZE) uint32.
      has_signature: (num_scores,) bool; the other rows of `signatures` are not looked at.
      preferred: the rows in order of preference: who comes first leads. The result depends on
        this order and not on that of the rows.
      threshold: least share of equal places, 0..1.

    Raises:
      ValueError: the shapes do not fit.
    """
    if signatures.shape != (len(has_signature), SIGNATURE_SIZE) or len(preferred) != len(
        has_signature
    ):
        raise ValueError(
            f"{signatures.shape} signatures, {len(has_signature)} flags and {len(preferred)} "
            f"rows in order; there must be as many of each, of {SIGNATURE_SIZE} numbers"
        )
    order = preferred[has_signature[preferred]]
    leaders = np.arange(len(signatures))
    if len(order) > 1:
        buckets, num_buckets = _bucket_matrix(signatures, order)
        needed = int(np.ceil(threshold * SIGNATURE_SIZE - 1e-9))
        leaders[order] = order[_lead(signatures, order, buckets, num_buckets, needed)]
    return leaders


def _bucket_matrix(signatures: Signatures, order: Rows) -> tuple[_Buckets, int]:
    """(scores, bands) numbers of the buckets that two or more scores share, else -1."""
    buckets = np.full((len(order), NUM_BANDS), -1, np.int32)
    num_buckets = 0
    for band in range(NUM_BANDS):
        rows = signatures[order, band * _ROWS_OF_BAND : (band + 1) * _ROWS_OF_BAND]
        keys = np.ascontiguousarray(rows).view(np.uint64)[:, 0]
        by_key = np.argsort(keys, kind="stable")
        same_as_next = keys[by_key][1:] == keys[by_key][:-1]
        begins = np.concatenate(([True], ~same_as_next))
        shared = np.concatenate((same_as_next, [False])) | ~begins
        numbers = np.cumsum(begins & shared) - 1
        buckets[by_key[shared], band] = num_buckets + numbers[shared]
        num_buckets += int(np.count_nonzero(begins & shared))
    return buckets, num_buckets


@njit()
def _lead(
    signatures: Signatures, order: Rows, buckets: _Buckets, num_buckets: int, needed: int
) -> Rows:
    """The position in `order` of each position's leader.

    The leaders of a bucket are a linked list, the most preferred first.
    """
    num_scores, num_bands = buckets.shape
    first = np.full(num_buckets, -1, np.int32)
    last = np.full(num_buckets, -1, np.int32)
    size = np.zeros(num_buckets, np.int32)
    following = np.full((num_scores, num_bands), -1, np.int32)
    compared_for = np.full(num_scores, -1, np.int32)
    leaders = np.arange(num_scores)
    for score in range(num_scores):
        best, most = score, needed - 1
        for band in range(num_bands):
            bucket = buckets[score, band]
            leader = first[bucket] if bucket >= 0 else -1
            while leader >= 0:
                if compared_for[leader] != score:
                    compared_for[leader] = score
                    equal = _count_equal(signatures[order[score]], signatures[order[leader]])
                    if equal > most or (equal == most and best != score and leader < best):
                        best, most = leader, equal
                leader = following[leader, band]
        leaders[score] = best
        if best != score:
            continue
        for band in range(num_bands):
            bucket = buckets[score, band]
            if bucket < 0 or size[bucket] == _MAX_LEADERS_OF_BUCKET:
                continue
            if size[bucket]:
                following[last[bucket], band] = score
            else:
                first[bucket] = score
            last[bucket] = score
            size[bucket] += 1
    return leaders


@njit()
def _count_equal(one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> int:
    equal = 0
    for place in range(len(one)):
        equal += one[place] == other[place]
    return equal
