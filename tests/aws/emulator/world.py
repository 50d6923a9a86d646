"""What all parts of the emulator share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .life import Life
from .rules import Rules

if TYPE_CHECKING:
    from .kubernetes.planes import Planes


@dataclass
class World:
    """How fast things go, what goes wrong, and where API servers come from."""

    # Seconds that whatever takes AWS minutes takes here.
    pace: float
    # None: clusters have no API server.
    planes: Planes | None = None
    life: Life = field(default_factory=Life)
    rules: Rules = field(default_factory=Rules)

    async def pause(self) -> None:
        """The time that a change takes."""
        await asyncio.sleep(self.pace)
