use super::*;
use crate::convert::privacy::SECRET_PARAMETERS;
use proptest::prelude::*;

fn redacted(text: &str, kind: TextKind) -> String {
    let mut into = "what was there before".to_owned();
    if redact(text, kind, &mut into) { into } else { text.to_owned() }
}

/// Cases with the secrets in brackets: `?token=[a]`.
fn assert_redacted(kind: TextKind, cases: &[&str]) {
    for case in cases {
        let (mut text, mut expected) = (String::new(), String::new());
        let mut rest = *case;
        while let Some((before, secret)) = rest.split_once('[') {
            let (secret, behind) = secret.split_once(']').unwrap();
            text = text + before + secret;
            expected = expected + before + REDACTED;
            rest = behind;
        }
        text += rest;
        expected += rest;
        assert_eq!(redacted(&text, kind), expected, "{kind:?} {case}");
        assert_eq!(redacted(&expected, kind), expected, "{kind:?} {case}, twice");
        assert!(text == expected || is_candidate(&text, kind), "{kind:?} {case}");
    }
}

#[test]
fn signatures_of_presigned_urls() {
    assert_redacted(
        TextKind::RequestUri,
        &[
            "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260131%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20260131T000000Z&X-Amz-Expires=900&X-Amz-Security-Token=[FwoG%2BZX%2F%3D%3D]\
             &X-Amz-SignedHeaders=host&x-id=GetObject&X-Amz-Signature=[5f3a] HTTP/1.1",
            "GET /b/k?AWSAccessKeyId=AKIDEXAMPLE&Signature=[vjbyPxybdZaNmGa%2ByT272YEAiv4%3D]&Expires=1141889120 HTTP/1.1",
            "GET /b/k?Expires=1767290400&Policy=eyJTdG&Signature=[nitfHRC~-]&Key-Pair-Id=K2JCJMDEHXQW5F HTTP/2.0",
            "GET /c/b?sv=2022-11-02&sp=r&sig=[Z%2FRHIX5Xcg%3D] HTTP/1.1",
            "GET /b/k?X-Goog-Credential=a%40b&X-Goog-Signature=[247a] HTTP/1.1",
            "GET /b/k?x-oss-signature=[77Dv]&x-oss-credential=L HTTP/1.1",
            "GET /b/k?q-sign-algorithm=sha1&q-ak=A&q-signature=[f1] HTTP/1.1",
            "GET /b/k?X-Amz-S3session-Token=[abc] HTTP/1.1",
        ],
    );
}

#[test]
fn names_are_told_however_they_are_written() {
    assert_redacted(
        TextKind::RequestUri,
        &[
            "GET /k?x-amz-signature=[1] HTTP/1.1",
            "GET /k?X%2DAmz%2dSignature=[1] HTTP/1.1",
            "GET /k?%58-Amz-Signatur%65=[1] HTTP/1.1",
            r"GET /k?X-Amz-Signature\u003d[1] HTTP/1.1",
            "GET /k?X-Amz-Signature=[1]&X-Amz-Signature=[2] HTTP/1.1",
            // Other names.
            "GET /k?XX-Amz-Signature=1&X-Amz-Signature2=1&X-Amz-=1&=1&my-token=1 HTTP/1.1",
            "GET /k?a=X-Amz-Signature=1 HTTP/1.1",
            "GET /k?marker=token&key=secret&continuation-token=1 HTTP/1.1",
            "GET /token=1/k HTTP/1.1",
            "GET /year=2026/month=01/k HTTP/1.1",
            "GET /k?code=de&session HTTP/1.1",
            "token=1",
            // Empty values.
            "GET /k?token HTTP/1.1",
            "GET /k?token= HTTP/1.1",
            "GET /k?token=&x=1 HTTP/1.1",
            "",
            "=",
            "?=&",
        ],
    );
}

