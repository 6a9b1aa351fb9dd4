//! Messages on standard error: `error:`, `warning:`, `note:` and `hint:` lines.
//! Messages may contain object names and parts of log lines, so control characters in them are always escaped.

use std::io::{self, Write as _};

use indicatif::HumanCount;

use crate::failure::{Failure, Report};
use crate::output::Paint;
use crate::output::escape::visible_lines;

/// Prints messages to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    paint: Paint,
    quiet: bool,
}

impl Messages {
    /// If `quiet`, warnings and notes that do not affect the exit code are suppressed.
    pub(crate) fn new(paint: Paint, quiet: bool) -> Self {
        Self { paint, quiet }
    }

    /// Prints the error of a command that failed. Closed pipes and interruptions are silent.
    pub(crate) fn failure(&self, failure: &Failure) {
        if let Failure::Report(report) = failure {
            say(&render(&self.paint.error("error"), report, self.paint));
        }
    }

    /// Warns that the answer is incomplete. Never suppressed, because it affects the exit code.
    pub(crate) fn incomplete(&self, message: &str, hint: Option<&str>) {
        self.print(&self.paint.warning("warning"), message, hint);
    }

    /// Warns about something in a complete answer.
    pub(crate) fn warning(&self, message: &str, hint: Option<&str>) {
        if !self.quiet {
            self.print(&self.paint.warning("warning"), message, hint);
        }
    }

    pub(crate) fn note(&self, message: &str) {
        if !self.quiet {
            self.print(&self.paint.hint("note"), message, None);
        }
    }

    /// Prints lines without a prefix.
    pub(crate) fn plain(&self, text: &str) {
        say(&format!("{}\n", visible_lines(text)));
    }

    fn print(&self, heading: &str, message: &str, hint: Option<&str>) {
        let mut text = format!("{heading}: {}\n", visible_lines(message));
        if let Some(hint) = hint {
            text.push_str(&format!("{}: {}\n", self.paint.hint("hint"), visible_lines(hint)));
        }
        say(&text);
    }
}

fn render(heading: &str, report: &Report, paint: Paint) -> String {
    let mut text = format!("{heading}: {}\n", visible_lines(&report.message));
    if let Some(place) = &report.place {
        text.push_str(&visible_lines(place));
        text.push('\n');
    }
    if let Some(hint) = &report.hint {
        text.push_str(&format!("{}: {}\n", paint.hint("hint"), visible_lines(hint)));
    }
    text
}

/// A number with its noun, such as `1 object`, `1,234 objects`, `2 addresses`, `3 entries` or `4 batches`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let counted = HumanCount(number);
    match noun.strip_suffix('y') {
        _ if number == 1 => format!("{counted} {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{counted} {stem}ies"),
        _ if noun.ends_with('s') || noun.ends_with("ch") => format!("{counted} {noun}es"),
        _ => format!("{counted} {noun}s"),
    }
}

/// Writes to standard error in one piece. A failure is ignored: there is nowhere to report it.
fn say(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn one_and_many() {
        for (number, noun, expected) in [
            (1, "batch", "1 batch"),
            (0, "batch", "0 batches"),
            (2, "address", "2 addresses"),
            (3, "entry", "3 entries"),
            (4, "day", "4 days"),
            (1_234, "object", "1,234 objects"),
        ] {
            assert_eq!(count(number, noun), expected);
        }
    }

    #[test]
    fn a_report_has_its_place_and_its_hint_under_it() {
        let report = Report {
            exit: Exit::Failed,
            message: "no column `a\u{1b}[2J`".to_owned(),
            place: Some("1 | SELECT a\n  |        ^".to_owned()),
            hint: Some("did you mean `b`?".to_owned()),
        };
        let expected = "error: no column `a\\x1b[2J`\n1 | SELECT a\n  |        ^\nhint: did you mean `b`?\n";
        assert_eq!(render("error", &report, Paint::default()), expected);
    }
}
