//! Parsing of operation names: `REST.GET.OBJECT` is GET and `object`.
//!
//! Names come in three forms: AWS's, `REST.GET.OBJECT`, with variants such as `REST.S3_GET_OBJECT` and
//! `REST.GET.BUCKET.LOCATION`; the API's, `GetObject`; and Ceph's, `get_obj`. All are split into a verb and a noun
//! without separators. Requests in CDN logs have no operation, only a method.

use std::borrow::Cow;

/// The verb, independent of the form of the name.
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
    /// From an HTTP method, or one of AWS's own verbs.
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

/// A parsed operation name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OperationName<'a> {
    /// An action of the store itself, such as `S3.EXPIRE.OBJECT`.
    Store,
    /// An operation that the store did not recognise, such as `WEBSITE.INVALIDOPERATION`.
    Invalid,
    /// A verb and a noun, which is in lower case without separators.
    Is(Verb, Cow<'a, str>),
    /// None of the known forms.
    Other,
}

impl OperationName<'_> {
    /// Parses a name.
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

/// Parses a single word that has both verb and noun: `S3_GET_OBJECT`, `ListAllMyBuckets`, `get_obj`.
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

/// In lower case without separators.
fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
