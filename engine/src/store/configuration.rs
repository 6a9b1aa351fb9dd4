//! Configuration of buckets: explicit options first, then the sources that the `aws` command uses.

use super::bucket::{Bucket, ListStart};
use super::control::{Control, http_client};
use super::credentials::{ChainedCredentials, origin};
use super::endpoint::{aws_domain, region_of, without_secrets};
use super::location::Location;
use super::requests::{RequestCounts, Requests};
use crate::error::{Error, ErrorKind};
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::{ProfileSet, load as load_profiles};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::sdk_config::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use object_store::{Certificate, ObjectStoreExt as _};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Where URLs contain the name of the bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// As `aws` does: in the host for AWS endpoints, in the path for others.
    #[default]
    Auto,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    Virtual,
}

impl Addressing {
    fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "path" => Some(Self::Path),
            "virtual" => Some(Self::Virtual),
            _ => None,
        }
    }
}

/// Options for access to buckets. Whatever is not set is resolved as by the `aws` command.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Profile in the AWS configuration files.
    pub profile: Option<String>,
    /// Region to sign requests for.
    pub region: Option<String>,
    /// URL of a service other than AWS.
    pub endpoint_url: Option<String>,
    /// Send requests without a signature, for public buckets.
    pub unsigned: bool,
    /// Agree to pay for requests to Requester Pays buckets.
    pub requester_pays: bool,
    /// Where URLs contain the name of the bucket.
    pub addressing: Option<Addressing>,
    /// Maximum number of attempts per request. Defaults to `AWS_MAX_ATTEMPTS`, then to the profile's `max_attempts`,
    /// then to [`StoreOptions::MAX_ATTEMPTS`].
    pub max_attempts: Option<usize>,
    /// Timeout on inactivity of a store; the request is retried afterwards.
    pub patience: Duration,
    /// Maximum number of concurrent requests for objects.
    pub concurrency: usize,
}

impl StoreOptions {
    /// Default number of concurrent requests for objects; for measurements see `benches/README.md`.
    pub const CONCURRENCY: usize = 64;
    /// Default number of attempts. With backoff from 100 ms on, doubling, they take about a minute.
    pub const MAX_ATTEMPTS: usize = 10;
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            endpoint_url: None,
            unsigned: false,
            requester_pays: false,
            addressing: None,
            max_attempts: None,
            patience: Duration::from_secs(30),
            concurrency: Self::CONCURRENCY,
        }
    }
}

/// An effective setting and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value; never a secret.
    pub value: String,
    /// Where it was set, such as `--region` or `environment variable`.
    pub origin: &'static str,
}

/// The effective configuration, for display.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The profile in the AWS configuration files.
    pub profile: Setting,
    /// The access key id in use with its expiry, or why there are no credentials.
    pub credentials: Result<Setting, String>,
    /// The region that requests are signed for.
    pub region: Setting,
    /// The URL of the service, without secrets.
    pub endpoint: Setting,
    /// `path` or `virtual`.
    pub addressing: Setting,
}

/// Result of [`Stores::probe`]: for each step the name of an object, or an error.
#[derive(Debug)]
pub struct Probe {
    /// Listing at most one object.
    pub listed: Result<String, Error>,
    /// Reading the first byte of that object; `None` if none was found.
    pub read: Option<Result<String, Error>>,
}

/// The buckets of a session, configured on first use.
#[derive(Debug)]
pub struct Stores {
    options: StoreOptions,
    requests: Arc<Requests>,
    settings: OnceCell<Arc<Settings>>,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
}

/// The resolved configuration, shared by all buckets.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: StoreOptions,
    pub(super) credentials: Option<Arc<ChainedCredentials>>,
    pub(super) region: Setting,
    /// `None` for the default endpoint of AWS.
    pub(super) endpoint: Option<Setting>,
    pub(super) addressing: (Addressing, &'static str),
    pub(super) max_attempts: usize,
    /// Trusted in addition to the system's certificates.
    pub(super) certificates: Vec<Certificate>,
    /// HTTP client of the AWS SDK, which trusts the same certificates.
    pub(super) http: SharedHttpClient,
    /// Configuration of the AWS SDK, for everything that is not in the other fields.
    pub(super) sdk: SdkConfig,
    /// Whether the service is AWS. The endpoint may be set nonetheless, see [`special_endpoint`].
    pub(super) is_aws: bool,
    profile: Setting,
}

