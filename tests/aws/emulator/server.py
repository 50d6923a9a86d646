"""The one process of the emulator: it starts, says where it is, and ends with all that it started."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .kubernetes.processes import Processes
from .options import Options

if TYPE_CHECKING:
    from .admin import Admin

# How often it is looked whether the parent lives.
PERIOD = 0.5


def run(options: Options) -> None:
    """Runs until a signal or the parent's end."""
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(options.state.iterdir()):
        sys.exit(f"`{options.state}` is not empty")
    listener = socket.create_server(("127.0.0.1", options.port), backlog=256)
    listener.set_inheritable(False)
    prepare(options, listener.getsockname()[1])
    try:
        asyncio.run(serve(options, listener))
    finally:
        shutil.rmtree(options.state, ignore_errors=True)


def prepare(options: Options, port: int) -> None:
    """Sets what ministack reads when it is imported. Nothing of the caller's own AWS settings is left."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_"))]:
        del os.environ[name]
    (options.state / "tmp").mkdir(mode=0o700)
    os.environ |= {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": "AKIAROOT" + secrets.token_hex(6).upper(),
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": options.account,
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": options.region,
        "SFTP_ENABLED": "0",
        "TMPDIR": str(options.state / "tmp"),
    }


async def serve(options: Options, listener: socket.socket) -> None:
    """Serves, and takes everything away at the end."""
    # ministack reads the environment when it is imported.
    from hypercorn.asyncio import serve as serve_http
    from hypercorn.config import Config

    from .assembly import assemble

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    announced: dict[str, Any] = {"children": {}}

    def announce(**news: Any) -> None:
        announced.update(news)
        if "endpoint" in announced:
            replace(options.state / "emulator.json", announced)

    processes = Processes(lambda pids: announce(children=pids))
    world, application, key = assemble(options, url, processes)
    config = Config()
    # Microburst names its upstream as the host, so it has a port of its own, where that is put right.
    behind = socket.create_server(("127.0.0.1", 0), backlog=256)
    config.bind = [f"fd://{listener.fileno()}", f"fd://{behind.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.loglevel = "WARNING"
    watching = [asyncio.ensure_future(watch) for watch in parent_watches(options.parent, stop)]
    server = asyncio.ensure_future(serve_http(application, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    try:
        endpoint = url
        if options.microburst:
            endpoint = await start_microburst(options.state, behind, application, processes)
        announce(
            endpoint=endpoint,
            admin=f"{url}/_bridgehead",
            rules=f"{endpoint}/_microburst" if options.microburst else None,
            pid=os.getpid(),
            region=options.region,
            account=options.account,
            access_key_id=key[0],
            secret_access_key=key[1],
        )
        await server
    finally:
        for watch in watching:
            watch.cancel()
        await world.life.end()
        await processes.stop_all()


def parent_watches(parent: int | None, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    """What ends the emulator with its parent."""
    if parent is None:
        return []

    async def watch() -> None:
        started = start_time(parent)
        while started is not None and start_time(parent) == started:
            await asyncio.sleep(PERIOD)
        stop.set()

    return [watch()]


def start_time(pid: int) -> str | None:
    """When a process began, by which it is told from another of the same id; nothing once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


async def start_microburst(folder: Path, behind: socket.socket, application: Admin, processes: Processes) -> str:
    """Starts microburst in front, and tells where."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    application.signed_for[behind.getsockname()[1]] = f"127.0.0.1:{port}".encode()
    upstream = f"http://127.0.0.1:{behind.getsockname()[1]}"
    arguments = ["-m", "microburst", "--upstream", upstream, "--host", "127.0.0.1", "--port", str(port)]
    packages = os.pathsep.join(filter(None, sys.path))
    await processes.start("microburst", sys.executable, *arguments, folder=folder, PYTHONPATH=packages)
    deadline = time.monotonic() + 20
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return f"http://127.0.0.1:{port}"
        except OSError:
            if time.monotonic() > deadline or processes.ended("microburst") is not None:
                raise RuntimeError(f"microburst does not listen: see {folder / 'microburst.log'}") from None
        await asyncio.sleep(0.05)


def replace(path: Path, document: dict[str, Any]) -> None:
    """Writes a file so that readers see the old one or the new one."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document, indent=2))
    draft.replace(path)
