//! The key ring behind a command: a cloud's key service, a hardware module, or
//! another vault. The master key never comes here; only data keys do.
//!
//! One JSON object goes to the command's stdin and one comes from its stdout:
//!
//! | request | answer |
//! | --- | --- |
//! | `{"operation":"describe"}` | `{"current":2,"versions":[1,2]}` |
//! | `{"operation":"wrap","context":"…","key":"<base64>"}` | `{"version":2,"wrapped":"<base64>"}` |
//! | `{"operation":"unwrap","version":1,"context":"…","wrapped":"<base64>"}` | `{"key":"<base64>"}` |
//! | `{"operation":"add"}` | `{"version":3}`, or `{}` when only an operator can |
//!
//! `context` names the record; the command must bind the wrapped key to it
//! (AWS: an encryption context; Google Cloud: additional authenticated data).
//! Exit status 3 says that the key does not unwrap; any other failure is one of
//! the service.

use super::{DataKey, MasterKeys, Wrapped, failed};
use crate::envelope;
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use landfall_model::vault::{KeyVersion, VaultError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};
use zeroize::Zeroizing;

/// An answer is a key and a version.
const LARGEST: u64 = 64 * 1024;

/// What of its stderr is worth repeating.
const COMPLAINT: usize = 400;

const REFUSED: i32 = 3;

pub struct CommandKeys {
    program: String,
    arguments: Vec<String>,
    limit: Duration,
}

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("vault.command is empty")]
    Empty,
    #[error("'{program}' did not answer within {} s", .limit.as_secs_f64())]
    TooSlow { program: String, limit: Duration },
    #[error("'{program}' ended with {status}: {complaint}")]
    Failed {
        program: String,
        status: String,
        complaint: String,
    },
    #[error("'{program}' refused the wrapped key")]
    Refused { program: String },
    #[error("'{program}' cannot be run")]
    Run {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("'{program}' did not answer with the JSON asked for")]
    Answer { program: String },
}

#[derive(Serialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
enum Request<'a> {
    Describe,
    Wrap {
        context: &'a str,
        key: &'a str,
    },
    Unwrap {
        version: u32,
        context: &'a str,
        wrapped: &'a str,
    },
    Add,
}

#[derive(Deserialize)]
struct Described {
    current: u32,
    versions: Vec<u32>,
}

#[derive(Deserialize)]
struct WrappedAnswer {
    version: u32,
    wrapped: String,
}

#[derive(Deserialize)]
struct UnwrappedAnswer {
    key: String,
}

#[derive(Deserialize)]
struct Added {
    version: Option<u32>,
}

impl CommandKeys {
    /// `command` is the program and its arguments; no shell reads it.
    pub fn new(command: &[String], limit: Duration) -> Result<Self, VaultError> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| failed("use the command")(CommandError::Empty))?;
        Ok(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            limit,
        })
    }

    async fn ask<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, CommandError> {
        let program = self.program.clone();
        // Dropped when the time is over, which kills the command.
        let answer = tokio::time::timeout(self.limit, self.run(request))
            .await
            .map_err(|_| CommandError::TooSlow {
                program: program.clone(),
                limit: self.limit,
            })??;
        serde_json::from_slice(&answer).map_err(|_| CommandError::Answer { program })
    }

    async fn run(&self, request: &Request<'_>) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let program = &self.program;
        let run = |source| CommandError::Run {
            program: program.clone(),
            source,
        };
        let mut child = Command::new(program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(run)?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(run(std::io::Error::other("it has no pipes")));
        };
        let mut text = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *text, request).map_err(|source| run(source.into()))?;
        text.push(b'\n');
        let write = async move {
            // A command that answers without reading closes its end: whether
            // that is an error, its answer tells.
            let _ = stdin.write_all(&text).await;
            drop(stdin);
        };
        // Each end is closed when enough was read: a command that goes on
        // talking would wait for ever otherwise.
        let read = async move {
            let mut answer = Zeroizing::new(Vec::with_capacity(4096));
            let read = stdout.take(LARGEST).read_to_end(&mut answer).await;
            read.map(|_| answer)
        };
        let listen = async move {
            let mut complaint = Vec::new();
            // What it says besides is for people: without it, less is said.
            let _ = stderr.take(LARGEST).read_to_end(&mut complaint).await;
            complaint
        };
        let ((), answer, complaint) = tokio::join!(write, read, listen);
        let answer = answer.map_err(run)?;
        let status = child.wait().await.map_err(run)?;
        if status.success() {
            return Ok(answer);
        }
        let program = program.clone();
        if status.code() == Some(REFUSED) {
            return Err(CommandError::Refused { program });
        }
        let complaint = String::from_utf8_lossy(&complaint);
        Err(CommandError::Failed {
            program,
            status: status.to_string(),
            complaint: complaint.trim().chars().take(COMPLAINT).collect(),
        })
    }

    fn unreadable(&self) -> CommandError {
        CommandError::Answer {
            program: self.program.clone(),
        }
    }
}

#[async_trait]
impl MasterKeys for CommandKeys {
    fn describe(&self) -> String {
        format!("the command {}", self.program)
    }

    async fn current(&self) -> Result<u32, VaultError> {
        let described: Described = self
            .ask(&Request::Describe)
            .await
            .map_err(failed("ask the command for the keys"))?;
        Ok(described.current)
    }

    async fn versions(&self) -> Result<Vec<KeyVersion>, VaultError> {
        let described: Described = self
            .ask(&Request::Describe)
            .await
            .map_err(failed("ask the command for the keys"))?;
        let version = |version| KeyVersion {
            version,
            created_at: None,
        };
        Ok(described.versions.into_iter().map(version).collect())
    }

    async fn wrap(&self, record: &str, data_key: &DataKey) -> Result<Wrapped, VaultError> {
        let operation = "wrap a data key with the command";
        let key = Zeroizing::new(BASE64.encode(&data_key[..]));
        let request = Request::Wrap {
            context: record,
            key: &key,
        };
        let answer: WrappedAnswer = self.ask(&request).await.map_err(failed(operation))?;
        let bytes = BASE64
            .decode(&answer.wrapped)
            .map_err(|_| failed(operation)(self.unreadable()))?;
        if bytes.is_empty() || bytes.as_slice() == &data_key[..] {
            // A command that only echoes would store every secret in the clear.
            return Err(failed(operation)(self.unreadable()));
        }
        Ok(Wrapped {
            version: answer.version,
            bytes,
        })
    }

    async fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError> {
        let operation = "unwrap a data key with the command";
        let wrapped = BASE64.encode(wrapped);
        let request = Request::Unwrap {
            version,
            context: record,
            wrapped: &wrapped,
        };
        let answer: UnwrappedAnswer = match self.ask(&request).await {
            Ok(answer) => answer,
            Err(CommandError::Refused { .. }) => {
                return Err(VaultError::Refused {
                    record: record.to_owned(),
                });
            }
            Err(error) => return Err(failed(operation)(error)),
        };
        let key = Zeroizing::new(answer.key);
        let key = BASE64
            .decode(key.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| failed(operation)(self.unreadable()))?;
        envelope::data_key(record, &key)
    }

    async fn add(&self) -> Result<Option<u32>, VaultError> {
        let added: Added = self
            .ask(&Request::Add)
            .await
            .map_err(failed("add a key with the command"))?;
        Ok(added.version)
    }

    fn how_to_add(&self) -> String {
        format!(
            "make a new key version where {} keeps them, and repeat this",
            self.program
        )
    }
}
