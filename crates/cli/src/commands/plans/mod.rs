pub mod approve;
pub mod create;
