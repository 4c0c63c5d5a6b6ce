"""What the tables say of a genre: how many tracks, how fast, how long, in which keys, who plays."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pretty_midi import constants

from corpus.records import SPLITS, GenreLabel, Track
from viz.charts import Chart
from viz.pieces import Member

DRUMS = "Drums"

_SLOWEST, _FASTEST, _TEMPO_STEP = 60, 200, 10
_LONGEST = 9
_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SPELLED = {"Db": "C#", "G#": "Ab", "D#": "Eb", "Gb": "F#", "A#": "Bb"}
_MODES = ("major", "minor")
_NUM_INSTRUMENTS = 8
_PROGRAMS_A_CLASS = 8


@dataclass(frozen=True)
class GenreFacts:
    """Of the members of one subset.

    Attributes:
      hours: of music.
      median_qpm: the median of the tracks' tempos, quarter notes per minute.
      median_minutes: of the tracks' lengths.
      keys: key -> tracks, the most frequent first; without a key under "".
      instruments: class of General MIDI, or `Drums` -> tracks that have it, most first.
      splits: split -> tracks.
    """

    subset: str
    tracks: int
    artists: int
    hours: float
    median_qpm: float
    median_minutes: float
    keys: dict[str, int]
    instruments: dict[str, int]
    splits: dict[str, int]


def of_genre(subset: str, members: Sequence[Member]) -> GenreFacts:
    """The facts of a subset that has a member."""
    tracks = [member.track for member in members]
    splits = Counter(member.split for member in members)
    return GenreFacts(
        subset=subset,
        tracks=len(tracks),
        artists=len({track.artist for track in tracks}),
        hours=sum(track.seconds for track in tracks) / 3600,
        median_qpm=statistics.median(track.median_qpm for track in tracks),
        median_minutes=statistics.median(track.seconds for track in tracks) / 60,
        keys=_most_first(Counter(track.key for track in tracks)),
        instruments=_most_first(Counter(kind for track in tracks for kind in kinds(track))),
        splits={split: splits[split] for split in SPLITS},
    )


def kinds(track: Track) -> set[str]:
    """General MIDI's classes of the instruments of a track, and `Drums`."""
    classes = constants.INSTRUMENT_CLASSES
    found = {classes[p // _PROGRAMS_A_CLASS] for p in track.programs if 0 <= p < 128}
    return found | ({DRUMS} if track.has_drums else set())


def instruments(track: Track) -> list[str]:
    """Names of the instruments of a track, drums last."""
    names = [constants.INSTRUMENT_MAP[p] for p in track.programs if 0 <= p < 128]
    return [*names, *([DRUMS] if track.has_drums else [])]


def tempo_chart(tracks: Sequence[Track]) -> Chart:
    """How many tracks are so fast."""
    edges = range(_SLOWEST, _FASTEST, _TEMPO_STEP)
    names = [f"under {_SLOWEST}", *(f"{e} to {e + _TEMPO_STEP}" for e in edges), f"{_FASTEST} up"]
    counts = Counter(_tempo_bin(track.median_qpm) for track in tracks)
    shorts = [f"<{_SLOWEST}", *map(str, edges), f"{_FASTEST}+"]
    values = [counts[at] for at in range(len(names))]
    return Chart("Tempo, quarter notes a minute", names, {"": values}, "tracks", shorts)


def length_chart(tracks: Sequence[Track]) -> Chart:
    """How many tracks are so long."""
    names = [*(f"{m} to {m + 1} min" for m in range(_LONGEST)), f"{_LONGEST} min up"]
    counts = Counter(min(int(track.seconds // 60), _LONGEST) for track in tracks)
    shorts = [*map(str, range(_LONGEST)), f"{_LONGEST}+"]
    values = [counts[at] for at in range(len(names))]
    return Chart("Length, minutes", names, {"": values}, "tracks", shorts)


def key_chart(tracks: Sequence[Track]) -> Chart:
    """How many tracks are in which key, as their notes tell."""
    counts: Counter[tuple[str, str]] = Counter()
    for track in tracks:
        tonic, _, mode = track.key.partition(" ")
        counts[_SPELLED.get(tonic, tonic), mode] += 1
    series = {mode: [counts[tonic, mode] for tonic in _TONICS] for mode in _MODES}
    return Chart("Key", _TONICS, dict(series), "tracks")


def instrument_chart(facts: GenreFacts) -> Chart:
    """Which share of the tracks has which instruments."""
    shown = dict(list(facts.instruments.items())[:_NUM_INSTRUMENTS])
    shares = [round(100 * count / facts.tracks) for count in shown.values()]
    return Chart("Instruments, share of tracks", list(shown), {"": shares}, "% of tracks")


@dataclass(frozen=True)
class LabelCount:
    """A genre of the corpus, in a subset or not."""

    genre: str
    family: str
    tracks: int
    artists: int


def label_counts(tracks: Iterable[Track], labels: Iterable[GenreLabel]) -> list[LabelCount]:
    """Every genre that a track carries, with most tracks first."""
    artists = {track.track_id: track.artist for track in tracks}
    carried: dict[tuple[str, str], set[str]] = defaultdict(set)
    for label in labels:
        carried[label.genre, label.family].add(label.track_id)
    counts = [
        LabelCount(genre, family, len(ids), len({artists.get(track_id) for track_id in ids}))
        for (genre, family), ids in carried.items()
    ]
    return sorted(counts, key=lambda count: (-count.tracks, count.genre))


def _tempo_bin(qpm: float) -> int:
    bounded = min(max(qpm, _SLOWEST - _TEMPO_STEP), _FASTEST)
    return int((bounded - _SLOWEST) // _TEMPO_STEP) + 1


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
