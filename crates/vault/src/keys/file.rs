//! The key ring in a file that only its owner may read.

use super::{
    DataKey, MasterKeys, Wrapped, failed,
    ring::{self, MasterKey, Ring},
};
use crate::check::holds_secrets;
use async_trait::async_trait;
use landfall_model::{
    Clock, Entropy, Timestamp,
    store::Store,
    vault::{KeyVersion, VaultError},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use zeroize::Zeroizing;

const HEADER: &str = "\
# Landfall's master keys: version, time of making, 256 bits in base64.
# Whoever has this file and the database has every stored secret. Back it up,
# apart from the database, and keep old versions for as long as backups of the
# database that need them.
";

/// More than any rotation makes; another file was configured by mistake.
const LARGEST: u64 = 1024 * 1024;

/// Whether a missing key file may be made. It may not when the database holds
/// sealed secrets: they would never open again, and nobody would notice until
/// they are needed.
#[derive(Clone)]
pub enum Missing {
    /// Unless this database holds sealed secrets, which is asked just before.
    Make(Arc<dyn Store>),
    Refuse,
}

pub struct FileKeys {
    path: PathBuf,
    missing: Missing,
    /// Whether the file was there at any time of this process: then it was
    /// unmounted or removed, and what this process sealed needs it, even if it
    /// is not written to the database yet.
    seen: AtomicBool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Debug, thiserror::Error)]
enum InvalidFile {
    #[error("others than its owner can read {path}: chmod 600 {path}")]
    TooOpen { path: String },
    #[error("{path} is no regular file")]
    NoFile { path: String },
    #[error("{path} is larger than a key file")]
    TooLarge { path: String },
    #[error("{path} is no key file")]
    Ring {
        path: String,
        #[source]
        source: ring::InvalidRing,
    },
    #[error("{path} is no text")]
    Text { path: String },
}

impl FileKeys {
    pub fn new(
        path: PathBuf,
        missing: Missing,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            path,
            missing,
            seen: AtomicBool::new(false),
            clock,
            entropy,
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The ring, or `None` when there is no file.
    fn read(&self) -> Result<Option<Ring>, VaultError> {
        let operation = "read the key file";
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(operation)(error)),
        };
        self.check(&file).map_err(failed(operation))?;
        // The capacity is given at once: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        file.take(LARGEST)
            .read_to_end(&mut bytes)
            .map_err(failed(operation))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| failed(operation)(InvalidFile::Text { path: self.name() }))?;
        let ring = parse(text).map_err(|source| {
            failed(operation)(InvalidFile::Ring {
                path: self.name(),
                source,
            })
        })?;
        self.seen.store(true, Ordering::Relaxed);
        Ok(Some(ring))
    }

    /// Of the file that was opened, not of whatever has its name by now.
    fn check(&self, file: &File) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let metadata = file.metadata()?;
        let path = self.name();
        if !metadata.is_file() {
            return Err(InvalidFile::NoFile { path }.into());
        }
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            return Err(InvalidFile::TooOpen { path }.into());
        }
        if metadata.len() > LARGEST {
            return Err(InvalidFile::TooLarge { path }.into());
        }
        Ok(())
    }

    async fn ring(&self) -> Result<Ring, VaultError> {
        if let Some(ring) = self.read()? {
            return Ok(ring);
        }
        self.may_make().await?;
        let operation = "make the key file";
        let _lock = self.lock().map_err(failed(operation))?;
        // Made by another process while this one waited.
        if let Some(ring) = self.read()? {
            return Ok(ring);
        }
        let ring = Ring::first(self.clock.now(), &*self.entropy);
        self.write(&ring).map_err(failed(operation))?;
        tracing::info!(file = %self.name(), "made a master key: back this file up");
        Ok(ring)
    }

    async fn may_make(&self) -> Result<(), VaultError> {
        if self.seen.load(Ordering::Relaxed) {
            return Err(VaultError::NoKey {
                next_step: format!(
                    "{} was there and is gone: mount it again, or restore it from its backup",
                    self.name()
                ),
            });
        }
        let needed = match &self.missing {
            Missing::Refuse => true,
            Missing::Make(store) => holds_secrets(&**store)
                .await
                .map_err(failed("ask who needs the key file"))?,
        };
        if needed {
            return Err(VaultError::NoKey {
                next_step: format!(
                    "restore {} from its backup; the database holds secrets that it sealed",
                    self.name()
                ),
            });
        }
        Ok(())
    }

    /// Two processes that each add a version would overwrite one of the two
    /// keys, and what it had sealed by then would be lost. The system lets go
    /// of the lock when a process dies.
    fn lock(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        let file = options.open(self.path.with_added_extension("lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// In one step and on the disk before anything is sealed with a new key: a
    /// crash leaves the old file or the new one.
    fn write(&self, ring: &Ring) -> io::Result<()> {
        let unfinished = self.path.with_added_extension("new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(&unfinished)?;
        file.write_all(&render(ring))?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.path)?;
        self.seen.store(true, Ordering::Relaxed);
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }
}

/// The mode is given at creation: changed afterwards, there would be a moment
/// in which others can open the file.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

fn parse(text: &str) -> Result<Ring, ring::InvalidRing> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = entry(line).ok_or(ring::InvalidRing::Entry(index + 1))?;
        entries.push(entry);
    }
    Ring::new(entries)
}

fn entry(line: &str) -> Option<(u32, MasterKey)> {
    let mut words = line.split_whitespace();
    let (version, at, key) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let version = version.parse().ok().filter(|version| *version > 0)?;
    let created_at = Some(Timestamp::parse_rfc3339(at).ok()?);
    let key = ring::decode(key)?;
    Some((version, MasterKey { key, created_at }))
}

fn render(ring: &Ring) -> Zeroizing<Vec<u8>> {
    let lines = ring.iter().count();
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER.len() + lines * 128));
    bytes.extend_from_slice(HEADER.as_bytes());
    for (version, key) in ring.iter() {
        // Every key in a file has a time: it was made here or read with one.
        let at = key.created_at.unwrap_or_default();
        bytes.extend_from_slice(format!("{version} {at} ").as_bytes());
        bytes.extend_from_slice(ring::encode(&key.key).as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

#[async_trait]
impl MasterKeys for FileKeys {
    fn describe(&self) -> String {
        format!("the key file {}", self.name())
    }

    async fn current(&self) -> Result<u32, VaultError> {
        self.ring().await.map(|ring| ring.current())
    }

    async fn versions(&self) -> Result<Vec<KeyVersion>, VaultError> {
        Ok(self.read()?.map_or_else(Vec::new, |ring| ring.versions()))
    }

    async fn wrap(&self, record: &str, data_key: &DataKey) -> Result<Wrapped, VaultError> {
        self.ring().await?.wrap(record, data_key, &*self.entropy)
    }

    async fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError> {
        match self.read()? {
            Some(ring) => ring.unwrap(version, record, wrapped),
            None => Err(VaultError::NoKey {
                next_step: format!("restore {} from its backup", self.name()),
            }),
        }
    }

    async fn add(&self) -> Result<Option<u32>, VaultError> {
        let operation = "write the key file";
        let _lock = self.lock().map_err(failed(operation))?;
        let Some(mut ring) = self.read()? else {
            return Err(VaultError::NoKey {
                next_step: format!("restore {} from its backup", self.name()),
            });
        };
        let version = ring.add(self.clock.now(), &*self.entropy)?;
        self.write(&ring).map_err(failed(operation))?;
        Ok(Some(version))
    }

    fn how_to_add(&self) -> String {
        format!("make {} writable", self.name())
    }
}
