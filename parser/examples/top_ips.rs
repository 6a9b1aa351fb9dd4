//! Uses the parser directly to print the ten remote addresses that received the most bytes from a log file.
//!
//! `cargo run -p s3log-parser --release --example top_ips -- FILE`
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use s3log_parser::{Field, FieldSet, Lines, Parser, Record};
use std::collections::HashMap;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: top_ips FILE")?;
    let log = std::fs::read(path)?;

    let mut parser = Parser::with_fields(FieldSet::from_iter([Field::RemoteIp, Field::BytesSent]));
    let mut record = Record::default();
    let mut sent: HashMap<&[u8], i64> = HashMap::new();
    for line in Lines::new(&log).filter(|line| !line.is_blank()) {
        match parser.parse_into(line.bytes, &mut record) {
            Ok(()) => {
                let ip = record.text(Field::RemoteIp).map_or(&b"-"[..], |ip| ip);
                *sent.entry(ip).or_default() += record.integer(Field::BytesSent).unwrap_or(0);
            }
            Err(error) => eprintln!("line {}: {error}", line.number),
        }
    }

    let mut sent: Vec<_> = sent.into_iter().collect();
    sent.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (ip, bytes) in sent.iter().take(10) {
        println!("{bytes:>16} {}", String::from_utf8_lossy(ip));
    }
    Ok(())
}
