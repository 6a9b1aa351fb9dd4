//! Environment variables that make an AWS client in a child process use one endpoint, and none of the machine's
//! configuration.

use crate::server::{ACCESS_KEY, SECRET_KEY};

/// A path that does not exist.
const MISSING: &str = "/nonexistent/s3log-test-server";

pub(crate) fn environment(endpoint: String) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_CONFIG_FILE", format!("{MISSING}/config")),
        ("AWS_SHARED_CREDENTIALS_FILE", format!("{MISSING}/credentials")),
    ]
}
