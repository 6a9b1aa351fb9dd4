//! CDN logs, and requests of both kinds as one table.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::{run, s3log};

const MIXED: &str = "fixtures/mixed";

/// What a query prints as CSV without a header.
fn ask(sql: &str, sources: &[&str], flags: &[&str]) -> String {
    let output =
        s3log().args(["query", sql]).args(sources).args(["-F", "csv", "--no-header", "-q"]).args(flags).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_prefix_holds_both_kinds() {
    let sql = "SELECT source, count(*) FROM requests GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(sql, &[MIXED], &[]), "cdn,22\norigin,17\n");
    assert_eq!(ask("SELECT count(*) FROM logs", &[MIXED], &[]), "17\n");
    assert_eq!(ask("SELECT count(*) FROM cdn", &[MIXED], &[]), "22\n");
    assert_eq!(ask("SELECT count(*) FROM rejects", &[MIXED], &[]), "0\n");
    assert_eq!(ask("SELECT count(*) FROM visitor_requests", &[MIXED], &[]), "28\n");
}

#[test]
fn requests_are_one_scan_that_names_prune() {
    let sql = "EXPLAIN SELECT source, count(*) FROM requests WHERE time >= '2026-01-15T12:30:00Z' AND status < 400 GROUP BY 1";
    let plan = ask(sql, &[MIXED], &[]);
    assert_eq!(plan.matches("DataSourceExec").count(), 1, "{plan}");
    assert!(plan.contains("table=requests") && !plan.contains("FilterExec"), "{plan}");
    // The CDN's objects of 10 o'clock, and the Space's objects delivered earlier, cannot contain these times.
    assert!(plan.contains("listed=7, pruned_by_name=3"), "{plan}");
    let where_time = |table| format!("SELECT count(*) FROM {table} WHERE time >= '2026-01-15T12:30:00Z'");
    let pruned = ask(&where_time("requests"), &[MIXED], &[]);
    assert_eq!(pruned, ask(&where_time("requests"), &[MIXED], &["--layout", "none"]));
}

#[test]
fn what_a_user_says_of_hosts_and_networks_counts() {
    let directory = tempfile::tempdir().unwrap();
    let networks = directory.path().join("networks");
    fs::write(&networks, "# the CDN\n203.0.113.128/25 # its egress\n\n").unwrap();
    let networks = networks.to_str().unwrap();
    let fetches = "SELECT count(*) FROM requests WHERE is_cdn_fetch";
    assert_eq!(ask(fetches, &[MIXED], &[]), "11\n");
    assert_eq!(ask(fetches, &[MIXED], &["--cdn-cidr", networks]), "12\n");
    let other = directory.path().join("other");
    fs::write(&other, "240.0.0.0/8\n").unwrap();
    let other = other.to_str().unwrap();
    assert_eq!(ask(fetches, &[MIXED], &["--cdn-cidr", other]), "11\n");
    assert_eq!(ask(fetches, &[MIXED], &["--cdn-cidr", networks, "--cdn-cidr", other]), "12\n");
    let buckets = "SELECT bucket, count(*) FROM requests WHERE source = 'cdn' GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(buckets, &[MIXED], &[]), "media,14\n,8\n");
    assert_eq!(ask(buckets, &[MIXED], &["--map", "CDN.example.com=media"]), "media,22\n");

    fs::write(networks, "203.0.113.0/24\nnobody\n").unwrap();
    let refused = run(&["query", fetches, MIXED, "--cdn-cidr", networks]);
    assert!(refused.starts_with("exit 1\n") && refused.contains("line 2: `nobody` is not a network"), "{refused}");
    assert_snapshot!(run(&["query", fetches, MIXED, "--map", "media", "--cdn-cidr", "x"]));
    assert_snapshot!(run(&["query", fetches, MIXED, "--cdn-fields", "date,time,c-ipp"]));
}

#[test]
fn rows_of_both_kinds_side_by_side() {
    let columns = "time, source, client_ip, method, host, path, query, object_key, status, error_code, bytes_sent, total_time_ms, \
                   user_agent, cache_result, is_cdn_fetch, forwarded_for";
    let sql = format!("SELECT {columns} FROM requests ORDER BY time, source LIMIT 4");
    assert_snapshot!(run(&["query", &sql, "-F", "line", MIXED]));
}

#[test]
fn a_log_of_one_kind_asked_for_the_other_says_so() {
    assert_snapshot!(run(&["query", "SELECT count(*) FROM logs", "fixtures/cdn/columns-33.log"]));
    assert_snapshot!(run(&["check", "fixtures/cdn/truncated.log", "fixtures/cdn/real-time.log"]));
    let said = run(&["check", "fixtures/cdn/v2.log"]);
    assert!(said.contains("\nCDN fields without a column: "), "{said}");
}

#[test]
fn fields_of_a_log_without_a_header_can_be_named() {
    let log = "2026-01-15\t10:00:00\t192.0.2.3\t/a\t200\n";
    let count = |flags: &[&str]| {
        let mut command = s3log();
        command.args(["query", "SELECT count(*), max(c_ip) FROM cdn", "--no-header", "-q", "-"]).args(flags);
        String::from_utf8(command.write_stdin(log).output().unwrap().stdout).unwrap()
    };
    assert_eq!(count(&[]), "0,\n", "five columns tell nothing");
    assert_eq!(count(&["--cdn-fields", "date,time,c-ip,cs-uri-stem,sc-status"]), "1,192.0.2.3\n");
}

/// All rows of a table as text, sorted.
fn rows(table: &str, source: &str, flags: &[&str]) -> Vec<String> {
    let text = ask(&format!("SELECT * EXCEPT (log_object) FROM {table}"), &[source], flags);
    let mut rows: Vec<_> = text.lines().map(str::to_owned).collect();
    rows.sort_unstable();
    rows
}

fn convert(source: &str, dest: &Path, flags: &[&str]) -> String {
    let dest = dest.to_str().unwrap();
    s3log().args(["convert", source, "--to", dest, "-q"]).args(flags).assert().success();
    dest.to_owned()
}

#[test]
fn each_table_has_a_dataset_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let keep = ["--redact-uri", "false"];
    for table in ["cdn", "requests", "logs"] {
        let dest = directory.path().join(table);
        let dataset = convert(MIXED, &dest, &[&["--table", table][..], &keep].concat());
        assert_eq!(rows(table, &dataset, &[]), rows(table, MIXED, &[]), "{table}");
        s3log()
            .args(["convert", MIXED, "--to", &dataset, "-q", "--table", table, "--redact-uri", "false"])
            .assert()
            .success();
        assert_eq!(rows(table, &dataset, &[]).len(), rows(table, MIXED, &[]).len(), "{table}");
    }
    // `requests` over datasets of the other two tables is the same, by the same rules.
    let sources = ["cdn", "logs"].map(|table| directory.path().join(table).display().to_string());
    for flags in [&[][..], &["--map", "cdn.example.com=media"]] {
        let mut of_datasets: Vec<_> = sources.iter().flat_map(|dataset| rows("requests", dataset, flags)).collect();
        of_datasets.sort_unstable();
        assert_eq!(of_datasets, rows("requests", MIXED, flags));
    }
    // A dataset of one kind does not hide objects of the other.
    let [cdn, logs] = &sources;
    assert_eq!(ask("SELECT count(*) FROM logs", &[cdn, MIXED], &[]), "17\n");
    assert_eq!(ask("SELECT count(*) FROM cdn", &[cdn, MIXED], &[]), "22\n");
    assert_eq!(ask("SELECT count(*) FROM cdn", &[logs, MIXED], &[]), "22\n");
    let of_requests = directory.path().join("requests").display().to_string();
    assert_eq!(ask("SELECT count(*) FROM requests", &[&of_requests, MIXED], &[]), "39\n");
    let refused = run(&["query", "SELECT count(*) FROM requests", logs, MIXED]);
    assert!(refused.starts_with("exit 1\n") && refused.contains("convert with --table requests"), "{refused}");
    let refused = run(&["query", "SELECT count(*) FROM logs", cdn]);
    assert!(refused.starts_with("exit 1\n") && refused.contains("there is no `logs` here"), "{refused}");
    let by_day = directory.path().join("by-bucket").display().to_string();
    assert_snapshot!(run(&["convert", MIXED, "--to", &by_day, "--table", "cdn", "--partition-by", "day,bucket"]));
    let other = directory.path().join("cdn").display().to_string();
    let refused = run(&["convert", MIXED, "--to", &other, "--redact-uri", "false"]);
    assert!(refused.contains("the dataset was created with --table cdn, but this run has --table logs"), "{refused}");
}

