//! A bucket: listing pages and reading objects. `writing.rs` has the writes.

use super::configuration::Settings;
use super::failure::{Failure, explain};
use super::region::{NamedRegion, Reached};
use super::requests::{ExpectedLen, Notes, Noticed, Requests, Restores, Watched};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path as StorePath;
use object_store::{
    ClientOptions, Error as StoreError, Extensions, GetOptions, GetRange, ObjectMeta, ObjectStore, RetryConfig,
};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A bucket at the configured service.
#[derive(Debug)]
pub(crate) struct Bucket {
    name: String,
    settings: Arc<Settings>,
    requests: Arc<Requests>,
    /// Replaced when a response names another region.
    reached: RwLock<Reached>,
    uploads: Semaphore,
}

/// Maximum number of concurrent uploads. More would only share the bandwidth, and hold their data in memory for longer.
const UPLOADS: usize = 16;

/// Where a page of a listing starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListStart {
    /// At the first name.
    First,
    /// At the first name after this one.
    Behind(String),
    /// At the continuation token of the previous page.
    Token(String),
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct ListPage {
    /// In the store's order, usually by name. `object_store` strips leading and trailing slashes from the names.
    pub(crate) objects: Vec<ObjectMeta>,
    /// Names of objects that are known to be archived, and must be restored before they can be read; sorted.
    pub(crate) archived: Vec<String>,
    /// Names with a leading or trailing slash, unmodified.
    pub(crate) slashed: Vec<String>,
    /// The continuation token of the next page.
    pub(crate) next: Option<String>,
}

impl Bucket {
    pub(super) fn new(name: &str, settings: Arc<Settings>, requests: Arc<Requests>) -> Result<Self, Error> {
        let reached = reach(name, &settings.region.value, &settings, &requests)?;
        let uploads = Semaphore::new(settings.options.concurrency.clamp(1, UPLOADS));
        Ok(Self { name: name.to_owned(), settings, requests, reached: RwLock::new(reached), uploads })
    }

