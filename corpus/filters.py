"""Which tracks an expression over their columns keeps: `has_drums and qpm > 140`.

The expression is a condition in DuckDB's SQL over the columns of tracks.parquet. It runs in
a database in memory that may neither read files nor load extensions, on one thread.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

_SETTINGS = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
    "memory_limit": "512MB",
    "lock_configuration": "true",
}


def matching(tracks: pa.Table, where: str) -> set[str]:
    """The track ids of the rows for which an expression is true.

    Args:
      tracks: the table of tracks; its columns are what the expression may name.
      where: the expression; every track matches an empty one.

    Raises:
      ValueError: it is no condition over these columns.
    """
    if not where.strip():
        return set(tracks["track_id"].to_pylist())
    with duckdb.connect(":memory:", config=dict(_SETTINGS)) as connection:
        try:
            found = connection.from_arrow(tracks).filter(where).project("track_id").fetchall()
        except duckdb.Error as error:
            reason = str(error).partition("\n\n")[0].replace("\n", " ")
            raise ValueError(
                f"subsets.where = {where!r} cannot be used: {reason}; "
                f"the columns are {', '.join(tracks.column_names)}"
            ) from error
    return {track_id for (track_id,) in found}
