"""No request reaches a private network, whatever a name server says."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from corpus.crawl.connection import GuardedAdapter, PrivateAddressError, is_public
from tests.fake_services import FakeService, Reply, serve

PUBLIC = "93.184.216.34"
Lookup = Callable[..., list[Any]]


@pytest.fixture
def server() -> Iterator[FakeService]:
    with serve(lambda _: Reply(body=b"secret")) as running:
        yield running


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::10.0.0.1", "::8.8.8.8",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8", "64:ff9b::100",
        "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:1::1",
        "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:db8::1", "3fff::1",
        "100::1", "5f00::1", "4000::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0",
        "fe80::1%25eth0", "::1%lo", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_the_internets(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", PUBLIC, "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.169.0.1",
        "2606:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)  # fmt: skip
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


def send(url: str, *private_hosts: str) -> bytes:
    adapter = GuardedAdapter(private_hosts)
    try:
        reply = adapter.send(requests.Request("GET", url).prepare(), timeout=2)
        return reply.content
    finally:
        adapter.close()


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: list[str]) -> list[str]:
    """Makes the name server say these, one list a question, the last for ever; gives the names."""
    asked: list[str] = []
    said = itertools.chain(addresses, itertools.repeat(addresses[-1]))

    def lookup(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (kinds[":" in ip], socket.SOCK_STREAM, 6, "", (ip, port, 0, 0)[: 4 if ":" in ip else 2])
            for ip in next(said)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::ffff:127.0.0.1]"],
)
def test_this_machine_is_not_asked(server: FakeService, host: str) -> None:
    with pytest.raises(PrivateAddressError, match="no public address"):
        send(f"http://{host}:{server.port}/")
    assert server.requests == []


def test_a_host_that_may_be_private_is_asked(server: FakeService) -> None:
    assert send(server.url, "127.0.0.1") == b"secret"
    assert send(f"http://LOCALHOST:{server.port}/", "localhost") == b"secret"
    with pytest.raises(PrivateAddressError):
        send(f"http://localhost:{server.port}/", "127.0.0.1")


def test_a_name_that_leads_to_a_private_address(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch, ["127.0.0.1"])
    with pytest.raises(PrivateAddressError, match=r"inside\.example is 127\.0\.0\.1"):
        send(f"http://inside.example:{server.port}/")
    assert asked == ["inside.example"]
    assert server.requests == []


def test_one_private_address_among_public_ones_is_one_too_many(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, [PUBLIC, "2606:4700::1111", "127.0.0.1"])
    with pytest.raises(PrivateAddressError):
        send(f"http://mixed.example:{server.port}/")
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_that_changes_between_the_look_and_the_connection(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    asked = answering(monkeypatch, [PUBLIC], ["127.0.0.1"])
    with pytest.raises(PrivateAddressError, match=r"127\.0\.0\.1"):
        send(f"{scheme}://rebound.example:{server.port}/")
    assert len(asked) == 2
    assert server.requests == []


def test_a_name_that_nobody_knows_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(requests.ConnectionError):
        send("http://nowhere.example/")


def test_proxies_netrc_and_cookies_are_not_used(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    adapter = GuardedAdapter(["127.0.0.1"])
    for _ in range(2):
        prepared = requests.Request("GET", server.url).prepare()
        assert adapter.send(prepared, timeout=2).content == b"secret"
    adapter.close()
    assert [request.headers["Cookie"] for request in server.requests] == [None, None]
    assert [request.headers["Authorization"] for request in server.requests] == [None, None]


def test_an_abandoned_reply_ends_its_connection() -> None:
    with serve(lambda _: Reply(body=b"x" * 10_000, pause=0.05)) as server:
        adapter = GuardedAdapter(["127.0.0.1"])
        for _ in range(3):
            prepared = requests.Request("GET", server.url).prepare()
            reply = adapter.send(prepared, stream=True, timeout=2)
            assert reply.raw.read1(10)
            adapter.abandon(reply)
        adapter.close()
        assert len(server.requests) == 3
