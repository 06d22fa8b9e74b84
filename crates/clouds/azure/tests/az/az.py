"""Stands in for the Azure CLI: the commands of the generated script, and no
others, as the calls to Resource Manager and Graph that the real one makes.

What it does not know it refuses, so that a change of the script shows. The
real `az` takes the same test where it is installed.
"""

import json
import os
import pathlib
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

ORIGIN = os.environ["STANDIN_ORIGIN"]
TLS = ssl.create_default_context(cafile=os.environ["STANDIN_CA"])
AUTHORIZATION = "2022-04-01"
PROVIDERS = "2021-04-01"
SUBSCRIPTIONS = "2022-12-01"


class Refused(Exception):
    """What a service answered, as az writes it."""


def http(method, path, body=None, token=None, form=None):
    data, headers = None, {}
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    elif body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(ORIGIN + path, data, headers, method=method)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=TLS))
    try:
        with opener.open(request) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        text = error.read()
        known = json.loads(text or b"{}").get("error", {})
        if isinstance(known, dict):
            raise Refused(f"({known.get('code')}) {known.get('message')}") from None
        raise Refused(text.decode()) from None
    return json.loads(text) if text else None


def token():
    """Kept between calls, as the real one keeps it in its folder."""
    folder = pathlib.Path(os.environ["AZURE_CONFIG_DIR"])
    kept = folder / "token"
    if kept.exists():
        return kept.read_text()
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["STANDIN_CLIENT"],
        "client_secret": os.environ["STANDIN_SECRET"],
        "scope": f"{ORIGIN}/.default",
    }
    tenant = os.environ["STANDIN_TENANT"]
    made = http("POST", f"/{tenant}/oauth2/v2.0/token", form=form)["access_token"]
    folder.mkdir(exist_ok=True)
    kept.write_text(made)
    return made


def call(method, path, body=None, **query):
    if query:
        path += "?" + urllib.parse.urlencode(
            {name.replace("_", "-").replace("filter", "$filter"): value
             for name, value in query.items()})
    return http(method, path, body, token())


def subscription():
    # `az account set` would write it into the profile.
    return os.environ["STANDIN_SUBSCRIPTION"]


def role_definitions(scope, name):
    found = call("GET", f"{scope}/providers/Microsoft.Authorization/roleDefinitions",
                 api_version=AUTHORIZATION, filter=f"roleName eq '{name}'")["value"]
    return [role for role in found if role["properties"]["roleName"] == name]


def put_role_definition(options, update):
    with open(options["role-definition"], encoding="utf-8") as file:
        said = json.load(file)
    scope = said["AssignableScopes"][0]
    name = str(uuid.uuid4())
    if update:
        name = role_definitions(scope, said["Name"])[0]["name"]
    call("PUT", f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{name}", {
        "properties": {
            "roleName": said["Name"],
            "description": said["Description"],
            "type": "CustomRole",
            "assignableScopes": said["AssignableScopes"],
            "permissions": [{
                "actions": said["Actions"],
                "notActions": said["NotActions"],
                "dataActions": said["DataActions"],
                "notDataActions": said["NotDataActions"],
            }],
        },
    }, api_version=AUTHORIZATION)


def assign(options):
    roles = role_definitions(options["scope"], options["role"])
    if not roles:
        raise Refused(f"Role '{options['role']}' doesn't exist.")
    path = f"{options['scope']}/providers/Microsoft.Authorization/roleAssignments/"
    return call("PUT", path + options["name"], {"properties": {
        "roleDefinitionId": roles[0]["id"],
        "principalId": options["assignee-object-id"],
        "principalType": options["assignee-principal-type"],
        "condition": options.get("condition"),
        "conditionVersion": options.get("condition-version"),
        "description": options["description"],
    }}, api_version=AUTHORIZATION)


def application(client):
    return f"/v1.0/applications(appId='{client}')"


def credential(options):
    said = options["parameters"]
    assert said.startswith("@"), said
    with open(said[1:], encoding="utf-8") as file:
        return json.load(file)


def federated(options, name=""):
    return application(options["id"]) + "/federatedIdentityCredentials" + name


def reset(options):
    # For `--append`; without it, az would remove the others first.
    made = call("POST", application(options["id"]) + "/addPassword", {
        "passwordCredential": {"displayName": options["display-name"]}})
    return {"password": made["secretText"]}


def own(options):
    return call("POST", application(options["id"]) + "/owners/$ref", {
        "@odata.id": f"{ORIGIN}/v1.0/directoryObjects/{options['owner-object-id']}"})


def rest(options):
    url = options["url"]
    # As az does: what has no host is Resource Manager's, and a token goes to
    # the cloud's own endpoints only.
    if "://" not in url:
        url = ORIGIN + url
    assert url.startswith(ORIGIN + "/"), url
    body = json.loads(options["body"]) if "body" in options else None
    return call(options["method"].upper(), url.removeprefix(ORIGIN), body)


