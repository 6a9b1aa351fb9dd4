//! The company of the story: its buckets, people, machines, and their addresses.
//!
//! All addresses are from RFC 5737 and RFC 3849; all accounts and ids are invented.

/// Canonical user id of the company's account.
pub(super) const OWNER: &str = "5d41ce2f8a0b47c6930e7f1a2b6c8d9e0f31427586a9bacbdcedfe0f10213243";
/// The company's account.
pub(super) const ACCOUNT: &str = "123456789012";
/// Region of its buckets.
pub(super) const REGION: &str = "us-east-1";

/// A bucket and the host by which most clients address it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) name: &'static str,
    pub(super) host: &'static str,
}

/// The web site, served by the bucket's website endpoint.
pub(super) const SITE: Bucket = Bucket { name: "www.example.com", host: "www.example.com" };
/// Pictures, films and uploads, behind a CDN.
pub(super) const MEDIA: Bucket = Bucket { name: "media", host: "media.s3.us-east-1.amazonaws.com" };
/// Raw events and aggregates.
pub(super) const LAKE: Bucket = Bucket { name: "lake", host: "lake.s3.us-east-1.amazonaws.com" };
/// Nightly dumps.
pub(super) const BACKUPS: Bucket = Bucket { name: "backups", host: "backups.s3.us-east-1.amazonaws.com" };

/// A client: an address, an identity and a user agent.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Address; `None` for AWS services.
    pub(super) ip: Option<String>,
    /// Requester; `None` for anonymous clients.
    pub(super) requester: Option<&'static str>,
    pub(super) agent: &'static str,
    /// AWS Region of the client.
    pub(super) region: Option<&'static str>,
}

impl Client {
    pub(super) fn anonymous(ip: String, agent: &'static str) -> Self {
        Self { ip: Some(ip), requester: None, agent, region: None }
    }

    pub(super) fn known(ip: &str, requester: &'static str, agent: &'static str) -> Self {
        Self { ip: Some(ip.to_owned()), requester: Some(requester), agent, region: None }
    }

    /// The same client, in an AWS Region.
    pub(super) fn in_region(self) -> Self {
        Self { region: Some(REGION), ..self }
    }
}

/// Deploys the web site. Real runs have different session names; one is enough for the story.
pub(super) fn ci() -> Client {
    Client::known(
        "198.51.100.17",
        "arn:aws:sts::123456789012:assumed-role/ci-deploy/run-4711",
        "aws-cli/2.22.7 md/awscrt#0.23.3 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.6 \
         cfg/retry-mode#standard md/command#s3.sync",
    )
}

/// One of the machines that process the lake.
pub(super) fn etl(machine: u64) -> Client {
    const SESSIONS: [&str; 4] = [
        "arn:aws:sts::123456789012:assumed-role/etl/i-0a1b2c3d4e5f60718",
        "arn:aws:sts::123456789012:assumed-role/etl/i-0b2c3d4e5f6071829",
        "arn:aws:sts::123456789012:assumed-role/etl/i-0c3d4e5f607182930",
        "arn:aws:sts::123456789012:assumed-role/etl/i-0d4e5f60718293041",
    ];
    let machine = machine % 4;
    Client::known(
        &format!("203.0.113.{}", 40 + machine),
        SESSIONS[machine as usize],
        "Hadoop 3.4.1, aws-sdk-java/2.29.30 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.0 \
         lang/java#17.0.13 md/OpenJDK_64-Bit_Server_VM#17.0.13+11-LTS",
    )
    .in_region()
}

/// Dumps the databases every night.
pub(super) fn backup() -> Client {
    Client::known(
        "198.51.100.40",
        "arn:aws:iam::123456789012:user/backup",
        "Boto3/1.35.90 md/Botocore#1.35.90 ua/2.0 os/linux#6.1.0 md/arch#aarch64 lang/python#3.11.10",
    )
}

/// The administrator, in the console.
pub(super) fn alice() -> Client {
    Client::known("192.0.2.77", "arn:aws:iam::123456789012:user/alice", "S3Console/0.4, aws-internal/3")
}

/// Another company, which may read `export/` in the lake.
pub(super) fn partner() -> Client {
    Client::known("198.51.100.200", "arn:aws:iam::111122223333:user/partner-sync", "rclone/v1.68.2")
}

/// The CDN's edge servers, which fetch what is not cached.
pub(super) fn cdn(edge: u64) -> Client {
    Client::known(
        &format!("203.0.113.{}", 128 + edge % 24),
        "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE1OAI7",
        "Amazon CloudFront",
    )
}

/// Replicates new dumps to another Region. It is a service, so it has no address.
pub(super) fn replication() -> Client {
    Client {
        ip: None,
        requester: Some("arn:aws:sts::123456789012:assumed-role/s3-replication/s3-replication"),
        agent: "-",
        region: None,
    }
}
