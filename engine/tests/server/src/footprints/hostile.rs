//! Attack tools, and ordinary tools used by an attacker.

use std::io;

use super::visit::Visit;
use super::{OPEN, PRIVATE, SITE, Tool};
use crate::access_log::Face;

pub(super) const TOOLS: &[Tool] = &[
    Tool { name: "gobuster", visit: gobuster },
    Tool { name: "ffuf", visit: ffuf },
    Tool { name: "dirb", visit: dirb },
    Tool { name: "nmap", visit: nmap },
    Tool { name: "wfuzz", visit: wfuzz },
    Tool { name: "dirsearch", visit: dirsearch },
    Tool { name: "sqlmap", visit: sqlmap },
    Tool { name: "s3scanner", visit: s3scanner },
    Tool { name: "recon-anonymous", visit: recon_anonymous },
    Tool { name: "recon-signed", visit: recon_signed },
    Tool { name: "key-guesser", visit: key_guesser },
];

/// Names that are in every wordlist of such tools.
const WELL_KNOWN: [&str; 30] = [
    ".git/HEAD",
    ".git/config",
    ".env",
    ".htaccess",
    ".aws/credentials",
    "admin",
    "administrator",
    "api",
    "backup",
    "backup.sql",
    "backup.zip",
    "cgi-bin",
    "config",
    "config.json",
    "config.php",
    "dashboard",
    "database.sql",
    "db",
    "debug",
    "id_rsa",
    "login",
    "old",
    "phpinfo.php",
    "private",
    "secret",
    "server-status",
    "test",
    "tmp",
    "wp-admin",
    "wp-login.php",
];

/// Names made of harmless words, suspicious only by their number.
fn harmless() -> impl Iterator<Item = String> {
    let first = ["about", "archive", "blog", "content", "docs", "events", "files", "gallery", "help", "media"];
    let second = ["", "-new", "-2024", "-2025", "_en", "_de", "-list", "-main", "-page", "s", "1", "2", "3", "4", "5"];
    first.into_iter().flat_map(move |first| second.into_iter().map(move |second| format!("{first}{second}")))
}

/// A wordlist file, one word per line.
fn words(visit: &Visit<'_>) -> io::Result<String> {
    let words: Vec<String> = WELL_KNOWN.iter().map(|&word| word.to_owned()).chain(harmless()).collect();
    Ok(visit.file("words.txt", words.join("\n") + "\n")?.display().to_string())
}

fn gobuster(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.debian("gobuster")?;
    let (url, words) = (visit.listen(Face::Bucket(SITE.to_owned())), words(visit)?);
    visit.run(&programs, &url, "gobuster", &["dir", "-q", "-t", "4", "-b", "403,404", "-u", &url, "-w", &words])
}

fn ffuf(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.debian("ffuf")?;
    let (url, words) = (visit.listen(Face::Bucket(OPEN.to_owned())), words(visit)?);
    visit.run(&programs, &url, "ffuf", &["-s", "-t", "4", "-u", &format!("{url}/FUZZ"), "-w", &words])
}

fn dirb(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.debian("dirb")?;
    let (url, words) = (visit.listen(Face::Website(SITE.to_owned())), words(visit)?);
    visit.run(&programs, &url, "dirb", &[&format!("{url}/"), &words, "-S", "-r", "-w"])
}

/// Requests over a thousand paths of its own list.
fn nmap(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.debian("nmap")?;
    let url = visit.listen(Face::Bucket(OPEN.to_owned()));
    let port = url.rsplit(':').next().unwrap_or_default();
    let arguments =
        ["-n", "-Pn", "-sT", "--unprivileged", "-p", port, "--script", "+http-enum,+http-methods,+http-headers"];
    visit.run(&programs, &url, "nmap", &[&arguments[..], &["127.0.0.1"]].concat())
}

fn wfuzz(visit: &Visit<'_>) -> io::Result<()> {
    // Its requirements have a syntax that newer versions of pip reject.
    let programs = visit.python("wfuzz", &["pip<24.1", "setuptools<81", "wfuzz==3.1.0"])?;
    let (url, words) = (visit.listen(Face::Bucket(SITE.to_owned())), words(visit)?);
    let list = format!("file,{words}");
    visit.run(&programs, &url, "wfuzz", &["-t", "4", "-z", &list, "--hc", "403,404", &format!("{url}/FUZZ")])
}

