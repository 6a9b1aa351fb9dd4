//! Requests and the interpretation of responses, against a server in this process.

use super::*;
use crate::store::credentials::ChainedCredentials;
use crate::store::{Grantee, KeyFormat, TargetGrant};
use aws_credential_types::Credentials;
use s3log_test_server::{ACCESS_KEY, Fault, Matching, Proxy, SECRET_KEY, Server};

fn settings() -> LoggingSettings {
    LoggingSettings {
        target_bucket: "logs".to_owned(),
        target_prefix: "a&b/ü<".to_owned(),
        key_format: KeyFormat::EventTime,
        target_grants: vec![TargetGrant { grantee: Grantee::Id("9f8e".to_owned()), permission: "READ".to_owned() }],
    }
}

async fn control(endpoint: &str, patience: Duration) -> Control {
    let keys = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
    let chain = ChainedCredentials::new(SharedCredentialsProvider::new(keys));
    Control::new(Arc::new(Settings::of_server(endpoint, chain, patience))).await.unwrap()
}

fn server() -> Server {
    let server = Server::start();
    server.create_bucket("photos");
    server
}

#[tokio::test]
async fn settings_come_back_as_they_were_put() {
    let server = server();
    let control = control(&server.endpoint(), Duration::from_secs(30)).await;
    assert_eq!(control.logging("photos").await, Ok(None));
    control.put_logging("photos", Some(&settings())).await.unwrap().unwrap();
    assert_eq!(control.logging("photos").await, Ok(Some(settings())));
    control.put_logging("photos", None).await.unwrap().unwrap();
    assert_eq!(control.logging("photos").await, Ok(None));
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent() {
    let server = server();
    let control = control(&server.endpoint(), Duration::from_secs(30)).await;
    for settings in [Some(settings()), None] {
        let shown = control.logging_body("photos", settings.as_ref()).await.unwrap();
        assert!(server.take_requests().is_empty());
        control.put_logging("photos", settings.as_ref()).await.unwrap().unwrap();
        assert_eq!(server.logging_bodies().pop(), Some(shown));
        server.take_requests();
    }
}

#[tokio::test]
async fn a_store_that_says_nothing_is_not_waited_for_without_end() {
    let server = server();
    let proxy = Proxy::start(&server.endpoint());
    proxy.inject(Fault::Stall, Matching::any(), usize::MAX);
    let control = control(&proxy.endpoint(), Duration::from_millis(200)).await;
    let refusal = control.logging("photos").await.unwrap_err();
    assert_eq!(refusal.to_string(), "the store did not answer in time");
    let error = refusal.explain("its logging settings cannot be read", "s3://photos");
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    let put = control.put_logging("photos", None).await.unwrap();
    assert_eq!(put.unwrap_err().to_string(), "the store did not answer in time");
}

#[tokio::test]
async fn a_region_that_the_store_names_is_gone_to_once() {
    let server = server();
    server.move_bucket("photos", "eu-central-1");
    let control = control(&server.endpoint(), Duration::from_secs(30)).await;
    control.put_logging("photos", Some(&settings())).await.unwrap().unwrap();
    assert_eq!(control.region("photos"), "eu-central-1");
    server.take_requests();
    assert_eq!(control.head("photos").await, Ok(Some("eu-central-1".to_owned())));
    assert_eq!(server.take_requests().len(), 1, "the region is known from before");
    // A server that redirects endlessly.
    let proxy = Proxy::start(&server.endpoint());
    proxy.inject(Fault::RegionRedirect("eu-west-1"), Matching::any(), 2);
    let control = self::control(&proxy.endpoint(), Duration::from_secs(30)).await;
    let refusal = control.logging("photos").await.unwrap_err();
    assert!(refusal.is_elsewhere(), "{refusal}");
    assert_eq!(refusal.region.as_deref(), Some("eu-west-1"));
}

#[tokio::test]
async fn parts_that_a_store_does_not_know_are_told_from_parts_that_are_not_there() {
    let server = server();
    let control = control(&server.endpoint(), Duration::from_secs(30)).await;
    assert!(control.policy("photos").await.unwrap_err().is_unknown_here());
    assert!(control.head("nothing").await.unwrap_err().is_missing_bucket());
    assert!(control.logging("nothing").await.unwrap_err().is_missing_bucket());
}
