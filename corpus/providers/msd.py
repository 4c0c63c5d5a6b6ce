"""Genres of tracks, from annotations of the Million Song Dataset (MSD). No network.

Data card:
- homepages: https://www.tagtraum.com/msd_genre_datasets.html (CD1 133,676 labels, CD2 280,831,
  CD2C 191,401; 15 genres) and http://www.ifs.tuwien.ac.at/mir/msd/ (MAGD and Top-MAGD: genres of
  the All Music Guide, MASD: styles). Cite H. Schreiber, "Improving Genre Annotations for the
  Million Song Dataset", ISMIR 2015, and A. Schindler et al., ISMIR 2012.
- terms and license: published for research; neither page states a license.
- requests per artist: none. Download the files you use.

Format: lines `TRAAAAK128F9318786<TAB>Rock[<TAB>Pop]`, the second genre being the minority's vote;
comments begin with `#` (tagtraum) or `%` (MAGD, MASD). tagtraum packs each file in a zip.

A MIDI file of Lakh's is joined to its tracks by `match_scores.json`, by the MD5 of its bytes, and
by the folder that it lies in (`A/B/C/TR…/<md5>.mid`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corpus import files, names, reports
from corpus.readers.results import ReadError
from corpus.records import SourceFile
from corpus.sources.contents import Contents, open_archive, read_plain
from corpus.sources.lakh import track_of
from corpus.sources.lakh_tables import MATCH_SCORES, MAX_TABLE_BYTES, read_match_scores
from corpus.sources.members import list_members

NAME = "msd"
MAX_CLS_BYTES = 64 << 20  # the largest has 8 MB
MAX_GENRES = 4096  # all files together have some 60
MAJORITY, MINORITY = 1.0, 0.5  # weights
BY_FOLDER = 1.0  # match score where a folder names the track and no table says how sure that is

_ZIP_HEAD = b"PK"
_TRACK = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_LINE = re.compile(
    rb"^(TR[A-Z]{5}[0-9A-F]{11})\t([^\t\r\n]{1,80})(?:\t([^\t\r\n]{1,80}))?[ \t]*\r?$",
    re.MULTILINE,
)
_COUNTED_LINE = re.compile(rb"^[^#%\s]", re.MULTILINE)
_SPLIT_NAMES = {"train", "test", "validation"}  # of MAGD's partition files, which look alike

_LABEL = np.dtype([("track", "S18"), ("genre", "<i4"), ("weight", "<f4")])
_MATCH = np.dtype([("md5", "S32"), ("track", "S18"), ("score", "<f8")])


@dataclass(frozen=True, slots=True)
class TrackAnswer:
    """One genre of one MIDI file.

    Attributes:
      genre: as the annotation spells it.
      weight: 1 for what most annotators said, 0.5 for the minority's genre.
      match_score: how sure it is that the file is this track, 0..1.
      provider_id: the MSD track that has the label.
    """

    genre: str
    weight: float
    match_score: float
    provider_id: str


def _only_member(path: str) -> SourceFile:
    archive = open_archive(path)
    try:
        members = list_members(archive, NAME, path)
    finally:
        archive.close()
    usable = [member for member in members if not member.reject_reason] or members
    if len(usable) != 1:
        found = names.listed([names.printable(member.path) for member in usable]) or "nothing"
        raise ValueError(f"{path} should hold one .cls file; it holds {found}")
    return usable[0]


def _read_cls(path: str) -> bytes:
    try:
        with files.open_seekable(path) as file:
            packed = file.read(len(_ZIP_HEAD)) == _ZIP_HEAD
        if packed:
            return Contents().read(_only_member(path), MAX_CLS_BYTES)
        return read_plain(path, MAX_CLS_BYTES)
    except (ReadError, OSError) as error:
        raise ValueError(f"cannot read the genre annotations {path}: {error}") from error


def _read_scores(path: str) -> tuple[bytes, dict[tuple[str, str], float]]:
    try:
        data = read_plain(path, MAX_TABLE_BYTES[MATCH_SCORES])
    except (ReadError, OSError) as error:
        raise ValueError(f"cannot read {MATCH_SCORES} at {path}: {error}") from error
    return data, read_match_scores(data, path)


class _Genres:
    """Genres in the order met; a label holds the number of its genre."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, raw: bytes) -> int:
        """The number of a genre as it stands in a file."""
        known = self._numbers.get(raw)
        if known is None:
            known = self._numbers[raw] = len(self.names)
            self.names.append(" ".join(raw.decode("utf-8", "replace").split()))
        return known


def _labels_of(data: bytes, path: str, genres: _Genres) -> tuple[np.ndarray, int]:
    """(the labels of one file in its order, how many lines of it are none)."""
    lines = len(_COUNTED_LINE.findall(data))
    labels = np.zeros(2 * lines, _LABEL)
    tracks = used = 0
    for line in _LINE.finditer(data):
        track, genre, minority = line.groups()
        labels[used] = track, genres.number(genre), MAJORITY
        used, tracks = used + 1, tracks + 1
        if minority:
            labels[used] = track, genres.number(minority), MINORITY
            used += 1
    _require_annotations(path, lines, tracks, genres)
    return labels[:used].copy(), lines - tracks


