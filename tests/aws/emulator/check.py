"""Shows that the emulator does what it is for: `python -m emulator.check FILE`, with the file that it wrote.

From an empty account to nodes that are Ready, as a provider would go, and back; then the account is as it was.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.model
import botocore.signers

from .check_network import TEMPLATE

# Seconds that anything may take on a busy machine.
PATIENCE = 120.0
NAME = "check"
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


class Account:
    """The emulated account, through the clients that AWS makes."""

    def __init__(self, announced: dict[str, Any]) -> None:
        self.admin: str = announced["admin"]
        self.region: str = announced["region"]
        self.endpoint: str = announced["endpoint"]
        self.session = boto3.session.Session(
            aws_access_key_id=announced["access_key_id"],
            aws_secret_access_key=announced["secret_access_key"],
            region_name=self.region,
        )

    def client(self, service: str) -> Any:
        """A client that does not try again: what fails is to be seen."""
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        return self.session.client(service, endpoint_url=self.endpoint, config=config)

    def inventory(self) -> dict[str, Any]:
        """Everything in the account."""
        with urllib.request.urlopen(f"{self.admin}/inventory", timeout=10) as response:
            return dict(json.load(response))

    def order(self, what: str, document: dict[str, Any], method: str = "POST") -> None:
        """Orders something to go wrong."""
        request = urllib.request.Request(f"{self.admin}/{what}", json.dumps(document).encode(), method=method)
        urllib.request.urlopen(request, timeout=10).close()


class Cluster:
    """A cluster's API server, asked with tokens of a role."""

    def __init__(self, account: Account, described: dict[str, Any]) -> None:
        self.account = account
        self.name = described["name"]
        self.endpoint = described["endpoint"]
        authority = base64.b64decode(described["certificateAuthority"]["data"]).decode()
        self.context = ssl.create_default_context(cadata=authority)

    def status(self, token: str, path: str = "/api/v1/namespaces") -> int:
        """The status of an answer."""
        return self.get(token, path)[0]

    def get(self, token: str, path: str) -> tuple[int, dict[str, Any]]:
        """The status of an answer, and the answer."""
        request = urllib.request.Request(self.endpoint + path, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.context) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, {}

    def token(self, role: str | None = None) -> str:
        """A token: of a role that is assumed for it, or of the operator."""
        session = self.account.session
        if role:
            answer = self.account.client("sts").assume_role(RoleArn=role, RoleSessionName="check")["Credentials"]
            session = boto3.session.Session(
                answer["AccessKeyId"],
                answer["SecretAccessKey"],
                answer["SessionToken"],
                region_name=session.region_name,
            )
        signer = botocore.signers.RequestSigner(
            botocore.model.ServiceId("sts"),
            self.account.region,
            "sts",
            "v4",
            session.get_credentials(),
            session.events,
        )
        request = {
            "method": "GET",
            "url": f"https://sts.{self.account.region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": self.name},
            "context": {},
        }
        url = signer.generate_presigned_url(request, "", 60, self.account.region)
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def main() -> None:
    """Runs the check."""
    account = Account(json.loads(Path(sys.argv[1]).read_text()))
    before = account.inventory()
    network = make_network(account)
    roles = make_roles(account)
    described = make_cluster(account, network, roles)
    cluster = Cluster(account, described)
    check_tokens(account, cluster, roles)
    check_nodes(account, cluster, network, roles)
    check_capability(account, roles)
    check_updates(account)
    check_refusals(account, network, roles)
    remove(account, roles)
    after = account.inventory()
    for kind in sorted(before.keys() | after.keys()):
        expect(f"{kind} is as it was", after.get(kind), before.get(kind))
    print("the account is as it was")


def make_network(account: Account) -> dict[str, str]:
    """Makes the network, and tells its outputs."""
    stacks = account.client("cloudformation")
    made = [stacks.create_stack(StackName=NAME, TemplateBody=TEMPLATE, ClientRequestToken="one") for _ in range(2)]
    expect("a token makes one stack", made[0]["StackId"], made[1]["StackId"])

    def status() -> Any:
        return stacks.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"]

    expect("a stack takes its time", status(), "CREATE_IN_PROGRESS")
    wait("the stack is complete", lambda: status() == "CREATE_COMPLETE")
    outputs = stacks.describe_stacks(StackName=NAME)["Stacks"][0]["Outputs"]
    found = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    ec2 = account.client("ec2")
    of_vpc = [{"Name": "vpc-id", "Values": [found["Vpc"]]}]
    subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    expect("subnets in two zones", len({subnet["AvailabilityZone"] for subnet in subnets}), 2)
    pages = ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5})
    expect("the pages have all VPCs", len([vpc for page in pages for vpc in page["Vpcs"]]), 2)
    (gateway,) = ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"]
    addresses = ec2.describe_addresses(AllocationIds=[gateway["NatGatewayAddresses"][0]["AllocationId"]])
    expect("the gateway has an address", addresses["Addresses"][0]["PublicIp"], found["Address"])
    with refused("InvalidParameterValue"):
        ec2.describe_vpcs(Filters=[{"Name": "nonsense", "Values": ["1"]}])
    with refused("ValidationError"):
        stacks.create_stack(StackName="unresolved", TemplateBody=TEMPLATE.replace('"Ref": "Vpc"', '"Ref": "Nothing"'))
    return found


