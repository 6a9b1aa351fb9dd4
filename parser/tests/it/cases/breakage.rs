//! Lines modelled after real logs (sections 2 and 3 of the format), with invented ids.

use super::cases;

cases! {
    // 3.1
    think_php_probe: r#"{H} index.php "GET //?s=index/\think\template\driver\file/write&a=<?php$p%20=%20"xinba";?> HTTP/1.1" 404 NoSuchKey 1 - 2 - "http://192.0.2.9//?s=\think&a=<?php$p%20=%20"xinba";?>" "Mozilla/5.0" {T}"# =>
        "request_uri=GET //?s=index/\\think\\template\\driver\\file/write&a=<?php$p%20=%20\"xinba\";?> HTTP/1.1"
        "http_status=404" "error_code=NoSuchKey" "user_agent=Mozilla/5.0" "tls_version=TLSv1.3" "ambiguous=false";
    referer_with_a_quote_at_its_end: r#"{H} k {U} {N} "http://example.org/recorder.php?id=452"" "Mozilla/5.0 (X11)" {T}"# =>
        "referer=http://example.org/recorder.php?id=452\"" "user_agent=Mozilla/5.0 (X11)" "ambiguous=false";
    user_agent_in_two_quotes: r#"{H} k {U} {N} "-" ""Mozilla/5.0 (Windows NT 10.0; Win64; x64) Safari/537.36"" {T}"# =>
        "user_agent=\"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Safari/537.36\"" "signature_version=SigV4" "ambiguous=false";
    // 3.3: 25 fields do not make a line of March 2019.
    twenty_five_fields: r"{H} k {U} {N} {A} {T} arn:aws:s3:eu-west-1:123456789012:accesspoint/a" => "signature_version=SigV4" "extra_fields=";
    // 3.4
    requester_canonical: r"{P} 192.0.2.3 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be R REST.GET.OBJECT k {U} {N} {A}" =>
        "requester=79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    requester_role: r"{P} 192.0.2.3 arn:aws:sts::123456789012:assumed-role/role/a@example.com R REST.GET.OBJECT k {U} {N} {A}" =>
        "requester=arn:aws:sts::123456789012:assumed-role/role/a@example.com";
    requester_service: r"{P} - svc:delivery.logs.amazonaws.com R REST.PUT.OBJECT k {U} {N} {A}" => "requester=svc:delivery.logs.amazonaws.com" "remote_ip=NULL";
    // 3.5
    dashes_and_empty_text: r#"{H} k {U} {N} - "" v"# => "referer=NULL" "raw.referer=-" "user_agent=" "version_id=v";
    // 3.7
    sizes_beyond_32_bits: r"{H} k {U} 200 - 4294967296 422868123111 10905067 9 {A}" =>
        "bytes_sent=4294967296" "object_size=422868123111" "total_time=10905067";
    // 3.8
    records_glued_in_the_middle: r"{H} k {U} 20{H} k {U} {N} {A} {T}" => "http_status=200" "ambiguous=true";
    a_record_glued_into_the_key: r"{H} {H} k {U} {N} {A} {T}" => "operation=REST.GET.OBJECT" "request_uri=GET /photos/a.jpg HTTP/1.1" "ambiguous=true";
    two_records_without_a_line_end: r"{H} k {U} {N} {A}{H} k {U} {N} {A} {T}" => "ambiguous=true" "tls_version=TLSv1.3";
    // 3.9
    header_bytes_that_are_no_utf8: r#"{H} k {U} {N} "http://example.com/{xE4}" "{xFF}{xFE}{x00}a" {T}"# =>
        "referer=http://example.com/{xE4}" "user_agent={xFF}{xFE}{x00}a" "tls_version=TLSv1.3";
    // 3.12
    no_remote_ip: r"{P} - - R REST.GET.OBJECT k {U} {N} {A}" => "remote_ip=NULL" "requester=NULL";
    remote_ip_of_version_6: r"{P} 2001:db8::5 - R REST.GET.OBJECT k {U} {N} {A}" => "remote_ip=2001:db8::5";
    no_status: r"{H} k {U} - - - - - - {A}" => "http_status=NULL" "error_code=NULL";
}

// Section 2: operations whose records have unusual shapes.
cases! {
    lifecycle: r#"{P} - AmazonS3 R S3.TRANSITION_INT.OBJECT a/b.3gp "-" - - - 5632055 - - "-" "-" NBh28WVku.QO7 aG9zdA== - - - - -"# =>
        "remote_ip=NULL" "requester=AmazonS3" "operation=S3.TRANSITION_INT.OBJECT" "request_uri=NULL" "http_status=NULL"
        "object_size=5632055" "version_id=NBh28WVku.QO7" "host_id=aG9zdA==" "tls_version=NULL" "raw.tls_version=-";
    batch_delete: r"{P} 192.0.2.3 arn:aws:iam::123456789012:user/dev R BATCH.DELETE.OBJECT a+b/ - 204 - - - - - - - - aG9zdA== SigV4 C AuthHeader h TLSv1.2" =>
        "http_status=204" "object_key=a b/" "version_id=NULL" "host_id=aG9zdA==" "signature_version=SigV4" "tls_version=TLSv1.2" "extra_fields=";
    copy_from: r"{P} 192.0.2.3 - R REST.COPY.OBJECT_GET a - 200 - - 7 - - - - ver aG9zdA== SigV4 C AuthHeader h TLSv1.2 - - -" =>
        "operation=REST.COPY.OBJECT_GET" "object_size=7" "version_id=ver" "source_region=NULL";
    copy_from_without_a_status: r"{P} 192.0.2.3 - R REST.COPY.OBJECT_GET a - - - - - - - - - - h" => "http_status=NULL" "host_id=h";
    multi_object_delete: r#"{P} 192.0.2.3 - R REST.POST.MULTI_OBJECT_DELETE - "POST /?delete HTTP/1.1" 200 - 116 - 73 - {A} {T}"# => "key=NULL" "total_time=73";
}
