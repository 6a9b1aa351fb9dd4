//! Real clients and real attack tools over loopback: their traces in an access log can be told apart.
//! Each tool has its own address (`engine/tests/server/src/footprints`). The tools are installed once, into the test
//! directory below cargo's target directory. Tools that cannot be installed are skipped, unless `S3LOG_TEST_FOOTPRINTS`
//! is `required`.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

use s3log_test_server::Footprints;
use serde_json::Value;
use tempfile::TempDir;

use crate::s3log;

/// Addresses with this score or more deserve attention.
const ALERT: f64 = 0.6;
/// The test is incomplete without these, which are Python packages or available everywhere.
const NEEDED: [&str; 6] = ["aws", "boto3", "curl", "wfuzz", "dirsearch", "sqlmap"];

/// Recorded once for all tests.
static FOOTPRINTS: LazyLock<Footprints> = LazyLock::new(taken);

#[expect(clippy::print_stderr, reason = "who reads the tests' output wants to know what they did not try")]
fn taken() -> Footprints {
    let footprints = Footprints::take(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let is_required = std::env::var("S3LOG_TEST_FOOTPRINTS").is_ok_and(|value| value == "required");
    for (tool, why) in &footprints.skipped {
        assert!(!(is_required && NEEDED.contains(tool)), "{tool}: {why}");
        eprintln!("skipped {tool}: {why}");
    }
    footprints
}

/// A directory with one log object per tool.
fn logs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for footprint in &FOOTPRINTS.taken {
        let name = format!("2026-01-31-00-00-00-{}", footprint.tool.to_uppercase());
        fs::write(folder.path().join(name), footprint.lines.join("\n") + "\n").unwrap();
    }
    folder
}

#[test]
fn what_tools_leave_can_be_read() {
    for footprint in &FOOTPRINTS.taken {
        assert!(!footprint.lines.is_empty(), "{} left nothing", footprint.tool);
    }
    let folder = logs();
    let output = s3log().args(["check", "--strict"]).arg(folder.path()).output().unwrap();
    let (text, lines) = (String::from_utf8_lossy(&output.stdout), FOOTPRINTS.taken.iter().map(|one| one.lines.len()));
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines = indicatif::HumanCount(lines.sum::<usize>() as u64);
    assert!(text.contains(&format!("lines = rows + rejects: {lines} = {lines} + 0 (blank 0)")), "{text}");
}

#[test]
fn hostile_tools_are_flagged_and_ordinary_ones_are_not() {
    let folder = logs();
    let output = s3log().args(["flag", "--min-score", "0", "-F", "ndjson"]).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let findings: BTreeMap<IpAddr, Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|finding| (finding["client_ip"].as_str().unwrap().parse().unwrap(), finding))
        .collect();
    let wrong: Vec<String> = FOOTPRINTS
        .taken
        .iter()
        .filter_map(|footprint| {
            let finding = findings.get(&footprint.client).unwrap_or(&Value::Null);
            // Addresses without evidence are not in the output.
            let score = finding["score"].as_f64().unwrap_or(0.0);
            let is_right = (score >= ALERT) == footprint.is_hostile;
            let kind = if footprint.is_hostile { "attacks" } else { "does not attack" };
            (!is_right).then(|| format!("{} {kind}, and scores {score}: {}", footprint.tool, finding["detectors"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
