"""What a test has ordered to go wrong."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Rule:
    """Which subjects it is about, how often it still holds (`None`: always), and what it says."""

    match: dict[str, str]
    times: int | None
    says: dict[str, Any]

    def holds(self, subject: dict[str, str]) -> bool:
        """Whether it is about a subject. Values may have `*` in them."""
        if self.times == 0:
            return False
        return all(fnmatch.fnmatchcase(subject.get(name, ""), value) for name, value in self.match.items())


@dataclass
class Rules:
    """Denied operations, failures of what is made in the background, and quotas."""

    denials: list[Rule] = field(default_factory=list)
    failures: list[Rule] = field(default_factory=list)
    # By service and quota code.
    quotas: dict[tuple[str, str], float] = field(default_factory=dict)

    def denied(self, service: str, operation: str) -> bool:
        """Whether the caller is to be told that it may not."""
        return take(self.denials, {"service": service, "operation": operation}) is not None

    def failure(self, kind: str, **subject: str) -> dict[str, Any] | None:
        """How something of a kind (`cluster`, `nodegroup`, `addon`, `capability`, `stack`) is to fail, if it is."""
        return take(self.failures, {"kind": kind, **subject})

    def deny(self, document: dict[str, Any]) -> None:
        """Adds a denial: `{"service": "eks", "operation": "CreateCluster", "times": 1}`."""
        match = {name: document[name] for name in ("service", "operation") if name in document}
        self.denials.append(Rule(match, document.get("times"), {}))

    def fail(self, document: dict[str, Any]) -> None:
        """Adds a failure: what it is about, `times`, and what it says."""
        says = {name: document[name] for name in ("code", "message", "resourceIds") if name in document}
        match = {name: value for name, value in document.items() if name not in says and name != "times"}
        self.failures.append(Rule(match, document.get("times"), says))


def take(rules: list[Rule], subject: dict[str, str]) -> dict[str, Any] | None:
    """What the first rule about a subject says; it then holds once less."""
    for rule in rules:
        if rule.holds(subject):
            if rule.times is not None:
                rule.times -= 1
            return rule.says
    return None
