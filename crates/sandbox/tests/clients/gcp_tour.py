#!/usr/bin/env python3
"""Unmodified Google clients tour the sandbox, and discovery documents judge
its paths.

usage: gcp_tour.py READY.json   (what `landfall sandbox` printed)

Exits 0 when every step answered as Google would, prints the first that did not.
"""

import base64
import json
import pathlib
import re
import sys
import tempfile
import time
import urllib.request

import google.auth.transport.requests
import googleapiclient.discovery
from google.api_core.exceptions import Forbidden, PermissionDenied
from google.auth import crypt, exceptions, identity_pool, jwt
from google.cloud import resourcemanager_v3, service_usage_v1
from google.oauth2 import credentials as oauth2_credentials
from google.oauth2 import service_account
from googleapiclient.errors import HttpError

READY = json.load(open(sys.argv[1]))["gcp"]
OPERATOR = next(p for p in READY["projects"] if p["role"] == "operator")
CUSTOMER, OTHER = [p for p in READY["projects"] if p["role"] == "customer"][:2]
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ISSUER = "https://landfall.example"
# No discovery document of these ships with the client: token endpoint, quotas.
UNDOCUMENTED = {"oauth2", "cloudquotas"}


def endpoint(service):
    return READY["endpoint_template"].replace("{service}", service)


def admin(what, body):
    request = urllib.request.Request(
        READY["admin_url"].removesuffix("gcp") + what, json.dumps(body).encode(),
        {"content-type": "application/json"})
    urllib.request.urlopen(request).read()


def person(project):
    return oauth2_credentials.Credentials(project["access_token"])


def api(name, version, credentials):
    return googleapiclient.discovery.build(
        name, version, credentials=credentials, static_discovery=True,
        client_options={"api_endpoint": endpoint(name)})


def cloud(kind, name, credentials):
    return kind(credentials=credentials, transport="rest",
                client_options={"api_endpoint": endpoint(name)})


def denied(reason, call):
    """The call must be refused, with this reason."""
    try:
        call()
    except HttpError as error:
        details = json.loads(error.content)["error"].get("details", [])
        assert reason in [d.get("reason") for d in details], error.content
    except (Forbidden, PermissionDenied) as error:
        assert error.reason == reason, error
    else:
        raise AssertionError(f"not refused with {reason}")


def documented():
    """Every method that the sandbox serves is one of Google's: id and path."""
    folder = pathlib.Path(googleapiclient.discovery.__file__).parent / "discovery_cache/documents"
    known = {}

    def walk(resource):
        for method in resource.get("methods", {}).values():
            path = re.split(r"\{[^}]*\}", method.get("flatPath", method["path"]))
            pattern = re.compile("[^/:]+".join(map(re.escape, path)))
            known.setdefault((method["httpMethod"], method["id"]), []).append(pattern)
        for inner in resource.get("resources", {}).values():
            walk(inner)

    with urllib.request.urlopen(f"{READY['admin_url']}/routes") as answer:
        routes = [r for r in json.load(answer)["routes"] if r["service"] not in UNDOCUMENTED]
    assert len(routes) > 60, len(routes)
    for service in {route["service"] for route in routes}:
        files = list(folder.glob(f"{service}.v*.json"))
        assert files, f"no discovery document of {service}"
        for file in files:
            walk(json.loads(file.read_text()))
    for route in routes:
        path = re.sub(r"\{[^}]*\}", "x", route["path"])
        patterns = known.get((route["method"], route["id"]), [])
        assert any(p.fullmatch(path) for p in patterns), f"{route} is not Google's: {patterns}"


def hierarchy():
    projects = cloud(resourcemanager_v3.ProjectsClient, "cloudresourcemanager", person(CUSTOMER))
    name = f"projects/{CUSTOMER['id']}"
    project = projects.get_project(name=name)
    assert project.name == f"projects/{CUSTOMER['number']}"
    assert project.parent == CUSTOMER["folder"]
    assert [p.project_id for p in projects.search_projects()] == [CUSTOMER["id"]]
    denied("IAM_PERMISSION_DENIED",
           lambda: projects.get_project(name=f"projects/{OTHER['id']}"))
    policy = projects.get_iam_policy(resource=name)
    policy.bindings.add(role="roles/browser", members=["user:admin@operator.example"])
    projects.set_iam_policy({"resource": name, "policy": policy})
    allowed = cloud(resourcemanager_v3.ProjectsClient, "cloudresourcemanager", person(OPERATOR))
    assert allowed.get_project(name=name).project_id == CUSTOMER["id"]
    tested = allowed.test_iam_permissions(
        resource=name,
        permissions=["resourcemanager.projects.get", "resourcemanager.projects.setIamPolicy"])
    assert list(tested.permissions) == ["resourcemanager.projects.get"]
    organizations = cloud(
        resourcemanager_v3.OrganizationsClient, "cloudresourcemanager", person(CUSTOMER))
    assert [o.name for o in organizations.search_organizations()] == [CUSTOMER["organization"]]
    folders = cloud(resourcemanager_v3.FoldersClient, "cloudresourcemanager", person(CUSTOMER))
    assert folders.get_folder(name=CUSTOMER["folder"]).parent == CUSTOMER["organization"]