#[test]
fn rejects_of_a_dataset_are_those_of_its_table() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::write(logs.join("1"), crate::line("k", "curl") + "no record\n").unwrap();
    fs::write(logs.join("2"), "#Version: 1.0\n#Fields: date time c-ip cs-uri-stem sc-status\nno record\n").unwrap();
    fs::write(logs.join("3"), "# a remark\nnothing\n").unwrap();
    for (table, kept) in [("logs", 2), ("cdn", 2), ("requests", 3)] {
        let rejects = directory.path().join(format!("{table}-rejects"));
        let dest = directory.path().join(format!("{table}-set"));
        let flags = ["--table", table, "--rejects", rejects.to_str().unwrap()];
        let output = s3log()
            .args(["convert", logs.to_str().unwrap(), "--to", dest.to_str().unwrap(), "-q"])
            .args(flags)
            .output();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(said.contains(&format!(" + {kept}\n")), "{table}: {said}");
        assert_eq!(ask("SELECT count(*) FROM rejects", &[dest.to_str().unwrap()], &[]), format!("{kept}\n"), "{table}");
    }
    assert_eq!(ask("SELECT count(*) FROM rejects", &[logs.to_str().unwrap()], &[]), "3\n");
}

#[test]
fn secrets_and_addresses_stay_out_of_datasets() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let fields = "#Fields: date time c-ip cs-uri-stem sc-status cs-uri-query cs(Referer) cs(Cookie) x-forwarded-for\n";
    let row = "2026-01-15\t10:00:00\t192.0.2.77\t/a\t200\tX-Amz-Signature=5f3a&x=1\thttps://example.com/?token=1a2b\tsid=3c4d\t192.0.2.60,%20198.51.100.60\n";
    fs::write(&log, format!("{fields}{row}")).unwrap();
    for table in ["cdn", "requests"] {
        let dest = directory.path().join(table);
        let dataset = convert(log.to_str().unwrap(), &dest, &["--table", table, "--anonymize-ip", "truncate"]);
        let text = ask(&format!("SELECT * FROM {table}"), &[&dataset], &[]);
        for secret in ["5f3a", "1a2b", "3c4d", "192.0.2.77", "192.0.2.60", "198.51.100.60"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        assert!(text.contains("192.0.2.0") && text.contains("198.51.100.0"), "{text}");
    }
}

