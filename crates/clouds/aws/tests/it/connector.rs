use crate::support::{sandbox::Sandbox, spec::Grant};

#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_its_contract_on_the_sandbox() {
    let sandbox = Sandbox::start().await;
    let report = landfall_contract::connector::suite(&sandbox).await;
    assert_eq!(report.skipped, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_grant_keeps_the_contract_on_the_sandbox() {
    let sandbox = Sandbox::granting(Grant::Real).await;
    let report = landfall_contract::connector::grants(&sandbox).await;
    assert_eq!(report.skipped, Vec::<&str>::new());
}
