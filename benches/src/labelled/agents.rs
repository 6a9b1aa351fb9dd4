//! Realistic user agents.

use crate::random::Random;

/// Download tools that are not in themselves suspicious.
pub(super) const SCRIPTS: [&str; 8] = [
    "curl/8.5.0",
    "curl/7.88.1",
    "Wget/1.21.4",
    "python-requests/2.31.0",
    "python-requests/2.32.3",
    "Go-http-client/2.0",
    "okhttp/4.12.0",
    "axios/1.6.8",
];

/// A desktop browser.
pub(super) fn desktop(random: &mut Random) -> String {
    let chrome = random.between(128, 146);
    let firefox = random.between(125, 148);
    match random.below(10) {
        0..=3 => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0 Safari/537.36"
        ),
        4 => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0 Safari/537.36 Edg/{chrome}.0.0.0"
        ),
        5 => format!(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0 Safari/537.36"
        ),
        6 => format!(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.{} Safari/605.1.15",
            random.between(16, 18),
            random.between(0, 6)
        ),
        7 => format!("Mozilla/5.0 (X11; Linux x86_64; rv:{firefox}.0) Gecko/20100101 Firefox/{firefox}.0"),
        _ => format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{firefox}.0) Gecko/20100101 Firefox/{firefox}.0"),
    }
}

/// A mobile browser.
pub(super) fn phone(random: &mut Random) -> String {
    let version = random.between(15, 18);
    let minor = random.between(0, 6);
    match random.below(3) {
        0 => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {version}_{minor} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version}.{minor} Mobile/15E148 Safari/604.1"
        ),
        1 => format!(
            "Mozilla/5.0 (Linux; Android {}; SM-S9{}1B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Mobile Safari/537.36",
            random.between(11, 15),
            random.between(0, 3),
            random.between(128, 146)
        ),
        _ => format!(
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Mobile Safari/537.36",
            random.between(128, 146)
        ),
    }
}

/// A desktop or mobile browser.
pub(super) fn browser(random: &mut Random) -> String {
    if random.chance(450) { phone(random) } else { desktop(random) }
}

/// Letters of the features used by a botocore process, in random order.
fn features(random: &mut Random) -> String {
    let mut letters = ["D", "g", "N", "Z", "b", "E", "n", "e", "t", "s"];
    for index in (1..letters.len()).rev() {
        letters.swap(index, random.below(index as u64 + 1) as usize);
    }
    letters[..random.between(2, 5) as usize].join(",")
}

/// An invocation of the AWS CLI. `machine` determines what is constant per machine.
pub(super) fn aws_cli(random: &mut Random, machine: u64, command: &str) -> String {
    let mut of_machine = Random::new(machine ^ 0xC11);
    let minor = of_machine.between(13, 31);
    let patch = of_machine.between(0, 40);
    let system = *of_machine.pick(&[
        "linux#5.10.205-195.807.amzn2.x86_64",
        "macos#23.4.0",
        "linux#6.5.0-1022-azure",
        "windows#10",
        "linux#5.15.0-105-generic",
    ]);
    let python = *of_machine.pick(&["3.11.8", "3.11.9", "3.12.6"]);
    format!(
        "aws-cli/2.{minor}.{patch} md/awscrt#0.19.19 ua/2.0 os/{system} md/arch#x86_64 lang/python#{python} md/pyimpl#CPython m/{} cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#{command}",
        features(random)
    )
}

/// A boto3 process.
pub(super) fn boto3(random: &mut Random, machine: u64) -> String {
    let mut of_machine = Random::new(machine ^ 0xB070);
    let version = format!("1.{}.{}", of_machine.between(33, 40), of_machine.between(0, 140));
    let kernel =
        *of_machine.pick(&["5.15.0-1058-aws", "6.1.82-99.168.amzn2023.x86_64", "5.10.210", "6.8.0-31-generic"]);
    let python = *of_machine.pick(&["3.9.18", "3.10.12", "3.11.9", "3.12.3"]);
    let letters = features(random);
    format!(
        "Boto3/{version} md/Botocore#{version} ua/2.0 os/linux#{kernel} md/arch#x86_64 lang/python#{python} md/pyimpl#CPython m/{letters} cfg/retry-mode#legacy Botocore/{version}"
    )
}

/// Another SDK or tool that signs requests.
pub(super) fn sdk(random: &mut Random) -> String {
    match random.below(7) {
        0 => format!("rclone/v1.{}.0", random.between(60, 68)),
        1 => "MinIO (linux; amd64) minio-go/v7.0.66".into(),
        2 => "Hadoop 3.3.4, aws-sdk-java/1.12.262 Linux/5.10.205 OpenJDK_64-Bit_Server_VM/11.0.22+7 java/11.0.22 scala/2.12.17".into(),
        3 => format!("aws-sdk-go/1.4{}.{} (go1.21.6; linux; amd64) S3Manager", random.between(4, 9), random.between(0, 30)),
        4 => "aws-sdk-go-v2/1.24.1 os/linux lang/go#1.21.6 md/GOOS#linux md/GOARCH#amd64 api/s3#1.48.0".into(),
        5 => "aws-sdk-js/3.540.0 ua/2.0 os/linux#5.10.213 lang/js md/nodejs#18.19.1 api/s3#3.540.0".into(),
        _ => "aws-sdk-java/2.25.11 Linux/5.10.205 OpenJDK_64-Bit_Server_VM/17.0.10+7 Java/17.0.10 vendor/Amazon io/sync http/Apache cfg/retry-mode/legacy".into(),
    }
}

pub(super) const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 (+https://www.terraform.io) terraform-provider-aws/5.42.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.26.0 os/linux lang/go#1.21.8 md/GOOS#linux md/GOARCH#amd64 api/s3#1.53.0";
pub(super) const CONSOLE: &str = "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.690 Linux/5.10.210 OpenJDK_64-Bit_Server_VM/25.402-b08 java/1.8.0_402 vendor/Oracle_Corporation cfg/retry-mode/standard]";
