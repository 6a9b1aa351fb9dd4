//! CDN log lines with hand-written expectations, checked against both the parser and the reference.
//!
//! A case consists of a header (`none`, or field names), a line in which `|` stands for a tab and `{xFF}` for a byte,
//! and a list of `field=value`; see [`value_of`] for the supported names.

use super::parsed::parsed;
use super::reference::{self, RefRecord};
use s3log_parser::cdn::{Field, Header, Parser};

/// Replacements of the names in braces.
const PIECES: [(&str, &str); 4] = [
    ("{33}", "{26}|52834|0.102|Hit|text/html|2024|0|1023"),
    ("{26}", "{19}|198.51.100.7|TLSv1.3|TLS_AES_128_GCM_SHA256|Miss|HTTP/2.0|Processed|4"),
    ("{19}", "{12}|theme=dark|Hit|EXAMPLE0EXAMPLE==|www.example.com|https|305|0.358"),
    (
        "{12}",
        "2026-01-15|10:22:41|FRA56-P4|2390|192.0.2.3|GET|d111111abcdef8.cloudfront.net|/a.jpg|200|-|curl/8.5.0|x=1",
    ),
];

/// Generates one test per line: `name: header, line => "field=value" …;`, or with `"reject=Kind"` or `"row"` as only
/// expectation.
macro_rules! cases {
    ($($name:ident: $header:expr, $line:expr => $($expected:literal)+;)*) => {
        $(#[test]
        fn $name() {
            check($header, $line, &[$($expected),+]);
        })*
    };
}

const NONE: &str = "none";
/// The minimal header.
const SHORT: &str = "date time c-ip cs-uri-stem sc-status";

