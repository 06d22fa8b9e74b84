//! The contract of `model::store::Store`, on both engines.
//!
//! PostgreSQL is `LANDFALL_TEST_POSTGRES_URL`, or else a private cluster that
//! `scripts/postgres-for-tests` starts; without either, its half is skipped
//! and says so.

mod audit;
mod concurrency;
mod corruption;
mod fixture;
mod harness;
mod idempotency;
mod journal;
mod kill;
mod locks;
mod nouns;
mod schema;
mod secrets;
mod tokens;
mod unique;
mod work;
mod work_model;