impl Settings {
    /// The endpoint for a bucket in this region; `None` for the default one of AWS. Special endpoints of AWS have the
    /// region in their names.
    pub(super) fn endpoint_in(&self, region: &str) -> Option<Setting> {
        let special = if self.is_aws { special_endpoint(region, &self.sdk) } else { None };
        special.or_else(|| self.endpoint.clone())
    }

    /// Whether URLs contain the bucket in the host.
    pub(super) fn is_virtual(&self, bucket: &str) -> bool {
        match self.addressing.0 {
            Addressing::Virtual => true,
            Addressing::Path => false,
            // The wildcard certificates of AWS do not match names with dots, and some old names are not valid in a
            // host.
            Addressing::Auto => {
                let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                (self.endpoint.is_none() || self.is_aws) && bucket.bytes().all(fits)
            }
        }
    }
}

#[cfg(test)]
impl Settings {
    /// Settings independent of the machine's configuration.
    pub(super) fn of_server(endpoint: &str, credentials: ChainedCredentials, patience: Duration) -> Self {
        let setting = |value: &str| Setting { value: value.to_owned(), origin: "test" };
        Self {
            options: StoreOptions { patience, ..StoreOptions::default() },
            credentials: Some(Arc::new(credentials)),
            region: setting("us-east-1"),
            endpoint: Some(setting(endpoint)),
            addressing: (Addressing::Auto, "test"),
            max_attempts: 1,
            certificates: Vec::new(),
            http: http_client(Vec::new()).unwrap(),
            sdk: SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build(),
            is_aws: false,
            profile: setting("test"),
        }
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self::new(StoreOptions::default())
    }
}

impl Stores {
    /// Creates stores with these options. Configuration is resolved when the first bucket is accessed.
    #[must_use]
    pub fn new(options: StoreOptions) -> Self {
        Self { options, requests: Arc::default(), settings: OnceCell::new(), buckets: Mutex::default() }
    }

    /// The number of requests sent so far, over all buckets.
    #[must_use]
    pub fn request_counts(&self) -> RequestCounts {
        self.requests.counts()
    }

