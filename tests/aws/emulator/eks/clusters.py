"""Clusters."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any

from ministack.core.responses import get_account_id, get_region

from ..errors import in_use, invalid_parameter, invalid_request
from ..rest import Parameters
from ..world import World
from . import network, roles, store, versions
from .access import Access
from .updates import Updates

logger = logging.getLogger("emulator")

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# What UpdateClusterConfig can change, one at a time, and the type of the update.
CONFIGS = {
    "logging": "LoggingUpdate",
    "accessConfig": "AccessConfigUpdate",
    "upgradePolicy": "UpgradePolicyUpdate",
    "zonalShiftConfig": "ZonalShiftConfigUpdate",
    "remoteNetworkConfig": "RemoteNetworkConfigUpdate",
    "deletionProtection": "DeletionProtectionUpdate",
    "controlPlaneScalingConfig": "ControlPlaneScalingConfigUpdate",
}
AUTO_MODE = ("computeConfig", "kubernetesNetworkConfig", "storageConfig")
ENDPOINT = ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs")


class Clusters:
    """Operations of clusters."""

    def __init__(self, world: World, updates: Updates, access: Access) -> None:
        self.world = world
        self.updates = updates
        self.access = access
        # Clusters whose last logs may still be on their way after they are gone.
        self.writing: set[str] = set()

    def create(self, request: Parameters, creator: str | None) -> dict[str, Any]:
        """CreateCluster. `creator` is the ARN of the user or role that calls."""
        name = request["name"]
        if name in store.clusters:
            raise in_use(f"Cluster already exists with name: {name}", clusterName=name)
        version = request.get("version", versions.DEFAULT)
        versions.expect(version)
        check_auto_mode(request, {})
        if auto_mode(request) and request.get("bootstrapSelfManagedAddons", True):
            raise invalid_parameter("When EKS Auto Mode is enabled, bootstrapSelfManagedAddons must be set to false.")
        roles.expect(request["roleArn"], "eks.amazonaws.com")
        vpc_config = request["resourcesVpcConfig"]
        vpc = network.check_subnets(vpc_config.get("subnetIds", []))
        network.check_security_groups(vpc_config.get("securityGroupIds", []), vpc)
        arn = store.arn(f"cluster/{name}")
        record = {
            "name": name,
            "arn": arn,
            "createdAt": store.now(),
            "version": version,
            "roleArn": request["roleArn"],
            "resourcesVpcConfig": {
                "subnetIds": vpc_config["subnetIds"],
                "securityGroupIds": vpc_config.get("securityGroupIds", []),
                "vpcId": vpc,
                "endpointPublicAccess": vpc_config.get("endpointPublicAccess", True),
                "endpointPrivateAccess": vpc_config.get("endpointPrivateAccess", False),
                "publicAccessCidrs": vpc_config.get("publicAccessCidrs", ["0.0.0.0/0"]),
            },
            "kubernetesNetworkConfig": kubernetes_network(request),
            "logging": complete_logging(request.get("logging", {})),
            "status": "CREATING",
            "certificateAuthority": {},
            "platformVersion": "eks.1",
            "tags": request.get("tags", {}),
            "health": {"issues": []},
            "accessConfig": {
                "bootstrapClusterCreatorAdminPermissions": True,
                "authenticationMode": "CONFIG_MAP",
                **request.get("accessConfig", {}),
            },
            "upgradePolicy": request.get("upgradePolicy", {"supportType": "EXTENDED"}),
            "deletionProtection": request.get("deletionProtection", False),
            "controlPlaneScalingConfig": request.get("controlPlaneScalingConfig", {"tier": "standard"}),
            "_auth_token": secrets.token_urlsafe(32),
            "_creator": creator,
            "_interfaces": [],
        }
        kept = ("encryptionConfig", "computeConfig", "storageConfig", "zonalShiftConfig", "remoteNetworkConfig")
        record |= {name: request[name] for name in kept if name in request}
        store.clusters[name] = record
        self.access.bootstrap(record)
        self.world.life.begin(self._create(record))
        return {"cluster": record}

    async def _create(self, record: store.Record) -> None:
        """Makes what a cluster consists of, and then says that it is ready."""
        name, config = record["name"], record["resourcesVpcConfig"]
        failure = self.world.rules.failure("cluster", cluster=name)
        config["clusterSecurityGroupId"] = network.make_security_group(name, config["vpcId"])
        record["_interfaces"] = network.make_control_plane_interfaces(record)
        issuer = f"https://oidc.eks.{get_region()}.amazonaws.com/id/{secrets.token_hex(16).upper()}"
        started = await asyncio.gather(self._start(record, issuer), self.world.pause(), return_exceptions=True)
        if isinstance(started[0], Exception):
            logger.error("the control plane of %s did not start", name, exc_info=started[0])
            failure = {"code": "InternalFailure", "message": str(started[0])}
        if failure:
            record["health"] = {"issues": [{"resourceIds": [], **failure}]}
            record["status"] = "FAILED"
            return
        record |= {"identity": {"oidc": {"issuer": issuer}}, **(started[0] or {})}
        self._keep_logs(record)
        if record["status"] == "CREATING":
            record["status"] = "ACTIVE"

    async def _start(self, record: store.Record, issuer: str) -> dict[str, Any]:
        """Starts the control plane, and tells how it is reached."""
        if self.world.planes is None:
            return {}
        services = record["kubernetesNetworkConfig"]["serviceIpv4Cidr"]
        plane = await self.world.planes.start(scope(record["name"]), record["_auth_token"], issuer, services)
        self.access.apply(record["name"])
        return {"endpoint": plane.endpoint, "certificateAuthority": {"data": plane.authority_data}}

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribeCluster."""
        return {"cluster": store.cluster(request["name"])}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListClusters."""
        return {"clusters": sorted(store.clusters.keys())}

    def delete(self, request: Parameters) -> dict[str, Any]:
        """DeleteCluster."""
        name = request["name"]
        record = store.cluster(name)
        if record["status"] == "DELETING":
            return {"cluster": record}
        if any(store.of(store.nodegroups, name)):
            raise in_use("Cluster has nodegroups attached", clusterName=name)
        if any(store.of(store.capabilities, name)):
            raise in_use("Cluster has capabilities attached", clusterName=name)
        if record["status"] == "UPDATING":
            raise in_use(f"Cannot delete cluster {name}: an update is in progress", clusterName=name)
        if record["deletionProtection"] and record["status"] == "ACTIVE":
            raise invalid_request(f"Cluster {name} has deletion protection enabled", clusterName=name)
        record["status"] = "DELETING"
        self.world.life.begin(self._delete(record))
        return {"cluster": record}

    async def _delete(self, record: store.Record) -> None:
        name = record["name"]
        await self.world.pause()
        if self.world.planes:
            await self.world.planes.stop(scope(name))
        network.remove_interfaces(record["_interfaces"])
        network.remove_security_group(record["resourcesVpcConfig"]["clusterSecurityGroupId"])
        for kept in (store.addons, store.access_entries, store.associations):
            for owned in store.of(kept, name):
                store.forget(kept, owned)
        for key in [key for key in store.access_policies if key.split("\0")[0] == name]:
            del store.access_policies[key]
        for update in [update for update in store.updates.values() if update["_of"][0] == name]:
            del store.updates[update["id"]]
        del store.clusters[name]

    def update_version(self, request: Parameters) -> dict[str, Any]:
        """UpdateClusterVersion: one minor up, or back within the days in which that is possible."""
        record = self._ready(request["name"])
        wanted, has = request["version"], record["version"]
        versions.expect(wanted)
        step = versions.minor(wanted) - versions.minor(has)
        if step == 0:
            raise invalid_parameter(f"Cluster is already at version {wanted}")
        if step not in (1, -1):
            raise invalid_parameter(f"Unsupported Kubernetes minor version update from {has} to {wanted}")
        if step < 0 and record.get("_version_before") != wanted:
            raise invalid_request(f"Cluster {record['name']} cannot be rolled back to {wanted}")
        newest = [group["version"] for group in store.of(store.nodegroups, record["name"])]
        if step < 0 and any(versions.minor(version) > versions.minor(wanted) for version in newest):
            raise invalid_request(f"Node groups are at a newer version than {wanted}")

        def apply() -> None:
            record["_version_before"] = record["version"] if step > 0 else None
            record["version"] = wanted

        params = {"Version": wanted, "PlatformVersion": "eks.1"}
        kind = "VersionUpdate" if step > 0 else "VersionRollback"
        return self.updates.begin(record["name"], record, kind, params, apply)

    def update_config(self, request: Parameters) -> dict[str, Any]:
        """UpdateClusterConfig: one kind of change at a time."""
        record = self._ready(request["name"])
        wanted = {name: value for name, value in request.items() if name != "name"}
        auto = {name for name in AUTO_MODE if name in wanted}
        kinds = len(wanted) - len(auto) + bool(auto)
        if kinds != 1:
            raise invalid_parameter("Only one type of update can be allowed.")
        if auto:
            return self._update_auto_mode(record, wanted)
        if "resourcesVpcConfig" in wanted:
            return self._update_vpc(record, wanted["resourcesVpcConfig"])
        ((name, value),) = wanted.items()
        if name not in CONFIGS:
            raise invalid_parameter(f"{name} cannot be updated")
        value = merged(record, name, value)
        if record.get(name) == value:
            raise invalid_parameter(f"No changes needed for the {name} provided")
        self._check_config(record, name, value)

        def apply() -> None:
            record[name] = value
            self._keep_logs(record)

        params = {CONFIG_PARAMETERS[name]: value}
        return self.updates.begin(record["name"], record, CONFIGS[name], params, apply)

    def _check_config(self, record: store.Record, name: str, value: Any) -> None:
        if name == "accessConfig":
            order = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
            if order.index(value["authenticationMode"]) < order.index(record[name]["authenticationMode"]):
                raise invalid_parameter(
                    f"Unsupported authentication mode update from {record[name]['authenticationMode']} to "
                    f"{value['authenticationMode']}"
                )

    def _update_vpc(self, record: store.Record, value: dict[str, Any]) -> dict[str, Any]:
        has = record["resourcesVpcConfig"]
        endpoint = set(value) & set(ENDPOINT)
        if endpoint and set(value) - endpoint:
            raise invalid_parameter("Only one type of update can be allowed.")
        if all(has.get(name) == item for name, item in value.items()):
            raise invalid_parameter("Cluster is already at the desired configuration")
        after = {**has, **value}
        if not (after["endpointPublicAccess"] or after["endpointPrivateAccess"]):
            raise invalid_parameter("Private and public endpoint access cannot be false")
        if network.check_subnets(after["subnetIds"]) != has["vpcId"]:
            raise invalid_parameter("Provided subnets belong to a different VPC")
        network.check_security_groups(after["securityGroupIds"], has["vpcId"])
        params = {name[0].upper() + name[1:].removesuffix("Ids"): item for name, item in value.items()}
        kind = "EndpointAccessUpdate" if endpoint else "VpcConfigUpdate"
        return self.updates.begin(record["name"], record, kind, params, lambda: has.update(value))

    def _update_auto_mode(self, record: store.Record, wanted: dict[str, Any]) -> dict[str, Any]:
        check_auto_mode(wanted, record)
        role = wanted.get("computeConfig", {}).get("nodeRoleArn")
        fixed = record.get("computeConfig", {}).get("nodeRoleArn")
        if role and fixed and role != fixed:
            raise invalid_parameter("The nodeRoleArn of EKS Auto Mode cannot be changed")

        def apply() -> None:
            for name, value in wanted.items():
                record[name] = {**record.get(name, {}), **value}

        params = {name[0].upper() + name[1:]: value for name, value in wanted.items()}
        return self.updates.begin(record["name"], record, "AutoModeUpdate", params, apply)

    def _ready(self, name: str) -> store.Record:
        record = store.cluster(name)
        if record["status"] == "UPDATING":
            raise in_use(f"Cluster {name} has an update in progress", clusterName=name)
        if record["status"] != "ACTIVE":
            raise invalid_request(f"Cluster {name} is not ACTIVE but {record['status']}", clusterName=name)
        return record

    def _keep_logs(self, record: store.Record) -> None:
        if network.logs(record):
            network.write_logs(record["name"])
            self.writing.add(record["name"])

    def log_group_deleted(self, group: str) -> None:
        """Makes a log group again, for as long as its cluster stands, and once after: the last lines come late."""
        name = group.removeprefix("/aws/eks/").removesuffix("/cluster")
        if group == network.log_group(name) and name in self.writing:
            if name not in store.clusters:
                self.writing.discard(name)
            self.world.life.begin(self._write_again(name))

    async def _write_again(self, name: str) -> None:
        await self.world.pause()
        network.write_logs(name)


CONFIG_PARAMETERS = {
    "logging": "ClusterLogging",
    "accessConfig": "AuthenticationMode",
    "upgradePolicy": "UpgradePolicy",
    "zonalShiftConfig": "ZonalShiftConfig",
    "remoteNetworkConfig": "RemoteNetworkConfig",
    "deletionProtection": "DeletionProtection",
    "controlPlaneScalingConfig": "UpdatedTier",
}


def scope(cluster: str) -> tuple[str, str, str]:
    """What a cluster is known by everywhere: account, region, name."""
    return get_account_id(), get_region(), cluster


def merged(record: store.Record, name: str, value: Any) -> Any:
    """What a part of a cluster's configuration becomes."""
    if name == "logging":
        wanted = {kind: setup["enabled"] for setup in value["clusterLogging"] for kind in setup.get("types", [])}
        enabled = {kind for setup in record[name]["clusterLogging"] if setup["enabled"] for kind in setup["types"]}
        return log_setups({kind for kind in LOG_TYPES if wanted.get(kind, kind in enabled)})
    return {**record.get(name, {}), **value} if isinstance(value, dict) else value


