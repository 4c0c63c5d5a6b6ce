"""Tables on disk: Parquet for records, JSONL for rejections. Same rows, same bytes."""

from __future__ import annotations

import dataclasses
import io
import json
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from corpus import files
from corpus.records import Rejection

Record = TypeVar("Record")

_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    list[int]: pa.list_(pa.int64()),
    list[str]: pa.list_(pa.string()),
}


def schema_of(record_type: type) -> pa.Schema:
    """The Arrow schema of a record dataclass, one column a field, in field order."""
    hints = typing.get_type_hints(record_type)
    fields = dataclasses.fields(record_type)
    return pa.schema([(f.name, _ARROW_TYPES[hints[f.name]]) for f in fields])


def to_arrow(rows: Sequence[Record], record_type: type[Record]) -> pa.Table:
    """Records as an Arrow table, which takes a tenth of their memory."""
    schema = schema_of(record_type)
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def write_arrow(path: str, table: pa.Table) -> str:
    """Writes a table as one Parquet file, atomically; returns its SHA-256."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return files.write_bytes(path, buffer.getvalue())


def write_table(path: str, rows: Sequence[Record], record_type: type[Record]) -> str:
    """Writes records as one Parquet file, atomically; returns its SHA-256."""
    return write_arrow(path, to_arrow(rows, record_type))


def pack(table: pa.Table) -> bytes:
    """A table as bytes (Arrow's IPC stream), small enough to go through a shuffle."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack(packed: bytes) -> pa.Table:
    """The table that `pack` packed."""
    with pa.ipc.open_stream(packed) as reader:
        return reader.read_all()


def parse_parquet(data: bytes) -> pa.Table:
    """A Parquet file's content as a table."""
    # Without threads: Arrow's, where they are still starting when Python ends, abort the process.
    return pq.read_table(pa.BufferReader(data), use_threads=False, pre_buffer=False)


def read_table(path: str, record_type: type[Record]) -> list[Record]:
    """Reads the records of a Parquet file that `write_table` wrote."""
    return records(parse_parquet(files.read_bytes(path)), record_type)


def records(table: pa.Table, record_type: type[Record]) -> list[Record]:
    """The rows of a table as records."""
    rows = table.select(schema_of(record_type).names).to_pylist()
    return [record_type(**row) for row in rows]


def write_rejections(path: str, rejections: Iterable[Rejection]) -> str:
    """Writes rejections as JSON lines, atomically; returns the file's SHA-256."""
    lines = (json.dumps(dataclasses.asdict(r), ensure_ascii=False) + "\n" for r in rejections)
    return files.write_bytes(path, "".join(lines).encode("utf-8"))


def read_rejections(path: str) -> list[Rejection]:
    """Reads what `write_rejections` wrote; no file means no rejections."""
    if not files.exists(path):
        return []
    return [Rejection(**json.loads(line)) for line in files.read_bytes(path).splitlines()]


def plain(value: object) -> object:
    """A JSON-ready copy of a configuration value (dataclasses, tuples, dicts inside)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict | types.MappingProxyType):
        return {str(key): plain(item) for key, item in value.items()}
    return value
