"""Access entries, and the access policies that are associated with them."""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import eks as ministack_eks

from ..errors import in_use, invalid_parameter, invalid_request, not_found
from ..rest import Parameters
from ..world import World
from . import roles, store

CLUSTER_ADMIN = "AmazonEKSClusterAdminPolicy"
# https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html. ministack has rules for the general
# five; the others are for parts of EKS that are not here.
POLICIES = (
    *ministack_eks._ACCESS_POLICY_RULES,
    "AmazonEKSACKPolicy",
    "AmazonEKSArgoCDClusterPolicy",
    "AmazonEKSArgoCDPolicy",
    "AmazonEKSAutoNodePolicy",
    "AmazonEKSBlockStorageClusterPolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterInsightsPolicy",
    "AmazonEKSComputeClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSHybridPolicy",
    "AmazonEKSKROPolicy",
    "AmazonEKSLoadBalancingClusterPolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingClusterPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSSecretReaderPolicy",
)
# The user and the groups of nodes, which nobody chooses.
NODES = {
    "EC2_LINUX": ("system:node:{{EC2PrivateDNSName}}", ["system:nodes"]),
    "EC2_WINDOWS": ("system:node:{{EC2PrivateDNSName}}", ["eks:kube-proxy-windows", "system:nodes"]),
    "FARGATE_LINUX": ("system:node:{{SessionName}}", ["system:node-proxier", "system:nodes"]),
    "HYBRID_LINUX": ("system:node:{{SessionName}}", ["system:nodes"]),
    "HYPERPOD_LINUX": ("system:node:{{SessionName}}", ["system:nodes"]),
    "EC2": ("system:node:{{EC2PrivateDNSName}}", ["system:nodes"]),
}
RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")


