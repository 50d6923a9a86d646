"""Roles that EKS is given: whether they exist and may be assumed by whom they are meant for."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from ministack.services import iam

from ..errors import invalid_parameter


def find(arn: str) -> dict[str, Any] | None:
    """The role or user with an ARN, path and all, in whichever account."""
    for kept in (iam._roles, iam._users):
        for known in kept.to_dict().values():
            if known["Arn"] == arn:
                return dict(known)
    return None


def unique_id(arn: str) -> str | None:
    """The id that a role has for its life, and its successor of the same name has not."""
    known = find(arn)
    return (known.get("RoleId") or known.get("UserId")) if known else None


def trusts(role: dict[str, Any], service: str) -> bool:
    """Whether a service may assume a role."""
    document = role["AssumeRolePolicyDocument"]
    if isinstance(document, str):
        document = json.loads(urllib.parse.unquote(document) if document.startswith("%") else document)
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        actions = statement.get("Action", [])
        if (
            statement.get("Effect") == "Allow"
            and service in ([services] if isinstance(services, str) else services)
            and "sts:AssumeRole" in ([actions] if isinstance(actions, str) else actions)
        ):
            return True
    return False


def expect(arn: str, service: str) -> None:
    """Refuses a role that a service cannot assume."""
    role = find(arn)
    if role is None or not trusts(role, service):
        raise invalid_parameter(
            f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        )


def expect_node_role(arn: str) -> None:
    """Refuses a role that instances cannot have."""
    role = find(arn)
    if role is None:
        raise invalid_parameter(f"The role with name {arn.rsplit('/', 1)[-1]} cannot be found.")
    if not trusts(role, "ec2.amazonaws.com"):
        raise invalid_parameter(
            "Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of "
            f"nodeRole {arn}"
        )
