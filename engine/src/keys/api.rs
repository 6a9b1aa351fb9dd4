//! Client of DigitalOcean's API for Spaces keys: lists, reads and creates keys. The only file in `keys` that does I/O.
//!
//! <https://docs.digitalocean.com/reference/api/reference/spaces-keys/>
//!
//! Requests without side effects are retried. A request that creates a key is not retried once it may have arrived:
//! there could be two keys, with the secret of one lost. Redirects and links to other hosts are not followed, because
//! the token must only be sent to the API.

use std::collections::HashSet;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use url::Url;

use super::answer::{self, Refusal, told};
use super::endpoint::{API_URL, Endpoint};
use super::grant::{Grant, Key, Permission};
use super::rotation::Replacement;
use super::secret::Secret;
use super::waiting;
use crate::error::{Error, ErrorKind};

/// The maximum page size of the API.
const PER_PAGE: &str = "200";
/// Limit on the number of pages, whatever the API returns.
const MOST_PAGES: usize = 500;
/// Limit on the size of a response in bytes. Two hundred keys with many grants each take a small part of it.
const LARGEST_BODY: usize = 4 << 20;
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Callback for notices while requests are made.
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// An event during a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A request failed or was rate-limited, and is retried after a pause.
    Waiting {
        /// The reason.
        why: String,
        /// Length of the pause.
        pause: Duration,
    },
    /// The list of keys may be incomplete or outdated: the API reports a different total.
    Incomplete(String),
}

/// Options for access to the API.
#[derive(Clone)]
pub struct ApiOptions {
    /// An API token with the scope `spaces_key:read`; for creating keys, `spaces_key:create_credentials`.
    pub token: Secret,
    /// Base URL of the API, such as [`API_URL`]. `http://` is rejected except for the local machine.
    pub url: String,
    /// Maximum number of attempts per request.
    pub max_attempts: u32,
    /// Timeout of one attempt, from connecting to the end of the response.
    pub patience: Duration,
    /// Pause before the second attempt; it doubles with each further one.
    pub pause: Duration,
    /// Fail if the API asks for a longer pause than this.
    pub longest_wait: Duration,
    /// Receives notices about pauses and incomplete lists.
    pub listener: Option<Listener>,
}

impl ApiOptions {
    /// Options for DigitalOcean's API: five attempts of 30 seconds each.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self {
            token,
            url: API_URL.to_owned(),
            max_attempts: 5,
            patience: Duration::from_secs(30),
            pause: Duration::from_millis(500),
            longest_wait: Duration::from_secs(120),
            listener: None,
        }
    }
}

impl fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, url, max_attempts, patience, pause, longest_wait, listener: _ } = self;
        f.debug_struct("ApiOptions")
            .field("token", token)
            .field("url", url)
            .field("max_attempts", max_attempts)
            .field("patience", patience)
            .field("pause", pause)
            .field("longest_wait", longest_wait)
            .finish_non_exhaustive()
    }
}

/// Filter for listing keys, applied by the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Only keys with this name.
    pub name: Option<String>,
    /// Only keys with a grant for this bucket.
    pub bucket: Option<String>,
    /// Only keys with this permission.
    pub permission: Option<Permission>,
}

/// A newly created key with its secret, which the API returns only once.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: Key,
    /// The secret key that requests are signed with.
    pub secret: Secret,
}

/// Client of the API for one account.
#[derive(Clone)]
pub struct Api {
    client: Client,
    endpoint: Endpoint,
    authorization: HeaderValue,
    options: ApiOptions,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A response of any status.
struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    reset: Option<String>,
    location: Option<String>,
    body: Vec<u8>,
}

/// Why there is no response.
enum Broken {
    /// The request did not arrive.
    NotSent(String),
    /// The request may have arrived.
    Lost(String),
    /// The response exceeds the limit. Retrying would not help.
    TooLarge,
}

impl Broken {
    fn why(&self) -> String {
        match self {
            Self::NotSent(why) | Self::Lost(why) => why.clone(),
            Self::TooLarge => format!("its answer is larger than {} MiB", LARGEST_BODY >> 20),
        }
    }
}

