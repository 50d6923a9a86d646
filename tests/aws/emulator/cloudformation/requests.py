"""What CloudFormation refuses of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import _stacks, engine, handlers, helpers

Response = tuple[int, dict[str, str], bytes]
Parameters = dict[str, list[str]]

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html, bytes
LONGEST = 51_200
# The parameter by which a repetition is known.
TOKENS = {
    "CreateStack": "ClientRequestToken",
    "UpdateStack": "ClientRequestToken",
    "CreateChangeSet": "ClientToken",
    "ExecuteChangeSet": "ClientRequestToken",
}


def install() -> None:
    """Puts the refusals before ministack's operations."""
    for action in ("CreateStack", "UpdateStack", "CreateChangeSet", "ValidateTemplate"):
        handlers._ACTION_HANDLERS[action] = checked(action, handlers._ACTION_HANDLERS[action])
    for action, token in TOKENS.items():
        handlers._ACTION_HANDLERS[action] = once(action, token, handlers._ACTION_HANDLERS[action])


def once(action: str, token: str, inner: Callable[[Parameters], Response]) -> Callable[[Parameters], Response]:
    """An operation that answers a repetition as it answered the first time, for as long as the stack lives."""
    answers: dict[tuple[str, ...], tuple[str, Response]] = {}

    def answer(parameters: Parameters) -> Response:
        if token not in parameters:
            return inner(parameters)
        name = parameters.get("StackName", [""])[0]
        key = (get_account_id(), get_region(), name, parameters.get("ChangeSetName", [""])[0], parameters[token][0])
        stack, before = answers.get(key, ("", None))
        if before and stack == identity(name):
            return before
        response = inner(parameters)
        if response[0] == 200:
            answers[key] = (identity(name), response)
        return response

    return answer


def identity(name: str) -> str:
    """The id of the stack that has a name, or an id, now."""
    found = _stacks.get(name) or next((stack for stack in _stacks.values() if stack["StackId"] == name), {})
    return "" if found.get("StackStatus") == "DELETE_COMPLETE" else str(found.get("StackId", ""))


def checked(action: str, inner: Callable[[Parameters], Response]) -> Callable[[Parameters], Response]:
    """An operation that looks at its template first."""

    def check(parameters: Parameters) -> Response:
        name = parameters.get("StackName", [""])[0]
        stack = _stacks.get(name)
        # ministack lets a stack be created over one that was rolled back.
        if action == "CreateStack" and stack and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            return helpers._error("AlreadyExistsException", f"Stack [{name}] already exists")  # type: ignore[no-any-return]
        body = parameters.get("TemplateBody", [""])[0]
        problem = body and problem_of(body)
        return helpers._error("ValidationError", problem) if problem else inner(parameters)

    return check


def problem_of(body: str) -> str | None:
    """What is wrong with a template."""
    if len(body.encode()) > LONGEST:
        return (
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {LONGEST}"
        )
    try:
        template = engine._parse_template(body)
    except Exception:
        return None
    known = {*template.get("Resources", {}), *template.get("Parameters", {})}
    missing = sorted(
        {
            name
            for name in references(template.get("Resources", {}))
            if name not in known and not name.startswith("AWS::")
        }
    )
    if missing:
        return (
            f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the Resources block "
            "of the template"
        )
    return None


def references(value: Any) -> Iterator[str]:
    """The names that `Ref` and `Fn::GetAtt` have anywhere in a value."""
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str) and len(value) == 1:
            yield value["Ref"]
        attribute = value.get("Fn::GetAtt")
        if attribute and len(value) == 1:
            yield attribute[0] if isinstance(attribute, list) else attribute.split(".")[0]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
