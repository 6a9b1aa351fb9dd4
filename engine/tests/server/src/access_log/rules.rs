//! The outcome of a request: rejected here, as S3 would, or forwarded.

use std::io;

use percent_encoding::utf8_percent_encode;

use super::ask::Ask;
use super::line::{PLAIN, elements};
use super::{Public, Shared};
use crate::proxy::answer::Answer;
use crate::proxy::pass_on;
use crate::proxy::wire::Head;

/// Headers that matter for unsigned reads.
const OF_READS: [&str; 5] = ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];
/// Subresources accessible to users of this server, who have permissions on data, but not on configuration.
const OF_DATA: [&str; 3] = ["LOCATION", "UPLOADS", "BUCKETVERSIONS"];
const MOST_KEY: usize = 1024;

/// The response, including its body for HEAD, although that is not sent: S3 logs the length of an error's body.
pub(super) async fn answer(shared: &Shared, ask: &Ask<'_>, request: &Head, body: &[u8]) -> io::Result<Answer> {
    let is_head = ask.method == "HEAD";
    let answer = match refusal(shared, ask, request) {
        Some(answer) => return Ok(answer),
        None if ask.signature.is_some() => pass_on(&shared.upstream, request, body, is_head).await?,
        None => pass_on(&shared.upstream, &unsigned(ask, request), &[], is_head).await?,
    };
    let status = answer.head.status();
    let resource = ask.operation.rsplit('.').next().unwrap_or_default();
    let is_configuration = ask.has_resource && !OF_DATA.contains(&resource);
    let may_list = ask.signature.is_some() || shared.buckets.get(&ask.bucket) == Some(&Public::ReadAndList);
    Ok(match status {
        404 if !may_list => Answer::error(403),
        // The server has no configuration, but has checked the signature by now.
        ..400 | 501 if is_configuration => Answer::error(403),
        // A response to HEAD, or not from the S3 layer of the server.
        400.. if elements(&answer.body, "Code").next().is_none() => Answer::error(status),
        _ => answer,
    })
}

/// Why a request is rejected before its object is looked up.
fn refusal(shared: &Shared, ask: &Ask<'_>, request: &Head) -> Option<Answer> {
    let refused = |status, code, message| Some(Answer::new(status, code, message));
    // A request for the service itself: if it is signed, the server can answer it.
    if ask.bucket.is_empty() {
        return ask.signature.is_none().then(|| Answer::error(403));
    }
    let Some(public) = shared.buckets.get(&ask.bucket) else {
        return refused(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    let Some(key) = &ask.key else {
        return refused(400, "InvalidURI", "Couldn't parse the specified URI.");
    };
    if key.len() > MOST_KEY {
        return refused(400, "KeyTooLongError", "Your key is too long");
    }
    let is_allowed = match ask.method {
        "GET" | "HEAD" => true,
        "PUT" | "DELETE" | "OPTIONS" => !ask.is_website,
        // On objects, only multipart uploads and selects use POST.
        "POST" => !ask.is_website && (!ask.is_object() || !ask.operation.ends_with(".OBJECT")),
        _ => false,
    };
    if !is_allowed {
        return refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
    }
    if ask.method == "OPTIONS" {
        return refused(403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.");
    }
    if ask.signature.is_some() {
        return None;
    }
    if request.get("authorization").is_some() {
        return refused(400, "InvalidArgument", "Unsupported Authorization Type");
    }
    let is_read = matches!(ask.method, "GET" | "HEAD") && !ask.has_resource;
    let is_granted = match public {
        Public::Nothing => false,
        Public::Read => is_read && ask.is_object(),
        Public::ReadAndList => is_read,
    };
    (!is_granted).then(|| Answer::error(403))
}

/// The forwarded request for an unsigned read. The server does not support websites, and would fail on invalid URIs.
fn unsigned(ask: &Ask<'_>, request: &Head) -> Head {
    let key = utf8_percent_encode(ask.key.as_deref().unwrap_or_default(), PLAIN);
    // No subresource of an object is public.
    let query = if ask.is_object() { "" } else { ask.query };
    let mut head = Head::new(format!("{} /{}/{key}?{query} HTTP/1.1", ask.method, ask.bucket));
    head.set("Host", "127.0.0.1");
    for name in OF_READS {
        if let Some(value) = request.get(name) {
            head.set(name, value);
        }
    }
    head
}
