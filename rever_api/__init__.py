"""The REVER Admin API for Python: models, a sync and an async client, and a sandbox. Knows nothing of Prefect."""

from rever_api.client import AsyncReverClient
from rever_api.config import DEFAULT_BASE_URL, ClientConfig
from rever_api.endpoints import Endpoint, Endpoints, EndpointsError
from rever_api.errors import (
    NotFound,
    NotSent,
    OutcomeUnknown,
    Reason,
    Refused,
    RefusedForNow,
    ReverError,
    Unauthorized,
    WrongRoute,
    WrongSetup,
)
from rever_api.limits import AsyncSlot, Limits, Slot
from rever_api.sync_client import ReverClient

__all__ = [
    "DEFAULT_BASE_URL",
    "AsyncReverClient",
    "AsyncSlot",
    "ClientConfig",
    "Endpoint",
    "Endpoints",
    "EndpointsError",
    "Limits",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "Reason",
    "Refused",
    "RefusedForNow",
    "ReverClient",
    "ReverError",
    "Slot",
    "Unauthorized",
    "WrongRoute",
    "WrongSetup",
]
