//! Records can be rendered back to lines.

use super::config;
use crate::lines_of::{any_line, aws_line, hostile_line};
use crate::parsed::parsed;
use crate::reference;
use bstr::ByteSlice;
use proptest::prelude::*;
use s3log_parser::Parser;

fn rendered(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Parser::new().parse(line).ok()?.render(&mut out);
    Some(out)
}

proptest! {
    #![proptest_config(config(4096))]

    /// Lines with single spaces are reproduced byte for byte.
    #[test]
    fn plain_lines_come_back(mut line in aws_line()) {
        line.spaces = 1;
        let line = line.bytes();
        prop_assert_eq!(rendered(&line), Some(line));
    }

    /// So are lines with hostile text.
    #[test]
    fn lines_without_double_spaces_come_back(line in prop_oneof![hostile_line(), any_line()]) {
        let plain = !line.contains_str("  ") && !line.starts_with(b" ") && !line.ends_with(b" ");
        if let Some(rendered) = rendered(&line)
            && plain
        {
            prop_assert_eq!(rendered.as_bstr(), line.as_bstr());
        }
    }

    /// Any other line is rendered as its pieces joined by single spaces, with the same values.
    #[test]
    fn any_record_comes_back_as_its_pieces(line in any_line()) {
        if let Some(rendered) = rendered(&line) {
            let before = parsed(&line);
            let mut again = parsed(&rendered);
            if let (Some(again), Some(before)) = (again.as_mut().filter(|_| rendered != line), &before) {
                // Collapsing doubled spaces in the tail may have created a second time.
                again.ambiguous = before.ambiguous;
            }
            prop_assert_eq!(again, before, "{} is not\n{}", rendered.as_bstr(), line.as_bstr());
            let pieces = reference::read(&line).map(|reading| bstr::join(" ", reading.pieces));
            prop_assert_eq!(Ok(rendered), pieces, "rendered from\n{}", line.as_bstr());
        }
    }
}