    /// The options passed to [`Stores::new`].
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// The bucket with this name. Sends no request to it.
    pub(crate) async fn bucket(&self, name: &str) -> Result<Arc<Bucket>, Error> {
        let settings = Arc::clone(self.settings().await?);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(name) {
            return Ok(Arc::clone(bucket));
        }
        let bucket = Arc::new(Bucket::new(name, settings, Arc::clone(&self.requests))?);
        buckets.insert(name.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }

    /// A client for bucket settings.
    ///
    /// # Errors
    ///
    /// If the AWS configuration files cannot be read, or there are no credentials, which access to settings requires.
    pub(crate) async fn control(&self) -> Result<Control, Error> {
        Control::new(Arc::clone(self.settings().await?)).await
    }

    /// The endpoint, without secrets; `None` for the default endpoint of AWS.
    ///
    /// # Errors
    ///
    /// If the AWS configuration files cannot be read.
    pub async fn endpoint(&self) -> Result<Option<String>, Error> {
        Ok(self.settings().await?.endpoint.as_ref().map(|endpoint| without_secrets(&endpoint.value)))
    }

    /// The effective configuration. Resolves credentials, possibly over the network; sends no request to a bucket.
    ///
    /// # Errors
    ///
    /// If the AWS configuration files cannot be read.
    pub async fn configuration(&self) -> Result<Configuration, Error> {
        let settings = self.settings().await?;
        let credentials = match &settings.credentials {
            None => Ok(Setting { value: "none: requests are not signed".to_owned(), origin: "--no-sign-request" }),
            Some(chain) => chain.fetch().await.map_err(|error| error.to_string()).map(|found| {
                let expiry = match found.expiry() {
                    Some(expiry) => format!(", expires {}", humantime::format_rfc3339_seconds(expiry)),
                    None => String::new(),
                };
                // The access key id is not secret, and needed to tell keys apart.
                Setting { value: format!("key {}{expiry}", found.access_key_id()), origin: origin(&found) }
            }),
        };
        let region = &settings.region.value;
        let aws = || Setting { value: format!("https://s3.{region}.{}", aws_domain(region)), origin: "default" };
        let endpoint = settings
            .endpoint
            .as_ref()
            .map_or_else(aws, |endpoint| Setting { value: without_secrets(&endpoint.value), origin: endpoint.origin });
        let style = if settings.is_virtual("bucket") { "virtual" } else { "path" };
        let addressing = Setting { value: style.to_owned(), origin: settings.addressing.1 };
        Ok(Configuration {
            profile: settings.profile.clone(),
            credentials,
            region: settings.region.clone(),
            endpoint,
            addressing,
        })
    }

    /// Tests access to a location: lists one object and reads its first byte.
    pub async fn probe(&self, location: &Location) -> Probe {
        let bucket = match self.bucket(location.bucket()).await {
            Ok(bucket) => bucket,
            Err(error) => return Probe { listed: Err(error), read: None },
        };
        let page = match bucket.list(location.prefix(), &ListStart::First, Some(1)).await {
            Ok(page) => page,
            Err(error) => return Probe { listed: Err(error), read: None },
        };
        let Some(first) = page.objects.first() else {
            return Probe { listed: Ok(format!("{location} holds no object")), read: None };
        };
        let name = bucket.name_of(first.location.as_ref());
        let read = match first.size {
            0 => Ok(()),
            _ => bucket.store().get_range(&first.location, 0..1).await.map(drop),
        };
        let read = read.map(|()| name.clone()).map_err(|error| bucket.explain_get(&first.location, error));
        Probe { listed: Ok(name), read: Some(read) }
    }

    async fn settings(&self) -> Result<&Arc<Settings>, Error> {
        self.settings.get_or_try_init(|| async { resolve(&self.options).await.map(Arc::new) }).await
    }
}

/// Configuration from outside of the program.
struct Surroundings {
    env: Env,
    profiles: ProfileSet,
}

impl Surroundings {
    /// Reads the profile selected by the options or the environment.
    async fn read(options: &StoreOptions) -> Result<Self, Error> {
        let (fs, env) = (Fs::real(), Env::real());
        let selected = options.profile.clone().or_else(|| profile_of(&env)).map(Into::into);
        let profiles = load_profiles(&fs, &env, &EnvConfigFiles::default(), selected).await.map_err(|error| {
            Error::new(ErrorKind::Invalid, "AWS's configuration files cannot be read").with_source(error)
        })?;
        Ok(Self { env, profiles })
    }

    /// An environment variable; `None` if it is empty.
    fn variable(&self, name: &str) -> Option<String> {
        variable(&self.env, name)
    }

    /// A key of the profile.
    fn of_profile(&self, key: &str) -> Option<String> {
        self.profiles.get(key).map(str::to_owned)
    }

    /// The region from the environment or the profile.
    fn region(&self) -> Option<Setting> {
        let variable = self.variable("AWS_REGION").or_else(|| self.variable("AWS_DEFAULT_REGION"));
        let variable = variable.map(|value| Setting { value, origin: "environment variable" });
        variable.or_else(|| self.of_profile("region").map(|value| Setting { value, origin: "profile" }))
    }

    /// The additional certificates, and the PEM text they were parsed from.
    fn certificates(&self) -> Result<(Vec<Certificate>, Vec<u8>), Error> {
        let file = self.variable("AWS_CA_BUNDLE").or_else(|| self.of_profile("ca_bundle"));
        file.map_or_else(|| Ok(Default::default()), |file| certificates(&file))
    }

