use super::line::{key_of_path, numbered, operation_of};
use super::*;
use s3log_parser::{Field, Parser};

fn case_of(text: &str, entity: Entity) -> Result<Case, (Option<usize>, Problem)> {
    toml::from_str::<RawCase>(text).unwrap().case(entity)
}

fn rows(rows: &str) -> Case {
    case_of(&format!("name = \"t\"\nrows = [{rows}]\nexpect = []"), Entity::Src).unwrap()
}

/// These fields of every line, separated by spaces; lines separated by ` | `.
fn fields(log: &str, fields: &[Field]) -> String {
    let line = |line: &str| {
        let record = Parser::new().parse(line.as_bytes()).map(|record| {
            assert!(!record.is_ambiguous(), "{line}");
            assert_eq!((record.field_count(), record.extra_fields().count()), (27, 0), "{line}");
            let texts =
                fields.iter().map(|field| record.text(*field).map_or_else(|| "-".to_owned(), ToString::to_string));
            texts.collect::<Vec<_>>().join(" ")
        });
        record.unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    log.lines().map(line).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_row_is_a_line_of_27_fields() {
    assert_eq!(
        rows("{}").log(),
        "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9 b [02/Mar/2026:10:00:00 +0000] 203.0.113.1 - \
         9E3779B97F4A7C15 REST.GET.BUCKET - \"GET / HTTP/1.1\" 200 - 1500 - 20 15 \"-\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) \
         AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\" - 9e3779b97f4a7c150123456789abcdefEXAMPLE= - \
         TLS_AES_128_GCM_SHA256 - b.s3.us-east-1.amazonaws.com TLSv1.3 - - us-east-1\n"
    );
}

#[test]
fn what_follows_from_what_is_said() {
    use Field::*;
    let answer = [Operation, Key, RequestUri, HttpStatus, ErrorCode, BytesSent, ObjectSize];
    for (row, expected) in [
        ("{key='a.txt'}", "REST.GET.OBJECT a.txt GET /a.txt HTTP/1.1 200 - 2048 2048"),
        (
            "{key='a.txt', status=206, bytes_sent=10, object_size=99}",
            "REST.GET.OBJECT a.txt GET /a.txt HTTP/1.1 206 - 10 99",
        ),
        ("{key='a', status=403}", "REST.GET.OBJECT a GET /a HTTP/1.1 403 AccessDenied 243 -"),
        ("{key='a', status=404}", "REST.GET.OBJECT a GET /a HTTP/1.1 404 NoSuchKey 281 -"),
        ("{key='a', status=304}", "REST.GET.OBJECT a GET /a HTTP/1.1 304 - - -"),
        (
            "{key='a', status=403, error_code='SignatureDoesNotMatch'}",
            "REST.GET.OBJECT a GET /a HTTP/1.1 403 SignatureDoesNotMatch 243 -",
        ),
        ("{key='a', status=403, error_code='-'}", "REST.GET.OBJECT a GET /a HTTP/1.1 403 - 243 -"),
        ("{key='a', method='HEAD', status=404}", "REST.HEAD.OBJECT a HEAD /a HTTP/1.1 404 NoSuchKey - -"),
        ("{key='a', method='PUT'}", "REST.PUT.OBJECT a PUT /a HTTP/1.1 200 - - 2048"),
        ("{key='a', operation='REST.DELETE.OBJECT'}", "REST.DELETE.OBJECT a DELETE /a HTTP/1.1 204 - - 2048"),
        ("{status=404}", "REST.GET.BUCKET - GET / HTTP/1.1 404 NoSuchBucket 281 -"),
        ("{query='list-type=2&prefix=a'}", "REST.GET.BUCKET - GET /?list-type=2&prefix=a HTTP/1.1 200 - 1500 -"),
        ("{query='versions'}", "REST.GET.BUCKETVERSIONS - GET /?versions HTTP/1.1 200 - 1500 -"),
        (
            "{operation='REST.GET.BUCKETPOLICY', status=404}",
            "REST.GET.BUCKETPOLICY - GET /?policy HTTP/1.1 404 NoSuchBucketPolicy 281 -",
        ),
        ("{operation='REST.PUT.LOGGING_STATUS'}", "REST.PUT.LOGGING_STATUS - PUT /?logging HTTP/1.1 200 - - -"),
        ("{method='POST', query='delete'}", "REST.POST.MULTI_OBJECT_DELETE - POST /?delete HTTP/1.1 200 - 1500 -"),
        ("{key='a', query='acl'}", "REST.GET.ACL a GET /a?acl HTTP/1.1 200 - 1500 -"),
        (
            "{key='a', method='PUT', query='partNumber=2&uploadId=x'}",
            "REST.PUT.PART a PUT /a?partNumber=2&uploadId=x HTTP/1.1 200 - - -",
        ),
        ("{key='a', version_id='v1'}", "REST.GET.OBJECT a GET /a?versionId=v1 HTTP/1.1 200 - 2048 2048"),
        (
            "{method='OPTIONS', key='a', status=403}",
            "REST.OPTIONS.PREFLIGHT a OPTIONS /a HTTP/1.1 403 AccessDenied 243 -",
        ),
        ("{uri='/a/../b%20c?x=1'}", "REST.GET.OBJECT a/../b%2520c GET /a/../b%20c?x=1 HTTP/1.1 200 - 2048 2048"),
        ("{uri='/?versions'}", "REST.GET.BUCKETVERSIONS - GET /?versions HTTP/1.1 200 - 1500 -"),
        (
            "{uri='http://example.com/x', status=400}",
            "REST.GET.BUCKET - GET http://example.com/x HTTP/1.1 400 InvalidArgument 300 -",
        ),
        (
            "{key='my file+ü=1.txt'}",
            "REST.GET.OBJECT my%2520file%252B%25C3%25BC%253D1.txt GET /my%20file%2B%C3%BC%3D1.txt HTTP/1.1 200 - 2048 2048",
        ),
        ("{operation='BATCH.DELETE.OBJECT', key='a b'}", "BATCH.DELETE.OBJECT a%20b - 204 - - 2048"),
        ("{operation='S3.EXPIRE.OBJECT', key='a b'}", "S3.EXPIRE.OBJECT a%20b - - - - 2048"),
        ("{operation='REST.COPY.OBJECT', key='a'}", "REST.COPY.OBJECT a PUT /a HTTP/1.1 200 - - 2048"),
    ] {
        assert_eq!(fields(&rows(row).log(), &answer), expected, "{row}");
    }
    let who = [RemoteIp, Requester, AuthenticationType, SignatureVersion, HostHeader];
    for (row, expected) in [
        ("{src='2001:db8::1', bucket='x'}", "2001:db8::1 - - - x.s3.us-east-1.amazonaws.com"),
        (
            "{requester='arn:aws:iam::123456789012:user/a'}",
            "203.0.113.1 arn:aws:iam::123456789012:user/a AuthHeader SigV4 b.s3.us-east-1.amazonaws.com",
        ),
        ("{key='a', query='X-Amz-Signature=0'}", "203.0.113.1 - QueryString SigV4 b.s3.us-east-1.amazonaws.com"),
        ("{authentication_type='AuthHeader', host='x'}", "203.0.113.1 - AuthHeader SigV4 x"),
        ("{operation='S3.EXPIRE.OBJECT', key='a'}", "- AmazonS3 - - -"),
    ] {
        assert_eq!(fields(&rows(row).log(), &who), expected, "{row}");
    }
    let signed = fields(&rows("{key='a', authentication_type='QueryString'}").log(), &[RequestUri, UserAgent]);
    assert!(
        signed.starts_with("GET /a?X-Amz-Algorithm=")
            && signed.contains("&X-Amz-Signature=")
            && signed.contains("Mozilla"),
        "{signed}"
    );
    let agents = rows("{requester='arn:x'}, {user_agent='-'}, {referer='https://example.com/'}");
    let agents = fields(&agents.log(), &[Referer, UserAgent]);
    assert!(agents.starts_with("- aws-cli/") && agents.contains("| - - | https://example.com/ Mozilla"), "{agents}");
}

#[test]
fn times_go_on() {
    let log = rows("{}, {}, {ts='+5m', repeat=2, every='1m'}, {}, {ts='2026-03-04T00:00:00Z'}, {ts='-1h'}, {repeat=2, every='500ms'}").log();
    let times: Vec<_> =
        log.lines().map(|line| &line[line.find('[').unwrap() + 1..line.find(" +0000]").unwrap()]).collect();
    assert_eq!(
        times,
        [
            "02/Mar/2026:10:00:00",
            "02/Mar/2026:10:00:01",
            "02/Mar/2026:10:05:00",
            "02/Mar/2026:10:06:00",
            "02/Mar/2026:10:06:01",
            "04/Mar/2026:00:00:00",
            "02/Mar/2026:09:00:00",
            "02/Mar/2026:09:00:01",
            "02/Mar/2026:09:00:01",
        ]
    );
    let offsets = rows("{ts='2026-01-31T23:59:30Z'}, {ts='+1m'}").log();
    assert!(
        offsets.contains("[31/Jan/2026:23:59:30 +0000]") && offsets.contains("[01/Feb/2026:00:00:30 +0000]"),
        "{offsets}"
    );
    let case = case_of("name='t'\nrows=[{}]\nhistory_rows=[{},{ts='+1d'}]\nexpect=[]", Entity::Src).unwrap();
    let history = case.history_log().unwrap();
    assert!(
        history.contains("[16/Feb/2026:10:00:00 +0000]") && history.contains("[17/Feb/2026:10:00:00 +0000]"),
        "{history}"
    );
    assert_eq!(rows("{}").history_log(), None);
}

#[test]
fn rows_are_repeated_with_numbers() {
    let log = rows("{repeat=3, src='203.0.113.{i+7}', key='img/{i:04}.{i%2}'}").log();
    assert_eq!(
        fields(&log, &[Field::RemoteIp, Field::Key]),
        "203.0.113.7 img/0000.0 | 203.0.113.8 img/0001.1 | 203.0.113.9 img/0002.0"
    );
    for (text, i, expected) in [
        ("", 1, ""),
        ("{i}{i}", 12, "1212"),
        ("{i/10%7:03}", 94, "002"),
        ("{i*2+1}", 4, "9"),
        ("{{i}}", 1, "{1}"),
        ("{ i } {id} {i+} {i/0} {i:x} {i:99} {i", 1, "{ i } {id} {i+} {i/0} {i:x} {i:99} {i"),
        ("${jndi:ldap://x} {{7*7}}", 1, "${jndi:ldap://x} {{7*7}}"),
        ("{i*18446744073709551615}", 2, "{i*18446744073709551615}"),
        ("ü{i}ü", 1, "ü1ü"),
        ("{iü}{i+ü}", 1, "{iü}{i+ü}"),
    ] {
        assert_eq!(numbered(text, i), expected, "{text}");
    }
}

#[test]
fn whatever_a_row_says_is_a_record() {
    let texts = [
        "",
        "-",
        " ",
        "a b",
        "\"",
        "\\\"",
        "a\" 200 - \"",
        "'",
        "\n",
        "\r\n",
        "\t",
        "\u{0}",
        "%",
        "%00",
        "%zz",
        "%0d%0a",
        "ü€𝄞",
        "{i}",
        "{i",
        "[x]",
        "../../etc/passwd",
        "${jndi:ldap://x/a}",
        "<script>alert(1)</script>",
        "a?b#c",
        "//",
        "\u{2028}",
        "?",
        "http://x/ y",
    ];
    let columns = [
        "requester",
        "bucket",
        "operation",
        "method",
        "key",
        "uri",
        "query",
        "error_code",
        "referer",
        "user_agent",
        "version_id",
        "authentication_type",
        "host",
    ];
    for column in columns {
        for text in texts {
            let value = toml::Value::String(text.to_owned());
            let table = toml::Table::from_iter([(column.to_owned(), value)]);
            let row: Row = toml::Value::Table(table).try_into().unwrap();
            row.check().unwrap();
            let mut log = String::new();
            row.render(&mut Clock::of_rows(), &mut log);
            assert_eq!(log.lines().count(), 1, "{column} {text:?}: {log}");
            let line = log.trim_end_matches('\n');
            let record = Parser::new().parse(line.as_bytes());
            assert!(record.is_ok(), "{column} {text:?}: {line}: {:?}", record.err());
        }
    }
}

#[test]
fn raw_lines_stand_behind_rows() {
    let line = rows("{key='x'}").log();
    let text = format!("name='t'\nrows=[{{}}]\nlog='''\n\n  {line}\n'''\nexpect=[]");
    let log = case_of(&text, Entity::Src).unwrap().log();
    assert_eq!(fields(&log, &[Field::Operation]), "REST.GET.BUCKET | REST.GET.OBJECT");
}

#[test]
fn paths_and_operations() {
    for (path, key) in
        [("/", None), ("x", None), ("/a%2fb%", Some("a/b%")), ("/%zz", Some("%zz")), ("/%C3%BC", Some("ü"))]
    {
        assert_eq!(key_of_path(path).as_deref(), key.map(str::as_bytes), "{path}");
    }
    for (method, has_key, query, operation) in [
        ("GET", false, Some("list-type=2"), "REST.GET.BUCKET"),
        ("GET", true, Some("versionId=x"), "REST.GET.OBJECT"),
        ("GET", true, Some("tagging"), "REST.GET.OBJECT_TAGGING"),
        ("GET", false, Some("tagging"), "REST.GET.TAGGING"),
        ("POST", true, Some("uploads"), "REST.POST.UPLOADS"),
        ("TRACE", false, None, "REST.TRACE.BUCKET"),
    ] {
        assert_eq!(operation_of(method, has_key, query), operation);
    }
}

#[test]
fn expectations_are_compared() {
    let text = "name='t'\nrows=[{}]\nexpect=[{src='203.0.113.9', confidence='>=0.7'}, {src='2001:db8::1', bucket='b'}, {src='192.0.2.1', confidence='0.3..0.5'}]";
    let case = case_of(text, Entity::Src).unwrap();
    let found = |src: &str, bucket: Option<&str>, confidence| Found {
        src: Some(src.to_owned()),
        bucket: bucket.map(str::to_owned),
        confidence,
        ..Found::default()
    };
    let good = [
        found("203.0.113.9", None, 0.2),
        found("203.0.113.9", None, 0.7),
        found("2001:db8::/64", Some("b"), 0.1),
        found("192.0.2.1", None, 0.5),
    ];
    assert_eq!(case.verify(&good), [""; 0]);
    let bad = [found("203.0.113.9", None, 0.2), found("2001:db8::/64", Some("c"), 0.1), found("192.0.2.1", None, 0.51)];
    assert_eq!(
        case.verify(&bad),
        [
            "src 203.0.113.9 has a confidence of 0.200, which is not >=0.7",
            "src 2001:db8::/64, bucket b is not found",
            "src 192.0.2.1 has a confidence of 0.510, which is not 0.3..0.5",
            "src 2001:db8::/64, bucket c with a confidence of 0.100 is found, but must not be",
        ]
    );
    assert!(case.fires());
    assert_eq!(
        rows("{}").verify(&[found("192.0.2.9", None, 1.0)]),
        ["src 192.0.2.9 with a confidence of 1.000 is found, but must not be"]
    );
}

#[test]
fn confidences_are_as_expected_or_not() {
    for (text, inside, outside) in [
        (">=0.7", 0.7, 0.69),
        (">0.7", 0.71, 0.7),
        ("<=0.3", 0.1 + 0.2, 0.31),
        ("<0.3", 0.29, 0.3),
        ("0.9", 0.905, 0.906),
        ("= 0.9", 0.9, 0.8),
        ("0.3..0.5", 0.3, 0.6),
    ] {
        let expectation = Expectation::parse(text).unwrap();
        assert!(expectation.is_met_by(inside) && !expectation.is_met_by(outside), "{text}");
        assert_eq!(Expectation::parse(&expectation.to_string()), Some(expectation));
    }
    for text in ["", "high", ">=", "1.5", "-0.1", "0.3..", "nan", "0.3-0.5"] {
        assert_eq!(Expectation::parse(text), None, "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_test() {
    let row = |row: &str| format!("name='t'\nrows=[{row}]\nexpect=[]");
    let expect = |expect: &str| format!("name='t'\nrows=[{{}}]\nexpect=[{expect}]");
    for (text, message, hint) in [
        ("name=' '\nrows=[{}]\nexpect=[]".to_owned(), "a test has no name", "say what it shows"),
        (
            "name='t'\nrows=[{}]".to_owned(),
            "the test `t` expects nothing",
            "`expect = []` says that no row may be returned",
        ),
        (
            "name='t'\nexpect=[]".to_owned(),
            "the test `t` has no request",
            "add `rows = [ {src = \"203.0.113.9\", key = \".env\", status = 403} ]`",
        ),
        (
            row("{src='203.0.113.{i}', repeat=300}"),
            "`203.0.113.299` is not an address",
            "such as \"203.0.113.9\", \"203.0.113.{i%250}\", or \"-\" for the service itself",
        ),
        (row("{repeat=0}"), "`repeat = 0` is not a number of requests", "from 1 to 20000"),
        (
            row("{ts='5m'}"),
            "`ts = \"5m\"` is not a time",
            "such as \"2026-03-02T11:30:00Z\", or \"+5m\" after the first row",
        ),
        (row("{every='soon'}"), "`every = \"soon\"` is not a duration", "such as \"10s\" or \"1h\""),
        (row("{status=42}"), "`status = 42` is not an HTTP status", "such as 200 or 403"),
        (row("{uri='/', query='x'}"), "a row has `uri` and `query`", "`uri` is path and query; leave `query` out"),
        (expect("{confidence=0.5}"), "a row of `expect` does not say which `src`", "the rule is about `src`"),
        (
            expect("{src='192.0.2.1', confidence='high'}"),
            "`confidence = \"high\"` is not a bound of the confidence",
            "such as \">=0.7\", \"<0.3\", \"0.9\" or \"0.3..0.5\"",
        ),
        (
            "name='t'\nrows=[{}]\nexpect=[]\ncdn=['192.0.2.0/33']".to_owned(),
            "`192.0.2.0/33` is neither an address nor a network",
            "such as \"203.0.113.9\" or \"203.0.113.0/24\"",
        ),
    ] {
        let (_, problem) = case_of(&text, Entity::Src).unwrap_err();
        let error = problem.without_place();
        assert_eq!((error.to_string().as_str(), error.hint()), (message, Some(hint)), "{text}");
    }
}