impl Api {
    /// Creates a client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Fails if a token must not be sent to the URL, or if the token is empty or has invalid characters.
    pub fn new(options: ApiOptions) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&options.url)?;
        let token = options.token.reveal();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid("the token is empty or contains invalid characters").with_hint(TOKEN_HINT));
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Error::invalid("the token contains invalid characters").with_hint(TOKEN_HINT))?;
        authorization.set_sensitive(true);
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(options.patience)
            .https_only(!endpoint.is_loopback())
            .user_agent(concat!("s3log/", env!("CARGO_PKG_VERSION")));
        // Plain-text requests to the local machine must not go through a proxy elsewhere.
        let client = if endpoint.is_loopback() { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| {
            Error::new(ErrorKind::Internal, format!("the API cannot be asked: {}", innermost(&error)))
        })?;
        Ok(Self { client, endpoint, authorization, options })
    }

    /// The URL of the keys resource: `https://api.digitalocean.com/v2/spaces/keys`.
    #[must_use]
    pub fn keys_url(&self) -> &str {
        self.endpoint.keys().as_str()
    }

    /// All keys of the account, sorted by name, then by id.
    ///
    /// # Errors
    ///
    /// Fails if the API cannot be reached or refuses the request; the error has a hint.
    pub async fn keys(&self) -> Result<Vec<Key>, Error> {
        self.keys_with(&KeyFilter::default()).await
    }

    /// The keys that match a filter, sorted by name, then by id.
    ///
    /// # Errors
    ///
    /// Fails in the same cases as [`keys`](Self::keys).
    pub async fn keys_with(&self, filter: &KeyFilter) -> Result<Vec<Key>, Error> {
        let what = "the keys cannot be listed";
        let mut url = self.endpoint.keys().clone();
        {
            // Sorted by creation time, keys created in the meantime come last and do not shift others across pages.
            let mut query = url.query_pairs_mut();
            query.extend_pairs([("per_page", PER_PAGE), ("sort", "created_at"), ("sort_direction", "asc")]);
            let permission = filter.permission.as_ref().map(Permission::as_str);
            for (name, value) in
                [("name", filter.name.as_deref()), ("bucket", filter.bucket.as_deref()), ("permission", permission)]
            {
                query.extend_pairs(value.map(|value| (name, value)));
            }
        }
        let mut asked = HashSet::new();
        let mut keys = Vec::new();
        let mut known = HashSet::new();
        let mut total = None;
        loop {
            if asked.len() == MOST_PAGES || !asked.insert(url.clone()) {
                let again = if asked.len() == MOST_PAGES { "never ends" } else { "leads back to where it was" };
                return Err(self.error(ErrorKind::Unreadable, format!("{what}: the list {again}")));
            }
            let body = self.get(what, &url).await?;
            let page = answer::page(&body).map_err(|error| self.about(what, error))?;
            total = page.total.or(total);
            let is_last = page.keys.is_empty();
            keys.extend(page.keys.into_iter().filter(|key| known.insert(key.access_key.clone())));
            match page.next {
                Some(link) if !is_last => url = self.endpoint.next(&url, &link)?,
                _ => break,
            }
        }
        if let Some(total) = total.filter(|total| *total != keys.len() as u64) {
            self.tell(&Notice::Incomplete(format!(
                "the API reports {total} of these keys, but listed {}; keys may have been created or deleted meanwhile",
                keys.len()
            )));
        }
        Ok(answer::in_order(keys))
    }

    /// The key with this id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is none; otherwise fails in the same cases as [`keys`](Self::keys).
    pub async fn key(&self, access_key: &str) -> Result<Key, Error> {
        let what = format!("the key {access_key} cannot be read");
        let url = self.endpoint.key(access_key)?;
        let body = self.get(&what, &url).await?;
        let key = answer::key(&body).map_err(|error| self.about(&what, error))?;
        if key.access_key != access_key {
            let other = told(&key.access_key);
            return Err(self
                .error(ErrorKind::Unreadable, format!("{what}: the answer is about another key, {other}"))
                .with_hint(answer::NOT_THIS_API));
        }
        Ok(key)
    }

    /// Creates a key. The response is the only place where its secret is ever available.
    ///
    /// # Errors
    ///
    /// Fails without sending anything if [`Replacement::check`] fails. Also fails if the API refuses, or if it is unknown
    /// whether the key was created; the hint then says how to find out.
    pub async fn create(&self, name: &str, grants: &[Grant]) -> Result<NewKey, Error> {
        let wanted = Replacement { name: name.to_owned(), grants: grants.to_vec() };
        wanted.check()?;
        let body = wanted.body()?;
        let what = "the key cannot be created";
        let url = self.endpoint.keys();
        let mut attempt = 1;
        loop {
            let answer = match self.once(Method::POST, url, Some(&body)).await {
                Ok(answer) => answer,
                Err(Broken::NotSent(why)) if attempt < self.options.max_attempts => {
                    self.wait(why, waiting::pause(self.options.pause, attempt)).await;
                    attempt += 1;
                    continue;
                }
                Err(Broken::NotSent(why)) => {
                    return Err(self
                        .error(ErrorKind::Unreadable, format!("{what}: {why}{}", tried(attempt)))
                        .with_hint("nothing was sent; check --api-url, or try again later"));
                }
                Err(broken) => return Err(self.doubtful(name, &broken.why())),
            };
            let status = answer.status;
            if status == StatusCode::TOO_MANY_REQUESTS && attempt < self.options.max_attempts {
                // Rejected before anything was done: safe to retry.
                self.wait_as_asked(what, &answer, attempt).await?;
                attempt += 1;
            } else if status.is_success() {
                return answer::created(&answer.body).map_err(|why| self.doubtful(name, &why));
            } else if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
                return Err(self.doubtful(name, &self.status_text(&answer)));
            } else {
                return Err(self.refused(what, &answer, Method::POST));
            }
        }
    }

    /// The body of the response to a GET request, retried as long as that makes sense.
    async fn get(&self, what: &str, url: &Url) -> Result<Vec<u8>, Error> {
        let mut attempt = 1;
        loop {
            let is_last = attempt >= self.options.max_attempts;
            let why = match self.once(Method::GET, url, None).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer.body),
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS && !is_last => {
                    self.wait_as_asked(what, &answer, attempt).await?;
                    attempt += 1;
                    continue;
                }
                Ok(answer) if answer.status.is_server_error() || answer.status == StatusCode::REQUEST_TIMEOUT => {
                    self.status_text(&answer)
                }
                Ok(answer) => return Err(self.refused(what, &answer, Method::GET)),
                Err(Broken::TooLarge) => {
                    return Err(self
                        .error(ErrorKind::Unreadable, format!("{what}: {}", Broken::TooLarge.why()))
                        .with_hint(answer::NOT_THIS_API));
                }
                Err(broken) => broken.why(),
            };
            if is_last {
                return Err(self
                    .error(ErrorKind::Unreadable, format!("{what}: {why}{}", tried(attempt)))
                    .with_hint("try again later; https://status.digitalocean.com shows outages"));
            }
            self.wait(why, waiting::pause(self.options.pause, attempt)).await;
            attempt += 1;
        }
    }

    /// A single attempt. `url` must be on the API's host, since it is sent the token.
    async fn once(&self, method: Method, url: &Url, body: Option<&str>) -> Result<Answer, Broken> {
        let mut request = self.client.request(method, url.clone());
        request = request.header(AUTHORIZATION, self.authorization.clone()).header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        let mut response = request.send().await.map_err(|error| self.broken(&error))?;
        let header =
            |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut answer = Answer {
            status: response.status(),
            retry_after: header(RETRY_AFTER),
            reset: header(RATE_LIMIT_RESET),
            location: header(LOCATION),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if answer.body.len().saturating_add(chunk.len()) > LARGEST_BODY {
                return Err(Broken::TooLarge);
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    fn broken(&self, error: &reqwest::Error) -> Broken {
        if error.is_builder() || error.is_connect() {
            Broken::NotSent(format!("no connection: {}", innermost(error)))
        } else if error.is_timeout() {
            Broken::Lost(format!("no answer within {:?}", self.options.patience))
        } else {
            Broken::Lost(format!("the connection broke: {}", innermost(error)))
        }
    }

    /// Waits as long as a 429 response asks for.
    async fn wait_as_asked(&self, what: &str, answer: &Answer, attempt: u32) -> Result<(), Error> {
        let own = waiting::pause(self.options.pause, attempt);
        let asked = waiting::asked(answer.retry_after.as_deref(), answer.reset.as_deref(), SystemTime::now());
        let pause = asked.unwrap_or(own).max(own);
        if asked.is_some_and(|asked| asked > self.options.longest_wait) {
            return Err(self
                .error(ErrorKind::Unreadable, format!("{what}: {}", self.status_text(answer)))
                .with_hint(format!("the API takes requests again in {} s; try again then", pause.as_secs())));
        }
        self.wait(self.status_text(answer), pause).await;
        Ok(())
    }

    async fn wait(&self, why: String, pause: Duration) {
        self.tell(&Notice::Waiting { why, pause });
        tokio::time::sleep(pause).await;
    }

    fn tell(&self, notice: &Notice) {
        if let Some(listener) = &self.options.listener {
            listener(notice);
        }
    }

    /// Such as `401 Unauthorized: unauthorized: Unable to authenticate you.`
    fn status_text(&self, answer: &Answer) -> String {
        let said = Refusal::of(&answer.body).text(&self.options.token);
        format!("the API answered {}{said}", answer.status)
    }

    /// The error for a response that a retry would not change.
    fn refused(&self, what: &str, answer: &Answer, method: Method) -> Error {
        let status = answer.status;
        let mut message = format!("{what}: {}", self.status_text(answer));
        let scope = if method == Method::POST { "spaces_key:create_credentials" } else { "spaces_key:read" };
        let (kind, hint) = match status {
            StatusCode::UNAUTHORIZED => (ErrorKind::Denied, TOKEN_HINT.to_owned()),
            StatusCode::FORBIDDEN => (
                ErrorKind::Denied,
                format!(
                    "the token needs the scope `{scope}`; https://cloud.digitalocean.com/account/api/tokens shows what it has"
                ),
            ),
            StatusCode::NOT_FOUND => (
                ErrorKind::NotFound,
                "`s3log keys list` shows the keys of this account; if it is not found either, check --api-url"
                    .to_owned(),
            ),
            StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Unreadable, "wait a minute and try again".to_owned()),
            _ if status.is_redirection() => {
                let location = answer.location.as_deref().unwrap_or_default();
                message.push_str(&format!(", and points to `{}`", told(&self.options.token.taken_out_of(location))));
                (ErrorKind::Unreadable, "redirects are not followed: the token is only sent to --api-url".to_owned())
            }
            _ => {
                (ErrorKind::Invalid, "the API rejected this request; check the bucket names and the grants".to_owned())
            }
        };
        self.error(kind, message).with_hint(hint)
    }

    /// The error if it is unknown whether a key was created.
    fn doubtful(&self, name: &str, why: &str) -> Error {
        let message = format!("it is unknown whether the key `{}` was created: {why}", told(name));
        self.error(ErrorKind::Unreadable, message).with_hint(
            "`s3log keys list` shows whether it exists; if so, its secret is lost: delete that key before you try again",
        )
    }

    fn error(&self, kind: ErrorKind, message: String) -> Error {
        Error::new(kind, message).in_object(self.keys_url())
    }

    /// Adds what was requested to an error about a response.
    fn about(&self, what: &str, error: Error) -> Error {
        let text = self.options.token.taken_out_of(&error.to_string());
        let about = self.error(error.kind(), format!("{what}: {text}"));
        match error.hint() {
            Some(hint) => about.with_hint(hint),
            None => about,
        }
    }
}

const TOKEN_HINT: &str = "the token may be missing, mistyped, expired or revoked: create one at https://cloud.digitalocean.com/account/api/tokens, and pass it in DIGITALOCEAN_ACCESS_TOKEN or with --token-file FILE";

fn tried(attempts: u32) -> String {
    if attempts == 1 { String::new() } else { format!(" (tried {attempts} times)") }
}

/// The innermost cause: the others only repeat it with URLs.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    let mut text = None;
    while let Some(inner) = cause {
        text = Some(inner.to_string());
        cause = inner.source();
    }
    text.unwrap_or_else(|| error.to_string())
}
