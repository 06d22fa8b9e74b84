"""azure-mgmt-resource, -authorization, -compute and -managementgroups on the
sandbox.

usage: azure_resources.py READY.json
"""

import json
import os
import sys
import time
import urllib.request
import uuid

ready = json.load(open(sys.argv[1]))["azure"]
os.environ["REQUESTS_CA_BUNDLE"] = ready["ca_certificate"]

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.managementgroups import ManagementGroupsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
import requests

customer, other = [t for t in ready["tenants"] if t["role"] == "customer"][:2]
sub = customer["subscription_id"]
scope = f"/subscriptions/{sub}"
options = {
    "base_url": ready["resource_manager"],
    "credential_scopes": ["https://management.azure.com/.default"],
    "retry_total": 0,
}


def credential(client=customer["client_id"], secret=customer["client_secret"],
               tenant=customer["id"]):
    return ClientSecretCredential(tenant, client, secret, authority=ready["authority"],
                                  disable_instance_discovery=True)


class Clients:
    def __init__(self, credential):
        self.resources = ResourceManagementClient(credential, sub, **options)
        self.roles = AuthorizationManagementClient(credential, sub, **options)
        self.subscriptions = SubscriptionClient(credential, **options)
        self.compute = ComputeManagementClient(credential, sub, **options)
        self.groups = ManagementGroupsMgmtClient(credential, **options)


def refused(code, call, *arguments, **named):
    try:
        result = call(*arguments, **named)
        if hasattr(result, "__next__"):
            list(result)
        elif hasattr(result, "result"):
            result.result()
    except HttpResponseError as error:
        assert error.error and error.error.code == code, (code, error)
    else:
        raise AssertionError(f"{code} was expected of {call}")


def admin(what, body):
    request = urllib.request.Request(f"{ready['admin_url']}/{what}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


owner = Clients(credential())
assert [t.tenant_id for t in owner.subscriptions.tenants.list()] == [customer["id"]]
assert [s.subscription_id for s in owner.subscriptions.subscriptions.list()] == [sub]
assert "westeurope" in [l.name for l in owner.subscriptions.subscriptions.list_locations(sub)]
refused("InvalidAuthenticationTokenTenant", owner.subscriptions.subscriptions.get,
        other["subscription_id"])
refused("SubscriptionNotFound", owner.subscriptions.subscriptions.get, str(uuid.uuid4()))

# Resource providers: nothing is made before they are registered.
owner.resources.resource_groups.create_or_update("lf", {"location": "West Europe"})
account = f"{scope}/resourceGroups/lf/providers/Microsoft.Storage/storageAccounts/lfstore"
storage = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
make = lambda who, id=account: who.resources.resources.begin_create_or_update_by_id(
    id, dict(storage), api_version="2023-05-01").result()
refused("MissingSubscriptionRegistration", make, owner)
admin("settings", {"provider_registration_seconds": 1})
state = owner.resources.providers.register("Microsoft.Storage").registration_state
assert state == "Registering", state
for _ in range(100):
    if owner.resources.providers.get("Microsoft.Storage").registration_state == "Registered":
        break
    time.sleep(0.1)
made = make(owner)
assert made.properties["provisioningState"] == "Succeeded"
admin("settings", {"provider_registration_seconds": 0})
owner.resources.providers.register("Microsoft.Compute")
usages = {u.name.value: u.limit for u in owner.compute.usage.list("westeurope")}
assert usages["cores"] == 20, usages

# A second principal: nothing is allowed until it is given.
http = requests.Session()
http.verify = ready["ca_certificate"]
http.headers["Authorization"] = "Bearer " + credential().get_token(
    "https://graph.microsoft.com/.default").token
post = lambda path, body: http.post(f"{ready['graph']}/v1.0/{path}", json=body).json()
app = post("applications", {"displayName": "provisioner"})
principal = post("servicePrincipals", {"appId": app["appId"]})["id"]
secret = post(f"applications/{app['id']}/addPassword", {})["secretText"]
provisioner = Clients(credential(app["appId"], secret))
assert list(provisioner.subscriptions.subscriptions.list()) == []
refused("AuthorizationFailed", provisioner.subscriptions.subscriptions.get, sub)

# The narrow role: may lock, may not unlock, may not delete what has state.
role = str(uuid.uuid4())
definition = {
    "role_name": "Landfall provisioner", "role_type": "CustomRole", "description": "two keys",
    "assignable_scopes": [scope],
    "permissions": [{
        "actions": ["*/read", "Microsoft.Resources/subscriptions/resourceGroups/*",
                    "Microsoft.Storage/*", "Microsoft.Authorization/locks/write",
                    "Microsoft.Authorization/roleAssignments/*"],
        "not_actions": ["Microsoft.Storage/storageAccounts/delete"],
    }],
}
owner.roles.role_definitions.create_or_update(scope, role, definition)
refused("RoleDefinitionWithSameNameExists", owner.roles.role_definitions.create_or_update,
        scope, str(uuid.uuid4()), definition)
reader = next(iter(owner.roles.role_definitions.list(scope, filter="roleName eq 'Reader'")))
acr = next(iter(owner.roles.role_definitions.list(scope, filter="roleName eq 'AcrPull'")))
written = "Microsoft.Authorization/roleAssignments"
condition = (
    f"((!(ActionMatches{{'{written}/write'}})) OR (@Request[{written}:RoleDefinitionId] "
    f"ForAnyOfAnyValues:GuidEquals {{{acr.name}}})) AND "
    f"((!(ActionMatches{{'{written}/delete'}})) OR (@Resource[{written}:RoleDefinitionId] "
    f"ForAnyOfAnyValues:GuidEquals {{{acr.name}}}))")
assign = lambda who, role_id, whom=principal, at=scope, name=None, **more: (
    who.roles.role_assignments.create(at, name or str(uuid.uuid4()), {
        "role_definition_id": role_id, "principal_id": whom,
        "principal_type": "ServicePrincipal", **more}))
role_id = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role}"
refused("InvalidCondition", assign, owner, role_id, condition="nonsense",
        condition_version="2.0")
