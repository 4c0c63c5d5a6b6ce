"""What was scraped: a folder `raw/<site>`, listed by its sources.parquet.

Data card: that of the site (`corpus/sources/sources.toml`, or the user's description); every row
has the license that was stated beside the file.

- A score is named as its page tells; where the page does not, by its address, and the artist is
  what the score itself says.
- Files that were fetched as they are (Lakh's archives) are opened as archives in a folder are.
- Of PDMX, scores that claim other rights than its table are rejected.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from corpus import files, layout, names, tables
from corpus.readers.results import READERS_BY_EXTENSION, ReadError
from corpus.records import ScrapedFile, SourceFile
from corpus.sources import lakh, locations, paths, pdmx, warc_archive
from corpus.sources.contents import Contents, open_archive
from corpus.sources.lakh_places import TableFinder
from corpus.sources.members import list_members


class ScrapedSource:
    """A folder that the scrape stage filled."""

    genre_table = ""

    def __init__(self, root: str) -> None:
        self.root = files.absolute(root)
        self.name = names.printable(self.root.rpartition("/")[2]) or "scraped"
        self._contents = Contents()
        self._tables = TableFinder([self.root])
        self._lakh = lakh.LakhNames(self._tables)

    @functools.cached_property
    def _rows(self) -> dict[str, ScrapedFile]:
        rows = tables.read_table(files.join(self.root, layout.SOURCES), ScrapedFile)
        return {row.path: row for row in rows}

    @functools.cached_property
    def _pdmx(self) -> pdmx.PdmxTable | None:
        path = files.join(self.root, pdmx.TABLE)
        return pdmx.PdmxTable(path) if files.exists(path) else None

    def state(self) -> str:
        """Hash over what every row is made of, but not over when it was looked at."""
        facts = [
            SourceFile(self.name, repr((r.path, r.sha256, r.artist, r.title, r.license)), "", 0)
            for r in self._rows.values()
        ]
        table = locations.facts(files.join(self.root, pdmx.TABLE))
        return locations.hash_of([*facts, *self._tables.facts(), table])

    def list_files(self) -> list[SourceFile]:
        """Every score, sorted by path; archives as their members, in their order.

        Raises:
          ValueError: there is no score, or a table of Lakh's or PDMX's is damaged.
        """
        if self.name == pdmx.SITE and self._rows and self._pdmx is None:
            raise ValueError(
                f"{self.root!r} lacks {pdmx.TABLE}, which says whose rights each score has: scrape "
                f"it too, --set scrape.only={pdmx.TABLE} (make: SELECT={pdmx.TABLE})"
            )
        found = [file for row in self._rows.values() for file in self._opened(row)]
        if not any(paths.is_score_name(file.path) for file in found):
            raise ValueError(
                f"{self.root!r} holds {len(found)} files and none of them is a score; "
                f"scores end in {' '.join(READERS_BY_EXTENSION)} (in any letter case)"
            )
        self._lakh.check(file.path for file in found)
        return found

    def _opened(self, row: ScrapedFile) -> list[SourceFile]:
        """The members of an archive; a score stands for itself."""
        if row.warc:
            url = files.join(self.root, row.warc)
            return [SourceFile(self.name, row.path, url, row.num_bytes, 0, row.offset)]
        url = files.join(self.root, row.path)
        if not paths.archive_stem(row.path):
            return [SourceFile(self.name, row.path, url, row.num_bytes)]
        try:
            archive = open_archive(url)
        except OSError as error:
            reason = error.strerror or str(error)
            return [self._rejected(row.path, "unreadable_file", reason)]
        members = list_members(archive, self.name, url, row.path + "/")
        archive.close()
        if not members:
            return [self._rejected(row.path, "empty_archive", "it holds no files")]
        return [self._allowed(member) for member in members]

    def _allowed(self, member: SourceFile) -> SourceFile:
        """A member of PDMX's archives whose rights are clear, or the reason why it is not."""
        if self._pdmx is None or member.reject_reason or not paths.is_score_name(member.path):
            return member
        score = self._score_of(member.path)
        if score is None:
            return self._rejected(member.path, "unknown_rights", "PDMX.csv does not name it")
        if score.has_conflict:
            detail = "the score itself claims other rights than PDMX.csv states"
            return self._rejected(member.path, "license_conflict", detail)
        return member

    def _score_of(self, path: str) -> pdmx.PdmxScore | None:
        if self._pdmx is None:
            return None
        archive, _, inner = path.partition("/")
        top = paths.archive_stem(archive)
        return self._pdmx.get(f"{top}/{inner}") or self._pdmx.get(inner)

    def _rejected(self, path: str, reason: str, detail: str) -> SourceFile:
        url = files.join(self.root, path)
        return SourceFile(self.name, path, url, 0, reject_reason=reason, reject_detail=detail)

    def open_files(
        self, files: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """The contents of listed files, in the order asked; a ReadError where there is none."""
        for file in files:
            row = self._rows.get(file.path)
            if file.reject_reason or row is None or not row.warc:
                yield from self._contents.read_each([file], max_bytes)
                continue
            try:
                yield file, warc_archive.read_record(file.url, file.member, max_bytes)
            except ReadError as error:
                yield file, ReadError(error.reason, error.detail)
            except OSError as error:
                yield file, ReadError("unreadable_file", error.strerror or str(error))

    def license_of(self, path: str) -> str:
        """What was stated beside the file, or by PDMX, or of the archive that it is in."""
        if score := self._score_of(path):
            return score.license
        row = self._rows.get(path) or self._rows.get(path.partition("/")[0])
        return row.license if row else ""

    def __getstate__(self) -> dict[str, object]:
        """Without the tables: they are large, and where they lie is known."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_rows", "_pdmx")}

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """What pages or tables tell; a title that nobody tells is the file's name."""
        if row := self._rows.get(path):
            return row.artist, row.title or paths.tidy(paths.stem(path))
        if score := self._score_of(path):
            return score.artist, score.title or paths.tidy(paths.stem(path))
        archive, _, inner = path.partition("/")
        if named := self._lakh.artist_and_title(path):
            return named
        artist, title = paths.in_archive(inner)
        return artist or self._artist_of_archive(archive), title

    def _artist_of_archive(self, archive: str) -> str:
        """What the page tells of it; else its name: `ABBA.zip` is ABBA's, as in a folder."""
        row = self._rows.get(archive)
        if row is None:
            return ""
        name = unquote(row.url.partition("?")[0])
        return row.artist or paths.tidy(paths.archive_stem(name))
