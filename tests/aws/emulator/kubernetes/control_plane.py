"""The programs of a control plane and what each is started with."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path

from .certificates import NAMES, Authority
from .client import ApiServerError, Client
from .ports import Ports
from .processes import Processes

# How long an API server may take on a busy machine.
PATIENCE = 90.0

# Rather more memory than time spent on collecting garbage, which would be a quarter of a start.
GARBAGE_COLLECTION = {"GOGC": "400", "GOMEMLIMIT": "640MiB"}


class StartError(Exception):
    """A control plane did not come up."""


class ControlPlane:
    """A cluster's etcd, API server, controllers and scheduler."""

    def __init__(self, name: str, folder: Path, components: Path, processes: Processes) -> None:
        self.name = name
        self.folder = folder
        self.components = components
        self.processes = processes
        self.ports = Ports()
        folder.mkdir(parents=True, mode=0o700)
        self.pki = Authority(folder / "pki")
        self.endpoint = f"https://127.0.0.1:{self.ports.api_server}"
        identity = self.pki.issue("admin.pem", "emulator", "system:masters")
        self.client = Client(self.endpoint, self.pki.path("ca.crt"), identity)

    @property
    def authority_data(self) -> str:
        """The authority's certificate as DescribeCluster has it."""
        return base64.b64encode(self.pki.path("ca.crt").read_bytes()).decode()

    async def start(self, webhook: str, issuer: str, services: str) -> None:
        """Starts everything, and returns when the API server is ready and has its first ServiceAccount."""
        await self._start("etcd", *self._etcd())
        await self._start("kube-apiserver", *self._api_server(webhook, issuer, services))
        await self._until_ready("/readyz")
        await self._start("kube-controller-manager", *self._controller_manager())
        await self._start("kube-scheduler", *self._scheduler())
        await self._until_ready("/api/v1/namespaces/default/serviceaccounts/default")

    def release(self) -> None:
        """Gives back what is not in the folder."""
        self.ports.release()

    async def _start(self, program: str, *arguments: str) -> None:
        name = f"{self.name}/{program}"
        program_path = self.components / program
        await self.processes.start(name, program_path, *arguments, folder=self.folder, **GARBAGE_COLLECTION)

    async def _until_ready(self, path: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await self.client.call("GET", path)
                return
            except ApiServerError as error:
                for program in ("etcd", "kube-apiserver"):
                    if self.processes.ended(f"{self.name}/{program}") is not None:
                        raise StartError(f"{program} has ended: see {self.folder / program}.log") from None
                if time.monotonic() > deadline:
                    raise StartError(f"{path} was not there within {PATIENCE:.0f} s: {error}") from None
            await asyncio.sleep(0.1)

    def _etcd(self) -> list[str]:
        client = f"http://127.0.0.1:{self.ports.etcd}"
        peer = f"http://127.0.0.1:{self.ports.etcd_peer}"
        return [
            "--name=emulator",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=emulator={peer}",
            "--unsafe-no-fsync",
            "--heartbeat-interval=10",
            "--election-timeout=100",
            "--log-level=warn",
        ]

    def _api_server(self, webhook: str, issuer: str, services: str) -> list[str]:
        network = services.rsplit(".", 1)[0]
        serving = self.pki.issue("api-server.pem", "kube-apiserver", serves=(*NAMES, "127.0.0.1", f"{network}.1"))
        kubelet = self.pki.issue("kubelet-client.pem", "kube-apiserver-kubelet-client", "system:masters")
        key, public = self.pki.signing_key()
        authority = self.pki.path("ca.crt")
        return [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.ports.api_server}",
            f"--tls-cert-file={serving}",
            f"--tls-private-key-file={serving}",
            f"--client-ca-file={authority}",
            "--anonymous-auth=false",
            f"--authentication-token-webhook-config-file={self._webhook(webhook)}",
            "--authentication-token-webhook-version=v1",
            # What EKS has said of a token is not remembered, so that an entry's end is seen at once.
            "--authentication-token-webhook-cache-ttl=1s",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--etcd-servers=http://127.0.0.1:{self.ports.etcd}",
            f"--kubelet-certificate-authority={authority}",
            f"--kubelet-client-certificate={kubelet}",
            f"--kubelet-client-key={kubelet}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer={issuer}",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={key}",
            f"--service-cluster-ip-range={services}",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
        ]

    def _controller_manager(self) -> list[str]:
        identity = self.pki.issue("controller-manager.pem", "system:kube-controller-manager")
        authority = self.pki.path("ca.pem")
        return [
            f"--kubeconfig={self._kubeconfig('kube-controller-manager', identity)}",
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self.pki.path('service-accounts.key')}",
            f"--root-ca-file={self.pki.path('ca.crt')}",
            f"--cluster-signing-cert-file={authority}",
            f"--cluster-signing-key-file={authority}",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--profiling=false",
        ]

    def _scheduler(self) -> list[str]:
        identity = self.pki.issue("scheduler.pem", "system:kube-scheduler")
        return [
            f"--kubeconfig={self._kubeconfig('kube-scheduler', identity)}",
            "--leader-elect=false",
            "--secure-port=0",
            "--profiling=false",
        ]

    def _kubeconfig(self, program: str, identity: Path) -> Path:
        cluster = {"server": self.endpoint, "certificate-authority": str(self.pki.path("ca.crt"))}
        user = {"client-certificate": str(identity), "client-key": str(identity)}
        return self._write_kubeconfig(program, cluster, user)

    def _webhook(self, url: str) -> Path:
        return self._write_kubeconfig("token-webhook", {"server": url}, {})

    def _write_kubeconfig(self, name: str, cluster: dict[str, str], user: dict[str, str]) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "eks", "cluster": cluster}],
            "users": [{"name": "eks", "user": user}],
            "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "eks"}}],
            "current-context": "eks",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(document))
        return path
