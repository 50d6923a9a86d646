"""Access policies in an API server: EKS has an authorizer of its own for them, here they are RBAC."""

from __future__ import annotations

import asyncio
import logging

from ministack.services import eks

from .client import ApiServerError, Client

logger = logging.getLogger("emulator")

RBAC = "/apis/rbac.authorization.k8s.io/v1"
LABEL = eks._ACCESS_POLICY_BINDING_LABEL
# How often namespaces are looked for that a policy is meant for and that were not there before.
PERIOD = 1.0

Scope = tuple[str, str, str]


class Policies:
    """Keeps the bindings of one cluster as its access entries say."""

    def __init__(self, scope: Scope, client: Client) -> None:
        self.account, self.region, self.cluster = scope
        self.client = client
        self.wanted = asyncio.Event()

    async def make_roles(self) -> None:
        """Makes the roles that bindings refer to."""
        for document in self._objects([]):
            if document["kind"] == "ClusterRole":
                await self.client.apply(f"{RBAC}/clusterroles/{document['metadata']['name']}", document)

    async def keep(self) -> None:
        """Binds and unbinds, for as long as the cluster stands."""
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            try:
                await self.reconcile()
            except ApiServerError as error:
                logger.warning("access policies of %s: %s", self.cluster, error)
                self.wanted.set()
            if eks._has_namespace_access_policy(self.cluster, self.account, self.region):
                self.wanted.set()
            if self.wanted.is_set():
                await asyncio.sleep(PERIOD)

    async def reconcile(self) -> None:
        """Brings bindings up to date once."""
        namespaces = await self.client.call("GET", "/api/v1/namespaces")
        names = [namespace["metadata"]["name"] for namespace in namespaces["items"]]
        bindings = {
            path(document["kind"], document["metadata"]): document
            for document in self._objects(names)
            if document["kind"] != "ClusterRole"
        }
        for kind in ("ClusterRoleBinding", "RoleBinding"):
            present = await self.client.call("GET", f"{RBAC}/{kind.lower()}s?labelSelector={LABEL}%3Dtrue")
            for item in present["items"]:
                where = path(kind, item["metadata"])
                if where in bindings:
                    del bindings[where]
                else:
                    await self.client.delete(where)
        for where, document in bindings.items():
            await self.client.apply(where, document)

    def _objects(self, namespaces: list[str]) -> list[dict[str, object]]:
        return eks._access_policy_rbac_objects(self.cluster, self.account, self.region, namespaces)  # type: ignore[no-any-return]


def path(kind: str, metadata: dict[str, str]) -> str:
    """Where a binding is."""
    namespace = metadata.get("namespace")
    return f"{RBAC}/{f'namespaces/{namespace}/' if namespace else ''}{kind.lower()}s/{metadata['name']}"