class Access:
    """Operations of access entries."""

    def __init__(self, world: World) -> None:
        self.world = world

    def bootstrap(self, cluster: store.Record) -> None:
        """Makes whoever creates a cluster its administrator, unless that was declined."""
        config = cluster["accessConfig"]
        creator = cluster["_creator"]
        if (
            creator
            and config["authenticationMode"] != "CONFIG_MAP"
            and config["bootstrapClusterCreatorAdminPermissions"]
        ):
            self.make(cluster["name"], creator, {})
            self.associate_policy(cluster["name"], creator, policy_arn(CLUSTER_ADMIN), {"type": "cluster"})

    def create(self, request: Parameters) -> dict[str, Any]:
        """CreateAccessEntry."""
        cluster, principal = request["clusterName"], request["principalArn"]
        self._expect_entries(cluster)
        self._check_principal(principal, request.get("type", "STANDARD"))
        self._check_names(request)
        if store.entry_key(cluster, principal) in store.access_entries:
            raise in_use("The specified access entry resource is already in use on this cluster.")
        return {"accessEntry": self.make(cluster, principal, request)}

    def make(self, cluster: str, principal: str, request: Parameters) -> store.Record:
        """Makes an entry without a question."""
        kind = request.get("type", "STANDARD")
        username, groups = NODES.get(kind, (request.get("username") or default_username(principal), None))
        _, _, _, _, account, resource = principal.split(":", 5)
        what, name = resource.split("/")[0], resource.split("/")[-1]
        entry = {
            "clusterName": cluster,
            "principalArn": principal,
            "kubernetesGroups": groups or request.get("kubernetesGroups", []),
            "accessEntryArn": store.arn(f"access-entry/{cluster}/{what}/{account}/{name}/{store.identifier()}"),
            "createdAt": store.now(),
            "modifiedAt": store.now(),
            "tags": request.get("tags", {}),
            "username": username,
            "type": kind,
            # AWS remembers who it was, not what it was called.
            "_principal_id": roles.unique_id(principal),
        }
        store.access_entries[store.entry_key(cluster, principal)] = entry
        return entry

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribeAccessEntry."""
        return {"accessEntry": self._entry(request)}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListAccessEntries."""
        cluster = request["clusterName"]
        self._expect_entries(cluster)
        policy = request.get("associatedPolicyArn")
        principals = [
            entry["principalArn"]
            for entry in store.of(store.access_entries, cluster)
            if policy is None or store.entry_key(cluster, entry["principalArn"], policy) in store.access_policies
        ]
        return {"accessEntries": sorted(principals)}

    def update(self, request: Parameters) -> dict[str, Any]:
        """UpdateAccessEntry."""
        entry = self._entry(request)
        if entry["type"] != "STANDARD":
            raise invalid_request("Only access entries of type STANDARD can be updated")
        self._check_names(request)
        entry |= {name: request[name] for name in ("kubernetesGroups", "username") if name in request}
        entry["modifiedAt"] = store.now()
        return {"accessEntry": entry}

    def delete(self, request: Parameters) -> dict[str, Any]:
        """DeleteAccessEntry."""
        entry = self._entry(request)
        self.remove(entry["clusterName"], entry["principalArn"])
        return {}

    def remove(self, cluster: str, principal: str) -> None:
        """Removes an entry, if there is one, with the policies that are associated with it."""
        store.access_entries.pop(store.entry_key(cluster, principal), None)
        for key in [key for key in store.access_policies if key.split("\0")[:2] == [cluster, principal]]:
            del store.access_policies[key]
        self.apply(cluster)

    def associate(self, request: Parameters) -> dict[str, Any]:
        """AssociateAccessPolicy."""
        entry = self._entry(request)
        scope = request["accessScope"]
        if entry["type"] not in ("STANDARD", "EC2"):
            raise invalid_request(f"Access policies cannot be associated with an access entry of type {entry['type']}")
        if not re.fullmatch(r"arn:aws[a-z-]*:eks::aws:cluster-access-policy/.+", request["policyArn"]) or (
            request["policyArn"].rsplit("/", 1)[1] not in POLICIES
        ):
            raise invalid_parameter("The policyArn parameter format is not valid", clusterName=entry["clusterName"])
        if (scope.get("type") == "namespace") != bool(scope.get("namespaces")):
            raise invalid_parameter("namespaces must be given for the access scope namespace, and for no other")
        policy = self.associate_policy(entry["clusterName"], entry["principalArn"], request["policyArn"], scope)
        return {
            "clusterName": entry["clusterName"],
            "principalArn": entry["principalArn"],
            "associatedAccessPolicy": policy,
        }

    def associate_policy(self, cluster: str, principal: str, policy: str, scope: dict[str, Any]) -> dict[str, Any]:
        """Associates a policy without a question."""
        key = store.entry_key(cluster, principal, policy)
        associated: dict[str, Any] = store.access_policies.setdefault(key, {"associatedAt": store.now()})
        associated |= {
            "policyArn": policy,
            "accessScope": {"type": scope["type"], "namespaces": scope.get("namespaces", [])},
            "modifiedAt": store.now(),
        }
        self.apply(cluster)
        return associated

    def disassociate(self, request: Parameters) -> dict[str, Any]:
        """DisassociateAccessPolicy."""
        entry = self._entry(request)
        key = store.entry_key(entry["clusterName"], entry["principalArn"], request["policyArn"])
        if key not in store.access_policies:
            raise not_found("The specified policyArn is not associated with the access entry.")
        del store.access_policies[key]
        self.apply(entry["clusterName"])
        return {}

    def list_associated(self, request: Parameters) -> dict[str, Any]:
        """ListAssociatedAccessPolicies."""
        entry = self._entry(request)
        prefix = [entry["clusterName"], entry["principalArn"]]
        policies = [store.access_policies[key] for key in store.access_policies if key.split("\0")[:2] == prefix]
        return {
            "clusterName": entry["clusterName"],
            "principalArn": entry["principalArn"],
            "associatedAccessPolicies": policies,
        }

    def list_policies(self, request: Parameters) -> dict[str, Any]:
        """ListAccessPolicies."""
        return {"accessPolicies": [{"name": name, "arn": policy_arn(name)} for name in POLICIES]}

    def apply(self, cluster: str) -> None:
        """Has the API server know of every policy that is associated, as soon as it can."""
        if self.world.planes:
            self.world.planes.reconcile((get_account_id(), get_region(), cluster))

    def _expect_entries(self, cluster: str) -> None:
        if store.cluster(cluster)["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
            raise invalid_request(
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
                "operation.",
                clusterName=cluster,
            )

    def _entry(self, request: Parameters) -> store.Record:
        self._expect_entries(request["clusterName"])
        entry: store.Record | None = store.access_entries.get(
            store.entry_key(request["clusterName"], request["principalArn"])
        )
        if entry is None:
            raise not_found(
                "The specified principalArn could not be found. You can view your available access entries with "
                "'aws eks list-access-entries'."
            )
        return entry

    def _check_principal(self, principal: str, kind: str) -> None:
        match = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):(user|role)/.+", principal)
        if not match:
            raise invalid_parameter("The specified principalArn is invalid: invalid principal.")
        if ":role/aws-service-role/" in principal:
            raise invalid_parameter("The specified principalArn is invalid: service-linked roles are not supported.")
        if match[1] != get_account_id():
            if kind != "STANDARD":
                raise invalid_parameter("Only access entries of type STANDARD can have a principal of another account.")
        elif roles.find(principal) is None:
            raise invalid_parameter("The specified principalArn is invalid: invalid principal.")

    def _check_names(self, request: Parameters) -> None:
        for group in request.get("kubernetesGroups", []):
            if group.startswith(RESERVED):
                raise invalid_parameter(
                    f"The kubernetes group name {group} is invalid, it cannot start with ({', '.join(RESERVED)})"
                )
        if request.get("username", "").startswith(RESERVED):
            raise invalid_parameter(f"The username {request['username']} is invalid")


def default_username(principal: str) -> str:
    """The user that a principal is in Kubernetes: https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html"""
    arn, partition, _, _, account, resource = principal.split(":", 5)
    kind, *_, name = resource.split("/")
    if kind == "role":
        return f"{arn}:{partition}:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}"
    return principal


def policy_arn(name: str) -> str:
    """The ARN of an access policy."""
    return f"arn:aws:eks::aws:cluster-access-policy/{name}"
