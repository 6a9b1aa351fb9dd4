//! Datasets read by independent software: DuckDB, Polars, pyarrow, ClickHouse. Their results must match those of `s3log
//! query` over the log objects.
//! The readers are Python packages. `S3LOG_TEST_PYTHON` names a Python that has them; otherwise they are installed
//! once, into the test directory below cargo's target directory. ClickHouse (`chdb`) is large, so it is only used if it
//! is already installed. Missing readers are skipped, unless `S3LOG_TEST_READERS` is `required`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use super::hostile;
use super::source::Logs;
use super::world::{Place, World};

const SCRIPT: &str = include_str!("readers.py");
const REQUIREMENTS: [&str; 3] = ["duckdb==2.0.1", "polars==2.1.0", "pyarrow==26.0.1"];
/// The test is incomplete without these.
const READERS: [&str; 3] = ["duckdb", "polars", "pyarrow"];
/// Columns with Bloom filters, in the dataset that has them.
const BLOOM: [&str; 3] = ["remote_ip", "request_id", "key"];

/// Name, expected codec and flags of each dataset.
const DATASETS: [(&str, &str, &[&str]); 6] = [
    ("zstd", "ZSTD", &["--bloom", "remote_ip,request_id,key"]),
    ("zstd-bucket", "ZSTD", &["--compression", "zstd:9", "--partition-by", "day,bucket"]),
    ("snappy-bucket", "SNAPPY", &["--compression", "snappy", "--partition-by", "day,bucket"]),
    ("gzip", "GZIP", &["--compression", "gzip:4"]),
    ("lz4", "LZ4", &["--compression", "lz4"]),
    ("none-bucket", "UNCOMPRESSED", &["--compression", "none", "--partition-by", "day,bucket"]),
];

#[test]
fn others_read_what_is_written() {
    let Some(python) = python() else { return };
    let world = World::new(Place::Directory, &Logs::new(60, 21));
    for (name, bytes) in hostile::objects() {
        world.put_object(&name, bytes);
    }
    let expected = said_by_the_program(&world, &world.source());
    for (name, _, flags) in DATASETS {
        let dataset = world.path(name).display().to_string();
        let source = world.source();
        let mut command = world.program();
        command.args(["convert", &source, "--to", &dataset]).args(flags);
        world.spawn(command).wait().expect(0);
        // The program gives the same results from the dataset as from the log objects.
        assert_eq!(said_by_the_program(&world, &dataset), expected, "the program reads {name}");
    }
    let answers = said_by_others(&python, &world, &expected);
    for (name, codec, flags) in DATASETS {
        let answers = answers[name].as_object().unwrap();
        for (reader, answer) in answers {
            let Some(answer) = answer.as_object() else {
                skip(&format!("{reader} is not there"), READERS.contains(&reader.as_str()));
                continue;
            };
            let said: Map<String, Value> = answer
                .iter()
                .filter(|(what, _)| expected.contains_key(*what))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            assert_eq!(Value::from(said), Value::from(expected.clone()), "{reader} reads {name}");
            check_types(name, reader, &answer["types"]);
        }
        if let Some(files) = answers["pyarrow"].get("files") {
            for file in files.as_array().unwrap() {
                check_file(file, codec, name, flags.contains(&"--bloom"));
            }
        }
        if let Some(probes) = answers["duckdb"].get("probes").filter(|_| flags.contains(&"--bloom")) {
            check_probes(probes);
        }
    }
}

/// The program's answers to the questions in `readers.py`.
fn said_by_the_program(world: &World, source: &str) -> Map<String, Value> {
    let columns = columns(world, source);
    let counts: Vec<String> = columns.iter().map(|column| format!("count({column}) AS count_{column}")).collect();
    let sql = format!(
        "SELECT count(*) AS rows, sum(bytes_sent) AS bytes_sent, CAST(min(time) AS BIGINT) AS first, CAST(max(time) AS BIGINT) AS last, \
         sum(character_length(bucket)) AS bucket, sum(character_length(key)) AS key, sum(character_length(request_uri)) AS request_uri, \
         sum(character_length(user_agent)) AS user_agent, count(DISTINCT coalesce(object_key, key)) AS objects, \
         count(DISTINCT bucket) AS buckets, count(DISTINCT CAST(time AS DATE)) AS days, {} FROM logs",
        counts.join(", ")
    );
    let mut command = world.program();
    command.args(["query", &sql, source, "-F", "jsonl", "-q"]);
    let output = world.spawn(command).wait().expect(0).stdout;
    let row: Map<String, Value> = serde_json::from_str(&output).unwrap();
    let (counts, mut said): (Map<_, _>, Map<_, _>) = row.into_iter().partition(|(name, _)| name.starts_with("count_"));
    let counts = counts.into_iter().map(|(name, count)| (name.replacen("count_", "", 1), count));
    said.insert("counts".to_owned(), Value::from(counts.collect::<Map<_, _>>()));
    said
}

/// All columns, except for the one that is NULL where it equals another one.
fn columns(world: &World, source: &str) -> Vec<String> {
    let mut command = world.program();
    command.args(["query", "SELECT * FROM logs LIMIT 0", source, "-F", "csv", "-q"]);
    let heading = world.spawn(command).wait().expect(0).stdout;
    let columns: Vec<String> = heading.trim().split(',').map(str::to_owned).collect();
    assert!(columns.len() > 30, "{heading}");
    columns.into_iter().filter(|column| column != "object_key").collect()
}

