"""What EKS makes in the account for a cluster: a security group, network interfaces, a log group."""

from __future__ import annotations

import secrets
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import cloudwatch_logs, ec2

from ..errors import invalid_parameter, invalid_request
from . import store


def check_subnets(identifiers: list[str]) -> str:
    """The VPC of subnets that a control plane can use."""
    for identifier in identifiers:
        if identifier not in ec2._subnets:
            raise invalid_request(f"The subnet ID '{identifier}' does not exist", subnetId=identifier)
    subnets = [ec2._subnets[identifier] for identifier in identifiers]
    if len({subnet["VpcId"] for subnet in subnets}) != 1:
        raise invalid_parameter("Subnets specified must be in the same VPC")
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
        raise invalid_parameter("Subnets specified must be in at least two different AZs")
    return str(subnets[0]["VpcId"])


def check_security_groups(identifiers: list[str], vpc: str) -> None:
    """Refuses security groups that are not in a cluster's VPC."""
    for identifier in identifiers:
        group = ec2._security_groups.get(identifier)
        if group is None or group["VpcId"] != vpc:
            raise invalid_parameter(f"The security group '{identifier}' does not exist")


def make_security_group(cluster: str, vpc: str) -> str:
    """Makes the group that nodes and the control plane talk through."""
    identifier = f"sg-{secrets.token_hex(8)}0"
    name = f"eks-cluster-sg-{cluster}-{secrets.randbelow(10**9):09}"
    everything: dict[str, Any] = {"IpProtocol": "-1", "Ipv6Ranges": [], "PrefixListIds": []}
    peer = {"GroupId": identifier, "UserId": get_account_id()}
    ec2._security_groups[identifier] = {
        "GroupId": identifier,
        "GroupName": name,
        "Description": "EKS created security group applied to ENI that is attached to EKS Control Plane master "
        "nodes, as well as any managed workloads.",
        "VpcId": vpc,
        "OwnerId": get_account_id(),
        "IpPermissions": [{**everything, "IpRanges": [], "UserIdGroupPairs": [peer]}],
        "IpPermissionsEgress": [{**everything, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": []}],
    }
    tags = {"Name": name, f"kubernetes.io/cluster/{cluster}": "owned", "aws:eks:cluster-name": cluster}
    ec2._tags[identifier] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return identifier


def remove_security_group(identifier: str) -> None:
    """Removes it, unless something is still attached to it: then it stays, as it does in AWS."""
    used = (group["GroupId"] for interface in ec2._network_interfaces.values() for group in interface["Groups"])
    if identifier not in set(used):
        ec2._security_groups.pop(identifier, None)
        ec2._tags.pop(identifier, None)


def make_interface(description: str, subnet: str, groups: list[str], instance: str | None = None) -> str:
    """Makes a network interface that is in use, by an instance or by AWS itself."""
    identifier = f"eni-{secrets.token_hex(8)}0"
    where = ec2._subnets[subnet]
    address = f"{where['CidrBlock'].rsplit('.', 2)[0]}.{secrets.randbelow(16)}.{secrets.randbelow(250) + 4}"
    ec2._network_interfaces[identifier] = {
        "NetworkInterfaceId": identifier,
        "SubnetId": subnet,
        "VpcId": where["VpcId"],
        "AvailabilityZone": where["AvailabilityZone"],
        "Description": description,
        "OwnerId": get_account_id(),
        "Status": "in-use",
        "PrivateIpAddress": address,
        "InterfaceType": "interface",
        "RequesterManaged": instance is None,
        "SourceDestCheck": True,
        "MacAddress": ":".join(f"{secrets.randbelow(256):02x}" for _ in range(6)),
        "Groups": [
            {"GroupId": group, "GroupName": ec2._security_groups.get(group, {}).get("GroupName", group)}
            for group in groups
        ],
        "Attachment": {
            "AttachmentId": f"eni-attach-{secrets.token_hex(8)}0",
            "InstanceId": instance or "",
            "AttachTime": ec2._now_ts(),
        },
    }
    return identifier


def make_control_plane_interfaces(cluster: store.Record) -> list[str]:
    """The interfaces through which a control plane is in the cluster's subnets: two, in two zones."""
    config = cluster["resourcesVpcConfig"]
    zones = {ec2._subnets[subnet]["AvailabilityZone"]: subnet for subnet in config["subnetIds"]}
    groups = [config["clusterSecurityGroupId"], *config["securityGroupIds"]]
    name = f"Amazon EKS {cluster['name']}"
    return [make_interface(name, subnet, groups) for subnet in list(zones.values())[:2]]


def remove_interfaces(identifiers: list[str]) -> None:
    """Removes interfaces."""
    for identifier in identifiers:
        ec2._network_interfaces.pop(identifier, None)
        ec2._tags.pop(identifier, None)


def log_group(cluster: str) -> str:
    """The log group that a control plane writes to."""
    return f"/aws/eks/{cluster}/cluster"


def logs(cluster: store.Record) -> bool:
    """Whether a cluster's control plane writes logs at all."""
    setups = cluster["logging"]["clusterLogging"]
    return any(setup.get("enabled") and setup.get("types") for setup in setups)


def write_logs(cluster: str) -> None:
    """Makes the log group, unless somebody has: with a retention of theirs, perhaps."""
    if log_group(cluster) not in cloudwatch_logs._log_groups:
        cloudwatch_logs._create_log_group({"logGroupName": log_group(cluster)})
