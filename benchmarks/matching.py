"""How well names of artists are matched, and how fast.

    python -m benchmarks.matching [--known 20000] [--queries 10000] [--seed 0]

Makes up artists, misspells some of them as people do, and makes up others that look alike and are
someone else; prints what `corpus.matching.NameIndex` makes of each kind, on one core.

Columns: `accepted` is the right artist found; `review` the right one among the candidates to
review; `missed` neither. `FALSE` is another artist found, the one thing that must not happen, and
for look-alikes, which are nobody in the list, `review` is that anyone is shown.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from benchmarks.memory import peak_mb
from corpus.matching import REVIEW, Match, NameIndex
from corpus.names import normal_form
from corpus.providers.base import AMBIGUOUS, FOUND

NUM_KNOWN, NUM_QUERIES = 20_000, 10_000
_LETTERS = "abcdefghijklmnoprstuvwy"
_ONSETS = (
    "b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pr",
    "qu", "r", "s", "sh", "st", "t", "tr", "v", "w", "z",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ea", "ou", "ie")
_CODAS = ("", "", "", "n", "r", "s", "l", "ck", "nd", "rt", "m", "tt")
_NOUNS = ("Brothers", "Band", "Orchestra", "Project", "Sisters", "Quartet", "Boys", "Factory")
_ACCENTS = str.maketrans({"a": "á", "e": "é", "i": "ï", "o": "ø", "u": "ü", "c": "ç", "n": "ñ"})

COLUMNS = ("accepted", "review", "missed", "ambiguous", "FALSE")

Change = Callable[[str, random.Random], str]


def _word(rng: random.Random, low: int = 1, high: int = 3) -> str:
    count = rng.randint(low, high)
    parts = (rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))
    return "".join(parts).capitalize()


class Names:
    """Made-up artists: persons with names that many share, and bands."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.first = [_word(rng, 1, 2) for _ in range(400)]
        self.last = [_word(rng, 2, 3) for _ in range(4000)]

    def person(self) -> str:
        rng = self.rng
        middle = f" {rng.choice('ABCEJLMRT')}." if rng.random() < 0.05 else ""
        return f"{rng.choice(self.first)}{middle} {rng.choice(self.last)}"

    def band(self) -> str:
        rng = self.rng
        return rng.choice(
            (
                f"The {_word(rng, 2, 3)}s",
                f"{_word(rng, 2, 3)} {rng.choice(_NOUNS)}",
                f"{_word(rng, 2, 3)} {rng.randint(2, 999)}",
                f"{self.person()} & The {_word(rng, 2, 2)}s",
                f"{_word(rng)} {_word(rng)} {_word(rng)}",
                f"{rng.choice(self.last)} & {rng.choice(self.last)}",
                _word(rng, 2, 4),
                f"{self.person()} {rng.choice(('II', 'Jr.', 'III'))}",
            )
        )

    def make(self, count: int) -> list[str]:
        """Artists with different normal forms, in any order of their words."""
        made: dict[str, str] = {}
        while len(made) < count:
            name = self.person() if self.rng.random() < 0.6 else self.band()
            made.setdefault(normal_form(name).ordered, name)
        return list(made.values())


def _at(name: str, rng: random.Random) -> int:
    return rng.choice([i for i in range(1, len(name)) if name[i].isalpha()])


def _substituted(name: str, rng: random.Random) -> str:
    i = _at(name, rng)
    return name[:i] + rng.choice([c for c in _LETTERS if c != name[i]]) + name[i + 1 :]


def _dropped(name: str, rng: random.Random) -> str:
    i = _at(name, rng)
    return name[:i] + name[i + 1 :]


def _doubled(name: str, rng: random.Random) -> str:
    i = _at(name, rng)
    return name[:i] + name[i] + name[i:]


def _transposed(name: str, rng: random.Random) -> str:
    i = rng.choice([i for i in range(1, len(name)) if name[i - 1 : i + 1].isalpha()])
    return name[: i - 1] + name[i] + name[i - 1] + name[i + 1 :]


def _swapped(name: str, rng: random.Random) -> str:
    first, _, rest = name.partition(" ")
    return f"{rest} {first}".strip()


def _inverted(name: str, rng: random.Random) -> str:
    first, _, last = name.rpartition(" ")
    return f"{last}, {first}" if first and "&" not in name else name.upper()


def _signs(name: str, rng: random.Random) -> str:
    spelled = name.replace(" & ", rng.choice((" and ", " + "))).replace(".", "")
    return spelled.replace(" ", rng.choice(("_", "-", "  ")))


def _article(name: str, rng: random.Random) -> str:
    return name.removeprefix("The ") if name.startswith("The ") else f"The {name}"


def _initial(name: str, rng: random.Random) -> str:
    first, _, last = name.partition(" ")
    return f"{first[0]}. {last}" if last else name.lower()


def _featured(name: str, rng: random.Random) -> str:
    return f"{name} {rng.choice(('feat.', 'ft.', 'featuring', '(feat.'))} {_word(rng, 2, 2)}"


