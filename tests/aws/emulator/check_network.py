"""The network of the check: public and private subnets in two zones, one NAT gateway."""

from __future__ import annotations

import json
from typing import Any


def reference(name: str) -> dict[str, str]:
    """What a resource is called."""
    return {"Ref": name}


def select(index: int, values: Any) -> dict[str, Any]:
    """One of several values."""
    return {"Fn::Select": [index, values]}


def resource(kind: str, after: str = "", **properties: Any) -> dict[str, Any]:
    """A resource."""
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties, **({"DependsOn": after} if after else {})}


def template() -> dict[str, Any]:
    """The whole of it."""
    vpc = reference("Vpc")
    blocks = {"Fn::Cidr": [{"Fn::GetAtt": ["Vpc", "CidrBlock"]}, 4, 12]}
    resources = {
        "Vpc": resource("VPC", CidrBlock="10.30.0.0/16", EnableDnsHostnames=True, EnableDnsSupport=True),
        "Gateway": resource("InternetGateway"),
        "Attachment": resource("VPCGatewayAttachment", VpcId=vpc, InternetGatewayId=reference("Gateway")),
        "Address": resource("EIP", "Attachment", Domain="vpc"),
        "Nat": resource(
            "NatGateway",
            "Attachment",
            AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]},
            SubnetId=reference("Public0"),
        ),
    }
    targets = {"Public": {"GatewayId": reference("Gateway")}, "Private": {"NatGatewayId": reference("Nat")}}
    for place, (name, target) in enumerate(targets.items()):
        table = f"{name}Routes"
        resources[table] = resource("RouteTable", VpcId=vpc)
        resources[f"{name}Route"] = resource(
            "Route", "Attachment", RouteTableId=reference(table), DestinationCidrBlock="0.0.0.0/0", **target
        )
        for zone in range(2):
            subnet = f"{name}{zone}"
            resources[subnet] = resource(
                "Subnet",
                VpcId=vpc,
                CidrBlock=select(2 * place + zone, blocks),
                AvailabilityZone=select(zone, {"Fn::GetAZs": {"Ref": "AWS::Region"}}),
                MapPublicIpOnLaunch=name == "Public",
            )
            resources[f"{subnet}Routes"] = resource(
                "SubnetRouteTableAssociation", SubnetId=reference(subnet), RouteTableId=reference(table)
            )
    subnets = [reference(f"{name}{zone}") for name in targets for zone in range(2)]
    outputs = {"Vpc": vpc, "Subnets": {"Fn::Join": [",", subnets]}, "Address": reference("Address")}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": resources,
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }


TEMPLATE = json.dumps(template())