def make_roles(account: Account) -> dict[str, str]:
    """Makes the roles that everything needs."""
    iam = account.client("iam")
    services = {
        "cluster": {"Service": "eks.amazonaws.com"},
        "node": {"Service": "ec2.amazonaws.com"},
        "capability": {"Service": "capabilities.eks.amazonaws.com"},
        "person": {"AWS": "*"},
        "viewer": {"AWS": "*"},
    }
    return {name: make_role(iam, name, principal) for name, principal in services.items()}


def make_role(iam: Any, name: str, principal: dict[str, str]) -> str:
    """Makes a role."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName=f"{NAME}-{name}", Path=f"/{NAME}/", AssumeRolePolicyDocument=document)
    return str(role["Role"]["Arn"])


def make_cluster(account: Account, network: dict[str, str], roles: dict[str, str]) -> dict[str, Any]:
    """Makes a cluster, twice with the same token, as after a lost answer."""
    eks = account.client("eks")
    request: dict[str, Any] = {
        "name": NAME,
        "roleArn": roles["cluster"],
        "resourcesVpcConfig": {"subnetIds": network["Subnets"].split(",")},
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "logging": {"clusterLogging": [{"types": ["audit"], "enabled": True}]},
        "deletionProtection": True,
        "bootstrapSelfManagedAddons": False,
        "clientRequestToken": "one",
        "tags": {"site": NAME},
    }
    with refused("InvalidParameterException", "could not be assumed"):
        eks.create_cluster(**{**request, "roleArn": roles["node"], "clientRequestToken": "other"})
    with refused("InvalidParameterException", "unsupported Kubernetes version"):
        eks.create_cluster(**{**request, "version": "9.99", "clientRequestToken": "other"})
    account.order("deny", {"service": "eks", "operation": "CreateCluster", "times": 1})
    with refused("AccessDeniedException", "is not authorized to perform: eks:CreateCluster"):
        eks.create_cluster(**request)
    made = [eks.create_cluster(**request)["cluster"] for _ in range(2)]
    expect("a token makes one cluster", made[0]["createdAt"], made[1]["createdAt"])
    expect("a cluster takes its time", made[0]["status"], "CREATING")
    with refused("ResourceInUseException"):
        eks.create_cluster(**{**request, "clientRequestToken": "other"})

    def described() -> dict[str, Any]:
        return dict(eks.describe_cluster(name=NAME)["cluster"])

    expect("no endpoint before", "endpoint" in described(), False)
    wait("the cluster is ACTIVE", lambda: described()["status"] == "ACTIVE")
    cluster = described()
    expect("its VPC", cluster["resourcesVpcConfig"]["vpcId"], network["Vpc"])
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/eks/{NAME}/")["logGroups"]
    expect("its log group", [group["logGroupName"] for group in groups], [f"/aws/eks/{NAME}/cluster"])
    return cluster


def check_tokens(account: Account, cluster: Cluster, roles: dict[str, str]) -> None:
    """Tokens are worth what access entries say, for the role that they were made for."""
    eks, iam = account.client("eks"), account.client("iam")
    person = roles["person"]
    entry = {"clusterName": NAME, "principalArn": person}
    expect("no entry", cluster.status(cluster.token(person)), 401)
    expect("no token", cluster.status("k8s-aws-v1.abc"), 401)
    with refused("InvalidParameterException", "invalid principal"):
        eks.create_access_entry(clusterName=NAME, principalArn=f"{person}-unknown")
    with refused("InvalidParameterException", "system:masters"):
        eks.create_access_entry(**entry, kubernetesGroups=["system:masters"])
    eks.create_access_entry(**entry)
    wait("an entry alone allows nothing", lambda: cluster.status(cluster.token(person)) == 403)
    with refused("InvalidParameterException", "policyArn"):
        eks.associate_access_policy(**entry, policyArn=f"{ADMIN}Unknown", accessScope={"type": "cluster"})
    eks.associate_access_policy(**entry, policyArn=ADMIN, accessScope={"type": "cluster"})
    wait("a policy allows", lambda: cluster.status(cluster.token(person)) == 200)
    other = Cluster.__new__(Cluster)
    other.account, other.name = account, "another"
    expect("a token for another cluster", cluster.status(other.token(person)), 401)

    viewer = roles["viewer"]
    eks.create_access_entry(clusterName=NAME, principalArn=viewer)
    scope = {"type": "namespace", "namespaces": ["default"]}
    eks.associate_access_policy(clusterName=NAME, principalArn=viewer, policyArn=VIEW, accessScope=scope)
    pods = "/api/v1/namespaces/{}/pods"
    wait("a scope allows", lambda: cluster.status(cluster.token(viewer), pods.format("default")) == 200)
    expect("a scope ends", cluster.status(cluster.token(viewer), pods.format("kube-system")), 403)

    first = eks.list_access_entries(clusterName=NAME, maxResults=1)
    second = eks.list_access_entries(clusterName=NAME, maxResults=1, nextToken=first["nextToken"])
    expect("two pages", sorted(first["accessEntries"] + second["accessEntries"]), sorted([person, viewer]))
    expect("the last page", "nextToken" in second, False)

    iam.delete_role(RoleName=f"{NAME}-viewer")
    make_role(iam, "viewer", {"AWS": "*"})
    dead = lambda: cluster.status(cluster.token(viewer), pods.format("default")) == 401  # noqa: E731
    wait("a role that was made again is somebody else", dead)


def check_nodes(account: Account, cluster: Cluster, network: dict[str, str], roles: dict[str, str]) -> None:
    """Nodes join, and addons that need them are well then."""
    eks = account.client("eks")
    eks.create_addon(clusterName=NAME, addonName="coredns")
    addon = lambda: eks.describe_addon(clusterName=NAME, addonName="coredns")["addon"]["status"]  # noqa: E731
    wait("coredns is unwell without nodes", lambda: addon() == "DEGRADED")
    subnets = network["Subnets"].split(",")
    account.order(
        "fail", {"kind": "nodegroup", "nodegroup": "bad", "code": "Ec2SubnetInvalidConfiguration", "message": "m"}
    )
    for name in ("good", "bad"):
        size = {"minSize": 1, "maxSize": 3, "desiredSize": 2}
        eks.create_nodegroup(
            clusterName=NAME, nodegroupName=name, subnets=subnets, nodeRole=roles["node"], scalingConfig=size
        )

    def group(name: str) -> dict[str, Any]:
        return dict(eks.describe_nodegroup(clusterName=NAME, nodegroupName=name)["nodegroup"])

    wait("a failure that was ordered", lambda: group("bad")["status"] == "CREATE_FAILED")
    expect("its cause", group("bad")["health"]["issues"][0]["code"], "Ec2SubnetInvalidConfiguration")
    wait("the node group is ACTIVE", lambda: group("good")["status"] == "ACTIVE")
    nodes = "/api/v1/nodes?labelSelector=eks.amazonaws.com/nodegroup%3Dgood"
    names = ready(cluster.get(cluster.token(roles["person"]), nodes)[1])
    expect("two nodes are Ready", len(names), 2)
    tagged = [{"Name": "tag:eks:nodegroup-name", "Values": ["good"]}]
    instances = account.client("ec2").describe_instances(Filters=tagged)["Reservations"]
    expect("they are instances", sorted(each["PrivateDnsName"] for i in instances for each in i["Instances"]), names)
    wait("coredns is well with nodes", lambda: addon() == "ACTIVE")
    entries = eks.list_access_entries(clusterName=NAME)["accessEntries"]
    expect("the nodes' role was let in", roles["node"] in entries, True)

    eks.update_nodegroup_config(clusterName=NAME, nodegroupName="good", scalingConfig={"desiredSize": 3})
    three = lambda: len(ready(cluster.get(cluster.token(roles["person"]), nodes)[1])) == 3  # noqa: E731
    wait("a third node is Ready", three)
    account.order("rules", {}, "DELETE")


def ready(nodes: dict[str, Any]) -> list[str]:
    """The names of nodes that are Ready."""
    return sorted(
        node["metadata"]["name"]
        for node in nodes["items"]
        if any(
            condition["type"] == "Ready" and condition["status"] == "True" for condition in node["status"]["conditions"]
        )
    )


def check_capability(account: Account, roles: dict[str, str]) -> None:
    """One Argo CD of AWS's own, with an entry for its role."""
    eks = account.client("eks")
    request = {
        "clusterName": NAME,
        "capabilityName": "argocd",
        "type": "ARGOCD",
        "roleArn": roles["capability"],
        "deletePropagationPolicy": "RETAIN",
        "configuration": {"argoCd": {"awsIdc": {"idcInstanceArn": "arn:aws:sso:::instance/ssoins-0123456789abcdef"}}},
    }
    eks.create_capability(**request)
    with refused("ResourceInUseException"):
        eks.create_capability(**{**request, "capabilityName": "second"})
    capability = lambda: eks.describe_capability(clusterName=NAME, capabilityName="argocd")["capability"]  # noqa: E731
    wait("the capability is ACTIVE", lambda: capability()["status"] == "ACTIVE")
    expect("it has a page", capability()["configuration"]["argoCd"]["serverUrl"].startswith("https://"), True)
    expect("its role", roles["capability"] in eks.list_access_entries(clusterName=NAME)["accessEntries"], True)


