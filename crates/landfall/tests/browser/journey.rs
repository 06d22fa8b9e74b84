use super::{
    browser::{Browser, PATIENCE},
    demo::Demo,
};
use std::time::{Duration, Instant};
use thirtyfour::prelude::*;

/// Longer than a live part of a page takes to look again when it heard nothing.
const QUIET: Duration = Duration::from_secs(5);

pub async fn walk(browser: &Browser, demo: &Demo) {
    let at = |path: &str| format!("{}{path}", demo.page);
    sign_in(browser, demo).await;
    let connection_page = connect(browser, demo).await;
    keeps_its_place_while_quiet(browser).await;
    describe(browser).await;
    approve(browser).await;
    let environment_page = roll_out(browser).await;
    serve(browser).await;

    browser.goto(&environment_page).await;
    browser.looks_right("environment").await;
    plan_an_update(browser).await;

    browser.goto(&environment_page).await;
    delete_and_destroy(browser).await;

    browser.goto(&at("/audit")).await;
    assert_eq!(browser.text(".badge.good").await, "unbroken");
    for path in [
        "audit",
        "connections",
        "retained",
        "settings",
        "applications",
        "",
    ] {
        browser.goto(&at(&format!("/{path}"))).await;
        browser
            .looks_right(if path.is_empty() { "overview" } else { path })
            .await;
    }

    browser.goto(&connection_page).await;
    browser.click("#disconnect").await;
    browser.says("#state", "disconnected").await;
    assert!(browser.count("#remaining tbody tr").await >= 35);
    browser.looks_right("disconnected").await;
}

/// A stranger is led to the sign-in page, a wrong token gets no further.
pub async fn sign_in(browser: &Browser, demo: &Demo) {
    browser.goto(&format!("{}/connections", demo.page)).await;
    browser.type_into("#token", "lf_wrong").await;
    browser.press(Key::Enter + "").await;
    browser.find(".notice.bad").await;
    browser.looks_right("sign-in").await;
    browser.type_into("#token", &demo.token).await;
    browser.enter("button.primary").await;
    browser.find("header.top").await;
    browser.goto(&format!("{}/", demo.page)).await;
    browser.picture("welcome").await;
}

