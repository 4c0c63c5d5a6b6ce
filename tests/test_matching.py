from __future__ import annotations

import random
import re
from itertools import combinations

import pytest

from benchmarks import matching as bench
from corpus import matching, names
from corpus.matching import ACCEPT, REVIEW, NameIndex, best, collaborators, is_artist
from corpus.providers.base import AMBIGUOUS, FOUND, NO_MATCH

VARIANTS = [
    ("The Beatles", "Beatles, The"),
    ("Phil Collins", "Collins Phil"),
    ("Creedence Clearwater Revival", "Creedance Clearwater Revival"),
    ("Emerson, Lake & Palmer", "Emerson Lake and Palmer"),
    ("Tom Petty and The Heartbreakers", "Tom Petty & the Heartbreakers"),
    ("Red Hot Chili Peppers", "Red Hot Chilli Peppers"),
    ("Smashing Pumpkins", "The Smashing Pumkins"),
    ("Lynyrd Skynyrd", "Lynyrd Skynrd"),
    ("Backstreet Boys", "Backstreet Boy"),
    ("Alanis Morissette", "Alanis Morisette"),
    ("Ludwig van Beethoven", "Ludwig_van_Bethoven"),
]

# All but alike, and someone else: none may be taken for the other.
LOOK_ALIKES = [
    ("Blink 182", "Blink 183"),
    ("Boyz II Men", "Boyz Men"),
    ("Johann Strauss I", "Johann Strauss II"),
    ("Johann Baptist Strauss III", "Johann Baptist Strauss II"),
    ("Kenneth Babyface Edmonds", "Kenneth Babyface Edmonds Jr."),
    ("Kenneth Babyface Edmonds Sr.", "Kenneth Babyface Edmonds Jr."),
    ("Symphonic Orchestra X", "Symphonic Orchestra"),
    ("London Festival Orchestra 1", "London Festival Orchestra 2"),
    ("Carl Thomasson", "Carla Thomasson"),
    ("Mario Rodriguez Hernandez", "Maria Rodriguez Hernandez"),
    ("Jan Michelangelo", "Jean Michelangelo"),
    ("Robert Flackerty", "Roberta Flackerty"),
    ("John F Whittington Band", "John K Whittington Band"),
    ("Johnny Cash", "Johnny Nash"),
    ("Air", "Air Supply"),
    ("Les Paul", "Paul"),
    ("El DeBarge", "DeBarge"),
    ("Los Lobos", "Lobos"),
    ("George Benson", "George Harrison"),
    ("Janet Jackson", "Michael Jackson"),
    ("The Verve", "The Verve Pipe"),
    ("ABC", "ABBA"),
    ("!!!", "!!"),
]


@pytest.mark.parametrize(("one", "other"), VARIANTS)
def test_variants_are_one_artist(one: str, other: str) -> None:
    assert matching.grade(one, other) >= ACCEPT
    assert matching.grade(one, other) == matching.grade(other, one)
    match = NameIndex(["Abba", one, "Zappa"]).match(other)
    assert (match.status, match.index) == (FOUND, 1)
    assert best(other, [("Abba", ()), (one, ())]).index == 1


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_look_alikes_are_not(one: str, other: str) -> None:
    assert matching.grade(one, other) < ACCEPT
    assert matching.grade(one, other) == matching.grade(other, one)
    for a, b in ((one, other), (other, one)):
        assert NameIndex([a]).match(b).status == NO_MATCH
        assert best(b, [(a, ())]).status == NO_MATCH


def test_the_fuzzy_score_alone_would_take_some_of_them() -> None:
    taken = [pair for pair in LOOK_ALIKES if matching.score(*pair) >= ACCEPT]
    assert ("Carl Thomasson", "Carla Thomasson") in taken
    assert len(taken) >= 5


def test_what_is_near_is_for_review_best_first() -> None:
    known = ["Metallica", "Metalium", "Blink 182", "Blondie"]
    match = NameIndex(known).match("Metalica")
    assert (match.status, match.index, match.indices) == (NO_MATCH, -1, ())
    assert match.candidates[0] == (0, match.score)
    assert REVIEW / 100 <= match.score < ACCEPT / 100
    assert NameIndex(known).match("Blink 183").candidates[0][0] == 2


