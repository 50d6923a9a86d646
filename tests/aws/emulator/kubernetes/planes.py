"""The control planes of all clusters."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from .control_plane import ControlPlane
from .nodes import Labels, Nodes
from .policies import Policies, Scope
from .processes import Processes


@dataclass
class Member:
    """What belongs to one cluster."""

    plane: ControlPlane
    policies: Policies
    keeping: asyncio.Task[None] | None
    nodes: Nodes | None


class Planes:
    """Starts and stops control planes, by account, region and cluster."""

    def __init__(self, folder: Path, components: Path, agent: Path | None, url: str, processes: Processes) -> None:
        self.folder = folder
        self.components = components
        self.agent = agent
        self.url = url
        self.processes = processes
        self.members: dict[Scope, Member] = {}

    async def start(self, scope: Scope, secret: str, issuer: str, services: str) -> ControlPlane:
        """Starts a cluster's control plane, which asks us about tokens."""
        account, region, name = scope
        plane = ControlPlane(f"{region}/{name}", self.folder / account / region / name, self.components, self.processes)
        policies = Policies(scope, plane.client)
        nodes = Nodes(plane, self.agent) if self.agent else None
        member = Member(plane, policies, None, nodes)
        self.members[scope] = member
        webhook = f"{self.url}/_ministack/eks-auth/{account}/{region}/{name}/{secret}"
        await plane.start(webhook, issuer, services)
        await policies.make_roles()
        await policies.reconcile()
        member.keeping = asyncio.create_task(policies.keep())
        return plane

    async def stop(self, scope: Scope) -> None:
        """Stops a cluster's control plane and removes all that it had."""
        member = self.members.pop(scope, None)
        if member is None:
            return
        if member.keeping:
            member.keeping.cancel()
        await self.processes.stop_all(f"{member.plane.name}/")
        member.plane.release()
        await asyncio.to_thread(shutil.rmtree, member.plane.folder, ignore_errors=True)

    def reconcile(self, scope: Scope) -> None:
        """Has a cluster's access policies be looked at soon."""
        if scope in self.members:
            self.members[scope].policies.wanted.set()

    async def set_nodes(self, scope: Scope, group: str, nodes: dict[str, Labels], taints: list[dict[str, str]]) -> None:
        """Has a node group consist of these nodes."""
        member = self.members.get(scope)
        if member and member.nodes:
            await member.nodes.set(group, nodes, taints)
