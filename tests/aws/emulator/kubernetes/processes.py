"""Child processes, none of which outlives the emulator, whatever ends that."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
GRACE = 10.0

libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Asks the kernel to end this process with the thread that started it: the emulator's first."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Processes:
    """The children that run, told to somebody at every change."""

    def __init__(self, changed: Callable[[dict[str, int]], None]) -> None:
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self._changed = changed

    async def start(self, name: str, program: Path | str, *arguments: str, folder: Path, **environment: str) -> None:
        """Starts a child with a log of its own, and nothing of our environment but the search path."""
        log = os.open(folder / f"{name.rsplit('/', 1)[-1]}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.running[name] = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), **environment},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        finally:
            os.close(log)
        self._tell()

    def ended(self, name: str) -> int | None:
        """The exit code of a child that has ended though nobody stopped it."""
        process = self.running.get(name)
        return process.returncode if process else None

    async def stop(self, name: str) -> None:
        """Stops a child, by force if it does not heed."""
        process = self.running.pop(name, None)
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), GRACE)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        self._tell()

    async def stop_all(self, under: str = "") -> None:
        """Stops all children whose names begin alike: those that were started last first."""
        for name in reversed([name for name in self.running if name.startswith(under)]):
            await self.stop(name)

    def _tell(self) -> None:
        self._changed({name: process.pid for name, process in self.running.items()})
