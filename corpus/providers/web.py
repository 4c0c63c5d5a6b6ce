"""Asking a web service with care: slowly, within a budget, and never after it said to stop.

`PoliteSession` is a `requests.Session`, so a client library that is given one (spotipy) has the
same manners. It differs from urllib3's own retries, which sleep for hours where a service
says `Retry-After: 86400`, and hide its status and headers.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from corpus.manners import DAY, hush, retry_after, user_agent
from corpus.providers.base import OutOfQuota, ProviderError
from corpus.providers.cache import Ledger

DOWN_AFTER = 5  # requests that failed in a row, each after all of its tries
_CHUNK = 1 << 16
_REDIRECTS = 5
_BACKOFF = tenacity.wait_exponential_jitter(initial=1, max=30, jitter=1)

_CHATTY = ("urllib3.connectionpool", "urllib3.connection", "spotipy.client", "spotipy.oauth2")


class ServiceError(Exception):
    """A service gave no usable reply to one request, after all tries; the next may succeed."""


class _TryAgainError(Exception):
    """One try failed. `wait`: seconds that the service asked for; `final`: raised at the end."""

    def __init__(self, why: str, wait: float | None = None, final: Exception | None = None):
        super().__init__(why)
        self.wait = wait
        self.final = final


class _BoundedAdapter(HTTPAdapter):
    """Reads every body at once, up to a size and within a time."""

    def __init__(self, max_bytes: int, seconds: float) -> None:
        super().__init__(max_retries=0)
        self._max_bytes, self._seconds = max_bytes, seconds

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        kwargs["stream"] = True
        reply = super().send(request, *args, **kwargs)
        try:
            # requests has no public way to hand over a body that was read with limits.
            reply._content = self._body(reply)
        except BaseException:
            reply.close()
            raise
        return reply

    def _body(self, reply: requests.Response) -> bytes:
        """The body. A service that sends a byte now and then is given up too.

        `read1` returns what is there; `iter_content` would wait for a whole chunk.
        """
        body, deadline = bytearray(), time.monotonic() + self._seconds
        while piece := reply.raw.read1(_CHUNK, decode_content=True):
            body += piece
            if len(body) > self._max_bytes:
                raise ServiceError(f"a reply of more than {self._max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise requests.ReadTimeout("the body took too long")
        return bytes(body)


class PoliteSession(requests.Session):
    """A session for one provider that keeps to its pace, its budget and its patience.

    Every call, also one that spotipy makes or a redirect causes, waits for its turn and is
    booked in the ledger before it goes out. Replies with a 4xx status other than 429 are
    returned. A 429, and a 503 with `Retry-After`, is waited for or ends the provider's run; a
    429 that never names a time ends it for a day. All else that is no success is retried.

    Args:
      provider: its name, for messages.
      ledger: where calls are booked.
      per_second: calls a second at most.
      timeout: seconds to connect, to the first byte, and for the whole body.
      max_bytes: a longer body is refused.
      max_tries: calls for one request at most.
      short_wait: seconds; a service that asks for a longer pause ends the provider's run.
      json_only: a reply with status 2xx that is no JSON counts as a failure.
      sleep, clock: for tests; the clock gives seconds since the epoch.
    """

    def __init__(
        self,
        provider: str,
        ledger: Ledger,
        *,
        per_second: float,
        timeout: float = 20.0,
        max_bytes: int = 8 << 20,
        max_tries: int = 5,
        short_wait: float = 60.0,
        json_only: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.provider = provider
        self.headers["User-Agent"] = user_agent()
        self.max_redirects = _REDIRECTS
        self.auth = lambda request: request  # else ~/.netrc would replace our credentials
        self._ledger = ledger
        self._interval = 1.0 / per_second
        self._timeout, self._short_wait = timeout, short_wait
        self._json_only = json_only
        self._sleep, self._clock = sleep, clock
        self._turn, self._last_call = threading.Lock(), -math.inf
        self._failures = 0
        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(max_tries),
            wait=self._pause,
            retry=tenacity.retry_if_exception_type(_TryAgainError),
            sleep=sleep,
            retry_error_callback=self._give_up,
        )
        for scheme in ("https://", "http://"):
            self.mount(scheme, _BoundedAdapter(max_bytes, timeout))
        hush(*_CHATTY)

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """The reply to a request, with its whole body read.

        Raises:
          ServiceError: no usable reply after all tries.
          OutOfQuota: the budget is spent, or the service wants a long pause.
          ProviderError: five requests in a row ended in ServiceError.
        """
        try:
            reply: requests.Response = self._retrying(self._try, method, url, *args, **kwargs)
        except ServiceError as error:
            raise self._counted(error) from None
        self._failures = 0
        return reply

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """One call, in its turn and booked."""
        kwargs["timeout"] = self._timeout  # a client library has its own idea of it
        self._wait_for_turn()
        self._ledger.take()
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where a reply sends us to: on the same host, and not from https to http.

        Raises:
          ServiceError: it is elsewhere.
        """
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        here, there = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
        if there.hostname != here.hostname or (here.scheme, there.scheme) == ("https", "http"):
            raise ServiceError(f"a redirect to {there.scheme}://{there.hostname}")
        return target

    def _wait_for_turn(self) -> None:
        with self._turn:
            wait = self._last_call + self._interval - self._clock()
            if wait > 0:
                self._sleep(min(wait, self._interval))  # the clock may have been set back
            self._last_call = self._clock()

    def _try(self, *args: Any, **kwargs: Any) -> requests.Response:
        """One try. Messages of the libraries are dropped, since they quote URLs and headers."""
        try:
            reply = super().request(*args, **kwargs)
        except requests.Timeout:
            raise _TryAgainError(f"no whole reply within {self._timeout:g} s") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise _TryAgainError(f"no connection ({type(error).__name__})") from None
        except (HTTPError, OSError) as error:
            if isinstance(error, requests.RequestException):
                raise ServiceError(f"no request ({type(error).__name__})") from None
            raise _TryAgainError(f"the reply broke off ({type(error).__name__})") from None
        return self._judged(reply)

    def _judged(self, reply: requests.Response) -> requests.Response:
        status = reply.status_code
        if status == 429 or (status == 503 and "Retry-After" in reply.headers):
            raise self._too_fast(reply)
        if status >= 500:
            raise _TryAgainError(f"status {status}")
        if self._json_only and reply.ok:
            try:
                json.loads(reply.content)
            except ValueError:
                raise ServiceError(f"status {status} with a body that is no JSON") from None
        return reply

    def _too_fast(self, reply: requests.Response) -> Exception:
        """What a service that asks for a pause is answered with: a pause, or the end."""
        wait = retry_after(reply.headers.get("Retry-After"), self._clock())
        spent = b"QUOTA_EXCEEDED" in reply.content
        if wait is not None and wait <= self._short_wait and not spent:
            return _TryAgainError(f"status {reply.status_code}", wait)
        resume_at = self._clock() + (DAY if wait is None else wait)
        when = datetime.fromtimestamp(resume_at, UTC)
        why = f"status {reply.status_code}, the service wants no call before"
        out = OutOfQuota(self.provider, resume_at, f"{why} {when:%Y-%m-%d %H:%M} UTC")
        if wait is None and not spent:
            return _TryAgainError(why, final=out)
        self._ledger.hold(resume_at)
        return out

    @staticmethod
    def _pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wait = error.wait if isinstance(error, _TryAgainError) else None
        return _BACKOFF(state) if wait is None else wait

    @staticmethod
    def _give_up(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _TryAgainError) and error.final:
            raise error.final
        raise ServiceError(f"{error} ({state.attempt_number} tries)")

    def _counted(self, error: ServiceError) -> Exception:
        self._failures += 1
        why = f"{self.provider}: {error}"
        if self._failures < DOWN_AFTER:
            return ServiceError(why)
        return ProviderError(
            f"{why}; it is down, or out of reach: {self._failures} requests in a row failed. "
            "What it said so far is kept: try again later"
        )
