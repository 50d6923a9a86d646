"""Between ministack's authentication and its services: the log of calls, and denials that a test has ordered."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack_app
from ministack.core import iam_actions
from ministack.core.iam_evaluator import resolve_caller_identity
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.core.router import SERVICE_PATTERNS, extract_access_key_id
from ministack.services import eks as ministack_eks

from . import load_balancers, quotas
from .eks.service import Eks
from .world import World

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[..., Awaitable[Response]]


class Gateway:
    """Every call passes here, once its signature is verified."""

    def __init__(self, world: World, eks: Eks) -> None:
        self.world = world
        self.eks = eks
        self.calls: list[dict[str, Any]] = []
        ministack_eks.handle_request = eks.handle
        handlers = ministack_app.SERVICE_HANDLERS
        handlers["eks"] = eks.handle
        handlers["elasticloadbalancing"] = load_balancers.apart(handlers["elasticloadbalancing"])
        handlers["servicequotas"] = quotas.Quotas(world).handle
        SERVICE_PATTERNS["servicequotas"] = {
            "target_prefixes": ["ServiceQuotasV20190624"],
            "host_patterns": [r"servicequotas\."],
            "credential_scope": "servicequotas",
        }
        iam_actions.SERVICE_TO_IAM_NAMESPACE["servicequotas"] = "servicequotas"
        for service, handler in list(handlers.items()):
            handlers[service] = self._watched(service, handler)

    def _watched(self, service: str, handler: Handler) -> Handler:
        async def watched(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
        ) -> Response:
            name = self._operation(service, method, path, headers, body, query)
            call = {"time": round(time.time(), 3), "service": service, "operation": name, "region": get_region()}
            self.calls.append(call)
            if self.world.rules.denied(service, name):
                response = self._denial(service, name, headers, query)
            else:
                response = await handler(method, path, headers, body, query)
            call["status"] = response[0]
            if service == "logs" and name == "DeleteLogGroup" and response[0] == 200:
                self.eks.clusters.log_group_deleted(json.loads(body)["logGroupName"])
            return response

        return watched

    def _operation(
        self, service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> str:
        if service == "eks":
            return self.eks.operation(method, path)
        if "Action" in query:
            return query["Action"][0]
        if "x-www-form-urlencoded" in headers.get("content-type", ""):
            return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
        if "x-amz-target" in headers:
            return headers["x-amz-target"].rsplit(".", 1)[-1]
        return f"{method} {path}"

    def _denial(self, service: str, name: str, headers: dict[str, str], query: dict[str, list[str]]) -> Response:
        identity = resolve_caller_identity(extract_access_key_id(headers, query))
        caller = identity["userArn"] if identity else f"arn:aws:iam::{get_account_id()}:root"
        action = f"{iam_actions.SERVICE_TO_IAM_NAMESPACE.get(service, service)}:{name}"
        return iam_actions.access_denied_response(service, action, caller, new_uuid(), headers=headers)  # type: ignore[no-any-return]
