//! The wizard for every cloud and method: what each asks for, what happens to
//! secrets, and the way over Microsoft's page and back.

use super::{
    browser::{Browser, PATIENCE},
    demo::Demo,
    journey,
};
use std::time::Instant;

const TENANT: &str = "11111111-1111-4111-8111-111111111111";
const SUBSCRIPTION: &str = "22222222-2222-4222-8222-222222222222";
const CLIENT: &str = "33333333-3333-4333-8333-333333333333";
const SECRET: &str = "canary8Q~5d41402abc4b2a76b9719d911017c592";

pub async fn walk(browser: &Browser, demo: &Demo) {
    journey::sign_in(browser, demo).await;
    for (cloud, methods) in [
        ("aws", &["oidc", "assume-role"][..]),
        (
            "gcp",
            &["workload-identity", "impersonation", "service-account-key"][..],
        ),
        (
            "azure",
            &["workload-identity", "admin-consent", "client-secret"][..],
        ),
    ] {
        for method in methods {
            choose(browser, demo, cloud, method).await;
            let with_secret = matches!(*method, "service-account-key" | "client-secret");
            let fields = shown(browser, "[data-methods~=service-account-key]").await;
            assert_eq!(fields, usize::from(with_secret), "{cloud} {method}");
            browser
                .looks_right(&format!("connect-{cloud}-{method}"))
                .await;
        }
        // Keyless leads.
        let path = format!("{}/connections/new?cloud={cloud}", demo.page);
        browser.goto(&path).await;
        let first = browser.property("input[name=method]:checked", "value");
        assert_eq!(first.await, methods[0]);
    }
    of_a_folder(browser, demo).await;
    of_a_management_group(browser, demo).await;
    by_secret(browser, demo).await;
    by_key(browser, demo).await;
    by_consent(browser, demo).await;
    browser.goto(&format!("{}/connections", demo.page)).await;
    browser.looks_right("connections").await;
}

async fn choose(browser: &Browser, demo: &Demo, cloud: &str, method: &str) {
    let path = format!("{}/connections/new?cloud={cloud}", demo.page);
    browser.goto(&path).await;
    browser
        .click(&format!("input[name=method][value={method}]"))
        .await;
}

/// How many of them a person sees.
async fn shown(browser: &Browser, css: &str) -> usize {
    let script = format!(
        "return [...document.querySelectorAll({css:?})].filter((one) => one.offsetParent).length"
    );
    browser.run(&script).await
}

/// What was typed for another method is not sent.
async fn of_a_folder(browser: &Browser, demo: &Demo) {
    choose(browser, demo, "gcp", "workload-identity").await;
    browser.fill("#project_id", "acme-shop-prod").await;
    browser.click("#above summary").await;
    browser.fill("#parent", "folders/123").await;
    browser.click("#connect").await;
    let problem = browser.text(".notice.bad").await;
    assert!(problem.contains("get-ancestors"), "{problem}");
    // It is open, with what was typed.
    assert_eq!(browser.property("#parent", "value").await, "folders/123");
    assert_eq!(shown(browser, "#parent").await, 1);
    let focused = browser.run::<String>("return document.activeElement.id");
    assert_eq!(focused.await, "parent");
    browser.looks_right("refused-folder").await;
    browser.click("input[value=service-account-key]").await;
    assert_eq!(shown(browser, "#parent").await, 0);
    browser.click("#connect").await;
    let problem = browser.text(".notice.bad").await;
    assert!(!problem.contains("folder"), "{problem}");

    browser.click("input[value=workload-identity]").await;
    browser.click("#above summary").await;
    browser
        .fill("#parent", "organizations/456/folders/123")
        .await;
    browser.click("#connect").await;
    let lead = browser.text(".lead").await;
    assert!(lead.contains("organizations/456/folders/123"), "{lead}");
    browser.looks_right("waiting-for-folder").await;
}

