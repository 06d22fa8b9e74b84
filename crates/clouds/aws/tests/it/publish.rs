use crate::support::{connector, sandbox::Sandbox};
use landfall_aws::TemplateBucket;
use landfall_contract::connector::Harness as _;
use landfall_model::{driver::FailureKind, grant::How};

#[tokio::test(flavor = "multi_thread")]
async fn a_published_template_is_where_the_link_says() {
    let sandbox = Sandbox::start().await;
    let bucket = format!("{}/templates/operator-bucket", sandbox.endpoint);
    let connector = connector(&sandbox.endpoint, &sandbox.operator, |config| {
        config.template_bucket = Some(TemplateBucket {
            url: bucket.parse().unwrap(),
            region: Some("eu-central-1".to_owned()),
        });
        config.console_url = Some(format!("{}/console", sandbox.endpoint));
    })
    .await;
    let connection = sandbox.connection(true).await;
    let spec = sandbox.spec(&connection).await;
    connector
        .publish(&connection, &spec)
        .await
        .expect("published");
    connector
        .publish(&connection, &spec)
        .await
        .expect("and published again");

    let principal = connector.principal().await.unwrap();
    let guide = connector
        .guide(&connection, &[], &spec, &principal)
        .unwrap();
    let link = guide.link().expect("there is a bucket, so there is a link");
    let url: url::Url = link.parse().unwrap();
    assert!(url.path().ends_with("/cloudformation/home"));
    let fragment = url.fragment().unwrap();
    let (route, query) = fragment.split_once('?').unwrap();
    assert_eq!(route, "/stacks/create/review");
    let parameters: std::collections::BTreeMap<_, _> = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .collect();
    assert_eq!(
        parameters["stackName"],
        connection.aws().unwrap().stack_name()
    );
    let template_url = percent_encoding::percent_decode_str(parameters["templateURL"])
        .decode_utf8()
        .unwrap();
    let served: serde_json::Value =
        serde_json::from_str(&sandbox.get(&template_url).await).unwrap();
    assert_eq!(served, spec.aws().unwrap().template);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bucket_nothing_is_published_and_the_reason_is_told() {
    let sandbox = Sandbox::start().await;
    let connection = sandbox.connection(true).await;
    let spec = sandbox.spec(&connection).await;
    sandbox
        .connector
        .publish(&connection, &spec)
        .await
        .expect("nothing to do");
    let principal = sandbox.connector.principal().await.unwrap();
    let guide = sandbox
        .connector
        .guide(&connection, &[], &spec, &principal)
        .unwrap();
    let Some(How::Unavailable { reason }) = guide.way("quick-create") else {
        panic!("there is no bucket");
    };
    assert!(reason.contains("template_bucket"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_does_not_answer_is_unavailable() {
    let sandbox = Sandbox::start().await;
    let connector = connector(&sandbox.endpoint, &sandbox.operator, |config| {
        config.template_bucket = Some(TemplateBucket {
            // The discard port: nobody listens.
            url: "http://127.0.0.1:9/bucket".parse().unwrap(),
            region: None,
        });
    })
    .await;
    let connection = sandbox.connection(true).await;
    let spec = sandbox.spec(&connection).await;
    let failure = connector.publish(&connection, &spec).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure:?}");
}
