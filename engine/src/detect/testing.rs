//! Findings for tests of output formats.

use super::finding::{Band, Finding, Guard, Listed, Sample, Severity, Signal};

/// 2026-01-31 12:00:00 UTC, in microseconds.
pub(crate) const NOON: i64 = 1_769_860_800_000_000;

/// A finding with only a score.
pub(crate) fn finding(address: &str, score: f64) -> Finding {
    Finding {
        client_ip: address.parse().unwrap(),
        score,
        band: Band::of(score),
        severity: Severity::Medium,
        first_seen: NOON - 3_600_000_000,
        last_seen: NOON,
        requests: 12,
        bytes_sent: 3_456,
        buckets: vec!["photos".to_owned()],
        requesters: Vec::new(),
        detectors: Vec::new(),
        guards: Vec::new(),
        provisional: false,
        listed: Listed::default(),
        country: None,
        asn: None,
        as_org: None,
    }
}

/// A finding with all fields set, and hostile text from the client.
pub(crate) fn full() -> Finding {
    let samples = vec![
        Sample {
            time: NOON - 1_500_000,
            bucket: "photos".to_owned(),
            operation: "REST.GET.OBJECT".to_owned(),
            key: Some(".env".to_owned()),
            status: Some(403),
            error_code: Some("AccessDenied".to_owned()),
            user_agent: Some("Mozilla/5.0 <img src=x onerror=alert(1)> `|` [a](http://192.0.2.1)\u{202e}".to_owned()),
            ..Sample::default()
        },
        Sample {
            time: NOON,
            bucket: "photos".to_owned(),
            requester: Some("arn:aws:iam::111122223333:user/ci".to_owned()),
            operation: "REST.GET.OBJECT".to_owned(),
            key: Some("a\nb|c`d``e\0.git/config".to_owned()),
            status: Some(200),
            ..Sample::default()
        },
    ];
    let probe = Signal {
        id: "S3D-103".to_owned(),
        name: "Sensitive file probing".to_owned(),
        family: "recon".to_owned(),
        severity: Severity::High,
        confidence: 0.93,
        explanation: "3 distinct sensitive keys requested, 1 succeeded".to_owned(),
        measured: r#"{"d":3,"min_good":3,"ok":1}"#.to_owned(),
        mitre: vec!["T1552.001".to_owned(), "T1595.003".to_owned()],
        bucket: Some("photos".to_owned()),
        requester: None,
        first: Some(NOON - 60_000_000),
        last: Some(NOON),
        hits: 2,
        samples,
    };
    let network = Signal {
        id: "S3D-203".to_owned(),
        name: "New network for requester".to_owned(),
        family: "identity".to_owned(),
        confidence: 0.1,
        explanation: "first seen from here".to_owned(),
        measured: "{}".to_owned(),
        mitre: vec!["T1078.004".to_owned()],
        requester: Some("arn:aws:iam::111122223333:user/ci".to_owned()),
        hits: 1,
        ..Signal::default()
    };
    let guard = Guard { name: "shared".to_owned(), factor: 0.5, reason: "14 user agents, 2 % failures".to_owned() };
    Finding {
        severity: Severity::High,
        requesters: vec!["arn:aws:iam::111122223333:user/ci".to_owned()],
        buckets: vec!["logs".to_owned(), "photos".to_owned()],
        detectors: vec![probe, network],
        guards: vec![guard],
        provisional: true,
        country: Some("ZZ".to_owned()),
        asn: Some(64500),
        as_org: Some("Example <Net>".to_owned()),
        ..finding("192.0.2.1", 0.937)
    }
}
