"""Everything in the account, so that before and after can be compared."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import (
    alb,
    autoscaling,
    cloudwatch_logs,
    ec2,
    iam,
    sqs,
)
from ministack.services.cloudformation import _stacks

from .eks import store

# What is listed, and what of it changes without anybody having changed it.
STORES = {
    "autoscaling:groups": autoscaling._asgs,
    "ec2:addresses": ec2._addresses,
    "ec2:instances": ec2._instances,
    "ec2:internet-gateways": ec2._internet_gateways,
    "ec2:launch-templates": ec2._launch_templates,
    "ec2:nat-gateways": ec2._nat_gateways,
    "ec2:network-acls": ec2._network_acls,
    "ec2:network-interfaces": ec2._network_interfaces,
    "ec2:route-tables": ec2._route_tables,
    "ec2:security-groups": ec2._security_groups,
    "ec2:snapshots": ec2._snapshots,
    "ec2:subnets": ec2._subnets,
    "ec2:volumes": ec2._volumes,
    "ec2:vpcs": ec2._vpcs,
    "ec2:vpc-endpoints": ec2._vpc_endpoints,
    "eks:access-entries": store.access_entries,
    "eks:access-policies": store.access_policies,
    "eks:addons": store.addons,
    "eks:capabilities": store.capabilities,
    "eks:clusters": store.clusters,
    "eks:nodegroups": store.nodegroups,
    "eks:pod-identity-associations": store.associations,
    "elasticloadbalancing:load-balancers": alb._lbs,
    "elasticloadbalancing:target-groups": alb._tgs,
    "iam:instance-profiles": iam._instance_profiles,
    "iam:oidc-providers": iam._oidc_providers,
    "iam:policies": iam._policies,
    "iam:roles": iam._roles,
    "iam:users": iam._users,
    "logs:groups": cloudwatch_logs._log_groups,
    "sqs:queues": sqs._queues,
}
# AWS goes on listing these for a while after they are gone.
GONE = ("deleted", "DELETE_COMPLETE", "terminated")


def inventory() -> dict[str, Any]:
    """All that there is, by kind, account, region and name."""
    found: dict[str, dict[str, Any]] = {}
    for kind, kept in STORES.items():
        found[kind] = {label(key): seen(value) for key, value in kept.to_dict().items() if not gone(value)}
    found["cloudformation:stacks"] = {
        label(key): {"StackStatus": stack["StackStatus"], "Tags": stack.get("Tags", [])}
        for key, stack in _stacks.to_dict().items()
        if stack["StackStatus"] not in GONE
    }
    known = {name.rsplit(" ", 1)[-1] for kind in found for name in found[kind]}
    found["ec2:tags"] = {
        label(key): sorted(tags, key=lambda tag: tag["Key"])
        for key, tags in ec2._tags.to_dict().items()
        if tags and key[-1] in known
    }
    return {kind: dict(sorted(things.items())) for kind, things in sorted(found.items()) if things}


def gone(value: Any) -> bool:
    """Whether something is listed though it is no more."""
    if not isinstance(value, dict):
        return False
    state = value.get("State") or value.get("status")
    return (state.get("Name") if isinstance(state, dict) else state) in GONE


def label(key: tuple[str, ...]) -> str:
    """A name that says where something is."""
    return " ".join(str(part).replace("\0", " ") for part in key)


def seen(value: Any) -> Any:
    """A copy in JSON's terms, without what is ours."""
    if isinstance(value, dict):
        return {str(key): seen(item) for key, item in sorted(value.items()) if not str(key).startswith("_")}
    if isinstance(value, (list, tuple)):
        return [seen(item) for item in value]
    try:
        json.dumps(value)
    except TypeError:
        return str(value)
    return value
