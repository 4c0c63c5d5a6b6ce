"""Genres: the artists of the tracks -> who says which genres they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from corpus import genres, layout, names, reports, tables
from corpus.providers import Provider, open_provider
from corpus.providers.table import AMBIGUOUS, NO_GENRES, NO_MATCH
from corpus.records import ArtistGenres, StageReport, Track
from corpus.stages import ShardResult, Stage, Summary

_MAX_NEAREST_LOOKUPS = 200

_DETAILS = {
    NO_MATCH: "no provider knows the artist",
    AMBIGUOUS: "several artists of that name, with different genres",
    NO_GENRES: "the artist is known, but without a genre",
}


@dataclass(frozen=True)
class LookupPlan:
    """The artists that one provider is asked for; one plan a provider, so quotas hold."""

    name: str
    provider: str
    artists: tuple[str, ...]


class GenresStage(Stage[LookupPlan]):
    """Asks each provider for the genres of each distinct artist."""

    name = "genres"
    unit = "artists"
    advice = (
        "Check that GENRE_TABLE names the artists as the folders of SOURCE do; "
        "rejections.jsonl in the stage's folder lists the nearest names."
    )

    @property
    def folder(self) -> str:
        return self.layout.genres

    def settings(self) -> object:
        return self.config.genres.providers

    def _ingested(self) -> StageReport:
        return reports.require(self.layout.notesequences, "ingest")

    def _table(self) -> str:
        """The user's table, or the one that the source came with."""
        return self.config.genres.table or str(self._ingested().details["genre_table"])

    def _provider(self, name: str) -> Provider:
        return open_provider(name, self._table())

    def input_hash(self) -> str:
        asked = [self._provider(name).content_hash() for name in self.config.genres.providers]
        return reports.digest([self._ingested().output_hash, asked])

    def plan(self) -> list[LookupPlan]:
        tracks = tables.read_table(self.layout.tracks_table, Track)
        artists = tuple(sorted({track.artist for track in tracks}))
        return [LookupPlan(name, name, artists) for name in self.config.genres.providers]

    def run(self, work: LookupPlan) -> ShardResult:
        result = ShardResult(work.name)
        provider = self._provider(work.provider)
        result.rows = [row for artist in work.artists for row in provider.lookup(artist)]
        return result

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        order = {name: index for index, name in enumerate(self.config.genres.providers)}
        rows: list[ArtistGenres] = [row for result in results for row in result.rows]
        rows.sort(key=lambda row: (row.artist, order[row.provider], row.genre))
        digest = tables.write_table(self.layout.artist_genres_table, rows, ArtistGenres)
        by_artist: dict[str, list[ArtistGenres]] = {}
        for row in rows:
            by_artist.setdefault(row.artist, []).append(row)
        found = genres.genres_of_artists(rows)
        missed = ShardResult("missed")
        providers = [self._provider(name) for name in self.config.genres.providers]
        for artist, said in by_artist.items():
            if artist not in found:
                self._reject(artist, said, providers, missed)
        return Summary(
            inputs=len(by_artist),
            outputs=len(found),
            rejections=missed.rejections,
            files={layout.ARTIST_GENRES: digest},
            details={
                "genres": len({row.genre for row in rows if row.genre}),
                "providers": dict(Counter(row.provider for row in rows if row.genre)),
                "genre_table": self._table(),
                "tracks": self._ingested().output_hash,
            },
        )

    def _reject(
        self,
        artist: str,
        said: Sequence[ArtistGenres],
        providers: Sequence[Provider],
        result: ShardResult,
    ) -> None:
        status = next((row.status for row in said if row.status != NO_MATCH), NO_MATCH)
        detail = _DETAILS[status]
        if status == NO_MATCH and len(result.rejections) < _MAX_NEAREST_LOOKUPS:
            near = [name for provider in providers for name in provider.nearest(artist)]
            detail += f"; nearest names: {names.listed(near)}" if near else "; no name is near"
        result.reject(self.name, "", artist, status, detail)
