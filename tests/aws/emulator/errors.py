"""What an operation answers instead of its result."""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """A refusal in AWS's terms: the exception's name, the text, and what else its shape has."""

    STATUS: ClassVar = {
        "ResourceNotFoundException": 404,
        "ResourceInUseException": 409,
        "AccessDeniedException": 403,
        "ServiceUnavailableException": 503,
        "ServerException": 500,
    }

    def __init__(self, code: str, message: str, **members: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members

    @property
    def status(self) -> int:
        """The HTTP status that goes with the exception's name."""
        return self.STATUS.get(self.code, 400)


def not_found(message: str, **members: str) -> ApiError:
    """There is no such thing."""
    return ApiError("ResourceNotFoundException", message, **members)


def in_use(message: str, **members: str) -> ApiError:
    """It is there already, or something depends on it."""
    return ApiError("ResourceInUseException", message, **members)


def invalid_parameter(message: str, **members: str) -> ApiError:
    """What was asked for cannot be."""
    return ApiError("InvalidParameterException", message, **members)


def invalid_request(message: str, **members: str) -> ApiError:
    """What was asked for cannot be now."""
    return ApiError("InvalidRequestException", message, **members)
