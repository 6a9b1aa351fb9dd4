//! Keeps credentials in URIs and addresses of clients out of datasets.
//!
//! [`Privacy`] rewrites batches before they are written. It does two things, each optional:
//!
//! * Secrets are replaced by `REDACTED`: values of [`SECRET_PARAMETERS`] and user info before hosts, in request URIs,
//!   paths, query strings, referers, `extra_fields`, and the `line` of a reject.
//! * Addresses of clients are anonymised ([`AnonymizeIp`]): `remote_ip`, `c_ip` and `client_ip`, and all addresses in
//!   forwarding headers, `extra_fields`, and the `line` of a reject. A client address that cannot be parsed becomes
//!   NULL, since it may be an address in an unknown form.
//!
//! Cookies in `cs_cookie` are replaced completely; those in the `line` of a reject cannot be told from other text, and
//! stay.
//!
//! Everything else stays unchanged. That includes keys (`key`, `object_key`), because a changed key would name another
//! object. If a client encodes a presigned URL once too often, the signature becomes part of the key, and stays.
//! `user_agent` and `host_header` stay, as do addresses in URIs: a host in a URI belongs to a server, and what looks
//! like an address in a path may be a version.

mod addresses;
mod columns;
mod key;
mod redact;
mod secrets;

pub use addresses::AnonymizeIp;
pub use key::{AddressKey, KeyWarning};
pub use secrets::{SECRET_PARAMETERS, SecretParameter};

use crate::error::Error;
use addresses::Anonymizer;
use arrow::array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use columns::{map_texts, rewrite_texts};
use redact::{TextKind, is_candidate, redact};
use std::fmt;
use std::sync::Arc;

/// Removes secrets and addresses from batches.
///
/// ```
/// use s3log_engine::convert::privacy::{AnonymizeIp, Privacy};
///
/// let privacy = Privacy::new(true, AnonymizeIp::Truncate, None)?;
/// assert_eq!(privacy.describe().to_string(), "redact-uri=yes anonymize-ip=truncate");
/// # Ok::<(), s3log_engine::Error>(())
/// ```
pub struct Privacy {
    redact_uri: bool,
    anonymizer: Option<Anonymizer>,
    description: PrivacyDescription,
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Privacy").field(&self.description).finish()
    }
}

/// Redacts secrets, keeps addresses.
impl Default for Privacy {
    fn default() -> Self {
        let description = PrivacyDescription { redact_uri: true, anonymize_ip: AnonymizeIp::None, key: None };
        Self { redact_uri: true, anonymizer: None, description }
    }
}

impl Privacy {
    /// A transformation that optionally redacts secrets, and anonymises addresses in the given mode. `key` is required
    /// for [`AnonymizeIp::Keyed`].
    ///
    /// # Errors
    ///
    /// If the key is missing, or given with another mode.
    pub fn new(redact_uri: bool, anonymize_ip: AnonymizeIp, key: Option<&AddressKey>) -> Result<Self, Error> {
        let anonymizer = match (anonymize_ip, key) {
            (AnonymizeIp::Keyed, Some(key)) => Some(Anonymizer::keyed(key)),
            (AnonymizeIp::Keyed, None) => {
                return Err(Error::invalid("addresses cannot be encrypted without a key").with_hint("pass a key file"));
            }
            (mode, Some(_)) => {
                let message = format!("a key is given, but addresses are not encrypted: the mode is `{mode}`");
                return Err(Error::invalid(message).with_hint("use the mode `keyed`"));
            }
            (AnonymizeIp::None, None) => None,
            (AnonymizeIp::Truncate, None) => Some(Anonymizer::Truncate),
            (AnonymizeIp::Drop, None) => Some(Anonymizer::Drop),
        };
        let key = key.map(AddressKey::fingerprint);
        Ok(Self { redact_uri, anonymizer, description: PrivacyDescription { redact_uri, anonymize_ip, key } })
    }

    /// A description of the transformation, to be stored with the data.
    #[must_use]
    pub fn describe(&self) -> &PrivacyDescription {
        &self.description
    }