    /// The endpoint; `None` for AWS.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.settings.endpoint.as_ref().map(|endpoint| endpoint.value.as_str())
    }

    /// A client for the region where the bucket was last found. It does not follow redirects to other regions, so send
    /// the first request through [`Bucket::following`].
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.current().store
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The object's URL, for messages.
    pub(crate) fn name_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// One page of the objects whose names begin with `prefix`, at most `max` of them.
    pub(crate) async fn list(&self, prefix: &str, start: &ListStart, max: Option<usize>) -> Result<ListPage, Error> {
        let listed = self.following(|store| page(store, prefix, start, max)).await;
        let mut listed = listed.map_err(|error| explain("it cannot be listed", &self.name_of(prefix), error))?;
        if !self.settings.is_aws {
            // Elsewhere a listing does not tell what was restored, and some stores use the names of these classes for
            // others that can be read. An answer to GET tells.
            listed.archived.clear();
        }
        Ok(listed)
    }

    /// Common prefixes ("folders") after `behind` that begin with `prefix`. Returns one page, which is enough to
    /// partition a listing.
    pub(crate) async fn folders(&self, prefix: &str, behind: &str) -> Result<Vec<StorePath>, Error> {
        let prefix_option = Some(prefix).filter(|prefix| !prefix.is_empty());
        let listed = self.following(|store| async move {
            let options = PaginatedListOptions {
                delimiter: Some("/".into()),
                offset: Some(behind.to_owned()),
                ..PaginatedListOptions::default()
            };
            store.list_paginated(prefix_option, options).await
        });
        let listed = listed.await;
        let listed = listed.map_err(|error| explain("it cannot be listed", &self.name_of(prefix), error))?;
        Ok(listed.result.common_prefixes)
    }

    /// Reads an object of the given size. With `e_tag`, fails if the object has another tag.
    ///
    /// # Errors
    ///
    /// The store's error after all attempts; [`ErrorKind::Archived`] if the object must be restored first.
    pub(crate) async fn get(&self, key: &StorePath, size: u64, e_tag: Option<&str>) -> Result<Bytes, Error> {
        let mut extensions = Extensions::new();
        extensions.insert(ExpectedLen(size));
        self.get_with(key, GetOptions { extensions, if_match: e_tag.map(str::to_owned), ..GetOptions::default() }).await
    }

    /// Reads a byte range of an object. With `e_tag`, fails if the object has another tag.
    pub(crate) async fn get_part(
        &self,
        key: &StorePath,
        range: Range<u64>,
        e_tag: Option<&str>,
    ) -> Result<Bytes, Error> {
        let range = Some(GetRange::Bounded(range));
        self.get_with(key, GetOptions { range, if_match: e_tag.map(str::to_owned), ..GetOptions::default() }).await
    }

    async fn get_with(&self, key: &StorePath, options: GetOptions) -> Result<Bytes, Error> {
        let got = self.following(|store| {
            let options = options.clone();
            async move { store.get_opts(key, options).await?.bytes().await }
        });
        let got = got.await;
        got.map_err(|error| match error {
            StoreError::Precondition { .. } => {
                Error::new(ErrorKind::Unreadable, "it was written again since it was listed")
                    .in_object(self.name_of(key.as_ref()))
                    .with_hint("run again")
            }
            error => self.explain_get(key, error),
        })
    }

    /// The error of a failed read.
    pub(crate) fn explain_get(&self, key: &StorePath, error: StoreError) -> Error {
        let archived = Failure::of(&error).is_archived();
        let denied = matches!(error, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. });
        let explained = explain("it cannot be read", &self.name_of(key.as_ref()), error);
        match (archived, denied) {
            (true, _) => explained.of_kind(ErrorKind::Archived),
            (false, true) => explained.of_kind(ErrorKind::Denied),
            (false, false) => explained,
        }
    }

    /// Runs `send` with a client for the region where the bucket was last found. If it fails and a response named
    /// another region, runs it again with a client for that region.
    ///
    /// `send` may thus write twice. That is harmless: a store rejects the wrong region before it does anything.
    pub(crate) async fn following<T, F>(&self, send: impl Fn(Arc<AmazonS3>) -> F) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let reached = self.current();
        let error = match send(Arc::clone(&reached.store)).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(region) = reached.elsewhere() else { return Err(error) };
        let current = self.current();
        let moved = match current.region == region {
            // Another request was refused before this one.
            true => current,
            false => reach(&self.name, &region, &self.settings, &self.requests)
                .map_err(|error| StoreError::Generic { store: "S3", source: Box::new(error) })?,
        };
        let done = send(Arc::clone(&moved.store)).await;
        // Keep the client if the bucket answered there, also to say what is or is not in it. A region that does not
        // exist, or refuses again, must not become the bucket's.
        let answered = matches!(
            done,
            Ok(_)
                | Err(StoreError::NotFound { .. } | StoreError::AlreadyExists { .. } | StoreError::Precondition { .. })
        );
        if answered {
            *self.reached.write().unwrap_or_else(PoisonError::into_inner) = moved;
        }
        done
    }

    pub(super) fn uploads(&self) -> &Semaphore {
        &self.uploads
    }

    fn current(&self) -> Reached {
        self.reached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn page(
    store: Arc<AmazonS3>,
    prefix: &str,
    start: &ListStart,
    max: Option<usize>,
) -> object_store::Result<ListPage> {
    let noticed = Noticed::default();
    let mut extensions = Extensions::new();
    extensions.insert(noticed.clone());
    let mut options = PaginatedListOptions { max_keys: max, extensions, ..PaginatedListOptions::default() };
    match start {
        ListStart::First => {}
        ListStart::Behind(name) => options.offset = Some(name.clone()),
        ListStart::Token(token) => options.page_token = Some(token.clone()),
    }
    let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
    let listed = store.list_paginated(prefix, options).await?;
    let Notes { archived, slashed } = noticed.take();
    Ok(ListPage { objects: listed.result.objects, archived, slashed, next: listed.page_token })
}

/// Builds a client for the bucket in a region, without sending anything.
fn reach(name: &str, region: &str, settings: &Settings, requests: &Arc<Requests>) -> Result<Reached, Error> {
    let options = &settings.options;
    let is_virtual = settings.is_virtual(name);
    // `Watched` limits inactivity instead: a timeout for the whole request would break large responses over slow lines.
    let client =
        ClientOptions::new().with_timeout_disabled().with_connect_timeout(options.patience).with_allow_http(true);
    let certificates = settings.certificates.iter().cloned();
    let client = certificates.fold(client, ClientOptions::with_root_certificate);
    let retry = RetryConfig {
        max_retries: settings.max_attempts - 1,
        // `object_store` does not sign retries again, and asks for less than five minutes.
        retry_timeout: Duration::from_secs(180),
        ..RetryConfig::default()
    };
    let named = NamedRegion::default();
    let credentials = settings.credentials.clone();
    let restores = settings.is_aws.then(|| Restores { credentials, region: region.to_owned() });
    let (requests, patience) = (Arc::clone(requests), options.patience);
    let connector = Watched { requests, patience, named: named.clone(), restores };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(region)
        .with_client_options(client)
        .with_retry(retry)
        .with_http_connector(connector)
        .with_virtual_hosted_style_request(is_virtual)
        .with_request_payer(options.requester_pays);
    if let Some(endpoint) = settings.endpoint_in(region) {
        let endpoint = endpoint.value.trim_end_matches('/');
        builder = builder.with_endpoint(match endpoint.split_once("://") {
            Some((scheme, host)) if is_virtual => match host.rsplit_once('@') {
                Some((user, host)) => format!("{scheme}://{user}@{name}.{host}"),
                None => format!("{scheme}://{name}.{host}"),
            },
            _ => endpoint.to_owned(),
        });
    }
    builder = match &settings.credentials {
        Some(credentials) => builder.with_credentials(Arc::clone(credentials) as _),
        None => builder.with_skip_signature(true),
    };
    let store = builder.build();
    let store =
        store.map_err(|error| Error::invalid("the bucket cannot be reached").in_object(name).with_source(error))?;
    Ok(Reached::new(store, region, named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Addressing;
    use crate::store::credentials::ChainedCredentials;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use s3log_test_server::{ACCESS_KEY, SECRET_KEY, Server};

    #[tokio::test]
    async fn aws_tells_what_is_archived_and_what_was_restored() {
        // It accepts signed requests only, and checks that the signature covers all headers.
        let server = Server::start();
        server.create_bucket("logs");
        server.put("logs", "a", "1");
        for key in ["b", "c"] {
            server.put_archived("logs", key, "1");
        }
        server.restore("logs", "c");
        let archived = async |is_aws| {
            let keys = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
            let chain = ChainedCredentials::new(SharedCredentialsProvider::new(keys));
            let mut settings = Settings::of_server(&server.endpoint(), chain, Duration::from_secs(30));
            (settings.is_aws, settings.addressing) = (is_aws, (Addressing::Path, "test"));
            let bucket = Bucket::new("logs", Arc::new(settings), Arc::default()).unwrap();
            let page = bucket.list("", &ListStart::First, None).await.unwrap();
            assert_eq!(page.objects.len(), 3);
            page.archived
        };
        assert_eq!(archived(true).await, ["b"]);
        assert!(archived(false).await.is_empty());
    }
}
