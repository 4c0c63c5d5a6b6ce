"""Every path below DATA; the only place where a path is spelled.

```
raw/<source>/                       notesequences/            genres/
subsets/<genre>/                    examples/<encoding>/<genre>/
models/<model>/<genre>/             samples/<model>/<genre>/
reports/
```
"""

from __future__ import annotations

from dataclasses import dataclass

from corpus import files, names

REPORT = "_report.json"
TRACKS = "tracks.parquet"
REJECTIONS = "rejections.jsonl"
ARTIST_GENRES = "artist_genres.parquet"
TRACK_GENRES = "track_genres.parquet"
REVIEW = "review.csv"
SOURCES = "sources.parquet"
INDEX = "index.csv"
CACHE = "cache.sqlite"
LABELS = "labels.parquet"
CROSSOVER_PICTURE = "crossover.png"
CROSSOVER_TABLE = "crossover.csv"
CROSSOVER_DRAWING = "crossover.svg"
CROSSOVER_PAGE = "crossover.html"
INDEX_PAGE = "index.html"
FIXED_NAMES = frozenset(
    (
        *(REPORT, TRACKS, REJECTIONS, ARTIST_GENRES, TRACK_GENRES, REVIEW, LABELS),
        *(CROSSOVER_PICTURE, CROSSOVER_TABLE, CROSSOVER_DRAWING, CROSSOVER_PAGE, SOURCES, INDEX),
    )
)


@dataclass(frozen=True)
class Layout:
    """The folders of one run. `data` is a local folder or an object-store URI."""

    data: str

    def raw(self, source: str) -> str:
        """What the scrape stage keeps of one source."""
        return files.join(self.data, "raw", source)

    @property
    def notesequences(self) -> str:
        """What ingest writes: NoteSequence shards, tracks, rejections."""
        return files.join(self.data, "notesequences")

    @property
    def genres(self) -> str:
        """What the genres stage writes: one row an artist, provider and genre."""
        return files.join(self.data, "genres")

    @property
    def subsets(self) -> str:
        """What the subsets stage writes: a folder a genre, and the labels."""
        return files.join(self.data, "subsets")

    def examples(self, encoding: str) -> str:
        """What the examples stage writes for one encoding: a folder a genre."""
        return files.join(self.data, "examples", encoding)

    @property
    def reports(self) -> str:
        """Pictures and pages."""
        return files.join(self.data, "reports")

    @property
    def explore(self) -> str:
        """The pages that show the pieces of every genre."""
        return files.join(self.data, "explore")

    @property
    def report_page(self) -> str:
        """What every stage did, as a page."""
        return files.join(self.reports, "report.html")

    @property
    def card(self) -> str:
        """The dataset card and what goes with it: croissant.json, LICENSES.md, attribution.csv."""
        return files.join(self.reports, "card")

    @property
    def export(self) -> str:
        """The corpus as Parquet with the MIDI inside, beside its card."""
        return files.join(self.data, "export")

    def listening(self, model: str) -> str:
        """The page with a model's samples beside real music; it lies beside the samples."""
        return files.join(self.data, "samples", model, "listen.html")

    def evaluation(self, model: str) -> str:
        """What was found out about a model's samples: a page and a table, without extension."""
        return files.join(self.reports, f"evaluation_{model}")

    def benchmark(self, name: str) -> str:
        """A public data set that models are compared on; the user puts it there."""
        return files.join(self.data, "benchmarks", name)

    def model(self, model: str, genre: str) -> str:
        """Where one genre's model is trained; `genre` is the genre's name, not its folder."""
        return files.join(self.data, "models", model, names.slug(genre))

    def bundle(self, model: str, genre: str) -> str:
        """The one file that holds a trained model."""
        return files.join(self.model(model, genre), f"{model}.safetensors")

    def samples(self, model: str, genre: str) -> str:
        """Where one genre's sampled MIDI files go."""
        return files.join(self.data, "samples", model, names.slug(genre))

    @property
    def tracks_table(self) -> str:
        """The table of everything that was read."""
        return files.join(self.notesequences, TRACKS)

    @property
    def artist_genres_table(self) -> str:
        """The table of who says what about which artist."""
        return files.join(self.genres, ARTIST_GENRES)

    @property
    def track_genres_table(self) -> str:
        """The table of who says what about which very track."""
        return files.join(self.genres, TRACK_GENRES)

    @property
    def labels_table(self) -> str:
        """The table of genre labels of tracks, with their splits."""
        return files.join(self.subsets, LABELS)
