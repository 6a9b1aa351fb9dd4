//! Object store registry of DataFusion: buckets in SQL, as in `'s3://bucket/x.parquet'` and `COPY … TO 's3://…'`.

use super::bucket::Bucket;
use super::configuration::Stores;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3;
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use url::Url;

/// Resolves URLs to stores: buckets through [`Stores`], everything else as DataFusion does.
pub(crate) struct Registry {
    stores: Arc<Stores>,
    others: DefaultObjectStoreRegistry,
    own: Option<(&'static str, OfHost)>,
}

/// Resolves the host of a URL to a store.
type OfHost = fn(&str, &Arc<Stores>) -> Option<Arc<dyn ObjectStore>>;

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("others", &self.others).finish_non_exhaustive()
    }
}

impl Registry {
    pub(crate) fn new(stores: Arc<Stores>) -> Self {
        Self { stores, others: DefaultObjectStoreRegistry::new(), own: None }
    }

    /// Adds a custom scheme.
    pub(crate) fn with_scheme(mut self, scheme: &'static str, of_host: OfHost) -> Self {
        self.own = Some((scheme, of_host));
        self
    }
}

/// A bucket as an object store, configured on first use.
pub(crate) fn lazy_bucket(stores: &Arc<Stores>, bucket: &str) -> Arc<dyn ObjectStore> {
    Arc::new(LazyBucket { stores: Arc::clone(stores), bucket: bucket.to_owned() })
}

impl ObjectStoreRegistry for Registry {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.others.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        self.others.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        match (self.others.get_store(url), url.host_str()) {
            // Explicitly registered stores take precedence.
            (Ok(store), _) => Ok(store),
            (Err(_), Some(bucket)) if url.scheme() == super::Location::SCHEME => Ok(lazy_bucket(&self.stores, bucket)),
            (Err(error), Some(host)) => match self.own.filter(|(scheme, _)| url.scheme() == *scheme) {
                Some((_, of_host)) => of_host(host, &self.stores).ok_or(error),
                None => Err(error),
            },
            (Err(error), None) => Err(error),
        }
    }
}

/// DataFusion wants a store synchronously, but resolving credentials may take a while: the bucket is looked up on first
/// use.
#[derive(Clone, Debug)]
struct LazyBucket {
    stores: Arc<Stores>,
    bucket: String,
}

impl fmt::Display for LazyBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)
    }
}

impl LazyBucket {
    async fn bucket(&self) -> Result<Arc<Bucket>> {
        let found = self.stores.bucket(&self.bucket).await;
        found.map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })
    }

    /// Lists once the bucket is resolved. If the first page names another region, starts over there.
    fn listing(
        &self,
        list: impl Fn(&AmazonS3) -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let begun = async move {
            let bucket = this.bucket().await?;
            let begun = bucket.following(|store| {
                let mut listed = list(&store);
                async move {
                    let first = listed.next().await.transpose()?;
                    Ok(stream::iter(first.map(Ok)).chain(listed))
                }
            });
            begun.await
        };
        begun.into_stream().try_flatten().boxed()
    }
}

#[async_trait]
impl ObjectStore for LazyBucket {
    async fn put_opts(&self, location: &StorePath, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let bucket = self.bucket().await?;
        let put = bucket.following(|store| {
            let (payload, opts) = (payload.clone(), opts.clone());
            async move { store.put_opts(location, payload, opts).await }
        });
        put.await
    }

    async fn put_multipart_opts(
        &self,
        location: &StorePath,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let bucket = self.bucket().await?;
        let begun = bucket.following(|store| {
            let opts = opts.clone();
            async move { store.put_multipart_opts(location, opts).await }
        });
        begun.await
    }

    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        let bucket = self.bucket().await?;
        let got = bucket.following(|store| {
            let options = options.clone();
            async move { store.get_opts(location, options).await }
        });
        got.await
    }

    async fn get_ranges(&self, location: &StorePath, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let bucket = self.bucket().await?;
        bucket.following(|store| async move { store.get_ranges(location, ranges).await }).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<StorePath>>) -> BoxStream<'static, Result<StorePath>> {
        let this = self.clone();
        let deleting = async move { this.bucket().await.map(|bucket| bucket.store().delete_stream(locations)) };
        deleting.into_stream().try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        self.listing(move |store| store.list(prefix.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&StorePath>,
        offset: &StorePath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        self.listing(move |store| store.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&StorePath>) -> Result<ListResult> {
        let bucket = self.bucket().await?;
        bucket.following(|store| async move { store.list_with_delimiter(prefix).await }).await
    }

    async fn copy_opts(&self, from: &StorePath, to: &StorePath, options: CopyOptions) -> Result<()> {
        let bucket = self.bucket().await?;
        let done = bucket.following(|store| {
            let options = options.clone();
            async move { store.copy_opts(from, to, options).await }
        });
        done.await
    }

    async fn rename_opts(&self, from: &StorePath, to: &StorePath, options: RenameOptions) -> Result<()> {
        let bucket = self.bucket().await?;
        let done = bucket.following(|store| {
            let options = options.clone();
            async move { store.rename_opts(from, to, options).await }
        });
        done.await
    }
}
