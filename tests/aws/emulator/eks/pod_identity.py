"""Pod Identity associations."""

from __future__ import annotations

import secrets
from typing import Any

from ministack.core.responses import get_account_id, get_region

from ..errors import in_use, invalid_request, not_found
from ..rest import Parameters
from . import roles, store

SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")


class PodIdentity:
    """Operations of associations."""

    def create(self, request: Parameters) -> dict[str, Any]:
        """CreatePodIdentityAssociation."""
        store.cluster(request["clusterName"])
        roles.expect(request["roleArn"], "pods.eks.amazonaws.com")
        return {"association": self.make(request["clusterName"], request)}

    def make(self, cluster: str, request: Parameters, owner: str | None = None) -> store.Record:
        """Makes an association, which an addon may own."""
        namespace, account = request["namespace"], request["serviceAccount"]
        for known in store.of(store.associations, cluster):
            if (known["namespace"], known["serviceAccount"]) == (namespace, account):
                raise in_use(f"Association already exists: {known['associationId']}", clusterName=cluster)
        if request.get("policy") and not request.get("disableSessionTags"):
            raise invalid_request("A policy can be given only where session tags are disabled")
        identifier = f"a-{secrets.token_hex(8)}0"
        association = {
            "clusterName": cluster,
            "namespace": namespace,
            "serviceAccount": account,
            "roleArn": request["roleArn"],
            "associationArn": store.arn(f"podidentityassociation/{cluster}/{identifier}"),
            "associationId": identifier,
            "tags": request.get("tags", {}),
            "createdAt": store.now(),
            "modifiedAt": store.now(),
            "disableSessionTags": request.get("disableSessionTags", False),
        }
        association |= {name: request[name] for name in ("targetRoleArn", "policy") if name in request}
        if "targetRoleArn" in request:
            association["externalId"] = f"{get_region()}/{get_account_id()}/{cluster}/{namespace}/{account}"
        if owner:
            association["ownerArn"] = owner
        store.associations[store.entry_key(cluster, identifier)] = association
        return association

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribePodIdentityAssociation."""
        return {"association": self._find(request)}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListPodIdentityAssociations, without what only Describe tells."""
        store.cluster(request["clusterName"])
        asked = [name for name in ("namespace", "serviceAccount") if name in request]
        found = [
            {name: association[name] for name in SUMMARY if name in association}
            for association in store.of(store.associations, request["clusterName"])
            if all(association[name] == request[name] for name in asked)
        ]
        return {"associations": sorted(found, key=lambda association: association["associationId"])}

    def update(self, request: Parameters) -> dict[str, Any]:
        """UpdatePodIdentityAssociation."""
        association = self._find(request)
        if "roleArn" in request:
            roles.expect(request["roleArn"], "pods.eks.amazonaws.com")
        kept = ("roleArn", "targetRoleArn", "disableSessionTags", "policy")
        association |= {name: request[name] for name in kept if name in request}
        association["modifiedAt"] = store.now()
        return {"association": association}

    def delete(self, request: Parameters) -> dict[str, Any]:
        """DeletePodIdentityAssociation."""
        association = self._find(request)
        store.forget(store.associations, association)
        return {"association": association}

    def _find(self, request: Parameters) -> store.Record:
        store.cluster(request["clusterName"])
        key = store.entry_key(request["clusterName"], request["associationId"])
        association: store.Record | None = store.associations.get(key)
        if association is None:
            raise not_found(f"No association found with ID: {request['associationId']}")
        return association
