//! The URLs of the API, and the only place that the token is sent to.

use url::{Host, Url};

use super::answer::told;
use super::grant::is_access_key;
use crate::error::{Error, ErrorKind};

/// Base URL of DigitalOcean's API.
pub const API_URL: &str = "https://api.digitalocean.com";

/// The URLs of an API.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Such as `https://api.digitalocean.com/v2/spaces/keys`.
    keys: Url,
}

impl Endpoint {
    /// Parses a base URL such as [`API_URL`]. A path before `/v2` is kept; `/v2` itself is optional.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let hint = "set it to a URL such as https://api.digitalocean.com with --api-url, S3LOG_API_URL or DIGITALOCEAN_API_URL";
        // Do not repeat the URL before it is known to hold no password.
        let invalid = |what: &str| Error::invalid(format!("the URL of the API {what}")).with_hint(hint);
        let mut keys = Url::parse(text.trim()).map_err(|error| invalid(&format!("is not a URL: {error}")))?;
        if !keys.username().is_empty() || keys.password().is_some() {
            return Err(invalid("contains a user or a password"));
        }
        if keys.query().is_some() || keys.fragment().is_some() {
            return Err(invalid("has more after its path"));
        }
        match keys.scheme() {
            "https" => {}
            "http" if is_loopback(&keys) => {}
            "http" => {
                return Err(Error::invalid(format!("the URL of the API, {keys}, would send the token unencrypted"))
                    .with_hint(
                        "use https://; http:// is only allowed for this machine (localhost, 127.0.0.1, [::1])",
                    ));
            }
            _ => return Err(invalid("does not begin with https://")),
        }
        let path = keys.path().trim_end_matches('/');
        let path = format!("{}/v2/spaces/keys", path.strip_suffix("/v2").unwrap_or(path));
        keys.set_path(&path);
        Ok(Self { keys })
    }

    /// The URL of the list of keys.
    pub(super) fn keys(&self) -> &Url {
        &self.keys
    }

    /// The URL of one key.
    pub(super) fn key(&self, access_key: &str) -> Result<Url, Error> {
        if !is_access_key(access_key) {
            return Err(Error::invalid(format!("`{}` is not an access key id", told(access_key)))
                .with_hint("an id has letters, digits, `-` and `_`; `s3log keys list` shows those of this account"));
        }
        let mut url = self.keys.clone();
        url.set_path(&format!("{}/{access_key}", self.keys.path()));
        Ok(url)
    }

    /// Resolves the link to the next page against the page at `current`. Links to other hosts are rejected, because the
    /// token must not be sent there.
    pub(super) fn next(&self, current: &Url, link: &str) -> Result<Url, Error> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Unreadable, format!("the link to the next page, `{}`, {what}", told(link)))
                .in_object(self.keys.as_str())
                .with_hint("the token is only sent to the host of --api-url, so the rest of the list was not read")
        };
        let url = current.join(link).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
        if url.origin() != self.keys.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("leads to another host"));
        }
        Ok(url)
    }

    /// Whether the API is on the local machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.keys)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_keys_are() {
        for (url, keys) in [
            (API_URL, "https://api.digitalocean.com/v2/spaces/keys"),
            ("https://api.digitalocean.com/v2/", "https://api.digitalocean.com/v2/spaces/keys"),
            (" https://gateway.example/digitalocean/ ", "https://gateway.example/digitalocean/v2/spaces/keys"),
            ("http://localhost:8080", "http://localhost:8080/v2/spaces/keys"),
            ("http://127.3.2.1", "http://127.3.2.1/v2/spaces/keys"),
            ("http://[::1]:80", "http://[::1]/v2/spaces/keys"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().keys().as_str(), keys, "{url}");
        }
    }

    #[test]
    fn where_no_token_goes() {
        for (url, expected) in [
            ("", "the URL of the API is not a URL: relative URL without a base"),
            ("api.digitalocean.com", "the URL of the API is not a URL: relative URL without a base"),
            (
                "http://api.digitalocean.com",
                "the URL of the API, http://api.digitalocean.com/, would send the token unencrypted",
            ),
            (
                "http://localhost.example",
                "the URL of the API, http://localhost.example/, would send the token unencrypted",
            ),
            ("http://192.0.2.1", "the URL of the API, http://192.0.2.1/, would send the token unencrypted"),
            ("ftp://localhost", "the URL of the API does not begin with https://"),
            ("https://me:hunter2@api.example", "the URL of the API contains a user or a password"),
            ("https://api.example/?token=hunter2", "the URL of the API has more after its path"),
        ] {
            let error = Endpoint::parse(url).unwrap_err();
            assert_eq!(error.to_string(), expected, "{url}");
            assert!(error.hint().is_some(), "{url}");
        }
    }

    #[test]
    fn links_stay_at_the_host() {
        let endpoint = Endpoint::parse("https://api.example:8443/base").unwrap();
        let at = endpoint.keys().clone();
        for (link, next) in [
            (
                "https://api.example:8443/base/v2/spaces/keys?page=2",
                "https://api.example:8443/base/v2/spaces/keys?page=2",
            ),
            ("?page=3", "https://api.example:8443/base/v2/spaces/keys?page=3"),
        ] {
            assert_eq!(endpoint.next(&at, link).unwrap().as_str(), next);
        }
        for link in [
            "https://api.example/base/v2/spaces/keys?page=2",
            "http://api.example:8443/base/v2/spaces/keys?page=2",
            "https://api.example:8443@other.example/",
            "https://user@api.example:8443/",
            "//other.example/v2/spaces/keys",
            "https://api.example.:8443/",
            "file:///etc/passwd",
            "https://",
        ] {
            assert!(endpoint.next(&at, link).is_err(), "{link}");
        }
    }

    #[test]
    fn ids_that_would_be_other_paths_are_refused() {
        let endpoint = Endpoint::parse(API_URL).unwrap();
        assert_eq!(
            endpoint.key("DO00EXAMPLE").unwrap().as_str(),
            "https://api.digitalocean.com/v2/spaces/keys/DO00EXAMPLE"
        );
        for id in ["", ".", "..", "a/b", "a?b", "a b", "ä", "a\n"] {
            assert!(endpoint.key(id).is_err(), "{id:?}");
        }
    }
}
