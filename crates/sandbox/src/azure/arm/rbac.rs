//! Who may do what: role assignments, inherited downwards, deny by default.

use super::super::answer::Failure;
use super::super::entra::Caller;
use super::super::server::Context;
use super::super::state::{Cloud, Permission, RoleAssignment};
use super::condition::{Expression, Facts};
use super::roles;

/// Whether an action matches a pattern in which `*` stands for anything.
pub(super) fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl Permission {
    pub(super) fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| matches(pattern, action))
            && !self
                .not_actions
                .iter()
                .any(|pattern| matches(pattern, action))
    }
}

/// The scope and everything above it, the root (empty) last.
pub(super) fn chain(cloud: &Cloud, scope: &str) -> Vec<String> {
    let mut all = Vec::new();
    let parts: Vec<&str> = scope.split('/').filter(|part| !part.is_empty()).collect();
    let mut group = None;
    if let ["subscriptions", subscription, ..] = parts.as_slice() {
        let mut length = parts.len();
        while length >= 2 {
            // `/providers/<namespace>` alone is no scope.
            if parts[length - 2] != "providers" {
                all.push(format!("/{}", parts[..length].join("/")));
            }
            length -= 2;
        }
        group = cloud
            .subscriptions
            .get(*subscription)
            .map(|subscription| (&subscription.tenant, subscription.management_group.clone()));
    } else if let [
        "providers",
        "microsoft.management",
        "managementgroups",
        name,
    ] = parts.as_slice()
    {
        group = cloud
            .tenants
            .values()
            .find(|tenant| tenant.management_groups.contains_key(*name))
            .map(|tenant| (&tenant.id, (*name).to_owned()));
    }
    while let Some((tenant, name)) = group {
        all.push(group_scope(&name));
        // A cycle cannot be made, but must not hang either.
        if all.len() > 32 {
            break;
        }
        group = cloud
            .tenants
            .get(tenant)
            .and_then(|tenant| tenant.management_groups.get(&name))
            .and_then(|group| group.parent.clone())
            .map(|parent| (tenant, parent));
    }
    all.push(String::new());
    all
}

pub(super) fn group_scope(name: &str) -> String {
    format!("/providers/microsoft.management/managementgroups/{name}").to_lowercase()
}

/// The tenant that a scope belongs to; the root belongs to everybody's own.
pub(super) fn tenant_of<'c>(cloud: &'c Cloud, scope: &str) -> Option<&'c str> {
    let parts: Vec<&str> = scope.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["subscriptions", id, ..] => cloud
            .subscriptions
            .get(*id)
            .map(|subscription| subscription.tenant.as_str()),
        [
            "providers",
            "microsoft.management",
            "managementgroups",
            name,
            ..,
        ] => cloud
            .tenants
            .values()
            .find(|tenant| tenant.management_groups.contains_key(*name))
            .map(|tenant| tenant.id.as_str()),
        _ => None,
    }
}

/// The assignments of a caller that count at a scope now.
pub(super) fn effective<'c>(
    cloud: &'c Cloud,
    context: &Context,
    caller: &Caller,
    scope: &str,
) -> Vec<&'c RoleAssignment> {
    let chain = chain(cloud, scope);
    cloud
        .assignments
        .values()
        .filter(|assignment| {
            assignment.tenant == caller.tenant
                && assignment.principal_id == caller.object_id
                && assignment.effective_at <= context.moment.now
                && chain.contains(&assignment.scope)
        })
        .collect()
}

pub(super) fn denied(caller: &Caller, action: &str, scope: &str) -> Failure {
    let scope = if scope.is_empty() { "/" } else { scope };
    Failure::new(
        403,
        "AuthorizationFailed",
        format!(
            "The client '{id}' with object id '{id}' does not have authorization to perform \
             action '{action}' over scope '{scope}' or the scope is invalid. If access was \
             recently granted, please refresh your credentials.",
            id = caller.object_id
        ),
    )
}

/// Whether the caller may do this; conditions see `facts`.
pub(super) fn authorize_with(
    cloud: &Cloud,
    context: &Context,
    caller: &Caller,
    scope: &str,
    facts: &Facts,
) -> Result<(), Failure> {
    if let Some(tenant) = tenant_of(cloud, scope)
        && tenant != caller.tenant
    {
        return Err(Failure::new(
            401,
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer \
                 'https://sts.windows.net/{}/'. It must match the tenant \
                 'https://sts.windows.net/{tenant}/' associated with this subscription. Please \
                 use the authority (URL) 'https://login.windows.net/{tenant}' to get the token.",
                caller.tenant
            ),
        ));
    }
    let allowed = effective(cloud, context, caller, scope)
        .into_iter()
        .any(|assignment| {
            let condition = assignment.condition.as_deref().map(Expression::parse);
            // A condition that cannot be read lets nothing through.
            let holds = match condition {
                None => true,
                Some(Ok(expression)) => expression.holds(facts),
                Some(Err(_)) => false,
            };
            holds
                && roles::definition(cloud, &assignment.definition).is_some_and(|definition| {
                    definition
                        .permissions
                        .iter()
                        .any(|one| one.allows(&facts.action))
                })
        });
    if allowed {
        Ok(())
    } else {
        Err(denied(caller, &facts.action, scope))
    }
}

pub(super) fn authorize(
    cloud: &Cloud,
    context: &Context,
    caller: &Caller,
    action: &str,
    scope: &str,
) -> Result<(), Failure> {
    let facts = Facts {
        action: action.to_owned(),
        ..Facts::default()
    };
    authorize_with(cloud, context, caller, scope, &facts)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_actions_in_any_case() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.Storage/storageAccounts/write", true),
            ("*/read", "Microsoft.Storage/storageAccounts/read", true),
            ("*/read", "Microsoft.Storage/storageAccounts/write", false),
            (
                "Microsoft.Authorization/*/Delete",
                "microsoft.authorization/locks/delete",
                true,
            ),
            (
                "Microsoft.Authorization/*/Delete",
                "microsoft.authorization/delete",
                false,
            ),
            ("Microsoft.Storage/x", "Microsoft.Storage/xy", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        }
    }
}