#[test]
fn where_values_end() {
    assert_redacted(
        TextKind::RequestUri,
        &[
            "GET /k?token=[a;b?c=d/e%26f%23g]&x=1 HTTP/1.1",
            "GET /k?token=[a=b==]#part HTTP/1.1",
            "GET /k?token=[a b \"c\"] HTTP/1.1",
            "GET /k?token=[a b]",
            "GET /k?token=[a HTTP/x] HTTP/1.1",
            "GET /k HTTP/1.1?token=[a]",
            "GET /k?token=[é%C3%A9\u{1F511}] HTTP/1.1",
            // `;` ends a value only if one started the parameter.
            "GET /app;jsessionid=[1A2B]?page=3 HTTP/1.1",
            "GET /app;jsessionid=[1A2B];v=2 HTTP/1.1",
            "GET /k?a=1;token=[b];c=2 HTTP/1.1",
            // Not if it belongs to an HTML entity for `&`.
            "GET /k?a=1&amp;token=[b;c]&amp;d=2 HTTP/1.1",
        ],
    );
    assert_redacted(
        TextKind::Line,
        &[
            "1.0 \"GET /k?token=[a] HTTP/1.1\" 200 \"https://h.example/?token=[b]\" x?sig=[c]\ty",
            r#"{"u":"https://[ann:pw]@h.example/?a=1\u0026token\u003d[b]\u0026c=d","v":"x?token=[e]"}"#,
            r#""/?token=[a]\" b"#,
            "https://h.example\"x@y",
        ],
    );
}

#[test]
fn referers_have_fragments_and_codes() {
    assert_redacted(
        TextKind::Referer,
        &[
            "https://app.example/cb#access_token=[ya29]&token_type=Bearer&id_token=[eyJ]&state=1",
            "https://app.example/cb?code=[4%2F0A]&state=1",
            "https://app.example/#/cb?code=[1]",
            "https://app.example/?q=token",
        ],
    );
}

#[test]
fn users_and_passwords_of_hosts() {
    assert_redacted(
        TextKind::Referer,
        &[
            "https://[ann:hunter2]@host.example/",
            "https://[ann:hunter2]@host.example",
            "https://[ghp_token]@host.example?x=1@2",
            "https://[ann:p@ss;w&rd]@host.example/a@b",
            "https://host.example/a@b",
            "https://host.example?a@b",
            "https://@host.example/",
            "mailto:ann@host.example",
            "https://a https://[u]@b https://c",
            "https://https://[ann:hunter2]@host.example/",
            "https:/",
            "https://",
            "https://x:",
        ],
    );
}

#[test]
fn uris_inside_of_parameters() {
    assert_redacted(
        TextKind::Referer,
        &[
            "https://a.example/?next=https%3A%2F%2Fb.example%2F%3Ftoken%3D[abc%252F%253D]%26x%3D1&y=2",
            "https://a.example/?next=https%3A%2F%2Fb.example%2F%3Ftoken%3D[abc]&y=2",
            "https://a.example/?next=https%3a%2f%2fb.example%2f%3ftoken%3d[abc]%23top&y=2",
            "https://a.example/?n=%3Fm%3D%253Ftoken%253D[abc%25252F]%2526x%26y=1",
            "https://a.example/?next=https://b.example/?token=[abc]&y=2",
            "https://a.example/?next=/b%3Ftoken=[abc]%26x=1",
            "https://a.example/plain/https%3A%2F%2Fs3.example%2Fk%3FX%2DAmz-Signature%3D[abc]%26x",
            // The level is that of the byte before the name.
            "https://a.example/?token%3D[a%26b]&c=1",
            "https://a.example/?token=[a%26token%3Db]&c=1",
            "https://a.example/?next=https%3A%2F%2F[ann%3Apw]%40b.example%2F&mail=c@d",
            "https://a.example/?next=https%3A%2F%2Fb.example&mail=c@d",
            "https://a.example/?next=https://[ann:pw]@b.example/",
            "https://[a%3A%2F%2Fb]@c.example/",
            // Encoded too often.
            "https://a.example/?%2525253Ftoken=1&x%2525253Dy",
            // Invalid encodings.
            "https://a.example/?%=%2&%zz%3=%&token=[%]&%25token=1&%25%3Ftoken=[1]",
        ],
    );
}

