pub mod demo;
pub mod doctor;
pub mod organizations;
pub mod sandbox;
pub mod server;
