"""What services have in common: spellings to ask for, replies in JSON, and who of many is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from corpus.matching import Match, best
from corpus.providers.base import AMBIGUOUS, FOUND, Answer, Candidate, ProviderError
from corpus.providers.web import ServiceError

_BY_FAR = 4
# `Collins, Phil` and `Beatles, The`, but neither `Earth, Wind & Fire` nor `Tyler, The Creator`.
_INVERTED = re.compile(
    r"(?P<last>[^,]+),\s*+(?P<first>(?!(?:the|a|an)\s)(?!.*(?:[&+;/]|\band\b))[^,]+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An artist as a service knows it; the aliases count less than the name.

    `votes` says how many people have said which genres it has; a service that does not count
    them says 1.
    """

    provider_id: str
    name: str
    aliases: tuple[str, ...] = ()
    votes: int = 0


def spellings(artist: str) -> list[str]:
    """How services may write a name: as given, and `Collins, Phil` or `Beatles, The` turned round.

    Blanks, underscores and signs that cannot be printed become single spaces.
    """
    text = "".join(c if c.isprintable() and c != "_" else " " for c in artist)
    text = " ".join(text.split())
    inverted = _INVERTED.match(text)
    turned = f"{inverted['first']} {inverted['last']}" if inverted else text
    return list(dict.fromkeys((text, turned))) if text else []


def fetch_json(
    session: requests.Session, method: str, url: str, *, reads: Sequence[int] = (200,), **sent: Any
) -> Any:
    """What a service answers; None for status 404, that there is no such thing.

    Args:
      session: makes the call.
      method: of HTTP.
      url: without anything secret.
      reads: statuses whose body is the answer.
      **sent: for `session.request`.

    Raises:
      ServiceError: no answer, another status, or no JSON. The message holds neither the
        address nor what was sent, because keys may stand there.
      ProviderError: the service refuses to be asked.
      OutOfQuota: by the session.
    """
    try:
        response = session.request(method, url, **sent)
    except requests.RequestException as error:
        raise ServiceError(f"no reply: {type(error).__name__}") from None
    if response.status_code not in reads:
        return _without_answer(response.status_code)
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise ServiceError("the reply is cut off or not JSON") from None


def _without_answer(status: int) -> None:
    if status in (401, 403):
        raise ProviderError(f"the service refuses to be asked (HTTP {status})")
    if status != 404:
        raise ServiceError(f"HTTP {status}")


def records(reply: Any, key: str) -> list[dict[str, Any]]:
    """The objects in a reply's list; none where it has another shape."""
    found = reply.get(key) if isinstance(reply, dict) else None
    found = [found] if isinstance(found, dict) else found  # some write a list of one so
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text_of(record: Mapping[str, Any], key: str) -> str:
    """A text in a reply; empty where it is missing or something else."""
    value = record.get(key)
    return value.strip() if isinstance(value, str) else ""


def verify(artist: str, entries: Iterable[Entry]) -> Answer:
    """Which of a service's artists is the one asked for; their order never counts.

    Of several that are named alike, the one is meant of whose genres people have said by far the
    most: a band of a MIDI corpus is known. Else they are AMBIGUOUS.

    Returns:
      FOUND without genres yet, or AMBIGUOUS or NO_MATCH with the candidates.
    """
    listed = list({entry.provider_id: entry for entry in entries if entry.name}.values())
    match = best(artist, [(entry.name, entry.aliases) for entry in listed])
    meant = [listed[match.index]] if match.status == FOUND else []
    if match.status == AMBIGUOUS:
        meant = _known_best([listed[index] for index in match.indices])
    if len(meant) != 1:
        return Answer(artist, match.status, candidates=_candidates(listed, match))
    entry = meant[0]
    return Answer(artist, FOUND, entry.name, entry.provider_id, match.score, aliases=entry.aliases)


def _known_best(entries: Sequence[Entry]) -> list[Entry]:
    first, second = sorted(entries, key=lambda entry: -entry.votes)[:2]
    return [first] if first.votes > _BY_FAR * second.votes else []


def _candidates(entries: Sequence[Entry], match: Match) -> tuple[Candidate, ...]:
    found = [
        Candidate(entries[index].name, entries[index].provider_id, score)
        for index, score in match.candidates
    ]
    return tuple(sorted(found, key=lambda c: (-c.score, c.name, c.provider_id)))
