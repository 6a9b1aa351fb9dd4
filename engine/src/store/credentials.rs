//! The AWS credential chain, for `object_store` and for the AWS SDK client.

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::error::CredentialsError as ProviderError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long before their expiry credentials are renewed, as in the AWS SDKs.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// Resolves credentials on first use and caches them until shortly before they expire.
#[derive(Debug)]
pub(super) struct ChainedCredentials {
    chain: SharedCredentialsProvider,
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    credentials: Credentials,
    credential: Arc<AwsCredential>,
    /// When to renew them.
    renewed: Option<SystemTime>,
    expires: Option<SystemTime>,
}

impl ChainedCredentials {
    pub(super) fn new(chain: SharedCredentialsProvider) -> Self {
        Self { chain, known: Mutex::new(None) }
    }

    /// Asks the chain, without the cache.
    pub(super) async fn fetch(&self) -> Result<Credentials, CredentialsError> {
        self.chain.provide_credentials().await.map_err(|error| CredentialsError(causes(&error)))
    }

    /// The credentials to sign requests with.
    pub(super) async fn current(&self) -> Result<Credentials, CredentialsError> {
        self.known().await.map(|known| known.credentials)
    }

    async fn known(&self) -> Result<Known, CredentialsError> {
        // Locked while fetching, so that concurrent requests ask the chain only once.
        let mut known = self.known.lock().await;
        let now = SystemTime::now();
        if let Some(known) = &*known
            && known.renewed.is_none_or(|renewed| now < renewed)
        {
            return Ok(known.clone());
        }
        let found = match (self.fetch().await, &*known) {
            (Ok(found), _) => found,
            // The old ones have not expired yet.
            (Err(_), Some(known)) if known.expires.is_some_and(|expires| now < expires) => {
                return Ok(known.clone());
            }
            (Err(error), _) => return Err(error),
        };
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        let expires = found.expiry();
        // Short-lived credentials are renewed after half of their lifetime.
        let early = |expires: SystemTime| EARLY.min(expires.duration_since(now).unwrap_or_default() / 2);
        let renewed = expires.and_then(|expires| expires.checked_sub(early(expires)));
        Ok(known.insert(Known { credentials: found, credential, renewed, expires }).clone())
    }
}

#[async_trait]
impl CredentialProvider for ChainedCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.known().await.map(|known| known.credential).map_err(|error| {
            let source = Box::new(error);
            object_store::Error::Unauthenticated { path: String::new(), source }
        })
    }
}

/// Provider for the AWS SDK client that shares the cache.
#[derive(Debug)]
pub(super) struct SameCredentials(pub(super) Arc<ChainedCredentials>);

impl ProvideCredentials for SameCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0.current().await.map_err(|error| ProviderError::not_loaded(error.to_string()))
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no credentials: {0}")]
pub(super) struct CredentialsError(String);

/// An error and its causes in one line: errors of the AWS SDK have the details in the innermost cause.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// Which provider of the chain the credentials came from.
pub(super) fn origin(credentials: &Credentials) -> &'static str {
    let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
    let has = |wanted: &[Feature]| wanted.iter().any(|feature| features.contains(feature));
    // A chain of roles leaves several features; the last step takes precedence.
    if has(&[
        Feature::CredentialsEnvVarsStsWebIdToken,
        Feature::CredentialsProfileStsWebIdToken,
        Feature::CredentialsStsAssumeRoleWebId,
    ]) {
        "web identity token"
    } else if has(&[Feature::CredentialsStsAssumeRole]) || is_of_role(credentials) {
        "assumed role (profile)"
    } else if has(&[Feature::CredentialsProfileSso, Feature::CredentialsSso]) {
        "single sign-on (profile)"
    } else if has(&[Feature::CredentialsProfileLogin, Feature::CredentialsLogin]) {
        "`aws login` (profile)"
    } else if has(&[Feature::CredentialsProfileProcess, Feature::CredentialsProcess]) {
        "credential_process (profile)"
    } else if has(&[Feature::CredentialsEnvVars]) {
        "environment variables"
    } else if has(&[Feature::CredentialsHttp]) {
        "container endpoint"
    } else if has(&[Feature::CredentialsImds]) {
        "instance metadata"
    } else if has(&[Feature::CredentialsProfile]) {
        "keys of the profile"
    } else {
        "AWS's chain of providers"
    }
}

/// Whether the last step assumed the role of a profile. No feature tells: the provider's name is visible only in the
/// `Debug` output, which has no secrets.
fn is_of_role(credentials: &Credentials) -> bool {
    format!("{credentials:?}").contains("provider_name: \"AssumeRole")
}
