//! Access log settings of a bucket, as in `GetBucketLogging` and `PutBucketLogging`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LoggingEnabled.html>

use crate::error::{Error, ErrorKind};
use aws_sdk_s3::types::{
    BucketLoggingStatus, BucketLogsPermission, Grantee as WireGrantee, LoggingEnabled, PartitionDateSource,
    PartitionedPrefix, TargetGrant as WireGrant, TargetObjectKeyFormat, Type,
};
use std::fmt;

/// How log objects are named.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_TargetObjectKeyFormat.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFormat {
    /// `[prefix]YYYY-MM-DD-hh-mm-ss-UniqueString`, by time of delivery. The default of stores.
    Simple,
    /// In folders by account, region, bucket and day. All records of an object are from the day of its folder.
    EventTime,
    /// In the same folders, by time of delivery.
    DeliveryTime,
}

impl KeyFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Simple, Self::EventTime, Self::DeliveryTime];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::EventTime => "event-time",
            Self::DeliveryTime => "delivery-time",
        }
    }
}

impl fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The recipient of a grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// An account, by canonical user id.
    Id(String),
    /// A group, by URI.
    Group(String),
    /// An account, by email address. AWS has not supported new grants of this kind since October 2025.
    Email(String),
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "account {id}"),
            Self::Group(uri) => write!(f, "group {}", uri.rsplit('/').next().unwrap_or(uri)),
            Self::Email(address) => f.write_str(address),
        }
    }
}

/// A permission on delivered log objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetGrant {
    /// The recipient.
    pub grantee: Grantee,
    /// `FULL_CONTROL`, `READ` or `WRITE`.
    pub permission: String,
}

impl fmt::Display for TargetGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.permission, self.grantee)
    }
}

/// Settings of a bucket that has logging enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggingSettings {
    /// The bucket that log objects are delivered to.
    pub target_bucket: String,
    /// Prefix of their names. Used verbatim: no `/` is appended.
    pub target_prefix: String,
    /// The format of the rest of their names.
    pub key_format: KeyFormat,
    /// Grants in addition to the rights of the target bucket's owner; sorted.
    pub target_grants: Vec<TargetGrant>,
}

impl LoggingSettings {
    /// The location of the log objects, such as `s3://logs/photos/`.
    #[must_use]
    pub fn target(&self) -> String {
        format!("s3://{}/{}", self.target_bucket, self.target_prefix)
    }

    pub(super) fn read(wire: LoggingEnabled) -> Self {
        let key_format = match wire.target_object_key_format.and_then(|format| format.partitioned_prefix) {
            None => KeyFormat::Simple,
            Some(partitioned) => match partitioned.partition_date_source {
                Some(PartitionDateSource::DeliveryTime) => KeyFormat::DeliveryTime,
                // AWS documents EventTime as the default.
                _ => KeyFormat::EventTime,
            },
        };
        let grants = wire.target_grants.unwrap_or_default();
        let mut target_grants: Vec<_> = grants.into_iter().filter_map(grant_of).collect();
        target_grants.sort_unstable();
        Self { target_bucket: wire.target_bucket, target_prefix: wire.target_prefix, key_format, target_grants }
    }

    fn write(&self) -> Result<LoggingEnabled, Error> {
        let date_source = match self.key_format {
            // The default: omitted, which every store understands.
            KeyFormat::Simple => None,
            KeyFormat::EventTime => Some(PartitionDateSource::EventTime),
            KeyFormat::DeliveryTime => Some(PartitionDateSource::DeliveryTime),
        };
        let format = date_source.map(|source| {
            let partitioned = PartitionedPrefix::builder().partition_date_source(source).build();
            TargetObjectKeyFormat::builder().partitioned_prefix(partitioned).build()
        });
        let grants = self.target_grants.iter().map(wire_grant).collect::<Result<Vec<_>, _>>()?;
        LoggingEnabled::builder()
            .target_bucket(&self.target_bucket)
            .target_prefix(&self.target_prefix)
            .set_target_grants(Some(grants).filter(|grants| !grants.is_empty()))
            .set_target_object_key_format(format)
            .build()
            .map_err(incomplete)
    }
}

/// The request for `PutBucketLogging`; `None` switches logging off.
pub(super) fn status_of(settings: Option<&LoggingSettings>) -> Result<BucketLoggingStatus, Error> {
    let enabled = settings.map(LoggingSettings::write).transpose()?;
    Ok(BucketLoggingStatus::builder().set_logging_enabled(enabled).build())
}

/// `None` if grantee or permission is missing.
fn grant_of(wire: WireGrant) -> Option<TargetGrant> {
    let WireGrantee { id, uri, email_address, .. } = wire.grantee?;
    let grantee = uri.map(Grantee::Group).or(id.map(Grantee::Id)).or(email_address.map(Grantee::Email))?;
    Some(TargetGrant { grantee, permission: wire.permission?.as_str().to_owned() })
}

fn wire_grant(grant: &TargetGrant) -> Result<WireGrant, Error> {
    let grantee = match &grant.grantee {
        Grantee::Id(id) => WireGrantee::builder().r#type(Type::CanonicalUser).id(id),
        Grantee::Group(uri) => WireGrantee::builder().r#type(Type::Group).uri(uri),
        Grantee::Email(address) => WireGrantee::builder().r#type(Type::AmazonCustomerByEmail).email_address(address),
    };
    let permission = BucketLogsPermission::from(grant.permission.as_str());
    Ok(WireGrant::builder().grantee(grantee.build().map_err(incomplete)?).permission(permission).build())
}

fn incomplete(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "settings of logging are incomplete").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key_format: KeyFormat) -> LoggingSettings {
        LoggingSettings {
            target_bucket: "logs".to_owned(),
            target_prefix: "photos/".to_owned(),
            key_format,
            target_grants: vec![
                TargetGrant { grantee: Grantee::Id("9f8e".to_owned()), permission: "READ".to_owned() },
                TargetGrant {
                    grantee: Grantee::Group("http://acs.amazonaws.com/groups/global/AuthenticatedUsers".to_owned()),
                    permission: "FULL_CONTROL".to_owned(),
                },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for format in KeyFormat::ALL {
            let settings = settings(format);
            assert_eq!(LoggingSettings::read(settings.write().unwrap()), settings);
        }
    }

    #[test]
    fn folders_without_a_source_of_dates_are_by_the_time_of_events() {
        let mut wire = settings(KeyFormat::DeliveryTime).write().unwrap();
        let partitioned = PartitionedPrefix::builder().build();
        wire.target_object_key_format = Some(TargetObjectKeyFormat::builder().partitioned_prefix(partitioned).build());
        assert_eq!(LoggingSettings::read(wire).key_format, KeyFormat::EventTime);
    }

    #[test]
    fn grants_in_words() {
        let [account, group] = &settings(KeyFormat::Simple).target_grants[..] else { panic!("two grants") };
        assert_eq!(account.to_string(), "READ to account 9f8e");
        assert_eq!(group.to_string(), "FULL_CONTROL to group AuthenticatedUsers");
    }
}
