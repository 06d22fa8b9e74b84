//! The cloud on disk, so that it remembers while the sandbox is down.
//!
//! The whole world is one file, replaced by renaming: whoever opens it finds
//! one complete state or the other. An answer that reports a change is sent
//! only after a snapshot that contains the change is in place, so a client
//! never holds an identifier that the restarted cloud has not heard of.
//! Nothing is forced to the disk: the promise covers a killed process, not a
//! machine that loses power.

use crate::shared::Shared;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

const FORMAT: u32 = 1;

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("cannot read the file")]
    Read(#[source] io::Error),
    #[error("the file is not a snapshot of this version")]
    Content(#[source] serde_json::Error),
    #[error("the file has format {0}, this version reads format {FORMAT}")]
    Format(u32),
}

#[derive(Serialize)]
struct Out<'w> {
    format: u32,
    world: &'w World,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct In {
    world: World,
}

/// Reads a snapshot; nothing when the file does not exist yet.
pub(crate) fn read(path: &Path) -> Result<Option<World>, SnapshotError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SnapshotError::Read(error)),
    };
    let head: Head = serde_json::from_slice(&bytes).map_err(SnapshotError::Content)?;
    if head.format != FORMAT {
        return Err(SnapshotError::Format(head.format));
    }
    let content: In = serde_json::from_slice(&bytes).map_err(SnapshotError::Content)?;
    Ok(Some(content.world))
}

/// Replaces the snapshot by this world.
pub(crate) fn write(path: &Path, world: &World) -> io::Result<()> {
    replace(path, &serialize(world)?)
}

fn serialize(world: &World) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&Out {
        format: FORMAT,
        world,
    })?)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

/// Where the request log of a snapshot lies.
pub(crate) fn request_log_path(snapshot: &Path) -> PathBuf {
    let mut path = snapshot.as_os_str().to_owned();
    path.push(".requests");
    PathBuf::from(path)
}

/// Writes snapshots, several changes at a time when they come together.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The newest generation on disk.
    written: Mutex<u64>,
}

impl Writer {
    /// Returns once everything that has happened until now is on disk.
    pub(crate) async fn persist(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let Some(path) = shared.config.snapshot.clone() else {
            return Ok(());
        };
        let wanted = shared.generation();
        // While one request writes, others gather here; the next to get in
        // writes for all of them.
        let mut written = self.written.lock().await;
        if *written >= wanted {
            return Ok(());
        }
        let shared = Arc::clone(shared);
        let generation = tokio::task::spawn_blocking(move || -> io::Result<u64> {
            let (generation, bytes) = {
                let world = shared.world();
                // Read under the world's lock: no change can slip between the
                // number and the state that it counts.
                (shared.generation(), serialize(&world)?)
            };
            replace(&path, &bytes)?;
            Ok(generation)
        })
        .await
        .map_err(io::Error::other)??;
        *written = generation;
        Ok(())
    }
}
