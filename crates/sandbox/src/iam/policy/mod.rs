//! The policy language: documents, how they match, what they decide. Pure.

mod condition;
mod document;
mod evaluate;
mod layers;
mod pattern;

pub use condition::{Condition, Operator};
pub use document::{Effect, Form, Policy, PolicyError, Principals, Set, Statement};
pub use evaluate::{Named, Request, Verdict, evaluate};
pub use layers::{Decision, Layer, Layers};
pub use pattern::{arn_like, wildcard};

#[cfg(test)]
mod tests;
