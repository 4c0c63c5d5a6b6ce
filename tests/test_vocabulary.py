"""The genre vocabulary: one name a genre, its family, and tags that are no genres."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import genres, vocabulary
from tests import makers

# Names that Spotify uses, and others, where a word in the name says something else.
HARD = {
    "rock": "rockabilly|psychobilly|rock-and-roll|country rock|folk rock|jazz rock|blues-rock"
    "|dance rock|christian rock|latin rock|rock en espanol|dream pop|noise pop|power pop|new wave"
    "|punk blues|surf music|funk rock|rap rock|melancholia|gothic rock|wrestling|post-punk",
    "punk": "pop punk|ska punk|folk punk|christian punk|post-hardcore|emo|oi|dance-punk"
    "|celtic punk",
    "metal": "neo classical metal|folk metal|rap metal|funk metal|jazz metal|death core|nwobhm"
    "|metal guitar|christian metal|deathgrind|symphonic metal|neue deutsche harte",
    "pop": "k-pop|j-pop|folk-pop|dance pop|latin pop|jazz pop|synthpop|schlager|chanson|enka"
    "|operatic pop|swamp pop|neue deutsche welle|turbo-folk|italian pop|lilith",
    "mellow": "adult standards|mellow gold|tin pan alley|exotica|lounge|classify",
    "country": "country road|progressive bluegrass|western swing|country pop|redneck",
    "hip hop": "trap|trap music|dwn trap|jazz rap|pop rap|g funk|christian hip hop|country trap"
    "|country rap|industrial hip hop|miami bass|latin hip hop|crunk|turntablism|grime|hyphy",
    "electronic": "electro swing|hip house|trip hop|big beat|tropical house|electronic trap|ambient"
    "|jungle|hardcore techno|happy hardcore|italo-disco|funk carioca|industrial|future funk"
    "|acid house|uk garage|drum and bass|new beat",
    "soul": "r&b|new jack swing|jazz soul|disco|beach music|p-funk|quiet storm|hip hop soul|motown",
    "jazz": "jazz fusion|latin jazz|acid jazz|soul jazz|jazz funk|swing|ragtime|gypsy jazz"
    "|jazz bass|afro-cuban jazz|punk-jazz|argentinian jazz",
    "blues": "jazz blues|country blues|soul blues|british blues|boogie-woogie|zydeco",
    "folk": "volksmusik|indie folk|celtic|old-time|sea shanty|neofolk|blaskapelle|zillertal",
    "reggae": "lovers rock|ska|dub|rock steady|reggae fusion|dancehall",
    "latin": "reggaeton|bossa nova|tango|flamenco|sertanejo|velha guarda|tropical|fado",
    "classical": "classical crossover|baroque|romantic|opera|gregorian chant|military march"
    "|wind ensemble|composition d|minimalism",
    "world": "afrobeat|calypso|klezmer|entehno|gamelan|carnatic classical",
    "screen": "show tunes|broadway|spaghetti western|video game music|bollywood|music hall",
    "christian": "gospel|country gospel|southern gospel|ccm|rosary|spirituals",
    "holiday": "country christmas|soul christmas|heavy christmas|halloween",
    "experimental": "experimental|noise|musique concrete|power electronics",
    "new age": "new age|celtic new age|christian relaxative|panpipe",
    "spoken": "comic|kabarett|hoerspiel|spoken word|beat poetry",
    "children": "children's music|kindermusik|lullaby",
}
HARD_CASES = [(genre, family) for family, members in HARD.items() for genre in members.split("|")]
GUESSED = {"jazz soul", "argentinian jazz"}

# The labels of tagtraum's annotations (CD1, CD2, CD2C), of top-MAGD and of MASD.
MILLION_SONGS = {
    "rock": "Rock Pop_Rock Grunge_Emo Rock_Alternative Rock_College Rock_Contemporary Rock_Hard "
    "Rock_Neo_Psychedelia",
    "punk": "Punk",
    "metal": "Metal Metal_Alternative Metal_Death Metal_Heavy",
    "pop": "Pop Pop_Contemporary Pop_Indie Pop_Latin",
    "mellow": "Vocal Easy_Listening",
    "country": "Country Country_Traditional",
    "hip hop": "Rap Hip_Hop_Rap",
    "electronic": "Electronic Dance Electronica",
    "soul": "RnB RnB_Soul",
    "jazz": "Jazz Big_Band Jazz_Classic",
    "blues": "Blues Blues_Contemporary",
    "folk": "Folk",
    "reggae": "Reggae",
    "latin": "Latin",
    "classical": "Classical",
    "world": "World International Folk_International",
    "screen": "Stage",
    "christian": "Religious Gospel",
    "holiday": "Holiday",
    "experimental": "Avant_Garde Experimental",
    "new age": "New_Age",
    "spoken": "Comedy_Spoken",
    "children": "Children",
}

ALIASES = {
    "hip hop": ["Hip-Hop", "hiphop", "hip hop music", "Hip_Hop_Rap", "HIP  HOP"],
    "r&b": ["R'n'B", "rnb", "r & b", "R and B", "rhythm and blues", "Rhythm & Blues", "RnB_Soul"],
    "rock": ["rock music", "Rock", "ROCK  MUSIC"],
    "rock-and-roll": [
        "rock and roll",
        "rock 'n' roll",
        "rock & roll",
        "Rock'n'Roll",
        "rock’n’roll",
    ],
    "drum and bass": ["drum n bass", "drum & bass", "d&b", "dnb", "drum'n'bass"],
    "blues-rock": ["blues rock", "Blues/Rock"],
    "death core": ["deathcore"],
    "forro": ["forró"],
    "gabba": ["gabber"],
    "gangster rap": ["gangsta rap"],
    "nwobhm": ["new wave of British heavy metal"],
    "neue deutsche harte": ["Neue Deutsche Härte"],
    "musique concrete": ["musique concrète"],
    "early music": ["Early Music"],
    "trap music": ["trap"],
    "folk": ["folk music", "Folk, World, & Country"],
    "christmas": ["Christmas music", "xmas"],
    "edm": ["electronic dance music"],
}

NO_GENRES = (
    "seen live|american|80s|80's|1980s|00s|1999|19th century|female vocalists|Female Vocalists"
    "|male vocalist|favorites|Favourites|german|usa|UK|Brasil|france|under 2000 listeners|guitar"
    "|music|sexy||  "
)


@pytest.mark.parametrize(("genre", "family"), HARD_CASES)
def test_hard_cases(genre: str, family: str) -> None:
    assert vocabulary.family_of(genre) == family
    assert vocabulary.is_mapped(genre) == (genre not in GUESSED)
    assert vocabulary.is_genre(genre)


def test_every_genre_of_spotify_is_listed_and_stays_itself() -> None:
    path = makers.SHARED / "spotify_artists.jsonl"
    if not path.exists():
        pytest.skip("no shared data beside this checkout")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    counts = Counter(genre for row in rows for genre in row["genres"])
    assert len(counts) > 500
    assert vocabulary.unmapped(counts) == []
    assert Counter({vocabulary.canonical(genre): n for genre, n in counts.items()}) == counts
    assert {genre for genre in counts if not vocabulary.is_genre(genre)} == set()


def test_our_own_table_is_listed_and_stays_itself() -> None:
    text = resources.files("corpus.sources").joinpath("music21_genres.csv").read_text("utf-8")
    used = {g for r in csv.DictReader(text.splitlines()) for g in r["genres"].split(";")}
    assert {g for g in used if not vocabulary.is_mapped(g) or vocabulary.canonical(g) != g} == set()


@pytest.mark.parametrize(
    ("label", "family"),
    [(label, family) for family, labels in MILLION_SONGS.items() for label in labels.split()],
)
def test_labels_of_the_million_song_dataset_are_listed(label: str, family: str) -> None:
    assert vocabulary.is_mapped(label)
    assert "_" not in vocabulary.canonical(label)
    assert vocabulary.family_of(label) == family


@pytest.mark.parametrize(
    ("genre", "alias"), [(genre, alias) for genre, said in ALIASES.items() for alias in said]
)
def test_spellings_of_one_genre_are_one_genre(genre: str, alias: str) -> None:
    assert vocabulary.canonical(alias) == genre
    assert vocabulary.family_of(alias) == vocabulary.family_of(genre)
    assert vocabulary.is_mapped(alias)


@pytest.mark.parametrize("tag", NO_GENRES.split("|"))
def test_tags_that_are_no_genres(tag: str) -> None:
    assert not vocabulary.is_genre(tag)
    assert not vocabulary.is_mapped(tag)
    assert vocabulary.family_of(tag) == vocabulary.OTHER


@pytest.mark.parametrize(
    "tag", ["german pop", "80s rock", "irish folk", "piano rock", "never seen"]
)
def test_a_genre_may_have_such_a_tag_in_it(tag: str) -> None:
    assert vocabulary.is_genre(tag)


def test_the_vocabulary_is_large_and_every_name_has_a_family() -> None:
    known = vocabulary.vocabulary()
    assert len(known.families) >= 2000
    assert 20 <= len(vocabulary.families()) <= 25
    assert vocabulary.OTHER not in vocabulary.families()
    assert set(known.names.values()) == set(known.families)
    for genre, family in known.families.items():
        assert vocabulary.canonical(genre) == genre
        assert vocabulary.family_of(genre) == family
        assert vocabulary.is_genre(genre)
        assert vocabulary.is_mapped(f"{genre} music")


@given(st.text() | st.sampled_from(["Hip Hop", "r'n'b", "a_b/c-n d", "ΑΣ Σ", "&", "music"]))
def test_any_text_has_one_name_and_one_family(text: str) -> None:
    name = vocabulary.canonical(text)
    assert vocabulary.canonical(name) == name
    assert vocabulary.family_of(name) == vocabulary.family_of(text)
    assert vocabulary.is_mapped(name) == vocabulary.is_mapped(text)


@pytest.mark.parametrize(
    ("genre", "family"),
    [
        ("deep finnish death metal", "metal"),
        ("swedish drum and bass", "electronic"),
        ("Hungarian Folk_Metal", "metal"),
        ("latvian house music", "electronic"),
        ("rock de garaje", "rock"),
        ("polka/metal", "metal"),
        ("no such word", "other"),
        ("rocky metallic poppy", "other"),
        ("music", "other"),
    ],
)
def test_names_that_are_not_listed_are_guessed_by_whole_words(genre: str, family: str) -> None:
    assert vocabulary.family_of(genre) == family
    assert not vocabulary.is_mapped(genre)


def test_unmapped_lists_the_most_frequent_first() -> None:
    counts = {"metal": 9, "b core": 2, "zeta wave": 5, "a core": 2, "seen live": 7, "Hip-Hop": 3}
    assert vocabulary.unmapped(counts) == [("zeta wave", 5), ("a core", 2), ("b core", 2)]


SMALL = """
[families.rock]
words = ["garaje"]
genres = ["rock", "hard rock"]
[families."hip hop"]
genres = ["hip hop"]
[aliases]
"hip hop" = ["rap"]
[non_genres]
tags = ["seen live"]
"""


def test_a_small_vocabulary_is_read() -> None:
    known = vocabulary.parse(SMALL)
    assert known.families == {"rock": "rock", "hard rock": "rock", "hip hop": "hip hop"}
    assert known.names["rap"] == "hip hop"
    assert known.words == {
        "rock": "rock", "hardrock": "rock", "hiphop": "hip hop", "rap": "hip hop", "garaje": "rock",
    }  # fmt: skip
    assert known.non_genres == {"seenlive"}


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"hard rock"', '"rock"', "lists 'rock' in 'rock' and in 'rock'; leave one out"),
        ('["hip hop"]', '["hip hop", "rock"]', "lists 'rock' in 'rock' and in 'hip hop'"),
        ('"hard rock"', '"hip-hop"', "'hip hop' reads the same as 'hip-hop'"),
        ('["rap"]', '["hip-hop"]', "'hip-hop' reads the same as 'hip hop'"),
        ('["rap"]', '["hard rock"]', "'hard rock' reads the same as 'hard rock'"),
        ('["rap"]', '["a", "a"]', "'a' reads the same as 'a'"),
        ('["seen live"]', '["rap"]', "'rap' reads the same as 'rap'"),
        ('"hip hop" = ["rap"]', '"trip hop" = ["x"]', "'trip hop', which no family lists"),
        ("[non_genres]", "[nongenres]", "has a table 'nongenres'; known: aliases"),
        ('words = ["garaje"]', 'word = ["garaje"]', "takes only genres and words"),
        ('["garaje"]', '["rock"]', "the word 'rock' in 'rock'"),
        ('["rap"]', '"rap"', "is not a list but 'rap'"),
        ('["rap"]', '["Rap"]', "'Rap'; write names in lower case"),
        ('["rap"]', "[1]", "has 1; write names"),
        ("[non_genres]", "[non_genres", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(old: str, new: str, part: str) -> None:
    assert old in SMALL
    with pytest.raises(ValueError, match=r"genres\.toml") as caught:
        vocabulary.parse(SMALL.replace(old, new, 1))
    assert part in str(caught.value)


def test_the_hash_changes_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    before = vocabulary.vocabulary_hash()
    assert genres.vocabulary_hash() == before
    monkeypatch.setattr(vocabulary, "_text", lambda: SMALL.encode())
    vocabulary.vocabulary_hash.cache_clear()
    changed = vocabulary.vocabulary_hash()
    monkeypatch.undo()
    vocabulary.vocabulary_hash.cache_clear()
    assert changed != before
    assert vocabulary.vocabulary_hash() == before


def test_reading_the_file_is_quick() -> None:
    text = resources.files("corpus").joinpath("genres.toml").read_text("utf-8")
    seconds = []
    for _ in range(5):
        start = time.process_time()
        vocabulary.parse(text)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.03
