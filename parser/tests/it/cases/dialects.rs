//! Lines as other stores than AWS write them: section 6 of the format.

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
    moto: r"0f1e originbucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.BUCKET - GET /bucket/k HTTP/1.1 200 - - 5 1 - python-requests/2 - - SigV4 - AuthHeader h TLSv1.1" => "reject";
    backblaze: r#"0a1b2c3d4e5f bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 0000a1b2c3d4e5f0000000001 0a1b2c3d4e5f6789 REST.S3_GET_OBJECT k {U} 200 - - 5 1 1 {A} - - SigV4 - AuthHeader s3.example.com - - -"# =>
        "operation=REST.S3_GET_OBJECT" "bytes_sent=NULL" "host_id=NULL" "acl_required=NULL" "object_key=k";
    huawei: r#"0f1e bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 Anonymous R  REST.GET.BUCKET.LOCATION - {U} 200 - 10 - 5 5 "-"  "HttpClient" - STS STANDARD STANDARD"# =>
        "requester=Anonymous" "operation=REST.GET.BUCKET.LOCATION" "user_agent=HttpClient" "host_id=STS" "cipher_suite=STANDARD" "ambiguous=false";
    cloud_front_record: "2019-02-06\t00:00:38\tFRA2-C1\t512\t192.0.2.3\tGET\td111.cloudfront.net\t/k\t200\t-\tcurl/8.5.0\t-\t-\tHit" => "reject";
    cloud_front_header: "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status" => "reject=CloudFrontHeader";
    json_record: r#"{"bucket":"demo","time":"2019-02-06T00:00:38Z"}"# => "reject";
}
