//! Fields, NULL, separators, times, numbers, operations, keys and the tail: rules 1 to 8, 12 and 13.

use super::cases;

// Rule 1: fields are identified by their order, in lines of every age.
cases! {
    fields_of_2026: r"{H} k {U} {N} {A} {T} arn:aws:s3:eu-west-1:123456789012:accesspoint/ap Yes us-east-1" =>
        "bucket_owner=79a59df900b949e5" "bucket=amzn-s3-demo-bucket" "time=1549411238" "remote_ip=192.0.2.3"
        "requester=NULL" "request_id=3E57427F33A59F07" "operation=REST.GET.OBJECT" "key=k"
        "request_uri=GET /photos/a.jpg HTTP/1.1" "http_status=200" "error_code=NULL" "bytes_sent=10" "object_size=20"
        "total_time=30" "turn_around_time=40" "referer=NULL" "user_agent=curl/8.5.0" "version_id=NULL"
        "host_id=aGVsbG8gd29ybGQ=" "signature_version=SigV4" "cipher_suite=TLS_AES_128_GCM_SHA256"
        "authentication_type=AuthHeader" "host_header=demo.s3.eu-west-1.amazonaws.com" "tls_version=TLSv1.3"
        "access_point_arn=arn:aws:s3:eu-west-1:123456789012:accesspoint/ap" "acl_required=true"
        "source_region=us-east-1" "extra_fields=" "ambiguous=false" "object_key=k";
    fields_of_2006: r"{H} k {U} {N} {A}" => "user_agent=curl/8.5.0" "raw.version_id=NULL" "raw.tls_version=NULL";
    fields_of_2012: r"{H} k {U} {N} {A} v1" => "version_id=v1" "raw.host_id=NULL" "extra_fields=";
    fields_of_2019: r"{H} k {U} {N} {A} {T}" => "tls_version=TLSv1.3" "raw.access_point_arn=NULL" "extra_fields=";
    fields_of_2021: r"{H} k {U} {N} {A} {T} -" => "access_point_arn=NULL" "raw.access_point_arn=-" "raw.acl_required=NULL";
    fields_of_2022: r"{H} k {U} {N} {A} {T} - Yes" => "acl_required=true" "raw.source_region=NULL";
    a_website_row_without_a_tls_version: r"{H} k {U} {N} {A} - h - - - www.example.com" =>
        "host_header=www.example.com" "raw.tls_version=NULL" "extra_fields=";
}

// Rule 3: NULL.
cases! {
    a_dash_is_null: r"- - [06/Feb/2019:00:00:38 +0000] - - - - - - - - - - - - - -" =>
        "bucket_owner=NULL" "bucket=NULL" "remote_ip=NULL" "requester=NULL" "request_id=NULL" "operation=NULL" "key=NULL"
        "request_uri=NULL" "http_status=NULL" "error_code=NULL" "bytes_sent=NULL" "object_size=NULL" "total_time=NULL"
        "turn_around_time=NULL" "referer=NULL" "user_agent=NULL" "object_key=NULL" "raw.operation=-" "raw.user_agent=-";
    a_quoted_dash_is_null: r#"{H} k "-" {N} "-" "-""# => "request_uri=NULL" "referer=NULL" "user_agent=NULL" "raw.referer=-";
    a_dash_and_a_space_is_text: r#"{H} k "- " {N} " -" "--""# => "request_uri=- " "referer= -" "user_agent=--";
    empty_quotes_are_the_empty_text: r#"{H} k "" {N} "" """# => "request_uri=" "referer=" "user_agent=";
    a_quoted_dash_elsewhere_is_text: r#""-" "-" [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} 200 "-" 1 2 3 4 {A}"# =>
        "bucket_owner=\"-\"" "bucket=\"-\"" "error_code=\"-\"";
    version_null_is_a_text: r"{H} k {U} {N} {A} null" => "version_id=null";
    acl_not_required_is_null: r"{H} k {U} {N} {A} {T} - - -" => "acl_required=NULL" "raw.acl_required=-" "source_region=NULL";
    invalid_utf8_stays: r#"{H} k{xC3} {U} {N} "{xFF}" "{xE2}{x82}""# => "key=k{xC3}" "referer={xFF}" "user_agent={xE2}{x82}";
}

