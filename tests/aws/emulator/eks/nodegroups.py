"""Managed node groups."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ministack.services import ec2

from ..errors import in_use, invalid_parameter, invalid_request, not_found
from ..kubernetes.control_plane import StartError
from ..rest import Parameters
from ..world import World
from . import instances, roles, store, versions
from .access import Access
from .addons import Addons
from .clusters import scope
from .updates import Updates

logger = logging.getLogger("emulator")


class Nodegroups:
    """Operations of node groups."""

    def __init__(self, world: World, updates: Updates, access: Access, addons: Addons) -> None:
        self.world = world
        self.updates = updates
        self.access = access
        self.addons = addons

    def create(self, request: Parameters) -> dict[str, Any]:
        """CreateNodegroup."""
        name = request["nodegroupName"]
        cluster = store.cluster(request["clusterName"])
        if cluster["status"] not in ("ACTIVE", "UPDATING"):
            raise invalid_request(f"Cluster '{cluster['name']}' is not in ACTIVE status", clusterName=cluster["name"])
        key = store.key(cluster["name"], name)
        if key in store.nodegroups:
            raise in_use(f"NodeGroup already exists with name {name} and cluster name {cluster['name']}")
        version = request.get("version", cluster["version"])
        check_version(version, cluster["version"])
        roles.expect_node_role(request["nodeRole"])
        for subnet in request["subnets"]:
            if subnet not in ec2._subnets:
                raise invalid_request(f"The subnet ID '{subnet}' does not exist")
            if ec2._subnets[subnet]["VpcId"] != cluster["resourcesVpcConfig"]["vpcId"]:
                raise invalid_parameter(f"Subnet {subnet} is not in the VPC of the cluster")
        record = {
            "nodegroupName": name,
            "nodegroupArn": store.arn(f"nodegroup/{cluster['name']}/{name}/{store.identifier()}"),
            "clusterName": cluster["name"],
            "version": version,
            "releaseVersion": request.get("releaseVersion", release(version)),
            "createdAt": store.now(),
            "modifiedAt": store.now(),
            "status": "CREATING",
            "capacityType": request.get("capacityType", "ON_DEMAND"),
            "scalingConfig": scaling(request.get("scalingConfig", {}), {"minSize": 1, "maxSize": 2, "desiredSize": 2}),
            "subnets": request["subnets"],
            "amiType": request.get("amiType", "AL2023_x86_64_STANDARD"),
            "nodeRole": request["nodeRole"],
            "labels": request.get("labels", {}),
            "taints": request.get("taints", []),
            "resources": {},
            "health": {"issues": []},
            "updateConfig": update_config(request.get("updateConfig", {})),
            "tags": request.get("tags", {}),
            "_nodes": {},
        }
        if "launchTemplate" in request:
            record["launchTemplate"] = launch_template(request["launchTemplate"])
            record |= {member: request[member] for member in ("instanceTypes",) if member in request}
        else:
            record["instanceTypes"] = request.get("instanceTypes", ["t3.medium"])
            record["diskSize"] = request.get("diskSize", 20)
        record |= {member: request[member] for member in ("remoteAccess", "nodeRepairConfig") if member in request}
        store.nodegroups[key] = record
        self._make_entry(cluster, request["nodeRole"])
        self.world.life.begin(self._create(cluster, record))
        return {"nodegroup": record}

    def _make_entry(self, cluster: store.Record, role: str) -> None:
        """Lets the nodes in, as EKS does. It does not take that back when the node group goes."""
        mode = cluster["accessConfig"]["authenticationMode"]
        key = store.entry_key(cluster["name"], role)
        if mode != "CONFIG_MAP" and key not in store.access_entries:
            self.access.make(cluster["name"], role, {"type": "EC2_LINUX"})

    async def _create(self, cluster: store.Record, record: store.Record) -> None:
        name = record["nodegroupName"]
        failure = self.world.rules.failure("nodegroup", cluster=cluster["name"], nodegroup=name)
        if failure:
            await self.world.pause()
            record["health"] = {"issues": [{"resourceIds": [], **failure}]}
            record["status"] = "CREATE_FAILED"
            return
        group = f"eks-{name}-{store.identifier()}"
        instances.make_group(group, cluster["name"], record)
        record["resources"] = {"autoScalingGroups": [{"name": group}]}
        await self.world.pause()
        try:
            await self._scale(cluster, record)
        except StartError as error:
            issue = {"code": "NodeCreationFailure", "message": str(error), "resourceIds": []}
            record["health"] = {"issues": [issue]}
            record["status"] = "CREATE_FAILED"
        if record["status"] == "CREATING":
            record["status"] = "ACTIVE"
            self.addons.nodes_came(cluster["name"])

    async def _scale(self, cluster: store.Record, record: store.Record) -> None:
        """Brings as many nodes as are desired, or takes as many away."""
        desired = record["scalingConfig"]["desiredSize"]
        nodes = record["_nodes"]
        while len(nodes) > desired:
            instances.terminate(nodes.popitem()[1])
        while len(nodes) < desired:
            instance = instances.launch(cluster, record, len(nodes))
            nodes[instance["PrivateDnsName"]] = instance["InstanceId"]
        if self.world.planes:
            await self.world.planes.set_nodes(
                scope(cluster["name"]),
                record["nodegroupName"],
                {node: labels(record, node) for node in nodes},
                record["taints"],
            )

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribeNodegroup."""
        return {"nodegroup": self._find(request)}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListNodegroups."""
        store.cluster(request["clusterName"])
        groups = store.of(store.nodegroups, request["clusterName"])
        return {"nodegroups": sorted(group["nodegroupName"] for group in groups)}

    def delete(self, request: Parameters) -> dict[str, Any]:
        """DeleteNodegroup."""
        record = self._find(request)
        if record["status"] == "UPDATING":
            raise in_use(f"Nodegroup {record['nodegroupName']} is being updated")
        if record["status"] != "DELETING":
            record["status"] = "DELETING"
            self.world.life.begin(self._delete(store.cluster(record["clusterName"]), record))
        return {"nodegroup": record}

    async def _delete(self, cluster: store.Record, record: store.Record) -> None:
        record["scalingConfig"] = {**record["scalingConfig"], "desiredSize": 0}
        await asyncio.gather(self._scale(cluster, record), self.world.pause())
        for group in record["resources"].get("autoScalingGroups", []):
            instances.remove_group(group["name"])
        store.forget(store.nodegroups, record)
        self.addons.nodes_went(cluster["name"])

    def update_config(self, request: Parameters) -> dict[str, Any]:
        """UpdateNodegroupConfig."""
        record = self._ready(request)
        after: dict[str, Any] = {}
        if "scalingConfig" in request:
            after["scalingConfig"] = scaling(request["scalingConfig"], record["scalingConfig"])
        if "updateConfig" in request:
            after["updateConfig"] = update_config(request["updateConfig"])
        if "nodeRepairConfig" in request:
            after["nodeRepairConfig"] = request["nodeRepairConfig"]
        if "labels" in request:
            kept = {
                name: value
                for name, value in record["labels"].items()
                if name not in request["labels"].get("removeLabels", [])
            }
            after["labels"] = {**kept, **request["labels"].get("addOrUpdateLabels", {})}
        if "taints" in request:
            after["taints"] = changed_taints(record["taints"], request["taints"])
        params = {name[0].upper() + name[1:]: value for name, value in after.get("scalingConfig", {}).items()}
        return self._update(record, "ConfigUpdate", params, after)

    def update_version(self, request: Parameters) -> dict[str, Any]:
        """UpdateNodegroupVersion."""
        record = self._ready(request)
        cluster = store.cluster(record["clusterName"])
        version = request.get("version", cluster["version"] if "launchTemplate" not in request else record["version"])
        check_version(version, cluster["version"])
        after = {"version": version, "releaseVersion": request.get("releaseVersion", release(version))}
        if "launchTemplate" in request:
            if "launchTemplate" not in record:
                raise invalid_parameter("The node group was created without a launch template")
            after["launchTemplate"] = launch_template(request["launchTemplate"])
        params = {"Version": version, "ReleaseVersion": after["releaseVersion"]}
        return self._update(record, "VersionUpdate", params, after)

    def _update(self, record: store.Record, kind: str, params: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        cluster = store.cluster(record["clusterName"])

        def apply() -> None:
            record.update(after)
            self.world.life.begin(self._scale(cluster, record))

        return self.updates.begin(cluster["name"], record, kind, params, apply, nodegroupName=record["nodegroupName"])

    def _find(self, request: Parameters) -> store.Record:
        store.cluster(request["clusterName"])
        name = request["nodegroupName"]
        record: store.Record | None = store.nodegroups.get(store.key(request["clusterName"], name))
        if record is None:
            raise not_found(f"No node group found for name: {name}.", nodegroupName=name)
        return record

    def _ready(self, request: Parameters) -> store.Record:
        record = self._find(request)
        if record["status"] == "UPDATING":
            raise in_use(f"Nodegroup {record['nodegroupName']} has an update in progress")
        if record["status"] not in ("ACTIVE", "DEGRADED"):
            raise invalid_request(f"Nodegroup {record['nodegroupName']} is not ACTIVE but {record['status']}")
        return record


def check_version(version: str, cluster: str) -> None:
    """Refuses a version that nodes of a cluster cannot have."""
    versions.expect(version)
    if not 0 <= versions.minor(cluster) - versions.minor(version) <= 3:
        raise invalid_parameter(f"Requested Nodegroup version {version} does not fit the cluster's version {cluster}")


def release(version: str) -> str:
    """The release of the machine image for a version."""
    return f"{version}.4-20261120"


def scaling(wanted: dict[str, int], has: dict[str, int]) -> dict[str, int]:
    """Sizes that fit each other."""
    sizes = {**has, **wanted}
    if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
        raise invalid_parameter(
            f"desired capacity {sizes['desiredSize']} can't be outside of {sizes['minSize']} to {sizes['maxSize']}"
        )
    return sizes


def update_config(wanted: dict[str, Any]) -> dict[str, Any]:
    """How many nodes may be away during an update."""
    has_limit = "maxUnavailable" in wanted or "maxUnavailablePercentage" in wanted
    return {"updateStrategy": "DEFAULT", **({} if has_limit else {"maxUnavailable": 1}), **wanted}


def changed_taints(has: list[dict[str, str]], change: dict[str, Any]) -> list[dict[str, str]]:
    """Taints after a change."""

    def identity(taint: dict[str, str]) -> tuple[str | None, str | None]:
        return taint.get("key"), taint.get("effect")

    gone = {identity(taint) for taint in [*change.get("removeTaints", []), *change.get("addOrUpdateTaints", [])]}
    return [*(taint for taint in has if identity(taint) not in gone), *change.get("addOrUpdateTaints", [])]


def launch_template(wanted: dict[str, str]) -> dict[str, str]:
    """A launch template that exists, with all that it is known by."""
    for template in ec2._launch_templates.values():
        if wanted.get("id") == template["LaunchTemplateId"] or wanted.get("name") == template["LaunchTemplateName"]:
            version = wanted.get("version") or str(template["DefaultVersionNumber"])
            if not any(str(known["VersionNumber"]) == version for known in template["Versions"]):
                raise invalid_parameter(f"Launch template version {version} does not exist")
            return {
                "id": template["LaunchTemplateId"],
                "name": template["LaunchTemplateName"],
                "version": version,
            }
    raise invalid_request("Launch template was not found", launchTemplate=wanted.get("id") or wanted.get("name") or "")


def labels(record: store.Record, node: str) -> dict[str, str]:
    """The labels that EKS gives a node."""
    return {
        **record["labels"],
        "eks.amazonaws.com/capacityType": record["capacityType"],
        "eks.amazonaws.com/nodegroup": record["nodegroupName"],
        "node.kubernetes.io/instance-type": record.get("instanceTypes", ["t3.medium"])[0],
        **instances.zone_labels(record["_nodes"][node]),
    }
