//! Pauses before retries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Upper limit of the exponential backoff.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pause after attempt number `attempt`; it doubles with each attempt.
pub(super) fn pause(first: Duration, attempt: u32) -> Duration {
    let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| first.checked_mul(factor));
    doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// How long a 429 response asks to wait: `retry-after` in seconds, or else until `ratelimit-reset` in Unix seconds.
/// `None` if neither is present or the time has passed.
///
/// <https://docs.digitalocean.com/reference/api/reference/#rate-limit>
pub(super) fn asked(retry_after: Option<&str>, reset: Option<&str>, now: SystemTime) -> Option<Duration> {
    let seconds = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
    let wait = match seconds(retry_after) {
        Some(wait) => Some(Duration::from_secs(wait)),
        None => {
            let reset = UNIX_EPOCH.checked_add(Duration::from_secs(seconds(reset)?))?;
            reset.duration_since(now).ok()
        }
    };
    wait.filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let first = Duration::from_millis(500);
        let pauses: Vec<_> = (1..=8).map(|attempt| pause(first, attempt).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(pause(first, u32::MAX), LONGEST_PAUSE);
        assert_eq!(pause(Duration::MAX, 2), LONGEST_PAUSE);
    }

    #[test]
    fn what_headers_ask() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        for (retry_after, reset, expected) in [
            (Some("7"), None, Some(7)),
            (Some(" 7 "), Some("2000"), Some(7)),
            (None, Some("1003"), Some(3)),
            (Some("Sun, 29 Nov 2026 02:38:27 GMT"), Some("1003"), Some(3)),
            (Some("0"), Some("2000"), None),
            (None, Some("1000"), None),
            (None, Some("999"), None),
            (None, Some("-1"), None),
            (None, Some("18446744073709551615"), None),
            (None, None, None),
        ] {
            assert_eq!(asked(retry_after, reset, now), expected.map(Duration::from_secs), "{retry_after:?} {reset:?}");
        }
    }
}
