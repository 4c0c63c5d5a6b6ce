"""Addresses: one spelling for each, and which hosts may be asked at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

MAX_CHARS = 2000

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Visitors' numbers, which make a new address of the same page at every visit.
_SESSION = re.compile(r"^(?:phpsessid|jsessionid|sid|session_?id|aspsessionid\w*)=", re.IGNORECASE)
_PATH_SESSION = re.compile(r";jsessionid=[^/?#]*", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_UNSAFE = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_-])?")
_MAX_REPEATS = 4  # of one folder name in a path: `a/b/a/b/a/b/...` is a trap


def canonical(url: str, base: str = "") -> str:
    """The one spelling of an http(s) address: case, port, dots, escapes, no fragment.

    Args:
      url: as a page spells it.
      base: the address of that page, for a relative one.

    Raises:
      ValueError: it is no address that can be asked; the message says why.
    """
    text = url.strip()
    if len(text) > MAX_CHARS:
        raise ValueError(f"an address of {len(text)} characters, over {MAX_CHARS}")
    parts = urlsplit(urljoin(base, re.sub(r"[\t\r\n]", "", text)))
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".").lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{scheme or 'no scheme'} is neither http nor https")
    if not host:
        raise ValueError("an address without a host")
    if parts.port == 0:
        raise ValueError("an address with port 0")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address with a name or a password in it")
    made = urlunsplit((scheme, _authority(parts, scheme, host), _path(parts), _query(parts), ""))
    if len(made) > MAX_CHARS:
        raise ValueError(f"an address of {len(made)} characters, over {MAX_CHARS}")
    return made


def _authority(parts: SplitResult, scheme: str, host: str) -> str:
    is_ip6, port = ":" in host, parts.port
    named = f"[{host}]" if is_ip6 else host.encode("idna").decode().lower().rstrip(".")
    if not is_ip6 and not _HOST.fullmatch(named):
        raise ValueError(f"{named!r} is no name of a host")
    return named if port in (None, _DEFAULT_PORTS[scheme]) else f"{named}:{port}"


def _path(parts: SplitResult) -> str:
    path = _PATH_SESSION.sub("", _escaped(parts.path)) or "/"
    kept: list[str] = []
    segments = path.lstrip("/").split("/")  # requests would take a second slash away
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _query(parts: SplitResult) -> str:
    items = _escaped(parts.query).split("&")
    return "&".join(item for item in items if item and not _SESSION.match(item))


def _escaped(text: str) -> str:
    """Escapes what has to be, and nothing else; hexadecimal digits are capitals."""
    text = _UNSAFE.sub(lambda m: "".join(f"%{b:02X}" for b in _bytes(m[0])), text)
    text = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return _ESCAPE.sub(_tidy_escape, text)


def _bytes(sign: str) -> bytes:
    return sign.encode("utf-8", "surrogatepass")


def _tidy_escape(match: re.Match[str]) -> str:
    sign = chr(int(match[1], 16))
    return sign if sign in _UNRESERVED else match[0].upper()


def host_of(url: str) -> str:
    """The host's name, without port: what is asked by one connection at a time."""
    return urlsplit(url).hostname or ""


def origin_of(url: str) -> str:
    """Scheme, host and port: what one robots.txt is for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def port_of(url: str) -> int:
    """The port, written or not."""
    parts = urlsplit(url)
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def is_trap(url: str) -> bool:
    """Whether folders repeat in the path as they do where a site links to itself for ever."""
    segments = [segment for segment in urlsplit(url).path.split("/")[:-1] if segment]
    return any(segments.count(segment) > _MAX_REPEATS for segment in set(segments))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _authority_of(host: str) -> str:
    """`example.org` or `example.org:8080` in its one spelling, of what a user wrote."""
    try:
        url = canonical(f"http://{host.strip()}/")
    except ValueError as error:
        raise ValueError(f"{host!r} in hosts is no name of a host: {error}") from error
    if urlsplit(url).path != "/" or urlsplit(url).query:
        raise ValueError(f"{host!r} in hosts is an address; give the name alone")
    return urlsplit(url).netloc


@dataclass(frozen=True)
class AllowList:
    """The hosts that may be asked.

    Attributes:
      hosts: names as `example.org` (for the usual ports), `example.org:8080` or `[::1]:8080`.
      starts: addresses that may be asked whatever their port.
    """

    hosts: frozenset[str]
    starts: tuple[str, ...] = ()

    @classmethod
    def of(cls, hosts: Iterable[str], starts: Iterable[str]) -> AllowList:
        """Hosts as a user writes them; those of `starts` where none is given.

        Raises:
          ValueError: one of them is no name of a host.
        """
        given, first = [_authority_of(host) for host in hosts], tuple(starts)
        return cls(frozenset(given or (_bracketed(host_of(start)) for start in first)), first)

    def allows(self, url: str) -> bool:
        """Whether this address may be asked."""
        host, port = host_of(url), port_of(url)
        if f"{_bracketed(host)}:{port}" in self.hosts:
            return True
        if _bracketed(host) not in self.hosts:
            return False
        known = {port_of(start) for start in self.starts if host_of(start) == host}
        return port in known | set(_DEFAULT_PORTS.values())

    def names(self) -> list[str]:
        """The hosts without ports, sorted."""
        return sorted({host_of(f"http://{host}") for host in self.hosts})
