//! Access logging of buckets, for settings that the command line does not expose.

use s3log_engine::ErrorKind;
use s3log_engine::logging::{Enable, plan_disable, plan_enable, status};
use s3log_engine::store::{StoreOptions, Stores};
use s3log_test_server::Server;
use std::time::Duration;

/// Credentials come from a file, because the environment is shared by all tests of the process.
fn stores(server: &Server, options: StoreOptions) -> Stores {
    Stores::new(StoreOptions { endpoint_url: Some(server.endpoint()), region: Some("us-east-1".to_owned()), ..options })
}

#[tokio::test]
async fn nobody_sees_settings_without_a_signature() {
    let server = Server::builder().anonymous().start();
    server.create_bucket("photos");
    let stores = stores(&server, StoreOptions { unsigned: true, ..StoreOptions::default() });
    let error = status(&stores, "photos").await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Denied, 0));
    assert_eq!(plan_disable(&stores, "photos").await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn what_a_service_does_not_offer_is_refused_before_anybody_is_asked() {
    let options = StoreOptions {
        endpoint_url: Some("http://ams3.digitaloceanspaces.com".to_owned()),
        unsigned: true,
        patience: Duration::from_millis(100),
        ..StoreOptions::default()
    };
    let enable = Enable {
        bucket: "photos".to_owned(),
        target_bucket: "photos".to_owned(),
        target_prefix: "logs/".to_owned(),
        key_format: None,
        drop_grants: false,
        forced: true,
    };
    let error = plan_enable(&Stores::new(options), &enable).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}
