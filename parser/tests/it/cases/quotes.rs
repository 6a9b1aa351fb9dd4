//! Quoted fields, ambiguity, and the limits of what a client can do: rules 9 to 11.

use super::cases;

// Rule 9: the request-URI.
cases! {
    uri_with_a_quoted_file_name: r#"{H} k "GET /k?d=attachment;%20filename="a.json"&X-Amz-Date=1 HTTP/1.1" {N} {A}"# =>
        "request_uri=GET /k?d=attachment;%20filename=\"a.json\"&X-Amz-Date=1 HTTP/1.1" "ambiguous=false";
    uri_with_a_backslash: r#"{H} k "GET /a\" {N} {A}"# => "request_uri=GET /a\\" "http_status=200";
    uri_with_a_space: r#"{H} k "GET /a b HTTP/1.1" {N} {A}"# => "request_uri=GET /a b HTTP/1.1";
    uri_ending_with_a_quote: r#"{H} k "GET /a HTTP/1.1"" {N} {A}"# => "request_uri=GET /a HTTP/1.1\"";
    uri_that_is_a_quote: r#"{H} k """ {N} {A}"# => "request_uri=\"";
    uri_of_many_quotes: r#"{H} k """"""" {N} {A}"# => "request_uri=\"\"\"\"\"";
    uri_closes_at_the_first_tail: r#"{H} k "x" 404 - 1 2 3 4 "" HTTP/1.1" {N} {A}"# =>
        "request_uri=x" "http_status=404" "bytes_sent=1" "user_agent=curl/8.5.0" "ambiguous=true";
    uri_with_a_tail_of_three_numbers: r#"{H} k "x" 404 - 1 2 3 HTTP/1.1" {N} {A}"# =>
        "request_uri=x\" 404 - 1 2 3 HTTP/1.1" "http_status=200" "ambiguous=false";
    uri_with_a_tail_glued_to_its_end: r#"{H} k "x" 404 - 1 2 3 4" {N} {A}"# => "request_uri=x\" 404 - 1 2 3 4" "http_status=200";
    uri_tail_with_runs_of_spaces: r#"{H} k "x"   404  -  1   2  3  4  {A}"# => "request_uri=x" "turn_around_time=4" "referer=NULL";
    uri_with_no_space_behind_its_quote: r#"{H} k "x"200 - 1 2 3 4 {A}"# => "reject";
    error_code_is_any_token: r#"{H} k {U} 200 "x" 1 2 3 4 {A}"# => "error_code=\"x\"";
    uri_without_end: r#"{H} k "GET /a HTTP/1.1 {N} {A}"# => "reject";
}

