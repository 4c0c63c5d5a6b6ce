"""Genres: the artists of the tracks, and the tracks -> who says which genres they have."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from corpus import (
    agreement,
    files,
    genre_rows,
    layout,
    lookup,
    matching,
    names,
    reports,
    tables,
    vocabulary,
)
from corpus.lookup import Asked
from corpus.overrides import Overrides, load_overrides
from corpus.providers import TRACK_PROVIDERS, ProviderSettings, open_provider, open_track_provider
from corpus.providers.base import AMBIGUOUS, ERROR, NO_GENRES, NO_MATCH
from corpus.providers.cache import AnswerCache
from corpus.records import ArtistGenres, StageReport, Track, TrackGenres
from corpus.stages import ShardResult, Stage, Summary

NOT_AN_ARTIST, NOT_ASKED = "not_an_artist", "not_asked_yet"

_MAX_NAMED = 50
_FAILED = "failed"  # in the report's details: answers that were none
_DETAILS = {
    NO_MATCH: "no provider knows the artist",
    AMBIGUOUS: "several artists of that name, with different genres",
    NO_GENRES: "the artist is known, but without a genre",
    ERROR: "a provider could not answer",
    NOT_AN_ARTIST: "the name is that of no artist; an entry in genres.overrides says otherwise",
    NOT_ASKED: "the providers were not asked about this artist yet",
}
# Why an artist has no genre: what comes first says most.
_ORDER = (AMBIGUOUS, NO_GENRES, ERROR, NOT_ASKED, NO_MATCH)


@functools.lru_cache(maxsize=1)
def _read_tracks(path: str, _: str) -> list[Track]:
    """The table of tracks, read once; the hash tells another corpus at the same path."""
    return tables.read_table(path, Track)


@dataclass(frozen=True)
class LookupPlan:
    """What one provider is asked; one plan a provider, so quotas hold on any number of workers."""

    name: str
    artists: tuple[str, ...]


class GenresStage(Stage[LookupPlan]):
    """Asks each provider for the genres of each distinct artist, or of each track."""

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
        return [dataclasses.replace(self.config.genres, cache=""), vocabulary.vocabulary_hash()]

    def _ingested(self) -> StageReport:
        return reports.require(self.layout.notesequences, "ingest")

    @functools.cached_property
    def _overrides(self) -> Overrides:
        return load_overrides(self.config.genres.overrides)

    def provider_settings(self, cache: AnswerCache | None = None) -> ProviderSettings:
        """What the providers are opened with."""
        # The user's table, or the one that the source came with.
        table = self.config.genres.table or str(self._ingested().details["genre_table"])
        return ProviderSettings(self.config.genres, table, self._overrides, cache)

    def input_hash(self) -> str:
        settings = self.provider_settings()
        said = [settings.content_hash(name) for name in self.config.genres.providers]
        return reports.digest([self._ingested().output_hash, said, self._overrides.content_hash()])

    def done(self) -> StageReport | None:
        report = super().done()
        # Who was not asked, or could not be answered for, is asked again.
        is_open = report and {reports.UNASKED, _FAILED} & report.details.keys()
        return None if is_open else report

    def tracks(self) -> list[Track]:
        """All tracks that were read."""
        return _read_tracks(self.layout.tracks_table, self._ingested().output_hash)

    def artists(self) -> list[str]:
        """The distinct artists of the tracks."""
        return sorted({track.artist for track in self.tracks()})

    def names_to_ask(self) -> dict[str, str]:
        """Artist -> the name to ask for, without those that are settled or no artists."""
        asked = {}
        for artist in self.artists():
            by_hand = self._overrides.of(artist)
            if by_hand.genres or not self._is_artist(artist):
                continue
            asked[artist] = by_hand.name or artist
        return asked

    def _is_artist(self, artist: str) -> bool:
        by_hand = self._overrides.of(artist).is_artist
        return matching.is_artist(artist) if by_hand is None else by_hand

    def cache(self) -> AnswerCache:
        """The answers that services gave. A local file, also where DATA is in an object store."""
        path = self.config.genres.cache or files.join(self.folder, layout.CACHE)
        if files.is_remote(path):
            raise ValueError(
                f"genres.cache must be a local file, since DATA is {self.config.data}; give "
                "SET='--set genres.cache=answers.sqlite'"
            )
        files.require_writable(os.path.dirname(path) or ".")
        return AnswerCache(path)

    def plan(self) -> list[LookupPlan]:
        artists = tuple(sorted(set(self.names_to_ask().values())))
        return [LookupPlan(name, artists) for name in self.config.genres.providers]

    def run(self, work: LookupPlan) -> ShardResult:
        result = ShardResult(work.name)
        if work.name in TRACK_PROVIDERS:
            result.rows = self._rows_of_tracks(work.name)
        elif self.provider_settings().needs_cache(work.name):
            with self.cache() as cache:
                provider = open_provider(work.name, self.provider_settings(cache))
                result.rows = [lookup.ask(provider, work.artists, cache)]
        else:
            provider = open_provider(work.name, self.provider_settings())
            result.rows = [lookup.ask(provider, work.artists, None)]
        return result

    def _rows_of_tracks(self, name: str) -> list[TrackGenres]:
        provider = open_track_provider(name, self.provider_settings())
        return [
            TrackGenres(
                track_id=track.track_id,
                provider=name,
                provider_id=answer.provider_id,
                match_score=answer.match_score,
                genre=vocabulary.canonical(answer.genre),
                weight=answer.weight,
                license=provider.license,
                retrieved_at="",
            )
            for track in self.tracks()
            for answer in provider.labels(track.md5, track.path)
        ]

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        asked = {r.name: r.rows[0] for r in results if r.rows and isinstance(r.rows[0], Asked)}
        of_tracks = [row for r in results for row in r.rows if isinstance(row, TrackGenres)]
        to_ask = self.names_to_ask()
        labelled = {row.track_id for row in of_tracks}
        by_track = {track.artist for track in self.tracks() if track.track_id in labelled}
        rows: list[ArtistGenres] = []
        missed = ShardResult("missed")
        num_found = 0
        for artist in self.artists():
            said = self._rows_of(artist, to_ask, asked)
            rows += said
            if artist in by_track or any(row.genre for row in said):
                num_found += 1
            else:
                self._reject(artist, to_ask, asked, said, missed)
        written = {
            layout.ARTIST_GENRES: tables.write_table(
                self.layout.artist_genres_table, rows, ArtistGenres
            ),
            layout.TRACK_GENRES: tables.write_table(
                self.layout.track_genres_table, of_tracks, TrackGenres
            ),
            layout.REVIEW: files.write_bytes(
                files.join(self.folder, layout.REVIEW), _review(asked, to_ask)
            ),
        }
        details = self._details(rows, of_tracks, asked)
        total = num_found + len(missed.rejections)
        return Summary(total, num_found, missed.rejections, written, details)

    def _rows_of(
        self, artist: str, to_ask: Mapping[str, str], asked: Mapping[str, Asked]
    ) -> list[ArtistGenres]:
        if by_hand := self._overrides.of(artist).genres:
            return genre_rows.rows_by_hand(artist, by_hand)
        if artist not in to_ask:
            return []
        return [
            row
            for name in self.config.genres.providers
            if name in asked and (dated := asked[name].answers.get(to_ask[artist]))
            for row in genre_rows.rows_of(artist, name, dated)
        ]

    def _details(
        self,
        rows: Sequence[ArtistGenres],
        of_tracks: Sequence[TrackGenres],
        asked: Mapping[str, Asked],
    ) -> dict[str, object]:
        labels = [row for row in rows if row.genre]
        counts = Counter(row.genre for row in labels) + Counter(row.genre for row in of_tracks)
        agreed = agreement.agreement(rows)
        unmapped = vocabulary.unmapped(counts)
        details: dict[str, object] = {
            "genres": len(counts),
            "providers": dict(
                Counter(row.provider for row in labels) + Counter(r.provider for r in of_tracks)
            ),
            "agreement": agreed,
            "unmapped": dict(unmapped[:_MAX_NAMED]),
            "genre_table": self.provider_settings().table,
            "tracks": self._ingested().output_hash,
        }
        notes = _notes(asked, agreed, unmapped)
        notes += self.provider_settings().warnings(self.config.genres.providers)
        if unasked := sum(a.num_unasked for a in asked.values()):
            details[reports.UNASKED] = unasked
        if failed := sum(a.num_failed for a in asked.values()):
            details[_FAILED] = failed
            notes.append(f"{failed} artists could not be looked up; the next run asks again")
        if resume := max((a.resume_at for a in asked.values()), default=0.0):
            details[reports.RESUME_AFTER] = lookup.utc_text(resume)
            notes.append(f"resume after {lookup.utc_text(resume)}: run the same command again")
        return details | {"notes": notes}

    def _reject(
        self,
        artist: str,
        to_ask: Mapping[str, str],
        asked: Mapping[str, Asked],
        said: Sequence[ArtistGenres],
        missed: ShardResult,
    ) -> None:
        answers = [a.answers.get(to_ask.get(artist, "")) for a in asked.values()]
        statuses = {row.status for row in said}
        if any(answer is None for answer in answers):
            statuses.add(NOT_ASKED)
        reason = next((status for status in _ORDER if status in statuses), NO_MATCH)
        if artist not in to_ask:
            reason = NOT_AN_ARTIST
        detail = _DETAILS[reason]
        near = [c.name for d in answers if d for c in d.answer.candidates]
        errors = [d.answer.detail for d in answers if d and d.answer.detail]
        if reason == ERROR and errors:
            detail += f": {errors[0]}"
        elif reason == NO_MATCH:
            near = list(dict.fromkeys(near))
            detail += f"; nearest names: {names.listed(near, 3)}" if near else "; no name is near"
        missed.reject(self.name, "", artist, reason, detail)


def _notes(
    asked: Mapping[str, Asked],
    agreed: Mapping[str, Mapping[str, float]],
    unmapped: Sequence[tuple[str, int]],
) -> list[str]:
    """What a user should know of the answers, in sentences."""
    notes = [
        f"{a.why}; {a.num_unasked} artists are still to be asked" for a in asked.values() if a.why
    ]
    notes += [
        f"{pair} agree by Cohen's kappa: {names.listed(_told(kappas), 6)}"
        for pair, kappas in agreed.items()
    ]
    if unmapped:
        told = names.listed([f"{genre} ({count})" for genre, count in unmapped], 6)
        notes.append(f"{len(unmapped)} genres are not in genres.toml: {told}")
    return notes


def _told(kappas: Mapping[str, float]) -> list[str]:
    """Families with their kappa, those in doubt first."""
    ordered = sorted(kappas.items(), key=lambda item: (item[1], item[0]))
    return [f"{family} {kappa:.2f}" for family, kappa in ordered]


def _review(asked: Mapping[str, Asked], to_ask: Mapping[str, str]) -> bytes:
    """CSV of the names that are near, but not near enough to be taken without a look."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["artist", "provider", "status", "candidate", "provider_id", "score"])
    for name, found in asked.items():
        writer.writerows(_review_rows(name, found, to_ask.items()))
    return out.getvalue().encode("utf-8", "backslashreplace")


def _review_rows(
    provider: str, found: Asked, to_ask: Iterable[tuple[str, str]]
) -> Iterable[tuple[str, ...]]:
    for artist, name in to_ask:
        dated = found.answers.get(name)
        if dated and dated.answer.status in (NO_MATCH, AMBIGUOUS):
            for each in dated.answer.candidates:
                if 100 * each.score >= matching.REVIEW:
                    row = (artist, provider, dated.answer.status, each.name, each.provider_id)
                    yield (*row, f"{each.score:.3f}")
