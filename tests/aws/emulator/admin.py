"""What tests ask of the emulator itself: `/_bridgehead/...`, without a signature, on loopback only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from .gateway import Gateway
from .inventory import inventory
from .world import World

PREFIX = "/_bridgehead/"

Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


class Admin:
    """An ASGI application that answers what is ours, and leaves the rest to another."""

    def __init__(self, world: World, gateway: Gateway, inner: Application) -> None:
        self.world = world
        self.gateway = gateway
        self.inner = inner
        # By the port that a request arrived at: the address that its sender signed for.
        self.signed_for: dict[int, bytes] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.inner(self._as_signed(scope), receive, send)
            return
        try:
            status, document = 200, self.answer(scope["method"], scope["path"], await body(receive))
        except (KeyError, TypeError, ValueError) as error:
            status, document = 400, {"error": f"{type(error).__name__}: {error}"}
        content = json.dumps(document, sort_keys=True).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _as_signed(self, scope: dict[str, Any]) -> dict[str, Any]:
        """A request as it was before microburst named us as the host and decoded colons: both are signed."""
        host = self.signed_for.get((scope.get("server") or (None, 0))[1])
        if host is None:
            return scope
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        path = scope["raw_path"].replace(b":", b"%3A")
        return {**scope, "headers": [(b"host", host), *others], "raw_path": path}

    def answer(self, method: str, path: str, content: bytes) -> Any:
        """What is answered: the state, or that an order was taken."""
        rules = self.world.rules
        order = json.loads(content) if content else {}
        match method, path.removeprefix(PREFIX):
            case "GET", "inventory":
                return inventory()
            case "GET", "calls":
                return self.gateway.calls
            case "DELETE", "calls":
                self.gateway.calls.clear()
            case "POST", "deny":
                rules.deny(order)
            case "POST", "fail":
                rules.fail(order)
            case "POST", "quota":
                rules.quotas[order["service"], order["code"]] = float(order["value"])
            case "POST", "pace":
                self.world.pace = float(order["seconds"])
            case "DELETE", "rules":
                rules.denials.clear()
                rules.failures.clear()
                rules.quotas.clear()
            case _:
                raise ValueError(f"there is no {method} {path}")
        return {}


async def body(receive: Callable[[], Awaitable[Any]]) -> bytes:
    """The whole body of a request."""
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            return content
