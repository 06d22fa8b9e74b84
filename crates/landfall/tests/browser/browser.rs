//! A person's browser: what they see, click and type.

use super::demo::Process;
use serde_json::json;
use std::{
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use thirtyfour::{
    TypingData, common::capabilities::chromium::ChromiumLikeCapabilities, prelude::*,
};

pub const PATIENCE: Duration = Duration::from_secs(90);

pub struct Browser {
    pub driver: WebDriver,
    screenshots: Option<PathBuf>,
    _process: Process,
    _profile: tempfile::TempDir,
}

/// `None`, and a word about it, where there is no Chromium.
pub async fn browser() -> Option<Browser> {
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
    // The simulated Entra has a certificate of its own.
    capabilities.accept_insecure_certs(true).unwrap();
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
    pub async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Waits for the element: pages load and fragments come.
    pub async fn find(&self, css: &str) -> WebElement {
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
    pub async fn click(&self, css: &str) {
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

    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Again when it was replaced between finding and reading.
    pub async fn text(&self, css: &str) -> String {
        let started = Instant::now();
        loop {
            match self.find(css).await.text().await {
                Ok(text) => return text,
                Err(error) => assert!(started.elapsed() < PATIENCE, "{css}: {error}"),
            }
        }
    }

    /// A property of the element, which may be replaced at any time: found and
    /// read in one step.
    pub async fn property(&self, css: &str, name: &str) -> String {
        self.find(css).await;
        let script = format!("return document.querySelector({css:?})[{name:?}]");
        self.run(&script).await
    }

    /// Waits until the element says `wanted`. It is read anew each time:
    /// fragments are replaced under our feet.
    pub async fn says(&self, css: &str, wanted: &str) {
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

    pub async fn gone(&self, css: &str) {
        let started = Instant::now();
        while self.driver.find(By::Css(css)).await.is_ok() {
            assert!(started.elapsed() < PATIENCE, "{css} stays");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn count(&self, css: &str) -> usize {
        self.driver.find_all(By::Css(css)).await.unwrap().len()
    }

    pub async fn picture(&self, name: &str) {
        if let Some(folder) = &self.screenshots {
            std::fs::create_dir_all(folder).unwrap();
            let file = folder.join(format!("{name}.png"));
            self.driver.screenshot(&file).await.unwrap();
        }
    }

    /// What `script` returns.
    pub async fn run<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let value = self.driver.execute(script, vec![]).await.unwrap();
        value
            .convert()
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// As on a telephone of this size, or in the window.
    pub async fn screen(&self, size: Option<(u32, u32)>) {
        let (command, metrics) = match size {
            Some((width, height)) => (
                "Emulation.setDeviceMetricsOverride",
                json!({
                    "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true,
                }),
            ),
            None => ("Emulation.clearDeviceMetricsOverride", json!({})),
        };
        self.driver.cdp().send_raw(command, metrics).await.unwrap();
    }

    pub async fn prefers(&self, scheme: &str) {
        let media = json!({
            "features": [{ "name": "prefers-color-scheme", "value": scheme }],
        });
        let command = "Emulation.setEmulatedMedia";
        self.driver.cdp().send_raw(command, media).await.unwrap();
    }

    pub async fn press(&self, keys: impl Into<TypingData>) {
        let chain = self.driver.action_chain();
        match chain.send_keys(keys).perform().await {
            // The key was pressed and the page went away under it: chromedriver
            // calls that a failure. Who goes on looks at the next page.
            Err(error) if error.to_string().contains("aborted by navigation") => {}
            pressed => pressed.unwrap(),
        }
    }

    /// Tab, until the element has focus; which must be seen.
    pub async fn tab_to(&self, css: &str) {
        self.find(css).await;
        let has_focus = format!("return document.activeElement.matches({css:?})");
        for _ in 0..200 {
            if self.run(&has_focus).await {
                let outline: String = self
                    .run("return getComputedStyle(document.activeElement).outlineStyle")
                    .await;
                assert_ne!(outline, "none", "nobody sees that {css} has focus");
                return;
            }
            self.press(Key::Tab + "").await;
        }
        panic!("Tab never comes to {css}");
    }

    /// Tab to it, and Enter.
    pub async fn enter(&self, css: &str) {
        self.tab_to(css).await;
        self.press(Key::Enter + "").await;
    }

    /// Tab to it, and type in the place of what is there.
    pub async fn type_into(&self, css: &str, text: &str) {
        self.tab_to(css).await;
        let chain = self.driver.action_chain();
        let everything = chain.key_down(Key::Control).key_down('a').key_up('a');
        everything.key_up(Key::Control).perform().await.unwrap();
        self.press(text).await;
    }
}
