//! Classification of user agents: kind, family, hostile tools, claimed crawlers.
//!
//! AWS SDKs list the features in use: `m/D,g,N` in varying order, `md/command#s3.sync` for each command. A single
//! client then looks like a dozen. The normalised form keeps products with their major versions and drops the rest.
//! Computed once per distinct user agent, so it need not be fast.

use super::Lists;
use super::lists::{ListError, entries};
use crate::functions::user_agent_family;
use regex::Regex;
use std::sync::{Arc, LazyLock};

/// Maximum length of a normalised user agent.
const LONGEST: usize = 200;

/// Kind of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A browser, or an app that shows web pages.
    Browser,
    /// A crawler, link preview or monitor.
    Bot,
    /// An S3 library.
    Sdk,
    /// A storage program, package manager or media player.
    Tool,
    /// An HTTP library or command line client.
    Script,
    /// No user agent.
    None,
    /// Unknown.
    Other,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 7] =
        [Self::Browser, Self::Bot, Self::Sdk, Self::Tool, Self::Script, Self::None, Self::Other];

    /// The name in tables.
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

/// Everything that rules use of a user agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserAgentFacts {
    /// Products with major versions, without what varies between calls.
    pub(crate) norm: String,
    /// The result of the function `user_agent_family`; empty without a user agent.
    pub(crate) family: String,
    /// The kind of client.
    pub(crate) kind: Kind,
    /// The hostile tool that it names.
    pub(crate) hostile_tool: Option<Arc<str>>,
    /// The operator whose crawler it claims to be.
    pub(crate) crawler_claim: Option<Arc<str>>,
    /// Whether it runs on an operating system for attacks: Kali, Parrot, Pentoo, BlackArch.
    pub(crate) offensive_os: bool,
}

impl UserAgentFacts {
    /// Classifies the field as logged.
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

/// Hostile tools, by their user agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostileAgents {
    /// Text to search for, in lower case, and the name of the tool.
    tokens: Vec<(Box<str>, Arc<str>)>,
}

impl HostileAgents {
    /// The name of the list.
    pub(crate) const NAME: &'static str = "hostile-agents";

    /// Parses the list: lines of `token`, or of `Name = token`.
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

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }
}

/// Whether a token occurs at the start of a word, and, if its last character is alphanumeric, also ends with the word.
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

/// Kernel names as sent by SDKs, `Linux/6.6.9-kali-amd64`, and names of systems.
static OFFENSIVE_OS: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)linux[/#][^ ]*[-.+_0-9](?:kali|parrot|pentoo|blackarch)|\b(?:kali|parrot|pentoo|blackarch)[ /_-]?(?:linux|gnu|security|os)\b",
    )
});

/// Removes minor versions, and what AWS SDKs say about a single call.
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

/// Whether a word of an SDK concerns a single call rather than the client.
fn is_of_one_call(word: &str) -> bool {
    const CALLS: [&str; 9] = ["m/", "md/", "cfg/", "ft/", "api/", "ua/", "exec-env/", "command/", "sdk-metrics/"];
    CALLS.iter().any(|start| word.starts_with(start))
}

/// Appends a word with its versions cut to the major one: `Chrome/120.0.1` becomes `Chrome/120`, `lang/python#3.11`
/// becomes `lang/python#3`.
fn push_major(norm: &mut String, word: &str) {
    let mut rest = word;
    while let Some(mark) = rest.find(['/', '#']) {
        let (before, version) = rest.split_at(mark + 1);
        norm.push_str(before);
        let digits = version.bytes().take_while(u8::is_ascii_digit).count();
        rest = version;
        if digits > 0 {
            norm.push_str(&version[..digits]);
            // The version ends at a bracket, a comma or another separator.
            let end = version.find(['/', '#', ')', '(', ';', ',', '[', ']', '"', '\'']).unwrap_or(version.len());
            rest = &version[end.max(digits)..];
        }
    }
    norm.push_str(rest);
}

/// Families that are SDKs, as named in `functions/user_agents.txt`.
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

/// Families that are storage programs.
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

/// Families that are developers' programs.
const BUILDERS: [&str; 3] = ["Apache-Maven", "Gradle", "git-lfs"];

/// Families that are HTTP libraries, command line clients or languages.
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

/// Families that are browsers and apps.
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
        // Clients that leave a contact address are crawlers.
        Kind::Bot
    } else {
        Kind::Other
    }
}

/// Whether a name ends like that of a crawler: `Googlebot`, `Baiduspider`, `UptimeRobot`.
fn names_a_bot(family: &str) -> bool {
    let family = family.to_ascii_lowercase();
    ["bot", "spider", "crawler"].iter().any(|end| family.ends_with(end))
}

#[cfg(test)]
mod tests;
