//! The setup as a script for Cloud Shell: POSIX sh with gcloud. Values are set
//! once at its top, quoted; everything below only names them.

mod above;
mod key;
mod parts;

pub(super) use key::{Key, for_a_key};

use super::Context;
use landfall_model::{
    grant::{GcpAccount, GcpBinding, GcpRole, GcpTrust},
    quote::shell,
};
use parts::{
    ACCOUNT, BIND, BIND_IF, HEAD, POOL, ROLE, SHARING_OURS, SHARING_OWN, TRUST, TRUST_ACCOUNT,
    helpers,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};

pub(super) fn for_a_pool(context: &Context<'_>) -> String {
    let GcpTrust::Federation {
        pool_id,
        provider_id,
        issuer_url,
        subject,
        condition,
        role,
    } = &context.grant.trust
    else {
        return String::new();
    };
    let mut text = HEAD.to_owned();
    variables(
        &mut text,
        &[
            ("project", context.grant.project_id.as_str()),
            ("pool", pool_id),
            ("provider", provider_id),
            ("issuer", issuer_url),
            ("subject", subject),
            ("condition", condition),
            ("trust_role", role),
        ],
    );
    above::variables(&mut text, context.grant.parent.as_ref());
    helpers(&mut text, SHARING_OWN, context.grant.parent.as_ref());
    line(&mut text, "number=$said");
    above::below(&mut text, context.grant.parent.as_ref());
    enable(&mut text, &context.grant.bootstrap_apis);
    text.push_str(POOL);
    if let Some(keys) = context.uploads {
        // The continuation of the command above.
        text.push_str(" \\\n  --jwk-json-path=\"$work/keys.json\"\n");
        // Google cannot fetch them, so they are here; public keys, no secrets.
        let at = text.find("\nstate=").unwrap_or(text.len());
        text.insert_str(at, &format!("\n{}", heredoc("keys.json", keys)));
    } else {
        text.push('\n');
    }
    text.push_str("echo \"provider $provider\"\n");
    identities(&mut text, context);
    text.push_str(TRUST);
    for account in context.accounts() {
        line(&mut text, &format!("trust {}", shell(&account.email)));
    }
    text.push_str(
        r#"
echo
echo "Done. Enter this project number in Landfall: $number"
)
"#,
    );
    text
}

/// For an account of the operator's that is trusted.
pub(super) fn for_an_account(context: &Context<'_>) -> String {
    let GcpTrust::Account { email, role } = &context.grant.trust else {
        return String::new();
    };
    let mut text = HEAD.to_owned();
    variables(
        &mut text,
        &[
            ("project", context.grant.project_id.as_str()),
            ("trusted", email),
            ("trust_role", role),
        ],
    );
    above::variables(&mut text, context.grant.parent.as_ref());
    helpers(&mut text, SHARING_OURS, context.grant.parent.as_ref());
    above::below(&mut text, context.grant.parent.as_ref());
    enable(&mut text, &context.grant.bootstrap_apis);
    identities(&mut text, context);
    text.push_str(TRUST_ACCOUNT);
    for account in context.accounts() {
        line(&mut text, &format!("trust {}", shell(&account.email)));
    }
    text.push_str(
        r#"
echo
echo 'Done. Landfall sees it by itself; IAM takes about two minutes.'
)
"#,
    );
    text
}

/// Accounts, custom roles and bindings.
fn identities(text: &mut String, context: &Context<'_>) {
    let parent = context.grant.parent.as_ref();
    let conditional = |binding: &GcpBinding| binding.condition.is_some();
    for maker in [ACCOUNT, ROLE, BIND] {
        text.push_str(&above::at(parent, maker));
    }
    if context.grant.bindings.iter().any(conditional) {
        text.push_str(&above::at(parent, BIND_IF));
    }
    text.push('\n');
    for account in context.accounts() {
        make_account(text, account);
    }
    text.push('\n');
    for role in &context.grant.roles {
        make_role(text, role);
    }
    text.push('\n');
    for binding in &context.grant.bindings {
        bind(text, context, binding);
    }
    if parent.is_some() {
        text.push_str(above::WRITTEN);
        for account in context.accounts() {
            let (email, does) = (shell(&account.email), shell(&account.description));
            line(text, &format!("written {email} \\\n  {does}"));
        }
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn variables(text: &mut String, all: &[(&str, &str)]) {
    for (name, value) in all {
        line(text, &format!("{name}={}", shell(value)));
    }
}

fn enable(text: &mut String, apis: &[String]) {
    let apis: Vec<String> = apis.iter().map(|api| shell(api)).collect();
    write!(
        text,
        "\nmust gcloud services enable --project=\"$project\" \\\n  {}\necho 'APIs enabled'\n",
        apis.join(" \\\n  ")
    )
    .expect("writing to a String");
}

/// A file with a JSON document, which gcloud reads as YAML. The quoted delimiter
/// keeps the shell away from it, and no line of pretty JSON can be the
/// delimiter: line breaks inside of texts are escaped.
fn heredoc(file: &str, document: &Value) -> String {
    format!(
        "cat > \"$work/{file}\" <<'LANDFALL'\n{:#}\nLANDFALL\n",
        sorted(document)
    )
}

/// With its keys in order: whether `serde_json` sorts by itself depends on
/// features that other crates switch on, and people compare these texts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().collect();
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}

fn make_account(text: &mut String, account: &GcpAccount) {
    line(
        text,
        &format!(
            "account {} {} \\\n  {} {}",
            shell(&account.id),
            shell(&account.email),
            shell(&account.display_name),
            shell(&account.description)
        ),
    );
}

fn make_role(text: &mut String, role: &GcpRole) {
    let file = format!("{}.json", role.identity.as_str());
    text.push_str(&heredoc(
        &file,
        &json!({
            "title": role.title,
            "description": role.description,
            "stage": "GA",
            "includedPermissions": role.permissions,
        }),
    ));
    line(
        text,
        &format!("custom_role {} \"$work/{file}\"", shell(&role.id)),
    );
}

fn bind(text: &mut String, context: &Context<'_>, binding: &GcpBinding) {
    let Some(account) = context.grant.account(binding.identity) else {
        return;
    };
    if binding.by_bootstrap {
        // Landfall binds it by itself: that is what the bootstrap is for.
        return;
    }
    let (email, role) = (shell(&account.email), shell(&binding.role));
    match &binding.condition {
        None => line(text, &format!("bind {email} {role}")),
        Some(condition) => {
            let file = format!("{}-condition.json", binding.identity.as_str());
            text.push_str(&heredoc(
                &file,
                &json!({
                    "title": condition.title,
                    "description": condition.description,
                    "expression": condition.expression,
                }),
            ));
            line(text, &format!("bind_if {email} {role} \"$work/{file}\""));
        }
    }
}
