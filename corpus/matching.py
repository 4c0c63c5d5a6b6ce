"""Are two names one artist? Normal forms, a score, and an index of known names.

Two names are compared in four steps, from sure to less sure: the same spelling, the same normal
form, the same words in any order, and a fuzzy score. The score is the greater of two ratios of
rapidfuzz, 0..100: of the forms without spaces, and of their sorted words. On 26 hand-made pairs of
variants and 26 of look-alikes it took 25 and 0 at 95, and 25 and 1 at 90, where rapidfuzz's WRatio
took 23 and 16.

A score alone cannot tell `Johann Strauss I` from `II`, so names that differ in a number, an
initial, a short or a whole word, or the ending of a word are for review, however long they are.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from corpus.names import NormalForm, normal_form, one_spaced, without_featured
from corpus.providers.base import AMBIGUOUS, FOUND, NO_MATCH

ACCEPT, REVIEW = 95.0, 85.0
_NEAR = 60.0  # Below this a name is no help in a message.
_NUM_CANDIDATES = 3
_CHUNK = 64  # names whose scores are held at a time: 512 bytes a known name

# What the steps below the same normal form are worth at most.
_REORDERED, _ALIAS, _NO_GUESTS, _FUZZY, _DOUBTFUL = 99.0, 99.0, 99.0, 98.0, ACCEPT - 0.1

_NUMERALS = frozenset(("ii", "iii", "iv", "vi", "vii", "viii", "ix", "jr", "sr"))
_LAST_NUMERALS = frozenset(("i", "v", "x"))
_FILLERS = frozenset(("and", "the", "a", "an", "of"))
# Of the words in which two names differ: rapidfuzz's ratio, and the letters of the shorter. In
# `Jan` and `Jean`, or an initial, one letter is too much of the word to be a slip.
_SAME_WORD, _MIN_LETTERS = 80.0, 4


@dataclass(frozen=True, slots=True)
class Match:
    """Which of the known names is meant.

    Attributes:
      status: FOUND, NO_MATCH or AMBIGUOUS.
      index: of the known name; -1 unless FOUND.
      score: of the best, 0..1; 1 for the same normal form.
      indices: all known names that share the best; empty for NO_MATCH.
      candidates: (index, score 0..1) of the names to review, best first: those that share the
        best, else those from REVIEW, else the nearest.
    """

    status: str
    index: int
    score: float
    indices: tuple[int, ...] = ()
    candidates: tuple[tuple[int, float], ...] = ()


def score(a: str, b: str) -> float:
    """How alike two names are, 0..100, by letters only; `grade` decides."""
    return _score(normal_form(a), normal_form(b))


def _score(a: NormalForm, b: NormalForm) -> float:
    return max(fuzz.ratio(a.compact, b.compact), fuzz.ratio(a.ordered, b.ordered))


def _numerals(form: NormalForm) -> list[str]:
    """Numbers, Roman numerals and `jr`, `sr`: who differs in these is someone else."""
    roman = [w for w in form.words if w in _NUMERALS]
    roman += [w for w in form.words[-1:] if w in _LAST_NUMERALS and len(form.words) > 1]
    return sorted(re.findall(r"\d+", form.compact) + roman)


def _left_over(a: NormalForm, b: NormalForm) -> str:
    """The words of `a` that `b` has not, without spaces."""
    rest = Counter(a.words) - Counter(b.words)
    return "".join(word for word in a.words if word in rest and word not in _FILLERS)


def _name_or_article(a: NormalForm, b: NormalForm) -> bool:
    """Whether names differ as `Les Paul` and `Paul` do: one word, and what may be an article."""
    return a.article != b.article and min(len(a.words), len(b.words)) == 1


def _is_plural(short: str, long: str) -> bool:
    return len(short) > 2 and long == short + "s"


def _other_ending(short: str, long: str) -> bool:
    """Whether words differ as `Carl` and `Carla`, or `Mario` and `Maria` do."""
    return long.startswith(short[:-1]) and long[-1] != short[-1]


def _same_person(a: NormalForm, b: NormalForm) -> bool:
    """Whether what two names differ in looks like a slip, not like someone else's name."""
    if _numerals(a) != _numerals(b) or _name_or_article(a, b):
        return False
    short, long = sorted((_left_over(a, b), _left_over(b, a)), key=len)
    if short == long or _is_plural(short, long):
        return True
    several_words = min(len(a.words), len(b.words)) > 1
    if len(short) < _MIN_LETTERS or (several_words and _other_ending(short, long)):
        return False
    return fuzz.ratio(short, long) >= _SAME_WORD


def _graded(a: NormalForm, b: NormalForm, fuzzy: float) -> float:
    """The score that decides: capped by step, and below ACCEPT where a person should look."""
    if a.whole == b.whole or (a.compact == b.compact and not _name_or_article(a, b)):
        return 100.0
    if a.ordered == b.ordered:
        return _REORDERED
    if fuzzy >= ACCEPT and not _same_person(a, b):
        return _DOUBTFUL
    return min(fuzzy, _FUZZY)