def test_what_is_not_near_comes_with_the_nearest_three() -> None:
    known = ["Pink Floyd", "Pink", "Sly Fox", "Pin Fold", "Pink Foil", "Wagner"]
    match = NameIndex(known).match("Pynk Floid")
    assert known[match.candidates[0][0]] == "Pink Floyd"
    assert len(match.candidates) <= 3
    scores = [score for _, score in match.candidates]
    assert scores == sorted(scores, reverse=True)
    assert NameIndex(known).match("Ωmega").candidates == ()
    assert NameIndex([]).match("Pink").status == NO_MATCH


def test_names_that_share_a_form_are_left_to_the_caller() -> None:
    index = NameIndex(["Nirvana", "NIRVANA", "Drifters", "The Drifters"])
    match = index.match("nirvana")
    assert (match.status, match.index, match.indices) == (AMBIGUOUS, -1, (0, 1))
    exact = index.match("NIRVANA")
    assert (exact.status, exact.index, exact.indices) == (FOUND, 1, (0, 1))
    # The article decides where it can.
    assert index.match("THE DRIFTERS").index == 3
    assert index.match("Drifters").index == 2


def test_scores_say_how_a_name_was_found() -> None:
    index = NameIndex(["Phil Collins", "Creedence Clearwater Revival", "Eminem"])
    scores = [
        index.match(name).score
        for name in (
            "phil collins",
            "Collins Phil",
            "Eminem feat. Dido",
            "Creedance Clearwater Revival",
        )
    ]
    assert scores[0] == 1.0
    assert all(ACCEPT / 100 <= score < 1 for score in scores[1:])


def test_a_whole_name_comes_before_its_lead() -> None:
    index = NameIndex(["Santana", "Santana feat. Rob Thomas"])
    assert index.match("Santana ft. Rob Thomas").index == 0
    assert index.match("Santana (feat. Rob Thomas)").index == 1


def test_the_position_of_a_candidate_never_counts() -> None:
    candidates = [("Drake", ()), ("Taylor Swift", ()), ("Taylor Swift Tribute", ())]
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        listed = [candidates[i] for i in order]
        assert listed[best("Taylor Swift", listed).index][0] == "Taylor Swift"
    assert best("Rakim", [("Nas", ())]).status == NO_MATCH
    assert best("Rakim", []).status == NO_MATCH


def test_aliases_count_after_names() -> None:
    diddy = ("Diddy", ("Puff Daddy", "P. Diddy"))
    assert best("Puff Daddy", [("Daddy Yankee", ()), diddy]).index == 1
    assert best("Prince", [("The Artist", ("Prince",)), ("Prince", ())]).index == 1
    twins = [("Nirvana", ()), ("Nirvana", ("Nirvana UK",))]
    assert best("Nirvana", twins).indices == (0, 1)
    assert best("Nirvana", twins).status == AMBIGUOUS


def test_a_name_without_letters_is_matched_by_its_signs() -> None:
    index = NameIndex(["!!!", "???", "日本", "+/-"])
    assert [index.match(name).index for name in ("!!!", "???", "日本", "+/-", "")] == [
        0, 1, 2, 3, -1,
    ]  # fmt: skip


def test_the_index_loses_nothing_that_the_score_finds() -> None:
    rng = random.Random(5)
    known = bench.Names(rng).make(300)
    index = NameIndex(known)
    for _, name, _ in bench.make_queries(known, 60, rng):
        lead = names.without_featured(name)
        graded = [max(matching.grade(name, k), matching.grade(lead, k)) for k in known]
        match = index.match(name)
        if max(graded) >= REVIEW and name == lead:
            assert match.score == pytest.approx(max(graded) / 100, abs=1e-5)
        shown = {i for i, score in match.candidates if 100 * score >= REVIEW}
        if match.status == NO_MATCH:
            assert shown == {i for i, each in enumerate(graded) if each >= REVIEW}