def show_account(options):
    shown = call("GET", f"/subscriptions/{options['subscription']}", api_version=SUBSCRIPTIONS)
    return {"tenantId": shown["tenantId"]}


def nobody(_):
    raise Refused("/me request is only valid with delegated authentication flow.")


# The command, the options that it may have, and what it does.
COMMANDS = {
    "account show": ("subscription", show_account),
    "account set": ("subscription", lambda options: None),
    "provider register": ("namespace", lambda options: call(
        "POST", f"/subscriptions/{subscription()}/providers/{options['namespace']}/register",
        {}, api_version=PROVIDERS)),
    "role definition list": ("custom-role-only name scope", lambda options: [
        {"name": role["name"]} for role in role_definitions(options["scope"], options["name"])]),
    "role definition create": (
        "role-definition", lambda options: put_role_definition(options, False)),
    "role definition update": (
        "role-definition", lambda options: put_role_definition(options, True)),
    "role assignment create": (
        "name role scope assignee-object-id assignee-principal-type condition "
        "condition-version description", assign),
    "ad signed-in-user show": ("", nobody),
    "ad app list": ("filter", lambda options: call(
        "GET", "/v1.0/applications", filter=options["filter"])["value"]),
    "ad app create": ("display-name sign-in-audience", lambda options: call(
        "POST", "/v1.0/applications", {
            "displayName": options["display-name"],
            "signInAudience": options["sign-in-audience"]})),
    "ad app show": ("id", lambda options: call("GET", application(options["id"]))),
    "ad app owner list": ("id", lambda options: call(
        "GET", application(options["id"]) + "/owners")["value"]),
    "ad app owner add": ("id owner-object-id", own),
    "ad app credential reset": ("id append display-name years", reset),
    "ad app credential list": ("id", lambda options: call(
        "GET", application(options["id"]))["passwordCredentials"]),
    "ad app federated-credential list": ("id", lambda options: call(
        "GET", federated(options))["value"]),
    "ad app federated-credential create": ("id parameters", lambda options: call(
        "POST", federated(options), credential(options))),
    "ad app federated-credential update": (
        "id federated-credential-id parameters", lambda options: call(
            "PATCH", federated(options, "/" + options["federated-credential-id"]),
            credential(options))),
    "ad sp list": ("filter", lambda options: call(
        "GET", "/v1.0/servicePrincipals", filter=options["filter"])["value"]),
    "rest": ("method url body headers", rest),
    "ad sp create": ("id", lambda options: call(
        "POST", "/v1.0/servicePrincipals", {"appId": options["id"]})),
}


def queried(value, query):
    """The few forms of JMESPath that the script has."""
    if query is None:
        return value
    if re.fullmatch(r"\w+", query):
        return value[query]
    if found := re.fullmatch(r"\[0\]\.(\w+)", query):
        return value[0][found[1]] if value else None
    if found := re.fullmatch(r"\[\]\.(\w+)", query):
        return [item[found[1]] for item in value]
    if found := re.fullmatch(r"max\((.*)\)", query):
        return max(queried(value, found[1]))
    if found := re.fullmatch(r"value(\[.*)", query):
        return queried(value["value"], found[1])
    if found := re.fullmatch(r"length\((\w+)\)", query):
        return len(value[found[1]])
    if found := re.fullmatch(r"\[\?(.*)\]\.(\w+)", query):
        tests = [re.fullmatch(r"(\w+)(\[0\])?=='([^']*)'", test)
                 for test in found[1].split(" && ")]

        def holds(item):
            return all(
                (item[test[1]][0] if test[2] else item[test[1]]) == test[3] for test in tests)
        return [item[found[2]] for item in value if holds(item)]
    raise SystemExit(f"az stand-in: the query {query} is not known")


def main():
    words = sys.argv[1:]
    at = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    command, rest = " ".join(words[:at]), words[at:]
    if command not in COMMANDS:
        raise SystemExit(f"az stand-in: the command '{command}' is not known")
    allowed, act = COMMANDS[command]
    options = {}
    while rest:
        name = rest.pop(0).removeprefix("--")
        has_value = rest and not rest[0].startswith("--")
        options[name] = rest.pop(0) if has_value else True
    unknown = set(options) - set(allowed.split()) - {"query", "output", "only-show-errors"}
    if unknown:
        raise SystemExit(f"az stand-in: '{command}' has no {sorted(unknown)}")
    try:
        value = queried(act(options), options.get("query"))
    except Refused as refused:
        print(f"ERROR: {refused}", file=sys.stderr)
        return 1
    if options.get("output") == "tsv":
        for item in value if isinstance(value, list) else [value]:
            print("" if item is None else item)
    if options.get("output") == "json":
        print(json.dumps(value, indent=2))
    return 0


sys.exit(main())
