pub mod demo;
pub mod doctor;
pub mod sandbox;
pub mod server;
