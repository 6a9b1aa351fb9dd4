//! The server as seen by a client without signatures.

use std::time::{Duration, Instant};

use bytes::Bytes;
use s3log_test_server::{Client, Kind, Response, Server, create_bucket_unsigned};

fn server() -> (Server, Client) {
    let server = Server::builder().anonymous().start();
    server.create_bucket("logs");
    let client = Client::new(&server.endpoint());
    (server, client)
}

/// The contents of all XML elements with a name.
fn elements(response: &Response, name: &str) -> Vec<String> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let text = response.text();
    text.split(&begin).skip(1).map(|rest| rest.split(&end).next().unwrap().to_owned()).collect()
}

/// All keys and common prefixes, page by page, and the number of pages.
fn walk(client: &mut Client, query: &str) -> (Vec<String>, Vec<String>, usize) {
    let (mut keys, mut prefixes, mut pages, mut token) = (Vec::new(), Vec::new(), 0, String::new());
    loop {
        let response = client.get(&format!("/logs?list-type=2{query}{token}")).unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        let (page_keys, page_prefixes) = (elements(&response, "Key"), elements(&response, "CommonPrefixes"));
        let count = (page_keys.len() + page_prefixes.len()).to_string();
        assert_eq!(elements(&response, "KeyCount"), [count]);
        keys.extend(page_keys);
        prefixes.extend(page_prefixes.iter().map(|prefix| prefix.replace("<Prefix>", "").replace("</Prefix>", "")));
        pages += 1;
        match elements(&response, "NextContinuationToken").first() {
            Some(next) => token = format!("&continuation-token={}", next.replace('+', "%2B").replace('=', "%3D")),
            None => {
                assert_eq!(elements(&response, "IsTruncated"), ["false"]);
                return (keys, prefixes, pages);
            }
        }
    }
}

#[test]
fn lists_come_in_pages() {
    let (server, mut client) = server();
    let keys: Vec<String> = (0..2500).map(|number| format!("day/{number:05}")).collect();
    server.put_all("logs", keys.iter().map(|key| (key.clone(), Bytes::from_static(b"line"))));
    server.put("logs", "other", "");
    assert_eq!(walk(&mut client, "&prefix=day/"), (keys.clone(), vec![], 3));
    assert_eq!(walk(&mut client, "&prefix=day/&max-keys=5000").2, 3);
    assert_eq!(walk(&mut client, "&prefix=day/&max-keys=500").2, 5);
    assert_eq!(walk(&mut client, "&prefix=day/&start-after=day/02497").0, keys[2498..]);
    assert_eq!(walk(&mut client, "&prefix=day/&start-after=e").0, Vec::<String>::new());
    let requests = server.take_requests();
    assert!(
        requests.iter().all(|request| (request.kind, &*request.bucket, &*request.key) == (Kind::List, "logs", "day/"))
    );
    assert_eq!(requests.last().unwrap().parameter("start-after").as_deref(), Some("e"));
    assert_eq!(server.requests(), []);
    assert_eq!(client.get("/logs?list-type=2&continuation-token=day/00001").unwrap().status, 400);
}

#[test]
fn lists_roll_up_at_delimiters() {
    let (server, mut client) = server();
    for key in ["2024/01/a", "2024/01/b", "2024/02/a", "2024/x", "2025/01/a", "top"] {
        server.put("logs", key, "line");
    }
    for most in [1, 2, 1000] {
        let all = |query: &str, client: &mut Client| {
            let (keys, prefixes, _) = walk(client, &format!("&delimiter=/&max-keys={most}{query}"));
            [keys, prefixes].concat()
        };
        assert_eq!(all("", &mut client), ["top", "2024/", "2025/"]);
        assert_eq!(all("&prefix=2024/", &mut client), ["2024/x", "2024/01/", "2024/02/"]);
        assert_eq!(all("&prefix=2024/0", &mut client), ["2024/01/", "2024/02/"]);
        assert_eq!(all("&prefix=2024/&start-after=2024/01/a", &mut client), ["2024/x", "2024/01/", "2024/02/"]);
        assert_eq!(all("&prefix=2024/&start-after=2024/01/b", &mut client), ["2024/x", "2024/02/"]);
        assert_eq!(all("&prefix=2024/&start-after=2024/01/", &mut client), ["2024/x", "2024/02/"]);
    }
}

#[test]
fn lists_tell_about_objects() {
    let (server, mut client) = server();
    server.put("logs", "a b&<ä", "four");
    server.put_archived("logs", "old", "");
    let response = client.get("/logs?list-type=2").unwrap();
    assert_eq!(elements(&response, "Key"), ["a b&amp;&lt;ä", "old"]);
    assert_eq!(elements(&response, "Size"), ["4", "0"]);
    assert_eq!(elements(&response, "StorageClass"), ["STANDARD", "GLACIER"]);
    assert_eq!(elements(&response, "ETag").len(), 2);
    assert_eq!(elements(&response, "LastModified").len(), 2);
    let response = client.get("/logs?list-type=2&encoding-type=url").unwrap();
    assert_eq!(elements(&response, "Key"), ["a%20b%26%3C%C3%A4", "old"]);
}

