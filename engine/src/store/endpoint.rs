//! What the host of an endpoint reveals: the region and the service.

/// The region in the host of an endpoint, for services that have it there:
///
/// `nyc3.digitaloceanspaces.com` (DigitalOcean), `s3.us-west-004.backblazeb2.com` (Backblaze),
/// `s3.eu-central-1.wasabisys.com` (Wasabi), `s3.eu-west-1.amazonaws.com` (AWS), `s3.fr-par.scw.cloud` (Scaleway),
/// `s3.gra.io.cloud.ovh.net` (OVHcloud), `us-east-1.linodeobjects.com` (Akamai).
pub(crate) fn region_of(endpoint: &str) -> Option<&str> {
    let host = host_of(endpoint);
    // The region is the only label before `ALONE`, or follows `s3.` or `s3-` before `AFTER_S3`.
    const AFTER_S3: [&str; 5] =
        [".backblazeb2.com", ".wasabisys.com", ".amazonaws.com", ".scw.cloud", ".io.cloud.ovh.net"];
    const ALONE: [&str; 2] = [".digitaloceanspaces.com", ".linodeobjects.com"];
    let alone = ALONE.iter().find_map(|suffix| host.strip_suffix(suffix));
    let after_s3 = AFTER_S3.iter().find_map(|suffix| {
        let labels = host.strip_suffix(suffix)?;
        let label = labels.strip_prefix("s3.").or_else(|| labels.strip_prefix("s3-"))?;
        // AWS has other services there: `s3-accelerate`, `s3-external-1`.
        let is_region = *suffix != ".amazonaws.com" || label.matches('-').count() >= 2;
        is_region.then_some(label)
    });
    let region = alone.or(after_s3)?;
    // Several labels: the host contains a bucket, or is a dual-stack endpoint.
    (!region.is_empty() && !region.contains('.')).then_some(region)
}

/// The domain of AWS's endpoints in a region: partitions other than `aws` have domains of their own (AWS's SDKs,
/// `partitions.json`).
pub(super) fn aws_domain(region: &str) -> &'static str {
    const OTHERS: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("us-isof-", "csp.hci.ic.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
    ];
    OTHERS.iter().find(|(start, _)| region.starts_with(start)).map_or("amazonaws.com", |(_, domain)| domain)
}

/// The host of a URL, without user info and port.
#[must_use]
pub fn host_of(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    }
}

/// The URL without user info, query and fragment, for display.
#[must_use]
pub fn without_secrets(endpoint: &str) -> String {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    format!("{scheme}://{host}{path}")
}

/// Whether names in AWS's format have AWS's documented meaning at this endpoint.
///
/// Some services write logs of their own under names of the same format, but do not document the meaning of the time in
/// them. An unknown endpoint may hold copies of AWS's objects; only AWS is known to give such names.
#[must_use]
pub fn names_are_documented(endpoint: Option<&str>) -> bool {
    const UNDOCUMENTED: [&str; 7] = [
        "digitaloceanspaces.com",
        "wasabisys.com",
        "backblazeb2.com",
        "linodeobjects.com",
        "scw.cloud",
        "ovh.net",
        "r2.cloudflarestorage.com",
    ];
    let Some(endpoint) = endpoint else { return true };
    // Names of hosts are case-insensitive, and may end with the dot of the root.
    let host = host_of(endpoint).trim_end_matches('.').to_ascii_lowercase();
    !UNDOCUMENTED.iter().any(|service| host == *service || host.ends_with(&format!(".{service}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        for (endpoint, region) in [
            ("https://nyc3.digitaloceanspaces.com", Some("nyc3")),
            ("https://NYC3.digitaloceanspaces.com/", Some("NYC3")),
            ("https://logs.nyc3.digitaloceanspaces.com", None),
            ("https://s3.us-west-004.backblazeb2.com", Some("us-west-004")),
            ("https://s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://s3.amazonaws.com", None),
            ("https://s3-accelerate.amazonaws.com", None),
            ("https://s3-external-1.amazonaws.com", None),
            ("https://s3.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("https://s3.fr-par.scw.cloud", Some("fr-par")),
            ("http://127.0.0.1:9000", None),
            ("http://minio.example:9000", None),
        ] {
            assert_eq!(region_of(endpoint), region, "{endpoint}");
        }
    }

    #[test]
    fn partitions_of_aws() {
        assert_eq!(aws_domain("us-gov-west-1"), "amazonaws.com");
        assert_eq!(aws_domain("eusc-de-east-1"), "amazonaws.eu");
        assert_eq!(aws_domain("us-isob-east-1"), "sc2s.sgov.gov");
    }

    #[test]
    fn hosts_and_secrets() {
        assert_eq!(host_of("http://user:pass@minio.example:9000/x"), "minio.example");
        assert_eq!(host_of("http://[::1]:9000"), "::1");
        assert_eq!(without_secrets("http://user:pass@minio.example:9000/x?a=b"), "http://minio.example:9000/x");
        assert_eq!(without_secrets("http://user:p@ss@minio.example"), "http://minio.example");
    }

    #[test]
    fn services() {
        assert!(names_are_documented(None) && names_are_documented(Some("http://127.0.0.1:9000")));
        assert!(!names_are_documented(Some("https://ams3.digitaloceanspaces.com")));
        assert!(!names_are_documented(Some("https://s3.wasabisys.com")));
        assert!(!names_are_documented(Some("https://S3.WasabiSys.com.")));
    }
}
