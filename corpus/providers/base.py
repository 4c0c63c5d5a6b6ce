"""What every provider of genres gives, and how it says that it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

FOUND, NO_MATCH, AMBIGUOUS, NO_GENRES, ERROR = (
    "found", "no_match", "ambiguous", "no_genres", "error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artist that a provider knows and that may be the one asked for; `score` is 0..1."""

    name: str
    provider_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What one provider says of one artist.

    Attributes:
      artist: as it was asked for.
      status: FOUND, NO_MATCH, AMBIGUOUS, NO_GENRES or ERROR.
      matched_name, provider_id: the provider's own; empty where nothing matched.
      match_score: how alike the names are, 0..1; 1 for one and the same name.
      genres: (genre, weight 0..1), as the provider spells them; empty unless FOUND.
      license: of these labels.
      aliases: other names of the matched artist.
      candidates: names that were near but not near enough, or equally near, best first.
      detail: what went wrong, for ERROR.
    """

    artist: str
    status: str
    matched_name: str = ""
    provider_id: str = ""
    match_score: float = 0.0
    genres: tuple[tuple[str, float], ...] = ()
    license: str = ""
    aliases: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    detail: str = ""


class Provider(Protocol):
    """A source of genre labels for artists.

    Attributes:
      name: key in PROVIDERS; goes into every row.
      terms: one sentence on what may be done with its labels, for users to read.
      license: of its labels.
      version: changes when the same reply would be read differently; old answers are asked anew.
      requests_per_artist: calls over the network that an artist costs at most; 0 for none.
      batch_size: how many artists one `ask` takes at most.
    """

    name: str
    terms: str
    license: str
    version: str
    requests_per_artist: float
    batch_size: int

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        """One answer for each artist, in their order.

        Raises:
          OutOfQuota: the provider must not be asked again before a time.
          ProviderError: it cannot be asked at all.
        """


class OutOfQuota(Exception):  # noqa: N818 (it is no error: the run goes on later)
    """A provider must not be asked again before `resume_at`, in seconds since the epoch."""

    def __init__(self, provider: str, resume_at: float, why: str) -> None:
        super().__init__(f"{provider}: {why}")
        self.provider = provider
        self.resume_at = resume_at
        self.why = why


class ProviderError(Exception):
    """A provider cannot be asked: no credentials, wrong ones, no right to."""
