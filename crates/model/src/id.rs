//! Typed identifiers: a prefix that says the noun, and a UUID v7 that sorts by
//! creation time.

use crate::{Clock, Entropy, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error)]
#[error(
    "'{text}' is not a valid {noun} id; one looks like {prefix}_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"
)]
pub struct InvalidId {
    pub text: String,
    pub noun: &'static str,
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal, $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub fn generate(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self::at(clock.now(), entropy)
            }

            pub fn at(now: Timestamp, entropy: &dyn Entropy) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &entropy.array()).into_uuid();
                Self(format!("{}_{}", $prefix, id.simple()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid = text
                    .strip_prefix(concat!($prefix, "_"))
                    .is_some_and(|rest| {
                        rest.len() == 32
                            && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                    });
                if valid {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId {
                        text: text.chars().take(80).collect(),
                        noun: $noun,
                        prefix: $prefix,
                    })
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    OrganizationId, "org", "organization";
    MemberId, "mem", "member";
    TokenId, "tok", "token";
    SessionId, "ses", "session";
    ConnectionId, "con", "connection";
    CheckRunId, "chk", "check run";
    ApplicationId, "app", "application";
    EnvironmentId, "env", "environment";
    PlanId, "pln", "plan";
    RolloutId, "rol", "rollout";
    RetainedId, "ret", "retained resource";
    DestructionId, "des", "destruction";
    WorkId, "wrk", "work item";
    SecretId, "sec", "secret";
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn ids_sort_by_time_and_parse_back() {
        let early = PlanId::at(Timestamp::from_millis(1_000), &Zero);
        let late = PlanId::at(Timestamp::from_millis(2_000), &Zero);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<PlanId>().unwrap(), early);
    }

    #[test]
    fn another_nouns_id_is_refused() {
        let plan = PlanId::at(Timestamp::from_millis(1), &Zero);
        assert!(plan.as_str().parse::<RolloutId>().is_err());
        assert!("pln_xyz".parse::<PlanId>().is_err());
        assert!("".parse::<PlanId>().is_err());
    }
}