    fn max_attempts(&self) -> Option<usize> {
        let text = self.variable("AWS_MAX_ATTEMPTS").or_else(|| self.of_profile("max_attempts"));
        text.and_then(|text| text.parse().ok())
    }
}

fn variable(env: &Env, name: &str) -> Option<String> {
    env.get(name).ok().filter(|value| !value.is_empty())
}

fn profile_of(env: &Env) -> Option<String> {
    variable(env, "AWS_PROFILE").or_else(|| variable(env, "AWS_DEFAULT_PROFILE"))
}

/// Resolves the configuration from options, environment and AWS configuration files, with the precedence of `aws`.
async fn resolve(options: &StoreOptions) -> Result<Settings, Error> {
    let surroundings = Surroundings::read(options).await?;
    let profile = profile_setting(options, &surroundings)?;
    let said = options.region.clone().map(|value| Setting { value, origin: "--region" });
    let ambient = surroundings.region();
    let default = || Setting { value: "us-east-1".to_owned(), origin: "default" };
    // Without a region, the SDK would query the instance metadata, which takes seconds to time out elsewhere.
    let for_loading = Region::new(said.clone().or_else(|| ambient.clone()).unwrap_or_else(default).value);
    let (certificates, pem) = surroundings.certificates()?;
    let http = http_client(pem)?;
    let config = load(options, &profile.value, for_loading, http.clone()).await;

    let endpoint = endpoint_setting(options, &config, surroundings.variable("AWS_ENDPOINT_URL_S3").is_some());
    endpoint.as_ref().map_or(Ok(()), check_endpoint)?;
    let of_host = endpoint.as_ref().and_then(|endpoint| region_of(&endpoint.value)).map(str::to_lowercase);
    let of_host = of_host.map(|value| Setting { value, origin: "the endpoint's host" });
    let region = said.or(of_host).or(ambient).unwrap_or_else(default);

    let is_aws = endpoint.is_none();
    let endpoint = endpoint.or_else(|| special_endpoint(&region.value, &config));
    let addressing = addressing_setting(options, &surroundings, is_aws);
    let attempts = options.max_attempts.or_else(|| surroundings.max_attempts());
    let credentials = if options.unsigned { None } else { config.credentials_provider() };
    Ok(Settings {
        options: options.clone(),
        credentials: credentials.map(|chain| Arc::new(ChainedCredentials::new(chain))),
        region,
        endpoint,
        addressing,
        max_attempts: attempts.unwrap_or(StoreOptions::MAX_ATTEMPTS).max(1),
        certificates,
        http,
        sdk: config,
        is_aws,
        profile,
    })
}

/// Loads the configuration of the AWS SDK. Credentials are fetched with `client`.
async fn load(options: &StoreOptions, profile: &str, region: Region, client: SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client.clone()).profile_name(profile);
    if options.unsigned {
        loader = loader.no_credentials();
    } else if options.profile.is_some() {
        loader = loader.credentials_provider(of_profile_alone(client, profile, region.clone()));
    }
    loader.region(region).load().await
}

fn check_endpoint(endpoint: &Setting) -> Result<(), Error> {
    if endpoint.value.starts_with("http://") || endpoint.value.starts_with("https://") {
        return Ok(());
    }
    let shown = without_secrets(&endpoint.value);
    Err(Error::invalid(format!("`{shown}` is not an endpoint ({})", endpoint.origin))
        .with_hint("an endpoint is a URL such as https://nyc3.digitaloceanspaces.com"))
}

fn addressing_setting(options: &StoreOptions, surroundings: &Surroundings, is_aws: bool) -> (Addressing, &'static str) {
    if let Some(addressing) = options.addressing {
        return (addressing, "--addressing");
    }
    match surroundings.of_profile("s3").as_deref().and_then(addressing_style) {
        Some(addressing) => (addressing, "profile"),
        None if is_aws => (Addressing::Auto, "default at AWS"),
        None => (Addressing::Auto, "default with an endpoint"),
    }
}

/// The credential chain for an explicit profile. As with `aws`, it skips the environment variables, but not the
/// container and instance providers.
fn of_profile_alone(client: SharedHttpClient, profile: &str, region: Region) -> CredentialsProviderChain {
    let configuration = ProviderConfig::without_region().with_http_client(client).with_region(Some(region));
    let of_profile = ProfileFileCredentialsProvider::builder().configure(&configuration).profile_name(profile).build();
    CredentialsProviderChain::first_try("Profile", of_profile)
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&configuration).build())
        .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&configuration).build())
}

