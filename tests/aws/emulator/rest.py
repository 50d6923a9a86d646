"""A REST and JSON service of AWS, served from the model that its clients are made from.

Paths, parameters, patterns, paging and tokens all stand in the model (of botocore), so an operation is a function of
its parameters only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate

from .errors import ApiError, invalid_parameter, invalid_request

Parameters = dict[str, Any]
Operation = Callable[[Parameters], dict[str, Any]]

# What AWS uses where the caller says nothing.
PAGE = 100
# Names in paths that hold ARNs, whose slashes clients do not always escape.
ARNS = {"principalArn", "policyArn", "resourceArn"}


@dataclass(frozen=True)
class Route:
    """How a request is known to be for an operation."""

    operation: str
    method: str
    path: re.Pattern[str]
    literal: int


class Service:
    """The operations of one service."""

    def __init__(self, name: str, operations: dict[str, Operation]) -> None:
        loader = botocore.loaders.Loader()
        self.model = botocore.model.ServiceModel(loader.load_service_model(name, "service-2"), name)
        self.paging = loader.load_service_model(name, "paginators-1")["pagination"]
        self.operations = operations
        unknown = operations.keys() - set(self.model.operation_names)
        if unknown:
            raise ValueError(f"{name} has no {sorted(unknown)}")
        self.routes = sorted(map(self._route, self.model.operation_names), key=lambda route: -route.literal)
        self.answered: dict[tuple[object, ...], tuple[str, dict[str, Any]]] = {}

    def operation_of(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The operation that a request is for, and what its path says."""
        for route in self.routes:
            match = route.path.fullmatch(path)
            if match and route.method == method:
                return route.operation, match.groupdict()
        return None

    def answer(
        self, scope: tuple[str, str], method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> dict[str, Any]:
        """The result of an operation, without what is only ours. `scope`: whose tokens and pages these are."""
        found = self.operation_of(method, path)
        if found is None:
            raise ApiError("UnknownOperationException", f"there is no operation at {method} {path}")
        name, labels = found
        operation = self.operations.get(name)
        if operation is None:
            raise ApiError("ServerException", f"the emulator does not have {name}")
        model = self.model.operation_model(name)
        parameters = read(model.input_shape, labels, query, body)
        check(parameters, model.input_shape)
        page = self.paging.get(name)
        if page:
            return self._page(scope, name, operation, parameters, page)
        return self._once(scope, name, operation, parameters, model.idempotent_members)

    def _route(self, name: str) -> Route:
        http = self.model.operation_model(name).http
        pieces = re.split(r"(\{[^}]+\})", http["requestUri"].split("?")[0])
        pattern = "".join(
            f"(?P<{piece[1:-1].rstrip('+')}>{'.+?' if piece[1:-1] in ARNS else '[^/]+'})"
            if piece.startswith("{")
            else re.escape(piece)
            for piece in pieces
        )
        literal = sum(len(piece) for piece in pieces if not piece.startswith("{"))
        return Route(name, http["method"], re.compile(pattern), literal)

    def _once(
        self, scope: tuple[str, str], name: str, operation: Operation, parameters: Parameters, tokens: list[str]
    ) -> dict[str, Any]:
        """Does what a token asks for once, and answers again what it answered then."""
        # botocore calls every such member idempotent; the services have one each.
        token = next((parameters.pop(member) for member in tokens if member in parameters), None)
        if token is None:
            return public(operation(parameters))
        key = (*scope, name, token)
        digest = fingerprint(parameters)
        if key in self.answered:
            before, result = self.answered[key]
            if before != digest:
                raise invalid_request(f"The client request token {token} was used with other parameters before.")
            return result
        result = public(operation(parameters))
        self.answered[key] = (digest, result)
        return result

    def _page(
        self, scope: tuple[str, str], name: str, operation: Operation, parameters: Parameters, page: dict[str, str]
    ) -> dict[str, Any]:
        token = parameters.pop(page["input_token"], None)
        limit = parameters.pop(page["limit_key"], PAGE)
        # A token is good for the question that it answered.
        question = fingerprint([*scope, name, parameters])
        start = position(token, question) if token else 0
        result = public(operation(parameters))
        items = result[page["result_key"]]
        end = start + limit
        result[page["result_key"]] = items[start:end]
        if end < len(items):
            result[page["output_token"]] = base64.urlsafe_b64encode(f"{end} {question}".encode()).decode()
        return result


def position(token: str, question: str) -> int:
    """Where the page begins that a token is for."""
    try:
        end, of = base64.urlsafe_b64decode(token.encode()).decode().split(" ")
    except (ValueError, binascii.Error):
        raise invalid_parameter("The specified nextToken is invalid.") from None
    if of != question:
        raise invalid_parameter("The specified nextToken is of another request.")
    return int(end)


def fingerprint(value: object) -> str:
    """A short text that differs where values do."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def public(value: Any) -> Any:
    """A copy without the members that begin with `_`, which are ours."""
    if isinstance(value, dict):
        return {key: public(item) for key, item in value.items() if not key.startswith("_")}
    if isinstance(value, list):
        return [public(item) for item in value]
    return value


def read(
    shape: botocore.model.Shape | None, labels: dict[str, str], query: dict[str, list[str]], body: bytes
) -> Parameters:
    """The parameters of an operation, from wherever the model says they stand."""
    try:
        document = json.loads(body) if body else {}
    except json.JSONDecodeError as error:
        raise ApiError("SerializationException", str(error)) from error
    parameters: Parameters = {}
    for name, member in (shape.members if shape else {}).items():
        place = member.serialization.get("location")
        wire = member.serialization.get("name", name)
        if place == "uri":
            parameters[name] = urllib.parse.unquote(labels[wire])
        elif place == "querystring" and wire in query:
            parameters[name] = from_query(member, query[wire])
        elif place is None and document.get(wire) is not None:
            parameters[name] = document[wire]
    return parameters


def from_query(shape: botocore.model.Shape, values: list[str]) -> object:
    """A value of the query string."""
    if shape.type_name == "list":
        return values
    if shape.type_name in ("integer", "long"):
        return int(values[0])
    if shape.type_name == "boolean":
        return values[0] == "true"
    return values[0]


def check(parameters: Parameters, shape: botocore.model.Shape | None) -> None:
    """Refuses what the model rules out: missing and mistyped members, lengths, patterns, values that do not exist."""
    if shape is None:
        return
    report = botocore.validate.ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise invalid_parameter(report.generate_report())
    for problem in problems(parameters, shape, ""):
        raise invalid_parameter(problem)


def problems(value: Any, shape: botocore.model.Shape, where: str) -> Any:
    """What patterns and enumerations have against a value."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from problems(value[name], member, f"{where}.{name}" if where else name)
    elif shape.type_name == "list":
        for item in value:
            yield from problems(item, shape.member, where)
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, value):
            yield f"{where}: '{value}' does not match the pattern {pattern}"
        if shape.enum and value not in shape.enum:
            yield f"{where}: '{value}' is not one of {', '.join(shape.enum)}"
