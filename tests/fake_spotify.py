"""Spotify on the loopback device: what it says, and a provider that asks it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from corpus.providers.base import (
    Answer,
)
from corpus.providers.cache import AnswerCache, Ledger
from corpus.providers.spotify import SpotifyProvider
from corpus.providers.web import PoliteSession
from tests.fake_services import Clock, FakeService, Reply, Request

CLIENT_ID, CLIENT_SECRET, TOKEN = "1d1d1d1d1d1d", "s3cr3ts3cr3t", "t0k3n-t0k3n"
SECRETS = (CLIENT_SECRET, TOKEN, base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode())
GRANTED = Reply(body={"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
ABSENT = object()

Searches = list[Reply] | Callable[[Request], Reply]


def artist(name: str, genres: Any = ABSENT, id_: str = "") -> dict[str, Any]:
    """An artist as the API gives it since 2026; `genres` may be absent."""
    id_ = id_ or f"id-of-{name}"
    item = {"name": name, "id": id_, "type": "artist", "uri": f"spotify:artist:{id_}", "images": []}
    return item if genres is ABSENT else {**item, "genres": genres}


def hits(*items: Any) -> Reply:
    page = {"items": items, "limit": 10, "offset": 0, "total": len(items), "next": None}
    return Reply(body={"artists": page})


def refusal(status: int, message: str, **more: str) -> Reply:
    return Reply(status, {"error": {"status": status, "message": message, **more}})


class Spotify:
    """A provider, the server that it asks, its ledger and its clock."""

    def __init__(
        self,
        server: FakeService,
        cache: AnswerCache,
        clock: Clock,
        budget: int,
        ids: dict[str, str],
    ) -> None:
        self.server, self.clock = server, clock
        self.ledger = Ledger(cache, "spotify", budget, clock)
        session = PoliteSession(
            "spotify",
            self.ledger,
            per_second=1000,
            timeout=0.5,
            json_only=True,
            sleep=clock.sleep,
            clock=clock,
        )
        self.provider = SpotifyProvider(
            self.ledger,
            session=session,
            base_url=server.url + "/v1",
            token_url=server.url + "/api/token",
            ids=ids,
        )

    def ask(self, name: str) -> Answer:
        (answer,) = self.provider.ask([name])
        return answer

    @property
    def queries(self) -> list[str]:
        """What was searched for."""
        return [r.query["q"] for r in self.server.requests if r.path == "/v1/search"]
