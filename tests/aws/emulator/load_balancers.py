"""Classic load balancers, of which the account has none: ministack would answer with those of the other kinds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from ministack.core.responses import new_uuid

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[..., Awaitable[Response]]

# By its version a call is known to be for the classic ones.
CLASSIC = "2012-06-01"


def apart(inner: Handler) -> Handler:
    """A service that answers calls for classic load balancers by itself."""

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        parameters = {**query, **parse_qs(body.decode(errors="replace"))}
        if parameters.get("Version") != [CLASSIC]:
            return await inner(method, path, headers, body, query)
        action = parameters.get("Action", [""])[0]
        lists = {"DescribeLoadBalancers": "LoadBalancerDescriptions", "DescribeTags": "TagDescriptions"}
        if action not in lists:
            error = f"<Error><Code>InvalidAction</Code><Message>{action}</Message></Error>"
            return respond(400, "ErrorResponse", error)
        return respond(200, f"{action}Response", f"<{action}Result><{lists[action]}/></{action}Result>")

    return handle


def respond(status: int, root: str, inside: str) -> Response:
    """A response as this service has it."""
    document = (
        f'<{root} xmlns="http://elasticloadbalancing.amazonaws.com/doc/{CLASSIC}/">{inside}'
        f"<ResponseMetadata><RequestId>{new_uuid()}</RequestId></ResponseMetadata></{root}>"
    )
    return status, {"Content-Type": "text/xml"}, document.encode()
