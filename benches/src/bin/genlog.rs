//! `genlog`: writes logs of any size, and the generated part of `fixtures/`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, Parser, Subcommand};
use s3log_benches::cdn;
use s3log_benches::generate::{Generator, Options};
use s3log_benches::objects::{self, Packing};
use s3log_benches::story;

/// Write seeded, realistic S3 server access logs for tests and measurements.
#[derive(Debug, Parser)]
#[command(name = "genlog", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the generated part of the fixtures into a folder; files written by hand stay as they are.
    Fixtures {
        /// The folder `fixtures`.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("destination").required(true).args(["out", "objects"]))]
struct LogArguments {
    /// How many lines.
    #[arg(long, default_value_t = 100_000)]
    lines: u64,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write one file; `-` is the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write many log objects into a folder, named as S3 names them.
    #[arg(long, value_name = "DIR")]
    objects: Option<PathBuf>,
    /// Lines in each object.
    #[arg(long, value_name = "K", default_value_t = 50, requires = "objects")]
    per_object: u64,
    /// The time that the lines cover.
    #[arg(long, value_name = "H", default_value_t = 72.0)]
    hours: f64,
    /// Of a hundred lines, how many are hostile: quotes, forged tails, spliced records, NUL, invalid UTF-8.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    hostile: f64,
    /// The year of the lines, which decides what fields they have: 17 in 2006, 27 in 2026.
    #[arg(long, value_name = "YEAR", default_value_t = 2026, value_parser = clap::value_parser!(u16).range(2006..=2099))]
    era: u16,
    /// Write what a CDN would log of the same requests, into one file.
    #[arg(long, conflicts_with_all = ["objects", "gzip", "zstd"])]
    cdn: bool,
    /// Compress with gzip.
    #[arg(long, conflicts_with = "zstd")]
    gzip: bool,
    /// Compress with Zstandard.
    #[arg(long)]
    zstd: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0 to 100 is needed".into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Fixtures { folder }) => story::write(&folder),
        None => arguments.log.write(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done if writing this message fails, too.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl LogArguments {
    fn write(&self) -> io::Result<()> {
        let mut generator = Generator::new(&Options {
            seed: self.seed,
            lines: self.lines,
            hours: self.hours,
            hostile_percent: self.hostile,
            year: self.era,
        });
        if let (true, Some(path)) = (self.cdn, &self.out) {
            return self.write_cdn(&mut generator, path);
        }
        let packing = match (self.gzip, self.zstd) {
            (true, _) => Packing::Gzip,
            (_, true) => Packing::Zstd,
            _ => Packing::Plain,
        };
        match (&self.out, &self.objects) {
            (Some(path), _) if path.as_os_str() == "-" => {
                objects::write_log(&mut generator, self.lines, packing, io::stdout().lock())
            }
            (Some(path), _) => objects::write_file(&mut generator, self.lines, packing, path),
            (None, Some(folder)) => {
                objects::write_objects(&mut generator, self.lines, self.per_object, packing, self.seed, folder)?;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Writes in parts, under a single header.
    fn write_cdn(&self, generator: &mut Generator, path: &Path) -> io::Result<()> {
        let mut out = std::fs::File::create(path)?;
        out.write_all(cdn::HEADER.as_bytes())?;
        let mut left = self.lines;
        while left > 0 {
            let lines = left.min(10_000);
            left -= lines;
            let mut part = Vec::new();
            (0..lines).for_each(|_| generator.line(&mut part));
            out.write_all(&cdn::log(&part)[cdn::HEADER.len()..])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_destination_is_needed() {
        assert!(Arguments::try_parse_from(["genlog", "--lines", "5"]).is_err());
        assert!(Arguments::try_parse_from(["genlog", "--out", "a", "--objects", "b"]).is_err());
        assert!(Arguments::try_parse_from(["genlog", "--out", "a", "--hostile", "101"]).is_err());
        assert!(Arguments::try_parse_from(["genlog", "--out", "a", "--era", "2005"]).is_err());
        assert!(Arguments::try_parse_from(["genlog", "--out", "a", "--hostile", "2.5"]).is_ok());
        assert!(Arguments::try_parse_from(["genlog", "fixtures", "somewhere"]).is_ok());
    }
}
