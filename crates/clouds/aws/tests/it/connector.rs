//! The connector's contract by both methods, on the sandbox.

use crate::{
    keyless,
    support::{sandbox::Sandbox, spec::Grant},
};
use landfall_contract::connector::{aws, grants, suite};

const NONE: [&str; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn by_assume_role_the_connector_keeps_its_contract() {
    let sandbox = Sandbox::start().await;
    assert_eq!(suite(&sandbox).await.skipped, NONE);
    assert_eq!(aws::roles(&sandbox).await.skipped, NONE);
    assert_eq!(aws::behind_an_external_id(&sandbox).await.skipped, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_oidc_the_connector_keeps_its_contract() {
    let scene = keyless::Scene::granting(Grant::Small).await;
    assert_eq!(suite(&scene.sandbox).await.skipped, NONE);
    assert_eq!(aws::roles(&scene.sandbox).await.skipped, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_assume_role_the_real_grant_keeps_the_contract() {
    let sandbox = Sandbox::granting(Grant::Real).await;
    assert_eq!(grants(&sandbox).await.skipped, NONE);
    assert_eq!(aws::grants(&sandbox).await.skipped, NONE);
}
