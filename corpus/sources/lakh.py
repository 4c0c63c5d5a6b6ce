"""The Lakh MIDI Dataset: files named by their MD5, and the tables that say what they are.

Data card (https://colinraffel.com/projects/lmd/; files on hog.ee.columbia.edu/craffel/lmd/):
- size: `lmd_full.tar.gz` (1.77 GB, 178,561 files; the site says 176,581), `lmd_matched.tar.gz`
  (about 1.4 GB, 45,129 files under 31,034 tracks of the Million Song Dataset),
  `lmd_aligned.tar.gz` (the same files, aligned to audio), `clean_midi.tar.gz` (234 MB,
  17,256 files).
- license: CC BY 4.0, of the collection; the arrangements are other people's.
- homepage: https://colinraffel.com/projects/lmd/; cite Colin Raffel, "Learning-Based Methods
  for Comparing Sequences, with Applications to Audio-to-MIDI Alignment and Matching", 2016.
- terms: nothing is fetched; download what you use.

Layouts, known by the paths alone:
- lmd_full: `0/0000799c….mid`, the folder is the first digit of the MD5.
- lmd_matched and lmd_aligned: `A/A/A/TRAAAGR128F425B14B/<md5>.mid`, the folder is the track
  of the Million Song Dataset. One MD5 may stand under several tracks; all are listed.
- clean_midi: `Artist/Song.2.mid`, which is how any folder is read.

Tables, taken where they lie: inside the folder or archive, or beside it.
- `md5_to_paths.json` (from the site): MD5 -> the names under which the file was found.
- `match_scores.json` (from the site): track -> MD5 -> confidence of the match, 0 to 1.
- `unique_tracks.txt` (84 MB, http://millionsongdataset.com, "Additional files"): lines of
  track<SEP>song<SEP>artist<SEP>title.
A matched file is named by `unique_tracks.txt` if that is there, else by `md5_to_paths.json`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from corpus import names
from corpus.sources import paths
from corpus.sources.lakh_places import TableFinder
from corpus.sources.lakh_tables import (
    MATCH_SCORES,
    MD5_TO_PATHS,
    UNIQUE_TRACKS,
    OriginalPaths,
    TrackNames,
    read_match_scores,
)

LICENSE = "CC BY 4.0 (Lakh MIDI Dataset, https://colinraffel.com/projects/lmd/)"
ARCHIVE_NAMES = ("lmd_full", "lmd_matched", "lmd_aligned", "clean_midi")

_MD5_FILE = re.compile(r"(?:^|/)([0-9a-f]{32})\.midi?(?:\.gz)?$", re.IGNORECASE)
_TRACK_FOLDER = re.compile(r"(?:^|/)(TR[A-Z]{5}[0-9A-F]{11})/[^/]+$")

# Folders that say where a file was found, not who plays: `H/`, `Midis Rock/`, `www.x.com_rip/`.
_PLACE = re.compile(
    r".|\d+|\d\ds?|[a-z] ?- ?[a-z]|top ?\d*|.*\bwww\..*|.*\.(?:com|net|org|de|uk)\b.*"
    r"|.*\b(?:midis?|mids?|karaoke|kar|downloads?|soundtracks?|unsorted|misc)\b.*"
    r"|va|various(?: artists?)?|unknown(?: artist)?|artists?|incoming|sequenced"
    r"|songs?|music|musica|files?|collections?|games?|themes?|films?|movies?|tv|covers?"
    r"|pop|rock|jazz|classical|classics?|country|blues|dance|disco|oldies|metal|folk|latin"
    r"|techno|house|reggae|soul|gospel|christmas|xmas",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[\W\d]*")  # `01 - Money.mid` counts, it names no artist.


def md5_of(path: str) -> str:
    """The MD5 that is a Lakh file's name, if its folder is Lakh's too; else empty."""
    match = _MD5_FILE.search(path)
    if match is None:
        return ""
    md5 = match[1].lower()
    folder = path[: match.start()].rpartition("/")[2]
    at_root = not folder or bool(paths.archive_stem(folder))
    is_lakh = at_root or folder.lower() == md5[0] or track_of(path)
    return md5 if is_lakh else ""


def track_of(path: str) -> str:
    """The track of the Million Song Dataset that is a matched file's folder; else empty."""
    match = _TRACK_FOLDER.search(path)
    return match[1] if match else ""


