//! What a user agent says of its client: kind, family, a hostile tool, a crawler it claims to be.
//!
//! SDKs of AWS name what they were used for: `m/D,g,N` in another order each time, `md/command#s3.sync` of each command.
//! One client then looks like a dozen. The normalised form keeps products with their major versions and drops the rest.
//! Asked once for each distinct user agent, so it may take its time.

use super::Lists;
use super::lists::{ListError, entries};
use crate::functions::user_agent_family;
use regex::Regex;
use std::sync::{Arc, LazyLock};

/// A normalised user agent is cut here.
const LONGEST: usize = 200;

/// What kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A person's browser, or an app that shows pages.
    Browser,
    /// A crawler, a preview, a monitor.
    Bot,
    /// A library for S3.
    Sdk,
    /// A program for storage, a package manager, a player.
    Tool,
    /// An HTTP library or a command line client.
    Script,
    /// No user agent.
    None,
    /// Not known.
    Other,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 7] =
        [Self::Browser, Self::Bot, Self::Sdk, Self::Tool, Self::Script, Self::None, Self::Other];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Bot => "bot",
            Self::Sdk => "sdk",
            Self::Tool => "tool",
            Self::Script => "script",
            Self::None => "none",
            Self::Other => "other",
        }
    }
}

/// Everything that rules want to know of a user agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserAgentFacts {
    /// Products with major versions, without what changes from call to call.
    pub(crate) norm: String,
    /// The function `user_agent_family`; empty if there is no user agent.
    pub(crate) family: String,
    /// What kind of client it is.
    pub(crate) kind: Kind,
    /// The tool of the list of hostile ones that it names.
    pub(crate) hostile_tool: Option<Arc<str>>,
    /// The operator whose crawler it claims to be.
    pub(crate) crawler_claim: Option<Arc<str>>,
    /// It runs on a system made for attacks: Kali, Parrot, Pentoo, BlackArch.
    pub(crate) offensive_os: bool,
}

impl UserAgentFacts {
    /// Of the field as it stands.
    pub(crate) fn of(lists: &Lists, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.unwrap_or_default().trim();
        let user_agent = if user_agent == "-" { "" } else { user_agent };
        let family = user_agent_family(user_agent).to_owned();
        let kind = if user_agent.is_empty() { Kind::None } else { kind(&family, user_agent) };
        Self {
            norm: normalised(user_agent),
            kind,
            hostile_tool: lists.hostile_agents.find(user_agent),
            crawler_claim: lists.crawlers.claimed_by(user_agent).map(|crawler| Arc::clone(&crawler.operator)),
            offensive_os: OFFENSIVE_OS.as_ref().is_ok_and(|pattern| pattern.is_match(user_agent)),
            family,
        }
    }
}

/// Names of hostile tools by what they send.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostileAgents {
    /// What to look for, in lower case, and the tool's name.
    tokens: Vec<(Box<str>, Arc<str>)>,
}

impl HostileAgents {
    /// The list's name.
    pub(crate) const NAME: &'static str = "hostile-agents";

    /// Reads the list: `token`, or `Name = token`.
    pub(crate) fn parse(text: &str) -> Result<Self, ListError> {
        let mut tokens = Vec::new();
        for (number, line) in entries(text) {
            let (name, token) = line.split_once(" = ").unwrap_or((line, line));
            let (name, token) = (name.trim().trim_end_matches('/'), token.trim());
            if token.len() < 3 || name.is_empty() {
                let message = format!("`{line}` would be found everywhere; write at least three letters");
                return Err(ListError::new(Self::NAME, number, message));
            }
            tokens.push((token.to_ascii_lowercase().into_boxed_str(), Arc::from(name)));
        }
        Ok(Self { tokens })
    }

    /// The first tool of the list that a user agent names.
    pub(crate) fn find(&self, user_agent: &str) -> Option<Arc<str>> {
        let user_agent = user_agent.to_ascii_lowercase();
        let found = self.tokens.iter().find(|(token, _)| finds_token(&user_agent, token));
        found.map(|(_, name)| Arc::clone(name))
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }
}

/// Whether a token stands at the start of a word and, if it ends like one, at its end.
fn finds_token(text: &str, token: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let ends_a_word = token.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric);
    let begins_a_word = token.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    text.match_indices(token).any(|(start, _)| {
        let (before, behind) = (&text.as_bytes()[..start], &text.as_bytes()[start + token.len()..]);
        let starts = !begins_a_word || !before.last().is_some_and(is_word);
        starts && !(ends_a_word && behind.first().is_some_and(u8::is_ascii_alphanumeric))
    })
}

