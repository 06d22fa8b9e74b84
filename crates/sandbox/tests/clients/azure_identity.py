"""azure-identity and Microsoft Graph's own client on the sandbox.

usage: azure_identity.py READY.json
"""

import asyncio
import base64
import datetime
import json
import os
import ssl
import sys
import tempfile

ready = json.load(open(sys.argv[1]))["azure"]
os.environ["REQUESTS_CA_BUNDLE"] = ready["ca_certificate"]
os.environ["SSL_CERT_FILE"] = ready["ca_certificate"]

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from msgraph_core import GraphClientFactory
import httpx
import jwt

GRAPH = "https://graph.microsoft.com/.default"
customer = next(t for t in ready["tenants"] if t["role"] == "customer")
options = {"authority": ready["authority"], "disable_instance_discovery": True}


def credential(secret=customer["client_secret"], client=customer["client_id"],
               tenant=customer["id"]):
    return ClientSecretCredential(tenant, client, secret, **options)


def refused(code, **changes):
    try:
        credential(**changes).get_token(GRAPH)
    except ClientAuthenticationError as error:
        assert code in str(error), error
    else:
        raise AssertionError(f"{code} was expected")


# Tokens, checked by a library that knows nothing of the sandbox.
token = credential().get_token(GRAPH).token
keys = jwt.PyJWKClient(f"{ready['authority']}/{customer['id']}/discovery/v2.0/keys")
claims = jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"],
                    audience="https://graph.microsoft.com",
                    issuer=f"https://sts.windows.net/{customer['id']}/")
assert claims["tid"] == customer["id"] and claims["appid"] == customer["client_id"]
assert "Application.ReadWrite.All" in claims["roles"]

refused("AADSTS7000215:", secret="wrong")
refused("AADSTS700016:", client="11111111-1111-4111-8111-111111111111")
# The client finds no discovery document and says so in its own words.
refused("Unable to get authority configuration", tenant="11111111-1111-4111-8111-111111111111")

# Graph, through Microsoft's client: its pipeline, its address replaced.
loop = asyncio.new_event_loop()
http = GraphClientFactory.create_with_default_middleware(client=httpx.AsyncClient(
    verify=ssl.create_default_context(cafile=ready["ca_certificate"]),
    base_url=ready["graph"] + "/v1.0/"))


def graph(method, path, expected, body=None, token=token):
    answer = loop.run_until_complete(http.request(
        method, path, json=body, headers={"Authorization": f"Bearer {token}"}))
    assert answer.status_code == expected, (method, path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


assert graph("GET", "organization", 200)["value"][0]["id"] == customer["id"]
app = graph("POST", "applications", 201, {"displayName": "landfall test"})
found = graph("GET", f"applications?$filter=appId eq '{app['appId']}'", 200)["value"]
assert [one["id"] for one in found] == [app["id"]]
assert graph("GET", f"applications(appId='{app['appId']}')", 200)["id"] == app["id"]
principal = graph("POST", "servicePrincipals", 201, {"appId": app["appId"]})
graph("POST", "servicePrincipals", 409, {"appId": app["appId"]})

# A secret is shown once, works, and stops when it is removed.
until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=365))
secret = graph("POST", f"applications/{app['id']}/addPassword", 200, {"passwordCredential": {
    "displayName": "landfall", "endDateTime": until.isoformat()}})
seen = graph("GET", f"applications/{app['id']}", 200)["passwordCredentials"]
assert seen[0]["keyId"] == secret["keyId"] and seen[0]["secretText"] is None
mine = {"client": app["appId"], "secret": secret["secretText"]}
plain = credential(**mine).get_token(GRAPH).token
assert "roles" not in jwt.decode(plain, options={"verify_signature": False})
graph("GET", "applications", 403, token=plain)
graph("POST", "applications", 403, {"displayName": "x"}, token=plain)

# With OwnedBy alone it may rotate what it owns, and nothing else.
resource = graph("GET", "servicePrincipals(appId='00000003-0000-0000-c000-000000000000')", 200)
owned_by = next(r["id"] for r in resource["appRoles"]
                if r["value"] == "Application.ReadWrite.OwnedBy")
granted = graph("POST", f"servicePrincipals/{principal['id']}/appRoleAssignments", 201, {
    "principalId": principal["id"], "resourceId": resource["id"], "appRoleId": owned_by})
rotating = credential(**mine).get_token(GRAPH).token
add = f"applications/{app['id']}/addPassword"
graph("POST", add, 403, {"passwordCredential": {}}, token=rotating)
graph("POST", f"applications/{app['id']}/owners/$ref", 204, {
    "@odata.id": f"{ready['graph']}/v1.0/directoryObjects/{principal['id']}"})
second = graph("POST", add, 200, {"passwordCredential": {}}, token=rotating)
credential(client=app["appId"], secret=second["secretText"]).get_token(GRAPH)
remove = f"applications/{app['id']}/removePassword"
graph("POST", remove, 204, {"keyId": secret["keyId"]}, token=rotating)
graph("POST", remove, 400, {"keyId": secret["keyId"]}, token=rotating)
refused("AADSTS7000215:", **mine)
graph("DELETE", f"servicePrincipals/{principal['id']}/appRoleAssignments/{granted['id']}", 204)

# Twenty federated credentials at most; a wrong subject is taken silently.
federated = f"applications/{app['id']}/federatedIdentityCredentials"
for number in range(20):
    graph("POST", federated, 201, {
        "name": f"f{number}", "issuer": "https://issuer.example", "subject": f"s{number}",
        "audiences": ["api://AzureADTokenExchange"]})
graph("POST", federated, 400, {
    "name": "f20", "issuer": "https://issuer.example", "subject": "s20",
    "audiences": ["api://AzureADTokenExchange"]})
graph("DELETE", f"{federated}/f0", 204)
assert len(graph("GET", federated, 200)["value"]) == 19

# A certificate of the application signs the assertion.
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "landfall")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256()))
der = certificate.public_bytes(serialization.Encoding.DER)
pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
with tempfile.NamedTemporaryFile(suffix=".pem") as file:
    file.write(pem)
    file.flush()
    by_certificate = lambda: CertificateCredential(
        customer["id"], app["appId"], file.name, **options).get_token(GRAPH)
    try:
        by_certificate()
    except ClientAuthenticationError as error:
        assert "AADSTS700027:" in str(error), error
    else:
        raise AssertionError("an unknown certificate was accepted")
    graph("PATCH", f"applications/{app['id']}", 204, {"keyCredentials": [{
        "type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(der).decode()}]})
    by_certificate()

# Deleted, it is kept for 30 days; its principal is not.
graph("DELETE", f"applications/{app['id']}", 204)
graph("GET", f"applications/{app['id']}", 404)
graph("GET", f"servicePrincipals/{principal['id']}", 404)
assert graph("GET", f"directory/deletedItems/{app['id']}", 200)["appId"] == app["appId"]
graph("POST", f"directory/deletedItems/{app['id']}/restore", 200)
graph("GET", f"applications/{app['id']}", 200)

# A token of one tenant is nothing in another.
other = [t for t in ready["tenants"] if t["role"] == "customer"][1]
refused("AADSTS700016:", tenant=other["id"])
print("ok")
