//! Log objects with everything that could trip readers of Parquet: NULLs in every nullable column, lines of all
//! versions, unknown fields, text in many scripts and invalid text, buckets whose names are not valid folder names.

use bytes::Bytes;

/// Bucket names that some servers permit.
const BUCKETS: [&str; 7] = ["photos", "a=b", "100%", "%41", "caf\u{e9}/\u{fc}ber", "-", ".."];
/// Keys as logged, and the fields after the user agent.
const KEYS: [(&str, &str); 9] = [
    ("plain.txt", " - aWQ= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader x.s3.us-east-1.amazonaws.com TLSv1.2 - Yes"),
    // Encoded once more than the key.
    ("caf%25C3%25A9/%25E6%2597%25A5.txt", " - aWQ= SigV4 - AuthHeader x.s3.us-east-1.amazonaws.com TLSv1.2 - -"),
    ("\u{65e5}\u{672c}/\u{1f600}", " -"),
    ("a+b%2520c", " 3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"),
    ("-", ""),
    ("%25FF%25FE", " - aWQ= - - - - - - - one \"two three\" four"),
    ("with\u{7f}control", " -"),
    ("x", " - - - - - - - - -"),
    ("y%2500z", " - - - - - - - - - \u{fc}"),
];
/// User agents; the last ones are ambiguous, or not valid text.
const USER_AGENTS: [&[u8]; 5] =
    [b"curl/8.4.0", b"-", "M\u{f6}zilla \u{2603}".as_bytes(), b"x\" - \"y\" z", b"\xff\xfe\x00bytes"];

/// Six objects with records of three days.
pub(super) fn objects() -> Vec<(String, Bytes)> {
    let mut count = 0_usize;
    let mut object = |number: usize| {
        let mut bytes = Vec::new();
        for (of_bucket, bucket) in BUCKETS.iter().enumerate() {
            for (of_key, (key, tail)) in KEYS.iter().enumerate() {
                count += 1;
                let (day, second) = (2 + number % 3, 59 - (of_bucket * 7 + of_key) % 60);
                let sizes = [("1234", "5"), ("-", "-"), ("9007199254740993", "0")][count % 3];
                let address = ["192.0.2.3", "2001:db8::17", "-"][of_key % 3];
                bytes.extend_from_slice(
                    format!(
                        "- {bucket} [{day:02}/Mar/2026:23:59:{second:02} +0000] {address} - ODD{count:013X} REST.GET.OBJECT {key} \
                         \"GET /{key}?a=%22b HTTP/1.1\" 200 - {} {} 7 - \"-\" \"",
                        sizes.0,
                        sizes.1
                    )
                    .as_bytes(),
                );
                bytes.extend_from_slice(USER_AGENTS[count % USER_AGENTS.len()]);
                bytes.extend_from_slice(format!("\"{tail}\n").as_bytes());
            }
        }
        (format!("2026-03-0{}-23-59-59-0DD{number:013X}", 2 + number % 3), Bytes::from(bytes))
    };
    (0..6).map(&mut object).collect()
}
