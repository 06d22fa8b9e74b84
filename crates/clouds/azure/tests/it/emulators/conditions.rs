//! Which assignments our two identities may make and remove, by another reader
//! of Azure's language of conditions.

use crate::support::{
    customer::guid,
    emulators::{Clients, Emulators, condition_of},
    scene::spec,
};
use landfall_model::{
    connection::{Connection, Guid},
    grant::Identity,
};
use serde_json::json;

/// arm-emulator decides of data actions only. So the assignments' conditions are
/// put on roles that allow as data actions what ours allow as actions.
pub(super) async fn hold(emulators: &Emulators, connection: &Connection, clients: &Clients) {
    let spec = spec(connection);
    let secrets = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
    for role in &spec.azure().unwrap().roles {
        let ours = &clients[&role.identity];
        assert!(!emulators.allows(ours, secrets, json!({})).await, "{ours}");
        let condition = condition_of(role, clients);
        let first = condition
            .split('\'')
            .find(|part| part.parse::<Guid>().is_ok());
        let (listed, owner) = (first.unwrap(), "8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
        let (verb, of) = match role.identity {
            Identity::Provisioner => ("write", "Request"),
            Identity::Reaper => ("delete", "Resource"),
        };
        let action = format!("Microsoft.Authorization/roleAssignments/{verb}");
        let definition = json!({
            "roleName": format!("{} and its condition", role.name),
            "permissions": [{"actions": [], "dataActions": [action, secrets]}],
        });
        let somebody = guid();
        emulators
            .role(definition, &somebody, "with the condition", &condition)
            .await;
        let may = async |id: &str, kind: &str, to: &str| {
            let name = |name: &str| format!("{of}[Microsoft.Authorization/roleAssignments:{name}]");
            let attributes = json!({
                name("RoleDefinitionId"): id, name("PrincipalType"): kind, name("PrincipalId"): to,
            });
            emulators.allows(&somebody, &action, attributes).await
        };
        assert!(emulators.allows(&somebody, secrets, json!({})).await);
        assert!(
            may(listed, "ServicePrincipal", &guid()).await,
            "{condition}"
        );
        assert!(!may(owner, "ServicePrincipal", &guid()).await);
        if role.identity == Identity::Provisioner {
            assert!(!may(listed, "User", &guid()).await);
            for ours in clients.values() {
                assert!(!may(listed, "ServicePrincipal", ours).await, "{ours}");
            }
        }
    }
}