VARIANTS: dict[str, Change] = {
    "other letter": _substituted,
    "letter dropped": _dropped,
    "letter doubled": _doubled,
    "letters swapped": _transposed,
    "words swapped": _swapped,
    "last, first": _inverted,
    "signs and spaces": _signs,
    "accents": lambda name, rng: name.translate(_ACCENTS),
    "article": _article,
    "guests": _featured,
    "initial only": _initial,
}


def _other_number(name: str, rng: random.Random) -> str:
    digits = "".join(c for c in name if c.isdigit())
    return name.replace(digits, str(int(digits) + 1)) if digits else f"{name} {rng.choice('234')}"


def _other_first(name: str, rng: random.Random) -> str:
    return f"{_word(rng, 1, 2)} {name.partition(' ')[2] or _word(rng)}"


def _sister(name: str, rng: random.Random) -> str:
    first, _, rest = name.partition(" ")
    ending = rng.choice(("a", "o", "e", "elle", "ina"))
    return f"{first.rstrip('aeiou')}{ending} {rest or _word(rng)}"


def _generation(name: str, rng: random.Random) -> str:
    bare = name.removesuffix(" II").removesuffix(" III").removesuffix(" Jr.")
    return f"{bare} {rng.choice(('Sr.', 'IV', 'I', 'V'))}"


def _other_initial(name: str, rng: random.Random) -> str:
    first, _, rest = name.partition(" ")
    return f"{first} {rng.choice('DFGHKPSVW')}. {rest or _word(rng)}"


def _shared_last(name: str, rng: random.Random) -> str:
    return f"{_word(rng, 2, 3)} {name.rpartition(' ')[2]}"


LOOK_ALIKES: dict[str, Change] = {
    "other number": _other_number,
    "other first name": _other_first,
    "other ending": _sister,
    "other generation": _generation,
    "other initial": _other_initial,
    "shared last word": _shared_last,
}


def outcome(match: Match, wanted: int) -> str:
    """The column that a match counts in; `wanted` is -1 for someone who is not in the list."""
    if match.status == FOUND:
        return "accepted" if match.index == wanted else "FALSE"
    if match.status == AMBIGUOUS:
        return "ambiguous"
    shown = [index for index, score in match.candidates if 100 * score >= REVIEW]
    return "review" if (shown and wanted < 0) or wanted in shown else "missed"


def make_queries(
    known: Sequence[str], count: int, rng: random.Random
) -> list[tuple[str, str, int]]:
    """(kind, name, index of the artist meant) of misspelt names and of look-alikes."""
    taken = {normal_form(name).ordered for name in known}
    kinds = [*VARIANTS.items(), *LOOK_ALIKES.items()]
    queries: list[tuple[str, str, int]] = []
    while len(queries) < count:
        kind, change = kinds[len(queries) % len(kinds)]
        index = rng.randrange(len(known))
        name = change(known[index], rng)
        if kind in VARIANTS:
            queries.append((kind, name, index))
        elif normal_form(name).ordered not in taken:
            queries.append((kind, name, -1))
    return queries


def print_table(counts: Mapping[str, Counter[str]]) -> None:
    """Prints what came of every kind, and the sums."""
    rows = dict(counts)
    for title, group in (("all variants", VARIANTS), ("all look-alikes", LOOK_ALIKES)):
        rows[title] = sum((counts[kind] for kind in group), Counter())
    print(f"{'':18}" + "".join(f"{column:>11}" for column in COLUMNS))
    for title, count in rows.items():
        print(f"{title:18}" + "".join(f"{count[column]:11}" for column in COLUMNS))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for flag, default, text in (
        ("--known", NUM_KNOWN, "artists in the index"),
        ("--queries", NUM_QUERIES, "names to match"),
        ("--seed", 0, "of the names"),
        ("--show", 0, "how many false accepts to list"),
    ):
        parser.add_argument(flag, type=int, default=default, help=f"{text} (default: {default})")
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark and prints a table."""
    arguments = _arguments()
    rng = random.Random(arguments.seed)
    known = Names(rng).make(arguments.known)
    queries = make_queries(known, arguments.queries, rng)
    start = time.perf_counter()
    index = NameIndex(known)
    built = time.perf_counter()
    matches = index.match_all([name for _, name, _ in queries])
    seconds = time.perf_counter() - built
    print(
        f"{len(known)} artists indexed in {built - start:.2f} s; {len(queries)} names matched in "
        f"{seconds:.1f} s ({1000 * seconds / len(queries):.2f} ms a name); {peak_mb():.0f} MB"
    )
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in (*VARIANTS, *LOOK_ALIKES)}
    wrong = []
    for (kind, name, wanted), match in zip(queries, matches, strict=True):
        counts[kind][column := outcome(match, wanted)] += 1
        if column == "FALSE":
            wrong.append(f"  {kind}: {name!r} taken for {known[match.index]!r}, {match.score:.3f}")
    print_table(counts)
    print("\n".join(wrong[: arguments.show]))


if __name__ == "__main__":
    main()
