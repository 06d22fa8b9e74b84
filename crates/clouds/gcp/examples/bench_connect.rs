//! How many round trips connecting a Google Cloud project takes, one after the
//! other, against the shortest chain of them that there is:
//!
//! `cargo run --release --example bench_connect -p landfall-gcp [-- rtt=100]`
//!
//! The customer's side is granted; what is measured is `detect` and the first
//! `verify`, which switches APIs on and binds the provisioner's role, and then
//! a `verify` with nothing left to do. The sandbox stands in for Google behind
//! a relay that holds back every request for `rtt` milliseconds. Waits for
//! operations move the clock and take no time. Each is measured without and
//! with the delay: the difference, divided by `rtt`, is the number of round
//! trips in a row, whatever the machine's speed; looks at operations that go on
//! are not counted. Traffic stays on loopback.

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod support;

use landfall_gcp::{GcpConfig, GcpConnector};
use landfall_model::{
    connector::{Connector, Detection, Silent},
    entropy::SystemEntropy,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Scene, worse};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// No order of the calls can be shorter: each needs the answer of the one
/// before it.
const CHAIN: [&str; 11] = [
    "detect: exchange the token",
    "detect: act as the provisioner",
    "exchange the token",
    "act as the bootstrap",
    "see which APIs are on",
    "switch on those that need no billing account",
    "see that this has ended",
    "read the billing account",
    "switch on those that need one",
    "see that this has ended",
    "ask for the permissions of those APIs, whose role was bound meanwhile",
];

/// Looks at operations that had not ended: what is waited for there is Google,
/// not a round trip.
const OPERATIONS: usize = 2;

/// What was asked while something ran, and how long that took.
#[derive(Clone, Copy)]
struct Took {
    millis: f64,
    requests: usize,
    /// Of them, looks at operations.
    looks: usize,
}

struct Measured {
    detect: Took,
    first: Took,
    later: Took,
}

#[derive(Default)]
struct Asked {
    requests: AtomicUsize,
    looks: AtomicUsize,
}

impl Asked {
    fn since(&self, began: Instant) -> Took {
        Took {
            millis: began.elapsed().as_secs_f64() * 1_000.0,
            requests: self.requests.swap(0, Ordering::SeqCst),
            looks: self.looks.swap(0, Ordering::SeqCst),
        }
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut rtt = 100.0;
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("rtt", millis)) => rtt = millis.parse()?,
            _ => return Err(format!("'{argument}' is not rtt=MILLISECONDS").into()),
        }
    }
    if !(1.0..=1_000.0).contains(&rtt) {
        return Err("rtt is 1 to 1000 milliseconds".into());
    }
    let near = measure(Duration::ZERO).await?;
    let far = measure(Duration::from_secs_f64(rtt / 1_000.0)).await?;
    println!("                 requests   at once  with {rtt} ms   round trips in a row");
    let in_a_row = |near: Took, far: Took| {
        let waiting = far.looks.saturating_sub(OPERATIONS);
        let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
        (far.millis - near.millis) / rtt - waiting
    };
    for (what, near, far) in [
        ("detect", near.detect, far.detect),
        ("connect, first", near.first, far.first),
        ("verify, later", near.later, far.later),
    ] {
        println!(
            "{what:<16} {:>8} {:>6.0} ms {:>8.0} ms {:>22.1}",
            far.requests,
            near.millis,
            far.millis,
            in_a_row(near, far)
        );
    }
    let all = in_a_row(near.detect, far.detect) + in_a_row(near.first, far.first);
    let shortest = CHAIN.len() as f64;
    println!("\ndetect and connect: {all:.1} in a row; the shortest chain has {shortest}:");
    for step in CHAIN {
        println!("  {step}");
    }
    println!("ratio {:.2}", all / shortest);
    Ok(())
}

async fn measure(delay: Duration) -> Outcome<Measured> {
    let scene = Scene::new().await;
    let asked = Arc::new(Asked::default());
    let target = scene
        .sandbox
        .strip_prefix("http://")
        .ok_or("the sandbox has no http address")?
        .to_owned();
    let relay = relay(target.clone(), delay, asked.clone()).await?;
    let config = GcpConfig {
        endpoint_template: scene.template.replace(&target, &relay),
        ..GcpConfig::default()
    };
    let connector = GcpConnector::workload_identity(
        config,
        scene.issuer.clone(),
        scene.clock.clone(),
        Arc::new(SystemEntropy),
    )?;
    let (connection, spec) = scene.granted().await;

    let began = Instant::now();
    let found = connector.detect(&connection).await;
    if found != Detection::Granted {
        return Err(format!("not granted: {found:?}").into());
    }
    let detect = asked.since(began);
    let mut verifications = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        let found = connector
            .verify(
                &connection,
                &spec,
                landfall_model::Clock::now(&*scene.clock),
                &Silent,
            )
            .await?;
        verifications.push(asked.since(began));
        if let Some(check) = worse(&found).first() {
            return Err(format!("{}: {}", check.id, check.evidence).into());
        }
    }
    Ok(Measured {
        detect,
        first: verifications[0],
        later: verifications[1],
    })
}

/// Passes everything on to `target`, requests `delay` late; counts them.
async fn relay(target: String, delay: Duration, asked: Arc<Asked>) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (target, asked) = (target.clone(), asked.clone());
            tokio::spawn(async move { pass_on(client, &target, delay, &asked).await });
        }
    });
    Ok(address)
}

async fn pass_on(
    client: TcpStream,
    target: &str,
    delay: Duration,
    asked: &Asked,
) -> std::io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (held, mut due) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    // Parts of one request are late together, not one after the other.
    tokio::spawn(async move {
        while let Some((at, bytes)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            to_server.write_all(&bytes).await?;
        }
        to_server.shutdown().await
    });
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let bytes = &buffer[..read];
        let count = |text: &[u8]| {
            bytes
                .windows(text.len())
                .filter(|part| *part == text)
                .count()
        };
        let (requests, looks) = (count(b" HTTP/1.1\r\n"), count(b"/v1/operations/"));
        asked.requests.fetch_add(requests, Ordering::SeqCst);
        asked.looks.fetch_add(looks, Ordering::SeqCst);
        let at = tokio::time::Instant::now() + delay;
        if held.send((at, bytes.to_vec())).is_err() {
            return Ok(());
        }
    }
}
