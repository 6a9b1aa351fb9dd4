//! Bucket settings, read and written with the AWS SDK client, since `object_store` does not cover them.
//!
//! Endpoint, region, credentials, addressing, certificates, attempts and timeouts are those of [`Settings`]; nothing is
//! resolved here.

use super::configuration::Settings;
use super::credentials::SameCredentials;
use super::logging_settings::{LoggingSettings, status_of};
use super::refusal::Refusal;
use crate::error::{Error, ErrorKind};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, ConfigBag, Intercept, Region, RuntimeComponents, SharedCredentialsProvider};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ObjectLockEnabled, Payer, Permission};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpClientBuilder, Connector};
use aws_types::sdk_config::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) use aws_sdk_s3::config::http::HttpResponse;

/// Limit on an operation with all its attempts, the same as for objects.
const LONGEST: Duration = Duration::from_secs(180);
/// Timeout for the account id, which is nice to have only.
const FOR_ACCOUNT: Duration = Duration::from_secs(5);
/// Grantee in ACLs that allow the delivery of logs.
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// HTTP client of the AWS SDK. Like the client for objects, it uses the proxies of the environment.
pub(super) fn http_client(pem: Vec<u8>) -> Result<SharedHttpClient, Error> {
    let trusted = match pem.is_empty() {
        true => TrustStore::default(),
        false => TrustStore::default().with_pem_certificate(pem),
    };
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let context = context.map_err(|error| Error::invalid("TLS cannot be set up").with_source(error))?;
    let proxy = ProxyConfig::from_env();
    Ok(HttpClientBuilder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context.clone()).build()
    }))
}

/// Object Lock is enabled for a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockedObjects {
    /// Whether new objects are locked by default for some retention period.
    pub(crate) by_default: bool,
}

/// Client for bucket settings.
#[derive(Debug)]
pub(crate) struct Control {
    settings: Arc<Settings>,
    /// Regions of buckets that are not in the configured region.
    regions: Mutex<HashMap<String, String>>,
}

impl Control {
    pub(super) async fn new(settings: Arc<Settings>) -> Result<Self, Error> {
        let Some(credentials) = &settings.credentials else {
            return Err(Error::new(ErrorKind::Denied, "requests that are not signed cannot see or change settings"));
        };
        credentials.current().await.map_err(|error| {
            Error::new(ErrorKind::Denied, error.to_string()).with_hint(
                "set up credentials with `aws configure` or `aws sso login`, or choose some with --profile; `s3log doctor` shows what was found",
            )
        })?;
        Ok(Self { settings, regions: Mutex::default() })
    }