/// AWS endpoints other than `s3.REGION.amazonaws.com`: other partitions, FIPS and dual stack.
fn special_endpoint(region: &str, config: &SdkConfig) -> Option<Setting> {
    let (fips, dual_stack) = (config.use_fips().unwrap_or(false), config.use_dual_stack().unwrap_or(false));
    let domain = aws_domain(region);
    if !fips && !dual_stack && domain == "amazonaws.com" {
        return None;
    }
    let service = if fips { "s3-fips" } else { "s3" };
    let stack = if dual_stack { "dualstack." } else { "" };
    let origin = if fips || dual_stack { "FIPS or dual stack asked for" } else { "region" };
    Some(Setting { value: format!("https://{service}.{stack}{region}.{domain}"), origin })
}

/// Reads a PEM bundle.
fn certificates(file: &str) -> Result<(Vec<Certificate>, Vec<u8>), Error> {
    let cannot = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Invalid, "the certificates of AWS_CA_BUNDLE or ca_bundle cannot be read")
            .in_object(file)
            .with_source(error)
    };
    let pem = std::fs::read(file).map_err(|error| cannot(error.into()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| cannot(error.into()))?;
    Ok((certificates, pem))
}

fn profile_setting(options: &StoreOptions, surroundings: &Surroundings) -> Result<Setting, Error> {
    let profiles = &surroundings.profiles;
    // The name that the profiles were loaded with.
    let value = options.profile.clone().unwrap_or_else(|| profiles.selected_profile().to_owned());
    let origin = match (&options.profile, profile_of(&surroundings.env).is_some()) {
        (Some(_), _) => "--profile",
        (None, true) => "environment variable",
        (None, false) => "default",
    };
    // As with `aws`, it is an error if an explicitly selected profile does not exist.
    if origin != "default" && profiles.get_profile(&value).is_none() {
        let known: Vec<_> = profiles.profiles().collect();
        let error = Error::new(ErrorKind::Invalid, format!("there is no profile `{value}` ({origin})"));
        return Err(match known.as_slice() {
            [] => error.with_hint(
                "AWS's configuration files contain no profile; create one with `aws configure --profile NAME`",
            ),
            known => error.with_hint(format!("the profiles are {}", known.join(", "))),
        });
    }
    Ok(Setting { value, origin })
}

/// The endpoint with the precedence of `aws`: option, environment, profile. A setting for S3 takes precedence over the
/// general one, within the environment and within the profile.
fn endpoint_setting(options: &StoreOptions, config: &SdkConfig, s3_in_environment: bool) -> Option<Setting> {
    if let Some(value) = options.endpoint_url.clone() {
        return Some(Setting { value, origin: "--endpoint-url" });
    }
    let key = ServiceConfigKey::builder().service_id("s3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_s3 = key.ok().and_then(|key| config.service_config()?.load_config(key));
    let general = config.endpoint_url().map(str::to_owned);
    let general_in_environment = config.get_origin("endpoint_url").to_string().contains("environment");
    let setting = |origin| move |value| Setting { value, origin };
    let setting = if s3_in_environment && of_s3.is_some() {
        of_s3.map(setting("AWS_ENDPOINT_URL_S3"))
    } else if general_in_environment && general.is_some() {
        general.map(setting("AWS_ENDPOINT_URL"))
    } else {
        of_s3.map(setting("profile")).or_else(|| general.map(setting("profile")))
    };
    setting.filter(|setting| !setting.value.is_empty())
}

/// Parses `addressing_style` in the `s3 =` section of a profile.
fn addressing_style(of_s3: &str) -> Option<Addressing> {
    let lines = of_s3.lines().filter_map(|line| line.split_once('='));
    let mut styles = lines.filter(|(key, _)| key.trim() == "addressing_style");
    styles.next().and_then(|(_, value)| Addressing::named(value.trim()))
}
