//! The issuer through its port, verified by two libraries that are not ours.

mod assertions;
mod common;
mod rotation;
mod uploaded;
