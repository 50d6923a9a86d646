"""A cluster's ports on loopback: one block, below the ports that the kernel hands out by itself.

Blocks are reserved under the same names as bridgehead reserves those of its own clusters, so neither takes the
other's: a name of an abstract socket goes with its process.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

BLOCK = 192
LOWEST = 10_240
HIGHEST = 32_768
KUBELETS = 8
SERVICES = 40
PODS = 72


class Ports:
    """A block that is this process's own until it is released."""

    def __init__(self) -> None:
        for first in candidates():
            reserved = reserve(first)
            if reserved and all(is_free(port) for port in range(first, first + BLOCK)):
                self.first, self._reserved = first, reserved
                return
            if reserved:
                reserved.close()
        raise OSError(f"no {BLOCK} neighbouring ports are free on 127.0.0.1 between {LOWEST} and {HIGHEST}")

    @property
    def api_server(self) -> int:
        """The API server."""
        return self.first

    @property
    def etcd(self) -> int:
        """etcd, for the API server."""
        return self.first + 1

    @property
    def etcd_peer(self) -> int:
        """etcd, for members that a cluster of one does not have."""
        return self.first + 2

    def kubelet(self, index: int) -> int:
        """The kubelet API of a node, counted from 0."""
        if index >= SERVICES - KUBELETS:
            raise OSError(f"a cluster has ports for {SERVICES - KUBELETS} nodes")
        return self.first + KUBELETS + index

    @property
    def services(self) -> tuple[int, int]:
        """First and last of the ports that Services get."""
        return self.first + SERVICES, self.first + PODS - 1

    @property
    def pods(self) -> tuple[int, int]:
        """First and last of the ports that programs in pods listen on."""
        return self.first + PODS, self.first + BLOCK - 1

    def release(self) -> None:
        """Lets others have it."""
        self._reserved.close()


def candidates() -> Iterator[int]:
    """Every block, from a place that is drawn."""
    blocks = list(range(LOWEST, HIGHEST - BLOCK, BLOCK))
    start = random.randrange(len(blocks))
    yield from blocks[start:] + blocks[:start]


def reserve(first: int) -> socket.socket | None:
    """Keeps others from a block, unless somebody has it."""
    reserved = socket.socket(socket.AF_UNIX)
    try:
        reserved.bind(f"\0bridgehead/ports/{first}")
    except OSError:
        reserved.close()
        return None
    return reserved


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of 127.0.0.1."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
