//! DigitalOcean's API of Spaces keys: lists keys, finds one, makes one. The only file that sends anything for `keys`.
//!
//! <https://docs.digitalocean.com/reference/api/reference/spaces-keys/>
//!
//! A request that changes nothing is sent again when it fails on the way. One that makes a key never is, once it may have
//! arrived: the key could be there twice, and one of its secrets nowhere. No redirect is followed, and no link to another host:
//! the token is for the API alone.

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

/// The most that the API gives on one page.
const PER_PAGE: &str = "200";
/// No account has more pages, and no answer makes us ask for more.
const MOST_PAGES: usize = 500;
/// Two hundred keys with many grants each are a small part of it.
const LARGEST_BODY: usize = 4 << 20;
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Hears what happens on the way.
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What somebody may want to know of a request while it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A request failed, or the API wants fewer of them; it is sent again after a pause.
    Waiting {
        /// What happened.
        why: String,
        /// How long it waits.
        pause: Duration,
    },
    /// The list may lack keys, or have some that are gone: the API counts another number of them.
    Incomplete(String),
}

/// How to reach the API.
#[derive(Clone)]
pub struct ApiOptions {
    /// A token of the account, with the scope `spaces_key:read`; to make keys `spaces_key:create_credentials`.
    pub token: Secret,
    /// Where the API is, such as [`API_URL`]. `http://` is refused except to this machine.
    pub url: String,
    /// How often a request is sent at most.
    pub max_attempts: u32,
    /// How long one attempt may take, from connecting to the end of the answer.
    pub patience: Duration,
    /// The pause before the second attempt; it doubles with each.
    pub pause: Duration,
    /// When the API wants us to wait longer than this, that is an error.
    pub longest_wait: Duration,
    /// Who is told of pauses, and of a list that may not be whole.
    pub listener: Option<Listener>,
}

impl ApiOptions {
    /// DigitalOcean's own API, with five attempts of 30 seconds.
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

/// Which keys to list; the API does the choosing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Of this name.
    pub name: Option<String>,
    /// With a grant for this bucket.
    pub bucket: Option<String>,
    /// With this permission.
    pub permission: Option<Permission>,
}

/// A key that was just made, with its secret, which the API tells this once.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: Key,
    /// What requests are signed with.
    pub secret: Secret,
}

/// The API of one account.
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

/// An answer, whatever its status.
struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    reset: Option<String>,
    location: Option<String>,
    body: Vec<u8>,
}