refused("PrincipalNotFound", assign, owner, role_id, whom=str(uuid.uuid4()))
admin("settings", {"role_assignment_lag_seconds": 2})
given = assign(owner, role_id, condition=condition, condition_version="2.0",
               description="landfall nonce 1")
assert given.description == "landfall nonce 1"
refused("AuthorizationFailed", provisioner.subscriptions.subscriptions.get, sub)
for _ in range(100):
    if list(provisioner.subscriptions.subscriptions.list()):
        break
    time.sleep(0.1)
admin("settings", {"role_assignment_lag_seconds": 0})
refused("RoleAssignmentExists", assign, owner, role_id)
mine = list(provisioner.roles.permissions.list_for_resource_group("lf"))
assert [p.not_actions for p in mine] == [["Microsoft.Storage/storageAccounts/delete"]]

provisioner.resources.resource_groups.create_or_update("lf2", {"location": "westeurope"})
make(provisioner)
remove = lambda who, id=account: who.resources.resources.begin_delete_by_id(
    id, api_version="2023-05-01").result()
refused("AuthorizationFailed", remove, provisioner)
lock = f"{account}/providers/Microsoft.Authorization/locks/landfall"
locks = f"{ready['resource_manager']}{lock}?api-version=2020-05-01"
bearer = lambda who: {"Authorization": "Bearer " + who.get_token(
    "https://management.azure.com/.default").token}
provisioner_credential = credential(app["appId"], secret)
body = {"properties": {"level": "CanNotDelete"}}
assert http.put(locks, json=body, headers=bearer(provisioner_credential)).status_code == 201
assert http.delete(locks, headers=bearer(provisioner_credential)).status_code == 403
refused("ScopeLocked", remove, owner)
refused("ScopeLocked", lambda: owner.resources.resource_groups.begin_delete("lf").result())
# It may give the one role that the condition names, to nobody more.
assign(provisioner, acr.id, at=f"{scope}/resourceGroups/lf")
refused("AuthorizationFailed", assign, provisioner, reader.id)
owner_role = next(iter(owner.roles.role_definitions.list(scope, filter="roleName eq 'Owner'")))
refused("AuthorizationFailed", assign, provisioner, owner_role.id)
refused("AuthorizationFailed", provisioner.roles.role_assignments.delete, scope, given.name)
refused("AuthorizationFailed", provisioner.roles.role_definitions.create_or_update,
        scope, role, definition)
assert http.delete(locks, headers=bearer(credential())).status_code == 200
remove(owner)
owner.resources.resource_groups.begin_delete("lf").result()
refused("ResourceGroupNotFound", owner.resources.resource_groups.get, "lf")

# A management group's assignments reach the subscription below it.
group = f"landfall-{uuid.uuid4()}"
owner.groups.management_groups.begin_create_or_update(
    group, {"name": group, "properties": {"displayName": "Landfall"}}).result()
owner.groups.management_group_subscriptions.create(group, sub)
at = f"/providers/Microsoft.Management/managementGroups/{group}"
contributor = next(iter(owner.roles.role_definitions.list(
    scope, filter="roleName eq 'Contributor'")))
owner.roles.role_assignments.delete(scope, given.name)
refused("AuthorizationFailed", provisioner.subscriptions.subscriptions.get, sub)
assign(owner, contributor.id, at=at)
assert provisioner.subscriptions.subscriptions.get(sub).state == "Enabled"
# Contributor makes everything but gives nothing and locks nothing.
provisioner.resources.resource_groups.create_or_update("lf3", {"location": "westeurope"})
refused("AuthorizationFailed", assign, provisioner, reader.id)
assert http.put(f"{ready['resource_manager']}{scope}/providers/Microsoft.Authorization/locks/x"
                "?api-version=2020-05-01", json=body,
                headers=bearer(provisioner_credential)).status_code == 403

# Policies that deny, and a subscription that is switched off.
policy = f"{ready['resource_manager']}{scope}/providers/Microsoft.Authorization/"
rule = {"properties": {"policyRule": {
    "if": {"field": "location", "notIn": "[parameters('allowed')]"},
    "then": {"effect": "deny"}}, "parameters": {"allowed": {"type": "Array"}}}}
version = "?api-version=2023-04-01"
assert http.put(f"{policy}policyDefinitions/where{version}", json=rule,
                headers=bearer(credential())).status_code == 201
assert http.put(f"{policy}policyAssignments/where{version}", json={"properties": {
    "policyDefinitionId": f"{scope}/providers/Microsoft.Authorization/policyDefinitions/where",
    "parameters": {"allowed": {"value": ["westeurope"]}}}},
    headers=bearer(credential())).status_code == 201
refused("RequestDisallowedByPolicy", owner.resources.resource_groups.create_or_update,
        "lf4", {"location": "eastus"})
admin("subscriptions", {"id": sub, "enabled": False})
refused("ReadOnlyDisabledSubscription", owner.resources.resource_groups.create_or_update,
        "lf5", {"location": "westeurope"})
assert owner.subscriptions.subscriptions.get(sub).state == "Disabled"
print("ok")
