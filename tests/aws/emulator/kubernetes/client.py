"""A client of an API server, as its administrator."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT = 10.0


class ApiServerError(Exception):
    """An API server refused, or did not answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Client:
    """Requests in threads of their own, so that nothing else waits."""

    def __init__(self, endpoint: str, authority: Path, identity: Path) -> None:
        self.endpoint = endpoint
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(identity)

    async def call(
        self, method: str, path: str, document: Any = None, kind: str = "application/json"
    ) -> dict[str, Any]:
        """What the API server answers."""
        return await asyncio.to_thread(self._call, method, path, document, kind)

    async def apply(self, path: str, document: dict[str, Any]) -> None:
        """Has an object be as it is given, whether or not it is there."""
        query = "?fieldManager=aws-emulator&force=true"
        await self.call("PATCH", path + query, document, "application/apply-patch+yaml")

    async def delete(self, path: str) -> None:
        """Deletes an object, which may be gone."""
        try:
            await self.call("DELETE", path)
        except ApiServerError as error:
            if error.status != 404:
                raise

    def _call(self, method: str, path: str, document: Any, kind: str) -> dict[str, Any]:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.endpoint + path, body, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._context) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            raise ApiServerError(error.code, error.read().decode(errors="replace")[:500]) from None
        except OSError as error:
            raise ApiServerError(0, str(error)) from None
        return json.loads(content) if content[:1] == b"{" else {}
