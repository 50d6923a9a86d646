"""What EC2 refuses: to remove what something else needs, and to make more than a quota allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import ec2

from .. import quotas
from ..world import World
from .filters import Parameters, Response, refuse


def install(world: World) -> None:
    """Puts the refusals before ministack's operations."""

    def guard(action: str, objection: Callable[[Parameters], tuple[str, str] | None]) -> None:
        inner = ec2._ACTION_MAP[action]

        def guarded(parameters: Parameters) -> Response:
            refused = objection(parameters)
            return refuse(*refused) if refused else inner(parameters)

        ec2._ACTION_MAP[action] = guarded

    guard("DeleteSecurityGroup", lambda p: dependency(security_group(ec2._p(p, "GroupId"))))
    guard("DeleteSubnet", lambda p: dependency(subnet(ec2._p(p, "SubnetId"))))
    guard("DeleteVpc", lambda p: dependency(vpc(ec2._p(p, "VpcId"))))
    guard("DeleteNetworkInterface", lambda p: interface_in_use(ec2._p(p, "NetworkInterfaceId")))
    guard("DetachNetworkInterface", lambda p: not_ours(ec2._p(p, "AttachmentId")))
    guard("CreateVpc", lambda p: vpc_quota(world))
    guard("AllocateAddress", lambda p: address_quota(world))
    guard("ReleaseAddress", lambda p: address_in_use(ec2._p(p, "AllocationId")))
    create = ec2._ACTION_MAP["CreateNetworkInterface"]

    def create_interface(parameters: Parameters) -> Response:
        before = set(ec2._network_interfaces)
        response = create(parameters)
        for identifier in set(ec2._network_interfaces) - before:
            ec2._parse_tag_specs(parameters, "network-interface", identifier)
            ec2._network_interfaces[identifier]["RequesterManaged"] = False
        return response  # type: ignore[no-any-return]

    ec2._ACTION_MAP["CreateNetworkInterface"] = create_interface
    ec2._ACTION_MAP["DescribeNatGateways"] = describe_nat_gateways
    fields = ec2._eni_fields_xml

    def with_requester(interface: dict[str, Any], tag: str = "item") -> str:
        managed = str(bool(interface.get("RequesterManaged"))).lower()
        inside: str = fields(interface, tag)
        return inside.replace("<groupSet>", f"<requesterManaged>{managed}</requesterManaged><groupSet>", 1)

    ec2._eni_fields_xml = with_requester


def dependency(message: str | None) -> tuple[str, str] | None:
    """The error for something that others depend on."""
    return ("DependencyViolation", message) if message else None


def security_group(identifier: str) -> str | None:
    """Why a security group cannot go: an interface has it, or a rule of another group names it."""
    attached = any(
        group["GroupId"] == identifier
        for interface in ec2._network_interfaces.values()
        for group in interface["Groups"]
    )
    named = any(
        pair.get("GroupId") == identifier
        for group in ec2._security_groups.values()
        if group["GroupId"] != identifier
        for rule in (*group["IpPermissions"], *group["IpPermissionsEgress"])
        for pair in rule.get("UserIdGroupPairs", [])
    )
    return f"resource {identifier} has a dependent object" if attached or named else None


def subnet(identifier: str) -> str | None:
    """Why a subnet cannot go: an interface is in it."""
    used = any(interface["SubnetId"] == identifier for interface in ec2._network_interfaces.values())
    return f"The subnet '{identifier}' has dependencies and cannot be deleted." if used else None


def vpc(identifier: str) -> str | None:
    """Why a VPC cannot go: something is in it that did not come with it."""

    def inside() -> Iterator[bool]:
        yield any(subnet["VpcId"] == identifier for subnet in ec2._subnets.values())
        yield any(interface["VpcId"] == identifier for interface in ec2._network_interfaces.values())
        yield any(endpoint["VpcId"] == identifier for endpoint in ec2._vpc_endpoints.values())
        yield any(
            group["VpcId"] == identifier and group["GroupName"] != "default" for group in ec2._security_groups.values()
        )
        yield any(
            attachment.get("VpcId") == identifier
            for gateway in ec2._internet_gateways.values()
            for attachment in gateway["Attachments"]
        )

    return f"The vpc '{identifier}' has dependencies and cannot be deleted." if any(inside()) else None


def interface_in_use(identifier: str) -> tuple[str, str] | None:
    """Why an interface cannot go: it is attached."""
    interface = ec2._network_interfaces.get(identifier)
    if interface and interface["Attachment"]:
        return "InvalidParameterValue", f"Network interface '{identifier}' is currently in use."
    return None


def not_ours(attachment: str) -> tuple[str, str] | None:
    """Why an interface cannot be detached: AWS has made it for itself."""
    for interface in ec2._network_interfaces.values():
        if (interface["Attachment"] or {}).get("AttachmentId") == attachment and interface.get("RequesterManaged"):
            return "OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."
    return None


def vpc_quota(world: World) -> tuple[str, str] | None:
    """Why there can be no further VPC."""
    if len(ec2._vpcs) >= quotas.limit(world, "vpc", "L-F678F1CE"):
        return "VpcLimitExceeded", "The maximum number of VPCs has been reached."
    return None


def address_quota(world: World) -> tuple[str, str] | None:
    """Why there can be no further elastic address."""
    if len(ec2._addresses) >= quotas.limit(world, "ec2", "L-0263D0A3"):
        return "AddressLimitExceeded", "The maximum number of addresses has been reached."
    return None


def address_in_use(allocation: str) -> tuple[str, str] | None:
    """Why an elastic address cannot be released: a gateway has it."""
    for gateway in ec2._nat_gateways.values():
        if gateway["AllocationId"] == allocation and gateway["State"] != "deleted":
            return "InvalidIPAddress.InUse", f"Address with allocation id {allocation} is in use."
    return None


def describe_nat_gateways(parameters: Parameters) -> Response:
    """DescribeNatGateways with the gateways' addresses. Filters are applied before."""
    asked = ec2._parse_member_list(parameters, "NatGatewayId")
    items = "".join(
        nat_gateway(gateway) for gateway in ec2._nat_gateways.values() if not asked or gateway["NatGatewayId"] in asked
    )
    return ec2._xml(200, "DescribeNatGatewaysResponse", f"<natGatewaySet>{items}</natGatewaySet>")  # type: ignore[no-any-return]


def nat_gateway(gateway: dict[str, str]) -> str:
    """A gateway as XML."""
    address = ec2._addresses.get(gateway["AllocationId"], {})
    return (
        f"<item><natGatewayId>{gateway['NatGatewayId']}</natGatewayId><subnetId>{gateway['SubnetId']}</subnetId>"
        f"<vpcId>{gateway['VpcId']}</vpcId><state>{gateway['State']}</state>"
        f"<connectivityType>{gateway['ConnectivityType']}</connectivityType>"
        f"<createTime>{gateway['CreateTime']}</createTime><natGatewayAddressSet><item>"
        f"<allocationId>{gateway['AllocationId']}</allocationId>"
        f"<networkInterfaceId>{address.get('NetworkInterfaceId') or ''}</networkInterfaceId>"
        f"<publicIp>{address.get('PublicIp', '')}</publicIp></item></natGatewayAddressSet>"
        f"{ec2._tag_set_xml(gateway['NatGatewayId'])}</item>"
    )