def grade(a: str, b: str) -> float:
    """How surely two names are one artist, 0..100; from ACCEPT on they are taken for one."""
    return _grade(normal_form(a), normal_form(b))


def _grade(a: NormalForm, b: NormalForm) -> float:
    return _graded(a, b, _score(a, b))


class NameIndex:
    """Known names to find others among; the index of a name is its place in `names`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._forms = [normal_form(name) for name in self._names]
        self._compact = [form.compact for form in self._forms]
        self._ordered = [form.ordered for form in self._forms]
        self._by_compact = _places(self._compact)
        self._by_whole = _places(form.whole for form in self._forms)
        self._by_ordered = _places(self._ordered)

    def match(self, name: str) -> Match:
        """The known name that is meant, or the nearest to review.

        Guests (`feat. B`) are cut off where the whole name is not found.
        """
        return self.match_all([name])[0]

    def match_all(self, names: Sequence[str]) -> list[Match]:
        """`match` of many names, several times as fast as one by one."""
        return _twice(names, self._match_all)

    def _match_all(self, names: Sequence[str]) -> list[Match]:
        forms = [normal_form(name) for name in names]
        grades = [self._same(form) for form in forms]
        missed = [i for i, found in enumerate(grades) if max(found.values(), default=0.0) < ACCEPT]
        for start in range(0, len(missed), _CHUNK):
            chunk = missed[start : start + _CHUNK]
            rows = self._scores([forms[i] for i in chunk])
            for i, scores in zip(chunk, rows, strict=True):
                grades[i] = self._near(forms[i], scores)
        return [_decided(*each, self._names) for each in zip(names, grades, strict=True)]

    def _same(self, form: NormalForm) -> dict[int, float]:
        """Place -> score of the names with the same form, or the same words in any order."""
        same = {
            *self._by_compact.get(form.compact, ()),
            *self._by_whole.get(form.whole, ()),
            *self._by_ordered.get(form.ordered, ()),
        }
        return {place: _graded(form, self._forms[place], 0.0) for place in same}

    def _scores(self, forms: Sequence[NormalForm]) -> npt.NDArray[np.float64]:
        """Scores [form, known name]."""
        compact = _ratios([form.compact for form in forms], self._compact)
        return np.maximum(compact, _ratios([form.ordered for form in forms], self._ordered))

    def _near(self, form: NormalForm, scores: npt.NDArray[np.float64]) -> dict[int, float]:
        """Place -> score of every name from REVIEW on, or else of the nearest few."""
        near = np.flatnonzero(scores >= REVIEW)
        if not len(near):
            nearest = np.argsort(-scores, kind="stable")[:_NUM_CANDIDATES]
            near = nearest[scores[nearest] >= _NEAR]
        return {int(i): _graded(form, self._forms[i], float(scores[i])) for i in near}


def _twice(names: Sequence[str], match: Callable[[Sequence[str]], list[Match]]) -> list[Match]:
    """Matches of the whole names, or else of the names without their guests."""
    matches = match(names)
    leads = {
        i: lead
        for i, name in enumerate(names)
        if matches[i].status == NO_MATCH and (lead := without_featured(name)) != name
    }
    for i, found in zip(leads, match(list(leads.values())), strict=True):
        if found.score > matches[i].score:
            matches[i] = dataclasses.replace(found, score=min(found.score, _NO_GUESTS / 100))
    return matches


def _places(keys: Iterable[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return places


def _ratios(forms: Sequence[str], known: Sequence[str]) -> npt.NDArray[np.float64]:
    """rapidfuzz's ratios [form, known], 0..100; what is under _NEAR is 0."""
    ratios: npt.NDArray[np.float64] = process.cdist(
        forms, known, scorer=fuzz.ratio, score_cutoff=_NEAR, dtype=np.float64
    )
    return ratios


def _decided(name: str, grades: dict[int, float], names: Sequence[str]) -> Match:
    """The decision over places and their grades; `names` holds the spelling of each place."""
    ranked = sorted(grades.items(), key=lambda item: (-item[1], item[0]))
    best = ranked[0][1] if ranked else 0.0
    if best < ACCEPT:
        review = [item for item in ranked if item[1] >= REVIEW] or ranked[:_NUM_CANDIDATES]
        return Match(NO_MATCH, -1, round(best / 100, 6), (), _shares(review))
    equal = _shares(item for item in ranked if item[1] == best)
    places = tuple(place for place, _ in equal)
    index = _only(name, places, names)
    return Match(FOUND if index >= 0 else AMBIGUOUS, index, round(best / 100, 6), places, equal)


def _only(name: str, places: Sequence[int], names: Sequence[str]) -> int:
    """The one place, or the only one spelled so, or at least with that article; -1: none."""
    if len(places) == 1:
        return places[0]
    whole = normal_form(name).whole
    exact = [place for place in places if names[place] == name]
    near = exact or [place for place in places if normal_form(names[place]).whole == whole]
    return near[0] if len(near) == 1 else -1


