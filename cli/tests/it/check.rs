//! `s3log check`: every line is accounted for.

use std::io::Write as _;

use insta::assert_snapshot;

use crate::{exit_code, line, run, s3log};

#[test]
fn an_account_of_good_logs() {
    assert_snapshot!(run(&["check", "fixtures/bucket"]));
}

#[test]
fn an_account_of_rejects_shows_each_reason_with_an_example() {
    assert_snapshot!(run(&["check", "fixtures/rejects", "fixtures/hostile", "fixtures/shapes/blank-lines.log"]));
}

#[test]
fn an_account_for_programs() {
    assert_snapshot!(run(&[
        "check",
        "--format",
        "json",
        "fixtures/rejects/bad-numbers.log",
        "fixtures/hostile/forged.log"
    ]));
}

#[test]
fn the_name_of_a_file_tells_the_format() {
    let directory = tempfile::tempdir().unwrap();
    let source = "fixtures/rejects/bad-numbers.log";
    for (name, format, shown) in [
        ("a.txt", "auto", "text"),
        ("a.json", "auto", "json"),
        ("a", "auto", "text"),
        ("a.json", "text", "text"),
        ("a.csv", "json", "json"),
    ] {
        let path = directory.path().join(name);
        let expected = s3log().args(["check", source, "-F", shown]).output().unwrap();
        let output = s3log().args(["check", source, "-F", format, "-o"]).arg(&path).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (expected.status.code(), 0), "{name}");
        assert_eq!(std::fs::read(path).unwrap(), expected.stdout, "{name} {format}");
    }
    for name in ["b.csv", "b.md", "b.log"] {
        let output = s3log().current_dir(directory.path()).args(["check", "nothing", "-o", name]).output().unwrap();
        let said = crate::transcript(&output);
        let expected =
            format!("error: `s3log check` cannot write the format of `{name}`\nhint: use the extension txt or json");
        assert!(said.starts_with("exit 2\n") && said.contains(&expected), "{said}");
        assert!(!directory.path().join(name).exists());
    }
}

#[test]
fn the_last_line_is_the_balance_whatever_is_read() {
    for source in ["bucket", "compressed", "shapes", "hostile", "rejects", "dialects"] {
        let output = s3log().args(["check", &format!("fixtures/{source}")]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last().unwrap();
        let numbers: Vec<u64> = last
            .split(|c: char| !c.is_ascii_digit() && c != ',')
            .filter_map(|number| number.replace(',', "").parse().ok())
            .collect();
        let [lines, rows, rejects, blank] = numbers[..] else { panic!("{last}") };
        assert_eq!(lines, rows + rejects, "{source}");
        let group = |n: u64| indicatif::HumanCount(n).to_string();
        let expected = format!(
            "lines = rows + rejects: {} = {} + {} (blank {})",
            group(lines),
            group(rows),
            group(rejects),
            group(blank)
        );
        assert_eq!(last, expected);
    }
}

#[test]
fn exit_codes() {
    assert_eq!(exit_code(&["check", "fixtures/bucket"]), Some(0));
    assert_eq!(exit_code(&["check", "fixtures/hostile"]), Some(0));
    assert_eq!(exit_code(&["check", "--strict", "fixtures/hostile"]), Some(3));
    assert_eq!(exit_code(&["check", "--max-rejects", "1", "fixtures/hostile"]), Some(0));
    assert_eq!(exit_code(&["check", "fixtures/rejects"]), Some(3));
    assert_eq!(exit_code(&["check", "fixtures/nothing"]), Some(1));
    assert_eq!(exit_code(&["check"]), Some(2));
}

#[test]
fn an_object_that_was_cut_is_named_where_objects_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(line("a.jpg", "curl/8").repeat(3).as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let path = directory.path().join("cut.gz");
    std::fs::write(&path, &packed[..packed.len() - 4]).unwrap();
    let source = path.display().to_string();
    let text = run(&["check", &source]);
    let size = indicatif::HumanBytes(packed.len() as u64 - 4);
    let begin = format!("exit 3\n--- stdout\n0 objects and the beginning of 1, {size}\n3 records\n");
    assert!(text.starts_with(&begin), "{text}");
    let text = run(&["check", "-F", "json", &source]);
    assert!(text.contains(r#""objects":0,"partial_objects":1,"#), "{text}");
}

#[test]
fn records_of_other_times_are_counted_apart() {
    let text = run(&["check", "fixtures/bucket/logs", "--since", "2026-01-15"]);
    assert!(text.contains("\n723 records\n14 records of other times left out\n"), "{text}");
    assert!(text.ends_with("\nlines = rows + rejects: 723 = 723 + 0 (blank 0)\n"), "{text}");
    // S3 and CDN records, as text and as JSON. Without records of one kind, the source still counts as logs.
    for source in ["bucket/logs", "cdn", "structured"] {
        let source = format!("fixtures/{source}");
        let sum = |text: &str| -> u64 {
            let number = |name: &str| -> u64 {
                let behind = text.split_once(&format!("\"{name}\":")).unwrap().1;
                behind.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
            };
            assert_eq!(number("lines"), number("records") + number("rejects"), "{text}");
            assert!(number("cdn_records") <= number("records"), "{text}");
            number("records")
        };
        let all = sum(&run(&["check", "-F", "json", &source]));
        let none = run(&["check", "-F", "json", &source, "--layout", "none", "--since", "2030-01-01"]);
        assert_eq!(sum(&none), 0);
        assert!(none.contains(&format!("\"other_times\":{all},")) && none.contains("\"field_counts\":[],"), "{none}");
        assert!(!none.contains("not one record"), "{none}");
    }
}

#[test]
fn a_dialect_makes_rows_of_rejects() {
    let sql = "SELECT count(*) AS n FROM logs";
    for (dialect, file, rows) in
        [("auto", "ceph-journal", "1"), ("ceph-journal", "ceph-journal", "5"), ("versitygw", "versitygw", "7")]
    {
        let source = format!("fixtures/dialects/{file}.log");
        let output =
            s3log().args(["query", sql, &source, "--dialect", dialect, "-F", "csv", "--no-header"]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), rows, "{dialect}");
    }
}
