use crate::support::sandbox::Sandbox;

#[tokio::test(flavor = "multi_thread")]
async fn the_connector_keeps_its_contract_on_the_sandbox() {
    let sandbox = Sandbox::start().await;
    let report = landfall_contract::connector::suite(&sandbox).await;
    assert_eq!(report.skipped, Vec::<&str>::new());
}
