//! Envelope encryption of stored secrets.
//!
//! Each record has a data key of its own, which seals the secret with
//! AES-256-GCM and is itself wrapped by a version of the master key. Both
//! layers are bound to the record's name, so a ciphertext that was moved to
//! another row opens nowhere. What is not protected against: whoever can write
//! to the database can put back an older ciphertext of the same record.
//!
//! The master keys are behind a port ([`MasterKeys`]): a file that only its
//! owner may read, an environment variable, or a command that stands for a
//! cloud's key service. They are asked at each use: a key file that another
//! process rotated is seen at once and is in memory for one use; a variable's
//! keys, which are in the process's environment anyway, stay for its life; a
//! command's never come here.

mod aead;
mod check;
mod envelope;
pub mod keys;
mod rotate;

pub use check::{CheckError, check, holds_secrets};
pub use envelope::Envelope;
pub use keys::{
    MasterKeys,
    command::CommandKeys,
    env::EnvKeys,
    file::{FileKeys, Missing},
};
pub use rotate::{Progress, RotateError, Rotated, Shown, VersionUse, rotate, show};