def complete_logging(wanted: dict[str, Any]) -> dict[str, Any]:
    """The logging of a cluster, with the types that are not logged."""
    setups = wanted.get("clusterLogging", [])
    return log_setups({kind for setup in setups if setup.get("enabled") for kind in setup.get("types", [])})


def log_setups(enabled: set[str]) -> dict[str, Any]:
    """The two lists that AWS answers with, without the empty one."""
    lists = (
        (True, [kind for kind in LOG_TYPES if kind in enabled]),
        (False, [k for k in LOG_TYPES if k not in enabled]),
    )
    return {"clusterLogging": [{"types": types, "enabled": state} for state, types in lists if types]}


def kubernetes_network(request: Parameters) -> dict[str, Any]:
    """The network that Services are in."""
    wanted = request.get("kubernetesNetworkConfig", {})
    return {
        "serviceIpv4Cidr": wanted.get("serviceIpv4Cidr", "10.100.0.0/16"),
        "ipFamily": wanted.get("ipFamily", "ipv4"),
        "elasticLoadBalancing": {"enabled": False, **wanted.get("elasticLoadBalancing", {})},
    }


def auto_mode(config: dict[str, Any]) -> bool:
    """Whether a cluster has EKS Auto Mode."""
    return bool(config.get("computeConfig", {}).get("enabled"))


def check_auto_mode(request: dict[str, Any], record: store.Record) -> None:
    """Refuses EKS Auto Mode in part."""
    config = {name: {**record.get(name, {}), **request.get(name, {})} for name in AUTO_MODE}
    switches = (
        auto_mode(config),
        bool(config["kubernetesNetworkConfig"].get("elasticLoadBalancing", {}).get("enabled")),
        bool(config["storageConfig"].get("blockStorage", {}).get("enabled")),
    )
    if len(set(switches)) != 1:
        raise invalid_parameter(
            "For EKS Auto Mode, please ensure that all required configs, including computeConfig, "
            "kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled."
        )
    compute = config["computeConfig"]
    if compute.get("nodePools") and not compute.get("nodeRoleArn"):
        raise invalid_parameter("nodeRoleArn is required when nodePools are specified in computeConfig")
    if request.get("computeConfig", {}).get("nodeRoleArn"):
        roles.expect_node_role(request["computeConfig"]["nodeRoleArn"])
