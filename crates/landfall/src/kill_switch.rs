//! Ends this process without warning at a chosen instant: how the kill sweep
//! reaches every journal boundary. Only in debug builds, and only when
//! `LANDFALL_KILL_AT` is set.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use landfall_model::store::{Around, Store, StoreResult, Write};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Where the knife falls, seen from the n-th commit that appends to a journal.
#[derive(Clone, Copy)]
enum Side {
    /// The event was decided but not written.
    Before,
    /// It was written, and nobody knows yet.
    After,
}

/// `store`, or one that kills this process, as `LANDFALL_KILL_AT` says:
/// `before:3` or `after:3`.
pub fn armed(store: Arc<dyn Store>) -> anyhow::Result<Arc<dyn Store>> {
    let Ok(text) = std::env::var("LANDFALL_KILL_AT") else {
        return Ok(store);
    };
    let (side, count) = text
        .split_once(':')
        .context("LANDFALL_KILL_AT is before:N or after:N")?;
    let side = match side {
        "before" => Side::Before,
        "after" => Side::After,
        _ => bail!("LANDFALL_KILL_AT is before:N or after:N"),
    };
    Ok(Arc::new(Armed {
        store,
        side,
        at: count.parse().context("LANDFALL_KILL_AT needs a number")?,
        commits: AtomicU64::new(0),
    }))
}

struct Armed {
    store: Arc<dyn Store>,
    side: Side,
    at: u64,
    commits: AtomicU64,
}

/// SIGKILL, as the kernel or an operator would send it: no handler, no
/// destructor, no flush.
fn die() -> ! {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-KILL", &pid])
        .status();
    std::process::abort()
}

#[async_trait]
impl Around for Armed {
    fn inner(&self) -> &dyn Store {
        &*self.store
    }

    async fn commit_around(&self, writes: Vec<Write>) -> StoreResult<()> {
        if !writes
            .iter()
            .any(|write| matches!(write, Write::Append { .. }))
        {
            return self.store.commit(writes).await;
        }
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if number > self.at {
            // The process is dying at an earlier one: nothing that comes later
            // may be written in its last milliseconds.
            return std::future::pending().await;
        }
        let here = number == self.at;
        if here && matches!(self.side, Side::Before) {
            die();
        }
        let result = self.store.commit(writes).await;
        if here {
            die();
        }
        result
    }
}
