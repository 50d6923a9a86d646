"""The command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """How the emulator is to run."""

    # Everything is kept below, and taken away at the end.
    state: Path
    port: int
    region: str
    account: str
    pace: float
    # None: clusters have no API server.
    components: Path | None
    # None: node groups have no nodes.
    node_agent: Path | None
    microburst: bool
    # When this process is gone, so is the emulator.
    parent: int | None


def parse(arguments: list[str] | None = None) -> Options:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="An AWS account on loopback, with EKS clusters whose API servers are real.",
    )
    parser.add_argument("--state", type=Path, required=True, help="a folder that is made, and removed at the end")
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 (default: a free one)")
    parser.add_argument("--region", default="eu-west-1", help="the region that tests use (all are there)")
    parser.add_argument("--account", default="111122223333", help="the account's id")
    parser.add_argument("--pace", type=float, default=0.5, help="seconds that whatever takes AWS minutes takes")
    parser.add_argument("--components", type=Path, help="folder with etcd, kube-apiserver and the others")
    parser.add_argument("--node-agent", type=Path, help="the executable that plays nodes (`cargo build --examples`)")
    parser.add_argument("--microburst", action="store_true", help="put microburst in front, for faults and a log")
    parser.add_argument("--parent", type=int, help="end with the process that has this id")
    values = vars(parser.parse_args(arguments))
    for name in ("state", "components", "node_agent"):
        if values[name]:
            values[name] = values[name].absolute()
    return Options(**values)
