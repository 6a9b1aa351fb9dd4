//! The report of a command: text for users, or one JSON object for programs.

use std::path::Path;

use serde::Serialize;

use super::escape::visible_json;
use super::format::is_json;
use crate::failure::Failure;

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// By the extension of --output; otherwise for people
    #[value(hide = true)]
    Auto,
    /// For people
    #[value(alias = "table")]
    Text,
    /// One JSON object
    Json,
}

impl ReportFormat {
    /// Whether to print JSON, given the file of `--output`.
    /// # Errors
    /// When no format was requested and the file's extension is not one of a report.
    pub(crate) fn is_json(self, output: Option<&Path>, command: &str) -> Result<bool, Failure> {
        match self {
            Self::Auto => is_json(output, command),
            Self::Text => Ok(false),
            Self::Json => Ok(true),
        }
    }
}

/// `report` as JSON on one line, without line end. `terminal`: use JSON escapes for characters that a terminal would
/// obey.
/// # Errors
/// Never, in practice: the keys of reports are strings.
pub(crate) fn json_line(report: &impl Serialize, terminal: bool) -> Result<String, Failure> {
    harmless(serde_json::to_string(report), terminal)
}

/// Like [`json_line`], but indented, for nested reports.
/// # Errors
/// As [`json_line`].
pub(crate) fn json_page(report: &impl Serialize, terminal: bool) -> Result<String, Failure> {
    harmless(serde_json::to_string_pretty(report), terminal)
}

fn harmless(json: serde_json::Result<String>, terminal: bool) -> Result<String, Failure> {
    let json = json.map_err(Failure::internal)?;
    Ok(if terminal { visible_json(&json).into_owned() } else { json })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_terminal_gets_the_same_json_and_obeys_nothing() {
        let report = json!({ "a\u{9b}": "\u{1b}[2J\u{7f}\u{202e}\u{e0041}\né" });
        assert_eq!(json_line(&report, false).unwrap(), "{\"a\u{9b}\":\"\\u001b[2J\u{7f}\u{202e}\u{e0041}\\né\"}");
        let shown = json_line(&report, true).unwrap();
        assert_eq!(shown, r#"{"a\u009b":"\u001b[2J\u007f\u202e\udb40\udc41\né"}"#);
        let page = json_page(&report, true).unwrap();
        assert_eq!(page, format!("{{\n  {}\n}}", shown[1..shown.len() - 1].replace("\":", "\": ")));
        for text in [shown, page] {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), report);
        }
    }
}