#[test]
fn lists_of_a_million_objects_are_quick() {
    let (server, mut client) = server();
    let bytes = Bytes::from(vec![b'x'; 1000]);
    server.put_all("logs", (0..1_000_000).map(|number| (format!("{:03}/{number}", number / 1000), bytes.clone())));
    let begin = Instant::now();
    assert_eq!(elements(&client.get("/logs?list-type=2&prefix=999/&max-keys=10").unwrap(), "Key").len(), 10);
    assert_eq!(elements(&client.get("/logs?list-type=2&delimiter=/").unwrap(), "CommonPrefixes").len(), 1000);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn objects_are_read_whole_and_in_parts() {
    let (server, mut client) = server();
    server.put("logs", "a/b c", "0123456789");
    let whole = client.get("/logs/a/b%20c").unwrap();
    assert_eq!((whole.status, whole.text().as_str(), whole.header("content-length")), (200, "0123456789", Some("10")));
    assert!(whole.header("last-modified").is_some());
    let e_tag = whole.header("etag").unwrap().to_owned();

    let mut part = |range: &str| {
        let response = client.send("GET", "/logs/a/b%20c", &[("Range", range)], &[]).unwrap();
        (response.status, response.text(), response.header("content-range").map(str::to_owned))
    };
    assert_eq!(part("bytes=2-4"), (206, "234".to_owned(), Some("bytes 2-4/10".to_owned())));
    assert_eq!(part("bytes=8-"), (206, "89".to_owned(), Some("bytes 8-9/10".to_owned())));
    assert_eq!(part("bytes=8-99"), (206, "89".to_owned(), Some("bytes 8-9/10".to_owned())));
    assert_eq!(part("bytes=-3"), (206, "789".to_owned(), Some("bytes 7-9/10".to_owned())));
    assert_eq!(part("bytes=10-").0, 416);
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=2-4"));

    assert_eq!(client.send("GET", "/logs/a/b%20c", &[("If-Match", &e_tag)], &[]).unwrap().status, 200);
    server.put("logs", "a/b c", "other");
    assert_eq!(client.send("GET", "/logs/a/b%20c", &[("If-Match", &e_tag)], &[]).unwrap().status, 412);
    let head = client.send("HEAD", "/logs/a/b%20c", &[], &[]).unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
}

#[test]
fn what_cannot_be_read_says_why() {
    let (server, mut client) = server();
    server.put_archived("logs", "old", "line");
    for (target, status, code) in [
        ("/logs/none", 404, "NoSuchKey"),
        ("/none-such/none", 404, "NoSuchBucket"),
        ("/none-such?list-type=2", 404, "NoSuchBucket"),
        ("/logs/old", 403, "InvalidObjectState"),
    ] {
        let response = client.get(target).unwrap();
        assert_eq!((response.status, elements(&response, "Code")), (status, vec![code.to_owned()]), "{target}");
    }
    assert_eq!(client.send("HEAD", "/logs", &[], &[]).unwrap().status, 200);
    assert_eq!(client.send("HEAD", "/none-such", &[], &[]).unwrap().status, 404);
    assert_eq!(client.send("HEAD", "/logs/none", &[], &[]).unwrap().status, 404);
    let head = client.send("HEAD", "/logs/old", &[], &[]).unwrap();
    assert_eq!((head.status, head.header("x-amz-storage-class")), (200, Some("GLACIER")));
    assert_eq!(server.requests().iter().map(|request| request.status).collect::<Vec<_>>()[..2], [404, 404]);

    let strict = Server::start();
    strict.create_bucket("logs");
    let response = Client::new(&strict.endpoint()).get("/logs?list-type=2").unwrap();
    assert_eq!((response.status, elements(&response, "Code")), (403, vec!["AccessDenied".to_owned()]));
    create_bucket_unsigned(&strict.endpoint(), "more").unwrap_err();
}

#[test]
fn objects_are_put_and_deleted() {
    let (server, mut client) = server();
    let only_new = [("If-None-Match", "*")];
    assert_eq!(client.send("PUT", "/logs/new", &only_new, b"first").unwrap().status, 200);
    assert_eq!(client.send("PUT", "/logs/new", &only_new, b"second").unwrap().status, 412);
    assert_eq!(server.get("logs", "new").as_deref(), Some(&b"first"[..]));
    assert_eq!(client.send("PUT", "/logs/new", &[], b"second").unwrap().status, 200);
    assert_eq!(client.get("/logs/new").unwrap().text(), "second");
    assert_eq!(client.send("DELETE", "/logs/new", &[], &[]).unwrap().status, 204);
    assert_eq!(server.keys("logs"), Vec::<String>::new());
    let kinds: Vec<Kind> = server.requests().iter().map(|request| request.kind).collect();
    assert_eq!(kinds, [Kind::Put, Kind::Put, Kind::Put, Kind::Get, Kind::Delete]);
}

#[test]
fn requests_wait_beside_each_other() {
    let server = Server::builder().latency(Duration::from_millis(200)).anonymous().start();
    server.create_bucket("logs");
    server.put("logs", "a", "line");
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(Client::new(&server.endpoint()).get("/logs/a").unwrap().status, 200));
        }
    });
    assert!((200..1000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    assert!((2..=8).contains(&server.max_in_flight()));
}

#[test]
fn nothing_listens_once_it_is_dropped() {
    let (server, mut client) = server();
    let endpoint = server.endpoint();
    assert_eq!(client.get("/logs?list-type=2").unwrap().status, 200);
    drop(server);
    client.get("/logs?list-type=2").unwrap_err();
    Client::new(&endpoint).get("/logs?list-type=2").unwrap_err();
}
