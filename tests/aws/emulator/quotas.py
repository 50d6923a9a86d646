"""Service Quotas, of which ministack has nothing."""

from __future__ import annotations

import json
from typing import Any

from .world import World

# What a new account has: https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
DEFAULTS = {
    ("cloudformation", "L-0485CB21"): ("Stack count", 2000.0),
    ("ec2", "L-0263D0A3"): ("EC2-VPC Elastic IPs", 5.0),
    ("ec2", "L-1216C47A"): ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 64.0),
    ("eks", "L-1194D53C"): ("Clusters", 100.0),
    ("eks", "L-6D54EA21"): ("Managed node groups per cluster", 30.0),
    ("eks", "L-BD136A63"): ("Nodes per managed node group", 450.0),
    ("iam", "L-FE177D64"): ("Roles per account", 1000.0),
    ("vpc", "L-A4707A72"): ("Internet gateways per Region", 5.0),
    ("vpc", "L-F678F1CE"): ("VPCs per Region", 5.0),
    ("vpc", "L-FE5A380F"): ("NAT gateways per Availability Zone", 5.0),
}


class Quotas:
    """The quotas of the account: AWS's defaults, unless a test has ordered others."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> tuple[int, dict[str, str], bytes]:
        """Answers a request."""
        operation = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        request = json.loads(body or b"{}")
        if operation not in ("GetServiceQuota", "GetAWSDefaultServiceQuota", "ListServiceQuotas"):
            return refuse("UnknownOperationException", f"the emulator does not have {operation}")
        if operation == "ListServiceQuotas":
            service = request.get("ServiceCode")
            found = [self._quota(of, code, True) for of, code in DEFAULTS if of == service]
            return respond(200, {"Quotas": found})
        key = (request.get("ServiceCode", ""), request.get("QuotaCode", ""))
        if key not in DEFAULTS:
            message = "The request failed because the specified service quota does not exist."
            return refuse("NoSuchResourceException", message)
        return respond(200, {"Quota": self._quota(*key, operation == "GetServiceQuota")})

    def _quota(self, service: str, code: str, applied: bool) -> dict[str, Any]:
        name, value = DEFAULTS[service, code]
        return {
            "ServiceCode": service,
            "QuotaCode": code,
            "QuotaName": name,
            "Value": limit(self.world, service, code) if applied else value,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": service == "iam",
        }


def limit(world: World, service: str, code: str) -> float:
    """How many of something the account may have."""
    return world.rules.quotas.get((service, code), DEFAULTS[service, code][1])


def refuse(code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    """An error as this service has it."""
    return respond(400, {"__type": code, "Message": message})


def respond(status: int, document: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """A response as this service has it."""
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
