"""Genres from Wikidata, over its SPARQL service, fifty artists at a time.

Data card:
- homepage: https://www.wikidata.org; service: https://query.wikidata.org
- license: CC0 1.0; the only one of the live sources whose genres are free of conditions.
- terms: a User-Agent with a contact, one query at a time, 60 seconds of query time a minute
  (https://www.mediawiki.org/wiki/Wikidata_Query_Service/User_Manual#Query_limits).
- requests per artist: 1 for each 50; more where a batch fails and is asked in halves.

A query may take 60 seconds, so the session needs a longer time-out than that, and few tries.

Names are found by exact label or alias, in English or in the default for all languages (`mul`),
which stands in for equal labels. An item counts as an artist if it has a MusicBrainz id (P434), or
an occupation (P106) or class (P31) of music. Genres are P136. Wikidata does not say which genre
weighs most, but the more an artist has the less each says: the weight is 1 / sqrt(number).
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_plus

import requests

from corpus.providers.base import ERROR, FOUND, NO_GENRES, Answer
from corpus.providers.replies import Entry, fetch_json, records, spellings, text_of, verify
from corpus.providers.web import ServiceError

NAME = "wikidata"
BASE_URL = "https://query.wikidata.org"
CALLS_PER_SECOND = 1.0
BATCH_SIZE = 50
TIMEOUT = 65.0  # seconds; the service gives up after 60
LICENSE = "CC0 1.0"

_LONGEST_GET = 4000  # characters of the encoded query; proxies cut addresses from 8,000 on
_LANGUAGES = ("en", "mul")  # the first wins
_ITEM = re.compile(r"/entity/(Q\d+)$")

# Classes of groups, then occupations. Subclasses are not followed: that is what makes queries slow,
# and nearly all of who is missed so has a MusicBrainz id.
_KINDS = {
    "musical group": "Q215380",
    "rock band": "Q5741069",
    "musical ensemble": "Q2088357",
    "musical duo": "Q9212979",
    "girl group": "Q641066",
    "boy band": "Q216337",
    "orchestra": "Q42998",
    "choir": "Q131186",
    "musician": "Q639669",
    "composer": "Q36834",
    "singer": "Q177220",
    "singer-songwriter": "Q488205",
    "songwriter": "Q753110",
    "rapper": "Q2252262",
    "disc jockey": "Q130857",
    "record producer": "Q183945",
    "pianist": "Q486748",
    "guitarist": "Q855091",
    "organist": "Q765778",
    "violinist": "Q1259917",
    "drummer": "Q386854",
    "jazz musician": "Q15981151",
    "opera singer": "Q2865819",
    "bandleader": "Q806349",
}

_QUERY = string.Template("""\
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
SELECT DISTINCT ?item ?asked ?name ?genre ?genreName WHERE {
  {
    SELECT DISTINCT ?item ?asked WHERE {
      VALUES ?asked { $names }
      VALUES ?naming { rdfs:label skos:altLabel }
      ?item ?naming ?asked .
    }
  }
  OPTIONAL { ?item wdt:P434 ?musicbrainz . }
  OPTIONAL { ?item wdt:P31|wdt:P106 ?kind . FILTER(?kind IN ($kinds)) }
  FILTER(BOUND(?musicbrainz) || BOUND(?kind))
  OPTIONAL { ?item rdfs:label ?english . FILTER(LANG(?english) = "en") }
  OPTIONAL { ?item rdfs:label ?default . FILTER(LANG(?default) = "mul") }
  BIND(COALESCE(?english, ?default) AS ?name)
  OPTIONAL {
    ?item wdt:P136 ?genre .
    ?genre rdfs:label ?genreName . FILTER(LANG(?genreName) IN ("en", "mul"))
  }
}
""")


def _literal(text: str) -> str:
    """A SPARQL string; `spellings` has taken out what may not stand in one."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _spellings(artist: str) -> list[str]:
    """What an item may be labelled as; capitals count there, and articles."""
    found = spellings(artist)
    found += [string.capwords(s) for s in found if s in (s.lower(), s.upper())]
    found += [f"The {s}" for s in found if not s.lower().startswith("the ")]
    return list(dict.fromkeys(found))


def _query(asked: Iterable[str]) -> str:
    literals = (f"{_literal(text)}@{language}" for text in asked for language in _LANGUAGES)
    kinds = (f"wd:{kind}" for kind in _KINDS.values())
    return _QUERY.substitute(names=" ".join(literals), kinds=", ".join(kinds))


