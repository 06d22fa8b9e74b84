//! The real binary, showing itself to a person.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Ends its process, and nothing else, when it goes away.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Demo {
    _process: Process,
    pub page: String,
    pub token: String,
    pub account: String,
    /// Of the one who approves on Microsoft's page.
    pub tenant: String,
    pub subscription: String,
}

pub fn demo() -> Demo {
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
    let mut consent = None;
    while consent.is_none() {
        let line = receive
            .recv_timeout(Duration::from_secs(60))
            .expect("the demo says where it is");
        let mut words = line.split_whitespace();
        match words.next() {
            Some("page") => page = words.next().map(str::to_owned),
            Some("sign") => token = words.nth(1).map(str::to_owned),
            Some("account") => account = words.next().map(str::to_owned),
            Some("azure/admin-consent") => {
                let mut ids = words.map(|word| word.trim_end_matches(',').to_owned());
                consent = ids.nth(1).zip(ids.nth(1));
            }
            _ => {}
        }
    }
    let (tenant, subscription) = consent.unwrap();
    Demo {
        tenant,
        subscription,
        _process: process,
        page: page.unwrap(),
        token: token.unwrap(),
        account: account.unwrap(),
    }
}
