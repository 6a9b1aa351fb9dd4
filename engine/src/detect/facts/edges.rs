//! CDNs and their published ranges of addresses that fetch from origins.
//!
//! ```text
//! [Cloudflare]
//! 173.245.48.0/20 2400:cb00::/32
//! ```

use super::lists::{ListError, entries};
use ipnet::IpNet;
use std::sync::Arc;

/// Networks, each with the name of its CDN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edges(Vec<(Arc<str>, IpNet)>);

impl Edges {
    /// The name of the list.
    pub(crate) const NAME: &'static str = "cdns";

    /// Parses the list.
    pub(crate) fn parse(text: &str) -> Result<Self, ListError> {
        let mut operator: Option<Arc<str>> = None;
        let mut networks = Vec::new();
        for (number, line) in entries(text) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                operator = Some(name.trim().into());
                continue;
            }
            let error = |message: String| ListError::new(Self::NAME, number, message);
            let Some(operator) = &operator else {
                return Err(error("there is a line before the first CDN; write `[Name]` above it".to_owned()));
            };
            for network in line.split_ascii_whitespace() {
                let message = format!("`{network}` is not a network; write one such as 192.0.2.0/24");
                let network: IpNet = network.parse().map_err(|_| error(message))?;
                networks.push((Arc::clone(operator), network.trunc()));
            }
        }
        Ok(Self(networks))
    }

    /// All networks, in list order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Arc<str>, IpNet)> {
        self.0.iter()
    }

    /// Number of networks.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_names_and_errors_lines() {
        let edges = Edges::parse("# ours\n[Example]\n192.0.2.9/24 2001:db8::/32\n").unwrap();
        let shown: Vec<_> = edges.iter().map(|(name, network)| format!("{name} {network}")).collect();
        assert_eq!(shown, ["Example 192.0.2.0/24", "Example 2001:db8::/32"]);
        for (text, line, message) in [("192.0.2.0/24", 1, "before the first CDN"), ("[A]\n1.2.3", 2, "not a network")] {
            let error = Edges::parse(text).unwrap_err();
            assert_eq!(error.line, line);
            assert!(error.message.contains(message), "{error}");
        }
    }
}
