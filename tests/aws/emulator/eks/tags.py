"""Tags of whatever in EKS has an ARN."""

from __future__ import annotations

from typing import Any

from ..errors import not_found
from ..rest import Parameters
from . import store


def find(arn: str) -> store.Record:
    """What has an ARN."""
    for kept, member in store.TAGGED:
        for record in kept.values():
            if record[member] == arn:
                return record  # type: ignore[no-any-return]
    raise not_found(f"No resource found for ARN: {arn}")


def tag(request: Parameters) -> dict[str, Any]:
    """TagResource."""
    record = find(request["resourceArn"])
    record["tags"] = {**record["tags"], **request["tags"]}
    return {}


def untag(request: Parameters) -> dict[str, Any]:
    """UntagResource."""
    record = find(request["resourceArn"])
    record["tags"] = {key: value for key, value in record["tags"].items() if key not in request["tagKeys"]}
    return {}


def list_tags(request: Parameters) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": find(request["resourceArn"])["tags"]}
