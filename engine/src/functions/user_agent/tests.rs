//! One user agent per line. Version numbers and devices are invented.

use super::*;
use proptest::prelude::*;

#[test]
fn families() {
    for (user_agent, expected) in [
        // Tools and SDKs of object storage.
        ("aws-cli/1.18.183 Python/3.8.5 Darwin/20.1.0 botocore/1.19.23", "aws-cli"),
        (
            "aws-cli/2.15.0 md/awscrt#0.19.19 ua/2.0 os/linux#6.1 lang/python#3.11 cfg/retry-mode#standard command/s3.cp",
            "aws-cli",
        ),
        ("[aws-cli/1.16.1 Python/2.7 Linux/4.9 botocore/1.12]", "aws-cli"),
        (
            "Boto3/1.34.1 md/Botocore#1.34.1 ua/2.0 os/linux#6.1 lang/python#3.12 m/D,Z Botocore/1.34.1 Resource",
            "Boto3",
        ),
        ("Botocore/1.31.0 Python/3.9 Linux/5.4", "botocore"),
        ("aiobotocore/2.5.0 md/Botocore#1.29", "aiobotocore"),
        ("Boto/2.49.0 Python/2.7.18 Linux/4.14", "Boto"),
        (
            "aws-sdk-java/1.11.901 Mac_OS_X/10.15 OpenJDK_64-Bit_Server_VM/25.2 java/1.8.0_2 vendor/Example",
            "aws-sdk-java",
        ),
        (
            "aws-sdk-java/2.20.0 md/io#sync md/http#Apache ua/2.1 Java/17.0.1 kotlin/1.9 exec-env/AWS_Lambda_java17",
            "aws-sdk-java",
        ),
        ("Hadoop 3.4.0-SNAPSHOT, aws-sdk-java/1.11.901 Linux/5.4 Java/1.8.0_282", "Hadoop"),
        ("ElasticMapReduce/1.0.0 emrfs/s3n {}, aws-sdk-java/1.11.1", "EMRFS"),
        ("S3Console/0.4, aws-internal/3 aws-sdk-java/1.11.888 Linux/4.9", "S3Console"),
        ("AWS CloudFormation, aws-internal/3", "CloudFormation"),
        ("aws-internal/3", "aws-internal"),
        ("Amazon CloudFront", "CloudFront"),
        ("aws-sdk-go/1.44.0 (go1.19; linux; amd64) S3Manager", "aws-sdk-go"),
        ("aws-sdk-go-v2/1.24.0 os/linux lang/go#1.21 md/GOOS#linux api/s3#1.47", "aws-sdk-go"),
        ("aws-sdk-go/1.40.25 (go1.17; linux; amd64) s5cmd/v2.0.0", "s5cmd"),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.6.0 (+https://www.terraform.io) aws-sdk-go-v2/1.24", "Terraform"),
        ("aws-sdk-js/3.480.0 ua/2.0 os/linux#5.10 lang/js md/nodejs#18.18.2 api/s3#3.480.0", "aws-sdk-js"),
        ("aws-sdk-nodejs/2.1000.0 linux/v14.17.0 promise", "aws-sdk-js"),
        ("aws-sdk-rust/1.0.0 os/linux lang/rust/1.74", "aws-sdk-rust"),
        ("aws-sdk-dotnet-coreclr/3.7.0 aws-sdk-dotnet-core/3.7.0 .NET_Core/6.0 OS/Linux", "aws-sdk-dotnet"),
        ("aws-sdk-php/3.258.0 OS/Linux/5.4 lang/php/8.1 GuzzleHttp/7", "aws-sdk-php"),
        ("aws-sdk-ruby3/3.171.0 ua/2.0 os/linux lang/ruby#3.2", "aws-sdk-ruby"),
        ("aws-sdk-cpp/1.11.0 Linux/5.10 x86_64 GCC/9", "aws-sdk-cpp"),
        ("mountpoint-s3/1.3.0 mountpoint-s3-client/0.6 CRTS3NativeClient/0.1.x platform/Linux", "mountpoint-s3"),
        ("rclone/v1.65.0", "rclone"),
        ("s3cmd/2.3.0", "s3cmd"),
        ("MinIO (linux; amd64) minio-go/v7.0.66 mc/RELEASE.2024-01-01T00-00-00Z", "mc"),
        ("MinIO (linux; amd64) minio-go/v7.0.66", "minio-go"),
        ("Minio (linux; amd64)", "MinIO"),
        ("Cyberduck/8.7.1.40770 (Mac OS X/13.2) (x86_64)", "Cyberduck"),
        ("s3fs/1.93 (commit hash unknown; OpenSSL)", "s3fs"),
        ("object_store/0.9.0", "object_store"),
        // HTTP clients and package managers.
        ("curl/8.5.0", "curl"),
        ("PycURL/7.45 libcurl/7.88 OpenSSL/3.0", "curl"),
        ("Wget/1.21.4", "Wget"),
        ("Go-http-client/1.1", "Go-http-client"),
        ("python-requests/2.31.0", "python-requests"),
        ("Python/3.11 aiohttp/3.9.1", "aiohttp"),
        ("Python-urllib/3.10", "Python-urllib"),
        ("Apache-HttpClient/4.5.13 (Java/11.0.20)", "Apache-HttpClient"),
        ("okhttp/4.12.0", "okhttp"),
        ("Java/1.8.0_181", "Java"),
        ("Dalvik/2.1.0 (Linux; U; Android 13; Pixel)", "Dalvik"),
        ("Debian APT-HTTP/1.3 (2.2.4)", "APT"),
        ("pip/23.0 {\"ci\":null,\"cpu\":\"x86_64\",\"python\":\"3.11\"}", "pip"),
        ("conda/23.1.0 requests/2.28.1 CPython/3.10.8 Linux/5.15", "conda"),
        // Media players.
        ("VLC/3.0.18 LibVLC/3.0.18", "VLC"),
        ("Lavf/58.76.100", "FFmpeg"),
        ("AppleCoreMedia/1.0.0.20G75 (iPhone; U; CPU OS 16_6 like Mac OS X; en_us)", "AppleCoreMedia"),
        ("MyPlayer/1.0 (Linux;Android 12) ExoPlayerLib/2.18.1", "ExoPlayer"),
        // Browsers.
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            "Chrome",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/120.0 Mobile/15E148 Safari/604.1",
            "Chrome",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0",
            "Edge",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 OPR/106.0",
            "Opera",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-S1) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0 Mobile Safari/537.36",
            "Samsung Internet",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0", "Firefox"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
            "Safari",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            "WebKit",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer"),
        ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "Internet Explorer"),
        ("Opera/9.80 (X11; Linux x86_64) Presto/2.12.388 Version/12.16", "Opera"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
            "HeadlessChrome",
        ),
        ("\"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120.0 Safari/537.36\"", "Chrome"),
        // Crawlers, previews, monitors.
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "GPTBot",
        ),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/116.0 Safari/537.36",
            "bingbot",
        ),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b", "bingbot"),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookexternalhit"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slackbot"),
        ("WhatsApp/2.23.20.0", "WhatsApp"),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "Pingdom"),
        ("Mozilla/5.0 (compatible; ExampleBot/0.1; +https://crawler.example) Chrome/110.0", "ExampleBot"),
        ("examplespider", "examplespider"),
        (
            "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
            "Chrome",
        ),
        ("curl/8.0 (see https://example.com/Googlebot/chrome)", "curl"),
        // Scanners, whatever they pretend to be.
        ("sqlmap/1.7 (https://sqlmap.org)", "sqlmap"),
        ("Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)", "Nikto"),
        ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "Nmap"),
        ("Fuzz Faster U Fool v2.1.0", "ffuf"),
        // Not known: the first product.
        ("ExampleApp/3.2 (build 7; iOS)", "ExampleApp"),
        ("Mountain Duck/4.15 (Windows 10)", "Mountain Duck"),
        ("S3 Browser/11.6.7 (https://s3browser.com)", "S3 Browser"),
        ("Mozilla/5.0 (compatible; nothing we know)", "Mozilla"),
        ("some words without a product", "some"),
        ("() { :; }; /bin/sh -c 'id'", "bin"),
        ("${jndi:ldap://192.0.2.1/a}", "jndi"),
        ("приложение/1.0", "приложение"),
        ("«x»", "«x»"),
        ("/", "/"),
        ("???", "???"),
        (" ", " "),
        ("", ""),
    ] {
        assert_eq!(family(user_agent), expected, "{user_agent}");
    }
}

