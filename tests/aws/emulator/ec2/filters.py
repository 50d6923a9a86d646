"""Filters and pages of the Describe operations. An unknown filter is refused, as in AWS: ministack ignores it."""

from __future__ import annotations

import base64
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.services import ec2

Response = tuple[int, dict[str, str], bytes]
Parameters = dict[str, list[str]]
Record = dict[str, Any]
Values = Callable[[Record], list[str]]


def member(*path: str) -> Values:
    """The value at a path of a record, as a filter sees it."""

    def values(record: Record) -> list[str]:
        found: Any = record
        for name in path:
            found = (found or {}).get(name)
        if found is None:
            return []
        return [str(found).lower() if isinstance(found, bool) else str(found)]

    return values


def each(collection: str, name: str) -> Values:
    """The values that all of a collection have."""
    return lambda record: [str(item[name]) for item in record.get(collection) or [] if item.get(name)]


@dataclass(frozen=True)
class Listing:
    """What a Describe operation lists: where it is kept, and the filters of its own."""

    kept: Any
    identifier: str
    response: str
    filters: dict[str, Values]


LISTINGS = {
    "DescribeAddresses": Listing(
        ec2._addresses,
        "AllocationId",
        "addressesSet",
        {
            "allocation-id": member("AllocationId"),
            "association-id": member("AssociationId"),
            "public-ip": member("PublicIp"),
        },
    ),
    "DescribeInstances": Listing(
        ec2._instances,
        "InstanceId",
        "reservationSet",
        {
            "instance-state-name": member("State", "Name"),
            "network-interface.vpc-id": member("VpcId"),
            "private-dns-name": member("PrivateDnsName"),
            "subnet-id": member("SubnetId"),
            "vpc-id": member("VpcId"),
        },
    ),
    "DescribeInternetGateways": Listing(
        ec2._internet_gateways,
        "InternetGatewayId",
        "internetGatewaySet",
        {"attachment.vpc-id": each("Attachments", "VpcId"), "internet-gateway-id": member("InternetGatewayId")},
    ),
    "DescribeLaunchTemplates": Listing(
        ec2._launch_templates,
        "LaunchTemplateId",
        "launchTemplates",
        {"launch-template-name": member("LaunchTemplateName")},
    ),
    "DescribeNatGateways": Listing(
        ec2._nat_gateways,
        "NatGatewayId",
        "natGatewaySet",
        {
            "nat-gateway-id": member("NatGatewayId"),
            "state": member("State"),
            "subnet-id": member("SubnetId"),
            "vpc-id": member("VpcId"),
        },
    ),
    "DescribeNetworkInterfaces": Listing(
        ec2._network_interfaces,
        "NetworkInterfaceId",
        "networkInterfaceSet",
        {
            "attachment.instance-id": member("Attachment", "InstanceId"),
            "availability-zone": member("AvailabilityZone"),
            "description": member("Description"),
            "group-id": each("Groups", "GroupId"),
            "interface-type": member("InterfaceType"),
            "network-interface-id": member("NetworkInterfaceId"),
            "requester-managed": member("RequesterManaged"),
            "status": member("Status"),
            "subnet-id": member("SubnetId"),
            "vpc-id": member("VpcId"),
        },
    ),
    "DescribeRouteTables": Listing(
        ec2._route_tables,
        "RouteTableId",
        "routeTableSet",
        {
            "association.main": each("Associations", "Main"),
            "association.subnet-id": each("Associations", "SubnetId"),
            "route-table-id": member("RouteTableId"),
            "vpc-id": member("VpcId"),
        },
    ),
    "DescribeSecurityGroups": Listing(
        ec2._security_groups,
        "GroupId",
        "securityGroupInfo",
        {"group-id": member("GroupId"), "group-name": member("GroupName"), "vpc-id": member("VpcId")},
    ),
    "DescribeSubnets": Listing(
        ec2._subnets,
        "SubnetId",
        "subnetSet",
        {
            "availability-zone": member("AvailabilityZone"),
            "cidr-block": member("CidrBlock"),
            "state": member("State"),
            "subnet-id": member("SubnetId"),
            "vpc-id": member("VpcId"),
        },
    ),
    "DescribeVolumes": Listing(
        ec2._volumes,
        "VolumeId",
        "volumeSet",
        {"availability-zone": member("AvailabilityZone"), "status": member("State"), "volume-id": member("VolumeId")},
    ),
    "DescribeVpcEndpoints": Listing(
        ec2._vpc_endpoints,
        "VpcEndpointId",
        "vpcEndpointSet",
        {"service-name": member("ServiceName"), "vpc-endpoint-state": member("State"), "vpc-id": member("VpcId")},
    ),
    "DescribeVpcs": Listing(
        ec2._vpcs,
        "VpcId",
        "vpcSet",
        {
            "cidr": member("CidrBlock"),
            "is-default": member("IsDefault"),
            "state": member("State"),
            "vpc-id": member("VpcId"),
        },
    ),
}


def install() -> None:
    """Puts filters and pages before ministack's operations."""
    for action, listing in LISTINGS.items():
        ec2._ACTION_MAP[action] = listed(action, listing, ec2._ACTION_MAP[action])


def listed(action: str, listing: Listing, inner: Callable[[Parameters], Response]) -> Callable[[Parameters], Response]:
    """An operation that answers what the filters leave, a page of it where one is asked for."""

    def describe(parameters: Parameters) -> Response:
        filters = ec2._parse_filters(parameters)
        for name in filters:
            if name not in listing.filters and not name.startswith("tag:") and name not in ("tag-key", "tag-value"):
                return refuse("InvalidParameterValue", f"The filter '{name}' is invalid")
        limit = int(parameters.get("MaxResults", ["0"])[0])
        if not filters and not limit:
            return inner(parameters)
        asked = ec2._parse_member_list(parameters, listing.identifier)
        found = sorted(
            record[listing.identifier]
            for record in listing.kept.values()
            if (not asked or record[listing.identifier] in asked) and matches(record, listing, filters)
        )
        token = parameters.get("NextToken", [""])[0]
        start = int(base64.b64decode(token)) if token else 0
        page = found[start : start + limit] if limit else found
        if not page:
            return ec2._xml(200, f"{action}Response", f"<{listing.response}/>")  # type: ignore[no-any-return]
        identified = {f"{listing.identifier}.{index}": [name] for index, name in enumerate(page, 1)}
        status, headers, body = inner({"Action": [action], **identified})
        if start + len(page) < len(found):
            following = base64.b64encode(str(start + limit).encode()).decode()
            body = body.replace(b"<requestId>", f"<nextToken>{following}</nextToken><requestId>".encode())
        return status, headers, body

    return describe


def matches(record: Record, listing: Listing, filters: dict[str, list[str]]) -> bool:
    """Whether every filter lets a record through. Values may have `*` and `?` in them."""
    if not ec2._resource_matches_tag_filters(record[listing.identifier], filters):
        return False
    return all(
        any(fnmatch.fnmatchcase(value, wanted) for value in listing.filters[name](record) for wanted in wanteds)
        for name, wanteds in filters.items()
        if name in listing.filters
    )


def refuse(code: str, message: str) -> Response:
    """An error of EC2."""
    return ec2._error(code, message, 400)  # type: ignore[no-any-return]
