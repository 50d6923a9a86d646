"""Types of resources in stacks."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections.abc import Callable
from typing import Any

from ministack.services import ec2, iam
from ministack.services.cloudformation import provisioners, stacks

from ..ec2 import refusals
from ..eks import network
from ..world import World

Properties = dict[str, Any]
Attributes = dict[str, Any]
Handler = dict[str, Any]

HANDLERS: dict[str, Handler] = provisioners._RESOURCE_HANDLERS
# These take their time, so that IN_PROGRESS is seen, in threads of ministack's.
SLOW = ("AWS::EC2::NatGateway", "AWS::EC2::VPC")


def install(world: World) -> None:
    """Adds what is missing, and puts checks before what is there."""
    HANDLERS["AWS::EC2::EIP"] = {
        "create": create_address,
        "update": update_address,
        "update_with_logical_id": True,
        "delete": delete_address,
    }
    HANDLERS["AWS::EC2::NatGateway"] = {
        "create": create_nat_gateway,
        "update": update_nat_gateway,
        "update_with_logical_id": True,
        "delete": delete_nat_gateway,
    }
    for kind in ("AWS::EC2::EIP", "AWS::EC2::NatGateway"):
        provisioners._STACK_TAG_PROPERTY[kind] = ("Tags", "list")
    before("AWS::EC2::EIP", lambda properties: error("Ec2", refusals.address_quota(world)))
    before("AWS::EC2::VPC", lambda properties: error("Ec2", refusals.vpc_quota(world)))
    before("AWS::EC2::Subnet", check_subnet)
    before("AWS::EC2::Route", check_route)
    before("AWS::IAM::Role", check_role)
    with_attributes("AWS::EC2::VPC", lambda name: {"VpcId": name, "CidrBlock": ec2._vpcs[name]["CidrBlock"]})
    with_attributes("AWS::EC2::Subnet", subnet_attributes)
    guard("AWS::EC2::SecurityGroup", refusals.security_group)
    guard("AWS::EC2::Subnet", refusals.subnet)
    guard("AWS::EC2::VPC", refusals.vpc)
    blocks = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in SLOW or blocks(kind)
    for kind, handler in HANDLERS.items():
        if "create" in handler:
            handler["create"] = unless_ordered(world, kind, handler["create"])
    for kind in SLOW:
        HANDLERS[kind]["delete"] = slowly(world, HANDLERS[kind]["delete"])


def unless_ordered(world: World, kind: str, create: Callable[..., Any]) -> Callable[..., Any]:
    """Creates a resource, unless it is to fail."""

    def ordered(logical_id: str, properties: Properties, stack: str) -> Any:
        failure = world.rules.failure("stack", stack=stack, resource=logical_id, type=kind)
        if failure:
            raise ValueError(failure.get("message", "it was ordered to fail"))
        if kind in SLOW:
            time.sleep(world.pace)
        return create(logical_id, properties, stack)

    return ordered


def slowly(world: World, delete: Callable[..., Any]) -> Callable[..., Any]:
    """Deletes a resource in the time that it takes."""

    def slow(physical_id: str, properties: Properties) -> Any:
        time.sleep(world.pace)
        return delete(physical_id, properties)

    return slow


def before(kind: str, check: Callable[[Properties], None]) -> None:
    """Puts a check before a resource is created; it raises what the event will say."""
    create = HANDLERS[kind]["create"]

    def checked(logical_id: str, properties: Properties, stack: str) -> Any:
        check(properties)
        return create(logical_id, properties, stack)

    HANDLERS[kind]["create"] = checked


def guard(kind: str, objection: Callable[[str], str | None]) -> None:
    """Puts an objection before a resource is deleted."""
    delete = HANDLERS[kind]["delete"]

    def guarded(physical_id: str, properties: Properties) -> Any:
        error("Ec2", refusals.dependency(objection(physical_id)))
        return delete(physical_id, properties)

    HANDLERS[kind]["delete"] = guarded


def with_attributes(kind: str, attributes: Callable[[str], Attributes]) -> None:
    """Lets Fn::GetAtt have more attributes of a resource."""
    for step in ("create", "update"):
        inner = HANDLERS[kind][step]

        def extended(*arguments: Any, inner: Callable[..., Any] = inner, **more: Any) -> tuple[str, Attributes]:
            physical_id, has = inner(*arguments, **more)
            return physical_id, {**(has or {}), **attributes(physical_id)}

        HANDLERS[kind][step] = extended


def error(service: str, refused: tuple[str, str] | None) -> None:
    """Raises what the event of a resource says, in the form in which CloudFormation passes errors on."""
    if refused:
        code, message = refused
        raise ValueError(f"{message} (Service: {service}, Status Code: 400, Request ID: , Error Code: {code})")


def create_address(logical_id: str, properties: Properties, stack: str) -> tuple[str, Attributes]:
    """Allocates an elastic address."""
    allocation, address = f"eipalloc-{secrets.token_hex(8)}0", ec2._random_ip("52.")
    ec2._addresses[allocation] = {
        "AllocationId": allocation,
        "PublicIp": address,
        "Domain": properties.get("Domain", "vpc"),
        "AssociationId": None,
        "InstanceId": None,
        "NetworkInterfaceId": None,
        "PrivateIpAddress": None,
    }
    provisioners._ec2_apply_tags(allocation, properties)
    return address, {"AllocationId": allocation, "PublicIp": address}


def allocation_of(address: str) -> str | None:
    """The id of an elastic address, whose name in a stack is the address itself."""
    return next((name for name, known in ec2._addresses.items() if known["PublicIp"] == address), None)


def update_address(
    address: str, old: Properties, new: Properties, stack: str, logical_id: str = ""
) -> tuple[str, Attributes]:
    """Changes an elastic address's tags."""
    allocation = allocation_of(address)
    provisioners._ec2_apply_tags(allocation, new, old)
    return address, {"AllocationId": allocation, "PublicIp": address}


