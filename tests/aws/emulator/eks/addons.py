"""Addons."""

from __future__ import annotations

import json
from typing import Any

from ..errors import in_use, invalid_parameter, invalid_request, not_found
from ..rest import Parameters
from ..world import World
from . import roles, store, versions
from .clusters import auto_mode
from .pod_identity import PodIdentity
from .updates import Updates

# These run on nodes, and are not well without one.
NEEDS_NODES = ("aws-ebs-csi-driver", "aws-efs-csi-driver", "coredns", "metrics-server", "snapshot-controller")


class Addons:
    """Operations of addons. Nothing of them runs in the cluster."""

    def __init__(self, world: World, updates: Updates, pod_identity: PodIdentity) -> None:
        self.world = world
        self.updates = updates
        self.pod_identity = pod_identity

    def create(self, request: Parameters) -> dict[str, Any]:
        """CreateAddon."""
        name = request["addonName"]
        cluster = store.cluster(request["clusterName"])
        if cluster["status"] not in ("ACTIVE", "UPDATING"):
            raise invalid_request(f"Cluster {cluster['name']} is not in ACTIVE status", clusterName=cluster["name"])
        key = store.key(cluster["name"], name)
        if key in store.addons:
            raise in_use("Addon already exists.", clusterName=cluster["name"], addonName=name)
        version = request.get("addonVersion") or default(name, cluster["version"])
        check(name, version, cluster["version"], request)
        record = {
            "addonName": name,
            "clusterName": cluster["name"],
            "status": "CREATING",
            "addonVersion": version,
            "health": {"issues": []},
            "addonArn": store.arn(f"addon/{cluster['name']}/{name}/{store.identifier()}"),
            "createdAt": store.now(),
            "modifiedAt": store.now(),
            "tags": request.get("tags", {}),
            "namespaceConfig": request.get("namespaceConfig", {"namespace": versions.ADDONS[name][0]}),
        }
        kept = ("serviceAccountRoleArn", "configurationValues")
        record |= {member: request[member] for member in kept if member in request}
        self._identities(record, request.get("podIdentityAssociations"))
        store.addons[key] = record
        self.world.life.begin(self._create(cluster, record))
        return {"addon": record}

    async def _create(self, cluster: store.Record, record: store.Record) -> None:
        await self.world.pause()
        failure = self.world.rules.failure("addon", cluster=cluster["name"], addon=record["addonName"])
        if failure:
            record["health"] = {"issues": [{"resourceIds": [], **failure}]}
            record["status"] = "CREATE_FAILED"
        elif record["status"] == "CREATING":
            settle(cluster, record)

    def nodes_came(self, cluster: str) -> None:
        """Lets addons be well that waited for a node."""
        self._settle(cluster)

    def nodes_went(self, cluster: str) -> None:
        """Lets addons be unwell that have no node any more."""
        self._settle(cluster)

    def _settle(self, name: str) -> None:
        for record in store.of(store.addons, name):
            if record["status"] in ("ACTIVE", "DEGRADED"):
                settle(store.cluster(name), record)

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribeAddon."""
        return {"addon": self._find(request)}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListAddons."""
        store.cluster(request["clusterName"])
        return {"addons": sorted(addon["addonName"] for addon in store.of(store.addons, request["clusterName"]))}

    def delete(self, request: Parameters) -> dict[str, Any]:
        """DeleteAddon."""
        record = self._find(request)
        if record["status"] == "UPDATING":
            raise in_use(f"Addon {record['addonName']} is being updated")
        if record["status"] != "DELETING":
            record["status"] = "DELETING"
            self.world.life.begin(self._delete(record))
        return {"addon": record}

    async def _delete(self, record: store.Record) -> None:
        await self.world.pause()
        self._identities(record, [])
        store.forget(store.addons, record)

    def update(self, request: Parameters) -> dict[str, Any]:
        """UpdateAddon. Of associations, none given keeps what there is, and an empty list deletes it."""
        record = self._find(request)
        if record["status"] not in ("ACTIVE", "DEGRADED", "UPDATE_FAILED", "CREATE_FAILED"):
            raise in_use(f"Addon {record['addonName']} is not ACTIVE but {record['status']}")
        cluster = store.cluster(record["clusterName"])
        version = request.get("addonVersion", record["addonVersion"])
        check(record["addonName"], version, cluster["version"], request)

        def apply() -> None:
            record["addonVersion"] = version
            kept = ("serviceAccountRoleArn", "configurationValues")
            record.update({member: request[member] for member in kept if member in request})
            self._identities(record, request.get("podIdentityAssociations"))
            if record["status"] == "UPDATING":
                settle(cluster, record)

        params = {"AddonVersion": version, "ResolveConflicts": request.get("resolveConflicts", "NONE")}
        return self.updates.begin(cluster["name"], record, "AddonUpdate", params, apply, addonName=record["addonName"])

    def _identities(self, record: store.Record, wanted: list[dict[str, str]] | None) -> None:
        """Has the addon own exactly the wanted associations."""
        if wanted is None:
            return
        for association in store.of(store.associations, record["clusterName"]):
            if association.get("ownerArn") == record["addonArn"]:
                store.forget(store.associations, association)
        namespace = record["namespaceConfig"]["namespace"]
        made = [
            self.pod_identity.make(record["clusterName"], {**identity, "namespace": namespace}, record["addonArn"])
            for identity in wanted
        ]
        record["podIdentityAssociations"] = [association["associationArn"] for association in made]

    def _find(self, request: Parameters) -> store.Record:
        store.cluster(request["clusterName"])
        name = request["addonName"]
        record: store.Record | None = store.addons.get(store.key(request["clusterName"], name))
        if record is None:
            raise not_found(f"No addon: {name} found in cluster: {request['clusterName']}", addonName=name)
        return record


def default(name: str, kubernetes: str) -> str:
    """The version that an addon gets where none is asked for."""
    return versions.addon_versions(name, kubernetes)[0] if name in versions.ADDONS else ""


def check(name: str, version: str, kubernetes: str, request: Parameters) -> None:
    """Refuses an addon that does not exist, and values that are no object."""
    if name not in versions.ADDONS:
        raise invalid_parameter(f"Addon {name} specified is not supported in {kubernetes} kubernetes version")
    if version not in versions.addon_versions(name, kubernetes):
        raise invalid_parameter(f"Addon version specified is not supported: {name} {version}")
    values = request.get("configurationValues")
    if values:
        try:
            understood = isinstance(json.loads(values), dict)
        except json.JSONDecodeError:
            # YAML is allowed as well, and is not looked into.
            understood = ":" in values
        if not understood:
            raise invalid_parameter("ConfigurationValue is not in a valid format")
    for identity in request.get("podIdentityAssociations", []):
        roles.expect(identity["roleArn"], "pods.eks.amazonaws.com")


def settle(cluster: store.Record, record: store.Record) -> None:
    """Says how an addon is, which depends on whether there are nodes for it."""
    groups = store.of(store.nodegroups, cluster["name"])
    has_nodes = auto_mode(cluster) or any(group["status"] in ("ACTIVE", "UPDATING") for group in groups)
    well = has_nodes or record["addonName"] not in NEEDS_NODES
    issue = {
        "code": "InsufficientNumberOfReplicas",
        "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
        "resourceIds": [],
    }
    record["status"] = "ACTIVE" if well else "DEGRADED"
    record["health"] = {"issues": [] if well else [issue]}