def test_many_names_are_matched_as_each_is() -> None:
    rng = random.Random(3)
    known = bench.Names(rng).make(200)
    asked = [name for _, name, _ in bench.make_queries(known, 150, rng)]
    index = NameIndex(known)
    assert index.match_all(asked) == [index.match(name) for name in asked]
    assert index.match_all([]) == []


def test_made_up_artists_are_hardly_ever_confused() -> None:
    rng = random.Random(11)
    known = bench.Names(rng).make(3000)
    index = NameIndex(known)
    outcomes = [
        (kind, bench.outcome(index.match(name), wanted))
        for kind, name, wanted in bench.make_queries(known, 850, rng)
    ]
    assert sum(outcome == "FALSE" for _, outcome in outcomes) <= 1
    for kind in ("words swapped", "last, first", "accents", "signs and spaces", "guests"):
        assert {outcome for k, outcome in outcomes if k == kind} == {"accepted"}


@pytest.mark.parametrize(
    ("name", "artists"),
    [
        ("Hall & Oates", ["Hall", "Oates"]),
        ("Eminem feat. Dido", ["Eminem", "Dido"]),
        ("X (ft. Y & Z)", ["X", "Y", "Z"]),
        ("Aly vs. Fila", ["Aly", "Fila"]),
        ("Bowie with Queen", ["Bowie", "Queen"]),
        ("Crosby, Stills and Nash", ["Crosby", "Stills", "Nash"]),
        ("Emerson, Lake, and Palmer", ["Emerson", "Lake", "Palmer"]),
        ("Collins, Phil & Martin, Marilyn", ["Collins, Phil", "Martin, Marilyn"]),
        ("Hank Williams, Jr. & Waylon Jennings", ["Hank Williams, Jr.", "Waylon Jennings"]),
        ("Bill Haley & His Comets", ["Bill Haley"]),
        ("Bob Marley and the Wailers", ["Bob Marley", "the Wailers"]),
        ("Simon_&_Garfunkel", ["Simon", "Garfunkel"]),
        ("Collins, Phil", []),
        ("AC/DC", []),
        ("Little Feat", []),
        ("Symphony X", []),
        ("Anderson Wanda", []),
    ],
)
def test_collaborators(name: str, artists: list[str]) -> None:
    assert collaborators(name) == artists


NO_ARTISTS = """
Various Artists|various|V.A.|VA|V/A|Varios Artistas|Artistes divers|Verschiedene Interpreten
Разные исполнители|群星|Unknown|Unknown Artist|<unknown>|Unbekannter Künstler
Artista desconocido|不明なアーティスト|Anonymous|Anonym|Traditional|[Traditional]|Trad.
Soundtrack|Movie Themes|TV Themes|Original Motion Picture Soundtrack|Television Theme Songs
Theme|Soundtracks - Movies|DJ Mix|Dance Mix|Untitled|misc|Track 01|track_7|Titel 3|01|7
80's|N/A|Karaoke||   |--"""

ARTISTS = """311|883|911|U2|Us3|10cc|!!!|???|Television|Cartoons|The Unknown|The Others|Little Mix
The Soundtrack of Our Lives|Anonymous 4|Various Production|TV on the Radio|The The|New Order
Party Animals|DJ Bobo|The Band|Mix Master Mike|The 1975|98 Degrees|M|New Musik|Vangelis
Theme Park|Divers Alarums|日本"""


@pytest.mark.parametrize("name", re.split(r"[|\n]", NO_ARTISTS))
def test_folders_that_are_no_artists(name: str) -> None:
    assert not is_artist(name)


@pytest.mark.parametrize("name", re.split(r"[|\n]", ARTISTS))
def test_artists_with_odd_names_are_artists(name: str) -> None:
    assert is_artist(name)


def test_look_alikes_stay_apart_among_themselves() -> None:
    everyone = sorted({name for pair in LOOK_ALIKES for name in pair})
    index = NameIndex(everyone)
    assert [index.match(name).index for name in everyone] == list(range(len(everyone)))
    near = [(a, b) for a, b in combinations(everyone, 2) if matching.grade(a, b) >= ACCEPT]
    assert near == []
