//! Progress on stderr: stdout is for the report.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;

pub struct Steps(ProgressBar);

impl Steps {
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    pub fn next(&self, text: &'static str) {
        if self.0.is_hidden() {
            eprintln!("{text} …");
        }
        self.0.set_message(text);
    }

    pub fn count(&self, done: &Value, total: &Value) {
        self.0
            .set_message(format!("rolling out: {done} of {total} resources"));
    }

    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}
