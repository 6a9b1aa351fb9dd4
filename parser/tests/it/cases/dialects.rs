//! Lines as stores other than AWS write them (section 6 of the format).

use super::cases;

cases! {
    a_number_with_a_unit: r#"demo ten:bucket [06/Feb/2019:01:00:38 +0100] 192.0.2.3 alice 7d4f6d6c.4179.15085270386962380710 REST.PUT.OBJECT my key "PUT /bucket/my key HTTP/1.1" 200 - 512 512 - 4ms http://example.com/ x "aws-cli/2" - - - - - h - - Yes"# => "reject";
    ceph: r#"demo ten:bucket [06/Feb/2019:01:00:38 +0100] 192.0.2.3 alice 7d4f.4179.1508 REST.PUT.OBJECT my key "PUT /bucket/my key HTTP/1.1" 200 - 512 512 - 4 http://example.com/a b "aws-cli/2" - 7d4f SigV4 - AuthHeader h.example.com - - Yes"# =>
        "time=1549411238" "bucket=ten:bucket" "key=my key" "request_uri=PUT /bucket/my key HTTP/1.1" "total_time=NULL"
        "turn_around_time=4" "referer=http://example.com/a b" "user_agent=aws-cli/2" "host_id=7d4f" "access_point_arn=NULL" "acl_required=true";
    ceph_without_a_referer: r#"demo bucket [06/Feb/2019:01:00:38 +0100] - alice R REST.POST.DELETE_MULTI_OBJECT - "POST /bucket?delete HTTP/1.1" - - - - - - - "aws-cli/2" - 7d4f SigV4 - AuthHeader h - - -"# =>
        "http_status=NULL" "referer=NULL" "user_agent=aws-cli/2" "acl_required=NULL" "extra_fields=";
    ceph_without_a_user_agent: r#"demo bucket [06/Feb/2019:01:00:38 +0100] - alice R REST.GET.OBJECT k "GET /bucket/k HTTP/1.1" 200 - 1 1 - 1 - - - 7d4f SigV4 - AuthHeader h -"# =>
        "referer=NULL" "user_agent=NULL" "host_id=7d4f" "tls_version=NULL";
    ceph_key_with_a_dash: r#"demo bucket [06/Feb/2019:01:00:38 +0100] - alice R REST.GET.OBJECT k - x "GET /bucket/k HTTP/1.1" 200 - 1 1 - 1 - "u" -"# => "key=k - x" "user_agent=u";
    ceph_journal: r"demo bucket [06/Feb/2019:01:00:38 +0100] REST.PUT.OBJECT key 512 - 5d41402abc4b2a76" => "reject=CephJournal";
    open_io: r"AUTH_demo bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 AUTH_demo:alice tx1 REST.GET.OBJECT a%2520b {U} {N} {A} - tx1 SigV4 - AuthHeader h TLSv1.2 -" =>
        "requester=AUTH_demo:alice" "object_key=a b" "tls_version=TLSv1.2" "access_point_arn=NULL" "extra_fields=";
    scality: r#"0f1e bucket [06/Feb/2019:00:00:38 +0000] ::ffff:192.0.2.3 user:account 0a0b REST.GET.OBJECT my key "GET /bucket/my%20key HTTP/1.1" 200 - 0 1e+06 45.5 1.234567e+06 "a\"b" "x\\y" - - SigV4 - AuthHeader h TLSv1.3 - -"# =>
        "remote_ip=::ffff:192.0.2.3" "requester=user:account" "key=my key" "bytes_sent=0" "object_size=1000000" "total_time=46"
        "turn_around_time=1234567" "referer=a\\\"b" "user_agent=x\\\\y" "host_id=NULL" "tls_version=TLSv1.3";
    scality_operations: r"0f1e bucket [06/Feb/2019:00:00:38 +0000] - - 0a0b REST.PUT.RATELIMIT - {U} {N} {A}" => "operation=REST.PUT.RATELIMIT";
    versity_gw: r"alice bucket [06/August/2024:10:00:00 +0200] 192.0.2.3 AKIAEXAMPLE R REST.PUT.OBJECT my key /bucket/my key 200 - 0 5 1 1 - aws-cli/2 md - SigV4 - AuthHeader s3.us-east-1.amazonaws.com - arn:aws:s3:::bucket/key Yes" => "reject=VersityGw";
    versity_gw_in_may: r"alice bucket [06/May/2024:10:00:00 +0200] 192.0.2.3 AKIAEXAMPLE R REST.PUT.OBJECT key /bucket/key 200 - 0 5 1 1 - aws-cli/2 - - SigV4 - AuthHeader h - arn:aws:s3:::bucket/key Yes" => "reject=VersityGw";
    versity_gw_start: r"log starts 2024-05-06 10:00:00.000000000 +0200 CEST" => "reject=VersityGwStart";
    ceph_journal_row as CephJournal: r"demo t:bucket [06/Feb/2019:01:00:38 +0100] REST.PUT.OBJECT key 512 null 5d41402abc4b2a76" =>
        "time=1549411238" "bucket_owner=demo" "bucket=t:bucket" "operation=REST.PUT.OBJECT" "key=key" "object_size=512" "version_id=null"
        "extra_fields=5d41402abc4b2a76" "ambiguous=false" "object_key=key" "remote_ip=NULL" "requester=NULL" "request_id=NULL"
        "request_uri=NULL" "http_status=NULL" "bytes_sent=NULL" "total_time=NULL" "referer=NULL" "user_agent=NULL" "host_id=NULL";
    ceph_journal_of_a_deletion as CephJournal: r"demo bucket [06/Feb/2019:00:00:38 +0000] REST.DELETE.OBJECT key - v8 -" =>
        "object_size=NULL" "version_id=v8" "extra_fields=-";
    ceph_journal_key_with_spaces as CephJournal: r#"demo bucket [06/Feb/2019:00:00:38 +0000]  REST.PUT.OBJECT  my  7 "key" - 512  -   e "# =>
        r#"key=my  7 "key" -"# "object_size=512" "version_id=NULL" "extra_fields=e";
    ceph_journal_key_that_looks_like_a_record as CephJournal: r#"demo bucket [06/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT a R REST.GET.OBJECT k "GET /k HTTP/1.1" 200 - 1 2 3 4 "-" "-" 512 - e"# =>
        "operation=REST.PUT.OBJECT" r#"key=a R REST.GET.OBJECT k "GET /k HTTP/1.1" 200 - 1 2 3 4 "-" "-""# "ambiguous=false";
    ceph_journal_with_another_inside as CephJournal: r"demo bucket [06/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT a demo bucket [06/Feb/2019:00:00:39 +0000] REST.PUT.OBJECT b 1 - e" => "ambiguous=true";
    ceph_journal_that_was_cut as CephJournal: r"demo bucket [06/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT key 512 -" => "reject=Missing";
    ceph_journal_without_a_size as CephJournal: r"demo bucket [06/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT key big - e" => "reject=Number";
    ceph_journal_that_is_no_time as CephJournal: r"demo bucket [31/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT key 1 - e" => "reject=Time";
    ceph_standard_among_journal_records as CephJournal: r"{H} k {U} {N} {A} {T}" => "remote_ip=192.0.2.3" "tls_version=TLSv1.3" "extra_fields=";
    versity_gw_among_journal_records as CephJournal: r"alice bucket [06/August/2024:10:00:00 +0200] 192.0.2.3 A R s3_PutObject" => "reject=VersityGw";

    versity_gw_row as VersityGw: r"{VP} k /b/k?versionId=3 206 - 7 5 2 1 http://www.example.com/ aws-cli/2 3 q3= {VT}/b/k Yes" =>
        "time=1722931200" "raw.time=06/August/2024:10:00:00 +0200" "bucket_owner=alice" "bucket=b" "remote_ip=192.0.2.3" "requester=AKIAEXAMPLE"
        "request_id=R" "operation=s3_PutObject" "key=k" "request_uri=/b/k?versionId=3" "http_status=206" "error_code=NULL" "bytes_sent=7"
        "object_size=5" "total_time=2" "turn_around_time=1" "referer=http://www.example.com/" "user_agent=aws-cli/2" "version_id=3" "host_id=q3="
        "signature_version=SigV4" "cipher_suite=NULL" "authentication_type=AuthHeader" "host_header=s3.us-east-1.amazonaws.com" "tls_version=NULL"
        "access_point_arn=arn:aws:s3:::/b/k" "acl_required=true" "source_region=NULL" "extra_fields=" "ambiguous=false" "object_key=k";
    versity_gw_key_and_agent_with_spaces as VersityGw: r"{VP} my 200 - 1 2 3 4 key /b/my%20key 200 - 0 5 1 1 - aws-cli/2 md/awscrt#0.23 (x y) - - {VT}/b/my 200 - 1 2 3 4 key Yes" =>
        "key=my 200 - 1 2 3 4 key" "request_uri=/b/my%20key" "referer=NULL" "user_agent=aws-cli/2 md/awscrt#0.23 (x y)" "ambiguous=false"
        "access_point_arn=arn:aws:s3:::/b/my 200 - 1 2 3 4 key" "acl_required=true";
    versity_gw_key_is_not_decoded as VersityGw: r"{VP} 100%25 /b/100%2525 200 - 0 5 1 1 - u - - {VT}/b/100%25 Yes" => "object_key=100%25";
    versity_gw_in_may_row as VersityGw: r"alice b [06/May/2024:10:00:00 +0200] 192.0.2.3 A R s3_GetObject k /b/k 200 - 0 5 1 1 - u - - {VT}/b/k Yes" => "time=1714982400" "key=k";
    versity_gw_without_a_key as VersityGw: r"{VP} - /b/?list-type=2 200 - 0 0 1 1 - u - - {VT}/b/ Yes" => "key=NULL" "request_uri=/b/?list-type=2" "ambiguous=false";
    versity_gw_without_a_bucket as VersityGw: r"- - [06/August/2024:10:00:00 +0200] 192.0.2.3 A R s3_ListAllMyBuckets - / 200 - 0 0 1 1 - u - - {VT}/ Yes" => "bucket=NULL" "key=NULL" "ambiguous=false";
    versity_gw_bucket_with_a_space as VersityGw: r"- my b [06/August/2024:10:00:00 +0200] 192.0.2.3 - R - - /my%20b 400 InvalidBucketName 0 0 1 1 - u - - {VT}/my b Yes" => "bucket=my b" "error_code=InvalidBucketName" "ambiguous=false";
    versity_gw_failure as VersityGw: r"{VP} k /b/k 500 open /data/b/k: permission denied 0 5 1 1 - u - - {VT}/b/k Yes" =>
        "http_status=500" "error_code=open /data/b/k: permission denied" "bytes_sent=0" "ambiguous=false";
    versity_gw_failure_with_numbers as VersityGw: r"{VP} k /b/k 500 a 1 2 3 4 b 0 5 1 1 - u - - {VT}/b/k Yes" => "ambiguous=true";
    versity_gw_path_with_a_space as VersityGw: r"{VP} a b /b/a b 200 - 0 5 1 1 - u - - {VT}/b/a b Yes" => "key=a b" "request_uri=/b/a b" "http_status=200";
    versity_gw_agent_with_an_end_of_a_line as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 - u - - {VT}/b/k Yes - - {VT}/b/k Yes" =>
        "key=k" "referer=NULL" "version_id=NULL" "ambiguous=true";
    versity_gw_agent_with_an_end_of_another_line as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 - u SigV4 c AuthHeader h t arn:aws:s3:::/b/x Yes - - {VT}/b/k Yes" =>
        "user_agent=u SigV4 c AuthHeader h t arn:aws:s3:::/b/x Yes" "cipher_suite=NULL" "access_point_arn=arn:aws:s3:::/b/k" "ambiguous=false";
    versity_gw_key_of_many_ends as VersityGw: r"{VP} a {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/x /b/a 200 - 0 5 1 1 - u - - {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/x Yes" =>
        "key=a {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/a {VT}/b/x" "request_uri=/b/a" "user_agent=u" "ambiguous=false";
    versity_gw_agent_with_numbers as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 - u 404 x 1 2 3 4 y - - {VT}/b/k Yes" => "http_status=200" "user_agent=u 404 x 1 2 3 4 y" "ambiguous=true";
    versity_gw_agent_with_a_dash as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 - u - v - - {VT}/b/k Yes" => "user_agent=u - v" "ambiguous=true";
    versity_gw_referer_that_is_no_url as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 a b - - {VT}/b/k Yes" => "referer=a" "user_agent=b" "ambiguous=true";
    versity_gw_key_that_is_not_repeated as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 - u - - {VT}/b/other Yes" => "key=k" "http_status=200" "ambiguous=true";
    versity_gw_with_another_inside as VersityGw: r"alice b [06/August/2024:10:00:00 +0200] 192.0.2.3 A R s3_GetOb{VP} k /b/k 200 - 0 5 1 1 - u - - {VT}/b/k Yes" => "ambiguous=true";
    versity_gw_that_was_cut as VersityGw: r"{VP} k /b/k 200 - 0 5 1 1 - u - - {VT}/b/k" => "reject=Missing";
    versity_gw_that_was_cut_in_front as VersityGw: r"{VP}" => "reject=Missing";
    versity_gw_that_is_no_time as VersityGw: r"alice b [31/June/2024:10:00:00 +0200] 192.0.2.3 A R s3_GetObject k /b/k 200 - 0 5 1 1 - u - - {VT}/b/k Yes" => "reject=VersityGw";
    versity_gw_start_stays_a_reject as VersityGw: r"log starts 2024-05-06 10:00:00.000000000 +0200 CEST m=+0.01" => "reject=VersityGwStart";
    aws_among_lines_of_versity_gw as VersityGw: r"{H} k {U} {N} {A} {T} arn:aws:s3:us-east-1:123456789012:accesspoint/ap Yes" =>
        "request_uri=GET /photos/a.jpg HTTP/1.1" "acl_required=true" "ambiguous=false";
    aws_with_a_time_of_versity_gw as VersityGw: r#"{H} k {U} {N} "[06/August/2024:10:00:00 +0200] " "{VP}" {T}"# => "key=k" "host_header=demo.s3.eu-west-1.amazonaws.com";
    ceph_journal_among_lines_of_versity_gw as VersityGw: r"demo bucket [06/Feb/2019:01:00:38 +0100] REST.PUT.OBJECT key 512 - 5d41402abc4b2a76" => "reject=CephJournal";
    moto: r"0f1e originbucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.BUCKET - GET /bucket/k HTTP/1.1 200 - - 5 1 - python-requests/2 - - SigV4 - AuthHeader h TLSv1.1" => "reject";
    backblaze: r#"0a1b2c3d4e5f bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 0000a1b2c3d4e5f0000000001 0a1b2c3d4e5f6789 REST.S3_GET_OBJECT k {U} 200 - - 5 1 1 {A} - - SigV4 - AuthHeader s3.example.com - - -"# =>
        "operation=REST.S3_GET_OBJECT" "bytes_sent=NULL" "host_id=NULL" "acl_required=NULL" "object_key=k";
    huawei: r#"0f1e bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 Anonymous R  REST.GET.BUCKET.LOCATION - {U} 200 - 10 - 5 5 "-"  "HttpClient" - STS STANDARD STANDARD"# =>
        "requester=Anonymous" "operation=REST.GET.BUCKET.LOCATION" "user_agent=HttpClient" "host_id=STS" "cipher_suite=STANDARD" "ambiguous=false";
    cloud_front_record: "2019-02-06\t00:00:38\tFRA2-C1\t512\t192.0.2.3\tGET\td111.cloudfront.net\t/k\t200\t-\tcurl/8.5.0\t-\t-\tHit" => "reject";
    cloud_front_header: "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status" => "reject=CloudFrontHeader";
    json_record: r#"{"bucket":"demo","time":"2019-02-06T00:00:38Z"}"# => "reject";
}