def delete_address(address: str, properties: Properties) -> None:
    """Releases an elastic address."""
    allocation = allocation_of(address)
    if allocation:
        error("Ec2", refusals.address_in_use(allocation))
        del ec2._addresses[allocation]
        ec2._tags.pop(allocation, None)


def create_nat_gateway(logical_id: str, properties: Properties, stack: str) -> tuple[str, Attributes]:
    """Makes a NAT gateway, which has an interface in its subnet."""
    allocation, subnet = properties.get("AllocationId"), properties.get("SubnetId")
    if allocation not in ec2._addresses:
        error("Ec2", ("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist"))
    if subnet not in ec2._subnets:
        error("Ec2", ("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist"))
    name = f"nat-{secrets.token_hex(8)}0"
    interface = network.make_interface(f"Interface for NAT Gateway {name}", str(subnet), [])
    ec2._network_interfaces[interface]["InterfaceType"] = "nat_gateway"
    ec2._addresses[allocation] |= {
        "AssociationId": f"eipassoc-{secrets.token_hex(8)}0",
        "NetworkInterfaceId": interface,
        "PrivateIpAddress": ec2._network_interfaces[interface]["PrivateIpAddress"],
    }
    ec2._nat_gateways[name] = {
        "NatGatewayId": name,
        "SubnetId": subnet,
        "VpcId": ec2._subnets[subnet]["VpcId"],
        "AllocationId": allocation,
        "ConnectivityType": properties.get("ConnectivityType", "public"),
        "State": "available",
        "CreateTime": ec2._now_ts(),
        "Tags": [],
    }
    provisioners._ec2_apply_tags(name, properties)
    return name, {"NatGatewayId": name}


def update_nat_gateway(
    name: str, old: Properties, new: Properties, stack: str, logical_id: str = ""
) -> tuple[str, Attributes]:
    """Changes a NAT gateway's tags."""
    provisioners._ec2_apply_tags(name, new, old)
    return name, {"NatGatewayId": name}


def delete_nat_gateway(name: str, properties: Properties) -> None:
    """Deletes a NAT gateway, which stays listed as deleted."""
    gateway = ec2._nat_gateways.get(name)
    if gateway:
        gateway["State"] = "deleted"
        address = ec2._addresses.get(gateway["AllocationId"])
        if address:
            network.remove_interfaces([address["NetworkInterfaceId"]])
            address |= {"AssociationId": None, "NetworkInterfaceId": None, "PrivateIpAddress": None}


def check_subnet(properties: Properties) -> None:
    """Refuses a subnet that does not fit its VPC."""
    name = properties.get("VpcId")
    vpc = ec2._vpcs.get(name)
    if vpc is None:
        error("Ec2", ("InvalidVpcID.NotFound", f"The vpc ID '{name}' does not exist"))
        return
    block = ipaddress.ip_network(properties["CidrBlock"])
    if not block.subnet_of(ipaddress.ip_network(vpc["CidrBlock"])):  # type: ignore[arg-type]
        error("Ec2", ("InvalidSubnet.Range", f"The CIDR '{block}' is invalid."))
    for subnet in ec2._subnets.values():
        if subnet["VpcId"] == name and block.overlaps(ipaddress.ip_network(subnet["CidrBlock"])):
            error("Ec2", ("InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet"))


def subnet_attributes(name: str) -> Attributes:
    """The attributes of a subnet."""
    subnet = ec2._subnets[name]
    return {member: subnet[member] for member in ("CidrBlock", "VpcId", "AvailabilityZoneId")}


def check_route(properties: Properties) -> None:
    """Refuses a route from or to what does not exist."""
    table, gateway = properties.get("RouteTableId"), properties.get("NatGatewayId")
    if table not in ec2._route_tables:
        error("Ec2", ("InvalidRouteTableID.NotFound", f"The routeTable ID '{table}' does not exist"))
    if gateway and gateway not in ec2._nat_gateways:
        error("Ec2", ("InvalidNatGatewayID.NotFound", f"The natGateway ID '{gateway}' does not exist"))


def check_role(properties: Properties) -> None:
    """Refuses a role that exists: ministack would take it over, and delete it with the stack."""
    name = properties.get("RoleName")
    if name in iam._roles:
        error("Iam", ("EntityAlreadyExists", f"Role with name {name} already exists."))