/// Texts composed of relevant pieces.
fn uris() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("token"),
        Just("Signature"),
        Just("code"),
        Just("a"),
        Just("é"),
        Just("/"),
        Just("?"),
        Just("&"),
        Just("#"),
        Just(";"),
        Just("="),
        Just(":"),
        Just("@"),
        Just("://"),
        Just("%3F"),
        Just("%26"),
        Just("%3D"),
        Just("%23"),
        Just("%3B"),
        Just("%2F"),
        Just("%40"),
        Just("%3A"),
        Just("%3A%2F%2F"),
        Just("%253D"),
        Just("%2526"),
        Just("%25"),
        Just("25"),
        Just("3D"),
        Just("%"),
        Just(" "),
        Just("\""),
        Just("\\"),
        Just("\\u003d"),
        Just("\\u0026"),
        Just("&amp;"),
        Just("?token="),
        Just("&sig="),
        Just(";sig="),
        Just("%3Fsig%3D"),
        Just("%253Fsig%253D"),
        Just(" HTTP/1.1"),
        Just("REDACTED"),
        Just("\u{0}"),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

const KINDS: [TextKind; 3] = [TextKind::RequestUri, TextKind::Referer, TextKind::Line];

proptest! {
    #[test]
    fn twice_is_once(text in prop_oneof![4 => uris(), 1 => any::<String>()]) {
        for kind in KINDS {
            let once = redacted(&text, kind);
            prop_assert_eq!(redacted(&once, kind), once.as_str(), "{:?}", kind);
        }
    }

    #[test]
    fn what_is_no_candidate_stays(text in prop_oneof![uris(), any::<String>()]) {
        for kind in KINDS {
            prop_assert!(is_candidate(&text, kind) || redacted(&text, kind) == text);
        }
    }

    #[test]
    fn nothing_but_the_secret_changes(
        before in "[a-z/]{0,8}",
        name in 0..SECRET_PARAMETERS.len(),
        secret in "[!$-%'-~]{1,16}",
        // No name of a secret begins so.
        behind in "(&xx[a-z]{1,4}=[a-z]{0,4}){0,2}",
    ) {
        let name = SECRET_PARAMETERS[name].name;
        let line = |value: &str| format!("https://h.example/{before}?a=1&{name}={value}{behind}");
        prop_assert_eq!(redacted(&line(&secret), TextKind::Referer), line(REDACTED));
    }

    #[test]
    fn names_may_be_encoded(bits in any::<u32>(), name in 0..SECRET_PARAMETERS.len(), double in any::<bool>()) {
        let name = SECRET_PARAMETERS[name].name;
        let encode = |(at, byte): (usize, u8)| match (bits >> (at % 32) & 1 == 1, double) {
            (true, true) => format!("%25{byte:02x}"),
            (true, false) => format!("%{byte:02X}"),
            (false, _) => char::from(byte).to_string(),
        };
        let name: String = name.bytes().enumerate().map(encode).collect();
        prop_assert_eq!(redacted(&format!("/?{name}=abc"), TextKind::Referer), format!("/?{name}=REDACTED"));
    }
}

#[test]
fn fields_that_are_queries_by_themselves() {
    let redacted = |text: &str, kind| {
        let mut into = String::new();
        if redact(text, kind, &mut into) { into } else { text.to_owned() }
    };
    for (text, kind, expected) in [
        ("X-Amz-Signature=5f3a&x=1", TextKind::Query, "X-Amz-Signature=REDACTED&x=1"),
        ("query=X-Amz-Signature=5f3a&x=1", TextKind::Extra, "query=X-Amz-Signature=REDACTED&x=1"),
        ("X-Amz-Signature=5f3a", TextKind::Extra, "X-Amz-Signature=REDACTED"),
        ("plain", TextKind::Extra, "plain"),
        ("/k\tXX\tX-Amz-Signature=5f3a&a=b\tsid=1", TextKind::Line, "/k\tXX\tX-Amz-Signature=REDACTED&a=b\tsid=1"),
        ("{\"cs-uri-query\":\"Signature=5f3a&x=1\"}", TextKind::Line, "{\"cs-uri-query\":\"Signature=REDACTED&x=1\"}"),
        ("X-Amz-Signature=5f3a rest", TextKind::Line, "X-Amz-Signature=REDACTED rest"),
    ] {
        let once = redacted(text, kind);
        assert_eq!(once, expected, "{text}");
        assert_eq!(redacted(&once, kind), once, "{text}");
    }
}
