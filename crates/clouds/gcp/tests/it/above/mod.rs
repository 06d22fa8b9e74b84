//! Connecting at a folder and at an organization: the script of the guide is
//! run, and what it made is verified.

mod bounds;
mod script;
