"""How the sandbox says no: the bodies of a gRPC gateway, as REVER's Admin API is inferred to answer."""

from typing import Any

from pydantic import ValidationError

INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 3, 5, 6, 7, 8
FAILED_PRECONDITION, ABORTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 9, 10, 12, 13, 14, 16


class Refusal(Exception):  # noqa: N818 - a refusal is an answer of the API, not a failure of the sandbox
    """A call that is answered with an error status; nothing was done."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, "details": []}


def invalid(message: str) -> Refusal:
    """Refuse a request that makes no sense (400, gRPC 3)."""
    return Refusal(400, INVALID_ARGUMENT, message)


def not_found(what: str) -> Refusal:
    """Refuse a request for something that is not there (404, gRPC 5)."""
    return Refusal(404, NOT_FOUND, f"{what} not found")


def unreadable(error: ValidationError) -> Refusal:
    """Refuse a body that does not fit; fields and kinds of error are named, values are not."""
    faults = (f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in error.errors())
    return invalid("invalid body: " + "; ".join(faults))
