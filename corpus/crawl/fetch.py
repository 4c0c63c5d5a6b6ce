"""One host, one request at a time: paced, bounded, tried again, and never after it said stop."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import requests
import tenacity
from urllib3.exceptions import HTTPError, ReadTimeoutError

from corpus import manners
from corpus.crawl.connection import GuardedAdapter, PrivateAddressError
from corpus.crawl.hosts import DailyLimits, HostBook, HostPaused, utc
from corpus.crawl.pace import Pace

_CHUNK = 1 << 16
_NONE: Mapping[str, str] = MappingProxyType({})
_BACKOFF = tenacity.wait_exponential_jitter(initial=1, max=30, jitter=1)
_LONGEST_SLEEP = 60.0  # seconds; a host that asks for a longer pause is left for a later run
_AFTER_ABANDONED = 2.0  # seconds until the server has noticed that we hung up
_SLOWEST = 1000.0  # bytes a second of a download
_SLOW_FOR = 60.0  # seconds
_NUMBER = re.compile(r"[0-9]{1,18}")

# So many addresses in a row, each after all of its tries, and the host counts as down.
_NO_ANSWERS, _TOO_FAST, _BAD_ANSWERS = 5, 3, 50

manners.hush("urllib3.connectionpool", "urllib3.connection")

_Result = TypeVar("_Result")


class PageFailedError(Exception):
    """One address that gave nothing.

    Attributes:
      reason, detail: as in a rejection.
      again: whether a later run should try again.
      wait: seconds that the server asked for before the next try; None where it did not.
    """

    def __init__(
        self, reason: str, detail: str, *, again: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.again, self.wait = reason, detail, again, wait


class _TryAgainError(Exception):
    """One try failed. `wait`: seconds that the server asked for; `patience`: see _NO_ANSWERS."""

    def __init__(
        self, reason: str, detail: str, patience: int = _NO_ANSWERS, wait: float | None = None
    ) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.patience, self.wait = reason, detail, patience, wait


@dataclass(frozen=True)
class Limits:
    """What one request may cost.

    Attributes:
      timeout: seconds to connect, and to wait for the next bytes.
      seconds: for the head of a reply, and for a whole body.
      tries: requests for one address at most.
    """

    timeout: float = 20.0
    seconds: float = 60.0
    tries: int = 3


@dataclass(frozen=True)
class Head:
    """A reply without its body; names of headers as the server spells them, in its order.

    `sent` are the headers of the request, without the cookie.
    """

    url: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    sent: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str:
        """The first header of that name, in any case; empty if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True)
class Reply:
    """A reply with its body; any packing for the way is taken off."""

    head: Head
    body: bytes


# Gets a reply's head; gives what takes the pieces of its body, None to leave the body unread.
OpenSink = Callable[[Head], Callable[[bytes], object] | None]


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wait = error.wait if isinstance(error, _TryAgainError) else None
    return _BACKOFF(state) if wait is None else wait


