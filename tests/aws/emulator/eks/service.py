"""EKS as ministack's gateway calls it."""

from __future__ import annotations

import json
from typing import Any

from ministack.core.iam_evaluator import resolve_caller_identity
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import eks as ministack_eks

from ..errors import ApiError
from ..rest import Operation, Parameters, Service
from ..world import World
from . import authentication, tags, versions
from .access import Access
from .addons import Addons
from .capabilities import Capabilities
from .clusters import Clusters
from .nodegroups import Nodegroups
from .pod_identity import PodIdentity
from .updates import Updates

Response = tuple[int, dict[str, str], bytes]


class Eks:
    """The service, with all its operations."""

    def __init__(self, world: World) -> None:
        updates, access, pod_identity = Updates(world), Access(world), PodIdentity()
        self.clusters = Clusters(world, updates, access)
        addons = Addons(world, updates, pod_identity)
        nodegroups = Nodegroups(world, updates, access, addons)
        capabilities = Capabilities(world, updates, access)
        self.creator: str | None = None
        operations: dict[str, Operation] = {
            "CreateCluster": self._create_cluster,
            "DescribeCluster": self.clusters.describe,
            "ListClusters": self.clusters.list,
            "DeleteCluster": self.clusters.delete,
            "UpdateClusterVersion": self.clusters.update_version,
            "UpdateClusterConfig": self.clusters.update_config,
            "DescribeUpdate": updates.describe,
            "ListUpdates": updates.list,
            "CreateNodegroup": nodegroups.create,
            "DescribeNodegroup": nodegroups.describe,
            "ListNodegroups": nodegroups.list,
            "DeleteNodegroup": nodegroups.delete,
            "UpdateNodegroupConfig": nodegroups.update_config,
            "UpdateNodegroupVersion": nodegroups.update_version,
            "CreateAddon": addons.create,
            "DescribeAddon": addons.describe,
            "ListAddons": addons.list,
            "DeleteAddon": addons.delete,
            "UpdateAddon": addons.update,
            "DescribeAddonVersions": versions.describe_addon_versions,
            "DescribeAddonConfiguration": versions.describe_addon_configuration,
            "DescribeClusterVersions": versions.describe_cluster_versions,
            "CreateAccessEntry": access.create,
            "DescribeAccessEntry": access.describe,
            "ListAccessEntries": access.list,
            "UpdateAccessEntry": access.update,
            "DeleteAccessEntry": access.delete,
            "AssociateAccessPolicy": access.associate,
            "DisassociateAccessPolicy": access.disassociate,
            "ListAssociatedAccessPolicies": access.list_associated,
            "ListAccessPolicies": access.list_policies,
            "CreatePodIdentityAssociation": pod_identity.create,
            "DescribePodIdentityAssociation": pod_identity.describe,
            "ListPodIdentityAssociations": pod_identity.list,
            "UpdatePodIdentityAssociation": pod_identity.update,
            "DeletePodIdentityAssociation": pod_identity.delete,
            "CreateCapability": capabilities.create,
            "DescribeCapability": capabilities.describe,
            "ListCapabilities": capabilities.list,
            "UpdateCapability": capabilities.update,
            "DeleteCapability": capabilities.delete,
            "ListInsights": lambda request: {"insights": []},
            "ListFargateProfiles": lambda request: {"fargateProfileNames": []},
            "ListIdentityProviderConfigs": lambda request: {"identityProviderConfigs": []},
            "TagResource": tags.tag,
            "UntagResource": tags.untag,
            "ListTagsForResource": tags.list_tags,
        }
        self.service = Service("eks", operations)

    def operation(self, method: str, path: str) -> str:
        """What a request is called in a log of calls."""
        found = self.service.operation_of(method, path)
        return found[0] if found else f"{method} {path}"

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        """Answers a request that ministack has authenticated, or that an API server asks about its tokens."""
        asked = authentication.PATH.fullmatch(path)
        if asked:
            account, region, cluster, secret = asked.groups()
            return respond(200, authentication.review(account, region, cluster, secret, body))
        if path.startswith("/oidc/"):
            return ministack_eks._handle_request_sync(method, path, headers, body, query)  # type: ignore[no-any-return]
        identity = resolve_caller_identity(extract_access_key_id(headers, query))
        arn = identity["userArn"] if identity else None
        self.creator = ministack_eks._role_arn_from_assumed_role(arn) or arn
        try:
            scope = (get_account_id(), get_region())
            return respond(200, self.service.answer(scope, method, path, query, body))
        except ApiError as error:
            members = {"message": error.message, **error.members}
            return respond(error.status, members, {"x-amzn-errortype": error.code})

    def _create_cluster(self, request: Parameters) -> dict[str, Any]:
        return self.clusters.create(request, self.creator)


def respond(status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A response of AWS's JSON services."""
    return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(document).encode()