fn expanded(template: &str) -> Vec<u8> {
    let mut text = template.to_owned();
    for (name, piece) in PIECES {
        text = text.replace(name, piece);
    }
    let text = text.replace('|', "\t");
    let mut bytes = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("{x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&behind[..2], 16).unwrap_or_else(|error| panic!("{template}: {error}")));
        rest = &behind[3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn check(names: &str, template: &str, expected: &[&str]) {
    let line = expanded(template);
    let header_line = (names != NONE).then(|| format!("#Fields: {names}").into_bytes());
    let header = header_line.as_deref().and_then(Header::parse);
    let by_reference = reference::read(&line, header_line.as_deref().and_then(reference::header).as_deref());
    let by_parser = parsed(&line, header.as_ref());
    if let [reject] = expected
        && let Some(kind) = reject.strip_prefix("reject=")
    {
        let found = Parser::new().parse(&line, header.as_ref()).err().map(|error| format!("{:?}", error.kind()));
        assert_eq!(found.as_deref(), Some(kind), "{}", line.escape_ascii());
        assert_eq!(by_reference, None, "the reference takes {} for a record", line.escape_ascii());
        return;
    }
    for (who, record) in [("parser", by_parser), ("reference", by_reference)] {
        let Some(record) = record else { panic!("{who} rejects {}", line.escape_ascii()) };
        for expectation in expected.iter().filter(|expectation| **expectation != "row") {
            let Some((name, value)) = expectation.split_once('=') else { panic!("no value in {expectation}") };
            let found = value_of(&record, name).escape_ascii().to_string();
            assert_eq!(found, expanded(value).escape_ascii().to_string(), "{who}: {name} of {}", line.escape_ascii());
        }
    }
}

/// A value in the notation of the expectations: `NULL`, decimal numbers, `time` in microseconds. The prefix `raw.`
/// asks for the text as written, `millis.` for milliseconds, `number.` for an integer.
fn value_of(record: &RefRecord, name: &str) -> Vec<u8> {
    let number = |number: Option<i64>| number.map_or(b"NULL".to_vec(), |number| number.to_string().into_bytes());
    let field = |name: &str| Field::from_name(name).unwrap_or_else(|| panic!("no field {name}")).index();
    match name.split_once('.') {
        Some(("raw", name)) => record.raw[field(name)].clone().map_or(b"NULL".to_vec(), Vec::from),
        Some(("millis", name)) => number(record.millis[field(name)]),
        Some(("number", name)) => number(record.integers[field(name)]),
        _ if name == "time" => number(record.time),
        _ if name == "status" => number(record.status.map(i64::from)),
        _ if name == "cells" => record.cells.to_string().into_bytes(),
        _ => record.text[field(name)].clone().map_or(b"NULL".to_vec(), Vec::from),
    }
}

// Columns, identified by name or by number.
cases! {
    all_33_columns: NONE, "{33}" =>
        "time=1768472561000000" "x_edge_location=FRA56-P4" "number.sc_bytes=2390" "c_ip=192.0.2.3" "cs_method=GET"
        "cs_host=d111111abcdef8.cloudfront.net" "cs_uri_stem=/a.jpg" "status=200" "cs_referer=NULL" "raw.cs_referer=-"
        "cs_user_agent=curl/8.5.0" "cs_uri_query=x=1" "cs_cookie=theme=dark" "x_edge_result_type=Hit"
        "x_edge_request_id=EXAMPLE0EXAMPLE==" "x_host_header=www.example.com" "cs_protocol=https" "number.cs_bytes=305"
        "time_taken=0.358" "millis.time_taken=358" "x_forwarded_for=198.51.100.7" "ssl_protocol=TLSv1.3"
        "ssl_cipher=TLS_AES_128_GCM_SHA256" "x_edge_response_result_type=Miss" "cs_protocol_version=HTTP/2.0"
        "fle_status=Processed" "number.fle_encrypted_fields=4" "number.c_port=52834" "millis.time_to_first_byte=102"
        "x_edge_detailed_result_type=Hit" "sc_content_type=text/html" "number.sc_content_len=2024"
        "number.sc_range_start=0" "number.sc_range_end=1023" "raw.distribution_id=NULL" "cells=33";
    columns_of_2018: NONE, "{26}" => "number.fle_encrypted_fields=4" "raw.c_port=NULL";
    columns_of_2014: NONE, "{19}" => "millis.time_taken=358" "raw.x_forwarded_for=NULL";
    columns_of_2010: NONE, "{12}" => "cs_uri_query=x=1" "raw.cs_cookie=NULL";
    columns_of_2009: NONE, "2009-06-01|10:22:41|IAD2|1|192.0.2.3|GET|h|/a|200|-|curl" => "cs_user_agent=curl" "raw.cs_uri_query=NULL";
    columns_that_no_log_had: NONE, "{12}|-" => "reject=Header";
    a_header_goes_before_the_number: "time date sc-status c-ip cs-uri-stem cs(Host) sc-bytes cs-method a b c",
        "10:22:41|2026-01-15|404|192.0.2.3|/a|h|5|GET|1|2|3" => "status=404" "cs_method=GET" "number.sc_bytes=5" "raw.time=NULL"
        "time=1768472561000000";
    a_log_of_streams: "date time x-edge-location c-ip x-event sc-bytes x-cf-status x-cf-client-id cs-uri-stem cs-uri-query c-referrer x-page-url c-user-agent x-sname x-sname-query x-file-ext x-sid",
        "2010-03-12|23:51:20|SEA4|192.0.2.147|connect|2014|OK|bfd8a98bee0840d9|rtmp://shqshne4jdp4b6.cloudfront.net/cfx/st|key=value|-|-|LNX%2010,0,32,18|-|-|-|-" =>
        "c_ip=192.0.2.147" "number.sc_bytes=2014" "raw.sc_status=NULL" "cs_uri_query=key=value";
    names_in_any_case: "DATE Time C-IP cs-URI-stem SC-status CS(HOST)", "2026-01-15|10:22:41|192.0.2.3|/a|200|h" => "cs_host=h";
    names_of_today: "timestamp(ms) DistributionId c-country asn origin-fbl c-ip cs-uri-stem sc-status",
        "1768472561358|EXAMPLE|DE|64496|0.1|2001:db8::1|/a|200" =>
        "time=1768472561358000" "distribution_id=EXAMPLE" "c_country=DE" "number.asn=64496" "raw.time=1768472561358";
    other_names: "date time c-ip cs-uri-stem sc-status cs-host cs-referer cs-user-agent cs-cookie distributionid",
        "2026-01-15|10:22:41|192.0.2.3|/a|200|www|r|u|c|E1" =>
        "x_host_header=www" "cs_host=NULL" "cs_referer=r" "cs_user_agent=u" "cs_cookie=c" "distribution_id=E1";
    names_twice: "date time c-ip cs-uri-stem sc-status c-ip cs-host x-host-header", "2026-01-15|10:22:41|1|/a|200|2|3|4" =>
        "c_ip=1" "x_host_header=4";
    no_time_is_named: "date c-ip cs-uri-stem sc-status", "2026-01-15|192.0.2.3|/a|200" => "reject=Unnamed";
    no_address_is_named: "date time cs-uri-stem sc-status", "2026-01-15|10:22:41|/a|200" => "reject=Unnamed";
    no_stem_is_named: "date time c-ip sc-status", "2026-01-15|10:22:41|192.0.2.3|200" => "reject=Unnamed";
    no_status_is_named: "date time c-ip cs-uri-stem", "2026-01-15|10:22:41|192.0.2.3|/a" => "reject=Unnamed";
    no_names: "", "{33}" => "reject=Unnamed";
}

// Cells: tabs, NULL, missing and surplus ones.
cases! {
    dashes_are_null: NONE, "2026-01-15|10:22:41|-|-|-|-|-|-|-|-|-|-" =>
        "c_ip=NULL" "raw.c_ip=-" "status=NULL" "number.sc_bytes=NULL" "cs_uri_stem=NULL";
    empty_cells_are_null: NONE, "2026-01-15|10:22:41||||||||||" => "c_ip=NULL" "raw.c_ip=" "status=NULL";
    a_tab_at_the_end: NONE, "{33}|" => "number.sc_range_end=1023" "cells=34";
    a_tab_at_the_end_of_an_old_line: NONE, "{12}|" => "cs_uri_query=x=1" "raw.cs_cookie=NULL";
    a_tab_and_a_carriage_return: NONE, "{12}|{x0D}" => "cs_uri_query=x=1";
    a_carriage_return: NONE, "{33}{x0D}" => "number.sc_range_end=1023" "raw.sc_range_end=1023";
    one_carriage_return_only: NONE, "{33}{x0D}{x0D}" => "reject=Number";
    a_carriage_return_inside: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a{x0D}b|200" => "cs_uri_stem=/a{x0D}b";
    surplus_cells: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a|200|more|and more" => "status=200" "cells=7";
    as_far_as_the_status: "date time c-ip cs-uri-stem sc-status cs-method sc-bytes", "2026-01-15|10:22:41|192.0.2.3|/a|200" =>
        "status=200" "raw.cs_method=NULL" "raw.sc_bytes=NULL";
    cut_before_the_status: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a" => "reject=Missing";
    cut_within_the_status: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a|20" => "reject=Status";
    cut_before_the_time: "sc-status c-ip cs-uri-stem date time", "200|192.0.2.3|/a|2026-01-15" => "reject=Missing";
    cut_before_the_address: "sc-status date time cs-uri-stem c-ip", "200|2026-01-15|10:22:41" => "raw.c_ip=NULL" "status=200";
    a_line_of_31_columns: "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie)",
        "{12}" => "cs_uri_query=x=1" "raw.cs_cookie=NULL";
    spaces_end_no_cell: NONE, "2026-01-15 10:22:41 FRA56 2390 192.0.2.3 GET h /a 200 - curl -" => "reject=Header";
    spaces_in_a_cell: NONE, "{12}|-|Hit|EXAMPLE==|h|https|305|0.358|198.51.100.7, 203.0.113.9, 192.0.2.1|-|-|Hit" =>
        "x_forwarded_for=198.51.100.7, 203.0.113.9, 192.0.2.1";
    quotes_are_data: SHORT, "2026-01-15|10:22:41|192.0.2.3|\"/a|200" => "cs_uri_stem=\"/a";
    an_encoded_tab_is_data: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a%09404%2509|200" => "cs_uri_stem=/a%09404%2509" "status=200";
    invalid_utf8_is_data: SHORT, "2026-01-15|10:22:41|192.0.2.3|/{xFF}|200" => "cs_uri_stem=/{xFF}";
    a_line_feed_is_data: SHORT, "2026-01-15|10:22:41|192.0.2.3|/{x0A}|200" => "cs_uri_stem=/{x0A}" "status=200";
    nothing: SHORT, "" => "reject=Missing";
    nothing_without_a_header: NONE, "" => "reject=Header";
}

// Time, status and numbers are validated in every line.
cases! {
    an_impossible_month: SHORT, "2023-13-05|10:22:41|192.0.2.3|/a|200" => "reject=Date";
    an_impossible_day: SHORT, "2023-02-29|10:22:41|192.0.2.3|/a|200" => "reject=Date";
    letters_in_a_date: SHORT, "20yy-05-24|10:22:41|192.0.2.3|/a|200" => "reject=Date";
    an_impossible_time: SHORT, "2026-01-15|24:00:00|192.0.2.3|/a|200" => "reject=Time";
    a_leap_second: SHORT, "2016-12-31|23:59:60|192.0.2.3|/a|200" => "time=1483228800000000";
    no_date: SHORT, "-|10:22:41|192.0.2.3|/a|200" => "reject=NoTime";
    no_time: SHORT, "2026-01-15||192.0.2.3|/a|200" => "reject=NoTime";
    milliseconds_go_before_seconds: "date time timestamp timestamp(ms) c-ip cs-uri-stem sc-status",
        "2026-01-15|10:22:41|1768472561.5|1768472561358|192.0.2.3|/a|200" => "time=1768472561358000" "raw.time=1768472561358";
    without_milliseconds: "date time timestamp timestamp(ms) c-ip cs-uri-stem sc-status",
        "2026-01-15|10:22:41|1768472561.5|-|192.0.2.3|/a|200" => "time=1768472561500000";
    without_a_timestamp: "timestamp timestamp(ms) c-ip date time cs-uri-stem sc-status",
        "-||192.0.2.3|2026-01-15|10:22:41|/a|200" => "time=1768472561000000" "raw.time=2026-01-15|10:22:41";
    a_timestamp_as_rfc_3339: "timestamp c-ip cs-uri-stem sc-status", "2026-01-15T10:22:41.358Z|192.0.2.3|/a|200" => "time=1768472561358000";
    a_bad_date_beside_milliseconds: "timestamp(ms) date time c-ip cs-uri-stem sc-status", "1768472561358|2026-13-01|10:22:41|192.0.2.3|/a|200" => "reject=Date";
    a_bad_time_beside_milliseconds: "timestamp(ms) date time c-ip cs-uri-stem sc-status", "1768472561358|-|10:22|192.0.2.3|/a|200" => "reject=Time";
    bad_milliseconds: "timestamp(ms) date time c-ip cs-uri-stem sc-status", "17684725613s8|2026-01-15|10:22:41|192.0.2.3|/a|200" => "reject=Timestamp";
    milliseconds_beyond_the_years: "timestamp(ms) c-ip cs-uri-stem sc-status", "99999999999999999|192.0.2.3|/a|200" => "reject=Timestamp";
    a_viewer_that_left: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a|000" => "status=0" "sc_status=000";
    a_status_of_four_digits: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a|2000" => "reject=Status";
    a_status_with_a_slash: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a|/200" => "reject=Status";
    a_status_with_a_referer: SHORT, "2026-01-15|10:22:41|192.0.2.3|/a|200https://www.example.com" => "reject=Status";
    bytes_that_are_none: NONE, "2026-01-15|10:22:41|FRA56|many|192.0.2.3|GET|h|/a|200|-|curl|-" => "reject=Number";
    negative_bytes: NONE, "2026-01-15|10:22:41|FRA56|-1|192.0.2.3|GET|h|/a|200|-|curl|-" => "reject=Number";
    bytes_of_64_bits: NONE, "2026-01-15|10:22:41|FRA56|9223372036854775807|192.0.2.3|GET|h|/a|200|-|curl|-" => "number.sc_bytes=9223372036854775807";
    bytes_of_more: NONE, "2026-01-15|10:22:41|FRA56|9223372036854775808|192.0.2.3|GET|h|/a|200|-|curl|-" => "reject=Number";
    whole_seconds: "date time c-ip cs-uri-stem sc-status time-taken", "2026-01-15|10:22:41|192.0.2.3|/a|200|2" => "millis.time_taken=2000";
    rounded_seconds: "date time c-ip cs-uri-stem sc-status time-taken", "2026-01-15|10:22:41|192.0.2.3|/a|200|0.0005" => "millis.time_taken=1";
    seconds_that_are_none: "date time c-ip cs-uri-stem sc-status time-taken", "2026-01-15|10:22:41|192.0.2.3|/a|200|0,358" => "reject=Seconds";
    an_unknown_name_is_not_checked: "date time c-ip cs-uri-stem sc-status origin-fbl", "2026-01-15|10:22:41|192.0.2.3|/a|200|x" => "row";
    a_masked_address: SHORT, "2026-01-15|10:22:41|***|/a|200" => "c_ip=***";
}

// Lines of other kinds.
cases! {
    a_directive: SHORT, "#Version: 1.0" => "reject=Directive";
    a_directive_that_looks_like_a_record: "cs-uri-stem date time c-ip sc-status", "#|2026-01-15|10:22:41|192.0.2.3|200" => "reject=Directive";
    a_real_time_record: NONE, "1768472561.358|192.0.2.3|0.002|200|1212|GET|https|www.example.com|/a?x=1|305" => "reject=RealTime";
    a_real_time_record_behind_a_header: SHORT, "1768472561.358|2001:db8::1|0.002|200|1212" => "reject=RealTime";
    a_timestamp_is_no_real_time_record: "timestamp c-ip cs-uri-stem sc-status", "1768472561.358|192.0.2.3|/a|200" => "time=1768472561358000";
    an_s3_record: SHORT, "79a59df900b949e5 amzn-s3-demo-bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k" => "reject=S3";
    json: SHORT, "{\"sc-status\":\"200\"}" => "reject=Missing";
}
