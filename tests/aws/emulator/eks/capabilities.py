"""Capabilities: what AWS runs for a cluster outside of it, such as Argo CD."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_region

from ..errors import in_use, invalid_request, not_found
from ..rest import Parameters
from ..world import World
from . import roles, store
from .access import Access, policy_arn
from .updates import Updates

VERSIONS = {"ACK": "1.0.0-eks-1", "ARGOCD": "3.1.8-eks-1", "KRO": "0.6.0-eks-1"}
POLICIES = {
    "ACK": ("AmazonEKSACKPolicy",),
    "ARGOCD": ("AmazonEKSArgoCDClusterPolicy", "AmazonEKSArgoCDPolicy"),
    "KRO": ("AmazonEKSKROPolicy",),
}


class Capabilities:
    """Operations of capabilities."""

    def __init__(self, world: World, updates: Updates, access: Access) -> None:
        self.world = world
        self.updates = updates
        self.access = access

    def create(self, request: Parameters) -> dict[str, Any]:
        """CreateCapability."""
        cluster, name, kind = store.cluster(request["clusterName"]), request["capabilityName"], request["type"]
        if cluster["status"] not in ("ACTIVE", "UPDATING"):
            raise invalid_request(f"Cluster {cluster['name']} is not in ACTIVE status")
        if cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
            raise invalid_request("Capabilities need the authentication mode API or API_AND_CONFIG_MAP")
        for known in store.of(store.capabilities, cluster["name"]):
            if known["capabilityName"] == name:
                raise in_use(f"Capability already exists with name: {name}")
            if known["type"] == kind:
                raise in_use(f"A capability of type {kind} already exists: {known['capabilityName']}")
        roles.expect(request["roleArn"], "capabilities.eks.amazonaws.com")
        if kind == "ARGOCD" and "argoCd" not in request.get("configuration", {}):
            raise invalid_request("configuration.argoCd is required for a capability of type ARGOCD")
        record = {
            "capabilityName": name,
            "arn": store.arn(f"capability/{cluster['name']}/{kind.lower()}/{name}/{store.identifier()}"),
            "clusterName": cluster["name"],
            "type": kind,
            "roleArn": request["roleArn"],
            "status": "CREATING",
            "version": VERSIONS[kind],
            "tags": request.get("tags", {}),
            "health": {"issues": []},
            "createdAt": store.now(),
            "modifiedAt": store.now(),
            "deletePropagationPolicy": request["deletePropagationPolicy"],
        }
        if kind == "ARGOCD":
            record["configuration"] = {"argoCd": argocd(request["configuration"]["argoCd"])}
        store.capabilities[store.key(cluster["name"], name)] = record
        self.world.life.begin(self._create(record))
        return {"capability": record}

    async def _create(self, record: store.Record) -> None:
        await self.world.pause()
        failure = self.world.rules.failure(
            "capability", cluster=record["clusterName"], capability=record["capabilityName"]
        )
        if failure:
            record["health"] = {"issues": [failure]}
            record["status"] = "CREATE_FAILED"
        elif record["status"] == "CREATING":
            self._let_in(record)
            record["status"] = "ACTIVE"

    def _let_in(self, record: store.Record) -> None:
        """Makes the access entry that EKS makes for a capability's role in its own cluster."""
        cluster, role = record["clusterName"], record["roleArn"]
        if store.entry_key(cluster, role) not in store.access_entries:
            self.access.make(cluster, role, {})
        for name in POLICIES[record["type"]]:
            self.access.associate_policy(cluster, role, policy_arn(name), {"type": "cluster"})

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribeCapability."""
        return {"capability": self._find(request)}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListCapabilities."""
        store.cluster(request["clusterName"])
        members = ("capabilityName", "arn", "type", "status", "version", "createdAt", "modifiedAt")
        found = [
            {name: record[name] for name in members} for record in store.of(store.capabilities, request["clusterName"])
        ]
        return {"capabilities": sorted(found, key=lambda record: record["capabilityName"])}

    def update(self, request: Parameters) -> dict[str, Any]:
        """UpdateCapability. Role mappings are given as a difference, endpoints as a whole."""
        record = self._find(request)
        if record["status"] not in ("ACTIVE", "DEGRADED"):
            raise in_use(f"Capability {record['capabilityName']} is not ACTIVE but {record['status']}")
        change = request.get("configuration", {}).get("argoCd", {})
        if "roleArn" in request:
            roles.expect(request["roleArn"], "capabilities.eks.amazonaws.com")

        def apply() -> None:
            record["roleArn"] = request.get("roleArn", record["roleArn"])
            if change:
                configuration = record["configuration"]["argoCd"]
                configuration["networkAccess"] = change.get("networkAccess", configuration.get("networkAccess", {}))
                mappings = change.get("rbacRoleMappings", {})
                configuration["rbacRoleMappings"] = changed_mappings(configuration["rbacRoleMappings"], mappings)

        return self.updates.begin(
            record["clusterName"], record, "CapabilityUpdate", {}, apply, capabilityName=record["capabilityName"]
        )

    def delete(self, request: Parameters) -> dict[str, Any]:
        """DeleteCapability."""
        record = self._find(request)
        if record["status"] != "DELETING":
            record["status"] = "DELETING"
            self.world.life.begin(self._delete(record))
        return {"capability": record}

    async def _delete(self, record: store.Record) -> None:
        await self.world.pause()
        self.access.remove(record["clusterName"], record["roleArn"])
        store.forget(store.capabilities, record)

    def _find(self, request: Parameters) -> store.Record:
        store.cluster(request["clusterName"])
        name = request["capabilityName"]
        record: store.Record | None = store.capabilities.get(store.key(request["clusterName"], name))
        if record is None:
            raise not_found(f"No capability found with name: {name}")
        return record


def argocd(wanted: dict[str, Any]) -> dict[str, Any]:
    """The configuration of an Argo CD, with what AWS adds."""
    prefix = wanted.get("endpointPrefix", store.identifier()[:8])
    application = f"arn:aws:sso::{wanted['awsIdc']['idcInstanceArn'].rsplit('/', 1)[-1]}:application/{prefix}"
    return {
        "namespace": wanted.get("namespace", "argocd"),
        "awsIdc": {
            "idcRegion": get_region(),
            **wanted["awsIdc"],
            "idcManagedApplicationArn": application,
        },
        "rbacRoleMappings": wanted.get("rbacRoleMappings", []),
        "networkAccess": wanted.get("networkAccess", {}),
        "endpointPrefix": prefix,
        "serverUrl": f"https://{prefix}.eks-capabilities.{get_region()}.amazonaws.com",
    }


def changed_mappings(has: list[dict[str, Any]], change: dict[str, Any]) -> list[dict[str, Any]]:
    """Role mappings after a change: a role that is given again has the new identities."""
    given = {mapping["role"]: mapping for mapping in change.get("addOrUpdateRoleMappings", [])}
    gone = {mapping["role"] for mapping in change.get("removeRoleMappings", [])} | given.keys()
    return [*(mapping for mapping in has if mapping["role"] not in gone), *given.values()]
