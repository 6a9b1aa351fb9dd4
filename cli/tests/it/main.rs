//! End-to-end tests of the program: output, files, exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

mod buckets;
mod cdn;
mod check;
#[cfg(all(unix, feature = "cluster"))]
mod cluster;
#[cfg(unix)]
mod configuration;
#[cfg(unix)]
mod convert;
mod documentation;
mod errors;
mod files;
mod flag;
#[cfg(unix)]
mod footprints;
mod keys;
mod logging;
mod query;
mod shell;
#[cfg(unix)]
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// The root of the repository. Sources are relative to it, so that messages are the same on every machine.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program with an empty environment and without a configuration file.
fn s3log() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("s3log"));
    command.current_dir(root()).env_clear().env("HOME", "/nonexistent");
    command
}

/// Output and exit code as one text for a snapshot.
fn transcript(output: &Output) -> String {
    let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    let mut text = format!("exit {code}\n");
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("--- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    text
}

fn run(arguments: &[&str]) -> String {
    transcript(&s3log().args(arguments).output().unwrap())
}

fn exit_code(arguments: &[&str]) -> Option<i32> {
    s3log().args(arguments).output().unwrap().status.code()
}

/// A log line with 26 fields.
fn line(key: &str, user_agent: &str) -> String {
    format!(
        "0123456789abcdef media [31/Jan/2026:10:00:00 +0000] 192.0.2.3 - 3E57427F33A59F07 REST.GET.OBJECT {key} \
         \"GET /{key} HTTP/1.1\" 200 - 1234 1234 7 5 \"-\" \"{user_agent}\" - aWQ= - ECDHE-RSA-AES128-GCM-SHA256 - \
         media.s3.us-east-1.amazonaws.com TLSv1.2 - -\n"
    )
}