#[test]
fn records_delivered_as_json_and_parquet_are_rows_of_logs() {
    let directory = tempfile::tempdir().unwrap();
    let counts = "SELECT count(*), count(DISTINCT request_id), sum(http_status), min(time) FROM logs";
    for (source, rows) in [("fixtures/structured/delivered.json", "5,"), ("fixtures/structured/cloudwatch.log", "3,")] {
        let found = ask(counts, &[source], &[]);
        assert!(found.starts_with(rows), "{found}");
        // The same records in a Parquet file with the names that services use.
        let file = directory.path().join("delivered.parquet").display().to_string();
        let names = "SELECT bucket_owner AS bucket_owner_id, bucket AS bucket_name, time AS request_time, remote_ip, requester, \
                     request_id, operation, key AS key_name, request_uri, http_status, bytes_sent, user_agent, acl_required FROM logs";
        s3log().args(["query", names, source, "-q", "-o", &file]).assert().success();
        assert_eq!(ask(counts, &[&file], &[]), found);
        let columns = "SELECT time, bucket, remote_ip, requester, operation, key, object_key, request_uri, http_status, bytes_sent, \
                       user_agent, acl_required FROM logs ORDER BY request_id, time";
        assert_eq!(ask(columns, &[&file], &[]), ask(columns, &[source], &[]));
        // Found in a directory and converted, too.
        let dataset = convert(directory.path().to_str().unwrap(), &directory.path().join("set"), &[]);
        assert_eq!(ask(counts, &[&dataset], &[]), found);
        fs::remove_dir_all(&dataset).unwrap();
        fs::remove_file(&file).unwrap();
    }
    let broken = directory.path().join("broken.parquet").display().to_string();
    fs::write(&broken, b"PAR1 and no more").unwrap();
    let said = run(&["query", counts, &broken]);
    assert!(said.starts_with("exit 3\n") && said.contains("the Parquet file cannot be read"), "{said}");
}
