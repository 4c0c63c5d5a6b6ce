"""Asking one provider about many artists: what is known already is not asked again.

Answers of services are kept in a cache, so that a run that is killed, or out of quota, goes on
where it stood. Artists that nobody knows by their whole name are asked for again by the names
of those who play together: "A & B", "A feat. B".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from corpus import matching
from corpus.providers.base import (
    ERROR,
    FOUND,
    NO_MATCH,
    Answer,
    OutOfQuota,
    Provider,
    ProviderError,
)
from corpus.providers.cache import AnswerCache

# What is said of one who plays along says less of the whole.
_PART_OF_WHOLE = 0.7


@dataclass(frozen=True)
class Dated:
    """An answer, and when it was given (ISO 8601, UTC; empty for what lies on disk)."""

    answer: Answer
    retrieved_at: str = ""


@dataclass
class Asked:
    """What came of asking a provider.

    Attributes:
      answers: artist -> answer.
      num_unasked: artists that are still to be asked.
      num_failed: artists whom the provider could not answer for; the next run asks again.
      resume_at: seconds since the epoch when that may go on; 0 where nothing is in the way.
      why: why some were not asked.
    """

    answers: dict[str, Dated] = field(default_factory=dict)
    num_unasked: int = 0
    num_failed: int = 0
    resume_at: float = 0.0
    why: str = ""


def utc_text(seconds: float) -> str:
    """Seconds since the epoch as a time that people and programs read."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(provider: Provider, artists: Sequence[str], cache: AnswerCache | None) -> Asked:
    """Asks a provider about artists, and then about the collaborators of those it does not know.

    Args:
      provider: whom to ask.
      artists: distinct names.
      cache: where answers of a service are kept; None for a provider without a network.
    """
    asked = Asked()
    _ask_each(provider, sorted(set(artists)), cache, asked)
    parts_of = {
        artist: parts
        for artist, dated in asked.answers.items()
        if dated.answer.status == NO_MATCH and (parts := matching.collaborators(artist))
    }
    parts = sorted({part for parts in parts_of.values() for part in parts} - set(asked.answers))
    if not asked.why:
        _ask_each(provider, parts, cache, asked)
    for artist, mine in parts_of.items():
        found = [asked.answers[part] for part in mine if part in asked.answers]
        if any(dated.answer.status == FOUND for dated in found):
            asked.answers[artist] = _joined(artist, found)
    asked.answers = {artist: asked.answers[artist] for artist in artists if artist in asked.answers}
    return asked


def missing(provider: Provider, artists: Iterable[str], cache: AnswerCache | None) -> list[str]:
    """The artists that the provider would be asked about over the network."""
    wanted = sorted(set(artists))
    if cache is None:
        return []
    known = cache.get(provider.name, provider.version, wanted)
    return [artist for artist in wanted if artist not in known]


def _ask_each(
    provider: Provider, artists: Sequence[str], cache: AnswerCache | None, asked: Asked
) -> None:
    """Adds an answer for each artist, as far as the provider goes."""
    if cache is None:
        for answer in provider.ask(artists):
            asked.answers[answer.artist] = Dated(answer)
        return
    wanted = missing(provider, artists, cache)
    done = 0
    try:
        while done < len(wanted):
            answers = provider.ask(wanted[done : done + provider.batch_size])
            cache.put(provider.name, provider.version, answers)
            failed = {a.artist: Dated(a) for a in answers if a.status == ERROR}
            asked.answers |= failed  # They are not served from the cache.
            asked.num_failed += len(failed)
            done += len(answers)
    except OutOfQuota as quota:
        asked.resume_at, asked.why = quota.resume_at, str(quota)
    except ProviderError as error:
        asked.why = f"{provider.name}: {error}"
    asked.num_unasked += len(wanted) - done
    for artist, (answer, fetched_at) in cache.get(provider.name, provider.version, artists).items():
        asked.answers[artist] = Dated(answer, utc_text(fetched_at))


def _joined(whole: str, parts: Sequence[Dated]) -> Dated:
    """One answer from those about the artists who play together."""
    found = [dated.answer for dated in parts if dated.answer.status == FOUND]
    weights: dict[str, float] = {}
    for answer in found:
        for genre, weight in answer.genres:
            weights[genre] = max(weights.get(genre, 0.0), weight)
    joined = dataclasses.replace(
        found[0],
        artist=whole,
        matched_name=" | ".join(answer.matched_name for answer in found),
        provider_id=" | ".join(answer.provider_id for answer in found).strip(" |"),
        match_score=round(_PART_OF_WHOLE * min(answer.match_score for answer in found), 6),
        genres=tuple(sorted(weights.items())),
    )
    return Dated(joined, max(dated.retrieved_at for dated in parts))
