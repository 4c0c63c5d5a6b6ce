"""A site of scores with everything that goes wrong on real ones, for a loopback server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests import makers
from tests.fake_services import FakeService, Reply, Request

HTML = {"Content-Type": "text/html; charset=utf-8"}
MIDI = {"Content-Type": "audio/midi"}
COOKIE = "session=c2VjcmV0LW9mLW91cnM"
ROBOTS = """
User-agent: *
Disallow: /private
Disallow: /*.hidden.mid$
Allow: /private/open/

User-agent: GenreMill
Disallow: /private
Disallow: /*.hidden.mid$
Allow: /private/open/
"""


def page(body: str, title: str = "") -> Reply:
    """A page with this body."""
    return Reply(body=f"<html><head><title>{title}</title></head><body>{body}</body></html>",
                 headers=HTML)  # fmt: skip


def link(address: str, text: str = "MIDI") -> str:
    """A link."""
    return f'<a href="{address}">{text}</a>'


def score(number: int) -> bytes:
    """A small score that is like no other's: quick to make."""
    return makers.tiny_midi([60 + (number // 7**k) % 7 for k in range(8)])


@dataclass
class FakeSite:
    """Pages by path. A page may be a reply, or a function of the request.

    Attributes:
      pages: path -> what is said.
      scores: path -> bytes, of all that is to be found.
      robots: content of robots.txt.
    """

    pages: dict[str, Reply | Callable[[Request], Reply]] = field(default_factory=dict)
    scores: dict[str, bytes] = field(default_factory=dict)
    robots: str = ROBOTS
    _seen: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Reply:
        if request.path == "/robots.txt":
            return Reply(body=self.robots, headers={"Content-Type": "text/plain"})
        found = self.pages.get(request.target) or self.pages.get(request.path)
        if found is None:
            return Reply(404, "<h1>not here</h1>", HTML)
        return found if isinstance(found, Reply) else found(request)

    def add_score(self, path: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Adds a score that is to be found."""
        self.pages[path] = Reply(body=data, headers=headers or MIDI)
        self.scores[path] = data

    def at_first(self, path: str, *replies: Reply) -> None:
        """Puts these replies before what a path says otherwise."""
        after = self.pages[path]

        def play(request: Request) -> Reply:
            with self._lock:
                number = self._seen[path] = self._seen.get(path, -1) + 1
            if number < len(replies):
                return replies[number]
            return after if isinstance(after, Reply) else after(request)

        self.pages[path] = play

    def add_composers(self, count: int, pieces: int) -> None:
        """An index, a page a composer that links in circles, and scores."""
        names = [f"Composer {i}" for i in range(count)]
        index = "".join(f"<li>{link(f'/c/{i}.html', name)}</li>" for i, name in enumerate(names))
        self.pages["/"] = page(f"<h1>All composers</h1><ul>{index}</ul>")
        for i, name in enumerate(names):
            rows = []
            for j in range(pieces):
                path = f"/midi/{i}/piece%20{j}.mid"
                self.add_score(path, score(i * pieces + j))
                rows.append(f"<tr><td>Piece {j}</td><td>{link(path)}</td></tr>")
            around = (
                link("/") + link("#top") + link(f"/c/{i}.html?PHPSESSID=a{i}") + link("../c/../")
                + link(f"/c/{(i + 1) % count}.html", "next") + link(f"/c/{i}.html#again")
                + link("mailto:me@example.org") + link("javascript:void(0)")
                + link("http://elsewhere.example/", "a friend") + link("/picture.jpg")
            )  # fmt: skip
            body = f"<h1>{name}</h1>{around}<table>{''.join(rows)}</table>"
            self.pages[f"/c/{i}.html"] = page(body)


def add_trouble(site: FakeSite) -> dict[str, str]:
    """Adds a page with everything that goes wrong; returns path -> reason of the rejection."""
    fine = score(9001)
    site.add_score("/bad/type.mid", score(9002), HTML)
    site.add_score("/bad/download?id=7", score(9003), {"Content-Type": "application/x-download"})
    site.add_score("/bad/flaky.mid", score(9004))
    site.at_first("/bad/flaky.mid", Reply(500))
    site.add_score("/bad/busy.mid", score(9005))
    site.at_first("/bad/busy.mid", Reply(429, headers={"Retry-After": "1"}))
    site.add_score("/bad/target.mid", fine)
    site.add_score("/private/open/free.mid", score(9006))
    site.pages["/bad/same.mid"] = Reply(body=fine, headers=MIDI)
    site.pages["/bad/moved.mid"] = Reply(302, headers={"Location": "target.mid"})
    site.pages |= {
        "/bad/410.mid": Reply(410),
        "/bad/500.mid": Reply(500),
        "/bad/drip.mid": Reply(body=b"MThd" + bytes(2000), headers=MIDI, pause=0.05),
        "/bad/cut.mid": Reply(body=score(1), headers=MIDI, cut=True),
        "/bad/html.mid": page("<h1>Sorry</h1>", "Please pay"),
        "/bad/login.mid": page('<input name="p" type="password">', "Log in"),
        "/bad/empty.mid": Reply(headers=MIDI),
        "/bad/huge.mid": Reply(
            body=score(2), headers={**MIDI, "Content-Length": "2000000000"}, cut=True
        ),
        "/bad/picture.mid": Reply(body=b"\x89PNG\r\n\x1a\n" + bytes(50), headers=MIDI),
        "/bad/inside.mid": Reply(301, headers={"Location": "http://10.0.0.1/x.mid"}),
        "/bad/metadata.mid": Reply(301, headers={"Location": "http://169.254.169.254/x.mid"}),
        "/bad/file.mid": Reply(301, headers={"Location": "file:///etc/passwd"}),
        "/bad/a.mid": Reply(302, headers={"Location": "/bad/b.mid"}),
        "/bad/b.mid": Reply(302, headers={"Location": "/bad/a.mid"}),
        "/private/secret.mid": Reply(body=score(3), headers=MIDI),
        "/bad/x.hidden.mid": Reply(body=score(4), headers=MIDI),
        "/members/list.html": members,
    }
    reasons = {
        "/bad/404.mid": "not_found",
        "/bad/410.mid": "gone",
        "/bad/500.mid": "server_error",
        "/bad/drip.mid": "too_slow",
        "/bad/cut.mid": "cut_body",
        "/bad/html.mid": "not_a_score",
        "/bad/login.mid": "forbidden",
        "/bad/empty.mid": "empty_file",
        "/bad/huge.mid": "too_big",
        "/bad/picture.mid": "not_a_score",
        "/bad/inside.mid": "host_not_allowed",
        "/bad/metadata.mid": "host_not_allowed",
        "/bad/file.mid": "odd_redirect",
        "/bad/b.mid": "redirect_loop",
        "/private/secret.mid": "robots_forbids",
        "/elsewhere.mid": "host_not_allowed",
        "/bad/x.hidden.mid": "robots_forbids",
        "/members/list.html": "forbidden",
    }
    good = ["/bad/type.mid", "/bad/download?id=7", "/bad/flaky.mid", "/bad/busy.mid",
            "/bad/moved.mid", "/bad/same.mid", "/private/open/free.mid", "/bad/a.mid"]  # fmt: skip
    links = "".join(f"<li>{link(path, path)}</li>" for path in [*good, *reasons])
    links = links.replace('"/elsewhere.mid"', '"http://elsewhere.example/elsewhere.mid"')
    site.pages["/bad/index.html"] = page(f"<h1>Trouble</h1><ul>{links}</ul>")
    index = site.pages["/"]
    assert isinstance(index, Reply)
    site.pages["/"] = page(f"{index.body}{link('/bad/index.html', 'trouble')}{link('/trap/')}")
    site.pages["/trap/"] = page(link("deeper/") + link("/trap/deeper/deeper/"))
    for depth in range(1, 12):
        site.pages["/trap/" + "deeper/" * depth] = page(link("deeper/"))
    return reasons


def members(request: Request) -> Reply:
    if request.headers["Cookie"] != COOKIE:
        return Reply(403, "members only", HTML)
    return page(link("/members/one.mid"))


def describe(path: Path, server: FakeService, **more: object) -> Path:
    """Writes the TOML that describes the site."""
    values: dict[str, object] = {
        "about": "A site of the tests",
        "start": [f"{server.url}/"],
        "rights": "CC BY 4.0",
        "artist": "h1",
        "item": "tr",
        "title": "td",
        **more,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
