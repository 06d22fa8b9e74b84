use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The log goes to stderr: stdout is data. `LANDFALL_LOG` filters
/// (`landfall_engine=debug`), `LANDFALL_LOG_FORMAT=json` is for machines.
pub fn start(default: &str) {
    let filter =
        EnvFilter::try_from_env("LANDFALL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    let json = std::env::var("LANDFALL_LOG_FORMAT").is_ok_and(|format| format == "json");
    let result = if json {
        registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init()
    } else {
        registry
            .with(fmt::layer().with_writer(std::io::stderr))
            .try_init()
    };
    // Set twice only by a test in the same process, which keeps the first.
    let _ = result;
}