async fn of_a_management_group(browser: &Browser, demo: &Demo) {
    choose(browser, demo, "azure", "workload-identity").await;
    browser.fill("#tenant_id", TENANT).await;
    // Another one, so that no name is taken.
    browser
        .fill("#subscription_id", &SUBSCRIPTION.replace('2', "4"))
        .await;
    browser.click("#above summary").await;
    browser.fill("#management_group", "Landing Zones").await;
    browser.click("input[name=breadth]").await;
    browser.click("#connect").await;
    let problem = browser.text(".notice.bad").await;
    assert!(problem.contains("copy the id"), "{problem}");
    browser.looks_right("refused-management-group").await;
    browser.fill("#management_group", "landing-zones").await;
    browser.click("#connect").await;
    let main = browser.text("main").await;
    assert!(main.contains("landing-zones"), "{main}");
    assert!(main.contains("broad, as it was chosen"), "{main}");
    browser.looks_right("waiting-for-management-group").await;
}

async fn by_secret(browser: &Browser, demo: &Demo) {
    choose(browser, demo, "azure", "client-secret").await;
    browser.fill("#tenant_id", TENANT).await;
    browser.fill("#subscription_id", SUBSCRIPTION).await;
    browser.fill("#client_id", CLIENT).await;
    // The id of a secret, which stands beside its value in the portal.
    browser.fill("#client_secret", CLIENT).await;
    browser.click("#connect").await;
    let problem = browser.text(".notice.bad").await;
    assert!(
        problem.contains("the secret's id, not its value"),
        "{problem}"
    );
    // What was typed stays, but for the secret.
    assert_eq!(browser.property("#tenant_id", "value").await, TENANT);
    assert_eq!(browser.property("#client_secret", "value").await, "");
    browser.looks_right("refused-secret").await;

    browser.fill("#client_secret", SECRET).await;
    browser
        .run::<()>("document.getElementById('secret_expires_at').value = '2099-05-01'")
        .await;
    browser.click("#connect").await;
    browser.find("#enter-secret").await;
    browser.looks_right("waiting-with-secret").await;
    let page = browser.driver.source().await.unwrap();
    assert!(!page.contains("canary8Q"), "the page shows the secret");
}

/// A file that is chosen is read into the form; what it lacks is said.
async fn by_key(browser: &Browser, demo: &Demo) {
    choose(browser, demo, "gcp", "service-account-key").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    std::fs::write(&file, r#"{"type":"authorized_user"}"#).unwrap();
    let input = browser.find("#key_file").await;
    input.send_keys(file.to_str().unwrap()).await.unwrap();
    let started = Instant::now();
    let script = "return document.getElementById('service_account_key').value";
    while browser.run::<String>(script).await.is_empty() {
        assert!(started.elapsed() < PATIENCE, "the file was not read");
    }
    browser.click("#connect").await;
    let problem = browser.text(".notice.bad").await;
    assert!(problem.contains("not a service account's key"), "{problem}");
    browser.looks_right("refused-key").await;
}

async fn by_consent(browser: &Browser, demo: &Demo) {
    choose(browser, demo, "azure", "admin-consent").await;
    browser.fill("#tenant_id", &demo.tenant).await;
    browser.fill("#subscription_id", &demo.subscription).await;
    browser.click("#connect").await;
    browser.find("#consent").await;
    browser.looks_right("consent").await;
    let page = browser.driver.current_url().await.unwrap().to_string();

    // No, and the connection says so; then yes.
    browser.click("#consent").await;
    browser.click("button[name=cancel]").await;
    let refused = browser.text("main").await;
    assert!(refused.contains("Microsoft's page says"), "{refused}");
    browser.looks_right("consent-refused").await;
    browser.goto(&page).await;
    browser.click("#consent").await;
    browser.picture("consent-at-microsoft").await;
    browser.click("button[name=user]").await;
    let said = browser.text("form[action$='/consent']").await;
    assert!(said.contains("Microsoft's page came back"), "{said}");
    assert_eq!(browser.driver.current_url().await.unwrap().as_str(), page);
    browser.looks_right("consent-given").await;
    // In the tenant the role is assigned, and the page notices.
    browser.says("#state", "connected").await;
    assert!(browser.count("#checks > li").await >= 12);
    browser.looks_right("connected-by-consent").await;
    // It can move to what needs no secret, and to nothing else.
    browser.goto(&page).await;
    browser.find("#migrate-workload-identity").await;
    assert_eq!(browser.count("#migrate-client-secret").await, 0);
}
