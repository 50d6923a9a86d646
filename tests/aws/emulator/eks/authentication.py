"""Tokens: who the bearer of a presigned call is to a cluster."""

from __future__ import annotations

import hmac
import json
import re
from typing import Any

from ministack.services import eks as ministack_eks

from . import roles, store

# Where an API server asks: account, region, cluster, and the secret that only it knows.
PATH = re.compile(r"/_ministack/eks-auth/(\d{12})/([a-z0-9-]+)/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]{16,})")


def path(account: str, region: str, cluster: str, secret: str) -> str:
    """Where an API server asks about its tokens."""
    return f"/_ministack/eks-auth/{account}/{region}/{cluster}/{secret}"


def review(account: str, region: str, name: str, secret: str, body: bytes) -> dict[str, Any]:
    """The answer to a TokenReview."""
    cluster = store.clusters.get_scoped(account, region, name)
    token = json.loads(body).get("spec", {}).get("token", "")
    user = None
    if cluster and hmac.compare_digest(secret, cluster["_auth_token"]):
        credential = ministack_eks._verify_eks_token(token, name)
        if credential:
            user = identify(account, region, cluster, credential)
    status = {"authenticated": True, "user": user} if user else {"authenticated": False}
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


def identify(account: str, region: str, cluster: store.Record, credential: Any) -> dict[str, Any] | None:
    """Who a caller of AWS is in Kubernetes, or nobody."""
    name = cluster["name"]
    session = credential.principal_arn.rsplit("/", 1)[-1]
    principal = ministack_eks._role_arn_from_assumed_role(credential.principal_arn) or credential.principal_arn
    uid = credential.principal_id or credential.principal_arn
    extra = {"arn": [credential.principal_arn], "sessionName": [session]}
    if cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        # The aws-auth ConfigMap is not read here; it cannot take away what the cluster's creator may.
        if principal != cluster["_creator"]:
            return None
        return {"username": "kubernetes-admin", "uid": uid, "groups": ["system:masters"], "extra": extra}
    entry = store.access_entries.get_scoped(account, region, store.entry_key(name, principal))
    if entry is None or entry["_principal_id"] != unique_id(credential, principal):
        return None
    policies = [
        policy for of, policy, _ in ministack_eks._access_policy_associations(name, account, region) if of == principal
    ]
    groups = [
        *entry["kubernetesGroups"],
        *(ministack_eks._access_policy_group(name, principal, policy) for policy in policies),
    ]
    username = entry["username"].replace("{{SessionName}}", session.replace("@", "-"))
    return {"username": username, "uid": uid, "groups": groups, "extra": extra}


def unique_id(credential: Any, principal: str) -> str | None:
    """The id of the user or role that credentials are of. Those of a session begin with the role's."""
    return (credential.principal_id or "").split(":")[0] or roles.unique_id(principal)
