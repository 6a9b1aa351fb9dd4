//! An in-process S3 server.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};
use tokio::net::TcpStream;

use crate::background::Background;
use crate::bucket::{Bucket, STANDARD};
use crate::condition::{ConditionalPuts, Conditions};
use crate::environment::environment;
use crate::request::{Log, Request};
use crate::service::Buckets;
use crate::settings::{Refused, elsewhere, signed_region};

/// The access key accepted by [`Server`].
pub const ACCESS_KEY: &str = "test";
/// The secret key for [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "secret-of-the-test-server";

/// Limit on bodies that hold keys: a thousand keys of a kibibyte.
const MOST_BODY: usize = 4 << 20;

/// An S3 server that stores objects in memory and records requests. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    background: Background,
    buckets: Buckets,
    observed: Arc<Observed>,
}

/// Options of a [`Server`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    latency: Duration,
    is_anonymous: bool,
    conditional_puts: ConditionalPuts,
    conflicts: usize,
    access_keys: Vec<String>,
    has_md5: bool,
    forgets_logging: bool,
    refused: Vec<Refused>,
}

impl Builder {
    /// Delays each request by this duration. Requests are delayed concurrently.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Accepts unsigned requests. Signed ones still need a valid signature.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.is_anonymous = true;
        self
    }

    /// Sets the handling of conditional puts.
    #[must_use]
    pub fn conditional_puts(mut self, conditional_puts: ConditionalPuts) -> Self {
        self.conditional_puts = conditional_puts;
        self
    }

    /// Rejects the first conditional puts with 409, ConditionalRequestConflict, as S3 does if there is a concurrent one
    /// for the same key.
    #[must_use]
    pub fn conflicts(mut self, first: usize) -> Self {
        self.conflicts = first;
        self
    }

    /// Accepts another access key, with the secret key of [`ACCESS_KEY`].
    #[must_use]
    pub fn access_key(mut self, access_key: impl Into<String>) -> Self {
        self.access_keys.push(access_key.into());
        self
    }

    /// Uses MD5 for object tags, as S3 does, for clients that verify them.
    #[must_use]
    pub fn md5(mut self) -> Self {
        self.has_md5 = true;
        self
    }

    /// Accepts logging settings without storing them.
    #[must_use]
    pub fn forgets_logging(mut self) -> Self {
        self.forgets_logging = true;
        self
    }

    /// Answers requests with this method and query parameter, such as `PUT` and `logging`, with an error of this status
    /// and code.
    #[must_use]
    pub fn refuses(mut self, method: &'static str, parameter: &'static str, status: u16, code: &'static str) -> Self {
        self.refused.push(Refused::new(method, parameter, status, code));
        self
    }

    /// Starts the server.
    #[must_use]
    pub fn start(self) -> Server {
        let conditions = Conditions { puts: self.conditional_puts, conflicts: AtomicUsize::new(self.conflicts) };
        let buckets = Buckets {
            all: Arc::default(),
            conditions: Arc::new(conditions),
            has_md5: self.has_md5,
            forgets_logging: self.forgets_logging,
        };
        let observed = Arc::new(Observed::default());
        let mut service = S3ServiceBuilder::new(buckets.clone());
        service.set_auth(Keys(self.access_keys));
        if self.is_anonymous {
            service.set_access(Everybody);
        }
        let layer = Arc::new(Layer {
            service: service.build(),
            buckets: buckets.clone(),
            observed: Arc::clone(&observed),
            latency: self.latency,
            refused: self.refused,
        });
        let background = Background::serve("test-s3-server", move |stream| serve(stream, Arc::clone(&layer)));
        Server { background, buckets, observed }
    }
}

