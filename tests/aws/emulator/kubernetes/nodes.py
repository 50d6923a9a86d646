"""The nodes of a cluster, played by bridgehead's node agent.

One agent plays all nodes of a cluster, because it is what connects Services with pods. When nodes come or go, it is
started again, and with it what runs in pods.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

from .client import ApiServerError
from .control_plane import ControlPlane, StartError

logger = logging.getLogger("emulator")

# How long nodes may take to be Ready on a busy machine.
PATIENCE = 60.0

Labels = dict[str, str]


class Nodes:
    """What nodes a cluster has, by node group."""

    def __init__(self, plane: ControlPlane, agent: Path) -> None:
        self.plane = plane
        self.agent = agent
        self.groups: dict[str, dict[str, Labels]] = {}
        self.issued: dict[str, dict[str, Any]] = {}
        self._turn = asyncio.Lock()

    async def set(self, group: str, nodes: dict[str, Labels], taints: list[dict[str, str]]) -> None:
        """Has a node group consist of these nodes, and returns when they are Ready."""
        async with self._turn:
            before = self.groups.get(group, {})
            self.groups[group] = nodes
            if before.keys() != nodes.keys():
                await self._restart()
            for gone in before.keys() - nodes.keys():
                self.issued.pop(gone, None)
                await self._remove(gone)
            for name, labels in nodes.items():
                await self._introduce(name, labels, taints)

    async def _restart(self) -> None:
        process = f"{self.plane.name}/node-agent"
        await self.plane.processes.stop(process)
        names = [name for nodes in self.groups.values() for name in nodes]
        if not names:
            return
        configuration = self.plane.folder / "node-agent.json"
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(self._configuration(names)))
        await self.plane.processes.start(process, self.agent, str(configuration), folder=self.plane.folder)

    def _configuration(self, names: list[str]) -> dict[str, Any]:
        return {
            "nodes": [self._identity(name) for name in names],
            "server": self.plane.endpoint,
            "authority": str(self.plane.pki.path("ca.crt")),
            "folder": str(self.plane.folder / "nodes"),
            "components": str(self.plane.components),
            "service_ports": self.plane.ports.services,
            "pod_ports": self.plane.ports.pods,
        }

    def _identity(self, name: str) -> dict[str, Any]:
        """A node's name, port and certificates, the same for its life."""
        if name not in self.issued:
            taken = {known["port"] for known in self.issued.values()}
            port = next(port for port in map(self.plane.ports.kubelet, range(10**6)) if port not in taken)
            user = f"system:node:{name}"
            self.issued[name] = {
                "name": name,
                "port": port,
                "client": str(self.plane.pki.issue(f"node-{name}.pem", user, "system:nodes")),
                "serving": str(
                    self.plane.pki.issue(f"kubelet-{name}.pem", user, "system:nodes", serves=("127.0.0.1",))
                ),
            }
        return self.issued[name]

    async def _introduce(self, name: str, labels: Labels, taints: list[dict[str, str]]) -> None:
        """Gives a node what EKS gives it, once it has registered, and waits until it is Ready."""
        effects = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
        own = [{**taint, "effect": effects[taint["effect"]]} for taint in taints]
        path = f"/api/v1/nodes/{name}"
        deadline = time.monotonic() + PATIENCE
        patched = False
        while True:
            try:
                node = await self.plane.client.call("GET", path)
                if not patched:
                    others = [taint for taint in node["spec"].get("taints", []) if "node.kubernetes.io" in taint["key"]]
                    patch = {"metadata": {"labels": labels}, "spec": {"taints": others + own}}
                    await self.plane.client.call("PATCH", path, patch, "application/merge-patch+json")
                    patched = True
                if is_ready(node):
                    return
                reason = "it is not Ready"
            except ApiServerError as error:
                reason = str(error)
            if time.monotonic() > deadline:
                raise StartError(f"node {name} is not there within {PATIENCE:.0f} s: {reason}")
            await asyncio.sleep(0.1)

    async def _remove(self, name: str) -> None:
        pods = await self.plane.client.call("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")
        for pod in pods["items"]:
            where = pod["metadata"]
            path = f"/api/v1/namespaces/{where['namespace']}/pods/{where['name']}?gracePeriodSeconds=0"
            await self.plane.client.delete(path)
        await self.plane.client.delete(f"/api/v1/nodes/{name}")


def is_ready(node: dict[str, Any]) -> bool:
    """Whether a node says that it is Ready."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
