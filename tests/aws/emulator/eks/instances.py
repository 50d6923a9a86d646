"""The instances of node groups, as EC2 and Auto Scaling show them."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import autoscaling, ec2

from . import network, store


def make_group(name: str, cluster: str, nodegroup: store.Record) -> None:
    """Makes the Auto Scaling group of a node group."""
    sizes = nodegroup["scalingConfig"]
    autoscaling._asgs[name] = {
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:autoScalingGroup:"
        f"{store.identifier()}:autoScalingGroupName/{name}",
        "LaunchConfigurationName": "",
        "LaunchTemplate": None,
        "MinSize": sizes["minSize"],
        "MaxSize": sizes["maxSize"],
        "DesiredCapacity": sizes["desiredSize"],
        "DefaultCooldown": 300,
        "AvailabilityZones": sorted({ec2._subnets[subnet]["AvailabilityZone"] for subnet in nodegroup["subnets"]}),
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 15,
        "VPCZoneIdentifier": ",".join(nodegroup["subnets"]),
        "Instances": [],
        "Status": "",
        "CreatedTime": "",
        "TargetGroupARNs": [],
        "LoadBalancerNames": [],
        "TerminationPolicies": ["Default"],
    }
    tags = group_tags(cluster, nodegroup)
    autoscaling._tags[name] = [
        {
            "Key": key,
            "Value": value,
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "PropagateAtLaunch": True,
        }
        for key, value in tags.items()
    ]


def remove_group(name: str) -> None:
    """Removes an Auto Scaling group."""
    autoscaling._asgs.pop(name, None)
    autoscaling._tags.pop(name, None)


def group_tags(cluster: str, nodegroup: store.Record) -> dict[str, str]:
    """The tags that EKS gives what it makes for a node group. Those of the node group are not among them."""
    return {
        "eks:cluster-name": cluster,
        "eks:nodegroup-name": nodegroup["nodegroupName"],
        f"kubernetes.io/cluster/{cluster}": "owned",
        f"k8s.io/cluster-autoscaler/{cluster}": "owned",
        "k8s.io/cluster-autoscaler/enabled": "true",
    }


def launch(cluster: store.Record, nodegroup: store.Record, index: int) -> dict[str, Any]:
    """Launches an instance, in the node group's subnets by turns."""
    subnet = nodegroup["subnets"][index % len(nodegroup["subnets"])]
    group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    types = nodegroup.get("instanceTypes", ["t3.medium"])
    (instance,) = ec2._launch_instances_internal(
        image_id="ami-0123456789abcdef0",
        instance_type=types[0],
        subnet_id=subnet,
        count=1,
        key_name="",
        user_data="",
        sg_ids=[group],
        requested_private_ip=None,
        iam_profile=None,
    )
    identifier: str = instance["InstanceId"]
    instance["State"] = {"Code": 16, "Name": "running"}
    interface = network.make_interface("", subnet, [group], identifier)
    address = ec2._network_interfaces[interface]["PrivateIpAddress"]
    instance["PrivateIpAddress"] = address
    instance["PrivateDnsName"] = f"ip-{address.replace('.', '-')}.{get_region()}.compute.internal"
    tags = [{"Key": key, "Value": value} for key, value in group_tags(cluster["name"], nodegroup).items()]
    ec2._tags[identifier] = tags + template_tags(nodegroup, "instance")
    ec2._tags[interface] = template_tags(nodegroup, "network-interface")
    for volume in volumes(identifier):
        ec2._tags[volume] = template_tags(nodegroup, "volume")
    return dict(instance)


def template_tags(nodegroup: store.Record, resource: str) -> list[dict[str, str]]:
    """The tags that a node group's launch template has for what is launched from it."""
    wanted = nodegroup.get("launchTemplate")
    template = ec2._launch_templates.get(wanted["id"]) if wanted else None
    if wanted is None or template is None:
        return []
    data: dict[str, Any] = next(
        known["LaunchTemplateData"]
        for known in template["Versions"]
        if str(known["VersionNumber"]) == wanted["version"]
    )
    specifications = data.get("TagSpecifications", [])
    return [
        dict(tag)
        for specification in specifications
        if specification.get("ResourceType") == resource
        for tag in specification.get("Tags", [])
    ]


def terminate(identifier: str) -> None:
    """Terminates an instance, with volumes and interface. It is listed no longer, which in AWS takes an hour."""
    ec2._instances.pop(identifier, None)
    ec2._tags.pop(identifier, None)
    for volume in volumes(identifier):
        del ec2._volumes[volume]
        ec2._tags.pop(volume, None)
    interfaces = [
        interface["NetworkInterfaceId"]
        for interface in ec2._network_interfaces.values()
        if (interface["Attachment"] or {}).get("InstanceId") == identifier
    ]
    network.remove_interfaces(interfaces)


def volumes(instance: str) -> list[str]:
    """The volumes of an instance."""
    return [
        name
        for name, volume in ec2._volumes.items()
        if any(attachment["InstanceId"] == instance for attachment in volume["Attachments"])
    ]


def zone_labels(identifier: str) -> dict[str, str]:
    """Where an instance is."""
    subnet = ec2._subnets[ec2._instances[identifier]["SubnetId"]]
    return {"topology.kubernetes.io/region": get_region(), "topology.kubernetes.io/zone": subnet["AvailabilityZone"]}
