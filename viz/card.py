"""The dataset card: a README.md as dataset hubs read it, and LICENSES.md, attribution.csv with it.

Source of facts: https://huggingface.co/docs/hub/datasets-cards and
https://github.com/huggingface/hub-docs/blob/main/datasetcard.md (keys of the YAML head,
`size_categories`), https://huggingface.co/docs/hub/datasets-manual-configuration (`configs`).
Every sentence with a number is made from the tables; what is not known is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

import corpus
from corpus import names, subsets
from corpus.records import SPLITS
from viz import facts as facts_of
from viz import licenses, rebuild
from viz.facts import Facts
from viz.markdown import escaped, table, yaml

CARD, LICENSES, ATTRIBUTION, CROISSANT = (
    "README.md", "LICENSES.md", "attribution.csv", "croissant.json",
)  # fmt: skip
ALL = "default"  # the configuration with every genre
Counts = Mapping[str, Mapping[str, int]]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
_MANY = 12
# Column of the export -> (kind, what it is). Kinds: text, integer, number, yes or no, bytes; lists.
COLUMNS = {
    "track_id": ("text", "SHA-1 of the path (for a tune of a book: of path and tune)"),
    "genre": ("text", "the genre whose subset this row belongs to, or a family: family:rock"),
    "family": ("text", "the family of that genre"),
    "split": ("text", "train, validation or test"),
    "genres": ("list of text", "all genres that the track is labelled with, sorted"),
    "genre_confidences": ("list of number", "0..1, one for each of genres"),
    "artist": ("text", "the artist that the genres were looked up for"),
    "title": ("text", "title, as far as the source tells"),
    "source": ("text", "name of the source"),
    "path": ("text", "path of the score in its source"),
    "tune": ("text", "name of the tune, where a file is a book of tunes; else empty"),
    "url": ("text", "where the file was had, as far as that is known; else empty"),
    "license": ("text", "license as the source states it; empty where it states none"),
    "qpm": ("number", "first tempo, quarter notes a minute"),
    "time_signature": ("text", "first time signature"),
    "key": ("text", "key, estimated from the notes; empty where it cannot be told"),
    "seconds": ("number", "end of the last note"),
    "num_notes": ("integer", "notes"),
    "programs": ("list of integer", "General MIDI programs, 0..127, without drums"),
    "has_drums": ("yes or no", "whether a note is a drum's"),
    "md5": ("text", "MD5 of the file as it was found"),
    "midi": ("bytes", "a Standard MIDI file, made from what was read of the score"),
}


def path_pattern(folder: str, split: str) -> str:
    """Where the files of a subset's split lie in the export; `*` for the folder means all."""
    return f"data/{folder}/{split}-*.parquet"


def configurations(counts: Counts) -> dict[str, list[str]]:
    """Configuration -> splits that have tracks; all genres first. `counts` are genre -> split."""
    made = {facts_of.slug(name): [s for s in SPLITS if by[s]] for name, by in counts.items()}
    everything = [s for s in SPLITS if any(s in mine for mine in made.values())]
    return {ALL: everything, **made} if made else {}


def card(facts: Facts, counts: Counts) -> str:
    """README.md. `counts` are the rows of each genre and split, as they are exported.

    Raises:
      ValueError: nothing was ingested.
    """
    head = ["---", *yaml(_head(facts, counts)), "---", ""]
    return "\n".join([*head, *_body(facts, counts)]) + "\n"


def _head(facts: Facts, counts: Counts) -> dict[str, object]:
    whole = licenses.whole_of(facts)
    head: dict[str, object] = {"pretty_name": title(facts), "license": whole.hub}
    if whole.hub == licenses.OTHER:
        head |= {"license_name": "by-track", "license_link": LICENSES}
    rows = sum(sum(by.values()) for by in counts.values()) or len(facts.taken)
    head["tags"] = ["music", "midi", "symbolic-music", *(facts_of.slug(name) for name in counts)]
    head["task_categories"] = ["other"]
    head["size_categories"] = [next((size for most, size in _SIZES if rows < most), "1M<n<10M")]
    configs = [
        {
            "config_name": name,
            **({"default": True} if name == ALL else {}),
            "data_files": [
                {"split": split, "path": path_pattern("*" if name == ALL else name, split)}
                for split in splits
            ],
        }
        for name, splits in configurations(counts).items()
    ]
    return head | ({"configs": configs} if configs else {})