    /// Whether batches are left unchanged.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.redact_uri && self.anonymizer.is_none()
    }

    /// Rewrites a batch of `logs`, `cdn` or `requests`, with all or some of the columns. Columns without changes are
    /// returned as the same arrays.
    ///
    /// Arrays of views may still share buffers with the original ones, which contain the secrets: write their values,
    /// not their buffers, or copy them first (`StringViewArray::gc`).
    ///
    /// # Errors
    ///
    /// If one of the columns concerned is not text.
    pub fn apply(&self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        self.rewrite(batch, |name, array| match name {
            "request_uri" => self.redacted(array, TextKind::RequestUri),
            // A path can have parameters after `;` or `#`.
            "referer" | "cs_referer" | "path" | "cs_uri_stem" => self.redacted(array, TextKind::Referer),
            "query" | "cs_uri_query" => self.redacted(array, TextKind::Query),
            "cs_cookie" => self.without_cookies(array),
            "extra_fields" => self.anonymous_lines(&self.redacted(array, TextKind::Extra)?),
            "remote_ip" | "c_ip" | "client_ip" => self.anonymous(array),
            // The addresses of clients, as reported by proxies.
            "x_forwarded_for" | "forwarded_for" => self.anonymous_lines(array),
            _ => Ok(Arc::clone(array)),
        })
    }

    /// Rewrites a batch of `rejects`, with all or some of the columns.
    ///
    /// # Errors
    ///
    /// If the column `line` is not text.
    pub fn apply_to_rejects(&self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        self.rewrite(batch, |name, array| match name {
            "line" => self.anonymous_lines(&self.redacted(array, TextKind::Line)?),
            _ => Ok(Arc::clone(array)),
        })
    }

    fn rewrite(
        &self,
        batch: RecordBatch,
        column: impl Fn(&str, &ArrayRef) -> Result<ArrayRef, Error>,
    ) -> Result<RecordBatch, Error> {
        if self.is_off() {
            return Ok(batch);
        }
        let (schema, mut arrays, rows) = batch.into_parts();
        for (field, array) in schema.fields().iter().zip(&mut arrays) {
            *array = column(field.name(), array).map_err(|error| error.in_object(field.name()))?;
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    fn redacted(&self, array: &ArrayRef, kind: TextKind) -> Result<ArrayRef, Error> {
        if !self.redact_uri {
            return Ok(Arc::clone(array));
        }
        rewrite_texts(array, |text, into| is_candidate(text, kind) && redact(text, kind, into))
    }

    /// Cookies identify sessions, so all of them are treated as secrets.
    fn without_cookies(&self, array: &ArrayRef) -> Result<ArrayRef, Error> {
        if !self.redact_uri {
            return Ok(Arc::clone(array));
        }
        map_texts(array, |_| Some(redact::REDACTED.to_owned()))
    }

    fn anonymous(&self, array: &ArrayRef) -> Result<ArrayRef, Error> {
        match &self.anonymizer {
            None => Ok(Arc::clone(array)),
            Some(Anonymizer::Drop) => Ok(new_null_array(array.data_type(), array.len())),
            Some(anonymizer) => map_texts(array, |text| anonymizer.text(text)),
        }
    }

    fn anonymous_lines(&self, array: &ArrayRef) -> Result<ArrayRef, Error> {
        match &self.anonymizer {
            None => Ok(Arc::clone(array)),
            Some(anonymizer) => rewrite_texts(array, |text, into| anonymizer.line(text, into)),
        }
    }
}

/// Describes a [`Privacy`] without revealing the key. Equal descriptions stand for the same transformation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrivacyDescription {
    /// Whether secrets are redacted.
    pub redact_uri: bool,
    /// How addresses are anonymised.
    pub anonymize_ip: AnonymizeIp,
    /// Fingerprint of the key, if there is one.
    pub key: Option<String>,
}

impl fmt::Display for PrivacyDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redact_uri = if self.redact_uri { "yes" } else { "no" };
        write!(f, "redact-uri={redact_uri} anonymize-ip={}", self.anonymize_ip)?;
        match &self.key {
            Some(key) => write!(f, " key={key}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
