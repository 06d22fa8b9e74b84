//! What the text of a refusal says beyond its code.

use landfall_model::driver::FailureKind;

/// The longest text that is kept: enough for a person, too little for a page.
const LONGEST: usize = 1000;

/// Words by which services say things that Cloud Control has no code for. The
/// first kind with a matching phrase counts, so the order is part of it.
const PHRASES: &[(FailureKind, &[&str])] = &[
    (
        // A role made seconds ago is not yet known to the service that is told
        // to use it (AWS docs: "Troubleshoot IAM: changes that I make are not
        // always immediately visible"). Whole phrases only: a role that will
        // never be assumable must not be waited for because of one word.
        FailureKind::NotSettled,
        &[
            "ecs was unable to assume the role",
            "unable to assume the service linked role",
            "cannot be assumed by lambda",
            "invalid principal in policy",
            "is invalid or cannot be assumed",
            "role validation failed",
            "iam role arn value is invalid or does not include the required permissions",
        ],
    ),
    (
        FailureKind::Denied,
        &[
            "is not authorized to perform",
            "you are not authorized to perform",
            "not authorized to perform this operation",
            "accessdenied",
            "access denied",
            "unauthorizedoperation",
        ],
    ),
    (
        FailureKind::Throttled,
        &[
            "rate exceeded",
            "throttlingexception",
            "requestlimitexceeded",
            "too many requests",
        ],
    ),
    (
        FailureKind::Protected,
        &[
            "deletion protection",
            "deletionprotection",
            "termination protection",
            "cannot delete protected",
            "deleteprotection",
        ],
    ),
    (
        FailureKind::InUse,
        &[
            "dependencyviolation",
            "has dependencies and cannot be deleted",
            "has a dependent object",
            "bucketnotempty",
            "is not empty",
            "repositorynotempty",
            "resourceinuse",
            "is currently in use",
            "in use by",
            "deleteconflict",
            "must detach",
            "must be removed before",
            "still contains",
            "contains images",
            "clustercontains",
        ],
    ),
    (
        FailureKind::AlreadyExists,
        &["already exists", "alreadyexists", "bucketalreadyownedbyyou"],
    ),
    (
        FailureKind::Quota,
        &[
            "limitexceeded",
            "limit exceeded",
            "quotaexceeded",
            "exceeded quota",
            "maximum number of",
        ],
    ),
];

pub(super) fn kind(text: &str) -> Option<FailureKind> {
    let text = text.to_lowercase();
    PHRASES
        .iter()
        .find(|(_, phrases)| phrases.iter().any(|phrase| text.contains(phrase)))
        .map(|(kind, _)| *kind)
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) action: Option<String>,
    pub(super) resource: Option<String>,
}

/// Reads "… is not authorized to perform: rds:CreateDBInstance on resource:
/// arn:… because …" (AWS docs: "Troubleshoot access denied error messages").
pub(super) fn denied(text: &str) -> Denied {
    let action = after(text, "authorized to perform: ")
        .filter(|word| word.contains(':') && !word.starts_with("arn:"));
    let resource = after(text, "on resource: ").filter(|word| !word.is_empty());
    Denied {
        action: action.map(str::to_owned),
        resource: resource.map(str::to_owned),
    }
}

fn after<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(phrase)?;
    rest.split_whitespace()
        .next()
        .map(|word| word.trim_matches(|c: char| matches!(c, '"' | '\'' | ',' | ';' | '.' | ')')))
}

/// Readable and bounded. An encoded authorization failure is ciphertext that
/// only `sts:DecodeAuthorizationMessage` can read: of no use to a person.
pub(super) fn clean(text: &str) -> String {
    let text = text
        .split_once("Encoded authorization failure message:")
        .map_or(text, |(readable, _)| readable);
    let mut cleaned = String::new();
    for word in text.split_whitespace() {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.extend(word.chars().filter(|c| !c.is_control()));
    }
    match cleaned.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &cleaned[..end]),
        None => cleaned,
    }
}
