"""Reads datasets with independent software, and prints the results as JSON.

    readers.py COLUMN,COLUMN,... NAME=DIRECTORY...

For each dataset and each reader: the result of a query. `pyarrow` also prints the metadata of the files. Readers that
cannot be imported are null.
"""

import json
import sys
from pathlib import Path

TEXTS = ["bucket", "key", "request_uri", "user_agent"]


def files_of(directory):
    """Data files as found by a reader that ignores the ledger."""
    return sorted(str(path) for path in Path(directory).glob("day=*/**/*.parquet"))


def pattern_of(directory):
    by_bucket = any(Path(directory).glob("day=*/bucket=*"))
    return str(Path(directory) / ("day=*/bucket=*/*.parquet" if by_bucket else "day=*/*.parquet"))


def sql(columns, relation, length, micros, distinct_days):
    counts = ", ".join(f"count({column})" for column in columns)
    lengths = ", ".join(f"sum({length}({column}))" for column in TEXTS)
    return (
        f"SELECT count(*), sum(bytes_sent), {micros.format('min(time)')}, {micros.format('max(time)')}, {lengths}, "
        f"count(DISTINCT coalesce(object_key, key)), count(DISTINCT bucket), {distinct_days}, {counts} FROM {relation}"
    )


def answer(columns, row, types):
    row = [int(value) for value in row]
    names = ["rows", "bytes_sent", "first", "last", *TEXTS, "objects", "buckets", "days"]
    return {
        **dict(zip(names, row)),
        "counts": dict(zip(columns, row[len(names):])),
        "types": types,
    }


def with_duckdb(columns, directory):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    relation = f"read_parquet('{pattern_of(directory)}', hive_partitioning = true)"
    query = sql(columns, relation, "length", "epoch_us({})", "count(DISTINCT day)")
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    row = connection.execute(query).fetchone()
    files = files_of(directory)
    probes = {column: probes_with_duckdb(connection, files, column) for column in ["remote_ip", "request_id", "key"]}
    return {**answer(columns, row, types), "probes": probes}


def probes_with_duckdb(connection, files, column):
    """How often Bloom filters skip a row group that contains a value, and one that does not."""
    counts = {"present_excluded": 0, "absent_excluded": 0}
    for file in files:
        present = f"SELECT {column} FROM '{file}' WHERE {column} IS NOT NULL LIMIT 1"
        values = [("present_excluded", *value) for value in connection.execute(present).fetchall()]
        for name, value in [*values, ("absent_excluded", "203.0.113.99")]:
            probe = f"SELECT count(*) FROM parquet_bloom_probe('{file}', '{column}', ?) WHERE bloom_filter_excludes"
            counts[name] += connection.execute(probe, [value]).fetchone()[0]
    return counts


def with_polars(columns, directory):
    import polars as pl

    frame = pl.scan_parquet(pattern_of(directory), hive_partitioning=True)
    time = pl.col("time").dt.timestamp("us")
    row = frame.select(
        pl.len().alias("rows"),
        pl.col("bytes_sent").sum(),
        time.min().alias("first"),
        time.max().alias("last"),
        *(pl.col(column).str.len_chars().sum().alias(f"length_{column}") for column in TEXTS),
        # n_unique counts NULL as a value.
        pl.coalesce("object_key", "key").drop_nulls().n_unique().alias("objects"),
        pl.col("bucket").drop_nulls().n_unique().alias("buckets"),
        pl.col("day").n_unique().alias("days"),
        *(pl.col(column).count().alias(f"count_{column}") for column in columns),
    ).collect().row(0)
    types = {name: str(kind) for name, kind in frame.collect_schema().items()}
    return answer(columns, row, types)


def with_pyarrow(columns, directory):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    dataset = ds.dataset(directory, format="parquet", partitioning="hive")
    table = dataset.to_table()
    objects = pc.coalesce(table["object_key"], table["key"])
    times = table["time"].cast(pa.int64())
    row = [
        table.num_rows,
        pc.sum(table["bytes_sent"]).as_py(),
        pc.min(times).as_py(),
        pc.max(times).as_py(),
        *(pc.sum(pc.utf8_length(table[column])).as_py() for column in TEXTS),
        pc.count_distinct(objects).as_py(),
        pc.count_distinct(table["bucket"]).as_py(),
        pc.count_distinct(table["day"]).as_py(),
        *(len(table) - table[column].null_count for column in columns),
    ]
    types = {field.name: str(field.type) for field in dataset.schema}
    return {**answer(columns, row, types), "files": [file_with_pyarrow(path) for path in files_of(directory)]}


def file_with_pyarrow(path):
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    metadata = file.metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    return {
        "created_by": metadata.created_by,
        "metadata": {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()},
        "fields": {
            field.name: {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
            for field in file.schema_arrow
        },
        "groups": [
            {
                "rows": group.num_rows,
                "sorting": [[of.column_index, of.descending, of.nulls_first] for of in group.sorting_columns],
                "columns": {
                    chunk.path_in_schema.split(".")[0]: chunk_with_pyarrow(chunk)
                    for chunk in map(group.column, range(group.num_columns))
                },
            }
            for group in groups
        ],
    }


def chunk_with_pyarrow(chunk):
    has_bounds = chunk.is_stats_set and chunk.statistics.has_min_max
    return {
        "compression": chunk.compression,
        "encodings": list(chunk.encodings),
        "dictionary": chunk.has_dictionary_page,
        "column_index": chunk.has_column_index,
        "offset_index": chunk.has_offset_index,
        "statistics": chunk.is_stats_set,
        "nulls": chunk.statistics.null_count if chunk.is_stats_set else None,
        "bounds": [str(chunk.statistics.min), str(chunk.statistics.max)] if has_bounds else None,
        # The names depend on the version of pyarrow; older versions lack them.
        "bloom": getattr(chunk, "bloom_filter_offset", None),
        "bloom_bytes": getattr(chunk, "bloom_filter_length", None),
    }


def with_chdb(columns, directory):
    import chdb

    # In ClickHouse, names of folders take precedence over the column of the same name, and are neither decoded nor
    # NULL.
    by_bucket = "bucket=" in pattern_of(directory)
    relation = f"file('{pattern_of(directory)}', Parquet)"
    settings = f" SETTINGS use_hive_partitioning = {0 if by_bucket else 1}, max_threads = 1"
    days = "count(DISTINCT toDate(time))" if by_bucket else "count(DISTINCT day)"
    query = sql(columns, relation, "lengthUTF8", "toUnixTimestamp64Micro({})", days)
    # ClickHouse has no nullable lists.
    query = query.replace("count(extra_fields)", "countIf(notEmpty(extra_fields))")
    row = json.loads(str(chdb.query(query + settings, "JSONCompact")))["data"][0]
    described = json.loads(str(chdb.query(f"DESCRIBE {relation}{settings}", "JSONCompact")))["data"]
    return answer(columns, row, {name: kind for name, kind, *_ in described})


def can_import(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def main():
    columns = sys.argv[1].split(",")
    readers = {"duckdb": with_duckdb, "polars": with_polars, "pyarrow": with_pyarrow, "chdb": with_chdb}
    readers = {name: reader if can_import(name) else None for name, reader in readers.items()}
    answers = {}
    for argument in sys.argv[2:]:
        name, directory = argument.split("=", 1)
        answers[name] = {reader: read and read(columns, directory) for reader, read in readers.items()}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
