//! The rest of the store port, for stores that only the engine uses.

/// What [`engine_store`] names.
pub mod names {
    pub use super::unasked;
    pub use async_trait::async_trait;
    pub use landfall_model::{
        Timestamp,
        application::Application,
        audit::Entry,
        check::CheckRun,
        connection::Connection,
        digest::Digest,
        environment::Environment,
        id::*,
        member::Member,
        organization::Organization,
        plan::Plan,
        secret::Secret,
        session::Session,
        signing_key::SigningKey,
        store::{Idempotency, Store, StoreResult},
        token::Token,
        work::Job,
    };
}

/// Implements the port with the questions given; the others are never asked.
macro_rules! engine_store {
    ($name:ident { $($asked:tt)* }) => {
        #[async_trait]
        impl Store for $name {
            $($asked)*
            async fn describe(&self) -> StoreResult<String> { unasked() }
            async fn organizations(&self) -> StoreResult<Vec<Organization>> { unasked() }
            async fn organization(&self, _: &OrganizationId) -> StoreResult<Option<Organization>> { unasked() }
            async fn members(&self, _: &OrganizationId) -> StoreResult<Vec<Member>> { unasked() }
            async fn member(&self, _: &OrganizationId, _: &MemberId) -> StoreResult<Option<Member>> { unasked() }
            async fn tokens(&self, _: &OrganizationId) -> StoreResult<Vec<Token>> { unasked() }
            async fn token(&self, _: &OrganizationId, _: &TokenId) -> StoreResult<Option<Token>> { unasked() }
            async fn token_by_secret(&self, _: &Digest) -> StoreResult<Option<Token>> { unasked() }
            async fn session_by_secret(&self, _: &Digest) -> StoreResult<Option<Session>> { unasked() }
            async fn secrets(&self, _: &OrganizationId) -> StoreResult<Vec<Secret>> { unasked() }
            async fn secret(&self, _: &OrganizationId, _: &SecretId) -> StoreResult<Option<Secret>> { unasked() }
            async fn secrets_under(&self, _: u32, _: Option<&SecretId>, _: u32) -> StoreResult<Vec<Secret>> { unasked() }
            async fn secret_counts(&self) -> StoreResult<Vec<(u32, u64)>> { unasked() }
            async fn signing_keys(&self) -> StoreResult<Vec<SigningKey>> { unasked() }
            async fn connections(&self, _: &OrganizationId) -> StoreResult<Vec<Connection>> { unasked() }
            async fn connection(&self, _: &OrganizationId, _: &ConnectionId) -> StoreResult<Option<Connection>> { unasked() }
            async fn check_runs(&self, _: &OrganizationId, _: &ConnectionId, _: u32) -> StoreResult<Vec<CheckRun>> { unasked() }
            async fn applications(&self, _: &OrganizationId) -> StoreResult<Vec<Application>> { unasked() }
            async fn application(&self, _: &OrganizationId, _: &ApplicationId) -> StoreResult<Option<Application>> { unasked() }
            async fn environments(&self, _: &OrganizationId) -> StoreResult<Vec<Environment>> { unasked() }
            async fn environment(&self, _: &OrganizationId, _: &EnvironmentId) -> StoreResult<Option<Environment>> { unasked() }
            async fn plans(&self, _: &OrganizationId, _: &EnvironmentId, _: u32) -> StoreResult<Vec<Plan>> { unasked() }
            async fn audit(&self, _: &OrganizationId, _: u64, _: u32) -> StoreResult<Vec<Entry>> { unasked() }
            async fn audit_latest(&self, _: &OrganizationId, _: u32) -> StoreResult<Vec<Entry>> { unasked() }
            async fn idempotency(&self, _: &OrganizationId, _: &str, _: Timestamp) -> StoreResult<Option<Idempotency>> { unasked() }
            async fn scheduled(&self, _: &Job) -> StoreResult<Option<Timestamp>> { unasked() }
        }
    };
}

pub fn unasked<T>() -> landfall_model::store::StoreResult<T> {
    unreachable!("the engine does not ask this")
}
pub(crate) use engine_store;