def _shares(ranked: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((place, round(points / 100, 6)) for place, points in ranked)


def best(artist: str, candidates: Sequence[tuple[str, Sequence[str]]]) -> Match:
    """Decides as `NameIndex.match` does over the few artists that a service answered with.

    Args:
      artist: the name that was asked for.
      candidates: (name, other names) of each artist; their order does not count.
    """
    return _twice([artist], lambda names: [_best(name, candidates) for name in names])[0]


def _best(artist: str, candidates: Sequence[tuple[str, Sequence[str]]]) -> Match:
    form = normal_form(artist)
    grades = {}
    for place, (name, aliases) in enumerate(candidates):
        of_aliases = max((_grade(form, normal_form(alias)) for alias in aliases), default=0.0)
        grades[place] = max(_grade(form, normal_form(name)), min(of_aliases, _ALIAS))
    return _decided(artist, grades, [name for name, _ in candidates])


_JOINTS = re.compile(
    r" (?:&|\+|and|und|et|y|con|mit|avec|vs\.?|versus|with|w/|x|×|meets|/) |;",
    re.IGNORECASE,
)
_GUESTS = re.compile(r"[ (\[](?:feat|ft|featuring)(?:\. ?| )(?=\w)", re.IGNORECASE)
_COMMA = re.compile(r", (?!(?:jr|sr|the)\b)", re.IGNORECASE)
_LAST_FIRST = re.compile(r"^[^,]+,[^,]+$")
_BACKING = re.compile(r"^(?:(?:his|her|their)\s.*|(?:the )?(?:friends|orchestra|choir|chorus))$")


def collaborators(name: str) -> list[str]:
    """The artists of a joint name, `A & B` or `A feat. B`; empty where it names only one.

    Ask for the whole name first: `Earth, Wind & Fire` is one artist. Commas part artists only
    beside another sign, since `Collins, Phil` is one. Backing bands without a name are left out.
    """
    sides = _GUESTS.split(one_spaced(name))
    parts = [part for side in sides for part in _JOINTS.split(side)]
    if len(parts) == 1 and name.count(",") < 2:
        return []
    if not all(_LAST_FIRST.match(part) for part in parts):
        parts = [piece for part in parts for piece in _COMMA.split(part)]
    clean = (re.sub(r"^and ", "", part.strip(" ,()[]")) for part in parts)
    return list(dict.fromkeys(p for p in clean if p and not _BACKING.match(p.casefold())))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A name is no artist's where all of its words are among these, and one at least is of the first.
_NO_ARTIST = _words("""
    various varios varias vários várias diverse diversen divers diversos verschiedene verschiedenes
    varie vari blandade różni różní různí разные сборник va unknown unbekannt unbekannter unbekannte
    inconnu inconnue desconocido desconocida desconhecido desconhecida sconosciuto sconosciuti okänd
    okända ukjent ukendt onbekend onbekende tuntematon nieznany neznámý неизвестный неизвестен
    anonymous anon anonyme anónimo anônimo anonimo anonym anonymus аноним traditional traditionals
    trad traditionnel tradicional traditionell tradizionale народная народные
    soundtrack soundtracks ost theme themes tv movie movies films filmmusik jingle jingles bso
    megamix mix mixes remix remixes medley medleys sampler compilation compilations karaoke
    untitled misc miscellaneous sonstige sonstiges none other others midi midis
    群星 オムニバス 未知 不明 未知艺术家 不明なアーティスト アーティスト不明
""")
_BESIDE = _words("""
    artist artists artista artistas artiste artistes artisti artister artiesten interpret
    interpreten interpreti künstler wykonawcy wykonawca исполнитель исполнители композитор composer
    composers compositor compositores compositeur komponist author authors singer singers band bands
    performer performers original motion picture pictures film television cartoon cartoons video
    game games anime show shows series song songs tune tunes music musik música musica musique file
    files dj dance club party hit hits best and & from for of tema temas
""")
_NUMBERED = re.compile(
    r"(?:track|titel|title|piste|pista|traccia|spur|faixa|disc|disk|cd|song|file|дорожка)?"
    r"[\s#.-]*\d{1,2}|(?:19|20)?\d0'?s"
)
_INITIALS = re.compile(r"v\s?[./]\s?a\.?|n/a")


def is_artist(name: str) -> bool:
    """Whether a folder's name can be an artist's at all.

    False for `Various Artists`, `Unknown`, `Traditional`, soundtracks, themes, mixes, `Track 01`
    and numbers of one or two digits, in several languages. With an article such names are bands:
    `The Others`, `The Movies`.
    """
    text = unicodedata.normalize("NFKC", name).casefold().replace("_", " ").strip(" ()[]<>-*'\"")
    if not text:
        return name.strip(" _-") != ""
    if _NUMBERED.fullmatch(text) or _INITIALS.fullmatch(text):
        return False
    words = {word.strip("().,:;'\"") for word in re.split(r"[\s-]+", text)} - {""}
    return not (words & _NO_ARTIST and words <= _NO_ARTIST | _BESIDE)
