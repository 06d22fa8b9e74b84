#!/usr/bin/env python3
"""Unmodified boto3 assumes a role with a token that PyJWT signed.

usage: tour_web_identity.py READY.json   (what `landfall sandbox` printed)

The issuer is a web server of this script; the sandbox fetches its keys. Exits 0
when every step answered as AWS would, prints the first that did not.
"""

import http.server
import json
import threading
import time
import urllib.request

import boto3
import jwt
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from tour_identity import CUSTOMER, READY, allow, client, document, refused

ISSUER = "https://tokens.tour.example/landfall"
HOST = ISSUER.removeprefix("https://")
SUBJECT = "landfall:org_tour:con_tour"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_key():
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    return {**key, "kid": "tour", "use": "sig", "alg": "RS256"}


class Documents(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        documents = {
            "/.well-known/openid-configuration": {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/jwks.json",
            },
            "/jwks.json": {"keys": [public_key()]},
        }
        found = documents.get(self.path)
        body = json.dumps(found).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def map_issuer(served_at):
    body = json.dumps({"url": ISSUER, "served_at": served_at}).encode()
    request = urllib.request.Request(
        READY["endpoint_url"] + "/_sandbox/issuers",
        body,
        {"content-type": "application/json"},
    )
    urllib.request.urlopen(request).close()


def token(key=KEY, kid="tour", **changes):
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": "sts.amazonaws.com",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        **changes,
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def provider():
    """IAM's whole API for providers, and what it refuses."""
    iam = client("iam", CUSTOMER)
    arn = iam.create_open_id_connect_provider(
        Url=ISSUER,
        ClientIDList=["first"],
        ThumbprintList=["a" * 40],
        Tags=[{"Key": "landfall", "Value": "yes"}],
    )["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{CUSTOMER['id']}:oidc-provider/{HOST}", arn
    refused("EntityAlreadyExists", iam.create_open_id_connect_provider, ISSUER, Url=ISSUER)
    for wrong in ("http://tokens.tour.example", ISSUER + "?x=y", "https://a.example:8443"):
        refused("InvalidInput", iam.create_open_id_connect_provider, Url=wrong)
    named = {"OpenIDConnectProviderArn": arn}
    iam.add_client_id_to_open_id_connect_provider(**named, ClientID="sts.amazonaws.com")
    iam.add_client_id_to_open_id_connect_provider(**named, ClientID="sts.amazonaws.com")
    iam.remove_client_id_from_open_id_connect_provider(**named, ClientID="first")
    iam.update_open_id_connect_provider_thumbprint(**named, ThumbprintList=["b" * 40])
    iam.tag_open_id_connect_provider(**named, Tags=[{"Key": "more", "Value": "1"}])
    iam.untag_open_id_connect_provider(**named, TagKeys=["landfall"])
    found = iam.get_open_id_connect_provider(**named)
    assert found["Url"] == HOST, found["Url"]
    assert found["ClientIDList"] == ["sts.amazonaws.com"], found
    assert found["ThumbprintList"] == ["b" * 40], found
    assert found["Tags"] == [{"Key": "more", "Value": "1"}], found
    tags = iam.list_open_id_connect_provider_tags(**named)["Tags"]
    assert tags == found["Tags"], tags
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert listed == [{"Arn": arn}], listed
    missing = arn.replace("landfall", "nothing")
    refused(
        "NoSuchEntity",
        iam.get_open_id_connect_provider,
        OpenIDConnectProviderArn=missing,
    )
    return arn


def role(arn):
    return client("iam", CUSTOMER).create_role(
        RoleName="tour-keyless",
        MaxSessionDuration=7200,
        AssumeRolePolicyDocument=document(
            {
                "Effect": "Allow",
                "Principal": {"Federated": arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{HOST}:aud": "sts.amazonaws.com",
                        f"{HOST}:sub": SUBJECT,
                    }
                },
            }
        ),
    )["Role"]["Arn"]


def assume(arn, role_arn):
    client("iam", CUSTOMER).put_role_policy(
        RoleName="tour-keyless",
        PolicyName="main",
        PolicyDocument=document(
            allow(
                "iam:ListRoles",
                Condition={
                    "StringEquals": {
                        "aws:FederatedProvider": arn,
                        f"{HOST}:sub": SUBJECT,
                    }
                },
            )
        ),
    )
    sts = boto3.client(
        "sts",
        endpoint_url=READY["endpoint_url"],
        region_name="eu-west-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    call = sts.assume_role_with_web_identity
    ask = {"RoleArn": role_arn, "RoleSessionName": "tour"}
    answer = call(**ask, WebIdentityToken=token(), DurationSeconds=7200)
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Provider"] == ISSUER and answer["Audience"] == "sts.amazonaws.com"
    issued = answer["Credentials"]
    session = {
        "access_key_id": issued["AccessKeyId"],
        "secret_access_key": issued["SecretAccessKey"],
        "session_token": issued["SessionToken"],
    }
    assert client("sts", session).get_caller_identity()["Account"] == CUSTOMER["id"]
    # The condition on the provider and the subject holds in the session.
    client("iam", session).list_roles()
    refused("AccessDenied", client("iam", session).list_policies)

    now = int(time.time())
    refused(
        "AccessDenied",
        call,
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        **ask,
        WebIdentityToken=token(sub="landfall:org_tour:con_other"),
    )
    refused(
        "AccessDenied",
        call,
        **{**ask, "RoleArn": role_arn + "-none"},
        WebIdentityToken=token(),
    )
    refused(
        "InvalidIdentityToken",
        call,
        "Incorrect token audience",
        **ask,
        WebIdentityToken=token(aud="elsewhere"),
    )
    refused(
        "ExpiredTokenException",
        call,
        **ask,
        WebIdentityToken=token(iat=now - 900, nbf=now - 900, exp=now - 600),
    )
    refused("InvalidIdentityToken", call, **ask, WebIdentityToken=token(key=STRANGER))
    refused("InvalidIdentityToken", call, **ask, WebIdentityToken=token(kid="retired"))
    refused("InvalidIdentityToken", call, **ask, WebIdentityToken="not a token")
    refused(
        "ValidationError",
        call,
        "MaxSessionDuration",
        **ask,
        WebIdentityToken=token(),
        DurationSeconds=7201,
    )
    map_issuer(None)
    refused("IDPCommunicationError", call, **ask, WebIdentityToken=token())


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    map_issuer(f"http://127.0.0.1:{server.server_port}")
    arn = provider()
    assume(arn, role(arn))
    print("ok")


if __name__ == "__main__":
    main()
