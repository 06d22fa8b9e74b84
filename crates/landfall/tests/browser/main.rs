//! The journey as a person takes it: headless Chromium, the real binary, the
//! simulated console. By keyboard alone up to the approval of a plan; every
//! page in the light, in the dark and on a phone.
//!
//! `LANDFALL_SCREENSHOTS=<folder>` keeps a picture of each page.

mod browser;
mod demo;
mod journey;
mod looks;

#[tokio::test]
async fn a_person_walks_the_whole_journey() {
    let Some(browser) = browser::browser().await else {
        return;
    };
    let demo = demo::demo();
    let result = std::panic::AssertUnwindSafe(journey::walk(&browser, &demo));
    let result = futures::FutureExt::catch_unwind(result).await;
    // Without quitting, the driver's drop blocks this runtime.
    let _ = browser.driver.clone().quit().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}
