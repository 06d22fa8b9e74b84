//! The journey as a person takes it: headless Chromium, the real binary, the
//! simulated console.
//!
//! `LANDFALL_SCREENSHOTS=<folder>` keeps a picture of each page.

use std::{
    io::{BufRead, BufReader, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};
use thirtyfour::{common::capabilities::chromium::ChromiumLikeCapabilities, prelude::*};

const PATIENCE: Duration = Duration::from_secs(90);

/// Ends its process, and nothing else, when it goes away.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Demo {
    _process: Process,
    page: String,
    token: String,
    account: String,
}

fn demo() -> Demo {
    let mut child = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["demo", "--no-browser", "--speed", "200"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let process = Process(child);
    let (send, receive) = mpsc::channel();
    // Read to the end: a full pipe would stop the server.
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    let (mut page, mut token, mut account) = (None, None, None);
    while account.is_none() {
        let line = receive
            .recv_timeout(Duration::from_secs(60))
            .expect("the demo says where it is");
        let mut words = line.split_whitespace();
        match words.next() {
            Some("page") => page = words.next().map(str::to_owned),
            Some("sign") => token = words.nth(1).map(str::to_owned),
            Some("account") => account = words.next().map(str::to_owned),
            _ => {}
        }
    }
    Demo {
        _process: process,
        page: page.unwrap(),
        token: token.unwrap(),
        account: account.unwrap(),
    }
}

struct Browser {
    driver: WebDriver,
    screenshots: Option<PathBuf>,
    _process: Process,
    _profile: tempfile::TempDir,
}

/// `None`, and a word about it, where there is no Chromium.
async fn browser() -> Option<Browser> {
    let installed = |name: &str| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !installed("chromium") || !installed("chromedriver") {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "chromium and chromedriver are required here"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(std::io::stderr(), "skipped: no chromium or no chromedriver");
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let process = Process(
        Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let profile = tempfile::tempdir().unwrap();
    let mut capabilities = DesiredCapabilities::chrome();
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ] {
        capabilities.add_arg(argument).unwrap();
    }
    capabilities
        .add_arg(&format!("--user-data-dir={}", profile.path().display()))
        .unwrap();
    let started = Instant::now();
    let driver = loop {
        match WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities.clone()).await {
            Ok(driver) => break driver,
            Err(error) => {
                assert!(started.elapsed() < Duration::from_secs(30), "{error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    };
    Some(Browser {
        driver,
        screenshots: std::env::var_os("LANDFALL_SCREENSHOTS").map(PathBuf::from),
        _process: process,
        _profile: profile,
    })
}

impl Browser {
    async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Waits for the element: pages load and fragments come.
    async fn find(&self, css: &str) -> WebElement {
        let started = Instant::now();
        loop {
            if let Ok(element) = self.driver.find(By::Css(css)).await {
                return element;
            }
            if started.elapsed() > PATIENCE {
                let page = self.driver.source().await.unwrap_or_default();
                panic!("{css} never came:\n{page}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Again when it was replaced, or not in place yet, between finding and
    /// clicking.
    async fn click(&self, css: &str) {
        let started = Instant::now();
        loop {
            let element = self.find(css).await;
            let clicked = match element.scroll_into_view().await {
                Ok(()) => element.click().await,
                Err(error) => Err(error),
            };
            match clicked {
                Ok(()) => return,
                Err(error) => assert!(started.elapsed() < PATIENCE, "{css}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Waits until the element says `wanted`. It is read anew each time:
    /// fragments are replaced under our feet.
    async fn says(&self, css: &str, wanted: &str) {
        let started = Instant::now();
        loop {
            let text = match self.driver.find(By::Css(css)).await {
                Ok(element) => element.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text == wanted {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{css} says '{text}', not '{wanted}':\n{}",
                self.driver.source().await.unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn gone(&self, css: &str) {
        let started = Instant::now();
        while self.driver.find(By::Css(css)).await.is_ok() {
            assert!(started.elapsed() < PATIENCE, "{css} stays");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn count(&self, css: &str) -> usize {
        self.driver.find_all(By::Css(css)).await.unwrap().len()
    }

    async fn picture(&self, name: &str) {
        if let Some(folder) = &self.screenshots {
            std::fs::create_dir_all(folder).unwrap();
            let file = folder.join(format!("{name}.png"));
            self.driver.screenshot(&file).await.unwrap();
        }
    }

    /// Nothing sticks out to the right.
    async fn fits(&self, page: &str) {
        let script = "return document.documentElement.scrollWidth - window.innerWidth";
        let over = self.driver.execute(script, vec![]).await.unwrap();
        let over: i64 = over.convert().unwrap();
        assert!(over <= 0, "{page} is {over} pixels too wide");
    }
}

#[tokio::test]
async fn a_person_walks_the_whole_journey() {
    let Some(browser) = browser().await else {
        return;
    };
    let demo = demo();
    let result = std::panic::AssertUnwindSafe(journey(&browser, &demo));
    let result = futures::FutureExt::catch_unwind(result).await;
    // Without quitting, the driver's drop blocks this runtime.
    let _ = browser.driver.clone().quit().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

async fn journey(browser: &Browser, demo: &Demo) {
    let at = |path: &str| format!("{}{path}", demo.page);

    // A stranger is led to the sign-in page, a wrong token gets no further.
    browser.goto(&at("/connections")).await;
    browser.fill("#token", "lf_wrong").await;
    browser.click("button.primary").await;
    browser.find(".notice.bad").await;
    browser.picture("sign-in").await;
    browser.fill("#token", &demo.token).await;
    browser.click("button.primary").await;
    browser.find("header.top").await;
    browser.goto(&at("/")).await;
    browser.picture("welcome").await;

    // Bad input is said beside the field, and what was typed stays.
    browser.goto(&at("/connections/new")).await;
    browser.fill("#account_id", "1234").await;
    browser.click("#connect").await;
    browser.find("#account_id[aria-invalid=true]").await;
    browser.fill("#account_id", &demo.account).await;
    browser.click("#connect").await;

    // The grant: the link opens the console in another window.
    browser.says("#state", "waiting for the grant").await;
    browser.picture("grant").await;
    let connection_page = browser.driver.current_url().await.unwrap().to_string();
    let link = browser
        .find("#grant")
        .await
        .attr("href")
        .await
        .unwrap()
        .unwrap();
    let landfall = browser.driver.window().await.unwrap();
    let console = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(console).await.unwrap();
    browser.goto(&link).await;
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
    browser.click("#continue").await;
    browser.find("#default_region option").await;
    let region = browser.find("#default_region").await;
    region.send_keys("eu-central-1").await.unwrap();
    browser.click("#choose-region").await;
    // Leaving now could take the form back.
    browser.gone("#choose-region").await;

    // The application and its environment.
    browser.goto(&at("/applications/new")).await;
    browser.fill("#name", "shop").await;
    browser.click("button.primary").await;
    browser.click("#put-workload").await;
    browser.fill("#env_name", "production").await;
    browser.picture("application").await;
    browser.click("#create-environment").await;

    // The plan, the approval, the rollout, live.
    browser.click("#plan").await;
    browser.find("#changes").await;
    assert!(browser.count("#changes tr[data-change=create]").await >= 35);
    assert_eq!(browser.count("#changes tr[data-change=destroy]").await, 0);
    browser.picture("plan").await;
    browser.click("#approve").await;
    browser.find(".drawing g.running").await;
    while browser.count(".drawing g.done").await < 12 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.picture("rollout").await;
    browser.says("#state", "succeeded").await;
    browser.picture("succeeded").await;
    let address = browser
        .find("a.endpoint")
        .await
        .attr("href")
        .await
        .unwrap()
        .unwrap();
    let environment_page = browser
        .find(".crumbs a:last-child")
        .await
        .prop("href")
        .await
        .unwrap()
        .unwrap();
    browser.goto(&address).await;
    browser.picture("service").await;
    assert!(
        browser
            .text("body")
            .await
            .to_lowercase()
            .contains("simulated")
    );

    // Deleting it in Landfall leaves everything in the account.
    browser.goto(&environment_page).await;
    browser.picture("environment").await;
    browser.click("#delete-environment").await;
    browser.find("#retained").await;
    assert!(browser.count("#retained tbody tr").await >= 35);
    browser.picture("retained").await;

    // The database goes by its name only.
    browser
        .click("tr[data-type='AWS::RDS::DBInstance'] a")
        .await;
    let name = browser.text("form[action$=destroy] code").await;
    browser.fill("#typed_name", "not-the-name").await;
    browser.click("#destroy").await;
    browser.find(".notice.bad").await;
    browser.fill("#typed_name", &name).await;
    browser.picture("destroy").await;
    browser.click("#destroy").await;
    browser.says("#state", "destroyed").await;

    browser.goto(&at("/audit")).await;
    assert_eq!(browser.text(".badge.good").await, "unbroken");
    browser.picture("audit").await;

    // A phone, and in the dark.
    browser
        .driver
        .set_window_rect(0, 0, 390, 844)
        .await
        .unwrap();
    for path in [
        "/",
        "/connections",
        "/retained",
        "/audit",
        "/settings",
        "/applications",
    ] {
        browser.goto(&at(path)).await;
        browser.fits(path).await;
    }
    browser.goto(&connection_page).await;
    browser.fits("a connection").await;
    browser.picture("phone").await;
    browser
        .driver
        .set_window_rect(0, 0, 1280, 900)
        .await
        .unwrap();

    browser.goto(&connection_page).await;
    browser.click("#disconnect").await;
    browser.says("#state", "disconnected").await;
    assert!(browser.count("#remaining tbody tr").await >= 35);
    browser.picture("disconnected").await;
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
