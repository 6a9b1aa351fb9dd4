//! Labelled logs: every line is a record, every address has a label, and a seed determines the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use s3log_benches::labelled::{Options, Written, judge, write};
use s3log_parser::{Field, Lines, Parser};

const SMALL: Options = Options { seed: 3, days: 2, scale: 0.05, benign_only: false };

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        out.insert(path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap());
    }
    out
}

fn source(address: &str) -> String {
    match address.parse().unwrap() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

fn labels(folder: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder.join("labels.tsv")).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn every_line_is_a_record_and_every_address_has_one_label() {
    let folder = tempfile::tempdir().unwrap();
    let written = write(&SMALL, folder.path()).unwrap();
    let mut parser = Parser::new();
    let (mut lines, mut seen) = (0, BTreeSet::new());
    for (name, bytes) in files(&folder.path().join("logs")) {
        assert_eq!(name.len(), "2026-01-15-10-22-41-0A1B2C3D4E5F6071".len());
        for line in Lines::new(&bytes) {
            let record = parser.parse(line.bytes).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            assert!(!record.is_ambiguous(), "{line:?}");
            assert_eq!(record.field_count(), Field::COUNT, "{line:?}");
            if let Some(address) = record.text(Field::RemoteIp) {
                seen.insert(source(&address.to_string()));
            }
            lines += 1;
        }
    }
    assert_eq!(lines, written.lines);
    let labels = labels(folder.path());
    let labelled: BTreeSet<String> = labels.iter().map(|cells| cells[0].clone()).collect();
    assert_eq!(labelled.len(), labels.len(), "an address has two labels");
    assert_eq!(labelled, seen);
    let attacks = labels.iter().filter(|cells| cells[1] == "attack").count();
    assert_eq!((attacks, labels.len() - attacks), (written.attack, written.benign));
    assert!(written.attack > 0);
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_one_does_not() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (folder, seed) in folders.iter().zip([7, 7, 8]) {
        write(&Options { seed, days: 1, scale: 0.02, ..SMALL }, folder.path()).unwrap();
    }
    let all = |index: usize| {
        let folder = folders[index].path();
        (files(&folder.join("logs")), files(&folder.join("context")), labels(folder))
    };
    assert!(all(0) == all(1));
    assert!(all(0).0 != all(2).0);
}

#[test]
fn benign_logs_have_no_attack_and_a_perfect_finding_is_perfect() {
    let folder = tempfile::tempdir().unwrap();
    let written = write(&Options { benign_only: true, ..SMALL }, folder.path()).unwrap();
    assert!(matches!(written, Written { attack: 0, benign: 100.., .. }), "{written:?}");

    write(&SMALL, folder.path()).unwrap();
    let labels = labels(folder.path());
    let findings: Vec<String> = labels
        .iter()
        .filter(|cells| cells[1] == "attack")
        .map(|cells| format!(r#"{{"client_ip":"{}","score":0.95,"detectors":[]}}"#, cells[0]))
        .collect();
    let path = folder.path().join("findings.ndjson");
    fs::write(&path, findings.join("\n")).unwrap();
    let verdict = judge::judge(folder.path(), &path).unwrap();
    assert_eq!(verdict.average_precision, 1.0);
    assert!(verdict.listed.is_empty() && verdict.unknown.is_empty());
    assert!(verdict.campaigns.values().all(|(found, all)| found == all));
}
