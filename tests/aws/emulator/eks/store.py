"""Everything that EKS keeps, by account and region.

The dictionaries are ministack's own where it has them: its handling of tokens and access policies reads them.
Members that begin with `_` are never answered.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import eks

from ..errors import not_found

Record = dict[str, Any]

clusters = eks._clusters
nodegroups = eks._nodegroups
addons = eks._addons
access_entries = eks._access_entries
access_policies = eks._access_policies
associations = eks._pod_identity_associations
capabilities = AccountRegionScopedDict()
updates = AccountRegionScopedDict()

# What has an ARN: where it is kept, and the member with its ARN.
TAGGED = (
    (clusters, "arn"),
    (nodegroups, "nodegroupArn"),
    (addons, "addonArn"),
    (access_entries, "accessEntryArn"),
    (associations, "associationArn"),
    (capabilities, "arn"),
)


def now() -> float:
    """The time, as AWS's JSON has it: seconds since 1970."""
    return round(time.time(), 3)


def arn(resource: str) -> str:
    """The ARN of a resource of EKS in the account and region of the call."""
    return f"arn:aws:eks:{get_region()}:{get_account_id()}:{resource}"


def identifier() -> str:
    """A fresh id."""
    return str(uuid.uuid4())


def key(cluster: str, name: str) -> str:
    """Where a node group or an addon is kept."""
    return f"{cluster}/{name}"


def entry_key(cluster: str, principal: str, *policy: str) -> str:
    """Where an access entry is kept, or a policy that is associated with it."""
    return "\0".join((cluster, principal, *policy))


def cluster(name: str) -> Record:
    """A cluster that there is."""
    record = clusters.get(name)
    if record is None:
        raise not_found(f"No cluster found for name: {name}.", clusterName=name)
    return record


def of(store: Any, name: str) -> Iterator[Record]:
    """What a cluster has of something."""
    return (record for record in list(store.values()) if record["clusterName"] == name)


def forget(store: Any, record: Record) -> None:
    """Removes a record, if it is still there."""
    for where, kept in list(store.items()):
        if kept is record:
            del store[where]
