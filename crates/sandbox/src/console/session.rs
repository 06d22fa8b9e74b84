//! Which account the browser is signed in to, and the token of its forms.

use crate::clock::Instant;
use crate::world::{AccountRole, REGIONS, World};
use axum::http::HeaderMap;
use axum::http::header;
use std::collections::BTreeMap;

const ACCOUNT: &str = "sandbox_account";
const TOKEN: &str = "sandbox_csrf";
/// Region of a link that names none, as AWS's console takes one.
const REGION: &str = "us-east-1";

/// What a request says about its browser.
pub(super) struct Session {
    pub account: String,
    pub region: String,
    /// Goes into every form and must come back with it.
    pub token: String,
}

/// A query or a form.
pub(super) type Fields = BTreeMap<String, String>;

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

impl Session {
    /// The account comes from the query, else from the cookie, else it is the
    /// first customer's.
    pub(super) fn read(world: &World, headers: &HeaderMap, fields: &Fields) -> Self {
        let chosen = fields
            .get("account")
            .map(String::as_str)
            .or_else(|| cookie(headers, ACCOUNT))
            .filter(|id| world.accounts.contains_key(*id));
        let first = world
            .accounts
            .values()
            .find(|account| account.role == AccountRole::Customer)
            .or_else(|| world.accounts.values().next())
            .map_or("", |account| account.id.as_str());
        let region = fields
            .get("region")
            .map(String::as_str)
            .filter(|wanted| REGIONS.iter().any(|(name, _)| name == wanted));
        let token = cookie(headers, TOKEN)
            .filter(|token| token.len() == 64 && token.chars().all(|c| c.is_ascii_hexdigit()))
            .map_or_else(fresh_token, str::to_owned);
        Self {
            account: chosen.unwrap_or(first).to_owned(),
            region: region.unwrap_or(REGION).to_owned(),
            token,
        }
    }

    /// Cookies that keep the session: lax would do for the account, the token
    /// must never travel with another site's request.
    pub(super) fn cookies(&self) -> [String; 2] {
        [
            format!("{ACCOUNT}={}; Path=/console; SameSite=Lax", self.account),
            format!(
                "{TOKEN}={}; Path=/console; HttpOnly; SameSite=Strict",
                self.token
            ),
        ]
    }
}

/// Whether a form comes from one of our own pages in this browser.
pub(super) fn is_ours(headers: &HeaderMap, fields: &Fields) -> bool {
    let elsewhere = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    let (Some(sent), Some(kept)) = (fields.get("csrf"), cookie(headers, TOKEN)) else {
        return false;
    };
    !elsewhere
        && kept.len() == 64
        && aws_lc_rs::constant_time::verify_slices_are_equal(sent.as_bytes(), kept.as_bytes())
            .is_ok()
}

/// Not drawn from the seed: a seed is no secret.
#[expect(
    clippy::disallowed_methods,
    reason = "a form's token must not be guessable, not even by who knows the seed"
)]
fn fresh_token() -> String {
    let mut bytes = [0u8; 32];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        // No token means no form is accepted, which is the safe way to fail.
        Err(_) => String::new(),
    }
}

/// `2026-11-21 08:00:00 UTC`
pub(super) fn time(at: Instant) -> String {
    at.iso8601().replace('T', " ").replace('Z', " UTC")
}
