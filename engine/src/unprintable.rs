//! Characters that are interpreted or invisible instead of printed.

/// Whether a terminal or viewer would interpret this character or show nothing for it: C0, DEL, C1, bidi controls,
/// zero-width and other format characters, blank letters, line and paragraph separators, tags.
///
/// Log text comes from untrusted clients, who use such characters to hide or forge output.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{3164}' | '\u{ffa0}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}