// Rule 9: referer and user agent.
cases! {
    referer_with_a_quote: r#"{H} k {U} {N} "http://example.com/?a="b"c" "ua" v"# => "referer=http://example.com/?a=\"b\"c" "user_agent=ua" "version_id=v";
    referer_closes_at_the_first_pair: r#"{H} k {U} {N} "a" "b" "c" v"# => "referer=a" "user_agent=b\" \"c" "version_id=v" "ambiguous=true";
    referer_closes_at_a_pair_with_more_spaces: r#"{H} k {U} {N} "a"   "b" v"# => "referer=a" "user_agent=b" "ambiguous=false";
    referer_opens_before_a_pair: r#"{H} k {U} {N} " "a" "b" v"# => "referer= \"a" "user_agent=b" "version_id=v" "ambiguous=false";
    user_agent_with_quotes: r#"{H} k {U} {N} "-" ""Mozilla/5.0 (X11)" Safari/537.36" v"# =>
        "user_agent=\"Mozilla/5.0 (X11)\" Safari/537.36" "version_id=v" "ambiguous=false";
    user_agent_ending_with_a_quote: r#"{H} k {U} {N} "-" "Safari/604.1"" v h"# => "user_agent=Safari/604.1\"" "version_id=v" "host_id=h";
    user_agent_of_json: r#"{H} k {U} {N} "-" "pip/19.1 {"ci":null,"cpu":"x86_64"}" v"# => "user_agent=pip/19.1 {\"ci\":null,\"cpu\":\"x86_64\"}";
    user_agent_with_a_backslash: r#"{H} k {U} {N} "-" "a\" v"# => "user_agent=a\\" "version_id=v";
    user_agent_at_the_line_end: r#"{H} k {U} {N} "-" "a"b""# => "user_agent=a\"b" "raw.version_id=NULL";
    user_agent_closes_at_the_last_quote: r#"{H} k {U} {N} "-" "a" - - - "b" v"# => "user_agent=a\" - - - \"b" "version_id=v";
    user_agent_with_a_quote_inside_the_tail: r#"{H} k {U} {N} "-" "a" v"h"# => "user_agent=a" "version_id=v\"h";
    quoted_referer_and_bare_user_agent: r#"{H} k {U} {N} "http://example.com/" - v h"# =>
        "referer=http://example.com/" "user_agent=NULL" "raw.user_agent=-" "version_id=v" "host_id=h";
    quoted_referer_and_bare_user_agent_at_the_end: r#"{H} k {U} {N} "a" - b"   -"# => "referer=a\" - b" "user_agent=NULL" "raw.version_id=NULL";
    the_bare_user_agent_is_the_last: r#"{H} k {U} {N} "a" - " - v"# => "referer=a\" - " "version_id=v";
    a_pair_whose_user_agent_does_not_close: r#"{H} k {U} {N} "a" - "b - v"# => "referer=a" "user_agent=NULL" "version_id=\"b" "host_id=NULL" "signature_version=v";
    quotes_behind_the_bare_user_agent: r#"{H} k {U} {N} "a" - b" v""# => "referer=a" "user_agent=NULL" "version_id=b\"" "host_id=v\"";
    a_bare_user_agent_is_a_lone_dash: r#"{H} k {U} {N} "a" -b v"# => "reject";
    bare_referer_and_quoted_user_agent: r#"{H} k {U} {N} - "ua" v"# => "referer=NULL" "raw.referer=-" "user_agent=ua" "version_id=v";
    unquoted_referer: r#"{H} k {U} {N} http://example.com/a b "ua "x" y" v"# => "referer=http://example.com/a b" "user_agent=ua \"x\" y" "version_id=v";
    unquoted_referer_with_a_quote: r#"{H} k {U} {N} a"b  "ua" v"# => "referer=a\"b" "user_agent=ua";
    unquoted_referer_and_bare_user_agent: r"{H} k {U} {N} http://example.com/ - v" => "referer=http://example.com/" "user_agent=NULL" "version_id=v";
    unquoted_referer_with_a_space_and_bare_user_agent: r"{H} k {U} {N} http://example.com/ x - v" => "reject";
    unquoted_referer_and_a_user_agent_that_does_not_close: r#"{H} k {U} {N} - - "x"# => "reject";
    bare_dashes: r"{P} 192.0.2.3 - R BATCH.DELETE.OBJECT k - 204 - - 10 - - - - v h SigV4" => "request_uri=NULL" "http_status=204"
        "object_size=10" "referer=NULL" "user_agent=NULL" "version_id=v" "signature_version=SigV4";
    quoted_uri_and_bare_rest: r"{H} k {U} {N} - - v" => "referer=NULL" "user_agent=NULL" "version_id=v";
}