/// Claims to be a browser, and requests nothing sensitive.
fn dirsearch(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.python("dirsearch", &["dirsearch==0.5.0"])?;
    let url = visit.listen(Face::Bucket(SITE.to_owned()));
    let words = visit.file("harmless.txt", harmless().collect::<Vec<_>>().join("\n"))?.display().to_string();
    visit.run(&programs, &url, "dirsearch", &["-q", "-t", "4", "-x", "403,404", "-u", &url, "-w", &words])
}

fn sqlmap(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.python("sqlmap", &["sqlmap==1.10.10"])?;
    let url = visit.listen(Face::Bucket(SITE.to_owned()));
    let target = format!("{url}/index.html?id=1");
    visit.run(&programs, &url, "sqlmap", &["--batch", "--disable-coloring", "-u", &target, "--output-dir", "found"])
}

/// Searches for open buckets by name.
fn s3scanner(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.python("s3scanner", &["s3scanner==2.0.2"])?;
    let url = visit.listen(Face::Service);
    let names = visit.file("names.txt", format!("{SITE}\n{OPEN}\n{PRIVATE}\nno-such-bucket\n"))?.display().to_string();
    let arguments = ["--endpoint-url", &url, "--endpoint-address-style", "path", "scan", "--buckets-file", &names];
    visit.run(&programs, &url, "s3scanner", &arguments)
}

/// What can the public do with these buckets?
fn recon_anonymous(visit: &Visit<'_>) -> io::Result<()> {
    with_boto3(
        visit,
        "key",
        &format!(
            r#"
import boto3, botocore
s3 = boto3.client("s3", config=botocore.config.Config(signature_version=botocore.UNSIGNED, s3={{"addressing_style": "path"}}))
for bucket in ["{PRIVATE}", "{SITE}", "{OPEN}"]:
    for ask in [s3.list_objects_v2, s3.get_bucket_acl, s3.get_bucket_policy, s3.get_bucket_versioning]:
        try: ask(Bucket=bucket)
        except botocore.exceptions.ClientError: pass
"#
        ),
    )
}

/// What can this stolen key do?
fn recon_signed(visit: &Visit<'_>) -> io::Result<()> {
    with_boto3(
        visit,
        "key",
        &format!(
            r#"
import boto3, botocore
s3 = boto3.client("s3", config=botocore.config.Config(s3={{"addressing_style": "path"}}))
for bucket in ["{PRIVATE}", "{SITE}", "{OPEN}"]:
    for ask in [s3.get_bucket_acl, s3.get_bucket_policy, s3.get_bucket_policy_status, s3.get_bucket_logging,
                s3.get_bucket_encryption, s3.get_public_access_block, s3.get_bucket_lifecycle_configuration]:
        try: ask(Bucket=bucket)
        except botocore.exceptions.ClientError: pass
"#
        ),
    )
}

/// Does any of these keys work?
fn key_guesser(visit: &Visit<'_>) -> io::Result<()> {
    with_boto3(
        visit,
        "key",
        &format!(
            r#"
import boto3, botocore
for number in range(4):
    s3 = boto3.client("s3", aws_access_key_id="AKIAIOSFODNN7EXAMPL%d" % number, aws_secret_access_key="guessed",
                      config=botocore.config.Config(s3={{"addressing_style": "path"}}, retries={{"total_max_attempts": 1}}))
    for bucket in ["{PRIVATE}", "{SITE}", "{OPEN}"]:
        for ask in [lambda: s3.list_objects_v2(Bucket=bucket), lambda: s3.get_object(Bucket=bucket, Key="database.sql"),
                    lambda: s3.get_bucket_acl(Bucket=bucket)]:
            try: ask()
            except botocore.exceptions.ClientError: pass
"#
        ),
    )
}

fn with_boto3(visit: &Visit<'_>, name: &str, script: &str) -> io::Result<()> {
    let programs = super::ordinary::clients(visit)?;
    let script = visit.file(&format!("{name}.py"), script)?.display().to_string();
    visit.run(&programs, &visit.listen(Face::Service), "python", &[&script])
}