def check_updates(account: Account) -> None:
    """Updates take their time and one comes after the other."""
    eks = account.client("eks")
    with refused("InvalidParameterException", "No changes needed"):
        eks.update_cluster_config(name=NAME, deletionProtection=True)
    update = eks.update_cluster_version(name=NAME, version="1.35")["update"]
    with refused("ResourceInUseException"):
        eks.update_cluster_config(name=NAME, deletionProtection=False)

    def status() -> Any:
        return eks.describe_update(name=NAME, updateId=update["id"])["update"]["status"]

    expect("an update takes its time", status(), "InProgress")
    wait("the update is done", lambda: status() == "Successful")
    expect("its version", eks.describe_cluster(name=NAME)["cluster"]["version"], "1.35")
    expect("it is listed", eks.list_updates(name=NAME)["updateIds"], [update["id"]])
    arn = eks.describe_cluster(name=NAME)["cluster"]["arn"]
    eks.tag_resource(resourceArn=arn, tags={"more": "1"})
    expect("tags are added", eks.describe_cluster(name=NAME)["cluster"]["tags"], {"site": NAME, "more": "1"})


def check_refusals(account: Account, network: dict[str, str], roles: dict[str, str]) -> None:
    """What is needed cannot be deleted."""
    eks, ec2 = account.client("eks"), account.client("ec2")
    group = eks.describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]["clusterSecurityGroupId"]
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=network["Subnets"].split(",")[0])
    with refused("ResourceInUseException", "nodegroups attached"):
        eks.delete_cluster(name=NAME)