def services():
    usage = cloud(service_usage_v1.ServiceUsageClient, "serviceusage", person(CUSTOMER))
    parent = f"projects/{CUSTOMER['number']}"
    wanted = ["iam", "iamcredentials", "sts", "cloudresourcemanager", "cloudbilling"]
    request = {"parent": parent, "service_ids": [f"{name}.googleapis.com" for name in wanted]}
    operation = usage.batch_enable_services(request)
    admin("clock", {"advance_seconds": 60})
    assert operation.operation.name.startswith("operations/")
    enabled = {s.config.name for s in usage.list_services(
        {"parent": parent, "filter": "state:ENABLED"})}
    assert set(request["service_ids"]) <= enabled, enabled


def bindings(resource, *added):
    policy = resource.getIamPolicy(**added[0]).execute()
    policy.setdefault("bindings", []).extend(added[1:])
    resource.setIamPolicy(resource=added[0]["resource"], body={"policy": policy}).execute()


def token_times():
    """A client's time: the sandbox's clock was moved forward a minute."""
    now = int(time.time()) + 60
    return {"iat": now, "exp": now + 300}


def identity():
    """The two ways in without anything of ours: a key, and federation."""
    iam = api("iam", "v1", person(CUSTOMER))
    accounts = iam.projects().serviceAccounts()
    parent = f"projects/{CUSTOMER['id']}"
    made = accounts.create(name=parent, body={"accountId": "landfall-boot"}).execute()
    email, name = made["email"], made["name"]
    created = accounts.keys().create(name=name, body={}).execute()
    info = json.loads(base64.b64decode(created["privateKeyData"]))
    # The file names Google's endpoint; only that is changed.
    assert info["token_uri"] == "https://oauth2.googleapis.com/token"
    info["token_uri"] = f"{endpoint('oauth2')}/token"
    signed_in = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    signed_in.refresh(google.auth.transport.requests.Request())
    assert signed_in.valid
    projects = cloud(resourcemanager_v3.ProjectsClient, "cloudresourcemanager", signed_in)
    denied("IAM_PERMISSION_DENIED", lambda: projects.get_project(name=parent))
    manager = api("cloudresourcemanager", "v3", person(CUSTOMER)).projects()
    bindings(manager, {"resource": parent},
             {"role": "roles/browser", "members": [f"serviceAccount:{email}"]})
    assert projects.get_project(name=parent).project_id == CUSTOMER["id"]

    # The issuer's key is that of the file: any RSA key will do.
    signer = crypt.RSASigner.from_service_account_info(info)
    raw = accounts.keys().get(
        name=created["name"], publicKeyType="TYPE_RAW_PUBLIC_KEY").execute()["publicKeyData"]
    jwks = {"keys": [jwk(base64.b64decode(raw), info["private_key_id"])]}
    pools = iam.projects().locations().workloadIdentityPools()
    location = f"{parent}/locations/global"
    operation = pools.create(
        parent=location, workloadIdentityPoolId="landfall", body={}).execute()
    assert not operation.get("done")
    admin("clock", {"advance_seconds": 5})
    done = pools.operations().get(name=operation["name"]).execute()
    pool = done["response"]["name"]
    subject = "landfall:org_1:con_1"
    pools.providers().create(parent=pool, workloadIdentityPoolProviderId="landfall", body={
        "attributeMapping": {"google.subject": "assertion.sub"},
        "attributeCondition": f"google.subject == '{subject}'",
        "oidc": {"issuerUri": ISSUER, "jwksJson": json.dumps(jwks)},
    }).execute()
    audience = f"//iam.googleapis.com/{pool}/providers/landfall"
    bindings(accounts, {"resource": name}, {
        "role": "roles/iam.workloadIdentityUser",
        "members": [f"principal://iam.googleapis.com/{pool}/subject/{subject}"],
    })

    def federated(claimed):
        claims = {"iss": ISSUER, "sub": claimed, "aud": f"https:{audience}", **token_times()}
        token = tempfile.NamedTemporaryFile("wb", suffix=".jwt", delete=False)
        token.write(jwt.encode(signer, claims))
        token.close()
        return identity_pool.Credentials.from_info({
            "type": "external_account",
            "audience": audience,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{endpoint('sts')}/v1/token",
            "service_account_impersonation_url":
                f"{endpoint('iamcredentials')}/v1/projects/-/serviceAccounts/{email}"
                ":generateAccessToken",
            "credential_source": {"file": token.name},
        }, scopes=[SCOPE])

    credentials = federated(subject)
    credentials.refresh(google.auth.transport.requests.Request())
    projects = cloud(resourcemanager_v3.ProjectsClient, "cloudresourcemanager", credentials)
    assert projects.get_project(name=parent).project_id == CUSTOMER["id"]
    try:
        federated("landfall:org_1:con_2").refresh(google.auth.transport.requests.Request())
    except exceptions.OAuthError as error:
        assert "attribute condition" in str(error), error
    else:
        raise AssertionError("another connection's subject was let in")
    billing = api("cloudbilling", "v1", credentials).projects()
    assert billing.getBillingInfo(name=parent).execute()["billingEnabled"] is True
    policies = api("orgpolicy", "v2", credentials).projects().policies()
    denied("SERVICE_DISABLED", lambda: policies.list(parent=parent).execute())


def jwk(pem, kid):
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    numbers = load_pem_public_key(pem).public_numbers()

    def text(number):
        length = (number.bit_length() + 7) // 8
        return base64.urlsafe_b64encode(number.to_bytes(length, "big")).rstrip(b"=").decode()

    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid,
            "n": text(numbers.n), "e": text(numbers.e)}


for step in (documented, hierarchy, services, identity):
    step()
    print(f"{step.__name__}: as Google would")
