//! The policy language: documents, how they match, what they decide. Pure.

mod checks;
mod condition;
mod document;
mod evaluate;
mod layers;
mod pattern;

pub use document::{Effect, Form, Policy, PolicyError, Principals, Statement};
pub use evaluate::{Named, Request, Verdict};
pub use layers::{Decision, Layer, Layers};

#[cfg(test)]
mod tests;
