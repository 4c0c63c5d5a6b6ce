"""HTTP connections that reach no private network, one a host.

A page of a stranger's may send us to `http://169.254.169.254/` or to a name that leads to
our own network. Addresses are looked at before a connection is made and once it stands, so that
a name server that answers twice in two ways gains nothing. No request goes out before.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Collection, Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

_UNICAST6 = ipaddress.ip_network("2000::/3")  # of the others none is the internet's
_EXAMPLES6 = ipaddress.ip_network("3fff::/20")  # RFC 9637
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing says so at once


class PrivateAddressError(Exception):
    """A host whose address is not one of the public internet."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST6 or ip in _EXAMPLES6:
            return False
    return ip.is_global and not ip.is_multicast


def is_private_host(host: str) -> bool:
    """Whether a host has private addresses only; False where nobody knows it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return not any(is_public(str(address[0])) for *_, address in found)


class _Guard:
    """Knows which hosts may be private, and the socket that is read from."""

    def __init__(self, private_hosts: Collection[str], head_seconds: float) -> None:
        self._private_hosts = frozenset(host.lower() for host in private_hosts)
        self._head_seconds = head_seconds
        self._socket: socket.socket | None = None
        self._gave_up = False

    def check_name(self, host: str, port: int) -> None:
        if host.strip("[]").lower() in self._private_hosts:
            return
        for *_, address in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
            self._check(host, str(address[0]))

    def check_socket(self, host: str, made: socket.socket) -> None:
        if host.strip("[]").lower() not in self._private_hosts:
            self._check(host, str(made.getpeername()[0]))

    @staticmethod
    def _check(host: str, address: str) -> None:
        if not is_public(address):
            raise PrivateAddressError(
                f"{host} is {address}, which is no public address; a test server of your own is "
                "named in scrape.private_hosts"
            )

    @contextlib.contextmanager
    def reading_head(self, sock: socket.socket | None) -> Iterator[None]:
        """Gives up a head that comes a byte now and then: no timeout sees that."""
        self._socket, self._gave_up = sock, False
        _acknowledge_at_once(sock)
        timer = threading.Timer(self._head_seconds, self._shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        if self._gave_up:  # What came of the head looks like a whole one.
            raise TimeoutError("the head of the reply took too long")

    def _shut(self) -> None:
        self._gave_up = True
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Makes the server notice at once that we go: it may be sending a byte a second."""
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class _Guarded:
    """What both kinds of connections do besides: they look before they connect and read."""

    guard: _Guard
    host: str
    port: int | None
    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        with contextlib.suppress(socket.gaierror):  # connecting will say so
            self.guard.check_name(self.host, self.port or 0)
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            self.guard.check_socket(self.host, made)
        except BaseException:
            made.close()
            raise
        return made

    def getresponse(self) -> Any:
        with self.guard.reading_head(self.sock):
            return super().getresponse()  # type: ignore[misc]


def _acknowledge_at_once(sock: Any) -> None:
    """Spares 40 ms with servers that send a body only when its header was acknowledged."""
    if sock is not None and hasattr(socket, "TCP_QUICKACK"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _pool_classes(guard: _Guard) -> dict[str, Any]:
    """Pools whose connections have this guard."""
    http = type("GuardedHTTP", (_Guarded, HTTPConnection), {"guard": guard})
    https = type("GuardedHTTPS", (_Guarded, HTTPSConnection), {"guard": guard})
    return {
        "http": type("GuardedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("GuardedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
    }


class GuardedAdapter(HTTPAdapter):
    """One connection a host, kept open, and none to a private address.

    Used without a `requests.Session`: so there are no cookies, no redirects that are followed
    unseen, no proxies from the environment and no `~/.netrc`.

    Args:
      private_hosts: host names that may be private, for tests on this machine.
      head_seconds: for the head of a reply.
    """

    def __init__(self, private_hosts: Collection[str] = (), *, head_seconds: float = 60.0) -> None:
        self._guard = _Guard(private_hosts, head_seconds)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = _pool_classes(self._guard)

    def abandon(self, reply: requests.Response) -> None:
        """Ends a reply that was not read to its end, and its connection."""
        self._guard.reset()
        reply.close()
