//! What a conversion leaves out is reported as on one machine.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Cluster, files};
use crate::{line, s3log, transcript};

#[test]
fn nothing_left_of_a_batch_and_lines_of_other_kinds() {
    let cluster = Cluster::start(1, &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("cut")).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(line("k", "curl").repeat(10_000).as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    std::fs::write(path("cut/log.gz"), &whole[..whole.len() / 2]).unwrap();
    for (source, part) in
        [(path("cut"), "could not be read completely"), ("fixtures/cdn/v2.log".to_owned(), "another kind")]
    {
        let said = |output: std::process::Output| {
            let said = transcript(&output);
            // Without the time it took, and the location.
            said.lines()
                .filter(|line| !line.starts_with("time") && !line.starts_with("dataset"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let arguments = |to| ["convert".to_owned(), source.clone(), "--to".to_owned(), path(to)];
        let alone = said(s3log().args(arguments("alone")).output().unwrap());
        let arguments = arguments("shared");
        let shared = said(cluster.run(&[], &arguments.each_ref().map(String::as_str)));
        assert!(alone.starts_with("exit 3") && alone.contains(part), "{alone}");
        assert_eq!(shared, alone, "{}", cluster.logs());
    }
    assert_eq!(files(&path("shared")), (0, 0));
}
