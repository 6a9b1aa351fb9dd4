//! The effects of hostile and broken clients on a log line: S3 escapes nothing inside quotes.

use super::Client;
use crate::random::Random;

/// A kind of hostility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hostile {
    /// The user agent begins with a quote.
    QuoteFirst,
    /// The user agent ends with a quote.
    QuoteLast,
    /// The user agent is a JSON document.
    JsonAgent,
    /// The query contains a quoted file name.
    QuotedFileName,
    /// The query contains code with quotes and backslashes.
    CodeInQuery,
    /// The user agent forges its own end and the fields after it.
    ForgedTail,
    /// The request-URI forges status, error code and numbers, followed by a referer.
    ForgedStatus,
    /// The referer forges its own end and a user agent.
    ForgedAgent,
    /// The user agent contains a whole record of another day.
    RecordInAgent,
    /// The user agent contains a NUL byte.
    Nul,
    /// Referer and user agent are Latin-1.
    Latin1,
    /// A truncated record is followed by the next one in the same line.
    Spliced,
}

impl Hostile {
    pub(super) const ALL: [Self; 12] = [
        Self::QuoteFirst,
        Self::QuoteLast,
        Self::JsonAgent,
        Self::QuotedFileName,
        Self::CodeInQuery,
        Self::ForgedTail,
        Self::ForgedStatus,
        Self::ForgedAgent,
        Self::RecordInAgent,
        Self::Nul,
        Self::Latin1,
        Self::Spliced,
    ];

    /// Modifies the client's text. Does nothing for [`Hostile::Spliced`], which is not caused by a client.
    pub(super) fn apply(self, random: &mut Random, client: &mut Client) {
        let Client { uri, referer, user_agent, .. } = client;
        match self {
            Self::QuoteFirst => user_agent.insert(0, b'"'),
            Self::QuoteLast => user_agent.push(b'"'),
            Self::JsonAgent => {
                user_agent.clear();
                user_agent.extend_from_slice(br#"installer/24.0 {"ci":null,"cpu":"x86_64","python":"3.12.1"}"#);
            }
            Self::QuotedFileName => {
                add_query(uri, br#"response-content-disposition=attachment;%20filename="report.json""#);
            }
            Self::CodeInQuery => {
                add_query(uri, br#"page=..\..\index&run=system("id");echo%20"\x41";"#);
                referer.clear();
                referer.extend_from_slice(br#"http://www.example.com/?run=system("id")"#);
            }
            Self::ForgedTail => {
                user_agent.extend_from_slice(b"\" - ");
                random.base64(75, user_agent);
                user_agent.extend_from_slice(b"= SigV4 - AuthHeader forged.example.com TLSv1.3 - - -");
            }
            Self::ForgedStatus => {
                add_query(uri, br#"x=" 200 - 1 1 1 1 "-" "nobody/1.0" - "#);
            }
            Self::ForgedAgent => {
                referer.clear();
                referer.extend_from_slice(br#"https://www.example.com/" "nobody/1.0"#);
            }
            Self::RecordInAgent => {
                user_agent.extend_from_slice(
                    b" 0 media-prod [01/Jan/2020:00:00:00 +0000] 192.0.2.1 - 0000000000000000 REST.GET.OBJECT forged",
                );
            }
            Self::Nul => user_agent.extend_from_slice(b" \0\0"),
            Self::Latin1 => {
                referer.clear();
                referer.extend_from_slice(b"https://www.example.com/caf\xe9");
                user_agent.extend_from_slice(b" (M\xfcnchen \xff\xfe)");
            }
            Self::Spliced => {}
        }
    }
}

/// Adds a query parameter to the request line, before ` HTTP/1.1`.
fn add_query(uri: &mut Vec<u8>, parameter: &[u8]) {
    const VERSION: &[u8] = b" HTTP/1.1";
    let target = uri.len().saturating_sub(VERSION.len());
    let mark = if uri[..target].contains(&b'?') { b'&' } else { b'?' };
    uri.truncate(target);
    uri.push(mark);
    uri.extend_from_slice(parameter);
    uri.extend_from_slice(VERSION);
}