def _require_annotations(path: str, lines: int, tracks: int, genres: _Genres) -> None:
    if 2 * tracks < max(lines, 1):
        raise ValueError(
            f"{path} holds no genre annotations: {tracks} of {lines} lines read like "
            "TRAAAAK128F9318786<TAB>Rock; download it again"
        )
    if any(name.lower() in _SPLIT_NAMES for name in genres.names):
        raise ValueError(
            f"{path} says which tracks are for training, not their genres; give the file whose "
            "name holds genreAssignment or styleAssignment"
        )
    if len(genres.names) > MAX_GENRES:
        raise ValueError(f"{path} is no genre annotation: over {MAX_GENRES} genres")


def _matches_of(scores: Mapping[tuple[str, str], float]) -> tuple[np.ndarray, int]:
    """(matches sorted by MD5, the best first; how many pairs of the table are none)."""
    good = [
        (md5.encode(), track.encode(), score)
        for (track, md5), score in scores.items()
        if _TRACK.fullmatch(track) and _MD5.fullmatch(md5) and 0.0 <= score <= 1.0
    ]
    matches = np.array(good, _MATCH)
    order = np.lexsort((matches["track"], -matches["score"], matches["md5"]))
    return matches[order], len(scores) - len(good)


def _rows(table: np.ndarray, field: str, key: str) -> np.ndarray:
    """The rows of a sorted table whose field is the key."""
    value = np.bytes_(key.encode("ascii"))
    column = table[field]
    return table[np.searchsorted(column, value) : np.searchsorted(column, value, side="right")]


class MsdProvider:
    """Labels MIDI files of Lakh's by the tracks of the Million Song Dataset that they match.

    Attributes:
      bad_lines: path of each file -> how many of its lines (or pairs) could not be used.
    """

    name = NAME
    terms = "Annotations published for research, without a stated license."
    license = "research use; no license stated (tagtraum and TU Wien annotations of the MSD)"
    version = "1"
    requests_per_artist = 0.0

    def __init__(self, cls_paths: Sequence[str], match_scores_path: str = "") -> None:
        """Reads the tables; some 26 bytes a label and 58 a match stay in memory.

        Args:
          cls_paths: .cls files, also packed in a .zip of one member each.
          match_scores_path: Lakh's match_scores.json; without it only files that lie in a
            folder named by their track are labelled.

        Raises:
          ValueError: no file is given, or one is not what it should be; the message names it.
        """
        if not cls_paths:
            raise ValueError(
                "no genre annotations: download a .cls.zip from "
                "https://www.tagtraum.com/msd_genre_datasets.html and give its path"
            )
        self.bad_lines: dict[str, int] = {}
        self._hashes: list[str] = []
        self._genres, self._labels = self._read_labels(cls_paths)
        self._matches = self._read_matches(match_scores_path)

    def _read_labels(self, paths: Sequence[str]) -> tuple[list[str], np.ndarray]:
        spelled: list[str] = []
        tables = []
        for path in paths:
            data, genres = _read_cls(path), _Genres()
            labels, self.bad_lines[path] = _labels_of(data, path, genres)
            labels["genre"] += len(spelled)
            spelled += genres.names
            tables.append(labels)
            self._hashes.append(hashlib.sha256(data).hexdigest())
        labels = np.concatenate(tables)
        return spelled, labels[np.argsort(labels["track"], kind="stable")]

    def _read_matches(self, path: str) -> np.ndarray:
        if not path:
            return np.zeros(0, _MATCH)
        data, scores = _read_scores(path)
        matches, self.bad_lines[path] = _matches_of(scores)
        self._hashes.append(hashlib.sha256(data).hexdigest())
        if not len(matches):
            raise ValueError(f"{path} matches no file to a track; download {MATCH_SCORES} again")
        return matches

    def labels(self, md5: str, path: str) -> list[TrackAnswer]:
        """The genres of one MIDI file, each once, the heaviest first.

        The track whose folder the file lies in comes first, then the best match of its MD5;
        a track without labels gives way to the next best.

        Args:
          md5: of the file's bytes, in hexadecimal.
          path: where the file lies in its source.
        """
        tracks = self._tracks_of(md5.lower(), path)
        return next((found for track, score in tracks if (found := self._of(track, score))), [])

    def _tracks_of(self, md5: str, path: str) -> list[tuple[str, float]]:
        """(track, match score), the most trusted first."""
        found = _rows(self._matches, "md5", md5) if _MD5.fullmatch(md5) else self._matches[:0]
        scores = {row["track"].decode(): float(row["score"]) for row in found}
        folder = track_of(path)
        first = [(folder, scores.pop(folder, BY_FOLDER))] if folder else []
        return [*first, *scores.items()]

    def _of(self, track: str, score: float) -> list[TrackAnswer]:
        weights: dict[str, float] = {}
        for row in _rows(self._labels, "track", track):
            genre = self._genres[row["genre"]]
            weights[genre] = max(weights.get(genre, 0.0), float(row["weight"]))
        heaviest = sorted(weights.items(), key=lambda item: -item[1])
        return [TrackAnswer(genre, weight, score, track) for genre, weight in heaviest]

    def all_genres(self) -> set[str]:
        """Every genre that a file may be labelled with."""
        return set(self._genres)

    def content_hash(self) -> str:
        """Changes when the provider would answer differently."""
        return reports.digest([self.version, *sorted(self._hashes)])