class Fetcher:
    """Asks one host.

    Args:
      pace: whose turn it is when.
      book: where requests are booked.
      daily: what the host may be asked in 24 hours.
      limits: what one request may cost.
      private_hosts: host names that may have private addresses.
      cookie: the user's own session, sent to this host alone, and never kept.
    """

    def __init__(
        self,
        pace: Pace,
        book: HostBook,
        *,
        daily: DailyLimits,
        limits: Limits,
        private_hosts: tuple[str, ...] = (),
        cookie: str = "",
    ) -> None:
        self.host = pace.host
        self.pace = pace
        self.num_requests = 0
        self._book, self._daily, self._limits = book, daily, limits
        self._adapter = GuardedAdapter(private_hosts, head_seconds=limits.seconds)
        self._may_tell = pace.host in private_hosts  # the cookie, without TLS
        self._cookie = cookie
        self._failures = 0

    def get(
        self,
        url: str,
        max_bytes: int,
        headers: Mapping[str, str] = _NONE,
        *,
        is_score: bool = False,
    ) -> Reply:
        """A reply of any status below 500 but 429, with its body.

        Redirects are not followed: they are links.

        Raises:
          PageFailedError: no usable reply after all tries.
          HostPaused: a limit is reached, or the host wants a long pause, or it is down.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._limits.tries),
            wait=_pause,
            retry=tenacity.retry_if_exception_type(_TryAgainError),
            sleep=self.pace.sleep,
            reraise=True,
        )

        def once() -> Reply:
            body = bytearray()
            open_sink = _always(body.extend)
            seconds = self._limits.seconds
            head = self._exchange(url, headers, is_score, max_bytes, open_sink, seconds)
            return Reply(head, bytes(body))

        return self._patiently(lambda: retrying(once))

    def download(
        self, url: str, headers: Mapping[str, str], max_bytes: int, open_sink: OpenSink
    ) -> Head:
        """Hands over a body of any length while it comes; one try.

        Raises:
          PageFailedError, HostPaused: as for `get`. What was handed over until then stays.
        """
        return self._patiently(
            lambda: self._exchange(url, headers, True, max_bytes, open_sink, None)
        )

    def close(self) -> None:
        """Closes the connection."""
        self._adapter.close()

    def _patiently(self, ask: Callable[[], _Result]) -> _Result:
        """What is asked for, or the end of our patience with the address or with the host."""
        try:
            result = ask()
        except _TryAgainError as error:
            self._failures += 1
            if self._failures < error.patience:
                raise PageFailedError(
                    error.reason, error.detail, again=True, wait=error.wait
                ) from None
            why = f"{self.host}: {error.detail}; {self._failures} addresses in a row failed"
            raise HostPaused(f"{why}. What is stored is kept: try again later") from None
        self._failures = 0
        return result

    def _exchange(
        self,
        url: str,
        headers: Mapping[str, str],
        is_score: bool,
        max_bytes: int,
        open_sink: OpenSink,
        seconds: float | None,
    ) -> Head:
        """One request, in its turn and booked."""
        self._book.check_hold(self.host)
        self.pace.wait()
        number = 0
        if self._daily.is_set or self.pace.delay:  # our own server is asked without a book
            number = self._book.book(self.host, self._daily, is_score=is_score)
        self.num_requests += 1
        reply, taken, is_whole, pause = None, 0, False, _AFTER_ABANDONED
        try:
            reply = self._send(url, headers)
            head = self._head(url, reply, headers)
            if number and is_score and head.status not in (200, 206):
                self._book.no_score(number)
            if sink := open_sink(head):
                for piece in self._pieces(reply, max_bytes, seconds):
                    taken += len(piece)
                    sink(piece)
                    self._failures = 0
                is_whole, pause = True, 0.0
            return head
        except (requests.Timeout, ReadTimeoutError):
            pause = self._limits.timeout  # It may be busy with us still.
            raise _TryAgainError("timeout", f"nothing within {self._limits.timeout:g} s") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _broken_off(error, began=reply is not None) from None
        finally:
            if reply is not None and not is_whole:
                self._adapter.abandon(reply)
            self.pace.ended(pause)
            if taken and self._daily.megabytes:
                self._book.add_bytes(number, taken)

    def _send(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        sent = self._sent(headers)
        if self._cookie and (url.startswith("https:") or self._may_tell):
            sent["Cookie"] = self._cookie
        prepared = requests.Request("GET", url, headers=sent).prepare()
        try:
            return self._adapter.send(prepared, stream=True, timeout=self._limits.timeout)
        except PrivateAddressError as error:
            self.num_requests -= 1  # Nobody was asked.
            raise PageFailedError("private_address", str(error)) from None

    def _sent(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request: we want the bytes as they are, not packed for the way."""
        ours = {"User-Agent": manners.user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"}
        return ours | dict(headers)

    def _head(self, url: str, reply: requests.Response, headers: Mapping[str, str]) -> Head:
        found = tuple((str(key), str(value)) for key, value in reply.raw.headers.items())
        sent = tuple(self._sent(headers).items())
        head = Head(url, reply.status_code, reply.reason or "", found, sent)
        if head.status == 429 or (head.status == 503 and head.header("Retry-After")):
            raise self._too_fast(head)
        if head.status >= 500:
            raise _TryAgainError("server_error", f"status {head.status}", _BAD_ANSWERS)
        return head

    def _too_fast(self, head: Head) -> Exception:
        """What a host that asks for a pause is answered with: a pause, or the end of the run."""
        said = f"status {head.status}"
        wait = manners.retry_after(head.header("Retry-After"), time.time())
        if wait is None or wait <= _LONGEST_SLEEP:
            return _TryAgainError("too_many_requests", said, _TOO_FAST, wait)
        until = time.time() + wait
        why = f"{self.host}: {said}, it wants no request before {utc(until)}"
        self._book.hold(self.host, until, why)
        return HostPaused(why, until)

    def _pieces(
        self, reply: requests.Response, max_bytes: int, seconds: float | None
    ) -> Iterator[bytes]:
        """The body as it comes. A server that sends a byte now and then is given up too.

        `read1` returns what is there; `iter_content` would wait for a whole chunk.
        """
        stated = reply.headers.get("Content-Length", "")
        if _NUMBER.fullmatch(stated) and int(stated) > max_bytes:
            raise _too_big(f"Content-Length says {int(stated) / 1e6:,.1f} MB", max_bytes)
        taken, began = 0, time.monotonic()
        # A file is kept as it is, though a server may call its packing one for the way.
        decode = seconds is not None
        while piece := reply.raw.read1(_CHUNK, decode_content=decode):
            taken += len(piece)
            if taken > max_bytes:
                raise _too_big("the body goes on", max_bytes)
            yield piece
            passed = time.monotonic() - began
            if seconds is not None and passed > seconds:
                raise PageFailedError("too_slow", f"{taken} bytes in {passed:.0f} s", again=True)
            if seconds is None and passed > _SLOW_FOR and taken < passed * _SLOWEST:
                raise _TryAgainError("too_slow", f"{taken} bytes in {passed:.0f} s")


def _always(sink: Callable[[bytes], object]) -> OpenSink:
    return lambda _: sink


def _too_big(what: str, max_bytes: int) -> PageFailedError:
    return PageFailedError("too_big", f"{what}, over {max_bytes / 1e6:g} MB")


def _broken_off(error: Exception, *, began: bool) -> _TryAgainError:
    """Messages of the libraries are dropped, since they quote addresses and headers."""
    name = type(error).__name__
    if began:
        return _TryAgainError("cut_body", f"the reply broke off ({name})", _BAD_ANSWERS)
    return _TryAgainError("no_connection", f"no connection ({name})")