@dataclass
class _Item:
    """What the rows of a reply say of one item; genre names by the genre's own item."""

    name: str = ""
    asked: dict[str, None] = field(default_factory=dict)
    genres: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, row: dict[str, Any]) -> None:
        """Takes in one row."""
        self.name = self.name or _value(row, "name")
        self.asked[_value(row, "asked")] = None
        rank, name = _language_rank(row), _value(row, "genreName")
        if name:
            known = self.genres.get(_value(row, "genre"), (rank, name))
            self.genres[_value(row, "genre")] = min(known, (rank, name))

    def entry(self, item_id: str) -> Entry:
        """The item as a candidate."""
        aliases = tuple(text for text in self.asked if text != self.name)
        return Entry(item_id, self.name or next(iter(self.asked)), aliases, int(bool(self.genres)))

    def weights(self) -> tuple[tuple[str, float], ...]:
        """Genres in the order of the alphabet, all of one weight."""
        found = sorted({name for _, name in self.genres.values()})
        return tuple((name, round(1 / math.sqrt(len(found)), 4)) for name in found)


def _value(row: dict[str, Any], variable: str) -> str:
    cell = row.get(variable)
    return text_of(cell, "value") if isinstance(cell, dict) else ""


def _language_rank(row: dict[str, Any]) -> int:
    cell = row.get("genreName")
    language = text_of(cell, "xml:lang") if isinstance(cell, dict) else ""
    return _LANGUAGES.index(language) if language in _LANGUAGES else len(_LANGUAGES)


def _items(reply: Any) -> dict[str, _Item]:
    results = reply.get("results") if isinstance(reply, dict) else None
    if not isinstance(results, dict) or not isinstance(results.get("bindings"), list):
        raise ServiceError("the reply is no SPARQL result")
    items: dict[str, _Item] = {}
    for row in records(results, "bindings"):
        item = _ITEM.search(_value(row, "item"))
        if item and _value(row, "asked"):
            items.setdefault(item[1], _Item()).add(row)
    return items


class WikidataProvider:
    """Finds artists by their labels and takes over the genres that their items state."""

    name = NAME
    terms = "Wikidata statements: CC0, free for any use."
    license = LICENSE
    version = "1"
    requests_per_artist = 1 / BATCH_SIZE
    batch_size = BATCH_SIZE

    def __init__(
        self,
        session: requests.Session,
        ids: Mapping[str, str] | None = None,
        *,
        base_url: str = BASE_URL,
    ) -> None:
        """Takes a session that keeps the service's limits.

        Args:
          session: makes every call; its time-out should be TIMEOUT.
          ids: artist as asked for -> Wikidata's id, which of the items of that name is meant.
          base_url: of the service, without a slash at the end.
        """
        self._session = session
        self._ids = dict(ids or {})
        self._url = f"{base_url}/sparql"

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        """One answer for each artist; ERROR for one whose reply cannot be used.

        A batch that fails is asked in halves, since a query may be too much for the service
        because of one common name.

        Raises:
          OutOfQuota, ProviderError: by the session.
          ValueError: more artists than `batch_size`.
        """
        if len(artists) > BATCH_SIZE:
            raise ValueError(f"{len(artists)} artists at once; Wikidata is asked for {BATCH_SIZE}")
        spelled = {artist: _spellings(artist) for artist in artists}
        asked = list(dict.fromkeys(text for texts in spelled.values() for text in texts))
        try:
            items = self._fetch(asked) if asked else {}
        except ServiceError as error:
            if len(artists) == 1:
                return [Answer(artists[0], ERROR, detail=str(error))]
            middle = len(artists) // 2
            return self.ask(artists[:middle]) + self.ask(artists[middle:])
        return [self._answer(artist, spelled[artist], items) for artist in artists]

    def _fetch(self, asked: Iterable[str]) -> dict[str, _Item]:
        query = _query(asked)
        form = {"query": query, "format": "json"}
        headers = {"Accept": "application/sparql-results+json"}
        if len(quote_plus(query)) <= _LONGEST_GET:
            reply = fetch_json(self._session, "GET", self._url, params=form, headers=headers)
        else:
            reply = fetch_json(self._session, "POST", self._url, data=form, headers=headers)
        return _items(reply)

    def _answer(self, artist: str, spelled: Sequence[str], items: dict[str, _Item]) -> Answer:
        mine = frozenset(spelled)
        named = {key: item for key, item in items.items() if mine & item.asked.keys()}
        given = self._ids.get(artist, "")
        meant = {given: named[given]} if given in named else named
        answer = verify(artist, [item.entry(key) for key, item in meant.items()])
        if answer.status != FOUND:
            return answer
        weights = named[answer.provider_id].weights()
        status = FOUND if weights else NO_GENRES
        return replace(answer, status=status, genres=weights, license=LICENSE)