def title(facts: Facts) -> str:
    """A name for the corpus: its sources and its genres."""
    sources = sorted(set(facts.taken["source"])) or ["no tracks"]
    genres = f": {names.listed(facts.subset_names, 6)}" if facts.subset_names else ""
    return f"{names.listed(sources, 3)} by genre{genres}" if genres else names.listed(sources, 3)


def _body(facts: Facts, counts: Counts) -> Iterator[str]:
    yield f"# {escaped(title(facts))}"
    yield ""
    yield from _what_it_is(facts, counts)
    if counts:
        yield from _structure(counts)
        yield from _splits(facts, counts)
        yield from _labelling(facts)
    yield from _sources(facts)
    yield from _limits(facts)
    yield from _rebuilding(facts)
    yield from _citing(facts)


def _what_it_is(facts: Facts, counts: Counts) -> Iterator[str]:
    taken = facts.taken
    hours = float(taken["seconds"].sum()) / 3600 if len(taken) else 0.0
    labelled = " with genre labels, split for training" if counts else ""
    yield (
        f"{len(taken):,} scores of {taken['artist'].nunique():,} artists{labelled}: "
        f"{hours:,.1f} hours, {int(taken['num_notes'].sum()):,} notes. "
        f"Made by GenreMill {corpus.__version__}."
    )
    yield ""


def _structure(counts: Counts) -> Iterator[str]:
    rows = sum(sum(by.values()) for by in counts.values())
    yield "## Structure"
    yield ""
    yield (
        f"Parquet, {rows:,} rows: one for each track and each genre that it is a member of, so a "
        "track of two genres has a row in each (the same `track_id`). Configurations: one a "
        f"genre, and `{ALL}` with all."
    )
    yield ""
    yield "```python"
    yield "from datasets import load_dataset"
    yield ""
    first = next(iter(list(configurations(counts))[1:]), ALL)
    yield f'tracks = load_dataset("path/of/this/folder", "{first}", split="train")'
    yield 'open("song.mid", "wb").write(tracks[0]["midi"])'
    yield "```"
    yield ""
    told = [[f"`{name}`", kind, escaped(words)] for name, (kind, words) in COLUMNS.items()]
    yield from table(["column", "type", "what it is"], told)
    yield ""


def _splits(facts: Facts, counts: Counts) -> Iterator[str]:
    yield "## Counts and splits"
    yield ""
    rows = []
    for name, by in counts.items():
        told = facts.subset_details[name]
        each = [f"{by[split]:,}" for split in SPLITS]
        rows.append([escaped(name), *each, f"{told['artists']:,}", escaped(told["split_by"])])
    yield from table(["genre", *SPLITS, "artists", "split by"], rows)
    yield ""
    left_out = sum(
        count
        for reason, count in (facts.subsets.rejected if facts.subsets else {}).items()
        if reason in (subsets.DUPLICATE, subsets.PARTED)
    )
    yield (
        "What is called `split by` never stands on two sides: all tracks of an artist, or all "
        "versions of a song where a genre has too few artists. Of tracks that are the same music "
        "(the same bytes, the same notes, or nearly the same notes) a genre has one; left out for "
        f"that: {left_out:,}."
    )
    for note in _notes(facts):
        yield f"- {escaped(note)}"
    yield ""


def _notes(facts: Facts) -> list[str]:
    """What the subsets stage says of genres, without its funnel."""
    notes = facts.subsets.details.get("notes", []) if facts.subsets else []
    assert isinstance(notes, list)
    return [str(note) for note in notes if not str(note).startswith("funnel: ")]


def _labelling(facts: Facts) -> Iterator[str]:
    yield "## How it was labelled"
    yield ""
    yield (
        "Genres are what the providers below say of the artist, or of the very track; nobody "
        "listened to these files. A label's confidence is 1 - prod(1 - trust x name match x "
        "weight) over the rows behind it."
    )
    yield ""
    rows = []
    for row in facts.label_licenses.groupby("provider", sort=True):
        provider, mine = str(row[0]), row[1]
        terms, _ = licenses.terms_of(provider)
        stated = ", ".join(escaped(s) or licenses.NOT_STATED for s in mine["license"])
        rows.append([escaped(provider), f"{int(mine['rows'].sum()):,}", stated, escaped(terms)])
    yield from table(["provider", "labels", "license", "terms"], rows)
    yield ""


