//! Creates buckets and objects on servers that do not check signatures, such as [`Moto`](crate::Moto).

use std::io;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::Client;

/// Moto requires a signature, but does not check it.
const AUTHORIZATION: (&str, &str) = (
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x",
);
/// More threads do not make moto faster.
const THREADS: usize = 4;
/// Characters that need no encoding in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Creates a bucket in `us-east-1`.
///
/// # Errors
///
/// Fails if the server cannot be reached or refuses the request.
pub fn create_bucket_unsigned(endpoint: &str, bucket: &str) -> io::Result<()> {
    put(&mut Client::new(endpoint), bucket, "", &[], &[])
}

/// Puts an object.
///
/// # Errors
///
/// Fails if the server cannot be reached or refuses the request.
pub fn put_unsigned(endpoint: &str, bucket: &str, key: &str, bytes: &[u8]) -> io::Result<()> {
    put(&mut Client::new(endpoint), bucket, key, bytes, &[])
}

/// Puts an object of storage class GLACIER.
///
/// # Errors
///
/// Fails if the server cannot be reached or refuses the request.
pub fn put_archived_unsigned(endpoint: &str, bucket: &str, key: &str, bytes: &[u8]) -> io::Result<()> {
    put(&mut Client::new(endpoint), bucket, key, bytes, &[("x-amz-storage-class", "GLACIER")])
}

/// Puts many objects over several connections.
///
/// # Errors
///
/// Fails if the server cannot be reached or refuses one of the requests; other objects may have been put by then.
pub fn put_all_unsigned(endpoint: &str, bucket: &str, objects: &[(String, Bytes)]) -> io::Result<()> {
    let share = objects.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = objects
            .chunks(share)
            .map(|objects| {
                scope.spawn(move || {
                    let mut client = Client::new(endpoint);
                    objects.iter().try_for_each(|(key, bytes)| put(&mut client, bucket, key, bytes, &[]))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("the thread does not panic"))
    })
}

fn put(client: &mut Client, bucket: &str, key: &str, bytes: &[u8], headers: &[(&str, &str)]) -> io::Result<()> {
    let target = match key {
        "" => format!("/{bucket}"),
        key => format!("/{bucket}/{}", utf8_percent_encode(key, PLAIN)),
    };
    let headers: Vec<_> = std::iter::once(AUTHORIZATION).chain(headers.iter().copied()).collect();
    let response = client.send("PUT", &target, &headers, bytes)?;
    match response.status {
        200..=299 => Ok(()),
        status => Err(io::Error::other(format!("PUT {target}: {status} {}", response.text()))),
    }
}
