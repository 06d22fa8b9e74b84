//! The command line as people and programs use it: the real binary, a real
//! server, a simulated account. Every command in both forms, every exit code,
//! every help text.

#[path = "../harness/mod.rs"]
mod harness;

mod help;
mod journey;
mod keeping;
mod local;
mod run;
