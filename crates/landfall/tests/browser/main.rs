//! The journey as a person takes it: headless Chromium, the real binary, the
//! simulated console. By keyboard alone up to the approval of a plan; every
//! page in the light, in the dark and on a phone.
//!
//! `LANDFALL_SCREENSHOTS=<folder>` keeps a picture of each page.

mod browser;
mod demo;
mod journey;
mod looks;
mod methods;

/// Keeps the browser's end in order: without quitting, the driver's drop blocks
/// this runtime.
async fn in_a_browser(browser: &browser::Browser, walk: impl AsyncFnOnce(&browser::Browser)) {
    let result = std::panic::AssertUnwindSafe(walk(browser));
    let result = futures::FutureExt::catch_unwind(result).await;
    let _ = browser.driver.clone().quit().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test]
async fn a_person_walks_the_whole_journey() {
    let Some(browser) = browser::browser().await else {
        return;
    };
    let demo = demo::demo();
    in_a_browser(&browser, async |browser| {
        journey::walk(browser, &demo).await
    })
    .await;
}

#[tokio::test]
async fn a_person_sees_every_method_of_every_cloud() {
    let Some(browser) = browser::browser().await else {
        return;
    };
    let demo = demo::demo();
    in_a_browser(&browser, async |browser| {
        methods::walk(browser, &demo).await
    })
    .await;
}
