pub mod demo;
pub mod doctor;
pub mod issuer;
pub mod organizations;
pub mod sandbox;
pub mod server;
pub mod vault;