    /// The explicitly configured endpoint, `None` for AWS. May contain a password.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        let endpoint = self.settings.endpoint.as_ref().filter(|_| !self.settings.is_aws);
        endpoint.map(|endpoint| endpoint.value.as_str())
    }

    /// The region that requests for a bucket are signed for.
    pub(crate) fn region(&self, bucket: &str) -> String {
        let regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions.get(bucket).unwrap_or(&self.settings.region.value).clone()
    }

    /// The logging settings of a bucket; `None` if logging is off.
    pub(crate) async fn logging(&self, bucket: &str) -> Result<Option<LoggingSettings>, Refusal> {
        let asked = self.ask(bucket, |client| client.get_bucket_logging().bucket(bucket).send()).await?;
        Ok(asked.logging_enabled.map(LoggingSettings::read))
    }

    /// Sets them; `None` switches logging off.
    ///
    /// # Errors
    ///
    /// If the settings cannot be serialised. The inner result is the store's.
    pub(crate) async fn put_logging(
        &self,
        bucket: &str,
        settings: Option<&LoggingSettings>,
    ) -> Result<Result<(), Refusal>, Error> {
        let status = status_of(settings)?;
        let put = self.ask(bucket, |client| {
            client.put_bucket_logging().bucket(bucket).bucket_logging_status(status.clone()).send()
        });
        Ok(put.await.map(drop))
    }

    /// The request body that [`Control::put_logging`] would send. Sends nothing.
    ///
    /// # Errors
    ///
    /// If the settings cannot be serialised.
    pub(crate) async fn logging_body(&self, bucket: &str, settings: Option<&LoggingSettings>) -> Result<String, Error> {
        let caught = Caught::default();
        let client = self.client(bucket, &self.region(bucket));
        let put = client.put_bucket_logging().bucket(bucket).bucket_logging_status(status_of(settings)?);
        let stopped = put.customize().interceptor(caught.clone()).send().await;
        let body = caught.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = body.and_then(|body| String::from_utf8(body).ok());
        body.ok_or_else(|| {
            let error = Error::new(ErrorKind::Internal, "the request cannot be written down");
            match stopped {
                Ok(_) => error,
                Err(cause) => error.with_source(cause),
            }
        })
    }

    /// Checks that a bucket exists; returns its region if the response names it.
    pub(crate) async fn head(&self, bucket: &str) -> Result<Option<String>, Refusal> {
        let asked = self.ask(bucket, |client| client.head_bucket().bucket(bucket).send()).await?;
        Ok(asked.bucket_region)
    }

    /// The bucket policy as JSON, if there is one.
    pub(crate) async fn policy(&self, bucket: &str) -> Result<Option<String>, Refusal> {
        let asked = self.ask(bucket, |client| client.get_bucket_policy().bucket(bucket).send()).await;
        Ok(if_any(asked)?.and_then(|asked| asked.policy))
    }

    /// The permissions that the bucket's ACL grants to the log delivery group.
    pub(crate) async fn log_delivery_permissions(&self, bucket: &str) -> Result<Vec<String>, Refusal> {
        let asked = self.ask(bucket, |client| client.get_bucket_acl().bucket(bucket).send()).await?;
        let grants = asked.grants.unwrap_or_default().into_iter();
        let of_delivery = grants
            .filter(|grant| grant.grantee.as_ref().and_then(|grantee| grantee.uri.as_deref()) == Some(LOG_DELIVERY));
        let permissions = of_delivery.filter_map(|grant| grant.permission);
        Ok(permissions.map(|permission: Permission| permission.as_str().to_owned()).collect())
    }

    /// Whether ACLs are disabled for a bucket and its objects.
    pub(crate) async fn is_without_acls(&self, bucket: &str) -> Result<bool, Refusal> {
        let asked = self.ask(bucket, |client| client.get_bucket_ownership_controls().bucket(bucket).send()).await;
        let rules = if_any(asked)?.and_then(|asked| asked.ownership_controls).map(|controls| controls.rules);
        Ok(rules.unwrap_or_default().iter().any(|rule| rule.object_ownership.as_str() == "BucketOwnerEnforced"))
    }

    /// The Object Lock configuration of a bucket, if Object Lock is enabled.
    pub(crate) async fn locked_objects(&self, bucket: &str) -> Result<Option<LockedObjects>, Refusal> {
        let asked = self.ask(bucket, |client| client.get_object_lock_configuration().bucket(bucket).send()).await;
        let lock = if_any(asked)?.and_then(|asked| asked.object_lock_configuration);
        let lock = lock.filter(|lock| lock.object_lock_enabled == Some(ObjectLockEnabled::Enabled));
        Ok(lock
            .map(|lock| LockedObjects { by_default: lock.rule.is_some_and(|rule| rule.default_retention.is_some()) }))
    }

    /// The default encryption algorithm, such as `aws:kms`.
    pub(crate) async fn encryption(&self, bucket: &str) -> Result<Option<String>, Refusal> {
        let asked = self.ask(bucket, |client| client.get_bucket_encryption().bucket(bucket).send()).await;
        let configuration = if_any(asked)?.and_then(|asked| asked.server_side_encryption_configuration);
        let rules = configuration.map(|configuration| configuration.rules).unwrap_or_default();
        let default = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
        Ok(default.map(|default| default.sse_algorithm.as_str().to_owned()))
    }

    /// Whether the requester pays for requests.
    pub(crate) async fn requester_pays(&self, bucket: &str) -> Result<bool, Refusal> {
        let asked = self.ask(bucket, |client| client.get_bucket_request_payment().bucket(bucket).send()).await?;
        Ok(asked.payer == Some(Payer::Requester))
    }

    /// The id of the account of the credentials: from the credentials themselves, otherwise from STS. Other services
    /// than AWS are asked only if an STS endpoint is configured, since their keys are not to be sent to AWS.
    pub(crate) async fn account(&self, is_aws: bool) -> Option<String> {
        let settings = &self.settings;
        let credentials = settings.credentials.as_ref()?.current().await.ok()?;
        if let Some(account) = credentials.account_id() {
            return Some(account.as_str().to_owned());
        }
        let key = ServiceConfigKey::builder().service_id("sts").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        let endpoint = key.ok().and_then(|key| settings.sdk.service_config()?.load_config(key));
        if !is_aws && endpoint.is_none() {
            return None;
        }
        let mut config = aws_sdk_sts::config::Builder::from(&settings.sdk)
            .region(Region::new(settings.region.value.clone()))
            .credentials_provider(self.credentials()?)
            .http_client(settings.http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(FOR_ACCOUNT).build());
        config.set_endpoint_url(endpoint);
        let client = aws_sdk_sts::Client::from_conf(config.build());
        client.get_caller_identity().send().await.ok()?.account
    }

    fn credentials(&self) -> Option<SharedCredentialsProvider> {
        let chain = self.settings.credentials.as_ref()?;
        Some(SharedCredentialsProvider::new(SameCredentials(Arc::clone(chain))))
    }

    /// Runs an operation. If the response says that the bucket is in another region, runs it again signed for that one.
    async fn ask<T, E, F>(&self, bucket: &str, operation: impl Fn(Client) -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let region = self.region(bucket);
        let refusal = match operation(self.client(bucket, &region)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => Refusal::of(&error),
        };
        match refusal.region.clone().filter(|named| *named != region && refusal.is_elsewhere()) {
            Some(named) => {
                let answer = operation(self.client(bucket, &named)).await.map_err(|error| Refusal::of(&error))?;
                self.regions.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned(), named);
                Ok(answer)
            }
            None => Err(refusal),
        }
    }

    fn client(&self, bucket: &str, region: &str) -> Client {
        let settings = &self.settings;
        let patience = settings.options.patience;
        let timeouts = TimeoutConfig::builder().connect_timeout(patience).read_timeout(patience);
        let attempts = u32::try_from(settings.max_attempts).unwrap_or(u32::MAX);
        let mut config = Builder::from(&settings.sdk)
            .region(Region::new(region.to_owned()))
            .force_path_style(!settings.is_virtual(bucket))
            .http_client(settings.http.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(timeouts.operation_timeout(LONGEST).build());
        config.set_credentials_provider(self.credentials());
        // FIPS and dual stack are part of the endpoint already.
        config.set_use_fips(None).set_use_dual_stack(None);
        config.set_endpoint_url(settings.endpoint_in(region).map(|endpoint| endpoint.value));
        Client::from_conf(config.build())
    }
}

/// `None` if the bucket has no such configuration.
fn if_any<T>(asked: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.is_nothing_there() => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Interceptor that captures the serialised body and cancels the request.
#[derive(Clone, Debug, Default)]
struct Caught(Arc<Mutex<Option<Vec<u8>>>>);

impl Intercept for Caught {
    fn name(&self) -> &'static str {
        "Caught"
    }

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Err("it is not to be sent".into())
    }
}

#[cfg(test)]
mod tests;
