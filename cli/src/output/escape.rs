//! Makes hostile text harmless for a terminal.
//! Log text is written by strangers: an escape sequence in a user agent can move the cursor, change the title or hide a
//! row, and a bidi override can make one address look like another. On a terminal, every such character is escaped.
//! Files and pipes get the text unchanged.

use std::borrow::Cow;

pub(crate) use s3log_engine::is_unprintable;

use super::push_fmt;

/// Escapes every character that a terminal would obey or not display: `\n`, `\x1b`,
/// `\u{202e}`. Borrowed if there is none.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_unprintable) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        push_visible(c, &mut out);
    }
    Cow::Owned(out)
}

/// Like [`visible`], but keeps line ends, for text that we lay out in lines.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && is_unprintable(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c == '\n' {
            out.push(c);
        } else {
            push_visible(c, &mut out);
        }
    }
    Cow::Owned(out)
}

/// Replaces every character that a terminal would obey or not display with a JSON escape. Except for line ends, which
/// format the JSON, such characters only occur in strings.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c != '\n' && is_unprintable(c);
    if !json.contains(is_hidden) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_hidden(c) {
            push_json_escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Appends a JSON escape: `\u202e`, as a surrogate pair beyond 16 bits.
pub(super) fn push_json_escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        push_fmt(out, format_args!("\\u{unit:04x}"));
    }
}

fn push_visible(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if !is_unprintable(c) => out.push(c),
        _ if c.is_ascii() => push_fmt(out, format_args!("\\x{:02x}", u32::from(c))),
        _ => push_fmt(out, format_args!("\\u{{{:x}}}", u32::from(c))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(visible("curl/8.1 (é, 日本, 😀) \\x1b"), Cow::Borrowed(_)));
        assert!(matches!(visible_lines("a\nb"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let cases = [
            ("a\u{1b}[31mred", "a\\x1b[31mred"),
            ("a\tb\r\nc", "a\\tb\\r\\nc"),
            ("\0\u{7f}", "\\x00\\x7f"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{feff}bom", "\\u{feff}bom"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ];
        for (text, expected) in cases {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(visible_lines("a\u{1b}\nb"), "a\\x1b\nb");
    }

    #[test]
    fn json_stays_what_it_is() {
        let json = serde_json::to_string(&["\u{9b}2J\u{e0041}\n", "é"]).unwrap();
        let shown = visible_json(&json);
        assert_eq!(shown, r#"["\u009b2J\udb40\udc41\n","é"]"#);
        let values = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap();
        assert_eq!(values(&shown), values(&json));
    }
}
