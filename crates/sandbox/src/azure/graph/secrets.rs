//! Client secrets: shown once, gone when they expire.

use super::super::answer::{Answer, Outcome};
use super::super::create::secret_text;
use super::super::state::{Cloud, Secret};
use super::{Ask, access, bad, not_found, render, tenant_mut};
use crate::clock::Instant;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Graph's default when no end is given.
const TWO_YEARS: Duration = Duration::from_secs(2 * 365 * 86_400);

pub(super) fn parse_time(text: &str) -> Option<Instant> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000)
        .ok()
        .map(Instant)
}

pub(super) fn add(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let body = ask.request.json()?;
    let wanted = &body["passwordCredential"];
    let now = ask.context.moment.wall;
    let time = |name: &str| match wanted[name].as_str() {
        None => Ok(None),
        Some(text) => parse_time(text)
            .map(Some)
            .ok_or_else(|| bad(format!("Invalid value specified for property '{name}'."))),
    };
    let start = time("startDateTime")?.unwrap_or(now);
    let end = time("endDateTime")?.unwrap_or_else(|| now.plus(TWO_YEARS));
    if end <= start {
        return Err(bad(
            "Key credential end date must be later than its start date.",
        ));
    }
    let id = access::writable(ask, tenant_mut(cloud, ask)?, key)?;
    let secret = Secret {
        key_id: cloud.uuid(),
        display_name: wanted["displayName"].as_str().map(str::to_owned),
        text: secret_text(cloud.rng()),
        start,
        end,
        effective_at: ask.context.moment.now.plus(cloud.lags.secret),
    };
    let answer = render::secret(&secret, true);
    let tenant = tenant_mut(cloud, ask)?;
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    application.secrets.push(secret);
    Ok(Answer::ok(answer))
}

pub(super) fn remove(cloud: &mut Cloud, ask: &Ask<'_>, key: &str) -> Outcome {
    let body = ask.request.json()?;
    let tenant = tenant_mut(cloud, ask)?;
    let id = access::writable(ask, tenant, key)?;
    let application = tenant
        .applications
        .get_mut(&id)
        .ok_or_else(|| not_found(key))?;
    let before = application.secrets.len();
    let key_id = body["keyId"].as_str().unwrap_or_default();
    application
        .secrets
        .retain(|secret| !secret.key_id.eq_ignore_ascii_case(key_id));
    if application.secrets.len() == before {
        return Err(bad(format!(
            "No password credential found with keyId '{key_id}'."
        )));
    }
    Ok(Answer::empty(204))
}
