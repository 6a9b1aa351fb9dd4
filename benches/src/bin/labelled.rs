//! `labelled`: writes logs with known attackers, and judges findings against those labels.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use s3log_benches::labelled::{self, Options, judge};

/// Write labelled S3 server access logs, or judge findings by their labels.
#[derive(Debug, Parser)]
#[command(name = "labelled", version)]
struct Arguments {
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many days the logs cover.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
    /// How large populations are; 1 gives some 200,000 lines in three days.
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// The folder for `logs/`, `labels.tsv` and `context/`; log objects that are there are removed.
    #[arg(long, value_name = "DIR", required_unless_present = "judge")]
    out: Option<PathBuf>,
    /// Write no attacks.
    #[arg(long)]
    benign_only: bool,
    /// Compare findings (NDJSON: client_ip, score, detectors with id and confidence) with the labels of such a folder.
    #[arg(long, num_args = 2, value_names = ["DIR", "FINDINGS"], conflicts_with = "out")]
    judge: Option<Vec<PathBuf>>,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 1000.0 => Ok(scale),
        _ => Err("a number above 0 and up to 1000 is needed".into()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done if writing this message fails, too.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some([folder, findings]) = arguments.judge.as_deref() {
        return write!(out, "{}", judge::judge(folder, findings)?);
    }
    let Some(folder) = &arguments.out else { return Ok(()) };
    let options = Options {
        seed: arguments.seed,
        days: arguments.days,
        scale: arguments.scale,
        benign_only: arguments.benign_only,
    };
    let written = labelled::write(&options, folder)?;
    writeln!(out, "{} lines, {} innocent and {} hostile sources", written.lines, written.benign, written.attack)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["labelled"]).is_err());
        assert!(Arguments::try_parse_from(["labelled", "--judge", "a"]).is_err());
        assert!(Arguments::try_parse_from(["labelled", "--judge", "a", "b"]).is_ok());
        assert!(Arguments::try_parse_from(["labelled", "--out", "a", "--scale", "0"]).is_err());
    }
}