def _sources(facts: Facts) -> Iterator[str]:
    whole = licenses.whole_of(facts)
    yield "## Sources and terms"
    yield ""
    told = licenses.by_license(facts.taken).head(_MANY)
    rows = [
        [escaped(row.sources), escaped(row.license) or licenses.NOT_STATED, f"{row.tracks:,}"]
        for row in told.itertuples()
    ]
    yield from table(["source", "license as stated", "tracks"], rows)
    yield ""
    yield (
        f"As a whole: `{whole.hub}`. {whole.why} [{LICENSES}]({LICENSES}) has every license with "
        f"its address, [{ATTRIBUTION}]({ATTRIBUTION}) every track with artist, title and source. A "
        "license of a collection is none of the works in it: many scores are arrangements of "
        "songs that somebody owns. Ask before you publish music that a model made of them."
    )
    yield ""


def _limits(facts: Facts) -> Iterator[str]:
    yield "## Known limits and bias"
    yield ""
    taken = facts.taken
    if facts.subsets and len(facts.artist_rows):
        yield "- All tracks of an artist have the artist's genres, ballads of metal bands too."
    if len(taken):
        yield f"- {_share_of_few(taken)}"
        mended = int((taken["warnings"].map(len) > 0).sum())
        yield (
            f"- {mended:,} of {len(taken):,} files were damaged and mended while they were read; "
            "lyrics, system messages and names of tracks without notes are not kept."
        )
    yield (
        "- Files were made by many hands, from transcriptions by ear to exports of notation "
        "programs; wrong notes, wrong titles and wrong artists are among them."
    )
    yield (
        "- What people chose to write down as MIDI is no fair sample of music: some countries, "
        "decades and styles are hardly there, and genres carry the view of those who gave them."
    )
    yield "- Duplicates are found by notes: two arrangements of one song may both be there."
    yield ""


def _share_of_few(taken: pd.DataFrame) -> str:
    counts = taken["artist"].value_counts()
    top = counts.head(10)
    return (
        f"The {len(top)} artists with most tracks have {top.sum() / len(taken):.0%} of them; the "
        f"median artist has {counts.median():g}."
    )


def _rebuilding(facts: Facts) -> Iterator[str]:
    yield "## How to rebuild it"
    yield ""
    settings = rebuild.of_corpus(facts.config, with_paths=False)
    targets = "ingest genres subsets export" if facts.subsets else "ingest"
    yield "```"
    yield from rebuild.command(settings, targets, "out").splitlines()
    yield "```"
    yield ""
    yield "The same input and settings give the same bytes. SHA-256 over what each stage wrote:"
    yield ""
    stages = [stage for stage in (facts.ingest, facts.genres, facts.subsets) if stage]
    yield from table(["stage", "output"], [[s.stage, f"`{s.output_hash}`"] for s in stages])
    yield ""
    versions = {name: version for s in stages for name, version in s.versions.items()}
    yield "Versions: " + ", ".join(f"{name} {found}" for name, found in sorted(versions.items()))
    yield ""


def _citing(facts: Facts) -> Iterator[str]:
    yield "## Citation"
    yield ""
    yield "Cite the sources of the scores, and those of the labels:"
    yield ""
    stated = facts.taken["license"].astype(str)
    if stated.str.contains("Lakh", regex=False).any():
        yield (
            '- Colin Raffel. "Learning-Based Methods for Comparing Sequences, with Applications to '
            'Audio-to-MIDI Alignment and Matching". PhD thesis, Columbia University, 2016.'
        )
    for source in sorted(set(facts.taken["source"]))[:_MANY]:
        yield f"- {escaped(source)}"
    for provider in sorted(set(facts.label_licenses["provider"])):
        yield f"- genre labels: {escaped(provider)}"
    yield f"- GenreMill {corpus.__version__}"
