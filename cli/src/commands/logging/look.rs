//! The query that reads the logs once they arrive.

use s3log_engine::logging::{KeyFormat, LoggingSettings, Service};
use s3log_engine::scan::Layout;
use s3log_engine::shell_word;
use s3log_engine::store::{Addressing, names_are_documented, without_secrets};

use crate::args::StoreArgs;

/// A shell command that queries the log objects of these settings, including the flags needed to reach them.
pub(super) fn query(service: Service, settings: &LoggingSettings, store: &StoreArgs) -> String {
    let sql = match service {
        // CDN logs are delivered to the same place; `requests` has both.
        Service::Spaces => "SELECT source, status, count(*) FROM requests GROUP BY 1, 2 ORDER BY 3 DESC",
        _ => "SELECT operation, http_status, count(*) FROM logs GROUP BY 1, 2 ORDER BY 3 DESC",
    };
    let mut command = format!("s3log query \"{sql}\" {}", shell_word(&settings.target()));
    let mut flag = |name: &str, value: &str| command.push_str(&format!(" --{name} {}", shell_word(value)));
    if let Some(endpoint) = &store.endpoint_url {
        flag("endpoint-url", &without_secrets(endpoint));
    }
    if let Some(profile) = &store.profile {
        flag("profile", profile);
    }
    if let Some(region) = &store.region {
        flag("region", region);
    }
    match store.addressing.map(|addressing| addressing.0) {
        Some(Addressing::Path) => flag("addressing", "path"),
        Some(Addressing::Virtual) => flag("addressing", "virtual"),
        Some(Addressing::Auto) | None => {}
    }
    // Where the service does not document its names, times in names are ignored by default; here they were chosen
    // explicitly.
    if settings.key_format == KeyFormat::EventTime && !names_are_documented(store.endpoint_url.as_deref()) {
        flag("layout", Layout::EventTime.name());
    }
    command
}