#[test]
fn every_line_of_the_table_can_be_met() {
    let lines = include_str!("../user_agents.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut families = Vec::new();
    for line in lines {
        let (family_name, names) = line.split_once(" = ").unwrap_or((line, line));
        families.push(family_name);
        for name in names.split(' ').filter(|name| !name.starts_with('*')) {
            assert!(name.len() < LONGEST_WORD, "{name} is longer than what is looked up");
            assert_eq!(words(name).collect::<Vec<_>>(), [name], "{name} is not one word");
            assert_eq!(family(name), family_name, "{name} belongs to a stronger family");
        }
    }
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count, "a family stands in the table twice");
    assert_eq!(TABLE.endings, [b"bot".as_slice(), b"spider", b"crawler"]);
}

proptest! {
    #[test]
    fn any_text_has_a_family_that_is_empty_only_if_the_text_is(text in any::<String>()) {
        prop_assert_eq!(family(&text).is_empty(), text.is_empty());
    }

    #[test]
    fn case_changes_no_known_family(at in any::<prop::sample::Index>(), upper in any::<bool>()) {
        let mut names: Vec<_> = TABLE.words.iter().map(|(name, (_, family))| (name.as_slice(), *family)).collect();
        names.sort_unstable();
        let (name, expected) = names[at.index(names.len())];
        let name = str::from_utf8(name).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let name = if upper { name.to_ascii_uppercase() } else { name.to_owned() };
        let user_agent = format!("Mozilla/5.0 ({name}/1.0)");
        prop_assert_eq!(family(&user_agent), expected);
    }
}
