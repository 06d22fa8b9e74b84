pub(crate) mod put;
pub(crate) mod remove;
