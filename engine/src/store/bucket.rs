//! One bucket: pages of its listing, and its objects.

use super::configuration::Settings;
use super::failure::{Failure, explain};
use super::requests::{ExpectedLen, Notes, Noticed, Requests, Watched};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path as StorePath;
use object_store::{ClientOptions, Extensions, GetOptions, GetRange, ObjectMeta, ObjectStore, RetryConfig};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// A bucket of some service.
#[derive(Debug)]
pub(crate) struct Bucket {
    name: String,
    settings: Arc<Settings>,
    requests: Arc<Requests>,
    /// Built anew when the store says that the bucket is in another region.
    store: RwLock<(Arc<AmazonS3>, String)>,
}

/// Where a page of a listing starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListStart {
    /// With the first name.
    First,
    /// With the first name behind this one.
    Behind(String),
    /// Where the page before ended.
    Token(String),
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct ListPage {
    /// In the order of their names, if the store keeps to it; without slashes at the ends of names.
    pub(crate) objects: Vec<ObjectMeta>,
    /// Names of objects that must be restored before they can be read, sorted.
    pub(crate) archived: Vec<String>,
    /// Names that begin or end with a slash, as they are.
    pub(crate) slashed: Vec<String>,
    /// Where the next page starts, if there is one.
    pub(crate) next: Option<String>,
}

impl Bucket {
    pub(super) fn new(name: &str, settings: Arc<Settings>, requests: Arc<Requests>) -> Result<Self, Error> {
        let region = settings.region.value.clone();
        let store = build(name, &region, &settings, &requests)?;
        Ok(Self { name: name.to_owned(), settings, requests, store: RwLock::new((Arc::new(store), region)) })
    }

    /// The endpoint, `None` for AWS's own.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.settings.endpoint.as_ref().map(|endpoint| endpoint.value.as_str())
    }

    /// The store as it is reached now.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.current().0
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How an object is named to people.
    pub(crate) fn name_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// A page of the names that begin with a prefix.
    pub(crate) async fn list(&self, prefix: &str, start: &ListStart, max: Option<usize>) -> Result<ListPage, Error> {
        let (store, region) = self.current();
        let (listed, notes) = page(&store, prefix, start, max).await;
        let failed = match listed {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        // The store may say which region the bucket is in; `aws` follows, too.
        let failed = match notes.region.filter(|named| *named != region) {
            Some(named) => {
                let moved = Arc::new(build(&self.name, &named, &self.settings, &self.requests)?);
                match page(&moved, prefix, start, max).await.0 {
                    Ok(page) => {
                        *self.store.write().unwrap_or_else(PoisonError::into_inner) = (moved, named);
                        return Ok(page);
                    }
                    Err(error) => error,
                }
            }
            None => failed,
        };
        Err(explain("it cannot be listed", &self.name_of(prefix), failed))
    }

    /// The folders below a prefix that stand behind a name: one page of them, enough to share out a listing.
    pub(crate) async fn folders(&self, prefix: &str, behind: &str) -> Result<Vec<StorePath>, Error> {
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            offset: Some(behind.to_owned()),
            ..PaginatedListOptions::default()
        };
        let prefix_option = Some(prefix).filter(|prefix| !prefix.is_empty());
        let listed = self.current().0.list_paginated(prefix_option, options).await;
        let listed = listed.map_err(|error| explain("it cannot be listed", &self.name_of(prefix), error))?;
        Ok(listed.result.common_prefixes)
    }

    /// A whole object of that size.
    ///
    /// # Errors
    ///
    /// What the store says after all attempts; [`ErrorKind::Archived`] when it has to be restored first.
    ///
    /// With a tag, only the object that has it is read; another is an error.
    pub(crate) async fn get(&self, key: &StorePath, size: u64, e_tag: Option<&str>) -> Result<Bytes, Error> {
        let mut extensions = Extensions::new();
        extensions.insert(ExpectedLen(size));
        self.get_with(key, GetOptions { extensions, if_match: e_tag.map(str::to_owned), ..GetOptions::default() }).await
    }

    /// A part of an object; of the one with this tag, if there is one.
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
        let got = match self.current().0.get_opts(key, options).await {
            Ok(result) => result.bytes().await,
            Err(error) => Err(error),
        };
        got.map_err(|error| match error {
            object_store::Error::Precondition { .. } => {
                Error::new(ErrorKind::Unreadable, "it was written again since it was listed")
                    .in_object(self.name_of(key.as_ref()))
                    .with_hint("run again")
            }
            error => self.explain_get(key, error),
        })
    }

    /// What went wrong with an object.
    pub(crate) fn explain_get(&self, key: &StorePath, error: object_store::Error) -> Error {
        let archived = Failure::of(&error).is_archived();
        let denied =
            matches!(error, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. });
        let explained = explain("it cannot be read", &self.name_of(key.as_ref()), error);
        match (archived, denied) {
            (true, _) => explained.of_kind(ErrorKind::Archived),
            (false, true) => explained.of_kind(ErrorKind::Denied),
            (false, false) => explained,
        }
    }

    /// The store as it is reached now, for what only stores of S3 can do.
    pub(super) fn writer(&self) -> Arc<AmazonS3> {
        self.current().0
    }

    fn current(&self) -> (Arc<AmazonS3>, String) {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn page(
    store: &AmazonS3,
    prefix: &str,
    start: &ListStart,
    max: Option<usize>,
) -> (object_store::Result<ListPage>, Notes) {
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
    let listed = store.list_paginated(prefix, options).await;
    let mut notes = noticed.take();
    let page = listed.map(|listed| ListPage {
        objects: listed.result.objects,
        archived: std::mem::take(&mut notes.archived),
        slashed: std::mem::take(&mut notes.slashed),
        next: listed.page_token,
    });
    (page, notes)
}

/// Nothing is sent.
fn build(name: &str, region: &str, settings: &Settings, requests: &Arc<Requests>) -> Result<AmazonS3, Error> {
    let options = &settings.options;
    let is_virtual = settings.is_virtual(name);
    // What watches over requests has its own limit of time, which large answers over slow lines do not run into.
    let client =
        ClientOptions::new().with_timeout_disabled().with_connect_timeout(options.patience).with_allow_http(true);
    let certificates = settings.certificates.iter().cloned();
    let client = certificates.fold(client, ClientOptions::with_root_certificate);
    let retry = RetryConfig {
        max_retries: settings.max_attempts - 1,
        // Below the five minutes that a signature is good for.
        retry_timeout: Duration::from_secs(180),
        ..RetryConfig::default()
    };
    let connector = Watched { requests: Arc::clone(requests), patience: options.patience };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(region)
        .with_client_options(client)
        .with_retry(retry)
        .with_http_connector(connector)
        .with_virtual_hosted_style_request(is_virtual)
        .with_request_payer(options.requester_pays);
    if let Some(endpoint) = &settings.endpoint {
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
    builder.build().map_err(|error| Error::invalid("the bucket cannot be reached").in_object(name).with_source(error))
}
