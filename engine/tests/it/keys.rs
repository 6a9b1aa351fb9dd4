//! The API of Spaces keys: against an independent implementation (Prism, driven by API descriptions), and with bad
//! responses.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use s3log_engine::keys::{Api, ApiOptions, Grant, Key, KeyFilter, Notice, Permission, Secret};
use s3log_engine::{Error, ErrorKind};
use s3log_test_server::{Answer, Answers, Asked, Client, Prism};
use serde_json::json;

const TOKEN: &str = "dop_v1_0123456789abcdef";
const SECRET: &str = "invented/secret+of-a-test";

fn options(endpoint: &str) -> ApiOptions {
    ApiOptions {
        url: endpoint.to_owned(),
        max_attempts: 3,
        patience: Duration::from_secs(20),
        pause: Duration::from_millis(1),
        longest_wait: Duration::from_secs(5),
        ..ApiOptions::new(Secret::new(TOKEN))
    }
}

/// An API client for a server, and the notices it emits.
fn api(endpoint: &str) -> (Api, Arc<Mutex<Vec<Notice>>>) {
    let heard = Arc::<Mutex<Vec<Notice>>>::default();
    let log = Arc::clone(&heard);
    let listener = Some(Arc::new(move |notice: &Notice| log.lock().unwrap().push(notice.clone())) as _);
    (Api::new(ApiOptions { listener, ..options(endpoint) }).unwrap(), heard)
}

/// An error as users see it, without what varies between runs.
fn told(error: &Error, endpoint: &str) -> String {
    let text = format!("{error}\n  hint: {}", error.hint().unwrap_or("none")).replace(endpoint, "http://API");
    assert!(!text.contains(TOKEN) && !text.contains(SECRET), "{text}");
    text
}

fn read(bucket: &str) -> Vec<Grant> {
    vec![Grant { bucket: bucket.to_owned(), permission: Permission::Read }]
}

fn key(number: usize) -> serde_json::Value {
    json!({"name": format!("key {number}"), "access_key": format!("DO{number}"), "grants": null})
}

/// A page with these keys, the total, and a link.
fn page(numbers: &[usize], total: usize, next: Option<String>) -> Answer {
    let keys: Vec<_> = numbers.iter().map(|number| key(*number)).collect();
    let links = next.map_or_else(|| json!({}), |next| json!({"pages": {"next": next, "last": next}}));
    Answer::json(200, json!({"keys": keys, "links": links, "meta": {"total": total}}).to_string())
}

/// A link to another page of the same server.
fn link(asked: &Asked, page: usize) -> Option<String> {
    Some(format!("http://{}/v2/spaces/keys?per_page=200&page={page}", asked.header("host").unwrap()))
}

fn has_token(asked: &Asked) -> bool {
    asked.header("authorization") == Some(&format!("Bearer {TOKEN}"))
}

fn ids(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(|key| key.access_key.as_str()).collect()
}

