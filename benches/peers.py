#!/usr/bin/env python3
"""One of the measured questions, asked of another tool: peers.py PEER QUESTION PATH

PEER is polars, duckdb or chdb, QUESTION is count, topip, filter or hourly, PATH a log or a glob of logs. Each peer gets
its fastest known recipe, a CSV reader with a space between fields. It is wrong on lines with unescaped quotes.
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


def polars(question, path):
    import os

    os.environ["POLARS_MAX_THREADS"] = str(os.cpu_count())
    import polars as pl

    log = pl.scan_csv(
        path, separator=" ", has_header=False, new_columns=FIELDS, quote_char='"', infer_schema=False,
        truncate_ragged_lines=True,
    )
    sent = pl.col("sent").cast(pl.Int64, strict=False)
    wanted = (pl.col("status") == "403") & (pl.col("operation") == "REST.GET.OBJECT")
    plan = {
        "count": lambda: log.select(pl.len()),
        "topip": lambda: log.group_by("ip").agg(sent.sum().alias("b"), pl.len()).sort("b", descending=True).head(10),
        "filter": lambda: log.filter(wanted & pl.col("key").str.ends_with("parquet")).select("day", "ip", "key", "status"),
        "hourly": lambda: log.group_by(pl.col("day").str.slice(1, 14), "status").len(),
    }
    return plan[question]().collect(engine="streaming").height


def duckdb(question, path):
    import duckdb

    columns = ", ".join(f"'{field}': 'VARCHAR'" for field in FIELDS)
    log = (
        f"read_csv('{path}', delim = ' ', quote = '\"', escape = '\"', header = false, auto_detect = false, "
        f"null_padding = true, max_line_size = 10000000, columns = {{{columns}}})"
    )
    sql = SQL[question].format(bigint="CAST(sent AS BIGINT)").replace("FROM log", f"FROM {log}")
    return len(duckdb.connect().execute(sql).fetchall())


def chdb(question, path):
    import chdb

    log = f"file('{path}', 'CustomSeparated', '{', '.join(field + ' String' for field in FIELDS)}')"
    settings = (
        " SETTINGS format_custom_field_delimiter = ' ', format_custom_escaping_rule = 'CSV', "
        "input_format_custom_allow_variable_number_of_columns = 1"
    )
    sql = SQL[question].format(bigint="toInt64OrNull(sent)").replace("FROM log", f"FROM {log}")
    return len(str(chdb.query(sql + settings)).splitlines())


if __name__ == "__main__":
    peer, question, path = sys.argv[1:]
    try:
        print({"polars": polars, "duckdb": duckdb, "chdb": chdb}[peer](question, path))
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
