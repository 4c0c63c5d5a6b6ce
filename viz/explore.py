"""`python -m viz.explore`: pages of every genre's pieces, to see and to hear.

Writes explore/index.html, and for each genre pages of twenty pieces: piano roll, sound, facts and
labels, and what every encoding makes of them.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from corpus import command, files, layout, names, reports, tables
from corpus.config import Config
from corpus.encodings import ENCODINGS
from corpus.layout import Layout
from corpus.records import GenreLabel, Rejection, StageReport, Track
from viz import encoded, explore_index, explore_pieces, page, pieces
from viz.encoded import ReadPiece
from viz.explore_pieces import PIECES_A_PAGE, Genre
from viz.pieces import Member

_OURS = re.compile(r"^(?:index|[a-z0-9_-]+-\d+)\.html$")
_STATIC = ("base.css", "explore.css", "explore.js", "player.js", "theme.js")
_NOT_CHOSEN = "not_chosen"


@dataclass(frozen=True)
class _Read:
    """What was read of the chosen pieces.

    Attributes:
      members: subset -> all its members.
      pieces: subset -> the chosen ones that could be read.
      rejections: the others, chosen or not.
    """

    tracks: list[Track]
    labels: list[GenreLabel]
    members: dict[str, list[Member]]
    pieces: dict[str, list[tuple[Member, ReadPiece]]]
    rejections: list[Rejection]


def make(config: Config) -> tuple[StageReport, bool]:
    """Writes the pages unless they are there already; returns the report and whether they were.

    Raises:
      ValueError: a stage before has not finished, or no track stands in a subset.
    """
    place = Layout(config.data)
    input_hash, config_hash = _input_hash(place), _config_hash(config)
    done = reports.done(place.explore, config_hash, input_hash, force=config.force)
    if done is not None:
        return done, True
    started = time.monotonic()
    found = _read(config, place)
    written = dict(_pages(config, found))
    _clear(place.explore)
    hashes = {
        name: files.write_bytes(files.join(place.explore, name), content.encode())
        for name, content in written.items()
    }
    rejected = files.join(place.explore, layout.REJECTIONS)
    hashes[layout.REJECTIONS] = tables.write_rejections(rejected, found.rejections)
    report = StageReport(
        stage="explore",
        unit="pieces",
        config_hash=config_hash,
        input_hash=input_hash,
        versions=_versions(),
        inputs=sum(map(len, found.members.values())),
        outputs=sum(map(len, found.pieces.values())),
        rejected=reports.count_reasons(found.rejections),
        seconds=round(time.monotonic() - started, 3),
        files=hashes,
        details={"shown": {name: len(mine) for name, mine in found.pieces.items()}},
    )
    reports.write(place.explore, report)
    return report, False


def _input_hash(place: Layout) -> str:
    ingested = reports.require(place.notesequences, "ingest")
    subsets = reports.require(place.subsets, "subsets")
    return reports.digest([ingested.output_hash, subsets.output_hash])


def _config_hash(config: Config) -> str:
    shaping = [config.viz.pieces_per_genre, config.seed, config.examples.way]
    chosen = [encoded.asked_for(config), config.examples.encoding, config.examples.settings]
    return reports.digest([*shaping, *chosen, _versions(), *map(page.static, _STATIC)])


def _versions() -> dict[str, str]:
    return reports.versions("numpy", "numba", "pretty_midi")


def _read(config: Config, place: Layout) -> _Read:
    tracks = tables.read_table(place.tracks_table, Track)
    labels = tables.read_table(place.labels_table, GenreLabel)
    made = reports.require(place.subsets, "subsets").details.get("subsets")
    order = list(made) if isinstance(made, dict) else []
    members = pieces.members(tracks, labels, order)
    if not members:
        raise ValueError(
            f"{place.labels_table}: none of {len(tracks)} tracks is in a subset; ask `make "
            "subsets` for genres that tracks have"
        )
    chosen = {
        name: pieces.choose(mine, config.viz.pieces_per_genre, config.seed)
        for name, mine in members.items()
    }
    read = _read_once(config, place, chosen)
    shown: dict[str, list[tuple[Member, ReadPiece]]] = {}
    rejections = list(_not_chosen(members, chosen, config))
    for name, mine in chosen.items():
        pairs = [(member, read[member.track.track_id]) for member in mine]
        shown[name] = [(member, piece) for member, piece in pairs if not piece.reason]
        rejections += [_rejection(m, p.reason, p.detail) for m, p in pairs if p.reason]
    return _Read(tracks, labels, members, shown, rejections)


def _read_once(
    config: Config, place: Layout, chosen: Mapping[str, Sequence[Member]]
) -> dict[str, ReadPiece]:
    """track_id -> what was read; a track of two genres is read once."""
    tracks = {m.track.track_id: m.track for mine in chosen.values() for m in mine}
    places = [(files.join(place.notesequences, t.shard), t.offset) for t in tracks.values()]
    return dict(zip(tracks, encoded.read_all(config, places), strict=True))


def _not_chosen(
    members: Mapping[str, Sequence[Member]], chosen: Mapping[str, Sequence[Member]], config: Config
) -> Iterator[Rejection]:
    detail = f"viz.pieces_per_genre = {config.viz.pieces_per_genre}"
    for name, mine in members.items():
        kept = {member.track.track_id for member in chosen[name]}
        for member in mine:
            if member.track.track_id not in kept:
                yield _rejection(member, _NOT_CHOSEN, detail)


def _rejection(member: Member, reason: str, detail: str) -> Rejection:
    track = member.track
    path = f"{track.path}#{track.tune}" if track.tune else track.path
    return Rejection("explore", track.source, path, reason, f"{member.subset}: {detail}")


def _pages(config: Config, found: _Read) -> Iterator[tuple[str, str]]:
    """File name -> page."""
    first_pages: dict[str, str] = {}
    for name, mine in found.pieces.items():
        count = -(-len(mine) // PIECES_A_PAGE)
        listed = [f"{names.slug(name)}-{at + 1}.html" for at in range(count)]
        first_pages[name] = listed[0] if listed else ""
        genre = Genre(name, len(found.members[name]), len(mine), listed, config.examples.way)
        for at, file_name in enumerate(listed):
            few = mine[at * PIECES_A_PAGE : (at + 1) * PIECES_A_PAGE]
            yield file_name, explore_pieces.render(genre, at, few)
    shown = {name: len(mine) for name, mine in found.pieces.items()}
    yield (
        layout.INDEX_PAGE,
        explore_index.render(
            found.members,
            shown,
            first_pages,
            found.tracks,
            found.labels,
            _missing(config),
        ),
    )


def _missing(config: Config) -> list[str]:
    """Encodings that the pieces are not shown in."""
    asked = encoded.asked_for(config)
    return [name for name in ENCODINGS if name not in asked]


def _clear(folder: str) -> None:
    """Removes what an earlier run left, pages of a run that was killed too."""
    reports.clear(folder)
    for name in files.list_names(folder):
        if _OURS.match(name):
            files.delete(files.join(folder, name))


def main(argv: Sequence[str]) -> int:
    """Writes the pages; returns the exit code."""
    parser = command.parser("viz.explore", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    report, skipped = make(config)
    command.announce(report, skipped=skipped)
    print(f"page: {files.join(Layout(config.data).explore, layout.INDEX_PAGE)}")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