// Rule 10: ambiguous lines, and lines that only look so.
cases! {
    a_quote_without_a_rival_split: r#"{H} k "GET /"a" HTTP/1.1" {N} "r"r" "u"u" v"# => "ambiguous=false";
    a_tail_inside_the_referer: r#"{H} k {U} {N} "x" 200 - 1 2 3 4 "y" "ua" v"# => "ambiguous=true" "referer=x\" 200 - 1 2 3 4 \"y";
    a_tail_inside_the_user_agent: r#"{H} k {U} {N} "r" "x" 200 - 1 2 3 4 "y" v"# => "ambiguous=true" "user_agent=x\" 200 - 1 2 3 4 \"y";
    a_tail_that_fills_the_referer: r#"{H} k {U} {N} " 200 - 1 2 3 4 " "ua" v"# => "ambiguous=true" "referer= 200 - 1 2 3 4 " "user_agent=ua";
    a_tail_without_an_opening_quote: r#"{H} k {U} {N} "r" "x" 200 - 1 2 3 4 y" v"# => "ambiguous=false";
    a_tail_behind_a_version_without_an_opening_quote: r#"{H} k {U} {N} "r" "x HTTP/1.1" 200 - 1 2 3 4 y" v"# => "ambiguous=false";
    a_raw_key_with_numbers: r#"{H} k - 200 - 1 1 1 1 "GET /b/k%20-%20200 HTTP/1.1" 404 NoSuchKey - - - 6 - "ua" - h"# =>
        "key=k" "request_uri=NULL" "http_status=200" "ambiguous=true";
    a_raw_key_with_a_record: r#"{H} k "GET / HTTP/1.1" 200 - 1 1 1 1 "-" "x" y "GET /b/k HTTP/1.1" 404 NoSuchKey - - - 6 a b "ua" v h"# =>
        "http_status=200" "ambiguous=true";
    a_tail_with_a_number_that_overflows: r#"{H} k {U} {N} "r" "x" 200 - 1 2 3 99999999999999999999 "y" v"# => "ambiguous=false";
    a_tail_behind_a_bare_uri: r#"{H} k - {N} "x" 200 - 1 2 3 4 "y" "ua" v"# => "ambiguous=true";
    a_pair_in_the_referer: r#"{H} k {U} {N} "a" "b" "ua" v"# => "ambiguous=true";
    a_pair_in_the_user_agent: r#"{H} k {U} {N} "a" "b"  "c" v"# => "ambiguous=true";
    overlapping_pairs_count: r#"{H} k {U} {N} "a" " "b" v"# => "ambiguous=true" "referer=a" "user_agent= \"b";
    two_quotes_are_no_pair: r#"{H} k {U} {N} "a"" ""b" v"# => "ambiguous=false" "referer=a\"" "user_agent=\"b";
    the_closing_quote_is_not_between: r#"{H} k {U} {N} "a" "b" " v"# => "user_agent=b\" " "ambiguous=false";
    pairs_beside_a_bare_referer_do_not_count: r#"{H} k {U} {N} - "b" "c" "d" v"# => "ambiguous=false" "user_agent=b\" \"c\" \"d";
    a_second_record_in_the_user_agent: r#"{H} k {U} {N} "-" "x [07/Feb/2019:00:00:00 +0000] y REST.PUT.OBJECT z" v"# => "ambiguous=true";
    a_second_record_in_the_uri: r#"{H} k "GET /[07/Feb/2019:00:00:00 +0000]/ REST.X HTTP/1.1" {N} {A}"# => "ambiguous=true";
    a_second_date_without_an_operation: r#"{H} k {U} {N} "-" "x [07/Feb/2019:00:00:00 +0000] y" v"# => "ambiguous=false";
    a_second_date_behind_the_operation: r#"{H} k {U} {N} "-" "x REST.PUT.OBJECT [07/Feb/2019:00:00:00 +0000] y" v"# => "ambiguous=false";
    a_second_date_that_is_none: r#"{H} k {U} {N} "-" "x [31/Feb/2019:00:00:00 +0000] y REST.PUT.OBJECT z" v"# => "ambiguous=false";
    a_second_date_before_an_operation_in_quotes: r#"{H} k {U} {N} "-" "x [07/Feb/2019:00:00:00 +0000] "REST.PUT.OBJECT" v"# => "ambiguous=false";
    a_second_date_glued_to_an_operation: r#"{H} k {U} {N} "-" "x[07/Feb/2019:00:00:00 +0000]REST.PUT.OBJECT z" v"# => "ambiguous=false";
    a_second_date_behind_other_brackets: r#"{H} k {U} {N} "-" "[x[[07/Feb/2019:00:00:00 +0000] REST.PUT.OBJECT z" v"# => "ambiguous=true";
    a_second_date_in_the_requester: r"{P} 192.0.2.3 a [07/Feb/2019:00:00:00 +0000] R REST.GET.OBJECT k {U} {N} {A}" => "ambiguous=true";
    two_records_glued: r"{H} k {U} {N} {A} {T} {H} k {U} {N} {A} {T}" => "ambiguous=true" "version_id=NULL" "tls_version=TLSv1.3";
}

// Rule 11: truncated lines are rejects, hostile ones are records.
cases! {
    cut_before_the_user_agent: r#"{H} k {U} {N} "-""# => "reject";
    cut_inside_the_user_agent: r#"{H} k {U} {N} "-" "curl/8"# => "reject";
    cut_behind_the_quote_of_the_user_agent: r#"{H} k {U} {N} "-" ""# => "reject";
    cut_behind_the_numbers: r"{H} k {U} {N}" => "reject";
    cut_inside_the_numbers: r"{H} k {U} 200 - 1" => "reject";
    cut_behind_a_bare_referer: r"{H} k {U} {N} -" => "reject";
    cut_inside_the_uri: r#"{H} k "GET /photos"# => "reject";
    cut_behind_the_user_agent: r"{H} k {U} {N} {A}" => "row";
    hostile_uri: r#"{H} k "GET /" 200 - 1 2 3 4 "r" "u" fake fake SigV4" {N} {A} v h"# => "version_id=v" "host_id=h" "ambiguous=true";
    hostile_uri_with_an_overflow: r#"{H} k "GET /" 200 - 1 2 3 99999999999999999999 "r" "u" HTTP/1.1" {N} {A} v h"# => "bytes_sent=10" "version_id=v";
    hostile_uri_with_a_bare_tail: r#"{H} k "GET /" 200 - 1 2 3 4 - - HTTP/1.1" {N} {A} v h"# => "user_agent=-\" \"curl/8.5.0" "version_id=v" "host_id=h";
    hostile_referer: r#"{H} k {U} {N} "" "fake" fakev fakeh " "ua" v h"# => "bytes_sent=10" "version_id=v" "host_id=h" "ambiguous=true";
    hostile_user_agent: r#"{H} k {U} {N} "-" "x" fakev fakeh SigV4 " v h"# => "referer=NULL" "version_id=v" "host_id=h";
    hostile_user_agent_of_a_space_and_a_quote: r#"{H} k {U} {N} "-" "x" - " v h"# => "user_agent=x\" - " "version_id=v";
    hostile_line_of_quotes: r#"{H} k """" {N} """" """" v h"# => "request_uri=\"\"" "referer=\"\"" "user_agent=\"\"" "version_id=v";
}
