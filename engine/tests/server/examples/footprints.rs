//! Writes the traces of real tools in an access log, one file per tool:
//! `cargo run --example footprints -- CACHE FOLDER`. Tools are installed into the folder `CACHE`. If `S3LOG_KEEP_VISITS`
//! is set in the environment, their output is kept there too.

#![expect(clippy::print_stdout, reason = "it tells who runs it what it did")]

use std::path::PathBuf;
use std::{env, fs, io};

use s3log_test_server::Footprints;

fn main() -> io::Result<()> {
    let mut folders = env::args_os().skip(1).map(PathBuf::from);
    let (Some(cache), Some(folder)) = (folders.next(), folders.next()) else {
        return Err(io::Error::other("two folders are needed: one for tools, one for logs"));
    };
    fs::create_dir_all(&folder)?;
    let footprints = Footprints::take(&cache);
    for footprint in &footprints.taken {
        let kind = if footprint.is_hostile { "hostile" } else { "ordinary" };
        println!("{} {kind} {}: {} lines", footprint.client, footprint.tool, footprint.lines.len());
        fs::write(folder.join(format!("{}.log", footprint.tool)), footprint.lines.join("\n") + "\n")?;
    }
    for (tool, why) in &footprints.skipped {
        println!("skipped {tool}: {why}");
    }
    Ok(())
}