/// Kernels as SDKs name them, `Linux/6.6.9-kali-amd64`, and systems by name.
static OFFENSIVE_OS: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)linux[/#][^ ]*[-.+_0-9](?:kali|parrot|pentoo|blackarch)|\b(?:kali|parrot|pentoo|blackarch)[ /_-]?(?:linux|gnu|security|os)\b",
    )
});

/// Without versions below the major, and without what SDKs of AWS say of one call.
fn normalised(user_agent: &str) -> String {
    let words: Vec<&str> = user_agent.split_ascii_whitespace().collect();
    let is_sdk = words.iter().any(|word| {
        let lower = word.to_ascii_lowercase();
        ["m/", "md/", "ua/2", "aws-", "boto", "s3console"].iter().any(|start| lower.starts_with(start))
    });
    let mut norm = String::with_capacity(user_agent.len().min(LONGEST));
    for word in words {
        if is_sdk && is_of_one_call(word) {
            continue;
        }
        if !norm.is_empty() {
            norm.push(' ');
        }
        push_major(&mut norm, word);
    }
    if norm.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| norm.is_char_boundary(*end)).unwrap_or(0);
        norm.truncate(end);
    }
    norm
}

/// Whether a word of an SDK says something of one call, not of the client.
fn is_of_one_call(word: &str) -> bool {
    const CALLS: [&str; 9] = ["m/", "md/", "cfg/", "ft/", "api/", "ua/", "exec-env/", "command/", "sdk-metrics/"];
    CALLS.iter().any(|start| word.starts_with(start))
}

/// A word with its versions cut to the major one: `Chrome/120.0.1` is `Chrome/120`, `lang/python#3.11` is `lang/python#3`.
fn push_major(norm: &mut String, word: &str) {
    let mut rest = word;
    while let Some(mark) = rest.find(['/', '#']) {
        let (before, version) = rest.split_at(mark + 1);
        norm.push_str(before);
        let digits = version.bytes().take_while(u8::is_ascii_digit).count();
        rest = version;
        if digits > 0 {
            norm.push_str(&version[..digits]);
            // The version goes on to a bracket, a comma or another mark.
            let end = version.find(['/', '#', ')', '(', ';', ',', '[', ']', '"', '\'']).unwrap_or(version.len());
            rest = &version[end.max(digits)..];
        }
    }
    norm.push_str(rest);
}

/// Families that are no browsers and no crawlers, as `functions/user_agents.txt` calls them.
const SDKS: [&str; 29] = [
    "Boto3",
    "aiobotocore",
    "Boto",
    "botocore",
    "aws-sdk-java",
    "aws-sdk-go",
    "aws-sdk-js",
    "aws-sdk-rust",
    "aws-sdk-dotnet",
    "aws-sdk-php",
    "aws-sdk-ruby",
    "aws-sdk-cpp",
    "aws-sdk-kotlin",
    "aws-sdk-swift",
    "aws-sdk-ios",
    "aws-sdk-android",
    "aws-sdk-unity",
    "aws-crt",
    "minio-go",
    "minio-java",
    "minio-py",
    "minio-js",
    "minio-dotnet",
    "minio-rs",
    "MinIO",
    "aws-internal",
    "object_store",
    "OpenDAL",
    "S3Console",
];

/// Programs.
const TOOLS: [&str; 57] = [
    "aws-cli",
    "s5cmd",
    "s3cmd",
    "rclone",
    "mc",
    "restic",
    "Cyberduck",
    "WinSCP",
    "CloudBerry",
    "Arq",
    "Duplicati",
    "s3fs",
    "goofys",
    "geesefs",
    "JuiceFS",
    "mountpoint-s3",
    "Terraform",
    "Pulumi",
    "Packer",
    "Ansible",
    "Velero",
    "Airflow",
    "EMRFS",
    "Hadoop",
    "Trino",
    "ClickHouse",
    "DuckDB",
    "Snowflake",
    "GDAL",
    "Fluent-Bit",
    "Logstash",
    "CloudFormation",
    "CloudFront",
    "VLC",
    "FFmpeg",
    "mpv",
    "Kodi",
    "AppleCoreMedia",
    "ExoPlayer",
    "stagefright",
    "NSPlayer",
    "Windows-Media-Player",
    "GStreamer",
    "QuickTime",
    "iTunes",
    "Podcasts",
    "Overcast",
    "Spotify",
    "Roku",
    "APT",
    "pip",
    "conda",
    "libdnf",
    "npm",
    "Yarn",
    "Homebrew",
    "containerd",
];

