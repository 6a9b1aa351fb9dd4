//! Detection quality on labelled logs of a seed that nothing was tuned on.

use std::fs;
use std::path::Path;

use s3log_benches::labelled::judge::judge;
use s3log_benches::labelled::{Options, write};
use s3log_engine::detect::context::{CidrList, Context};
use s3log_engine::detect::{DetectOptions, Lists, detect};
use s3log_engine::session::{Session, SessionOptions};

/// Long after the logs, so that no finding is provisional.
const NOW: i64 = 1_780_000_000_000_000;

fn list(folder: &Path, name: &str) -> CidrList {
    let text = fs::read_to_string(folder.join("context").join(name)).unwrap();
    CidrList::parse(name, &text, NOW).unwrap()
}

/// Writes findings like `s3log flag --min-score 0 -F ndjson`, with the members that the judge reads.
async fn findings(folder: &Path, with_context: bool) {
    let options = DetectOptions::new(NOW);
    let options = if with_context {
        let context = Context::new(NOW).with_crawlers_of(&Lists::shipped().unwrap()).unwrap();
        let context = context
            .with_allow(&list(folder, "allow.txt"))
            .with_cdn(&list(folder, "cdn.txt"))
            .with_crawlers(&list(folder, "crawlers.txt"))
            .with_intel(&list(folder, "intel.txt"));
        options.with_context(context)
    } else {
        options
    };
    let sources = [folder.join("logs").display().to_string()];
    let session = Session::open(&sources, SessionOptions::new()).await.unwrap();
    let report = detect(&session, &options).await.unwrap();
    let lines: String = report
        .findings
        .iter()
        .map(|finding| {
            let detectors: Vec<_> = finding
                .detectors
                .iter()
                .map(|signal| serde_json::json!({"id": signal.id, "confidence": signal.confidence}))
                .collect();
            let line = serde_json::json!({
                "client_ip": finding.client_ip.to_string(), "score": finding.score, "detectors": detectors,
            });
            format!("{line}\n")
        })
        .collect();
    fs::write(folder.join("findings.ndjson"), lines).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn attackers_are_told_from_everybody_else() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: 4711, days: 3, scale: 0.5, benign_only: false };
    write(&options, folder.path()).unwrap();
    for (with_context, least) in [(false, 0.65), (true, 0.72)] {
        findings(folder.path(), with_context).await;
        let verdict = judge(folder.path(), &folder.path().join("findings.ndjson")).unwrap();
        assert!(verdict.average_precision >= least, "PR-AUC {:.3}", verdict.average_precision);
        let at = |threshold: f64| verdict.at.iter().find(|at| (at.threshold - threshold).abs() < 1e-9).unwrap();
        assert!(at(0.6).false_positive_rate <= 0.01, "{:?}", at(0.6));
        assert!(at(0.9).precision >= 0.9, "{:?}", at(0.9));
        assert!(at(0.6).recall > 0.4, "{:?}", at(0.6));
        assert!(!with_context || verdict.listed.is_empty(), "{:?}", verdict.listed);
        assert!(verdict.unknown.is_empty(), "{:?}", verdict.unknown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_attackers_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: 4712, days: 3, scale: 0.5, benign_only: true };
    write(&options, folder.path()).unwrap();
    findings(folder.path(), true).await;
    let verdict = judge(folder.path(), &folder.path().join("findings.ndjson")).unwrap();
    let at = verdict.at.iter().find(|at| (at.threshold - 0.6).abs() < 1e-9).unwrap();
    assert!(at.false_positive_rate <= 0.005, "{at:?}");
}