impl Server {
    /// Starts a server with default options: only signed requests, no delay.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Options for a server.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.background.endpoint()
    }

    /// Environment variables that make a child process use this server, and none of the machine's configuration.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.endpoint())
    }

    /// Creates a bucket unless it exists.
    pub fn create_bucket(&self, name: &str) {
        let new = || Bucket::new(self.buckets.has_md5);
        self.buckets.all.write().unwrap().entry(name.to_owned()).or_insert_with(new);
    }

    /// Moves a bucket to a region: requests signed for another region are redirected.
    pub fn move_bucket(&self, name: &str, region: &str) {
        self.with_bucket(name, |bucket| bucket.region = Some(region.to_owned()));
    }

    /// The bodies of all logging settings that were put, in order.
    #[must_use]
    pub fn logging_bodies(&self) -> Vec<String> {
        self.observed.logging_bodies.lock().unwrap().clone()
    }

    /// Puts an object. The bucket must exist.
    pub fn put(&self, bucket: &str, key: impl Into<String>, bytes: impl Into<Bytes>) {
        self.put_as(bucket, key, bytes, STANDARD);
    }

    /// Puts an object of storage class GLACIER, which must be restored before it can be read.
    pub fn put_archived(&self, bucket: &str, key: impl Into<String>, bytes: impl Into<Bytes>) {
        self.put_as(bucket, key, bytes, "GLACIER");
    }

    /// Restores an archived object: it can be read, and listings tell so if they are asked.
    pub fn restore(&self, bucket: &str, key: &str) {
        self.with_bucket(bucket, |bucket| match bucket.objects.get_mut(key) {
            Some(object) => object.is_restored = true,
            None => panic!("there is no object {key:?} to restore"),
        });
    }

    /// Puts an object with a storage class.
    pub fn put_as(&self, bucket: &str, key: impl Into<String>, bytes: impl Into<Bytes>, storage_class: &str) {
        self.with_bucket(bucket, |bucket| bucket.put(key.into(), bytes.into(), storage_class));
    }

    /// Puts many objects. Fast even for a million that share their content.
    pub fn put_all(&self, bucket: &str, objects: impl IntoIterator<Item = (String, Bytes)>) {
        self.with_bucket(bucket, |bucket| {
            for (key, bytes) in objects {
                bucket.put(key, bytes, STANDARD);
            }
        });
    }

    /// Removes an object if it exists.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.with_bucket(bucket, |bucket| bucket.objects.remove(key));
    }

    /// The content of an object, if it exists.
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.with_bucket(bucket, |bucket| bucket.objects.get(key).map(|object| object.bytes.clone()))
    }

    /// All keys of a bucket, sorted.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.with_bucket(bucket, |bucket| bucket.objects.keys().cloned().collect())
    }

    /// Keys of all multipart uploads that are neither completed nor aborted, sorted.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> Vec<String> {
        let mut keys: Vec<String> =
            self.with_bucket(bucket, |bucket| bucket.uploads.values().map(|upload| upload.key.clone()).collect());
        keys.sort();
        keys
    }

    /// The requests received since the start or since they were last taken, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.observed.log.all()
    }

    /// Returns and clears the requests received.
    pub fn take_requests(&self) -> Vec<Request> {
        self.observed.log.take()
    }

    /// Maximum number of concurrent requests, from arrival until the response was sent completely.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.observed.most.load(Ordering::Relaxed)
    }

    fn with_bucket<T>(&self, name: &str, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = self.buckets.all.write().unwrap();
        match buckets.get_mut(name) {
            Some(bucket) => act(bucket),
            None => {
                drop(buckets);
                panic!("the bucket {name:?} was not made: Server::create_bucket");
            }
        }
    }
}

/// Statistics about requests.
#[derive(Debug, Default)]
struct Observed {
    log: Log,
    logging_bodies: Mutex<Vec<String>>,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

/// A request in flight, until it is dropped.
struct InFlight(Arc<Observed>);

impl InFlight {
    fn new(observed: &Arc<Observed>) -> Self {
        let now = observed.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        observed.most.fetch_max(now, Ordering::Relaxed);
        Self(Arc::clone(observed))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Wraps the service: records requests and delays them.
struct Layer {
    service: S3Service,
    buckets: Buckets,
    observed: Arc<Observed>,
    latency: Duration,
    refused: Vec<Refused>,
}

impl Layer {
    async fn call(&self, request: hyper::Request<Incoming>) -> hyper::Response<Observing> {
        let in_flight = InFlight::new(&self.observed);
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let mut asked = Request::of(request.method().as_str(), target, header);
        let method = request.method().to_string();
        let region = header("authorization").and_then(signed_region).map(str::to_owned);
        let mut request = request.map(Body::from);
        if method == "PUT" && asked.parameter("logging").is_some() {
            let body = request.body_mut().store_all_limited(MOST_BODY).await.unwrap_or_default();
            self.observed.logging_bodies.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
        }
        if asked.wants_body() {
            // A body that cannot be read fails again in the service, which answers it.
            let body = request.body_mut().store_all_limited(MOST_BODY).await;
            asked = asked.with_body(&body.unwrap_or_default());
        }
        let refused = self.refused.iter().find(|refused| refused.befalls(&method, &asked)).map(Refused::answer);
        let instead = refused.or_else(|| self.elsewhere(&asked.bucket, region.as_deref()));
        let number = self.observed.log.arrived(asked);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let response = match (instead, self.service.call(request)) {
            (Some(response), _) => Ok(response),
            (None, answer) => answer.await,
        };
        let response = match response {
            Ok(response) => response,
            Err(_) => {
                let mut response = hyper::Response::new(Body::empty());
                *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        };
        self.observed.log.answered(number, response.status().as_u16());
        response.map(|body| Observing { body, _in_flight: in_flight })
    }
}

impl Layer {
    /// The response to requests signed for another region than the bucket's.
    fn elsewhere(&self, bucket: &str, signed: Option<&str>) -> Option<hyper::Response<Body>> {
        let buckets = self.buckets.all.read().unwrap();
        let region = buckets.get(bucket)?.region.as_deref()?;
        (signed != Some(region)).then(|| elsewhere(region))
    }
}

async fn serve(stream: TcpStream, layer: Arc<Layer>) {
    let service = service_fn(move |request| {
        let layer = Arc::clone(&layer);
        async move { Ok::<_, Infallible>(layer.call(request).await) }
    });
    // Fails if the client disconnects.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A body that counts as in flight until it is sent completely.
struct Observing {
    body: Body,
    _in_flight: InFlight,
}

impl hyper::body::Body for Observing {
    type Data = Bytes;
    type Error = s3s::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Access keys in addition to [`ACCESS_KEY`].
struct Keys(Vec<String>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY || self.0.iter().any(|known| known == access_key) {
            return Ok(SecretKey::from(SECRET_KEY));
        }
        // `SimpleAuth` of s3s answers NotSignedUp, unlike S3.
        Err(s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
    }
}

/// Accepts unsigned requests.
struct Everybody;

#[async_trait::async_trait]
impl S3Access for Everybody {
    async fn check(&self, _context: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}