/// More programs, those of developers.
const BUILDERS: [&str; 3] = ["Apache-Maven", "Gradle", "git-lfs"];

/// HTTP libraries, command line clients, languages.
const SCRIPTS: [&str; 35] = [
    "Postman",
    "Insomnia",
    "HTTPie",
    "curl",
    "Wget",
    "aria2",
    "python-requests",
    "python-urllib3",
    "Python-urllib",
    "aiohttp",
    "python-httpx",
    "Go-http-client",
    "Apache-HttpClient",
    "okhttp",
    "axios",
    "node-fetch",
    "undici",
    "got",
    "Guzzle",
    "Faraday",
    "libwww-perl",
    "reqwest",
    "hyper",
    "Dart",
    "Dalvik",
    "WinHTTP",
    "PowerShell",
    "CFNetwork",
    "HeadlessChrome",
    "PhantomJS",
    "Java",
    "Python",
    "PHP",
    "Ruby",
    "Perl",
];

/// Browsers and apps.
const BROWSERS: [&str; 18] = [
    "Facebook",
    "Instagram",
    "Electron",
    "Edge",
    "Opera",
    "Samsung Internet",
    "Vivaldi",
    "Yandex Browser",
    "UC Browser",
    "DuckDuckGo",
    "Silk",
    "SeaMonkey",
    "Firefox",
    "Chrome",
    "Internet Explorer",
    "Safari",
    "WebKit",
    "Mozilla",
];

/// Scanners, crawlers, previews and monitors whose names do not end like one.
const BOTS: [&str; 52] = [
    "sqlmap",
    "Nikto",
    "Nmap",
    "Nuclei",
    "gobuster",
    "ffuf",
    "dirbuster",
    "feroxbuster",
    "wfuzz",
    "WPScan",
    "WhatWeb",
    "masscan",
    "zgrab",
    "Nessus",
    "OpenVAS",
    "Acunetix",
    "Netsparker",
    "Arachni",
    "CensysInspect",
    "Expanse",
    "InternetMeasurement",
    "l9explore",
    "TruffleHog",
    "S3Scanner",
    "Google-InspectionTool",
    "GoogleOther",
    "AdsBot-Google",
    "Mediapartners-Google",
    "FeedFetcher-Google",
    "APIs-Google",
    "GoogleImageProxy",
    "Sogou",
    "ChatGPT-User",
    "Claude-User",
    "anthropic-ai",
    "Perplexity-User",
    "meta-externalagent",
    "meta-externalfetcher",
    "facebookexternalhit",
    "cohere-ai",
    "ia_archiver",
    "WhatsApp",
    "SkypeUriPreview",
    "Iframely",
    "Embedly",
    "Pingdom",
    "StatusCake",
    "Site24x7",
    "Lighthouse",
    "Scrapy",
    "HTTrack",
    "heritrix",
];

/// The kind of a family.
fn kind(family: &str, user_agent: &str) -> Kind {
    let is_one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(family));
    if is_one_of(&SDKS) {
        Kind::Sdk
    } else if is_one_of(&TOOLS) || is_one_of(&BUILDERS) {
        Kind::Tool
    } else if is_one_of(&SCRIPTS) {
        Kind::Script
    } else if is_one_of(&BROWSERS) {
        Kind::Browser
    } else if is_one_of(&BOTS) || names_a_bot(family) {
        Kind::Bot
    } else if family.to_ascii_lowercase().starts_with("aws-sdk") {
        Kind::Sdk
    } else if user_agent.contains("(compatible;") || user_agent.contains("+http") {
        // A client that leaves an address for complaints is a crawler.
        Kind::Bot
    } else {
        Kind::Other
    }
}

/// `Googlebot`, `Baiduspider`, `UptimeRobot`.
fn names_a_bot(family: &str) -> bool {
    let family = family.to_ascii_lowercase();
    ["bot", "spider", "crawler"].iter().any(|end| family.ends_with(end))
}

#[cfg(test)]
mod tests;