def remove(account: Account, roles: dict[str, str]) -> None:
    """Takes everything away, in the order in which AWS lets it go."""
    eks, logs, iam = account.client("eks"), account.client("logs"), account.client("iam")
    for name in ("good", "bad"):
        status = eks.delete_nodegroup(clusterName=NAME, nodegroupName=name)["nodegroup"]["status"]
        expect("a deletion takes its time", status, "DELETING")
    wait("the node groups are gone", lambda: not eks.list_nodegroups(clusterName=NAME)["nodegroups"])
    with refused("ResourceInUseException", "capabilities attached"):
        eks.delete_cluster(name=NAME)
    eks.delete_capability(clusterName=NAME, capabilityName="argocd")
    wait("the capability is gone", lambda: not eks.list_capabilities(clusterName=NAME)["capabilities"])
    with refused("InvalidRequestException", "deletion protection"):
        eks.delete_cluster(name=NAME)
    eks.update_cluster_config(name=NAME, deletionProtection=False)
    wait("it is not protected", lambda: eks.describe_cluster(name=NAME)["cluster"]["status"] == "ACTIVE")
    expect("it is on its way", eks.delete_cluster(name=NAME)["cluster"]["status"], "DELETING")
    wait("the cluster is gone", lambda: not eks.list_clusters()["clusters"])

    group = f"/aws/eks/{NAME}/cluster"
    there = lambda: bool(logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])  # noqa: E731
    logs.delete_log_group(logGroupName=group)
    wait("the log group comes back", there)
    logs.delete_log_group(logGroupName=group)
    for name in roles:
        iam.delete_role(RoleName=f"{NAME}-{name}")
    stacks = account.client("cloudformation")
    stack = stacks.describe_stacks(StackName=NAME)["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=NAME)
    gone = lambda: stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"  # noqa: E731
    wait("the stack is gone", gone)
    expect("the log group stays away", there(), False)


def expect(what: str, found: object, wanted: object) -> None:
    """Ends the check where something is not as it should be."""
    if found != wanted:
        sys.exit(f"{what}: found {found}, wanted {wanted}")


def wait(what: str, look: Callable[[], bool]) -> None:
    """Looks until something is so."""
    started = time.monotonic()
    while not look():
        if time.monotonic() - started > PATIENCE:
            sys.exit(f"{what}: not within {PATIENCE:.0f} s")
        time.sleep(0.1)
    print(f"{what} ({time.monotonic() - started:.1f} s)", flush=True)


@contextmanager
def refused(code: str, text: str = "") -> Iterator[None]:
    """Expects a refusal."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        expect("the refusal", error.response["Error"]["Code"], code)
        expect(f"`{text}` in `{error}`", text in str(error), True)
    else:
        sys.exit(f"nobody refused, wanted {code} {text}")


if __name__ == "__main__":
    main()