/// Descriptions of the API: our own, and DigitalOcean's if it is available beside the clone.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn descriptions() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let theirs = root.join("../../shared/digitalocean-openapi/specification/spaces-and-cdn.yaml");
    let mut descriptions = vec![root.join("tests/data/digitalocean/spaces-keys.yaml")];
    if theirs.is_file() {
        descriptions.push(theirs);
    } else {
        eprintln!("no ../shared/digitalocean-openapi: the API is tested by our own description alone");
    }
    descriptions
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_those_of_the_description() {
    for description in descriptions() {
        let prism = match Prism::start(Path::new(env!("CARGO_TARGET_TMPDIR")), &description) {
            Ok(prism) => prism,
            Err(error) => {
                eprintln!("skipped, no Prism: {error}");
                return;
            }
        };
        let endpoint = prism.endpoint();
        let (api, heard) = api(&endpoint);
        let keys = api.keys().await.unwrap();
        assert!(!keys.is_empty());
        let filter = KeyFilter {
            name: Some("a name&page=0".to_owned()),
            bucket: Some("logs".to_owned()),
            permission: Some(Permission::ReadWrite),
        };
        assert_eq!(api.keys_with(&filter).await.unwrap().len(), keys.len());
        let id = if keys.len() == 1 { "DOACCESSKEYEXAMPLE" } else { "DO00EXAMPLESITE" };
        assert_eq!(api.key(id).await.unwrap().access_key, id);
        assert_eq!(api.key("DO00OTHER").await.unwrap_err().kind(), ErrorKind::Unreadable);
        for grants in [
            vec![],
            read("logs"),
            vec![Grant { bucket: String::new(), permission: Permission::FullAccess }],
            [read("logs"), read("photos")].concat(),
        ] {
            let made = api.create("log reader", &grants).await.unwrap();
            assert!(!made.secret.reveal().is_empty());
            assert!(!format!("{made:?}").contains(made.secret.reveal()));
        }
        assert_eq!(*heard.lock().unwrap(), []);

        // Prism does validate: it rejects what the description does not allow.
        let mut client = Client::new(&endpoint);
        let bearer = format!("Bearer {TOKEN}");
        let with_token = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let mut status = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
            client.send(method, target, headers, body.as_bytes()).unwrap().status
        };
        assert_eq!(status("GET", "/v2/spaces/keys", &[], ""), 401);
        assert_eq!(status("GET", "/v2/spaces/keys?per_page=200", &with_token, ""), 200);
        assert!(status("GET", "/v2/spaces/keys?per_page=201", &with_token, "") >= 400);
        assert!(status("POST", "/v2/spaces/keys", &with_token, r#"{"name":"a","grants":[{"bucket":"logs"}]}"#) >= 400);
        assert!(status("POST", "/v2/spaces/keys", &with_token, r#"{"name":7,"grants":[]}"#) >= 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_read() {
    let server = Answers::start(|asked| match asked.number {
        0 => page(&[3, 1], 5, link(asked, 2)),
        // A key created in the meantime moves another one to the next page, so it appears twice.
        1 => page(&[1, 2], 5, Some("?page=3".to_owned())),
        _ => page(&[4, 5], 5, None),
    });
    let (api, heard) = api(&server.endpoint());
    let keys = api.keys().await.unwrap();
    assert_eq!(ids(&keys), ["DO1", "DO2", "DO3", "DO4", "DO5"]);
    assert_eq!(*heard.lock().unwrap(), []);
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.method == "GET" && has_token(asked)));
    let targets: Vec<_> = asked.iter().map(|asked| asked.target.as_str()).collect();
    assert_eq!(
        targets,
        [
            "/v2/spaces/keys?per_page=200&sort=created_at&sort_direction=asc",
            "/v2/spaces/keys?per_page=200&page=2",
            "/v2/spaces/keys?page=3"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_add_up_is_told() {
    for (total, last) in [(3, None), (1, None), (3, Some("?page=2".to_owned()))] {
        let server = Answers::start(move |asked| match asked.number {
            0 => page(&[1, 2], total, last.clone()),
            // An empty page ends the list, even with a link to another.
            _ => page(&[], total, Some("?page=3".to_owned())),
        });
        let (api, heard) = api(&server.endpoint());
        assert_eq!(ids(&api.keys().await.unwrap()), ["DO1", "DO2"]);
        let heard = heard.lock().unwrap().clone();
        assert!(
            matches!(&heard[..], [Notice::Incomplete(what)] if what.starts_with(&format!("the API reports {total} ")))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_list_goes_on_for_ever() {
    for (server, expected) in [
        (Answers::start(|asked| page(&[1], 1, link(asked, 2))), "leads back to where it was"),
        (Answers::start(|asked| page(&[asked.number], 1, link(asked, asked.number))), "never ends"),
    ] {
        let (api, _) = api(&server.endpoint());
        let error = api.keys().await.unwrap_err();
        assert!(error.to_string().ends_with(&format!("the keys cannot be listed: the list {expected}")), "{error}");
        assert!(server.asked().len() <= 500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_nowhere_else() {
    let other = Answers::start(|_| page(&[9], 1, None));
    let elsewhere = other.endpoint();
    let port = elsewhere.rsplit(':').next().unwrap().to_owned();
    let mut text = String::new();
    for to in [
        format!("{elsewhere}/v2/spaces/keys?page=2"),
        format!("http://localhost:{port}/"),
        "https://api.example/".to_owned(),
    ] {
        let next = to.clone();
        let by_link = Answers::start(move |_| page(&[1], 2, Some(next.clone())));
        let location = to.clone();
        let by_redirect = Answers::start(move |_| Answer::json(302, "").with_header("location", location.clone()));
        for server in [by_link, by_redirect] {
            let (api, _) = api(&server.endpoint());
            let error = api.keys().await.unwrap_err();
            text.push_str(&format!("{}\n", told(&error, &server.endpoint()).replace(&port, "PORT")));
            assert_eq!(server.asked().len(), 1);
        }
        let location = to.clone();
        let server = Answers::start(move |_| Answer::json(307, "").with_header("location", location.clone()));
        let (api, _) = api(&server.endpoint());
        let error = api.create("reader", &read("logs")).await.unwrap_err();
        text.push_str(&format!("{}\n", told(&error, &server.endpoint()).replace(&port, "PORT")));
        assert_eq!(server.asked().len(), 1);
    }
    assert_eq!(other.asked(), []);
    insta::assert_snapshot!(text);
}

fn refusal(id: &str, message: &str) -> String {
    json!({"id": id, "message": message, "request_id": "4d9d8375-3c56"}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refuses_is_said_with_what_to_do() {
    let mut text = String::new();
    for (status, body) in [
        (401, refusal("unauthorized", "Unable to authenticate you.")),
        (403, refusal("forbidden", "You do not have permission to perform this action.")),
        (404, refusal("not_found", "The resource you requested could not be found.")),
        (400, refusal("bad_request", "cannot mix fullaccess permission with scoped permissions.")),
        (422, refusal("unprocessable_entity", &format!("no\nhint: {TOKEN} \u{1b}[2J{}", "long ".repeat(100)))),
        (418, "<html>a proxy says no</html>".to_owned()),
    ] {
        let server = Answers::start(move |_| Answer::json(status, body.clone()));
        let (api, _) = api(&server.endpoint());
        let errors = [
            api.keys().await.unwrap_err(),
            api.key("DO1").await.unwrap_err(),
            api.create("reader", &read("logs")).await.unwrap_err(),
        ];
        for error in errors {
            text.push_str(&format!("{:?} {}\n", error.kind(), told(&error, &server.endpoint())));
        }
        assert_eq!(server.asked().len(), 3, "none of them is worth another attempt");
    }
    insta::assert_snapshot!(text);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_understood() {
    let mut text = String::new();
    for body in [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"keys":[{"name":"a"}]}"#,
        r#"{"keys":[],"meta":{"total":"many"}}"#,
        r#"{"keys":[{"access_key":"DO1","grants":[{"bucket":"a","permission":7}]}]}"#,
    ] {
        let server = Answers::start(move |_| Answer::json(200, body));
        let (api, _) = api(&server.endpoint());
        text.push_str(&format!("{body}\n{}\n", told(&api.keys().await.unwrap_err(), &server.endpoint())));
    }
    let server = Answers::start(|_| Answer::json(200, " ".repeat(5 << 20)));
    let (list, _) = api(&server.endpoint());
    text.push_str(&format!("five mebibytes\n{}\n", told(&list.keys().await.unwrap_err(), &server.endpoint())));
    assert_eq!(server.asked().len(), 1);
    let server = Answers::start(|_| Answer::json(200, json!({"key": key(2)}).to_string()));
    let (one, _) = api(&server.endpoint());
    text.push_str(&format!("another key\n{}\n", told(&one.key("DO1").await.unwrap_err(), &server.endpoint())));
    insta::assert_snapshot!(text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_on_the_way_is_asked_again() {
    let limit = || Answer::json(429, refusal("too_many_requests", "API rate limit exceeded."));
    let soon =
        || (std::time::SystemTime::now() + Duration::from_secs(2)).duration_since(std::time::UNIX_EPOCH).unwrap();
    let cases: Vec<(&str, Answer, Duration)> = vec![
        (
            "500 Internal Server Error",
            Answer::json(500, refusal("server_error", "Unexpected")),
            Duration::from_millis(1),
        ),
        ("503 Service Unavailable", Answer::json(503, ""), Duration::from_millis(1)),
        ("the connection broke", Answer::Break, Duration::from_millis(1)),
        ("the connection broke", Answer::CutOff(200, r#"{"keys":[]}"#.to_owned()), Duration::from_millis(1)),
        ("429 Too Many Requests", limit(), Duration::from_millis(1)),
        ("429 Too Many Requests", limit().with_header("ratelimit-reset", "1444931833"), Duration::from_millis(1)),
        ("429 Too Many Requests", limit().with_header("retry-after", "1"), Duration::from_secs(1)),
        (
            "429 Too Many Requests: too_many_requests: API rate limit exceeded.",
            limit().with_header("ratelimit-reset", soon().as_secs().to_string()),
            Duration::ZERO,
        ),
    ];
    for (why, first, wait) in cases {
        let server = Answers::start(move |asked| match asked.number {
            0 => first.clone(),
            _ => page(&[1], 1, None),
        });
        let (api, heard) = api(&server.endpoint());
        assert_eq!(ids(&api.keys().await.unwrap()), ["DO1"], "{why}");
        assert_eq!(server.asked().len(), 2);
        let heard = heard.lock().unwrap().clone();
        let [Notice::Waiting { why: told, pause }] = &heard[..] else { panic!("{heard:?}") };
        assert!(told.contains(why), "{told}");
        // The time remaining until an instant cannot be known in advance.
        assert!(wait.is_zero() && *pause <= Duration::from_secs(2) || *pause == wait, "{why}: {pause:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_always_fails_ends() {
    let mut text = String::new();
    for (answer, attempts) in [
        (Answer::json(500, refusal("server_error", "Unexpected server-side error")), 3),
        (Answer::json(429, refusal("too_many_requests", "API rate limit exceeded.")), 3),
        // An hour is longer than the maximum wait.
        (Answer::json(429, "").with_header("retry-after", "3600"), 1),
        (Answer::Silence, 3),
    ] {
        let server = Answers::start(move |_| answer.clone());
        let patience = Duration::from_millis(300);
        let api = Api::new(ApiOptions { patience, ..options(&server.endpoint()) }).unwrap();
        text.push_str(&format!("{}\n", told(&api.keys().await.unwrap_err(), &server.endpoint())));
        assert_eq!(server.asked().len(), attempts);
    }
    let nobody = Answers::start(|_| Answer::Break).endpoint();
    let (list, heard) = api(&nobody);
    text.push_str(&format!("{}\n", told(&list.keys().await.unwrap_err(), &nobody)));
    // Nothing arrived, so there is no need to look for a key.
    text.push_str(&format!("{}\n", told(&list.create("reader", &read("logs")).await.unwrap_err(), &nobody)));
    assert_eq!(heard.lock().unwrap().len(), 4);
    insta::assert_snapshot!(text);
}

fn made() -> Answer {
    let key = json!({"name": "reader", "access_key": "DO9", "secret_key": SECRET, "grants": [{"bucket": "logs", "permission": "read"}]});
    Answer::json(201, json!({ "key": key }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_once() {
    let server = Answers::start(|asked| match asked.number {
        // Rejected before anything was done.
        0 => Answer::json(429, "").with_header("retry-after", "0"),
        _ => made(),
    });
    let (account, _) = api(&server.endpoint());
    let new = account.create("reader", &read("logs")).await.unwrap();
    assert_eq!(
        (new.secret.reveal(), new.key.access_key.as_str(), new.key.grants.clone()),
        (SECRET, "DO9", read("logs"))
    );
    assert!(!format!("{new:?} {} {account:?}", new.secret).contains(SECRET));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    let last = &asked[1];
    assert_eq!((last.method.as_str(), last.target.as_str()), ("POST", "/v2/spaces/keys"));
    assert!(has_token(last) && last.header("content-type") == Some("application/json"));
    assert_eq!(last.body, r#"{"name":"reader","grants":[{"bucket":"logs","permission":"read"}]}"#);

    let full = Grant { bucket: String::new(), permission: Permission::FullAccess };
    let mixed = [vec![full], read("logs")].concat();
    assert_eq!(account.create("reader", &mixed).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(server.asked().len(), 2, "what cannot be is not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_be_there_is_not_made_again() {
    let Answer::Reply(_, _, whole) = made() else { panic!() };
    let mut text = String::new();
    for answer in [
        Answer::Break,
        Answer::Silence,
        Answer::CutOff(201, whole.clone()),
        Answer::json(500, refusal("server_error", "Unexpected server-side error")),
        Answer::json(504, "<html>"),
        Answer::json(201, whole.replace("\"DO9\"", "[7]")),
        Answer::json(201, whole.replace("secret_key", "secret")),
        Answer::json(201, "x".repeat(5 << 20)),
    ] {
        let server = Answers::start(move |_| answer.clone());
        let patience = Duration::from_millis(500);
        let api = Api::new(ApiOptions { patience, ..options(&server.endpoint()) }).unwrap();
        let error = api.create("reader", &read("logs")).await.unwrap_err();
        text.push_str(&format!("{}\n", told(&error, &server.endpoint())));
        assert_eq!(server.asked().len(), 1);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn tokens_are_not_shown() {
    let options = options("https://api.example");
    assert!(!format!("{options:?} {:#?}", Api::new(options.clone()).unwrap()).contains("0123456789"));
    for token in ["", "two words", "line\n", "ümlaut"] {
        let error = Api::new(ApiOptions { token: Secret::new(token), ..options.clone() }).unwrap_err();
        assert!(error.hint().is_some() && (token.is_empty() || !error.to_string().contains(token)), "{error}");
    }
}
