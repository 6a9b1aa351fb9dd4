//! What an operation is called: `REST.GET.OBJECT` is GET and `object`.
//!
//! Names come in three shapes: AWS's, `REST.GET.OBJECT`, of which others make `REST.S3_GET_OBJECT` or
//! `REST.GET.BUCKET.LOCATION`; those of the API, `GetObject`; and Ceph's, `get_obj`. All are taken apart into a verb and a
//! noun without separators. Requests of a CDN have no operation, only a method.

use std::borrow::Cow;

/// What is done, whatever the protocol calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Copy,
    List,
    Options,
    Other,
}

impl Verb {
    /// Of a method of HTTP, or of one of AWS's own.
    pub(crate) fn of(word: &str) -> Self {
        for (name, verb) in [
            ("GET", Self::Get),
            ("HEAD", Self::Head),
            ("PUT", Self::Put),
            ("POST", Self::Post),
            ("DELETE", Self::Delete),
            ("COPY", Self::Copy),
            ("LIST", Self::List),
            ("OPTIONS", Self::Options),
        ] {
            if word.eq_ignore_ascii_case(name) {
                return verb;
            }
        }
        Self::Other
    }
}

/// The name of an operation, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OperationName<'a> {
    /// The store did it by itself: `S3.EXPIRE.OBJECT`.
    Store,
    /// The store did not know what was asked for: `WEBSITE.INVALIDOPERATION`.
    Invalid,
    /// A verb and a noun in lower case without separators.
    Is(Verb, Cow<'a, str>),
    /// None of the shapes.
    Other,
}

impl OperationName<'_> {
    /// Takes a name apart.
    pub(crate) fn of(operation: &str) -> OperationName<'static> {
        let mut parts = operation.split('.');
        let api = parts.next().unwrap_or_default();
        let Some(second) = parts.next() else { return of_words(operation) };
        if api == "S3" {
            return OperationName::Store;
        }
        match parts.next_back() {
            // `REST.GET.BUCKET.LOCATION` is about the location.
            Some(noun) => OperationName::Is(Verb::of(second), Cow::Owned(squeeze(noun))),
            None if second.eq_ignore_ascii_case("INVALIDOPERATION") => OperationName::Invalid,
            None => of_words(second),
        }
    }
}

/// Of one word in which verb and noun stand together: `S3_GET_OBJECT`, `ListAllMyBuckets`, `get_obj`.
fn of_words(name: &str) -> OperationName<'static> {
    let name = name.strip_prefix("s3_").or_else(|| name.strip_prefix("S3_")).unwrap_or(name);
    let words = squeeze(name);
    let is = |verb, noun: &'static str| OperationName::Is(verb, Cow::Borrowed(noun));
    match words.as_str() {
        "listallmybuckets" | "listbuckets" => return is(Verb::Get, "service"),
        "deleteobjects" | "multiobjectdelete" | "multideleteobject" | "deletemultipleobjects" => {
            return is(Verb::Post, "multiobjectdelete");
        }
        "uploadpartcopy" | "copypart" => return is(Verb::Copy, "part"),
        "uploadpart" | "putpart" => return is(Verb::Put, "part"),
        "createmultipartupload" | "initiatemultipartupload" | "initmultipart" => return is(Verb::Post, "uploads"),
        "completemultipartupload" | "completemultipart" => return is(Verb::Post, "upload"),
        "abortmultipartupload" | "abortmultipart" => return is(Verb::Delete, "upload"),
        "listmultipartuploads" | "listbucketmultiparts" => return is(Verb::Get, "uploads"),
        "listparts" | "listmultipart" => return is(Verb::Get, "upload"),
        "selectobjectcontent" | "selectobject" => return is(Verb::Post, "select"),
        "restoreobject" | "restoreobj" => return is(Verb::Post, "restore"),
        "optionscors" | "options" | "corspreflight" => return is(Verb::Options, "preflight"),
        _ => {}
    }
    for (start, verb) in [
        ("get", Verb::Get),
        ("head", Verb::Head),
        ("stat", Verb::Head),
        ("put", Verb::Put),
        ("set", Verb::Put),
        ("create", Verb::Put),
        ("update", Verb::Put),
        ("post", Verb::Post),
        ("delete", Verb::Delete),
        ("remove", Verb::Delete),
        ("copy", Verb::Copy),
        ("list", Verb::List),
        ("options", Verb::Options),
    ] {
        if let Some(noun) = words.strip_prefix(start) {
            return OperationName::Is(verb, Cow::Owned(noun.to_owned()));
        }
    }
    OperationName::Other
}

/// In lower case and without separators.
fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