/// The wizard, by keyboard; the console, which is not ours, by mouse. Returns
/// the connection's page.
async fn connect(browser: &Browser, demo: &Demo) -> String {
    browser.enter("a.primary[href='/connections/new']").await;

    // Bad input is said beside the field, and what was typed stays.
    browser.type_into("#account_id", "1234").await;
    browser.enter("#connect").await;
    browser.find("#account_id[aria-invalid=true]").await;
    browser.looks_right("wizard").await;
    browser.type_into("#account_id", &demo.account).await;
    browser.enter("#connect").await;

    // The grant: the link opens the console in another window.
    browser.says("#state", "waiting for the grant").await;
    browser.looks_right("grant").await;
    let page = browser.driver.current_url().await.unwrap().to_string();
    let landfall = browser.driver.window().await.unwrap();
    browser.enter("#grant").await;
    let started = Instant::now();
    let console = loop {
        let windows = browser.driver.windows().await.unwrap();
        if let Some(other) = windows.into_iter().find(|one| *one != landfall) {
            break other;
        }
        assert!(started.elapsed() < PATIENCE, "no console opened");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    browser.driver.switch_to_window(console).await.unwrap();
    sign_in_to_account(browser, &demo.account).await;
    browser.click("#ack-capabilities").await;
    browser.picture("console").await;
    browser.click("#create-stack").await;
    browser.says("#stack-status", "CREATE_COMPLETE").await;
    browser.driver.close_window().await.unwrap();
    browser.driver.switch_to_window(landfall).await.unwrap();

    // The page notices by itself, without being reloaded.
    browser.says("#state", "connected").await;
    assert!(browser.count("#checks > li").await >= 15);
    assert_eq!(browser.count("#checks > li[data-outcome=fail]").await, 0);
    browser.picture("checks").await;
    browser.enter("#continue").await;
    browser.find("#default_region option").await;
    browser.tab_to("#default_region").await;
    browser.press("eu-central-1").await;
    browser.enter("#choose-region").await;
    // Leaving now could take the form back.
    browser.gone("#choose-region").await;
    page
}

/// What a person opened stays open, and focus where it is.
async fn keeps_its_place_while_quiet(browser: &Browser) {
    browser.enter("#checks > li:first-child summary").await;
    browser.find("#checks > li:first-child details[open]").await;
    tokio::time::sleep(QUIET).await;
    let stays = "const first = document.querySelector('#checks > li:first-child details');
                 return first.open && first.contains(document.activeElement)";
    assert!(browser.run::<bool>(stays).await, "the page took it away");
    browser.looks_right("connection").await;
}

/// The application and its environment.
async fn describe(browser: &Browser) {
    browser.enter("nav a[href='/applications']").await;
    browser.enter(".empty a[href='/applications/new']").await;
    browser.type_into("#name", "shop").await;
    browser.enter("button.primary").await;
    browser.enter("#put-workload").await;
    browser.tab_to("#env_name").await;
    browser.looks_right("application").await;
    browser.enter("#create-environment").await;
}

async fn approve(browser: &Browser) {
    browser.enter("#plan").await;
    browser.find("#changes").await;
    assert!(browser.count("#changes [data-change=create]").await >= 35);
    assert_eq!(browser.count("#changes [data-change=destroy]").await, 0);
    assert!(browser.text("#digest").await.starts_with("sha256:"));
    // What is made can be read before it is approved.
    let first = "#changes > li:first-child";
    browser.enter(&format!("{first} summary")).await;
    let made = browser.text(&format!("{first} .edits")).await;
    assert!(made.contains("/Tags/landfall:address"), "{made}");
    browser.looks_right("plan").await;
    browser.enter("#approve").await;
}

/// Live, on the rollout's page and on the environment's. Returns the latter.
async fn roll_out(browser: &Browser) -> String {
    browser.find(".drawing g.running").await;
    let rollout_page = browser.driver.current_url().await.unwrap().to_string();
    keeps_its_place_while_live(browser).await;
    let environment_page = browser.property(".crumbs a:last-child", "href").await;

    browser.goto(&environment_page).await;
    let seen = browser.count(".drawing g.done").await;
    let loaded: f64 = browser.run("return performance.timeOrigin").await;
    let started = Instant::now();
    while browser.count(".drawing g.done").await <= seen {
        assert!(started.elapsed() < PATIENCE, "the environment stands still");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let now: f64 = browser.run("return performance.timeOrigin").await;
    assert!(loaded >= now, "it was loaded again");

    browser.goto(&rollout_page).await;
    while browser.count(".drawing g.done").await < 12 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.picture("rollout").await;
    browser.says("#state", "succeeded").await;
    browser.looks_right("succeeded").await;
    environment_page
}

/// A part that did change is replaced, and a person does not notice.
async fn keeps_its_place_while_live(browser: &Browser) {
    browser.tab_to("#cancel").await;
    let scrolled: i64 = browser
        .run(
            "window.before = document.getElementById('drawing');
             window.before.scrollTo({ left: 200, behavior: 'instant' });
             return window.before.scrollLeft",
        )
        .await;
    assert_eq!(scrolled, 200, "the drawing is too small for this test");
    let started = Instant::now();
    while browser.run("return window.before.isConnected").await {
        assert!(started.elapsed() < PATIENCE, "nothing changed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let place: (String, i64) = browser
        .run("return [document.activeElement.id, document.getElementById('drawing').scrollLeft]")
        .await;
    assert_eq!(place, ("cancel".to_owned(), 200));
}

async fn serve(browser: &Browser) {
    let address = browser.property("a.endpoint", "href").await;
    browser.goto(&address).await;
    browser.picture("service").await;
    let page = browser.text("body").await;
    assert!(page.to_lowercase().contains("simulated"), "{page}");
}

/// The plan says what becomes of what, before anybody approves it.
async fn plan_an_update(browser: &Browser) {
    browser.click("#settings summary").await;
    browser.fill("#replicas", "3").await;
    browser.fill("#image_container", "web.main").await;
    browser.fill("#image", "ghcr.io/example/shop:1.1").await;
    browser.click("#save-settings").await;
    browser.click("#plan").await;
    let task = browser.text("[data-change=revise] .edits").await;
    for said in ["/Image", "shop:1.0", "shop:1.1"] {
        assert!(task.contains(said), "no {said} in {task}");
    }
    let service = browser
        .text("[data-address='workload.web.service'] .edits")
        .await;
    assert!(service.contains("/DesiredCount"), "{service}");
    browser.looks_right("plan-update").await;
}

/// Deleting it in Landfall leaves everything in the account. The database goes
/// by its name only.
async fn delete_and_destroy(browser: &Browser) {
    browser.click("#delete-environment").await;
    browser.find("#retained").await;
    assert!(browser.count("#retained tbody tr").await >= 35);
    browser
        .click("tr[data-type='AWS::RDS::DBInstance'] a")
        .await;
    let name = browser.text("form[action$=destroy] code").await;
    browser.fill("#typed_name", "not-the-name").await;
    browser.click("#destroy").await;
    browser.find(".notice.bad").await;
    browser.fill("#typed_name", &name).await;
    browser.looks_right("destroy").await;
    browser.click("#destroy").await;
    browser.says("#state", "destroyed").await;
}

/// The console asks which account this browser is signed in to; it may be
/// another one.
async fn sign_in_to_account(browser: &Browser, account: &str) {
    let started = Instant::now();
    while browser.driver.find(By::Css("#create-stack")).await.is_err() {
        assert!(started.elapsed() < PATIENCE, "the console shows no form");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Ok(switcher) = browser.driver.find(By::Css("select[name=account]")).await {
        let option = format!("option[value='{account}']");
        if let Ok(option) = switcher.find(By::Css(&option)).await {
            option.click().await.unwrap();
            browser.find("#create-stack").await;
        }
    }
}
