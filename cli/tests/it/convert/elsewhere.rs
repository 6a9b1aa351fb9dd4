//! A conversion from and to an independent server.

use std::path::Path;

use s3log_test_server::{Moto, create_bucket_unsigned, put_all_unsigned};

use super::source::Logs;
use crate::{s3log, transcript};

#[test]
fn moto_holds_a_dataset() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let logs = Logs::new(60, 12);
    for bucket in ["logs", "data"] {
        create_bucket_unsigned(&moto.endpoint(), bucket).unwrap();
    }
    put_all_unsigned(&moto.endpoint(), "logs", &logs.objects).unwrap();
    let run = |arguments: &[&str]| {
        let output = s3log().envs(moto.environment()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let digest = |source: &str| {
        let sql = "SELECT count(*), count(DISTINCT request_id), sum(bytes_sent), min(time), max(time) FROM logs";
        run(&["query", sql, source, "-F", "csv", "--no-header"])
    };
    let expected = digest("s3://logs/");
    assert!(expected.starts_with(&format!("{},", logs.records)), "{expected}");
    for _ in 0..2 {
        run(&["convert", "s3://logs/", "--to", "s3://data/set/"]);
        assert_eq!(digest("s3://data/set/"), expected);
    }
}
