"""Where an artist's genres come from, what asking for the others would cost, and forgetting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from corpus import genres, labels, lookup, matching, names, reports, tables
from corpus.layout import Layout
from corpus.providers import calls_per_second, data_card, open_provider
from corpus.providers.cache import AnswerCache
from corpus.records import ArtistGenres, Track, TrackGenres
from corpus.stages.genres import GenresStage


def explain(place: Layout, name: str) -> list[str]:
    """The rows behind every label of an artist, as lines of text.

    Args:
      place: of the run.
      name: of the artist, in any spelling that the folders may have.

    Raises:
      ValueError: no such artist is in the corpus; the nearest are named.
    """
    rows = tables.read_table(place.artist_genres_table, ArtistGenres)
    tracks = tables.read_table(place.tracks_table, Track)
    known = sorted({track.artist for track in tracks})
    artists = [artist for artist in known if matching.grade(artist, name) >= matching.ACCEPT]
    if not artists:
        near = names.listed(names.nearest(name, known)) or "none is near"
        raise ValueError(f"no track is by {name!r}; nearest artists: {near}")
    said_of_tracks = tables.read_table(place.track_genres_table, TrackGenres)
    lines: list[str] = []
    for artist in artists:
        mine = [row for row in rows if row.artist == artist]
        own = {track.track_id: track for track in tracks if track.artist == artist}
        lines += [f"{artist}: {len(own)} tracks", *_labels(mine)]
        lines += _of_tracks((row for row in said_of_tracks if row.track_id in own), own)
    return lines


def _labels(rows: Sequence[ArtistGenres]) -> list[str]:
    lines = []
    for genre, sure, _ in labels.merge(rows):
        lines.append(f"  {genre} ({genres.family_of(genre)}): confidence {sure:.3f}")
        lines += [f"    {_told(row)}" for row in rows if row.genre == genre]
    lines += [f"  {row.provider}: {row.status}" for row in rows if not row.genre]
    return lines or ["  nobody was asked about this artist"]


def _told(row: ArtistGenres) -> str:
    named = f"{row.matched_name} {row.provider_id}".strip()
    dated = f", {row.retrieved_at}" if row.retrieved_at else ""
    license_ = f", license {row.license}" if row.license else ""
    return (
        f"{row.provider} (trust {labels.TRUST[row.provider]:g}) says so of {named!r}: "
        f"name {row.match_score:.3f}, weight {row.weight:.3f}{license_}{dated}"
    )


def _of_tracks(rows: Iterable[TrackGenres], own: dict[str, Track]) -> list[str]:
    return [
        f"  {own[row.track_id].path}: {row.genre}, {row.provider} {row.provider_id}, "
        f"match {row.match_score:.3f}, weight {row.weight:.3f}"
        for row in rows
    ]


def costs(stage: GenresStage) -> list[str]:
    """What asking each provider would take, without asking: one line a provider."""
    artists = sorted(set(stage.names_to_ask().values()))
    lines = [f"{len(artists)} artists to look up"]
    for name in stage.config.genres.providers:
        card = data_card(name)
        if not stage.provider_settings().needs_cache(name):
            lines.append(f"{name}: no calls. {card.terms}")
            continue
        with stage.cache() as cache:
            lines.append(f"{name}: {_cost(stage, name, cache, artists)}. {card.terms}")
    return lines


def _cost(stage: GenresStage, name: str, cache: AnswerCache, artists: Sequence[str]) -> str:
    settings = stage.provider_settings(cache)
    asked = lookup.missing(open_provider(name, settings), artists, cache)
    calls = math.ceil(len(asked) * data_card(name).requests_per_artist)
    text = f"{len(artists) - len(asked)} in the cache, {len(asked)} to ask, {calls} calls at most"
    left = settings.ledger(name).left()
    if left is None:
        minutes = math.ceil(calls / calls_per_second(name) / 60)
        return f"{text}, {minutes} minutes or so: {_days(math.ceil(minutes / 1440))}"
    budget = stage.config.genres.spotify_daily_calls
    days = 1 + math.ceil(max(calls - left, 0) / budget) if calls else 0
    return f"{text}, {left} of {budget} calls left today: {_days(days)}"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def purge(stage: GenresStage, provider: str) -> str:
    """Forgets what a provider said, in the cache and in the tables; the stage runs anew."""
    data_card(provider)
    with stage.cache() as cache:
        count = cache.purge(provider)
    report = reports.read(stage.folder)
    told = f"{provider}: {count} answers forgotten"
    if report is None or provider not in report.details["providers"]:  # type: ignore[operator]
        return told
    stage.clear()
    return f"{told}, and the tables that have its genres removed; run `make genres` without it"
