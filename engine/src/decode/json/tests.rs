use crate::decode::{Block, RecordsDecoder, RejectsDecoder};
use crate::schema::{Table, TextLayout};
use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;

fn block(text: &str) -> Block {
    Block::new("log", bytes::Bytes::copy_from_slice(text.as_bytes()))
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let row = |row| batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn read(table: Table, columns: &[&str], text: &str) -> Vec<Vec<String>> {
    rows(&RecordsDecoder::for_columns(table, columns).unwrap().decode(&block(text)).unwrap())
}

fn reasons(text: &str) -> Vec<String> {
    let batch = RejectsDecoder::new(&[3], TextLayout::Views).decode(&block(text)).unwrap();
    rows(&batch).into_iter().flatten().collect()
}

/// With the names of "Log format in CloudWatch Logs".
const RECORD: &str = r#"{"schema_version_id":"V_1_0","bucket_arn":"arn:aws:s3:::photos","bucket_name":"photos","request_time":"2026-01-15T10:22:41.358Z","bucket_owner_id":"a1b2","remote_ip":"192.0.2.3","requester":null,"request_id":"3E57","operation":"REST.GET.OBJECT","key_name":"a%2520b.jpg","request_uri":"GET /photos/a%20b.jpg HTTP/1.1","http_status":200,"error_code":null,"bytes_sent":2326,"object_size":2326,"total_time":34,"turn_around_time":33,"referer":"-","user_agent":"an \"agent\" \u00e9","tls_version":"TLSv1.3","acl_required":"Yes","new_field":7}"#;

#[test]
fn a_record_of_cloudwatch_is_a_row_of_logs() {
    let columns = [
        "bucket_owner",
        "bucket",
        "time",
        "remote_ip",
        "requester",
        "operation",
        "key",
        "http_status",
        "bytes_sent",
        "total_time",
        "referer",
        "user_agent",
        "tls_version",
        "acl_required",
        "extra_fields",
        "ambiguous",
        "object_key",
        "log_object",
    ];
    let expected = [
        "a1b2",
        "photos",
        "2026-01-15T10:22:41.358Z",
        "192.0.2.3",
        "",
        "REST.GET.OBJECT",
        "a%2520b.jpg",
        "200",
        "2326",
        "34",
        "",
        "an \"agent\" é",
        "TLSv1.3",
        "true",
        "[new_field=7]",
        "false",
        "a b.jpg",
        "log",
    ];
    for text in [format!("{RECORD}\n"), format!("2026-01-15T10:23:00.000Z {RECORD}\n\n{RECORD}")] {
        let found = read(Table::Logs, &columns, &text);
        assert!(found.iter().all(|row| *row == expected), "{found:#?}");
        assert_eq!(found.len(), text.matches("schema_version_id").count());
    }
    let found = read(Table::Requests, &["source", "method", "path", "status", "is_cdn_fetch", "scheme"], RECORD);
    assert_eq!(found, [["origin", "GET", "/photos/a%20b.jpg", "200", "false", "https"]]);
}

#[test]
fn names_are_taken_however_they_are_spelled() {
    let text = r#"{"BucketName":"photos","Time":"[15/Jan/2026:12:22:41 +0200]","remoteIp":"192.0.2.3","Operation":"REST.GET.OBJECT","httpStatus":"403"}
{"bucket":"photos","timestamp":"2026-01-15T10:22:41Z","operation":"REST.GET.OBJECT","request_id":null,"status":403,"acl_required":false}"#;
    let found = read(Table::Logs, &["bucket", "time", "http_status", "acl_required"], text);
    assert_eq!(found, [["photos", "2026-01-15T10:22:41Z", "403", ""]; 2]);
}

#[test]
fn a_yes_or_no_is_one_of_both_or_a_reject() {
    let acl =
        |written: &str| read(Table::Logs, &["acl_required"], &record_with(&format!(r#""acl_required":{written}"#)));
    for yes in [r#""Yes""#, r#""yes""#, "true", r#""True""#, "1"] {
        assert_eq!(acl(yes), [["true"]], "{yes}");
    }
    for no in [r#""No""#, r#""FALSE""#, "false", "0", r#""""#, "null", r#""-""#] {
        assert_eq!(acl(no), [[""]], "{no}");
    }
    assert_eq!(reasons(&record_with(r#""acl_required":"maybe""#)).len(), 1);
    assert_eq!(acl(r#""maybe""#).len(), 0);
}

/// An S3 record with its required fields, followed by `more`.
fn record_with(more: &str) -> String {
    format!(r#"{{"bucket_name":"b","operation":"x","remote_ip":null,"request_time":"2026-01-15T10:22:41Z",{more}}}"#)
}

#[test]
fn nested_values_of_unknown_names_are_kept_as_they_are_written() {
    for (more, expected) in [
        (r#""plain":"v","list":[1],"object":{"a":1}"#, r#"[plain=v, list=[1], object={"a":1}]"#),
        (r#""list":[],"object":{},"null":null"#, "[list=[], object={}]"),
        (r#""list" : [ 1.50, "\u00e9" , [null] ] , "plain":true"#, r#"[list=[ 1.50, "\u00e9" , [null] ], plain=true]"#),
        // Brackets and quotes inside strings and names.
        (r#""a[{\"":{"]}":["}\\","\"]"]},"b":["\\"]"#, r#"[a[{"={"]}":["}\\","\"]"]}, b=["\\"]]"#),
        (r#""twice":[1],"twice":[2]"#, "[twice=[1], twice=[2]]"),
    ] {
        let text = record_with(more);
        assert_eq!(read(Table::Logs, &["extra_fields"], &text), [[expected]], "{more}");
        assert_eq!(reasons(&text), [""; 0], "{more}");
    }
    // With invalid UTF-8, and after the timestamp that CloudWatch Logs writes.
    let line = [&b"2026-01-15T10:23:00.000Z "[..], record_with(r#""list":["?"]"#).as_bytes()].concat();
    let line: Vec<u8> = line.into_iter().map(|byte| if byte == b'?' { 0xFF } else { byte }).collect();
    let block = Block::new("log", bytes::Bytes::from(line));
    let batch = RecordsDecoder::for_columns(Table::Logs, &["extra_fields"]).unwrap().decode(&block).unwrap();
    assert_eq!(rows(&batch), [["[list=[\"\u{FFFD}\"]]"]]);
    // CDN records do not keep unknown names.
    let text = CDN.replace(r#""x-new":"y""#, r#""x-new":["y"]"#);
    assert_eq!(read(Table::Cdn, &["c_ip"], &text), [["2001:db8::3"]]);
}

#[test]
fn nested_values_are_as_deep_as_a_line_is_long() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = record_with(&format!(r#""deep":{deep}"#));
    assert_eq!(read(Table::Logs, &["extra_fields"], &text), [[format!("[deep={deep}]")]]);
}

#[test]
fn a_field_with_a_nested_value_makes_a_reject() {
    for (more, field) in [
        (r#""bytes_sent":[1]"#, "Bytes Sent"),
        (r#""key_name":{"a":1}"#, "Key"),
        (r#""acl_required":[]"#, "aclRequired"),
        // If two names stand for the same field, the first with a value wins.
        (r#""key":null,"key_name":["k"]"#, "Key"),
    ] {
        let text = record_with(more);
        let reason = format!("the value of {field} in the JSON object is an array or an object");
        assert_eq!(reasons(&text), [reason], "{more}");
        assert_eq!(read(Table::Logs, &["key"], &text).len(), 0, "{more}");
    }
    let text = record_with(r#""key":"k","key_name":["l"],"bucket_arn":{"of":"others"}"#);
    assert_eq!(read(Table::Logs, &["key"], &text), [["k"]]);
    for (plain, nested, field) in
        [(r#""asn":"64496""#, r#""asn":["64496"]"#, "asn"), (r#""date":"2026-01-15""#, r#""date":{}"#, "date time")]
    {
        let reason = format!("the value of {field} in the JSON object is an array or an object");
        assert_eq!(reasons(&CDN.replace(plain, nested)), [reason]);
    }
}

/// CloudFront "standard logging (v2)" as JSON.
const CDN: &str = r#"{"date":"2026-01-15","time":"10:22:41","x-edge-location":"AMS1-C1","sc-bytes":"964","c-ip":"2001:db8::3","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/a\tb","sc-status":"200","cs(User-Agent)":"curl/8","time-taken":"0.358","asn":"64496","c-country":"NL","x-new":"y"}"#;

#[test]
fn a_cdn_record_is_a_row_of_cdn() {
    let columns =
        ["time", "sc_bytes", "c_ip", "cs_uri_stem", "sc_status", "time_taken", "asn", "c_country", "cs_cookie"];
    let expected = ["2026-01-15T10:22:41Z", "964", "2001:db8::3", "/a%09b", "200", "0.358", "64496", "NL", ""];
    assert_eq!(read(Table::Cdn, &columns, &format!("{CDN}\n")).concat().len(), columns.len());
    let mut found = read(Table::Cdn, &columns, CDN).remove(0);
    let mut expected: Vec<_> = expected.map(str::to_owned).into();
    // Columns are in table order.
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let found = read(Table::Requests, &["source", "client_ip", "total_time_ms", "object_key"], CDN);
    assert_eq!(found, [["cdn", "2001:db8::3", "a\tb", "358"]]);
}

#[test]
fn objects_of_both_kinds_are_told_apart() {
    let text = format!("{CDN}\n{RECORD}\n{CDN}\n");
    assert_eq!(read(Table::Logs, &["bucket"], &text), [["photos"]]);
    assert_eq!(read(Table::Cdn, &["c_ip"], &text).len(), 2);
    let sources = read(Table::Requests, &["source", "log_object"], &text);
    assert_eq!(sources, [["origin", "log"], ["cdn", "log"], ["cdn", "log"]]);
    let mut decoder = RecordsDecoder::for_columns(Table::Logs, &["bucket"]).unwrap();
    decoder.decode(&block(&text)).unwrap();
    assert_eq!((decoder.counts().rows, decoder.counts().others, decoder.counts().rejects), (1, 2, 0));
}

#[test]
fn what_is_no_record_says_why() {
    for (line, reason) in [
        (r#"{"bucket_name":"photos""#, "the line is no JSON object, or it was cut"),
        (r#"{"bucket_name":"photos"} x"#, "the line is no JSON object, or it was cut"),
        ("garbage", "the line is no JSON object, or it was cut"),
        (r#"{"level":"info","msg":"x"}"#, "a JSON object whose names are those of no access log"),
        (
            r#"{"time":"2026-01-15T10:22:41Z","bucket":"b","op":"x","status":200}"#,
            "a JSON object whose names are those of no access log",
        ),
        (
            r#"{"timestamp":"2026-01-15T10:22:41Z","operation":"compact"}"#,
            "a JSON object whose names are those of no access log",
        ),
        (r#"{"bucket_name":"b","operation":"x","remote_ip":null}"#, "the JSON object has no Time"),
        (
            r#"{"bucket_name":"b","operation":"x","remote_ip":null,"request_time":15}"#,
            "the value of Time in the JSON object cannot be understood",
        ),
        (
            r#"{"bucket_name":"b","operation":"x","remote_ip":null,"request_time":"2026-01-15T10:22:41Z","bytes_sent":"many"}"#,
            "the value of Bytes Sent in the JSON object cannot be understood",
        ),
        (
            r#"{"bucket_name":"b","operation":"x","remote_ip":null,"request_time":"2026-01-15T10:22:41Z","http_status":2000}"#,
            "the value of HTTP status in the JSON object cannot be understood",
        ),
        (
            r#"{"bucket_name":null,"operation":"x","remote_ip":null,"request_time":"2026-01-15T10:22:41Z"}"#,
            "the JSON object has no Bucket",
        ),
        (
            r#"{"c-ip":"192.0.2.3","cs-uri-stem":"/","sc-status":"2x0","date":"2026-01-15","time":"10:22:41"}"#,
            "in the JSON object, sc-status is neither `-` nor a status of three digits",
        ),
    ] {
        let text = format!("{RECORD}\n{line}\n");
        assert_eq!(reasons(&text), [reason], "{line}");
        assert_eq!(read(Table::Logs, &["bucket"], &text).len(), 1, "{line}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_replaced() {
    let line =
        [&br#"{"bucket_name":"photos","operation":"x","remote_ip":null,"request_time":"2026-01-15T10:22:41Z","user_agent":"a"#[..], b"\xFF\"}"].concat();
    let block = Block::new("log", bytes::Bytes::from(line));
    let batch = RecordsDecoder::for_columns(Table::Logs, &["user_agent"]).unwrap().decode(&block).unwrap();
    assert_eq!(rows(&batch), [["a\u{FFFD}"]]);
}