def license_of(source: str, path: str) -> str:
    """The license of Lakh's files, known by their layout or by the name of Lakh's archive."""
    return LICENSE if md5_of(path) or source in ARCHIVE_NAMES else ""


class LakhNames:
    """Artists and titles of Lakh's files; reads a table when it is first asked for."""

    def __init__(self, tables: TableFinder) -> None:
        self._tables = tables
        self._originals: OriginalPaths | None = None
        self._tracks: TrackNames | None = None
        self._scores: dict[tuple[str, str], float] | None = None

    def check(self, listed: Iterable[str]) -> None:
        """Reads what these paths need, so that a wrong table is an error before the work.

        Raises:
          ValueError: a table is damaged; the message names it.
        """
        kinds = {bool(track_of(path)) for path in listed if md5_of(path)}
        if kinds:
            self._original_paths()
        if True in kinds:
            self._track_names()
            self._match_scores()

    def artist_and_title(self, path: str) -> tuple[str, str] | None:
        """(artist, title), ("", MD5) for an unknown one; None where the path is not Lakh's."""
        md5 = md5_of(path)
        if not md5:
            return None
        track = track_of(path)
        found = self._track_names().get(track) if track else ("", "")
        return found if found[0] else _best_name(self._original_paths().get(md5)) or ("", md5)

    def match_score(self, path: str) -> float | None:
        """Confidence that a matched file is that track, 0 to 1; None where nobody says."""
        md5, track = md5_of(path), track_of(path)
        return self._match_scores().get((track, md5)) if md5 and track else None

    def _original_paths(self) -> OriginalPaths:
        if self._originals is None:
            self._originals = OriginalPaths(self._tables.read(MD5_TO_PATHS), MD5_TO_PATHS)
        return self._originals

    def _track_names(self) -> TrackNames:
        if self._tracks is None:
            self._tracks = TrackNames(self._tables.read(UNIQUE_TRACKS), UNIQUE_TRACKS)
        return self._tracks

    def _match_scores(self) -> dict[tuple[str, str], float]:
        if self._scores is None:
            self._scores = read_match_scores(self._tables.read(MATCH_SCORES), MATCH_SCORES)
        return self._scores

    def __getstate__(self) -> dict[str, object]:
        """Without the tables: they are large, and where they lie is known."""
        return {**self.__dict__, "_originals": None, "_tracks": None, "_scores": None}


def _best_name(originals: Iterable[str]) -> tuple[str, str] | None:
    """The artist whom most of the original paths name, and the title most of those give.

    A path names an artist as `Artist - Title.mid` in any folder, or as `Artist/Title.mid`
    where the folder is not merely a place (`H/`, `Midis Rock/`, `Various Artists/`). If no
    path does, the title alone is known. Votes are counted by key, so that `Beatles, The` and
    `beatles` are one artist; of the spellings the most frequent wins, then the first.
    """
    named = [name for path in originals if (name := _name_in(path))[1]]
    voters = [name for name in named if name[0]] or named
    if not voters:
        return None
    key = _winner(names.artist_key(artist) for artist, _ in voters)
    voters = [name for name in voters if names.artist_key(name[0]) == key]
    title_key = _winner(_title_key(title) for _, title in voters)
    titles = [title for _, title in voters if _title_key(title) == title_key]
    return _winner(artist for artist, _ in voters), _winner(sorted(titles, key=_blanks_last))


def _winner(votes: Iterable[str]) -> str:
    return Counter(votes).most_common(1)[0][0]


def _title_key(title: str) -> str:
    return re.sub(r"[\W_]+", "", title.casefold()) or title


def _blanks_last(title: str) -> int:
    """`Happiness is a warm gun` reads better than `HappinessIsAWarmGun`."""
    return -title.count(" ")


def _name_in(path: str) -> tuple[str, str]:
    """(artist or nothing, title) of one original path."""
    *folders, name = path.replace("\\", "/").split("/")
    title = names.split_version(paths.stem(name))[0]
    artist, dash, rest = title.partition(" - ")
    if dash and not _NUMBER.fullmatch(artist):
        return paths.tidy(artist), paths.tidy(rest)
    folder = paths.tidy(folders[-1]) if folders else ""
    title = rest if dash else title
    return ("" if _PLACE.fullmatch(folder) else folder), paths.tidy(title.replace("-", " "))
