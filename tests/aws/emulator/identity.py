"""What IAM does and ministack does not: pages, and simulations that know what a test has denied."""

from __future__ import annotations

import base64
from collections.abc import Callable
from xml.etree import ElementTree

from ministack.services import iam

from .world import World

Response = tuple[int, dict[str, str], bytes]
Parameters = dict[str, list[str]]

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
# What AWS uses where the caller says nothing.
PAGE = 100
# The element that an operation lists in.
LISTS = {
    "ListAttachedRolePolicies": "AttachedPolicies",
    "ListInstanceProfilesForRole": "InstanceProfiles",
    "ListRolePolicies": "PolicyNames",
    "ListRoles": "Roles",
    "SimulatePrincipalPolicy": "EvaluationResults",
}


def install(world: World) -> None:
    """Puts pages and denials after ministack's operations."""
    ElementTree.register_namespace("", NAMESPACE)
    for action, element in LISTS.items():
        iam._IAM_HANDLERS[action] = paged(world, element, iam._IAM_HANDLERS[action])


def paged(world: World, element: str, inner: Callable[[Parameters], Response]) -> Callable[[Parameters], Response]:
    """An operation that answers a page of what it lists."""

    def page(parameters: Parameters) -> Response:
        status, headers, body = inner(parameters)
        if status != 200:
            return status, headers, body
        document = ElementTree.fromstring(body)
        found = document.find(f".//{{*}}{element}")
        if found is None:
            return status, headers, body
        for result in found:
            deny(world, result)
        marker = parameters.get("Marker", [""])[0]
        start = int(base64.b64decode(marker)) if marker else 0
        end = start + int(parameters.get("MaxItems", [str(PAGE)])[0])
        items = list(found)
        for item in items[:start] + items[end:]:
            found.remove(item)
        truncated = document.find(".//{*}IsTruncated")
        if end < len(items) and truncated is not None:
            truncated.text = "true"
            (result,) = (child for child in document if truncated in list(child))
            ElementTree.SubElement(result, truncated.tag.replace("IsTruncated", "Marker")).text = base64.b64encode(
                str(end).encode()
            ).decode()
        return status, headers, ElementTree.tostring(document, encoding="utf-8", xml_declaration=True)

    return page


def deny(world: World, result: ElementTree.Element) -> None:
    """Changes the result of a simulation to what a test has ordered."""
    action, decision = result.find("{*}EvalActionName"), result.find("{*}EvalDecision")
    if action is None or decision is None or not action.text:
        return
    service, operation = action.text.split(":", 1)
    subject = {"service": service, "operation": operation}
    if any(rule.holds(subject) for rule in world.rules.denials):
        decision.text = "implicitDeny"
