#!/usr/bin/env python3
"""One of the measured questions, asked of another tool: peers.py PEER QUESTION PATH [OUT]

PEER is polars, duckdb or chdb, QUESTION is count, topip, filter, hourly or parquet, PATH a log or a glob of logs, OUT the
file that `parquet` writes, with times and numbers as such and zstd. Each peer gets its fastest known recipe, a CSV reader with a space between fields. It is wrong on lines with unescaped quotes.
Exits with 3 when the peer is not installed. benches/README.md says more.
"""

import sys

FIELDS = """owner bucket day offset ip requester request_id operation key uri status error sent size total turnaround referer
agent version host_id signature cipher auth host tls access_point acl region""".split()
SQL = {
    "count": "SELECT count(*) FROM log",
    "topip": "SELECT ip, sum(CASE WHEN sent = '-' THEN NULL ELSE {bigint} END) AS b, count(*) FROM log GROUP BY ip "
    "ORDER BY b DESC LIMIT 10",
    "filter": "SELECT day, ip, key, status FROM log WHERE status = '403' AND operation = 'REST.GET.OBJECT' "
    "AND key LIKE '%parquet'",
    "hourly": "SELECT substr(day, 2, 14) AS hour, status, count(*) FROM log GROUP BY 1, 2",
}


def polars(question, path, out=None):
    import os

    os.environ["POLARS_MAX_THREADS"] = str(os.cpu_count())
    import polars as pl

    log = pl.scan_csv(
        path, separator=" ", has_header=False, new_columns=FIELDS, quote_char='"', infer_schema=False,
        truncate_ragged_lines=True,
    )
    sent = pl.col("sent").cast(pl.Int64, strict=False)
    if question == "parquet":
        numbers = [pl.col(name).cast(pl.Int64, strict=False) for name in ("sent", "size", "status")]
        time = pl.col("day").str.slice(1, 20).str.to_datetime("%d/%b/%Y:%H:%M:%S", strict=False)
        log.with_columns(*numbers, time).sink_parquet(out, compression="zstd")
        return out
    wanted = (pl.col("status") == "403") & (pl.col("operation") == "REST.GET.OBJECT")
    plan = {
        "count": lambda: log.select(pl.len()),
        "topip": lambda: log.group_by("ip").agg(sent.sum().alias("b"), pl.len()).sort("b", descending=True).head(10),
        "filter": lambda: log.filter(wanted & pl.col("key").str.ends_with("parquet")).select("day", "ip", "key", "status"),
        "hourly": lambda: log.group_by(pl.col("day").str.slice(1, 14), "status").len(),
    }
    return plan[question]().collect(engine="streaming").height


def duckdb(question, path, out=None):
    import duckdb

    columns = ", ".join(f"'{field}': 'VARCHAR'" for field in FIELDS)
    log = (
        f"read_csv('{path}', delim = ' ', quote = '\"', escape = '\"', header = false, auto_detect = false, "
        f"null_padding = true, max_line_size = 10000000, columns = {{{columns}}})"
    )
    if question == "parquet":
        number = "CASE WHEN {0} = '-' THEN NULL ELSE CAST({0} AS BIGINT) END AS {0}".format
        typed = ", ".join(number(name) for name in ("sent", "size", "status"))
        time = "strptime(substr(day, 2, 20), '%d/%b/%Y:%H:%M:%S') AS day"
        duckdb.connect().execute(
            f"COPY (SELECT * REPLACE ({typed}, {time}) FROM {log}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )
        return out
    sql = SQL[question].format(bigint="CAST(sent AS BIGINT)").replace("FROM log", f"FROM {log}")
    return len(duckdb.connect().execute(sql).fetchall())


def chdb(question, path, out=None):
    import chdb

    log = f"file('{path}', 'CustomSeparated', '{', '.join(field + ' String' for field in FIELDS)}')"
    settings = (
        " SETTINGS format_custom_field_delimiter = ' ', format_custom_escaping_rule = 'CSV', "
        "input_format_custom_allow_variable_number_of_columns = 1"
    )
    if question == "parquet":
        typed = ", ".join(f"toInt64OrNull({name}) AS {name}" for name in ("sent", "size", "status"))
        time = "parseDateTimeOrNull(substring(day, 2, 20), '%d/%b/%Y:%H:%i:%s') AS day"
        chdb.query(
            f"SELECT * REPLACE ({typed}, {time}) FROM {log} INTO OUTFILE '{out}' TRUNCATE FORMAT Parquet{settings}"
            ", output_format_parquet_compression_method = 'zstd'"
        )
        return out
    sql = SQL[question].format(bigint="toInt64OrNull(sent)").replace("FROM log", f"FROM {log}")
    return len(str(chdb.query(sql + settings)).splitlines())


if __name__ == "__main__":
    peer, question, path, *out = sys.argv[1:]
    try:
        print({"polars": polars, "duckdb": duckdb, "chdb": chdb}[peer](question, path, *out))
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