fn said_by_others(python: &Path, world: &World, expected: &Map<String, Value>) -> Value {
    let script = world.path("readers.py");
    fs::write(&script, SCRIPT).unwrap();
    let columns: Vec<&str> = expected["counts"].as_object().unwrap().keys().map(String::as_str).collect();
    let datasets = DATASETS.iter().map(|(name, ..)| format!("{name}={}", world.path(name).display()));
    let mut command = Command::new(python);
    command.arg(script).arg(columns.join(",")).args(datasets).current_dir(world.path(""));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Checks that types are common to all readers, with text rather than binary.
fn check_types(name: &str, reader: &str, types: &Value) {
    let of = |column: &str| types[column].as_str().unwrap_or_else(|| panic!("{reader} finds no {column}: {types}"));
    let (time, text, number, list, flag) = match reader {
        "duckdb" => ("TIMESTAMP WITH TIME ZONE", "VARCHAR", "BIGINT", "VARCHAR[]", "BOOLEAN"),
        "polars" => ("Datetime(time_unit='us', time_zone='UTC')", "String", "Int64", "List(String)", "Boolean"),
        "pyarrow" => ("timestamp[us, tz=UTC]", "string", "int64", "list<item: string>", "bool"),
        "chdb" => ("DateTime64(6, 'UTC')", "Nullable(String)", "Nullable(Int64)", "Array(Nullable(String))", "Bool"),
        _ => panic!("nobody knows {reader}"),
    };
    let found = [of("time"), of("key"), of("bytes_sent"), of("extra_fields"), of("ambiguous")];
    assert_eq!(found, [time, text, number, list, flag], "types of {name} in {reader}: {types}");
    let wants_day = reader != "chdb" || !name.contains("bucket");
    assert!(types.get("day").is_some() || !wants_day, "{reader} finds no day in {name}: {types}");
}

/// Checks the metadata of a file.
fn check_file(file: &Value, codec: &str, name: &str, has_bloom: bool) {
    assert!(file["created_by"].as_str().unwrap().starts_with("s3log version "), "{}", file["created_by"]);
    let metadata = &file["metadata"];
    for key in ["s3log.version", "s3log.batch", "s3log.sources", "s3log.source_objects", "s3log.privacy"] {
        assert!(metadata[key].is_string(), "{key} is not in {metadata}");
    }
    let fields = file["fields"].as_object().unwrap();
    let bytes_sent = &fields["bytes_sent"];
    assert_eq!(
        (&bytes_sent["unit"], &bytes_sent["aws_title"]),
        (&"bytes".into(), &"Bytes Sent".into()),
        "{bytes_sent}"
    );
    for (field, known) in fields {
        assert!(known["description"].is_string() && known["PARQUET:field_id"].is_string(), "{field}: {known}");
    }
    for group in file["groups"].as_array().unwrap() {
        assert_eq!(group["sorting"].as_array().unwrap().len(), 1);
        let columns: BTreeMap<String, Value> = serde_json::from_value(group["columns"].clone()).unwrap();
        assert_eq!(columns.len(), fields.len());
        for (column, chunk) in &columns {
            let what = format!("{column} of {name}: {chunk}");
            assert_eq!(chunk["compression"], codec, "{what}");
            assert_eq!(chunk["offset_index"], true, "{what}");
            let is_unique = ["request_id", "host_id"].contains(&column.as_str());
            assert_eq!([&chunk["column_index"], &chunk["statistics"]], [!is_unique, !is_unique], "{what}");
            assert_eq!(chunk["dictionary"], !is_unique && has_dictionary(column), "{what}");
            // pyarrow before 21 does not report Bloom filters.
            if let Some(bloom) = chunk["bloom_bytes"].as_u64().or_else(|| chunk["bloom"].as_u64()) {
                assert!(has_bloom && BLOOM.contains(&column.as_str()) && bloom > 0, "{what}");
            }
        }
        assert_eq!(columns["time"]["nulls"], 0);
        assert!(columns["time"]["bounds"].is_array() && columns["key"]["bounds"].is_array(), "{columns:?}");
    }
}

/// Bits and sorted numbers have other encodings.
fn has_dictionary(column: &str) -> bool {
    !["time", "ambiguous", "acl_required"].contains(&column)
}

/// A Bloom filter never rejects a value that exists, and mostly rejects those that do not.
fn check_probes(probes: &Value) {
    for column in BLOOM {
        let probe = &probes[column];
        assert_eq!(probe["present_excluded"], 0, "{column}: {probe}");
        assert!(probe["absent_excluded"].as_u64() > Some(0), "{column}: {probe}");
    }
}

/// Reports why something is not tested.
#[track_caller]
fn skip(why: &str, counts: bool) {
    let is_required = std::env::var("S3LOG_TEST_READERS").is_ok_and(|value| value == "required");
    assert!(!(is_required && counts), "{why}");
    eprintln!("skipped: {why}");
}

fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("S3LOG_TEST_PYTHON") {
        return Some(python.into());
    }
    match install(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => Some(python),
        Err(error) => {
            skip(&format!("Python or its packages for reading Parquet are not there: {error}"), true);
            None
        }
    }
}

/// The Python of a virtual environment, created if necessary.
fn install(cache: &Path) -> io::Result<PathBuf> {
    let environment = cache.join("readers-venv");
    let python = environment.join("bin").join("python");
    // Written last: if it is missing or lists other packages, the environment is rebuilt.
    let complete = environment.join("complete");
    let requirements = REQUIREMENTS.join("\n");
    let lock = File::create(cache.join("readers-venv.lock"))?;
    // Tests run in several processes. The lock is released when the file is closed.
    lock.lock()?;
    if !fs::read_to_string(&complete).is_ok_and(|installed| installed == requirements) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(REQUIREMENTS))?;
        fs::write(complete, requirements)?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output().map_err(|error| io::Error::other(format!("{command:?}: {error}")))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}