/// Why there is no answer.
enum Broken {
    /// The request did not arrive.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
    /// The answer does not end; another one would not either.
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
    /// The API that these options lead to. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The URL is none that a token may be sent to, or there is no token, or one with characters that no token has.
    pub fn new(options: ApiOptions) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&options.url)?;
        let token = options.token.reveal();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid("the token is empty, or has characters that no token has").with_hint(TOKEN_HINT));
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Error::invalid("the token has characters that no token has").with_hint(TOKEN_HINT))?;
        authorization.set_sensitive(true);
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(options.patience)
            .https_only(!endpoint.is_loopback())
            .user_agent(concat!("s3log/", env!("CARGO_PKG_VERSION")));
        // What goes to this machine in the clear must not go through a proxy elsewhere.
        let client = if endpoint.is_loopback() { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| {
            Error::new(ErrorKind::Internal, format!("the API cannot be asked: {}", innermost(&error)))
        })?;
        Ok(Self { client, endpoint, authorization, options })
    }

    /// Where the keys are: `https://api.digitalocean.com/v2/spaces/keys`.
    #[must_use]
    pub fn keys_url(&self) -> &str {
        self.endpoint.keys().as_str()
    }

    /// All keys of the account, by their names, then by their ids.
    ///
    /// # Errors
    ///
    /// What the API or the way to it does not allow, with a hint.
    pub async fn keys(&self) -> Result<Vec<Key>, Error> {
        self.keys_with(&KeyFilter::default()).await
    }

    /// The keys that a filter is for, by their names, then by their ids.
    ///
    /// # Errors
    ///
    /// Those of [`keys`](Self::keys).
    pub async fn keys_with(&self, filter: &KeyFilter) -> Result<Vec<Key>, Error> {
        let what = "the keys cannot be listed";
        let mut url = self.endpoint.keys().clone();
        {
            // In this order what is made meanwhile comes last, and shifts nothing from one page to another.
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
                "the API counts {total} of these keys, and listed {}; keys may have been made or deleted meanwhile",
                keys.len()
            )));
        }
        Ok(answer::in_order(keys))
    }

    /// The key with this id.
    ///
    /// # Errors
    ///
    /// There is none ([`ErrorKind::NotFound`]), and those of [`keys`](Self::keys).
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

    /// Makes a key. Its secret is in the answer and can never be had again.
    ///
    /// # Errors
    ///
    /// What the API would refuse ([`Replacement::check`]), nothing is sent then; what it refuses; and, with a hint how to look,
    /// when nobody knows whether the key was made.
    pub async fn create(&self, name: &str, grants: &[Grant]) -> Result<NewKey, Error> {
        let wanted = Replacement { name: name.to_owned(), grants: grants.to_vec() };
        wanted.check()?;
        let body = wanted.body()?;
        let what = "the key cannot be made";
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
                // Refused before anything was done.
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

    /// The body of an answer to a GET, which is sent until one comes or it makes no sense any more.
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
                    .with_hint("try again later; https://status.digitalocean.com tells of outages"));
            }
            self.wait(why, waiting::pause(self.options.pause, attempt)).await;
            attempt += 1;
        }
    }

    /// One attempt. The URL is of this API's host: nobody else may see the token.
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

    /// Waits as long as an answer 429 asks.
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

    /// `401 Unauthorized: unauthorized: Unable to authenticate you.`
    fn status_text(&self, answer: &Answer) -> String {
        let said = Refusal::of(&answer.body).text(&self.options.token);
        format!("the API answered {}{said}", answer.status)
    }

    /// The error of an answer that will not be another one next time.
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
            StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Unreadable, "wait a minute, and try again".to_owned()),
            _ if status.is_redirection() => {
                let location = answer.location.as_deref().unwrap_or_default();
                message.push_str(&format!(", and points to `{}`", told(&self.options.token.taken_out_of(location))));
                (ErrorKind::Unreadable, "the token is sent to --api-url alone: redirects are not followed".to_owned())
            }
            _ => (
                ErrorKind::Invalid,
                "the API does not take this request; check names of buckets, and what is asked for".to_owned(),
            ),
        };
        self.error(kind, message).with_hint(hint)
    }

    /// The error of a key that may be there or not.
    fn doubtful(&self, name: &str, why: &str) -> Error {
        let message = format!("nobody knows whether the key `{}` was made: {why}", told(name));
        self.error(ErrorKind::Unreadable, message).with_hint(
            "`s3log keys list` shows whether it is there. If so, its secret is lost: delete that key before you try again",
        )
    }

    fn error(&self, kind: ErrorKind, message: String) -> Error {
        Error::new(kind, message).in_object(self.keys_url())
    }

    /// An error about an answer, with what was asked for.
    fn about(&self, what: &str, error: Error) -> Error {
        let text = self.options.token.taken_out_of(&error.to_string());
        let about = self.error(error.kind(), format!("{what}: {text}"));
        match error.hint() {
            Some(hint) => about.with_hint(hint),
            None => about,
        }
    }
}

const TOKEN_HINT: &str = "the token may be missing, mistyped, expired or revoked: make one at \
    https://cloud.digitalocean.com/account/api/tokens, and give it in DIGITALOCEAN_ACCESS_TOKEN or by --token-file FILE";

fn tried(attempts: u32) -> String {
    if attempts == 1 { String::new() } else { format!(" (tried {attempts} times)") }
}

/// The last of the causes: the others repeat it, with URLs around.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    let mut text = None;
    while let Some(inner) = cause {
        text = Some(inner.to_string());
        cause = inner.source();
    }
    text.unwrap_or_else(|| error.to_string())
}