// Rule 4: only the space separates fields.
cases! {
    runs_of_spaces_are_one: r"   {H}   k  {U}   200  -   1 2  3   4   {A}    v  h   " =>
        "bucket_owner=79a59df900b949e5" "key=k" "turn_around_time=4" "user_agent=curl/8.5.0" "version_id=v" "host_id=h";
    tab_is_data: "{H} a\tb {U} {N} {A} v\t \th" => "key=a\tb" "version_id=v\t" "host_id=\th";
    tab_does_not_part_fields: "{P}\t192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    vertical_tab_form_feed_and_nul_are_data: r#"{H} a{x0B}b{x0C}c{x00} {U} {N} "{x00}" "{x0B}""# =>
        "key=a{x0B}b{x0C}c{x00}" "referer={x00}" "user_agent={x0B}";
    a_carriage_return_is_data: r#"{H} a{x0D}b {U} {N} {A} v{x0D}"# => "key=a{x0D}b" "version_id=v{x0D}";
    a_carriage_return_behind_the_last_quote_leaves_it_open: r#"{H} k {U} {N} {A}{x0D}"# => "reject";
    no_break_space_is_data: "{H} a\u{a0}b {U} {N} {A}" => "key=a\u{a0}b";
    line_separator_is_data: "{H} a\u{2028}b {U} {N} {A}" => "key=a\u{2028}b";
    nothing: "" => "reject";
    spaces: "     " => "reject";
    spaces_inside_the_requester_stay: r"{P} 192.0.2.3 a  b R REST.GET.OBJECT k {U} {N} {A}" => "requester=a  b";
}

