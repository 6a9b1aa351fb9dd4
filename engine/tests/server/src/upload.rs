//! Multipart uploads, from start to completion.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use s3s::{S3Result, s3_error};

use crate::bucket::e_tag_of;

/// Minimum size of all parts but the last.
const LEAST_PART: usize = 5 << 20;
/// Parts are numbered from 1 up to this.
const MOST_PARTS: i32 = 10_000;

/// An open upload.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) storage_class: String,
    pub(crate) begun: SystemTime,
    parts: BTreeMap<i32, Part>,
}

#[derive(Clone, Debug)]
struct Part {
    bytes: Bytes,
    e_tag: Arc<str>,
}

/// A part as listed by the client when completing an upload.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) number: i32,
    pub(crate) e_tag: String,
}

impl Upload {
    pub(crate) fn new(key: String, storage_class: &str) -> Self {
        Self { key, storage_class: storage_class.to_owned(), begun: SystemTime::now(), parts: BTreeMap::new() }
    }

    /// Stores a part, replacing an earlier one with the same number, and returns its tag.
    pub(crate) fn put(&mut self, number: i32, bytes: Bytes) -> S3Result<Arc<str>> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
        }
        let e_tag: Arc<str> = e_tag_of(&bytes).into();
        self.parts.insert(number, Part { bytes, e_tag: Arc::clone(&e_tag) });
        Ok(e_tag)
    }

    /// The assembled object with its tag, which ends with the number of parts. Parts that are not claimed are left out.
    pub(crate) fn join(&self, claims: &[Claim]) -> S3Result<(Bytes, Arc<str>)> {
        if claims.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !claims.is_sorted_by(|one, next| one.number < next.number) {
            return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
        }
        let parts: Option<Vec<&Part>> = claims
            .iter()
            .map(|claim| self.parts.get(&claim.number).filter(|part| *part.e_tag == *claim.e_tag))
            .collect();
        let parts = parts.ok_or_else(|| {
            s3_error!(InvalidPart, "One or more of the specified parts could not be found, or has another ETag.")
        })?;
        if parts.iter().rev().skip(1).any(|part| part.bytes.len() < LEAST_PART) {
            return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
        }
        let (mut bytes, mut tags) = (BytesMut::new(), String::new());
        for part in parts {
            bytes.extend_from_slice(&part.bytes);
            tags.push_str(&part.e_tag);
        }
        Ok((bytes.freeze(), format!("{}-{}", e_tag_of(tags.as_bytes()), claims.len()).into()))
    }
}

#[cfg(test)]
mod tests {
    use s3s::S3ErrorCode;

    use super::*;

    /// An upload with parts of these sizes, and the claims of its client.
    fn upload(sizes: &[usize]) -> (Upload, Vec<Claim>) {
        let mut upload = Upload::new("a".to_owned(), "STANDARD");
        let claims = sizes.iter().zip(1..).map(|(size, number)| {
            let e_tag = upload.put(number, vec![b'x'; *size].into()).unwrap().to_string();
            Claim { number, e_tag }
        });
        let claims = claims.collect();
        (upload, claims)
    }

    #[test]
    fn parts_join_to_an_object() {
        let (upload, claims) = upload(&[LEAST_PART, LEAST_PART + 1, 3]);
        let (bytes, e_tag) = upload.join(&claims).unwrap();
        assert_eq!(bytes.len(), 2 * LEAST_PART + 4);
        assert_eq!((&e_tag[32..], e_tag.len()), ("-3", 34));
        assert_eq!(upload.join(&claims[..1]).unwrap().0.len(), LEAST_PART);
        assert_eq!(upload.join(&[claims[0].clone(), claims[2].clone()]).unwrap().0.len(), LEAST_PART + 3);
    }

    #[test]
    fn what_does_not_join_says_why() {
        let (upload, claims) = upload(&[LEAST_PART, LEAST_PART - 1, 3]);
        let [first, second, third] = [0, 1, 2].map(|at: usize| claims[at].clone());
        let other = Claim { e_tag: third.e_tag.clone(), ..first.clone() };
        let missing = Claim { number: 4, ..third.clone() };
        for (claims, expected) in [
            (vec![], S3ErrorCode::MalformedXML),
            (vec![first.clone(), second.clone(), third.clone()], S3ErrorCode::EntityTooSmall),
            (vec![third.clone(), first.clone()], S3ErrorCode::InvalidPartOrder),
            (vec![first.clone(), first.clone()], S3ErrorCode::InvalidPartOrder),
            (vec![other], S3ErrorCode::InvalidPart),
            (vec![first.clone(), missing], S3ErrorCode::InvalidPart),
        ] {
            assert_eq!(*upload.join(&claims).unwrap_err().code(), expected, "{claims:?}");
        }
        assert_eq!(upload.join(&[first, second]).unwrap().0.len(), 2 * LEAST_PART - 1);
    }

    #[test]
    fn parts_have_numbers_that_count() {
        let mut upload = Upload::new("a".to_owned(), "STANDARD");
        for number in [0, -1, MOST_PARTS + 1] {
            upload.put(number, Bytes::new()).unwrap_err();
        }
        let first = upload.put(MOST_PARTS, Bytes::from_static(b"first")).unwrap();
        let second = upload.put(MOST_PARTS, Bytes::from_static(b"second")).unwrap();
        let claim = |e_tag: Arc<str>| [Claim { number: MOST_PARTS, e_tag: e_tag.to_string() }];
        upload.join(&claim(first)).unwrap_err();
        assert_eq!(upload.join(&claim(second)).unwrap().0, "second");
    }
}
