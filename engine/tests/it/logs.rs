//! Generated log lines for tests of this crate, and sessions over them.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use s3log_engine::session::{Session, SessionOptions};
use std::path::Path;

/// The record with this number. Every tenth is of another kind, every seventh lacks some fields.
pub(crate) fn line(number: usize) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    let (hour, day) = (number / 3600 % 24, 14 + number / 86_400 % 10);
    let ip = if number.is_multiple_of(11) { "-".to_owned() } else { format!("192.0.2.{}", number % 13) };
    let status = [200, 206, 403, 404, 200][number % 5];
    let operation = ["REST.GET.OBJECT", "REST.HEAD.OBJECT", "REST.PUT.OBJECT", "WEBSITE.GET.OBJECT"][number % 4];
    let key = ["a%2520b.parquet", "plain.parquet", "caf%25C3%25A9.jpg", "x+y%252Bz"][number % 4];
    let sent = if number.is_multiple_of(7) { "-".to_owned() } else { (number * 37 % 5000).to_string() };
    let agent = ["curl/8.4.0", "aws-cli/2.11.4 \"quoted\" thing", "-", "Mozilla/5.0 (X11; Linux x86_64)"][number % 4];
    let tail =
        ["", " v1", " - hostid SigV4 - AuthHeader host TLSv1.3 - Yes us-east-1", " - h - - - - - - - - more and more"]
            [number / 10 % 4];
    format!(
        "a1b2c3 bucket-{} [{day:02}/Jan/2026:{hour:02}:{minute:02}:{second:02} +0000] {ip} - R{number:015} {operation} \
         {key} \"GET /{key}?n={number} HTTP/1.1\" {status} - {sent} 5000 {} 3 \"-\" \"{agent}\"{tail}",
        number % 3,
        number % 90
    )
}

/// Lines with records, rejects and blank lines.
pub(crate) fn log(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|number| match number % 23 {
            5 => format!("cut {}\n", &line(number)[..60]),
            9 => "\n".to_owned(),
            14 => format!("{}\r\n", line(number)),
            _ => format!("{}\n", line(number)),
        })
        .collect()
}

/// Numbers of rows and rejects that [`log`] generates for a range.
pub(crate) fn counts(numbers: std::ops::Range<usize>) -> (usize, usize) {
    let rejects = numbers.clone().filter(|number| number % 23 == 5).count();
    let blank = numbers.clone().filter(|number| number % 23 == 9).count();
    (numbers.len() - rejects - blank, rejects)
}

pub(crate) async fn session(directory: &Path, options: SessionOptions) -> Session {
    Session::open(&[directory.display().to_string()], options).await.unwrap()
}

pub(crate) async fn rows(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// A query result as a text table.
pub(crate) async fn table(context: &SessionContext, sql: &str) -> String {
    pretty_format_batches(&rows(context, sql).await).unwrap().to_string()
}

/// The lines of a query result as a text table, sorted.
pub(crate) async fn sorted(context: &SessionContext, sql: &str) -> Vec<String> {
    let mut lines: Vec<_> = table(context, sql).await.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
