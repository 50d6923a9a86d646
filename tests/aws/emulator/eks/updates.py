"""Updates: changes of a cluster, or of something in it, which take their time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..errors import in_use, not_found
from ..rest import Parameters
from ..world import World
from . import store

# What an update may be of besides a cluster: the parameter that names it.
SUBJECTS = ("nodegroupName", "addonName", "capabilityName")


class Updates:
    """DescribeUpdate and ListUpdates, and how updates come about."""

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(
        self,
        cluster: str,
        record: store.Record,
        kind: str,
        params: dict[str, Any],
        apply: Callable[[], None],
        **subject: str,
    ) -> dict[str, Any]:
        """Starts an update, of which one at a time is possible. `apply` changes the record when its time has come."""
        for update in store.updates.values():
            if update["status"] == "InProgress" and update["_of"] == (cluster, subject):
                raise in_use(f"Cannot update {cluster}: it currently has update {update['id']} in progress")
        update = {
            "id": store.identifier(),
            "status": "InProgress",
            "type": kind,
            "params": [{"type": name, "value": text(value)} for name, value in params.items()],
            "createdAt": store.now(),
            "errors": [],
            "_of": (cluster, subject),
        }
        store.updates[update["id"]] = update
        record["status"] = "UPDATING"
        self.world.life.begin(self._go(record, update, apply))
        return {"update": update}

    async def _go(self, record: store.Record, update: dict[str, Any], apply: Callable[[], None]) -> None:
        await self.world.pause()
        apply()
        # What is being deleted meanwhile stays that.
        if record["status"] == "UPDATING":
            record["status"] = "ACTIVE"
        if "modifiedAt" in record:
            record["modifiedAt"] = store.now()
        update["status"] = "Successful"

    def describe(self, request: Parameters) -> dict[str, Any]:
        """DescribeUpdate."""
        store.cluster(request["name"])
        update = store.updates.get(request["updateId"])
        if update is None or update["_of"][0] != request["name"]:
            raise not_found(f"No update found for ID: {request['updateId']}")
        return {"update": update}

    def list(self, request: Parameters) -> dict[str, Any]:
        """ListUpdates."""
        store.cluster(request["name"])
        of = (request["name"], {name: request[name] for name in SUBJECTS if name in request})
        return {"updateIds": [update["id"] for update in store.updates.values() if update["_of"] == of]}


def text(value: Any) -> str:
    """A parameter's value as an update has it."""
    return value if isinstance(value, str) else json.dumps(value)
