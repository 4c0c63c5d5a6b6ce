"""croissant.json: ML Croissant 1.0, so that tools can find, check and load the corpus.

Source of facts: https://docs.mlcommons.org/croissant/docs/croissant-spec.html (keys, `repeated`,
`cr:Split`), and mlcroissant 1.1.1, which validates what is written here and reads its records.
Addresses are relative to the file: the folder can be moved or published as it is. `datePublished`
is left to who publishes it: the same corpus gives the same bytes on any day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

import corpus
from corpus import files, layout, tables
from corpus.records import GenreLabel, StageReport, Track
from viz import card, licenses
from viz.facts import Facts

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {
    "text": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "yes or no": "sc:Boolean",
    "bytes": "sc:Text",  # Croissant 1.0 has no bytes; its tools read texts as bytes
}  # fmt: skip
_PARQUET = "application/x-parquet"
_ENCODINGS = {".parquet": _PARQUET, ".tfrecord": "application/octet-stream"}

Item = dict[str, object]


@dataclass(frozen=True)
class Written:
    """One file: its path below the folder of croissant.json, its SHA-256 and its size."""

    path: str
    sha256: str
    num_bytes: int


def of_export(facts: Facts, counts: card.Counts, shards: Sequence[Written]) -> str:
    """Of Parquet files with the music inside: a record set for each configuration."""
    columns = {name: (kind, words) for name, (kind, words) in card.COLUMNS.items()}
    items, sets = [_file(shard) for shard in shards], []
    for name in card.configurations(counts):
        folder = "*" if name == card.ALL else name
        files_id = f"{name}-files"
        items.append(
            {
                "@type": "cr:FileSet",
                "@id": files_id,
                "name": files_id,
                "encodingFormat": _PARQUET,
                "includes": f"data/{folder}/*.parquet",
            }
        )
        described = "every genre" if name == card.ALL else f"the genre's folder {name}"
        sets.append(_record_set(name, f"Tracks of {described}.", columns, "fileSet", files_id))
    return _whole(facts, items, sets)


def of_tables(facts: Facts) -> str:
    """Of what the stages wrote, as it lies beside the reports: tables, and shards of music."""
    items, sets = [], []
    for stage, folder, table in _stages(facts):
        up = f"../../{folder}/"
        infos = {
            info.path: info.num_bytes
            for info in files.list_infos(files.join(facts.place.data, folder))
        }
        written = [
            Written(up + name, sha256, infos[name])
            for name, sha256 in stage.files.items()
            if name.endswith(tuple(_ENCODINGS)) and name in infos
        ]
        items += [_file(each) for each in written]
        name, kind = table
        columns = dict(_columns_of(kind))
        if name in stage.files:
            words = f"The rows of {name}."
            sets.append(_record_set(stage.stage, words, columns, "fileObject", up + name))
    return _whole(facts, items, sets)


def _stages(facts: Facts) -> Iterator[tuple[StageReport, str, tuple[str, type]]]:
    if facts.ingest:
        yield facts.ingest, "notesequences", (layout.TRACKS, Track)
    if facts.subsets:
        yield facts.subsets, "subsets", (layout.LABELS, GenreLabel)


def _whole(facts: Facts, items: Sequence[Item], sets: Sequence[Item]) -> str:
    whole = licenses.whole_of(facts)
    known = whole.hub != licenses.OTHER
    stages = [stage for stage in (facts.ingest, facts.genres, facts.subsets) if stage]
    value = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": card.title(facts),
        "description": (
            f"{len(facts.taken):,} scores of {facts.taken['artist'].nunique():,} artists, with "
            "genre labels. README.md tells how it was made and what its limits are."
        ),
        "license": licenses.address_of(whole.hub) if known else card.LICENSES,
        "url": card.CARD,
        "version": corpus.__version__,
        "keywords": ["music", "MIDI", "symbolic music", *facts.subset_names],
        "creator": {"@type": "sc:Organization", "name": f"GenreMill {corpus.__version__}"},
        "citeAs": "See Citation in README.md.",
        "identifier": ", ".join(f"{stage.stage}:{stage.output_hash}" for stage in stages),
        "isLiveDataset": False,
        "distribution": list(items),
        "recordSet": list(sets),
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _file(written: Written) -> Item:
    extension = written.path[written.path.rindex(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": written.path,
        "name": written.path,
        "contentUrl": written.path,
        "contentSize": f"{written.num_bytes} B",
        "encodingFormat": _ENCODINGS[extension],
        "sha256": written.sha256,
    }


def _record_set(
    name: str, words: str, columns: Mapping[str, tuple[str, str]], kind: str, origin: str
) -> Item:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": f"{name}/{column}",
            "description": described,
            "dataType": _TYPES[of.removeprefix("list of ")],
            **({"repeated": True} if of.startswith("list of ") else {}),
            "source": {kind: {"@id": origin}, "extract": {"column": column}},
        }
        for column, (of, described) in columns.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": words,
        "field": fields,
    }


def _columns_of(kind: type) -> Iterator[tuple[str, tuple[str, str]]]:
    """Column -> (kind, words) of one of our tables."""
    for field in tables.schema_of(kind):
        is_list = pa.types.is_list(field.type)
        of = _kind(field.type.value_type if is_list else field.type)
        yield field.name, (f"list of {of}" if is_list else of, f"Column {field.name}.")


def _kind(of: pa.DataType) -> str:
    if pa.types.is_boolean(of):
        return "yes or no"
    if pa.types.is_integer(of):
        return "integer"
    return "number" if pa.types.is_floating(of) else "text"
