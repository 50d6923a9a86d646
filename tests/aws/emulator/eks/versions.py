"""The versions of Kubernetes and of addons that are offered."""

from __future__ import annotations

import datetime
from typing import Any

from ..errors import invalid_parameter
from ..rest import Parameters

DEFAULT = "1.34"
# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html: release, ends of standard and extended
# support. The patches are ours.
RELEASES = {
    "1.33": ("2025-05-29", "2026-07-29", "2027-07-29"),
    "1.34": ("2025-10-02", "2026-12-02", "2027-12-02"),
    "1.35": ("2026-01-28", "2027-03-27", "2028-03-27"),
}
# Of each addon: its namespace, and its versions for a minor, the default first.
ADDONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "aws-ebs-csi-driver": ("kube-system", ("v1.50.1-eksbuild.1", "v1.49.0-eksbuild.1")),
    "aws-efs-csi-driver": ("kube-system", ("v2.1.13-eksbuild.1", "v2.1.12-eksbuild.1")),
    "coredns": ("kube-system", ("v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1")),
    "eks-node-monitoring-agent": ("kube-system", ("v1.4.1-eksbuild.1", "v1.4.0-eksbuild.2")),
    "eks-pod-identity-agent": ("kube-system", ("v1.3.9-eksbuild.3", "v1.3.8-eksbuild.2")),
    "kube-proxy": ("kube-system", ("v{minor}.1-eksbuild.2", "v{minor}.0-eksbuild.2")),
    "metrics-server": ("kube-system", ("v0.8.0-eksbuild.3", "v0.8.0-eksbuild.2")),
    "snapshot-controller": ("kube-system", ("v8.3.0-eksbuild.1",)),
    "vpc-cni": ("kube-system", ("v1.20.4-eksbuild.1", "v1.20.3-eksbuild.1")),
}
# Addons whose pods call AWS: https://docs.aws.amazon.com/eks/latest/userguide/retrieve-iam-info.html
IDENTITIES = {
    "aws-ebs-csi-driver": (
        "ebs-csi-controller-sa",
        "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicyV2",
    ),
    "aws-efs-csi-driver": ("efs-csi-controller-sa", "arn:aws:iam::aws:policy/service-role/AmazonEFSCSIDriverPolicy"),
    "vpc-cni": ("aws-node", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
}


def expect(version: str) -> None:
    """Refuses a version of Kubernetes that is not offered."""
    if version not in RELEASES:
        raise invalid_parameter(f"unsupported Kubernetes version {version}")


def minor(version: str) -> int:
    """34 of 1.34."""
    return int(version.split(".")[1])


def addon_versions(name: str, kubernetes: str) -> tuple[str, ...]:
    """The versions of an addon for one of Kubernetes, the default first."""
    return tuple(version.format(minor=kubernetes) for version in ADDONS[name][1])


def day(text: str) -> float:
    """A date in AWS's JSON."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def describe_cluster_versions(request: Parameters) -> dict[str, Any]:
    """DescribeClusterVersions, the newest first."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found = []
    for version, (released, standard, extended) in reversed(RELEASES.items()):
        status = "STANDARD_SUPPORT" if today <= standard else "EXTENDED_SUPPORT"
        if request.get("defaultOnly") and version != DEFAULT:
            continue
        if request.get("clusterVersions") and version not in request["clusterVersions"]:
            continue
        if request.get("versionStatus") not in (None, status):
            continue
        found.append(
            {
                "clusterVersion": version,
                "clusterType": "eks",
                "defaultPlatformVersion": "eks.1",
                "defaultVersion": version == DEFAULT,
                "releaseDate": day(released),
                "endOfStandardSupportDate": day(standard),
                "endOfExtendedSupportDate": day(extended),
                "status": status,
                "versionStatus": status,
                "kubernetesPatchVersion": f"{version}.4",
            }
        )
    return {"clusterVersions": found}


def describe_addon_versions(request: Parameters) -> dict[str, Any]:
    """DescribeAddonVersions."""
    kubernetes = request.get("kubernetesVersion")
    minors = [kubernetes] if kubernetes else list(reversed(RELEASES))
    names = [name for name in ADDONS if request.get("addonName") in (None, name)]
    return {"addons": [addon_info(name, minors) for name in names if not kubernetes or kubernetes in RELEASES]}


def addon_info(name: str, minors: list[str]) -> dict[str, Any]:
    """An addon with the versions that it has for any of the minors."""
    offered: dict[str, list[dict[str, Any]]] = {}
    for kubernetes in minors:
        for index, version in enumerate(addon_versions(name, kubernetes)):
            offered.setdefault(version, []).append(
                {"clusterVersion": kubernetes, "platformVersions": ["*"], "defaultVersion": index == 0}
            )
    return {
        "addonName": name,
        "type": "networking" if name in ("vpc-cni", "kube-proxy", "coredns") else "storage",
        "addonVersions": [
            {
                "addonVersion": version,
                "architecture": ["amd64", "arm64"],
                "computeTypes": ["ec2", "auto"],
                "compatibilities": compatibilities,
                "requiresConfiguration": False,
                "requiresIamPermissions": name in IDENTITIES,
            }
            for version, compatibilities in offered.items()
        ],
        "publisher": "eks",
        "owner": "aws",
        "defaultNamespace": ADDONS[name][0],
    }


def describe_addon_configuration(request: Parameters) -> dict[str, Any]:
    """DescribeAddonConfiguration, with a schema that allows every object."""
    name, version = request["addonName"], request["addonVersion"]
    if name not in ADDONS or not any(version in addon_versions(name, minor) for minor in RELEASES):
        raise invalid_parameter(f"Addon version specified is not supported: {name} {version}")
    identity = IDENTITIES.get(name)
    return {
        "addonName": name,
        "addonVersion": version,
        "configurationSchema": '{"$schema":"http://json-schema.org/draft-06/schema#","type":"object"}',
        "podIdentityConfiguration": [{"serviceAccount": identity[0], "recommendedManagedPolicies": [identity[1]]}]
        if identity
        else [],
    }