// Rule 5: times.
cases! {
    offset_is_honoured: r"o b [06/Feb/2019:00:00:38 -0530] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" =>
        "time=1549431038" "raw.time=06/Feb/2019:00:00:38 -0530";
    offset_to_the_east: r"o b [06/Feb/2019:00:00:38 +0200] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "time=1549404038";
    second_60: r"o b [31/Dec/2016:23:59:60 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "time=1483228800";
    year_1: r"o b [01/Jan/0001:00:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "time=-62135596800";
    year_1_with_an_offset: r"o b [01/Jan/0001:00:00:00 +0100] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "time=-62135600400";
    year_9999: r"o b [31/Dec/9999:23:59:59 -0100] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "time=253402304399";
    leap_day: r"o b [29/Feb/2020:00:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "time=1582934400";
    no_leap_day: r"o b [29/Feb/2019:00:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    february_31: r"o b [31/Feb/2019:00:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    april_31: r"o b [31/Apr/2019:00:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    year_0: r"o b [01/Jan/0000:00:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    hour_24: r"o b [06/Feb/2019:24:00:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    minute_60: r"o b [06/Feb/2019:00:60:00 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    second_61: r"o b [06/Feb/2019:00:00:61 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    month_in_capitals: r"o b [06/FEB/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    month_in_german: r"o b [06/Dez/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    month_in_full: r"o b [06/August/2024:10:00:00 +0200] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    day_of_one_digit: r"o b [6/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    offset_of_24_hours: r"o b [06/Feb/2019:00:00:38 +2400] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    offset_without_a_sign: r"o b [06/Feb/2019:00:00:38 00000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    offset_z: r"o b [06/Feb/2019:00:00:38 Z] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    two_spaces_in_the_time: r"o b [06/Feb/2019:00:00:38  0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    text_glued_to_the_time: r"{P}x 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    time_is_the_third_token: r"{P} {P} 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "ambiguous=true" "remote_ip=79a59df900b949e5";
    time_is_not_the_second_token: r"o [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    zero_bytes_around_a_second: "o b \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0020\0\0\0\0\0\0\0 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
    no_time: r"o b - 192.0.2.3 - R REST.GET.OBJECT k {U} {N} {A}" => "reject";
}

// Rule 6: numbers.
cases! {
    dashes_for_numbers: r"{H} k {U} - - - - - - {A}" => "http_status=NULL" "bytes_sent=NULL" "turn_around_time=NULL";
    integers_are_exact: r"{H} k {U} 200 - 9007199254740993 9223372036854775807 -9223372036854775808 -1 {A}" =>
        "bytes_sent=9007199254740993" "object_size=9223372036854775807" "total_time=-9223372036854775808" "turn_around_time=-1";
    decimals_are_rounded: r"{H} k {U} 200 - 0.5 -0.5 2.4999999999999999999 1e-1 {A}" =>
        "bytes_sent=1" "object_size=-1" "total_time=2" "turn_around_time=0";
    exponents: r"{H} k {U} 200 - 1.234567e+06 1e+06 45.5 1e+18 {A}" =>
        "bytes_sent=1234567" "object_size=1000000" "total_time=46" "turn_around_time=1000000000000000000" "raw.total_time=45.5";
    status_of_one_digit: r"{H} k {U} 0 - 1 2 3 4 {A}" => "http_status=0";
    status_of_four_digits: r"{H} k {U} 2000 - 1 2 3 4 {A}" => "reject";
    status_is_no_decimal: r"{H} k {U} 2.0 - 1 2 3 4 {A}" => "reject";
    status_is_not_negative: r"{H} k {U} -20 - 1 2 3 4 {A}" => "reject";
    overflow: r"{H} k {U} 200 - 9223372036854775808 2 3 4 {A}" => "reject";
    overflow_by_rounding: r"{H} k {U} 200 - 9223372036854775807.5 2 3 4 {A}" => "reject";
    overflow_by_exponent: r"{H} k {U} 200 - 1e+19 2 3 4 {A}" => "reject";
    overflow_below_zero: r"{H} k {U} 200 - 1 2 3 -9223372036854775809 {A}" => "reject";
    not_a_number: r"{H} k {U} 200 - NaN 2 3 4 {A}" => "reject";
    infinity: r"{H} k {U} 200 - +Inf 2 3 4 {A}" => "reject";
    hexadecimal: r"{H} k {U} 200 - 0x10 2 3 4 {A}" => "reject";
    thousands: r"{H} k {U} 200 - 1,024 2 3 4 {A}" => "reject";
    exponent_without_a_sign: r"{H} k {U} 200 - 1e6 2 3 4 {A}" => "reject";
    point_without_digits: r"{H} k {U} 200 - 1. 2 3 4 {A}" => "reject";
    three_numbers: r"{H} k {U} 200 - 1 2 3 {A}" => "reject";
    overflow_does_not_end_a_uri: r#"{H} k "x" 200 - 99999999999999999999 2 3 4 "y" {N} {A}"# =>
        "request_uri=x\" 200 - 99999999999999999999 2 3 4 \"y" "bytes_sent=10" "ambiguous=false";
}

// Rule 7: the operation, and requesters that contain spaces.
cases! {
    operation_of_four_parts: r"{P} - AmazonS3 3b0d7f4e-0000-4000-8000-5a6f6d2b1c11 S3.COMPUTE.OBJECT.CHECKSUM k {U} {N} {A}" =>
        "request_id=3b0d7f4e-0000-4000-8000-5a6f6d2b1c11" "operation=S3.COMPUTE.OBJECT.CHECKSUM";
    operation_of_two_parts: r"{P} 192.0.2.3 - R WEBSITE.INVALIDOPERATION k {U} {N} {A}" => "operation=WEBSITE.INVALIDOPERATION";
    operation_with_underscores: r"{P} 192.0.2.3 - R REST.S3_GET_OBJECT k {U} {N} {A}" => "operation=REST.S3_GET_OBJECT";
    operation_in_mixed_case: r"{P} 192.0.2.3 - R SOAP.ListAllMyBuckets - {U} {N} {A}" => "operation=SOAP.ListAllMyBuckets";
    requester_with_spaces: r"{P} 192.0.2.3 arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE R REST.GET.OBJECT k {U} {N} {A}" =>
        "requester=arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE" "request_id=R"
        "operation=REST.GET.OBJECT" "key=k";
    the_fourth_wins_over_a_later_one: r"{H} REST.PUT.OBJECT {U} {N} {A}" => "operation=REST.GET.OBJECT" "key=REST.PUT.OBJECT";
    the_first_dotted_one_wins: r"{P} 192.0.2.3 a b R REST.GET.OBJECT REST.PUT.OBJECT {U} {N} {A}" =>
        "requester=a b" "operation=REST.GET.OBJECT" "key=REST.PUT.OBJECT";
    a_dotted_one_before_the_fourth_is_none: r"{P} 192.0.2.3 REST.GET.OBJECT R OP k {U} {N} {A}" =>
        "requester=REST.GET.OBJECT" "operation=OP";
    without_a_dotted_one_it_is_the_fourth: r"{P} 192.0.2.3 - R FETCH k {U} {N} {A}" => "operation=FETCH" "object_key=k";
    lower_case_is_not_dotted: r"{P} 192.0.2.3 - R rest.get.object k {U} {N} {A}" => "operation=rest.get.object";
    other_classes_are_not_dotted: r"{P} 192.0.2.3 x R S4.GET.OBJECT k {U} {N} {A}" => "operation=S4.GET.OBJECT";
    a_class_alone_is_not_dotted: r"{P} 192.0.2.3 a b REST REST.GET.OBJECT k {U} {N} {A}" => "request_id=REST" "requester=a b";
    an_empty_part_is_not_dotted: r"{P} 192.0.2.3 a b REST..GET REST.GET.OBJECT k {U} {N} {A}" => "request_id=REST..GET";
    a_quote_ends_the_search: r#"{P} 192.0.2.3 - R FETCH k "GET /?a= REST.GET.OBJECT HTTP/1.1" {N} {A}"# =>
        "operation=FETCH" "request_uri=GET /?a= REST.GET.OBJECT HTTP/1.1";
    a_quote_inside_a_token_does_not_end_it: r#"{P} 192.0.2.3 a" b R REST.GET.OBJECT k {U} {N} {A}"# => "requester=a\" b";
    a_quote_before_the_fourth: r#"{P} 192.0.2.3 - "R REST.GET.OBJECT k {U} {N} {A}"# => "reject";
    nothing_behind_the_time: r"{P}" => "reject";
    three_tokens_behind_the_time: r"{P} 192.0.2.3 - R" => "reject";
    nothing_behind_the_operation: r"{H}" => "reject";
}

// Rule 8: the key.
cases! {
    key_with_spaces: r"{H} my summer photo.jpg {U} {N} {A}" => "key=my summer photo.jpg" "request_uri=GET /photos/a.jpg HTTP/1.1";
    key_with_runs_of_spaces: r"{H} my  photo   {U} {N} {A}" => "key=my  photo";
    key_with_a_dash_inside: r"{H} a - b {U} {N} {A}" => "key=a - b";
    key_before_a_bare_uri: r"{H} k - {N} - -" => "key=k" "request_uri=NULL" "user_agent=NULL";
    key_with_a_quote: r#"{H} a"b {U} {N} {A}"# => "key=a\"b";
    key_that_starts_with_a_quote: r#"{H} "a {U} {N} {A}"# => "key=\"a";
    key_with_spaces_before_a_bare_uri: r"{H} a b - {N} - -" => "reject";
    key_without_uri: r"{H} k" => "reject";
    key_before_numbers: r"{H} k {N} {A}" => "reject";
}

// Rule 12: the tail.
cases! {
    more_than_27: r"{H} k {U} {N} {A} {T} - - - - a -" => "source_region=NULL" "raw.source_region=-" "extra_fields=-|a|-";
    the_first_seven_are_not_tested: r"{H} k {U} {N} {A} 1 2 3 4 5 6 7" => "version_id=1" "host_id=2" "tls_version=7" "extra_fields=";
    an_acl_in_the_place_of_an_arn: r"{H} k {U} {N} {A} {T} Yes us-east-1" =>
        "raw.access_point_arn=NULL" "raw.acl_required=NULL" "acl_required=NULL" "extra_fields=Yes|us-east-1";
    what_does_not_fit_leaves_its_neighbours: r"{H} k {U} {N} {A} {T} x Yes y" =>
        "raw.access_point_arn=NULL" "acl_required=true" "raw.source_region=NULL" "extra_fields=x|y";
    yes_in_small_letters: r"{H} k {U} {N} {A} {T} - yes us-gov-east-1" => "acl_required=NULL" "source_region=us-gov-east-1" "extra_fields=yes";
    china: r"{H} k {U} {N} {A} {T} arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/a - cn-north-1" =>
        "access_point_arn=arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/a" "source_region=cn-north-1";
    region_of_five_parts: r"{H} k {U} {N} {A} {T} - - us-iso-east-west-12" => "source_region=us-iso-east-west-12";
    region_of_six_parts: r"{H} k {U} {N} {A} {T} - - us-a-b-c-d-1" => "source_region=NULL" "extra_fields=us-a-b-c-d-1";
    region_without_a_word: r"{H} k {U} {N} {A} {T} - - us-1" => "extra_fields=us-1";
    region_with_three_digits: r"{H} k {U} {N} {A} {T} - - us-east-100" => "extra_fields=us-east-100";
    region_in_capitals: r"{H} k {U} {N} {A} {T} - - US-EAST-1" => "extra_fields=US-EAST-1";
    region_with_a_zone: r"{H} k {U} {N} {A} {T} - - us-east-1a" => "extra_fields=us-east-1a";
    quotes_in_the_tail_are_the_user_agents: r#"{H} k {U} {N} {A} v "h" s"# => "user_agent=curl/8.5.0\" v \"h" "version_id=s";
}

// Rule 13: the additional field of March 2019 after the version id.
cases! {
    march_2019: r"{H} k {U} {N} {A} - AIDAEXAMPLE0 aGVsbG8= SigV4 C AuthHeader h TLSv1.2" =>
        "version_id=NULL" "host_id=aGVsbG8=" "signature_version=SigV4" "tls_version=TLSv1.2" "extra_fields=AIDAEXAMPLE0";
    march_2019_with_a_dash: r"{H} k {U} {N} {A} v - aGVsbG8= SigV4 C AuthHeader h" =>
        "version_id=v" "host_id=aGVsbG8=" "host_header=h" "raw.tls_version=NULL" "extra_fields=-";
    march_2019_with_newer_fields: r"{H} k {U} {N} {A} - AROAEXAMPLE00 aGVsbG8= SigV2 C AuthHeader h TLSv1.2 x Yes" =>
        "host_id=aGVsbG8=" "acl_required=true" "extra_fields=AROAEXAMPLE00|x";
    march_2019_of_six_tokens: r"{H} k {U} {N} {A} - - aGVsbG8= SigV4 C AuthHeader" =>
        "raw.host_id=-" "signature_version=aGVsbG8=" "cipher_suite=SigV4" "extra_fields=";
    march_2019_unsigned: r"{H} k {U} {N} {A} - - aGVsbG8= - C AuthHeader h TLSv1.2" => "raw.host_id=-" "extra_fields=TLSv1.2";
    march_2019_with_a_short_id: r"{H} k {U} {N} {A} - AIDAEXAMPLE aGVsbG8= SigV4 C AuthHeader h" => "host_id=AIDAEXAMPLE" "extra_fields=";
    march_2019_with_a_small_letter: r"{H} k {U} {N} {A} - AIDaEXAMPLE00 aGVsbG8= SigV4 C AuthHeader h" => "host_id=AIDaEXAMPLE00";
    march_2019_without_a_host_id: r"{H} k {U} {N} {A} - AIDAEXAMPLE0 - SigV4 C AuthHeader h" => "host_id=AIDAEXAMPLE0" "extra_fields=";
    march_2019_with_two_signatures: r"{H} k {U} {N} {A} - - SigV4 SigV4 C AuthHeader h" => "raw.host_id=-" "signature_version=SigV4" "extra_fields=";
}
